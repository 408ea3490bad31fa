//! Who called: known to a running operation, so that what it has to tell finds its way back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use oncecode::store::BoxFuture;
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

/// Starts what outlives the running operation: its caller is kept until it ends, too.
pub(crate) fn outlive(task: BoxFuture<'static, ()>) {
    let Ok(caller) = CALLER.try_with(Caller::clone) else {
        drop(tokio::spawn(task));
        return;
    };
    caller.queue.expect_more(caller.call);
    let end = caller.clone();
    let task = AssertUnwindSafe(CALLER.scope(caller, task)).catch_unwind();
    tokio::spawn(async move {
        // A panic was reported on standard error.
        drop(task.await);
        end.queue.push(end.call, News::Ended);
    });
}
