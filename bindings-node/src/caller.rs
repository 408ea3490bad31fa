//! Who called: known to a running operation, so that what it has to tell finds its way back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use oncecode::{Error, ErrorKind, Result};

use crate::queue::{News, Queue};

tokio::task_local! {
    static CALLER: Caller;
}

/// The environment that waits, and for which of its calls.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) queue: Arc<Queue>,
    pub(crate) call: u32,
}

/// Runs `operation` for `caller`; a panic in it becomes an error.
pub(crate) async fn run<T>(caller: Caller, operation: impl Future<Output = Result<T>>) -> Result<T> {
    let caught = AssertUnwindSafe(CALLER.scope(caller, operation)).catch_unwind();
    caught.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a panic, reported on standard error")))
}

/// Tells the caller of the running operation something.
pub(crate) fn tell(news: News) {
    // Without a caller there is nobody to tell.
    let _ = CALLER.try_with(|caller| caller.queue.push(caller.call, news));
}
