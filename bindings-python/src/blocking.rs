//! Calls from a thread that waits, without the GIL.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use oncecode::{BoxFuture, Error, ErrorKind, Result};
use pyo3::prelude::*;

use crate::caller::{self, Caller};
use crate::errors::exception;
use crate::fork::generation;
use crate::hooks::Hooks;
use crate::queue::{News, Queue};
use crate::results::{Answer, into_python};
use crate::runtime::spawn;
use crate::wake::Waker;

/// How often a waiting thread looks for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(50);

/// Runs an operation and waits for its result. Callbacks are called here, in the calling thread.
pub(crate) fn call<T: Answer>(
    py: Python<'_>,
    hooks: &Py<Hooks>,
    instant: bool,
    mut operation: BoxFuture<'static, Result<T>>,
) -> PyResult<Py<PyAny>> {
    let hooks = hooks.get();
    let queue = Queue::new(Waker::Thread(thread::current()));
    let caller = Caller { queue: Arc::clone(&queue), call: 0, logs: hooks.log_events(py)? };
    if instant && let Some(outcome) = caller::poll_once(&caller, &mut operation) {
        pass_on(py, hooks, &queue)?;
        return into_python(py, outcome);
    }
    let reporter = Arc::clone(&queue);
    spawn(caller::run(caller, operation).map(move |outcome| {
        reporter.push(0, News::Done(Box::new(|py| into_python(py, outcome))));
    }));
    let born = generation();
    loop {
        if let Some(outcome) = pass_on(py, hooks, &queue)? {
            return outcome;
        }
        py.detach(|| thread::park_timeout(GLANCE));
        // An interrupted call runs on to its end; only nobody waits for it.
        py.check_signals()?;
        if generation() != born {
            let forked =
                Error::new(ErrorKind::Internal, "the process forked in a callback; the call goes on in the parent");
            return Err(exception(py, &forked));
        }
    }
}

/// Passes on all news; the outcome if it is among them.
fn pass_on(py: Python<'_>, hooks: &Hooks, queue: &Queue) -> PyResult<Option<PyResult<Py<PyAny>>>> {
    for (_, news) in queue.take() {
        match news {
            News::Done(answer) => return Ok(Some(answer(py))),
            news => hooks.pass_on(py, news, None)?,
        }
    }
    Ok(None)
}
