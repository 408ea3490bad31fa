//! Calls from an event loop: what they wait for, and how what happened to them gets back.

use std::cell::RefCell;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use futures::FutureExt;
use oncecode::{BoxFuture, Result};
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{PyTraverseError, PyVisit, intern};
use slab::Slab;

use crate::caller::{self, Caller};
use crate::hooks::Hooks;
use crate::queue::{CallId, News, Queue};
use crate::results::{Answer, into_python};
use crate::runtime::{generation, runtime};
use crate::wake::Waker;

/// Starts an operation. Gives its result if it is there at once, else an `asyncio.Future`.
///
/// The operation runs to its end whatever becomes of the future, so that nothing is ever half done.
pub(crate) fn call<T: Answer>(
    py: Python<'_>,
    hooks: &Py<Hooks>,
    instant: bool,
    mut operation: BoxFuture<'static, Result<T>>,
) -> PyResult<Py<PyAny>> {
    let calls = Calls::of_running_loop(py)?;
    let (call, caller) = calls.add(py, hooks)?;
    if instant && let Some(outcome) = caller::poll_once(&caller, &mut operation) {
        calls.pass_on(py);
        drop(calls.table().try_remove(call));
        return into_python(py, outcome);
    }
    let future = calls.create_future.call0(py)?;
    calls.table()[call].future = Some(future.clone_ref(py));
    let queue = Arc::clone(&calls.queue);
    let errand = caller::run(caller, operation).map(move |outcome| {
        queue.push(call, News::Done(Box::new(|py| into_python(py, outcome))));
    });
    calls.hand_over(py, errand)?;
    Ok(future)
}

/// The calls of one event loop. The loop owns them, through the reader that it calls; closing it lets them go.
pub(crate) struct Calls {
    event_loop: Py<PyAny>,
    create_future: Py<PyAny>,
    queue: Arc<Queue>,
    table: Mutex<Slab<Call>>,
    errands: Mutex<Vec<BoxFuture<'static, ()>>>,
    generation: u32,
}

struct Call {
    future: Option<Py<PyAny>>,
    context: Option<Py<PyAny>>,
    hooks: Py<Hooks>,
}

thread_local! {
    /// Of the loops that ran on this thread and are still open: nearly always one.
    static OPEN: RefCell<Vec<Weak<Calls>>> = const { RefCell::new(Vec::new()) };
}

impl Calls {
    fn of_running_loop(py: Python<'_>) -> PyResult<Arc<Self>> {
        let event_loop = running_loop(py)?;
        let ours = |calls: &Arc<Self>| calls.event_loop.is(&event_loop) && calls.generation == generation();
        let known = OPEN.with_borrow(|all| all.iter().filter_map(Weak::upgrade).find(ours));
        known.map_or_else(|| Self::join(&event_loop), Ok)
    }

    /// Has `event_loop` look whenever there is news.
    fn join(event_loop: &Bound<'_, PyAny>) -> PyResult<Arc<Self>> {
        let calls = match Self::watched(event_loop) {
            Err(e) if e.is_instance_of::<PyNotImplementedError>(event_loop.py()) => Self::called(event_loop)?,
            watched => watched?,
        };
        OPEN.with_borrow_mut(|all| {
            all.retain(|calls| calls.strong_count() > 0);
            all.push(Arc::downgrade(&calls));
        });
        Ok(calls)
    }

    /// For loops that can watch a descriptor.
    #[cfg(unix)]
    fn watched(event_loop: &Bound<'_, PyAny>) -> PyResult<Arc<Self>> {
        let py = event_loop.py();
        let descriptor = crate::wake::Descriptor::new()?;
        let number = descriptor.number();
        let calls = Arc::new(Self::new(event_loop, Waker::Descriptor(descriptor))?);
        // A reader runs in the context in which it was added, which would be that of whoever happened to call first.
        let nobodys = py.import("contextvars")?.getattr("Context")?.call0()?;
        nobodys.call_method1("run", (event_loop.getattr("add_reader")?, number, calls.reader(py)?))?;
        Ok(calls)
    }

    #[cfg(not(unix))]
    fn watched(_: &Bound<'_, PyAny>) -> PyResult<Arc<Self>> {
        Err(PyNotImplementedError::new_err(()))
    }

    /// For loops that can't.
    fn called(event_loop: &Bound<'_, PyAny>) -> PyResult<Arc<Self>> {
        let calls = Arc::new(Self::new(event_loop, Waker::Loop(OnceLock::new()))?);
        if let Waker::Loop(calls_of_waker) = &calls.queue.waker {
            // It was made above and nobody else has set it.
            let _ = calls_of_waker.set(Arc::downgrade(&calls));
        }
        event_loop.setattr("_oncecode_reader", calls.reader(event_loop.py())?)?;
        Ok(calls)
    }

    fn new(event_loop: &Bound<'_, PyAny>, waker: Waker) -> PyResult<Self> {
        Ok(Self {
            event_loop: event_loop.clone().unbind(),
            create_future: event_loop.getattr("create_future")?.unbind(),
            queue: Queue::new(waker),
            table: Mutex::default(),
            errands: Mutex::default(),
            generation: generation(),
        })
    }

    fn reader<'py>(self: &Arc<Self>, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Reader { calls: Arc::clone(self) }.into_pyobject(py)?.getattr("read")
    }

    /// Notes down a new call.
    fn add(&self, py: Python<'_>, hooks: &Py<Hooks>) -> PyResult<(CallId, Caller)> {
        let logs = hooks.get().log_events(py)?;
        let context = (logs || hooks.get().any()).then(|| copy_context(py)).transpose()?;
        let call = self.table().insert(Call { future: None, context, hooks: hooks.clone_ref(py) });
        Ok((call, Caller { queue: Arc::clone(&self.queue), call, logs }))
    }

    /// Gives an errand to tokio: at once if it is the only one, else together with all others of this turn of the loop,
    /// for waking tokio's thread and writing to the store cost more than the errand itself.
    fn hand_over(self: &Arc<Self>, py: Python<'_>, errand: impl Future<Output = ()> + Send + 'static) -> PyResult<()> {
        if self.table().len() == 1 {
            runtime().spawn(errand);
            return Ok(());
        }
        let waiting = {
            let mut errands = self.errands.lock().unwrap_or_else(PoisonError::into_inner);
            errands.push(Box::pin(errand));
            errands.len()
        };
        if waiting == chunk() {
            self.send_off();
        } else if waiting == 1 {
            let send_off = Reader { calls: Arc::clone(self) }.into_pyobject(py)?.getattr(intern!(py, "send_off"))?;
            self.event_loop.call_method1(py, intern!(py, "call_soon"), (send_off,))?;
        }
        Ok(())
    }

    fn send_off(&self) {
        let errands = mem::take(&mut *self.errands.lock().unwrap_or_else(PoisonError::into_inner));
        if !errands.is_empty() {
            runtime().spawn(async {
                for errand in errands {
                    tokio::spawn(errand);
                }
            });
        }
    }

    /// Passes on all news.
    fn pass_on(&self, py: Python<'_>) {
        for (call, news) in self.queue.take() {
            let passed = match news {
                News::Done(answer) => self.finish(py, call, answer(py)),
                news => self.hooks_of(py, call).map_or(Ok(()), |(hooks, context)| {
                    hooks.get().pass_on(py, news, context.as_ref())
                }),
            };
            if let Err(exception) = passed {
                exception.write_unraisable(py, None);
            }
        }
    }

    fn finish(&self, py: Python<'_>, call: CallId, outcome: PyResult<Py<PyAny>>) -> PyResult<()> {
        let call = self.table().try_remove(call);
        let Some(future) = call.and_then(|call| call.future) else { return Ok(()) };
        let future = future.bind(py);
        let set = match outcome {
            Ok(value) => future.call_method1(intern!(py, "set_result"), (value,)),
            Err(exception) => future.call_method1(intern!(py, "set_exception"), (exception,)),
        };
        match set {
            // A future that was cancelled takes nothing any more.
            Err(exception) if !future.call_method0("done")?.is_truthy()? => Err(exception),
            _ => Ok(()),
        }
    }

    fn hooks_of(&self, py: Python<'_>, call: CallId) -> Option<(Py<Hooks>, Option<Py<PyAny>>)> {
        let table = self.table();
        let call = table.get(call)?;
        Some((call.hooks.clone_ref(py), call.context.as_ref().map(|context| context.clone_ref(py))))
    }

    /// Locked only for moments, never while Python runs.
    fn table(&self) -> MutexGuard<'_, Slab<Call>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an event loop holds of us.
#[pyclass(frozen, module = "oncecode._native")]
struct Reader {
    calls: Arc<Calls>,
}

#[pymethods]
impl Reader {
    fn read(&self, py: Python<'_>) {
        self.calls.queue.waker.calm();
        self.calls.pass_on(py);
    }

    fn send_off(&self) {
        self.calls.send_off();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        visit.call(&self.calls.event_loop)?;
        visit.call(&self.calls.create_future)?;
        let Ok(table) = self.calls.table.try_lock() else { return Ok(()) };
        table.iter().try_for_each(|(_, call)| {
            visit.call(&call.future)?;
            visit.call(&call.context)?;
            visit.call(&call.hooks)
        })
    }
}

/// Wakes a loop that can't watch descriptors. A thread of its own may wait for Python; tokio's may not.
pub(crate) fn call_soon(calls: &Weak<Calls>) {
    let calls = Weak::clone(calls);
    runtime().spawn_blocking(move || {
        Python::try_attach(|py| {
            let Some(calls) = calls.upgrade() else { return };
            // A loop that was closed has nobody left who waits.
            let _ = calls.reader(py).and_then(|read| calls.event_loop.call_method1(py, "call_soon_threadsafe", (read,)));
        })
    });
}

fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    GET.import(py, "asyncio", "get_running_loop")?.call0()
}

fn copy_context(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static COPY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    COPY.import(py, "contextvars", "copy_context")?.call0().map(Bound::unbind)
}

fn chunk() -> usize {
    static CHUNK: OnceLock<usize> = OnceLock::new();
    *CHUNK.get_or_init(|| std::env::var("CHUNK").ok().and_then(|v| v.parse().ok()).unwrap_or(usize::MAX))
}
