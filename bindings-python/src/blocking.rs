//! Calls from a thread that waits, without the GIL.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use futures::FutureExt;
use oncecode::{BoxFuture, Error, ErrorKind, Result};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyString};

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

/// How long closing waits for callbacks that are still to be called when all is sent or given up: one may never return.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a thread that calls callbacks has them as, for [`join`] to know it by.
const CALLS: &str = "_oncecode_hooks";

/// Runs an operation and waits for its result. Callbacks are called here, in the calling thread; those of what outlives
/// the operation in a thread of their own.
pub(crate) fn call<T: Answer>(
    py: Python<'_>,
    hooks: &Py<Hooks>,
    instant: bool,
    mut operation: BoxFuture<'static, Result<T>>,
) -> PyResult<Py<PyAny>> {
    let queue = Queue::new(Waker::Thread(Mutex::new(thread::current())));
    let caller = Caller { queue: Arc::clone(&queue), call: 0, logs: hooks.get().log_events(py)? };
    let mut reader = Reader { hooks: hooks.clone_ref(py), queue, outlived: 0, kept: Vec::new() };
    if instant && let Some(outcome) = caller::poll_once(&caller, &mut operation) {
        reader.pass_on(py)?;
        reader.go_on(py)?;
        return into_python(py, outcome);
    }
    let reporter = Arc::clone(&reader.queue);
    spawn(caller::run(caller, operation).map(move |outcome| {
        reporter.push(0, News::Done(Box::new(|py| into_python(py, outcome))));
    }));
    let born = generation();
    loop {
        if let Some(outcome) = reader.pass_on(py)? {
            reader.go_on(py)?;
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

/// Waits for the threads that call callbacks, so that whoever has closed the client has heard everything.
pub(crate) fn join(py: Python<'_>, hooks: &Py<Hooks>) -> PyResult<()> {
    let threading = py.import("threading")?;
    // A callback may close the client, and can't wait for itself.
    let this = threading.call_method0("current_thread")?;
    let end = Instant::now() + LAST_WORDS;
    for thread in threading.call_method0("enumerate")?.try_iter()? {
        let thread = thread?;
        let calls = thread.getattr_opt(intern!(py, CALLS))?.is_some_and(|called| called.is(hooks));
        // One whose call has not returned yet may not even run, and can't be joined then.
        if calls && !thread.is(&this) && thread.call_method0("is_alive")?.is_truthy()? {
            let left = end.saturating_duration_since(Instant::now());
            thread.call_method1(intern!(py, "join"), (left.as_secs_f64(),))?;
        }
    }
    Ok(())
}

/// Who passes on the news of one call.
struct Reader {
    hooks: Py<Hooks>,
    queue: Arc<Queue>,
    /// How much of the call goes on when it is over: messages that are sent in the background.
    outlived: u32,
    /// Messages of that, which may take their time to send.
    kept: Vec<News>,
}

impl Reader {
    /// Passes on all news; the outcome if it is among them.
    fn pass_on(&mut self, py: Python<'_>) -> PyResult<Option<PyResult<Py<PyAny>>>> {
        let mut outcome = None;
        for (_, news) in self.queue.take() {
            match news {
                News::Done(answer) => outcome = Some(answer(py)),
                News::Outlived => self.outlived += 1,
                News::Ended => self.outlived = self.outlived.saturating_sub(1),
                // The caller waits for the outcome, not for this.
                send @ News::Send(..) if self.outlived > 0 => self.kept.push(send),
                news => self.hooks.get().pass_on(py, news, None)?,
            }
        }
        Ok(outcome)
    }

    /// Leaves what outlives the call to a thread, for which the interpreter waits before it ends.
    fn go_on(self, py: Python<'_>) -> PyResult<()> {
        if self.outlived == 0 {
            return Ok(());
        }
        let hooks = self.hooks.clone_ref(py);
        let rest = Bound::new(py, Rest(Mutex::new(Some(self))))?;
        let thread = py.import("threading")?.getattr("Thread")?;
        let named = [("target", rest.as_any().clone()), ("name", PyString::new(py, "oncecode-sending").into_any())];
        let started = thread.call((), Some(&named.into_py_dict(py)?)).and_then(|thread| {
            thread.setattr(intern!(py, CALLS), hooks)?;
            thread.call_method0("start")
        });
        // An interpreter that is ending has no threads to give.
        if started.is_err() { rest.call0().map(drop) } else { Ok(()) }
    }
}

/// What is left of a call, for a thread to run.
#[pyclass(frozen, module = "oncecode._native")]
struct Rest(Mutex<Option<Reader>>);

#[pymethods]
impl Rest {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let Some(mut reader) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        reader.queue.waker.take_over();
        loop {
            reader.pass_on(py)?;
            for message in mem::take(&mut reader.kept) {
                reader.hooks.get().pass_on(py, message, None)?;
            }
            if reader.outlived == 0 {
                return Ok(());
            }
            py.detach(|| thread::park_timeout(GLANCE));
        }
    }
}
