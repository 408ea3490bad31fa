//! A function of the app as a sender.

use std::fmt;

use super::{Message, Sender};
use crate::error::Result;
use crate::store::BoxFuture;

type Call = dyn Fn(Message) -> BoxFuture<'static, Result<()>> + Send + Sync;

/// Calls a function for every message. In a list, an error that is [`Error::undone`](crate::Error::undone) has the next
/// sender send it.
pub struct Callback(Box<Call>);

impl Callback {
    /// A sender that calls `send` and waits for its future.
    pub fn new<F>(send: impl Fn(Message) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        Self(Box::new(move |message| Box::pin(send(message))))
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(…)")
    }
}

impl Sender for Callback {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<()>> {
        (self.0)(message.clone())
    }
}
