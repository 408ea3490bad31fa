//! Finding and joining the event loop that runs.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock, Weak};

use oncecode::host::EventLoop;
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::bridge::Calls;
use crate::fork::generation;
use crate::runtime::spawn_waiting;
use crate::wake::Waker;

thread_local! {
    /// Of the loops that ran on this thread and are still open: nearly always one.
    static OPEN: RefCell<Vec<Weak<Calls>>> = const { RefCell::new(Vec::new()) };
}

impl Calls {
    pub(crate) fn of_running_loop(py: Python<'_>) -> PyResult<Arc<Self>> {
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
        let descriptor = crate::wake::Descriptor::new()?;
        let number = descriptor.number();
        let calls = Arc::new(Self::new(event_loop, Waker::Descriptor(descriptor), EventLoop::new())?);
        let read = calls.reader(event_loop.py())?.getattr("read")?;
        add_reader(event_loop, number, &read)?;
        Ok(calls)
    }

    #[cfg(not(unix))]
    fn watched(_: &Bound<'_, PyAny>) -> PyResult<Arc<Self>> {
        Err(PyNotImplementedError::new_err(()))
    }

    /// For loops that can't.
    fn called(event_loop: &Bound<'_, PyAny>) -> PyResult<Arc<Self>> {
        let calls = Arc::new(Self::new(event_loop, Waker::Loop(OnceLock::new()), EventLoop::blind())?);
        if let Waker::Loop(whom) = &calls.queue.waker {
            // It was made above and nobody else has set it.
            let _ = whom.set(Arc::downgrade(&calls));
        }
        event_loop.setattr("_oncecode_reader", calls.reader(event_loop.py())?)?;
        Ok(calls)
    }
}

/// Has a loop that can't watch descriptors look.
pub(crate) fn call_soon(calls: &Weak<Calls>) {
    let calls = Weak::clone(calls);
    let call = move |py: Python<'_>| {
        let Some(calls) = calls.upgrade() else { return Ok(()) };
        let read = calls.reader(py)?.getattr("read")?;
        calls.event_loop.call_method1(py, "call_soon_threadsafe", (read,)).map(drop)
    };
    // No Python: the interpreter ends. An exception: the loop was closed, and nobody is left who waits.
    spawn_waiting(move || drop(Python::try_attach(call)));
}

/// Has `event_loop` call `read` when there is something to read.
#[cfg(unix)]
pub(crate) fn add_reader(event_loop: &Bound<'_, PyAny>, number: i32, read: &Bound<'_, PyAny>) -> PyResult<()> {
    // A reader runs in the context in which it was added, which would be that of whoever happened to call first.
    let nobodys = event_loop.py().import("contextvars")?.getattr("Context")?.call0()?;
    nobodys.call_method1("run", (event_loop.getattr("add_reader")?, number, read)).map(drop)
}

fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    GET.import(py, "asyncio", "get_running_loop")?.call0()
}
