//! The contract of providers: what a message is as a request, and what an answer means. All else is done once, above them.

use std::fmt::Debug;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde::de::DeserializeOwned;
use url::Url;

use super::carrier::{Receipt, refused};
use super::{DeliveryStatus, Message, StatusRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Reply;
use crate::identifier::Identifier;

/// A provider that is asked by HTTP: two pure functions.
pub(crate) trait Provider: Debug + Send + Sync + 'static {
    /// As it is called in logs and errors.
    fn name(&self) -> &'static str;

    /// Whether it can send to such an address.
    fn serves(&self, to: &Identifier) -> bool;

    /// Whether it knows by `key` that a message came before, so that asking again never doubles one.
    fn is_idempotent(&self) -> bool {
        false
    }

    /// The request for a message. `key` is the same for every try.
    fn request(&self, message: &Message, key: &str) -> Result<Request>;

    /// What the answer says. An error is [`Error::undone`] where the message was surely not sent, and
    /// [`Error::answered`] where asking again would not change that.
    fn receipt(&self, reply: &Reply) -> Result<Receipt>;

    /// What a status callback says, `None` where it is another provider's.
    fn status(&self, _: &StatusRequest) -> Option<Result<DeliveryStatus>> {
        None
    }
}

/// What is sent to a provider.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A header that is not shown.
pub(super) fn secret(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::config("a sender's credentials must not hold control characters"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The body as JSON, if it is that.
pub(super) fn json<T: DeserializeOwned>(reply: &Reply) -> Option<T> {
    serde_json::from_slice(&reply.body).ok()
}

/// What the status alone says of an answer that is not as the provider writes its own.
pub(super) fn by_status(name: &str, reply: &Reply) -> Error {
    let status = reply.status;
    match status {
        401 | 403 => refused(ErrorKind::Config, format!("{name} refused the credentials (HTTP {status})")),
        429 => limited(name, reply),
        // By its definition, nothing was begun.
        503 => {
            let error = Error::new(ErrorKind::DeliveryFailed, format!("{name} cannot send now (HTTP 503)")).undone();
            waiting(error, reply)
        }
        300..=499 => refused(ErrorKind::DeliveryFailed, format!("{name} refused the message (HTTP {status})")),
        // It may have been sent for all we know.
        _ => Error::new(ErrorKind::DeliveryFailed, format!("{name} answered with something strange (HTTP {status})")),
    }
}

/// The provider has had too much for now.
pub(super) fn limited(name: &str, reply: &Reply) -> Error {
    let why = format!("{name} takes no more messages for now: its rate, quota or balance is spent");
    waiting(Error::new(ErrorKind::DeliveryLimited, why).undone(), reply)
}

fn waiting(error: Error, reply: &Reply) -> Error {
    // A date is allowed and not used by these providers.
    let seconds = reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
    match seconds {
        Some(seconds) => error.with_retry_after(Duration::from_secs(seconds.min(86_400).into())),
        None => error,
    }
}
