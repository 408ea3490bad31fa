//! Errors as exceptions. The classes are defined in Python (`oncecode/errors.py`).

use std::error::Error as _;

use oncecode::{Class, Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::IntoPyDict;

/// Every kind: class name, code, HTTP status, retryable, whether it is a refusal.
#[pyfunction]
pub(crate) fn error_table() -> Vec<(&'static str, &'static str, u16, bool, bool)> {
    let row =
        |kind: &ErrorKind| (kind.name(), kind.code(), kind.status(), kind.retryable(), kind.class() == Class::Refusal);
    ErrorKind::ALL.iter().map(row).collect()
}

/// The exception for an error of the core.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let (retry, attempts) = (error.retry_after_seconds(), error.attempts_left());
    let exception = raised(py, error.kind(), &snake_case(error.message()), retry, attempts);
    let headers = error.headers();
    if !headers.is_empty() {
        // A plain exception object takes any attribute.
        let _ = headers.into_py_dict(py).and_then(|headers| exception.value(py).setattr("headers", headers));
    }
    if let Some(cause) = cause(error) {
        exception.set_cause(py, Some(cause.clone_ref(py)));
    }
    exception
}

/// `INVALID_ARGUMENT`, for what the core's types can't express.
pub(crate) fn invalid_argument(py: Python<'_>, message: &str) -> PyErr {
    raised(py, ErrorKind::InvalidArgument, message, None, None)
}

fn raised(py: Python<'_>, kind: ErrorKind, message: &str, retry: Option<u64>, attempts: Option<u32>) -> PyErr {
    static CLASSES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let classes = CLASSES.get_or_try_init(py, || py.import("oncecode.errors").map(Bound::unbind));
    let make = |classes: &Py<PyModule>| classes.bind(py).getattr(kind.name())?.call1((message, retry, attempts));
    classes.and_then(make).map_or_else(|broken| broken, PyErr::from_value)
}

/// The exception that a callback raised, where that is the reason.
fn cause(error: &Error) -> Option<&PyErr> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(raised) = source.downcast_ref::<PyErr>() {
            return Some(raised);
        }
        next = source.source();
    }
    None
}

/// The core names options `ttlSeconds`; here they are `ttl_seconds`.
fn snake_case(message: &str) -> String {
    let mut text = String::with_capacity(message.len() + 4);
    let mut camel = false;
    for c in message.chars() {
        let hump = camel && c.is_ascii_uppercase();
        // Only words that begin in lower case are names of options: not `PostgreSQL`.
        camel = c.is_ascii_lowercase() && (camel || !text.ends_with(|before: char| before.is_alphanumeric())) || hump;
        if hump {
            text.push('_');
        }
        text.push(if hump { c.to_ascii_lowercase() } else { c });
    }
    text
}
