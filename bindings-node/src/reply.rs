//! What an operation ends with, and how that is written for `lib/`.

use std::error::Error as _;
use std::sync::{Arc, Mutex};

use napi::Result;
use napi::bindgen_prelude::{Buffer, External, ToNapiValue};
use napi::sys;
use oncecode::{
    Begun, Cached, Claim, Claims, Copied, Error, Fetched, Followed, Health, Link, Lock, NewSession, Peek, Quota,
    Secret, Sent, Session, TotpAccepted, Verified,
};
use serde_json::Value;

use crate::cache::Duty;
use crate::convert::Row;
use crate::health;
use crate::held::{Handle, Held};
use crate::queue::WIDTH;
use crate::sessions::shown;

/// The end of a call.
pub enum Reply {
    /// Nothing to say.
    Done,
    /// A yes or no.
    Flag(bool),
    /// A number.
    Count(u64),
    /// A limit after a hit.
    Quota(Quota),
    /// A code is on its way.
    Sent(Sent),
    /// The code was right.
    Verified(Verified),
    /// What is live, if anything.
    Peek(Option<Peek>),
    /// A lock or claim, unless somebody else has it.
    Held(Option<Handle>),
    /// What was completed before, as JSON.
    Replayed(String),
    /// An entry of the cache, if there is one.
    Cached(Option<Cached>),
    /// No entry: it is to be loaded.
    Miss(Duty),
    /// A code of an authenticator app was right.
    Accepted(TotpAccepted),
    /// For which step it is right, if it is.
    Step(Option<u64>),
    /// Some texts.
    Texts(Vec<String>),
    /// A file.
    Bytes(Vec<u8>),
    /// A text, if there is one.
    Text(Option<String>),
    /// A session as JSON, behind its token where that is new.
    Session(Box<Session>, Option<Secret>),
    /// Sessions as JSON.
    Sessions(Vec<Session>),
    /// A link to be sent.
    Link(Link),
    /// The link was right.
    Followed(Followed),
    /// How the store is.
    Health(Box<Health>),
    /// A batch of a copy.
    Copied(Copied),
    /// It failed.
    Refused(Error),
}

impl Reply {
    /// A tag, 0 for an answer and 1 for a refusal, and what belongs to it, as `lib/` reads them.
    pub(crate) fn write(&self, row: &mut Row) -> Result<()> {
        row.number(if matches!(self, Reply::Refused(_)) { 1.0 } else { 0.0 })?;
        match self {
            Reply::Done | Reply::Peek(None) | Reply::Held(None) | Reply::Cached(None) => Ok(()),
            Reply::Flag(yes) => row.value(*yes),
            Reply::Count(count) => row.number(*count as f64),
            Reply::Quota(quota) => {
                row.number(quota.max.into())?;
                row.number(quota.remaining.into())?;
                row.number(quota.resets_in.as_millis() as f64)?;
                let flags = u64::from(quota.allowed) + 2 * u64::from(quota.degraded);
                row.number((flags + 4 * quota.retry_after_seconds().unwrap_or(0)) as f64)?;
                row.text(&quota.policy_header())?;
                row.text(&quota.state_header())
            }
            Reply::Sent(sent) => {
                challenge(row, &sent.id, sent.expires_at_ms, sent.resend_at_ms, sent.attempts_left)?;
                row.maybe(sent.code.as_ref(), |row, code| row.text(code.expose()))
            }
            Reply::Peek(Some(live)) => {
                challenge(row, &live.id, live.expires_at_ms, live.resend_at_ms, live.attempts_left)
            }
            Reply::Verified(verified) => {
                row.text(verified.identifier.as_str())?;
                row.maybe(verified.data.as_ref(), |row, data| row.text(&data.to_string()))
            }
            Reply::Held(Some(held)) => {
                row.text(held.token())?;
                row.number(held.fence() as f64)?;
                row.value(External::new(Arc::clone(held)))
            }
            Reply::Replayed(value) => {
                row.go_past(3);
                row.text(value)
            }
            Reply::Cached(Some(cached)) => {
                row.number(cached.cached_at_ms as f64)?;
                row.number(cached.version.into())?;
                row.maybe(cached.value.as_ref(), |row, value| row.text(&value.to_string()))
            }
            Reply::Miss(duty) => {
                row.go_past(3);
                row.value(External::new(Arc::clone(duty)))
            }
            Reply::Accepted(accepted) => {
                row.number(accepted.step as f64)?;
                row.number(accepted.drift as f64)
            }
            Reply::Step(step) => row.maybe(*step, |row, step| row.number(step as f64)),
            Reply::Texts(texts) => texts.iter().try_for_each(|text| row.text(text)),
            Reply::Bytes(bytes) => row.value(Buffer::from(bytes.clone())),
            Reply::Text(text) => row.maybe(text.as_ref(), |row, text| row.text(text)),
            Reply::Session(session, token) => {
                row.text(&shown(session).to_string())?;
                row.maybe(token.as_ref(), |row, token| row.text(token.expose()))
            }
            Reply::Sessions(sessions) => row.text(&sessions.iter().map(shown).collect::<Value>().to_string()),
            Reply::Link(link) => {
                row.text(link.token.expose())?;
                row.number(link.expires_at_ms as f64)?;
                row.maybe(link.url.as_ref(), |row, url| row.text(url.expose()))
            }
            Reply::Followed(followed) => {
                row.text(followed.identifier.as_str())?;
                row.maybe(followed.data.as_ref(), |row, data| row.text(&data.to_string()))
            }
            Reply::Health(found) => row.value(health::Health::from((**found).clone())),
            Reply::Copied(copied) => row.text(&copied.to_json().to_string()),
            Reply::Refused(error) => refusal(row, error),
        }
    }
}

fn challenge(row: &mut Row, id: &str, expires_at_ms: u64, resend_at_ms: u64, attempts_left: u32) -> Result<()> {
    row.text(id)?;
    row.number(expires_at_ms as f64)?;
    row.number(resend_at_ms as f64)?;
    row.number(attempts_left.into())
}

fn refusal(row: &mut Row, error: &Error) -> Result<()> {
    row.text(error.code())?;
    row.text(error.message())?;
    row.maybe(error.retry_after_seconds(), |row, seconds| row.number(seconds as f64))?;
    row.maybe(error.attempts_left(), |row, left| row.number(left.into()))?;
    row.maybe(error.source(), |row, cause| row.text(&cause.to_string()))?;
    row.maybe(Some(error.headers()).filter(|h| !h.is_empty()), |row, headers| row.text(&lines(headers)))
}

/// Headers as `lib/` reads them: a name, a value, a name and so on, a line each.
fn lines(headers: Vec<(&'static str, String)>) -> String {
    headers.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect::<Vec<_>>().join("\n")
}

macro_rules! reply_from {
    ($($given:ty => $make:expr;)+) => {$(
        impl From<$given> for Reply {
            fn from(given: $given) -> Self {
                ($make)(given)
            }
        }
    )+};
}

reply_from! {
    () => |()| Reply::Done;
    bool => Reply::Flag;
    u64 => Reply::Count;
    Quota => Reply::Quota;
    Sent => Reply::Sent;
    Verified => Reply::Verified;
    Option<Peek> => Reply::Peek;
    Lock => |lock| Reply::Held(Some(Arc::new(Held::Lock(lock))));
    Option<Lock> => |lock: Option<Lock>| Reply::Held(lock.map(|lock| Arc::new(Held::Lock(lock))));
    Copied => Reply::Copied;
    Claim => |claim| Reply::Held(Some(Arc::new(Held::Claim(claim))));
    Begun => begun;
    Option<Cached> => Reply::Cached;
    Cached => |cached| Reply::Cached(Some(cached));
    Fetched => fetched;
    TotpAccepted => Reply::Accepted;
    String => |text| Reply::Text(Some(text));
    Option<String> => Reply::Text;
    Secret => |text: Secret| Reply::Text(Some(text.expose().to_owned()));
    Claims => |claims: Claims| Reply::Text(Some(claims.into_json()));
    Session => |session| Reply::Session(Box::new(session), None);
    NewSession => |new: NewSession| Reply::Session(Box::new(new.session), Some(new.token));
    Vec<Session> => Reply::Sessions;
    Link => Reply::Link;
    Followed => Reply::Followed;
    Health => |health| Reply::Health(Box::new(health));
}

fn begun(begun: Begun) -> Reply {
    match begun {
        Begun::Claimed(claim) => claim.into(),
        Begun::Replayed(reply) => Reply::Replayed(reply.value.to_string()),
        _ => Reply::Done,
    }
}

fn fetched(fetched: Fetched) -> Reply {
    match fetched {
        Fetched::Hit(cached) => Reply::Cached(Some(cached)),
        Fetched::Miss(ticket) => Reply::Miss(Arc::new(Mutex::new(Some(ticket)))),
        _ => Reply::Done,
    }
}

impl<T: Into<Reply>> From<oncecode::Result<T>> for Reply {
    fn from(outcome: oncecode::Result<T>) -> Self {
        outcome.map_or_else(Reply::Refused, Into::into)
    }
}

/// The answer of a call that ended at once.
impl ToNapiValue for Reply {
    unsafe fn to_napi_value(env: sys::napi_env, reply: Self) -> Result<sys::napi_value> {
        let mut row = Row::new(env, WIDTH)?;
        row.skip()?;
        reply.write(&mut row)?;
        Ok(row.finish())
    }
}
