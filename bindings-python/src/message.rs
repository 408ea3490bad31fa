//! What callbacks are given.

use std::sync::{Mutex, PoisonError};

use oncecode::{Error, ErrorKind, Result, Secret};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime};
use tokio::sync::oneshot;

use crate::convert::time;

/// A message that carries a code or a link, for the callback `sender`.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct Message(oncecode::Message);

#[pymethods]
impl Message {
    /// Whom to send to: a phone number in E.164 form or an email address.
    #[getter]
    fn to(&self) -> &str {
        self.0.to.as_str()
    }

    /// What the code is for.
    #[getter]
    fn purpose(&self) -> &str {
        &self.0.purpose
    }

    /// The code; empty where there is a link instead.
    #[getter]
    fn code(&self) -> &str {
        self.0.code.expose()
    }

    /// The link, of `once.links.send`.
    #[getter]
    fn link(&self) -> Option<&str> {
        self.0.link.as_ref().map(Secret::expose)
    }

    /// The subject, for emails.
    #[getter]
    fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The text to send, code or link included.
    #[getter]
    fn text(&self) -> &str {
        self.0.text.expose()
    }

    /// The same as HTML, for emails alone.
    #[getter]
    fn html(&self) -> Option<&str> {
        self.0.html.as_ref().map(Secret::expose)
    }

    /// How many SMS the text takes, for phones alone.
    #[getter]
    fn segments(&self) -> Option<usize> {
        self.0.segments().map(|segments| segments.count)
    }

    /// The challenge id: the same for a code that is sent again. Of a link, its own.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// The BCP 47 locale that was asked for, if any.
    #[getter]
    fn locale(&self) -> Option<&str> {
        self.0.locale.as_deref()
    }

    /// The life the code or link has left, in whole seconds.
    #[getter]
    fn expires_in_seconds(&self) -> u64 {
        self.0.expires_in.as_secs()
    }

    fn __repr__(&self) -> String {
        format!("<Message to={} purpose={}>", self.0.to.masked(), self.0.purpose)
    }
}

impl From<oncecode::Message> for Message {
    fn from(message: oncecode::Message) -> Self {
        Self(message)
    }
}

/// Takes a sender's outcome. Dropped without one, the delivery failed.
#[pyclass(frozen, module = "oncecode._native")]
pub(crate) struct Reply(Mutex<Option<oneshot::Sender<Result<()>>>>);

#[pymethods]
impl Reply {
    /// The message is on its way.
    fn sent(&self) {
        self.settle(Ok(()));
    }

    /// The sender raised.
    fn failed(&self, exception: Bound<'_, PyAny>) {
        let undone = exception.getattr("not_sent").is_ok_and(|not_sent| not_sent.is(PyBool::new(exception.py(), true)));
        let error = Error::new(ErrorKind::DeliveryFailed, "the sender raised an exception");
        let error = error.with_source(PyErr::from_value(exception));
        self.settle(Err(if undone { error.undone() } else { error }));
    }
}

impl Reply {
    pub(crate) fn new(channel: oneshot::Sender<Result<()>>) -> Self {
        Self(Mutex::new(Some(channel)))
    }

    fn settle(&self, outcome: Result<()>) {
        if let Some(channel) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody listens any more when the deadline of sending is over.
            let _ = channel.send(outcome);
        }
    }
}

/// Something that happened, for the callback `events`. Addresses are masked; codes never appear.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct Event(oncecode::Event);

#[pymethods]
impl Event {
    /// The stable name, such as `SIGNUP_OTP_VERIFIED`.
    #[getter]
    fn name(&self) -> String {
        self.0.name()
    }

    /// What happened, without the purpose: `CREATED`, `VERIFIED` … `STORE_DOWN`, `STORE_UP`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.code()
    }

    /// The purpose, as given; `None` for what concerns the store.
    #[getter]
    fn purpose(&self) -> Option<&str> {
        self.0.purpose.as_deref()
    }

    /// The scheme of the store's URL, such as `redis`, for what concerns the store.
    #[getter]
    fn store(&self) -> Option<&str> {
        self.0.store.as_deref()
    }

    /// The masked address; `None` where only a challenge id was known.
    #[getter]
    fn identifier(&self) -> Option<&str> {
        self.0.identifier.as_deref()
    }

    /// Why it was refused or failed: an error code such as `WRONG_CODE`.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.0.reason()
    }

    /// Attempts left, where that is known.
    #[getter]
    fn attempts_left(&self) -> Option<u32> {
        self.0.attempts_left
    }

    /// When: an aware datetime in UTC.
    #[getter]
    fn at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        time(py, self.0.at_ms)
    }

    fn __repr__(&self) -> String {
        let (identifier, reason) = (self.identifier().unwrap_or("None"), self.reason().unwrap_or("None"));
        format!("<Event {} identifier={identifier} reason={reason}>", self.name())
    }
}

impl From<oncecode::Event> for Event {
    fn from(event: oncecode::Event) -> Self {
        Self(event)
    }
}
