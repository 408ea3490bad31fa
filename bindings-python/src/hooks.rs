//! The callbacks of a client, called on the thread that called the operation.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use tracing::Level;

use crate::log;
use crate::message::{self, Reply};
use crate::queue::News;

/// What a client calls. The context is the `contextvars.Context` of the operation's caller; `None`: the current one.
#[pyclass(frozen, module = "oncecode._native")]
pub(crate) struct Hooks {
    /// `(message, reply, context, which)`: sends by one of the callbacks.
    pub(crate) send: Option<Py<PyAny>>,
    /// `(event, context)`: tells the app.
    pub(crate) tell: Option<Py<PyAny>>,
}

type Context<'a> = Option<&'a Py<PyAny>>;

impl Hooks {
    /// Whether the logger is to hear of a call's events.
    pub(crate) fn log_events(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.tell.is_none() && log::wanted(py)?)
    }

    /// Whether there is a callback that may want to know its caller's context.
    pub(crate) fn any(&self) -> bool {
        self.send.is_some() || self.tell.is_some()
    }

    /// Passes on whatever is not the end of an operation.
    pub(crate) fn pass_on(&self, py: Python<'_>, news: News, context: Context<'_>) -> PyResult<()> {
        match (news, &self.tell, &self.send) {
            (News::Event(event), Some(tell), _) => tell.call1(py, (message::Event::from(event), context)).map(drop),
            (News::Send(message, reply, which), _, Some(hook)) => {
                let (message, reply) = (message::Message::from(message), Reply::new(reply));
                hook.call1(py, (message, reply, context, which)).map(drop)
            }
            (News::Log(level, text), ..) => record(py, level, text, context),
            _ => Ok(()),
        }
    }
}

#[pymethods]
impl Hooks {
    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        visit.call(&self.send)?;
        visit.call(&self.tell)
    }
}

fn record(py: Python<'_>, level: Level, text: String, context: Context<'_>) -> PyResult<()> {
    let (log, level) = (log::logger(py)?.getattr("log")?, log::number(level));
    match context {
        Some(context) => context.bind(py).call_method1("run", (log, level, "%s", text)),
        None => log.call1((level, "%s", text)),
    }
    .map(drop)
}
