//! One error type, one table of kinds.

use std::fmt;
use std::time::Duration;

/// What `Result` means throughout this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause an [`Error`] may carry.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// Is it the caller's doing, or ours and the world's?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The rules say no: a wrong code, a cooldown, an invalid number. Asking again unchanged will not help.
    Refusal,
    /// Something is broken or out of reach: the store, the provider, the configuration.
    Fault,
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $name:ident $code:literal $status:literal $class:ident $retryable:literal;)+) => {
        /// Every way an operation can fail. The codes are stable for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $($(#[$doc])+ $name,)+ }

        impl ErrorKind {
            /// Every kind, in the order of the table.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name,)+];

            /// The stable code, `UPPER_SNAKE`, the same in all languages.
            pub const fn code(self) -> &'static str { match self { $(ErrorKind::$name => $code,)+ } }

            /// The name of the kind, which is the name of the Python class.
            pub const fn name(self) -> &'static str { match self { $(ErrorKind::$name => stringify!($name),)+ } }

            /// The HTTP status an adapter answers with.
            pub const fn status(self) -> u16 { match self { $(ErrorKind::$name => $status,)+ } }

            /// Refusal or fault.
            pub const fn class(self) -> Class { match self { $(ErrorKind::$name => Class::$class,)+ } }

            /// Whether the same call may succeed later with nothing changed by the caller.
            pub const fn retryable(self) -> bool { match self { $(ErrorKind::$name => $retryable,)+ } }
        }
    };
}

kinds! {
    /// The code is not the one that was sent. [`Error::attempts_left`] says how many tries remain.
    WrongCode "WRONG_CODE" 401 Refusal false;
    /// No live code: never issued, expired, cancelled or already used. Deliberately one answer for all.
    CodeNotFound "CODE_NOT_FOUND" 401 Refusal false;
    /// The attempts of this code, or the failure budget of this identifier, are spent. Nothing was compared.
    TooManyAttempts "TOO_MANY_ATTEMPTS" 429 Refusal false;
    /// A code went out a moment ago; [`Error::retry_after`] says when the next may.
    Cooldown "COOLDOWN" 429 Refusal true;
    /// A limit per identifier or IP address is reached.
    RateLimited "RATE_LIMITED" 429 Refusal true;
    /// Not a phone number that exists in its numbering plan.
    InvalidPhone "INVALID_PHONE" 400 Refusal false;
    /// Not an email address.
    InvalidEmail "INVALID_EMAIL" 400 Refusal false;
    /// Not a code of the configured length and alphabet. No attempt was counted.
    InvalidCode "INVALID_CODE" 400 Refusal false;
    /// Some other argument is missing, too long or of the wrong type.
    InvalidArgument "INVALID_ARGUMENT" 400 Refusal false;
    /// Somebody else holds the lock; [`Error::retry_after`] says when its lease ends at the latest.
    Locked "LOCKED" 409 Refusal true;
    /// The lock or claim is no longer the caller's: its lease ran out, or it passed to somebody else.
    LeaseLost "LEASE_LOST" 409 Refusal false;
    /// Somebody is working on the same idempotency key; [`Error::retry_after`] says when it is free at the latest.
    InProgress "IN_PROGRESS" 409 Refusal true;
    /// The idempotency key was used for another request.
    IdempotencyMismatch "IDEMPOTENCY_MISMATCH" 422 Refusal false;
    /// No live session: expired, idle for too long, revoked, rotated, or no token of ours. Deliberately one answer for all.
    SessionNotFound "SESSION_NOT_FOUND" 401 Refusal false;
    /// Not a token of a known key, altered, not for us, not yet valid, or of a form that is refused.
    TokenInvalid "TOKEN_INVALID" 401 Refusal false;
    /// The token was good and its time is over.
    TokenExpired "TOKEN_EXPIRED" 401 Refusal false;
    /// The token was revoked, by itself or with all of its user's or everybody's.
    TokenRevoked "TOKEN_REVOKED" 401 Refusal false;
    /// Not a link of ours, altered, used, or for another address or purpose.
    LinkInvalid "LINK_INVALID" 400 Refusal false;
    /// The link was good and its time is over.
    LinkExpired "LINK_EXPIRED" 400 Refusal false;
    /// The store did not answer in time or refused. Nothing was accepted.
    StoreUnavailable "STORE_UNAVAILABLE" 503 Fault true;
    /// The message could not be sent. The cooldown and quota were given back.
    DeliveryFailed "DELIVERY_FAILED" 502 Fault true;
    /// The address exists and cannot be reached: a landline, a full or unknown mailbox, a user who opted out. The cooldown
    /// and quota were given back.
    Unreachable "UNREACHABLE" 422 Refusal false;
    /// The provider's account may not send to that country. The cooldown and quota were given back.
    RegionBlocked "REGION_BLOCKED" 422 Refusal false;
    /// The provider takes no more messages for now, or too many wait to be sent. The cooldown and quota were given back.
    DeliveryLimited "DELIVERY_LIMITED" 503 Fault true;
    /// Not signed by the provider whose callback it claims to be.
    InvalidSignature "INVALID_SIGNATURE" 403 Refusal false;
    /// The options or the environment cannot work; the message says what to change.
    Config "CONFIG" 500 Fault false;
    /// The client was closed.
    Closed "CLOSED" 500 Fault false;
    /// A bug in oncecode. Please report it.
    Internal "INTERNAL" 500 Fault false;
}

/// Why an operation failed.
///
/// Neither the message nor `Debug` ever holds a code, a secret, a token or a whole address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_after: Option<Duration>,
    attempts_left: Option<u32>,
    undone: bool,
    headers: Vec<(&'static str, String)>,
    /// The store or sender was reached and said no.
    answered: bool,
    #[source]
    source: Option<Source>,
}

impl Error {
    /// An error of `kind` with a message for developers.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (retry_after, attempts_left, source) = (None, None, None);
        let (undone, answered, headers) = (false, false, Vec::new());
        Self { kind, message: message.into(), retry_after, attempts_left, undone, answered, headers, source }
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// For a URL whose store or sender was left out when the crate was built.
    pub(crate) fn without_feature(scheme: &str, feature: &str) -> Self {
        Self::config(format!(
            "{scheme}: needs the feature `{feature}` of the crate oncecode, which this build was made without; \
             add it in Cargo.toml: oncecode = {{ version = \"{}\", features = [\"{feature}\"] }}",
            env!("CARGO_PKG_VERSION")
        ))
    }

    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// Says when to try again.
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Says how many attempts remain.
    pub fn with_attempts_left(mut self, left: u32) -> Self {
        self.attempts_left = Some(left);
        self
    }

    /// Says what an HTTP response with this error carries.
    pub(crate) fn with_headers(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers = headers;
        self
    }

    /// Keeps the cause for `std::error::Error::source`.
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says that the store or sender is known to have done nothing: it was never asked, or refused before it began. Without
    /// this, whether it did is unknown, and nobody may ask another one instead.
    pub fn undone(mut self) -> Self {
        self.undone = true;
        self
    }

    /// [`Error::undone`] was said.
    pub(crate) fn is_undone(&self) -> bool {
        self.undone
    }

    /// Says whether the store or sender was reached and refused, which is no outage.
    pub(crate) fn answered(mut self, yes: bool) -> Self {
        self.answered = yes;
        self
    }

    /// [`Error::answered`] was said.
    #[cfg_attr(not(feature = "sending"), allow(dead_code))]
    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether the store was late or out of reach, so that another call would fare no better.
    pub(crate) fn is_outage(&self) -> bool {
        self.kind == ErrorKind::StoreUnavailable && !self.answered
    }

    /// The row of the table.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// [`ErrorKind::code`].
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// [`ErrorKind::status`].
    pub fn status(&self) -> u16 {
        self.kind.status()
    }

    /// [`ErrorKind::retryable`].
    pub fn retryable(&self) -> bool {
        self.kind.retryable()
    }

    /// The message alone, without the code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How long to wait before the same call can succeed.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// [`Error::retry_after`] in whole seconds, rounded up: what an HTTP `Retry-After` header wants.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|d| d.as_millis().div_ceil(1000) as u64)
    }

    /// Headers of an HTTP response with this error: `Retry-After` where there is one, and what a limit says.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let retry_after = self.retry_after_seconds().filter(|_| self.headers.is_empty());
        let retry_after = retry_after.map(|seconds| ("Retry-After", seconds.to_string()));
        self.headers.iter().cloned().chain(retry_after).collect()
    }

    /// Attempts left on the code, for [`ErrorKind::WrongCode`] and [`ErrorKind::TooManyAttempts`].
    pub fn attempts_left(&self) -> Option<u32> {
        self.attempts_left
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
