//! Calls from an event loop, and how what happens to them gets back to it: all that is ready with one wake-up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use futures::FutureExt;
use oncecode::host::EventLoop;
use oncecode::{BoxFuture, Result};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyDict};
use pyo3::{PyTraverseError, PyVisit, intern};
use slab::Slab;

use crate::caller::{self, Caller};
use crate::fork::generation;
use crate::hooks::Hooks;
use crate::queue::{CallId, News, Queue, wake_other_readers};
use crate::results::{Answer, into_python};
use crate::runtime;
use crate::wake::Waker;

/// Starts an operation. Gives its result if it is there at once, else an `asyncio.Future`.
///
/// The operation runs to its end whatever becomes of the future, so that nothing is ever half done. It is begun `here`
/// unless it computes for long before it first waits, as opening a client does.
pub(crate) fn call<T: Answer>(
    py: Python<'_>,
    hooks: &Py<Hooks>,
    instant: bool,
    here: bool,
    mut operation: BoxFuture<'static, Result<T>>,
) -> PyResult<Py<PyAny>> {
    let calls = Calls::of_running_loop(py)?;
    let (call, caller) = calls.add(py, hooks)?;
    if instant && let Some(outcome) = caller::poll_once(&caller, &mut operation) {
        let passed = calls.pass_on(py);
        calls.release(call);
        return passed.and_then(|()| into_python(py, outcome));
    }
    let future = calls.future.create(py)?;
    calls.table()[call].future = Some(future.clone_ref(py));
    let queue = Arc::clone(&calls.queue);
    let running = caller::run(caller, operation).map(move |outcome| {
        queue.push(call, News::Done(Box::new(|py| into_python(py, outcome))));
    });
    if !here {
        runtime::spawn(running);
        return Ok(future);
    }
    match runtime::start(&calls.known_as, running) {
        // Nothing that may come in this turn is worth the wait.
        true => calls.end_turn(py)?,
        false => calls.end_turn_soon(py)?,
    }
    Ok(future)
}

/// The calls of one event loop. The loop owns them, by way of its reader; closing the loop lets them go.
pub(crate) struct Calls {
    pub(crate) event_loop: Py<PyAny>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) generation: u32,
    /// As the runtime knows it.
    pub(crate) known_as: EventLoop,
    /// What the loop calls at the end of a turn.
    end: OnceLock<Py<TurnEnd>>,
    /// That is on the loop's list.
    ending: AtomicBool,
    future: FutureOf,
    table: Mutex<Slab<Call>>,
}

struct Call {
    future: Option<Py<PyAny>>,
    context: Option<Py<PyAny>>,
    hooks: Py<Hooks>,
    /// How much of it goes on when it is over: messages that are sent in the background.
    outlived: u32,
    over: bool,
}

impl Calls {
    pub(crate) fn new(event_loop: &Bound<'_, PyAny>, waker: Waker, known_as: EventLoop) -> PyResult<Self> {
        Ok(Self {
            event_loop: event_loop.clone().unbind(),
            queue: Queue::new(waker),
            generation: generation(),
            known_as,
            end: OnceLock::new(),
            ending: AtomicBool::new(false),
            future: FutureOf::new(event_loop)?,
            table: Mutex::default(),
        })
    }

    /// The Python object through which the loop owns this.
    pub(crate) fn reader<'py>(self: &Arc<Self>, py: Python<'py>) -> PyResult<Bound<'py, Reader>> {
        Bound::new(py, Reader { calls: Arc::clone(self) })
    }

    /// Sends what the calls have to send.
    fn end_turn(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        let watches = runtime::end_turn(&self.known_as);
        #[cfg(unix)]
        watches.into_iter().for_each(|watch| self.watch(py, watch));
        #[cfg(not(unix))]
        drop(watches);
        self.pass_on_here(py)
    }

    /// Calls of one turn of the loop go out together.
    fn end_turn_soon(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        if self.ending.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.end.get().is_none() {
            // Who was faster made the same.
            let _ = self.end.set(Py::new(py, TurnEnd { calls: Arc::downgrade(self) })?);
        }
        let listed = self.event_loop.call_method1(py, intern!(py, "call_soon"), (self.end.get(),));
        self.ending.store(listed.is_ok(), Ordering::Relaxed);
        listed.map(drop)
    }

    /// Passes on all news on the thread where calls were just taken further.
    pub(crate) fn pass_on_here(&self, py: Python<'_>) -> PyResult<()> {
        wake_other_readers(&self.queue);
        self.pass_on(py)
    }

    /// The same from the loop. Who is woken by news makes the next calls, which go out right after.
    pub(crate) fn pass_on_in_turn(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        let passed = self.pass_on_here(py);
        self.end_turn_soon(py)?;
        passed
    }

    /// Notes down a new call.
    fn add(&self, py: Python<'_>, hooks: &Py<Hooks>) -> PyResult<(CallId, Caller)> {
        let logs = hooks.get().log_events(py)?;
        let context = (logs || hooks.get().any()).then(|| copy_context(py)).transpose()?;
        let call =
            self.table().insert(Call { future: None, context, hooks: hooks.clone_ref(py), outlived: 0, over: false });
        Ok((call, Caller { queue: Arc::clone(&self.queue), call, logs }))
    }

    /// Forgets a call that is over, unless something of it goes on. Its future.
    fn release(&self, call: CallId) -> Option<Py<PyAny>> {
        let mut table = self.table();
        let known = table.get_mut(call)?;
        known.over = true;
        let (future, alone) = (known.future.take(), known.outlived == 0);
        let removed = alone.then(|| table.try_remove(call));
        drop(table);
        // What Python drops may run Python.
        drop(removed);
        future
    }

    fn outlived(&self, call: CallId) {
        if let Some(call) = self.table().get_mut(call) {
            call.outlived += 1;
        }
    }

    /// One part less of a call goes on; the call itself may.
    fn ended(&self, id: CallId) {
        let mut table = self.table();
        let Some(call) = table.get_mut(id) else { return };
        call.outlived -= 1;
        let removed = (call.outlived == 0 && call.over).then(|| table.try_remove(id));
        drop(table);
        drop(removed);
    }

    /// Passes on all news. What stands in the way of one piece is reported, and the others get their turn; what is to
    /// end the program (Ctrl-C) is raised afterwards.
    fn pass_on(&self, py: Python<'_>) -> PyResult<()> {
        let mut ending = Ok(());
        for (call, news) in self.queue.take() {
            let passed = match news {
                News::Done(answer) => self.finish(py, call, answer(py)),
                News::Outlived => {
                    self.outlived(call);
                    Ok(())
                }
                News::Ended => {
                    self.ended(call);
                    Ok(())
                }
                news => self.pass_to_hooks(py, call, news),
            };
            match passed {
                Err(exception) if exception.is_instance_of::<PyException>(py) => exception.write_unraisable(py, None),
                Err(exception) => ending = Err(exception),
                Ok(()) => {}
            }
        }
        ending
    }

    fn finish(&self, py: Python<'_>, call: CallId, outcome: PyResult<Py<PyAny>>) -> PyResult<()> {
        let Some(future) = self.release(call) else { return Ok(()) };
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

    fn pass_to_hooks(&self, py: Python<'_>, call: CallId, news: News) -> PyResult<()> {
        let known = self.table().get(call).map(|call| {
            let context = call.context.as_ref().map(|context| context.clone_ref(py));
            (call.hooks.clone_ref(py), context)
        });
        known.map_or(Ok(()), |(hooks, context)| hooks.get().pass_on(py, news, context.as_ref()))
    }

    /// Locked only for moments, never while Python runs.
    fn table(&self) -> MutexGuard<'_, Slab<Call>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an event loop holds of us.
#[pyclass(frozen, module = "oncecode._native")]
pub(crate) struct Reader {
    calls: Arc<Calls>,
}

#[pymethods]
impl Reader {
    fn read(&self, py: Python<'_>) -> PyResult<()> {
        self.calls.queue.waker.calm();
        self.calls.pass_on_in_turn(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        self.calls.traverse(&visit)
    }
}

/// Ends a turn. It doesn't own the calls, which own it.
#[pyclass(frozen, module = "oncecode._native")]
struct TurnEnd {
    calls: Weak<Calls>,
}

#[pymethods]
impl TurnEnd {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let Some(calls) = self.calls.upgrade() else { return Ok(()) };
        calls.ending.store(false, Ordering::Relaxed);
        calls.end_turn(py)
    }
}

impl Calls {
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.future.class)?;
        visit.call(&self.future.of_loop)?;
        let Ok(table) = self.table.try_lock() else { return Ok(()) };
        table.iter().try_for_each(|(_, call)| {
            visit.call(&call.future)?;
            visit.call(&call.context)?;
            visit.call(&call.hooks)
        })
    }
}

/// Makes what `event_loop.create_future` would, without a function written in Python between.
struct FutureOf {
    class: Py<PyAny>,
    of_loop: Py<PyDict>,
}

impl FutureOf {
    fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = event_loop.py();
        let class = py.import("asyncio")?.getattr("Future")?.unbind();
        Ok(Self { class, of_loop: [("loop", event_loop)].into_py_dict(py)?.unbind() })
    }

    fn create(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.class.call(py, (), Some(self.of_loop.bind(py)))
    }
}

fn copy_context(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static COPY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    COPY.import(py, "contextvars", "copy_context")?.call0().map(Bound::unbind)
}
