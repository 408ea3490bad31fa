//! The sender contract and the table of senders.

mod callback;
mod console;
mod text;

use std::fmt::{self, Debug};
use std::time::Duration;

pub use callback::Callback;
pub(crate) use console::Console;
pub(crate) use text::{About, Texts};
pub use text::{Encoding, Segments, sms_segments};

use crate::config::Mode;
use crate::error::{Error, Result};
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
pub trait Sender: Debug + Send + Sync + 'static {
    /// Sends one message. The caller bounds it with a deadline.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<()>>;
}

/// Sends nothing: the code is only in the answer of `issue`. Development only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nowhere;

impl Sender for Nowhere {
    fn send<'a>(&'a self, _: &'a Message) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Opens the sender that `url` names; the console is the default in development.
pub(crate) fn open(url: Option<&str>, mode: Mode) -> Result<Box<dyn Sender>> {
    let scheme = url.map(|url| url.split_once(':').map_or(url, |(scheme, _)| scheme));
    match (scheme, mode) {
        (None | Some("console"), Mode::Development) => Ok(Box::new(Console)),
        (Some("none"), Mode::Development) => Ok(Box::new(Nowhere)),
        (Some("console" | "none"), Mode::Production) => {
            Err(Error::config("console: and none: reach no user and are not possible in production mode"))
        }
        (None, Mode::Production) => Err(Error::config("no sender: production mode needs one that reaches users")),
        (Some(_), _) => Err(Error::config("no such sender; this build knows console:, none: and a callback")),
    }
}
