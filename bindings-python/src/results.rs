//! What operations give back.

use oncecode::Secret;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDateTime, PyDict};

use crate::convert::{from_json, time};
use crate::errors::exception;

/// Something an operation of the core gives, to become a Python object.
pub(crate) trait Answer: Send + 'static {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>>;
}

/// What an operation came to: a result or an exception.
pub(crate) fn into_python<T: Answer>(py: Python<'_>, outcome: oncecode::Result<T>) -> PyResult<Py<PyAny>> {
    match outcome {
        Ok(answer) => answer.into_python(py),
        Err(error) => Err(exception(py, &error)),
    }
}

/// A code is on its way.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct Sent {
    /// The challenge id: give it to the browser to bind the code to it.
    #[pyo3(get)]
    id: String,
    /// Wrong codes that may still be tried.
    #[pyo3(get)]
    attempts_left: u32,
    expires_at_ms: u64,
    resend_at_ms: u64,
    code: Option<Secret>,
}

#[pymethods]
impl Sent {
    /// When the code expires: an aware datetime in UTC.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        time(py, self.expires_at_ms)
    }

    /// When the next code may be asked for: an aware datetime in UTC.
    #[getter]
    fn resend_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        time(py, self.resend_at_ms)
    }

    /// The code, in development mode only; `None` in production.
    #[getter]
    fn code(&self) -> Option<&str> {
        self.code.as_ref().map(Secret::expose)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let expires = time(py, self.expires_at_ms)?.str()?;
        Ok(format!("<Sent id={} expires_at={expires} attempts_left={}>", self.id, self.attempts_left))
    }
}

impl Answer for oncecode::Sent {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let oncecode::Sent { id, expires_at_ms, resend_at_ms, attempts_left, code, .. } = self;
        Ok(Py::new(py, Sent { id, attempts_left, expires_at_ms, resend_at_ms, code })?.into_any())
    }
}

/// The code was right.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct Verified {
    /// The address that is now proven, normalised.
    #[pyo3(get)]
    identifier: String,
    /// The purpose.
    #[pyo3(get)]
    purpose: String,
    /// What was given at issue.
    #[pyo3(get)]
    data: Py<PyAny>,
}

#[pymethods]
impl Verified {
    fn __repr__(&self) -> String {
        format!("<Verified purpose={}>", self.purpose)
    }
}

impl Answer for oncecode::Verified {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let identifier = self.identifier.as_str().to_owned();
        let data = self.data.map_or_else(|| Ok(py.None()), |data| from_json(py, &data))?;
        Ok(Py::new(py, Verified { identifier, purpose: self.purpose, data })?.into_any())
    }
}

/// A live challenge, without its code.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct Peek {
    /// The challenge id.
    #[pyo3(get)]
    id: String,
    /// Wrong codes that may still be tried.
    #[pyo3(get)]
    attempts_left: u32,
    expires_at_ms: u64,
    resend_at_ms: u64,
}

#[pymethods]
impl Peek {
    /// When the code expires: an aware datetime in UTC.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        time(py, self.expires_at_ms)
    }

    /// When the next code may be asked for: an aware datetime in UTC.
    #[getter]
    fn resend_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        time(py, self.resend_at_ms)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let expires = time(py, self.expires_at_ms)?.str()?;
        Ok(format!("<Peek id={} expires_at={expires} attempts_left={}>", self.id, self.attempts_left))
    }
}

impl Answer for Option<oncecode::Peek> {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let Some(oncecode::Peek { id, expires_at_ms, resend_at_ms, attempts_left, .. }) = self else {
            return Ok(py.None());
        };
        Ok(Py::new(py, Peek { id, attempts_left, expires_at_ms, resend_at_ms })?.into_any())
    }
}

/// What is left of a limit.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct Quota(oncecode::Quota);

#[pymethods]
impl Quota {
    /// The limit's name.
    #[getter]
    fn limit(&self) -> &str {
        &self.0.limit
    }

    /// Whether a hit passes. Always true in what `hit` gives.
    #[getter]
    fn allowed(&self) -> bool {
        self.0.allowed
    }

    /// The maximum of the strictest window.
    #[getter]
    fn max(&self) -> u32 {
        self.0.max
    }

    /// What may still be taken now.
    #[getter]
    fn remaining(&self) -> u32 {
        self.0.remaining
    }

    /// Until all of it is there again, in seconds.
    #[getter]
    fn resets_in_seconds(&self) -> f64 {
        self.0.resets_in.as_secs_f64()
    }

    /// The store was out of reach: this is the limit's policy for an outage.
    #[getter]
    fn degraded(&self) -> bool {
        self.0.degraded
    }

    /// `RateLimit-Policy` and `RateLimit`, for the HTTP response.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.0.headers(false).into_py_dict(py)
    }

    fn __repr__(&self) -> String {
        format!("<Quota limit={} remaining={}/{}>", self.0.limit, self.0.remaining, self.0.max)
    }
}

impl Answer for oncecode::Quota {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Quota(self))?.into_any())
    }
}

macro_rules! plain_answers {
    ($($plain:ty),+) => {$(
        impl Answer for $plain {
            fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                Ok(self.into_pyobject(py)?.to_owned().into_any().unbind())
            }
        }
    )+};
}

plain_answers!(bool, u64, String, Option<String>);

impl Answer for Secret {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.expose().into_pyobject(py)?.into_any().unbind())
    }
}

impl Answer for () {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(py.None())
    }
}
