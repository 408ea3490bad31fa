//! Sockets of stores that an event loop of Python's watches, so that its own thread reads them.

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use oncecode::host::Watch;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::bridge::Calls;
use crate::event_loop::add_reader;
use crate::fork::generation;
use crate::runtime;

impl Calls {
    /// Has the loop watch a socket. If it can't after all, it is not asked again, and the runtime has the socket back.
    pub(crate) fn watch(self: &Arc<Self>, py: Python<'_>, watch: Watch) {
        if self.try_watch(py, watch).is_err() {
            self.known_as.set_blind();
        }
    }

    fn try_watch(self: &Arc<Self>, py: Python<'_>, watch: Watch) -> PyResult<()> {
        let number = watch.as_fd().as_raw_fd();
        let reader = SocketReader { calls: Arc::clone(self), watch: ManuallyDrop::new(watch) };
        let read = Bound::new(py, reader)?.getattr("read")?;
        add_reader(self.event_loop.bind(py), number, &read)
    }
}

/// What an event loop holds of a socket that it watches.
#[pyclass(frozen, module = "oncecode._native")]
struct SocketReader {
    calls: Arc<Calls>,
    watch: ManuallyDrop<Watch>,
}

#[pymethods]
impl SocketReader {
    fn read(&self, py: Python<'_>) -> PyResult<()> {
        // In a forked child it is the parent's, and so is the loop's list.
        if self.calls.generation != generation() {
            return Ok(());
        }
        if !runtime::read(&self.watch) {
            let number = self.watch.as_fd().as_raw_fd();
            self.calls.event_loop.call_method1(py, intern!(py, "remove_reader"), (number,))?;
        }
        self.calls.pass_on_in_turn(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.calls.traverse(&visit)
    }
}

impl Drop for SocketReader {
    fn drop(&mut self) {
        if self.calls.generation == generation() {
            // SAFETY: dropped nowhere else.
            unsafe { ManuallyDrop::drop(&mut self.watch) };
        }
    }
}
