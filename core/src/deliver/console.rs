//! `console:` shows the message to the developer instead of sending it; `none:` does not even that.

use std::io::Write;

use super::{Message, Sender};
use crate::error::Result;
use crate::store::BoxFuture;

/// Sends nothing: the code is only in the answer of `issue`. Development only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nowhere;

impl Sender for Nowhere {
    fn send<'a>(&'a self, _: &'a Message) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Writes messages to standard output, code and address included. Development only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console;

impl Sender for Console {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<()>> {
        let line = format!("[oncecode] to {} ({}): {}\n", message.to.as_str(), message.purpose, message.text.expose());
        // A closed standard output is no reason to refuse the code: in development it is in the answer too.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
        Box::pin(std::future::ready(Ok(())))
    }
}
