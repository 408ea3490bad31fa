//! Who called: known to a running operation, so that what it has to tell finds its way back.

use std::sync::Arc;

use futures::FutureExt;
use oncecode::{BoxFuture, Callback, Error, ErrorKind, Result};
use tokio::sync::oneshot;
use tracing::Level;

use crate::queue::{CallId, News, Queue, wake_readers};
use crate::runtime::{enter, spawn};

tokio::task_local! {
    static CALLER: Caller;
}

/// The reader of a queue, and which of its calls this is.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) queue: Arc<Queue>,
    pub(crate) call: CallId,
    /// Whether the logger wants to hear of events.
    pub(crate) logs: bool,
}

/// Runs `operation` for `caller`; a panic in it becomes an error.
pub(crate) async fn run<T>(caller: Caller, operation: impl Future<Output = Result<T>>) -> Result<T> {
    let caught = std::panic::AssertUnwindSafe(CALLER.scope(caller, operation)).catch_unwind();
    caught.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a panic, reported on stderr")))
}

/// Runs `operation` as far as it goes without waiting for anything.
pub(crate) fn poll_once<T>(caller: &Caller, operation: &mut BoxFuture<'static, Result<T>>) -> Option<Result<T>> {
    let _inside = enter();
    let outcome = run(caller.clone(), operation).now_or_never();
    wake_readers();
    outcome
}

/// What an operation that tells nobody anything comes to, if it need not wait.
pub(crate) fn ready<T>(operation: &mut BoxFuture<'static, Result<T>>) -> Option<Result<T>> {
    let _inside = enter();
    std::panic::AssertUnwindSafe(operation)
        .catch_unwind()
        .now_or_never()
        .map(|outcome| outcome.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a panic, reported on stderr"))))
}

/// Starts what outlives the running operation: its caller is kept until it ends, too.
pub(crate) fn outlive(task: BoxFuture<'static, ()>) {
    let Ok(caller) = CALLER.try_with(Caller::clone) else { return spawn(task) };
    caller.queue.push(caller.call, News::Outlived);
    let end = caller.clone();
    let task = std::panic::AssertUnwindSafe(CALLER.scope(caller, task)).catch_unwind();
    spawn(async move {
        // A panic was reported on stderr.
        drop(task.await);
        end.queue.push(end.call, News::Ended);
    });
}

/// Tells the caller of the running operation something.
pub(crate) fn tell(news: News) {
    // Without a caller there is nobody to tell.
    let _ = CALLER.try_with(|caller| caller.queue.push(caller.call, news));
}

/// Whether the caller of the running operation wants log records of this level.
pub(crate) fn wants(level: Level) -> bool {
    CALLER.try_with(|caller| caller.logs || level <= Level::WARN).unwrap_or(false)
}

/// A sender that has the caller send, by its callback of this number.
pub(crate) fn sender(which: usize) -> Callback {
    Callback::new(move |message| async move {
        let (reply, outcome) = oneshot::channel();
        tell(News::Send(message, reply, which));
        outcome.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::DeliveryFailed, "the sender never ran to its end")))
    })
}
