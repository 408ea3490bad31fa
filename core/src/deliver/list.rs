//! Several senders: the first that serves an address sends; the next one only where it surely did not.

use super::{DeliveryStatus, Message, Sender, StatusRequest};
use crate::error::{Class, Error, ErrorKind, Result};
use crate::identifier::Identifier;
use crate::store::BoxFuture;

#[derive(Debug)]
pub(super) struct List(pub(super) Vec<Box<dyn Sender>>);

impl List {
    async fn try_each(&self, message: &Message) -> Result<()> {
        let mut last = None;
        for sender in self.0.iter().filter(|sender| sender.serves(&message.to)) {
            match sender.send(message).await {
                Ok(()) => return Ok(()),
                Err(e) if may_fail_over(&e) => last = Some(e),
                Err(e) => return Err(e),
            }
        }
        Err(last.unwrap_or_else(|| nobody(&message.to)))
    }
}

/// A message that may be on its way is not sent by somebody else as well: two would be one too many. And what is wrong
/// with the address is so everywhere: who opted out of one sender's messages did not ask for another's.
fn may_fail_over(error: &Error) -> bool {
    let about_the_address = error.kind().class() == Class::Refusal && error.kind() != ErrorKind::RegionBlocked;
    error.is_undone() && !about_the_address
}

fn nobody(to: &Identifier) -> Error {
    let kind = match to {
        Identifier::Phone(_) => "phone numbers",
        Identifier::Email(_) => "email addresses",
    };
    Error::config(format!("none of the senders serves {kind}")).undone().answered(true)
}

impl Sender for List {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.try_each(message))
    }

    fn serves(&self, to: &Identifier) -> bool {
        self.0.iter().any(|sender| sender.serves(to))
    }

    fn status(&self, request: &StatusRequest) -> Option<Result<DeliveryStatus>> {
        self.0.iter().find_map(|sender| sender.status(request))
    }
}
