//! The sender contract.

mod address;
mod breaker;
mod callback;
#[cfg(feature = "sending")]
mod carrier;
mod console;
mod list;
#[cfg(any(feature = "sendgrid", feature = "smtp"))]
mod mailbox;
#[cfg(feature = "msg91")]
mod msg91;
mod open;
#[cfg(feature = "http")]
mod posting;
#[cfg(feature = "http")]
mod provider;
#[cfg(feature = "sendgrid")]
mod sendgrid;
#[cfg(feature = "smtp")]
mod smtp;
mod status;
mod text;
#[cfg(feature = "twilio")]
mod twilio;
#[cfg(feature = "webhook")]
mod webhook;

use std::fmt::{self, Debug};
use std::time::Duration;

pub use callback::Callback;
pub(crate) use open::{SenderSettings, open};
pub use status::{DeliveryState, DeliveryStatus, StatusRequest};
pub(crate) use text::{About, Texts};
pub use text::{Encoding, Segments, sms_segments};

use crate::error::Result;
use crate::identifier::Identifier;
use crate::secret::Secret;
use crate::store::BoxFuture;

/// A message that carries a code or a link. `Debug` hides the code and masks the address.
#[derive(Clone)]
#[non_exhaustive]
pub struct Message {
    /// Whom to send to.
    pub to: Identifier,
    /// What the code is for.
    pub purpose: String,
    /// The code; empty where there is a link instead.
    pub code: Secret,
    /// The link, of `once.links`.
    pub link: Option<Secret>,
    /// The subject, for emails.
    pub subject: String,
    /// The text to send, code or link included.
    pub text: Secret,
    /// The same as HTML, for emails alone.
    pub html: Option<Secret>,
    /// The challenge id: the same for a code that is sent again. Of a link, its own.
    pub id: String,
    /// The BCP 47 locale that was asked for.
    pub locale: Option<String>,
    /// The life the code or link has left.
    pub expires_in: Duration,
}

impl Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("to", &self.to).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// Sends messages. A failure cancels the challenge and gives cooldown and quota back.
///
/// In a list, the next sender gets the message only where this one's error says that it was surely not sent:
/// [`Error::undone`](crate::Error::undone).
pub trait Sender: Debug + Send + Sync + 'static {
    /// Sends one message. The caller bounds it with a deadline.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<()>>;

    /// Whether it can send to such an address. Of a list, the first that can does.
    fn serves(&self, _: &Identifier) -> bool {
        true
    }

    /// What a status callback says; `None` where it is not this sender's.
    fn status(&self, _: &StatusRequest) -> Option<Result<DeliveryStatus>> {
        None
    }
}
