//! `once.totp`: codes of authenticator apps (RFC 6238) and of counters (RFC 4226), each accepted once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::otp::{OtpSettings, check_code, code};
use super::qr;
use super::record::{self, Fields, Now, Record, Step};
use super::recovery;
use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::random::Alphabet;
use crate::secret::Secret;
use crate::store::{BoxFuture, Limit};

/// The highest whole number that JavaScript can tell from the next.
const MOST_COUNTER: u64 = (1 << 53) - 1;
/// How far a clock may be off that a process reads: so long it is remembered which codes were used.
const MEMORY: Duration = Duration::from_secs(86_400);

/// Codes of authenticator apps. From [`Oncecode::totp`](crate::Oncecode::totp).
///
/// The app keeps each user's secret (encrypt it: it is as good as a password); the store keeps which code was used last,
/// so that none is accepted twice by any process, and how many were wrong.
#[derive(Clone, Debug)]
pub struct Totp {
    pub(crate) core: Arc<Core>,
}

/// What [`Totp::verify`] needs.
#[derive(Clone)]
#[non_exhaustive]
pub struct TotpRequest {
    /// Whose code it is, such as the user's id: 1 to 1024 bytes.
    pub user: String,
    /// The user's secret in base32.
    pub secret: Secret,
    /// What the user typed. Spaces, dashes and other scripts' digits are understood.
    pub code: String,
    /// Steps before and after the present one that count as well, 0 to 10 and 1 by default: phones' clocks drift. With a
    /// counter, how far ahead of it to look.
    pub window: u32,
    /// RFC 4226: the counter that is expected next. `None`: the code goes by time. With the window it must stay below
    /// 2^53 - 1, so that JavaScript can count on.
    pub counter: Option<u64>,
    /// What the secret was enrolled with.
    pub settings: OtpSettings,
}

/// A code was right, for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TotpAccepted {
    /// The time step or counter of the code. The next counter is one higher.
    pub step: u64,
    /// Steps that the user's clock is ahead (or with a minus, behind), or the counter ahead.
    pub drift: i64,
}

/// What a user scans.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Enrolment {
    /// The secret in base32: store it encrypted, and show it to those who can't scan.
    pub secret: Secret,
    /// The `otpauth://` URI, for [`Totp::qr_svg`] and [`Totp::qr_png`].
    pub uri: Secret,
}

/// Codes for when the phone is lost.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecoveryCodes {
    /// To be shown once: ten letters and digits each, such as `4TKQP-7XGRM`.
    pub codes: Vec<Secret>,
    /// To be stored with the user. They are keyed: worth nothing without the client's secret.
    pub hashes: Vec<String>,
}

impl Totp {
    /// A new secret, and the URI that authenticator apps scan.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for settings that no app knows, an empty account or a colon in the issuer.
    pub fn enrol(&self, issuer: &str, account: &str, settings: OtpSettings) -> Result<Enrolment> {
        let secret = settings.generate(&*self.core.random)?;
        let uri = settings.uri(&secret, issuer, account)?;
        Ok(Enrolment { secret, uri })
    }

    /// The URI for a secret that exists already.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn uri(&self, secret: &Secret, issuer: &str, account: &str, settings: OtpSettings) -> Result<Secret> {
        settings.uri(secret, issuer, account)
    }

    /// A text as a QR code, in SVG: black on white, with its quiet zone.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for more than fits into one.
    pub fn qr_svg(&self, text: &str) -> Result<String> {
        qr::svg(text)
    }

    /// A text as a QR code, in PNG: black on white, with its quiet zone, `scale` pixels (1 to 64) a square.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn qr_png(&self, text: &str, scale: u32) -> Result<Vec<u8>> {
        qr::png(text, scale)
    }

    /// The code of a moment, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a secret that is not base32 of 10 bytes or more.
    pub fn code_at(&self, secret: &Secret, at_ms: u64, settings: OtpSettings) -> Result<Secret> {
        code(secret, settings.checked()?.step(at_ms), settings)
    }

    /// The code of a counter (RFC 4226).
    ///
    /// # Errors
    /// As [`Totp::code_at`]; `INVALID_ARGUMENT` also for a counter of 2^53 - 1 or more.
    pub fn code_of(&self, secret: &Secret, counter: u64, settings: OtpSettings) -> Result<Secret> {
        code(secret, last_counter(counter, 0)?, settings.checked()?)
    }

    /// Whether a code is right at a moment, and for which step. Without the store: it may have been used before.
    ///
    /// # Errors
    /// As [`Totp::verify`], of its arguments.
    pub fn check(&self, request: &TotpRequest, at_ms: u64) -> Result<Option<u64>> {
        Ok(request.matches(at_ms)?.first().copied())
    }

    /// Accepts the right code, once.
    ///
    /// # Errors
    /// `WRONG_CODE`; `CODE_NOT_FOUND` for a right code that was used, or is older than one that was; `TOO_MANY_ATTEMPTS` with
    /// `retry_after` when the failure budget (that of codes, of the purpose `totp`) is spent, nothing compared;
    /// `INVALID_CODE`; `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn verify(&self, request: TotpRequest) -> BoxFuture<'static, Result<TotpAccepted>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let budget = core.open()?.policy("totp").failure_budget;
            let key = key_of(&core, &request.user)?;
            let now_ms = core.clock.now_ms();
            let steps = request.matches(now_ms)?;
            let secret = core.ring.tag(&["totp secret", &request.user, request.secret.expose()]).0;
            let verified = record::update(&core, &key, |record: &mut Used, now| {
                if let Err(e) = record.locked(budget, now) {
                    return Step::Keep(Err(e));
                }
                if steps.is_empty() {
                    let left = record.fail(budget, now);
                    return Step::Write(Err(wrong(left, budget)), record.life(now));
                }
                // Another secret has other codes: nothing of it was used.
                let next = if record.secret == secret { record.next } else { 0 };
                let Some(step) = steps.iter().copied().find(|step| *step >= next) else {
                    return Step::Keep(Err(Error::new(
                        ErrorKind::CodeNotFound,
                        "this code was used; wait for the next",
                    )));
                };
                *record = Used { secret, next: step + 1, ..Used::default() };
                Step::Write(Ok(step), record.life(now))
            });
            let step = verified.await??;
            let expected = request.counter.unwrap_or(request.settings.step(now_ms));
            Ok(TotpAccepted { step, drift: step.wrapping_sub(expected) as i64 })
        })
    }

    /// `count` recovery codes (1 to 100) for a user.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn recovery_codes(&self, user: &str, count: usize) -> Result<RecoveryCodes> {
        key_of(&self.core, user)?;
        recovery::make(&self.core, user, count)
    }

    /// Accepts a recovery code, once, and gives the one of `hashes` that the app must now delete: within 30 days, during
    /// which the store remembers that it was used.
    ///
    /// # Errors
    /// `WRONG_CODE`, `CODE_NOT_FOUND` (used; counted like a wrong one), `TOO_MANY_ATTEMPTS` (the failure budget is the same
    /// as of [`Totp::verify`]; nothing was compared), `INVALID_CODE`, `INVALID_ARGUMENT`, `STORE_UNAVAILABLE`.
    pub fn verify_recovery(&self, user: &str, code: &str, hashes: Vec<String>) -> BoxFuture<'static, Result<String>> {
        let (core, user, typed) = (Arc::clone(&self.core), user.to_owned(), code.to_owned());
        Box::pin(async move {
            let budget = core.open()?.policy("totp").failure_budget;
            let key = key_of(&core, &user)?;
            let code = recovery::read(&typed)?;
            // Counted before it is compared: of many guesses at once no more are compared than the budget allows.
            let charged = record::update(&core, &key, |record: &mut Used, now| match record.locked(budget, now) {
                Ok(()) => Step::Write(Ok(record.fail(budget, now)), record.life(now)),
                Err(e) => Step::Keep(Err(e)),
            });
            let left = charged.await??;
            let hash = recovery::find(&core, &user, &code, hashes).ok_or_else(|| wrong(left, budget))?;
            if !recovery::first_use(&core, &user, &hash).await? {
                return Err(Error::new(ErrorKind::CodeNotFound, "this recovery code was used"));
            }
            let forgiven = record::update(&core, &key, |record: &mut Used, now| {
                record.failures = 0;
                Step::Write((), record.life(now))
            });
            // The code is used up by now: failures that stay counted are no reason to refuse it.
            let _ = forgiven.await;
            Ok(hash)
        })
    }
}

impl TotpRequest {
    /// A code by time, with the default settings; set the rest on its public fields.
    pub fn new(user: impl Into<String>, secret: impl Into<Secret>, code: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            secret: secret.into(),
            code: code.into(),
            window: 1,
            counter: None,
            settings: OtpSettings::default(),
        }
    }

    /// The steps whose code it is, nearest to the expected one first for counters, oldest first for time.
    fn matches(&self, at_ms: u64) -> Result<Vec<u64>> {
        let settings = self.settings.checked()?;
        if self.window > 10 {
            return Err(Error::argument("window must be 0 to 10"));
        }
        let digits = usize::from(settings.digits);
        let typed = Alphabet::Digits.read(&self.code, digits);
        let typed = typed.ok_or_else(|| Error::new(ErrorKind::InvalidCode, format!("a code has {digits} digits")))?;
        let window = u64::from(self.window);
        let steps = match self.counter {
            Some(counter) => counter..=last_counter(counter, window)?,
            None => settings.step(at_ms).saturating_sub(window)..=settings.step(at_ms) + window,
        };
        check_code(&self.secret, &typed, steps, settings)
    }
}

/// The last counter that is looked at. The one after it can be told as well.
fn last_counter(counter: u64, window: u64) -> Result<u64> {
    let last = counter.checked_add(window).filter(|last| *last < MOST_COUNTER);
    last.ok_or_else(|| Error::argument("counter, with its window, must be below 2^53 - 1"))
}

fn key_of(core: &Core, user: &str) -> Result<Key> {
    record::key(core, "totp", "user", &[user])
}

fn wrong(left: u32, budget: Limit) -> Error {
    let wrong = Error::new(ErrorKind::WrongCode, "the code is wrong");
    if budget.max > 0 { wrong.with_attempts_left(left) } else { wrong }
}

/// What is known of a user's codes.
#[derive(Default)]
struct Used {
    /// Which secret `next` is about.
    secret: [u8; 16],
    /// The oldest step that may still be used.
    next: u64,
    failures: u64,
    /// When the failures are forgotten, on the record's line.
    failures_end: u64,
}

impl Used {
    fn locked(&self, budget: Limit, now: Now) -> Result<()> {
        let left = now.left(self.failures_end);
        if budget.max == 0 || left.is_zero() || self.failures < u64::from(budget.max) {
            return Ok(());
        }
        let locked = Error::new(ErrorKind::TooManyAttempts, "too many wrong codes for this user");
        Err(locked.with_retry_after(left).with_attempts_left(0))
    }

    /// Counts a wrong code; how many may still be tried.
    fn fail(&mut self, budget: Limit, now: Now) -> u32 {
        if now.left(self.failures_end).is_zero() {
            (self.failures, self.failures_end) = (0, now.line + record::millis(budget.window));
        }
        self.failures = self.failures.saturating_add(1);
        u64::from(budget.max).saturating_sub(self.failures) as u32
    }

    fn life(&self, now: Now) -> Duration {
        now.left(self.failures_end).max(MEMORY)
    }
}

impl Record for Used {
    const FORMAT: u8 = 1;

    fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.secret);
        for number in [self.next, self.failures, self.failures_end] {
            into.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            secret: fields.array()?,
            next: fields.number()?,
            failures: fields.number()?,
            failures_end: fields.number()?,
        })
    }
}

impl fmt::Debug for TotpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TotpRequest").field("settings", &self.settings).finish_non_exhaustive()
    }
}
