//! `once.sender`: what becomes of messages.

use std::sync::Arc;

use crate::client::Core;
use crate::deliver::{DeliveryStatus, Message, StatusRequest};
use crate::error::{Error, ErrorKind, Result};

/// What becomes of messages. From [`Oncecode::sender`](crate::Oncecode::sender).
#[derive(Clone, Debug)]
pub struct Delivery {
    pub(crate) core: Arc<Core>,
}

impl Delivery {
    /// What a provider's status callback says, if the provider signed it.
    ///
    /// # Errors
    /// `INVALID_SIGNATURE`: it is from none of the client's providers. `CLOSED`.
    pub fn status(&self, request: &StatusRequest) -> Result<DeliveryStatus> {
        let unsigned = || {
            let why = "the request carries no signature of a provider that this client sends by";
            Err(Error::new(ErrorKind::InvalidSignature, why))
        };
        self.core.open()?.sender.status(request).unwrap_or_else(unsigned)
    }
}

impl Core {
    /// Sends a message, within the deadline; in the background, when it is its turn.
    pub(super) async fn deliver(&self, message: &Message) -> Result<()> {
        match &self.background {
            Some(background) => background.in_turn(message.expires_in, self.deliver_now(message)).await,
            None => self.deliver_now(message).await,
        }
    }

    async fn deliver_now(&self, message: &Message) -> Result<()> {
        match tokio::time::timeout(self.settings.send_deadline, self.sender.send(message)).await {
            Ok(outcome) => outcome.map_err(undelivered),
            Err(_) => {
                Err(Error::new(ErrorKind::DeliveryFailed, "the sender did not finish in time; nothing was counted"))
            }
        }
    }
}

/// What callers can act on keeps its kind; the rest is a failure of delivery, whatever it was to the sender.
fn undelivered(error: Error) -> Error {
    use ErrorKind::{Config, DeliveryLimited, InvalidEmail, InvalidPhone, RegionBlocked, Unreachable};
    let outcome = match error.kind() {
        kind @ (InvalidPhone | InvalidEmail | Unreachable | RegionBlocked | DeliveryLimited | Config) => {
            Error::new(kind, format!("{}; nothing was counted", error.message()))
        }
        _ => Error::new(ErrorKind::DeliveryFailed, "the sender failed; nothing was counted"),
    };
    let outcome = match error.retry_after() {
        Some(wait) => outcome.with_retry_after(wait),
        None => outcome,
    };
    outcome.with_source(error)
}
