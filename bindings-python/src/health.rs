//! `once.health()`.

use oncecode::Oncecode;
use pyo3::prelude::*;
use pyo3::types::PyDateTime;

use crate::client::Client;
use crate::convert::time;
use crate::results::Answer;

#[pymethods]
impl Client {
    /// How the store is.
    fn health(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.perform(py, Oncecode::health)
    }
}

/// How the store is: the answer of `once.health()`. It holds no secret and no address.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct Health(oncecode::Health);

#[pymethods]
impl Health {
    /// Whether the store answered, and would do its work.
    #[getter]
    fn ok(&self) -> bool {
        self.0.ok
    }

    /// The scheme of the store's URL, such as `redis`.
    #[getter]
    fn store(&self) -> &str {
        &self.0.store
    }

    /// What the circuit breaker does: `closed`, `open` or `half_open`; `None` where there is none.
    #[getter]
    fn breaker(&self) -> Option<&'static str> {
        self.0.breaker.map(|state| state.code())
    }

    /// Since when calls go through, or do not: an aware datetime in UTC; `None` without a breaker.
    #[getter]
    fn since<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        self.0.since_ms.map(|ms| time(py, ms)).transpose()
    }

    /// How long the store took to answer, in milliseconds; `None` where it did not.
    #[getter]
    fn latency_ms(&self) -> Option<f64> {
        self.0.latency.map(|latency| latency.as_secs_f64() * 1000.0)
    }

    /// Why it is not ok: an error code, usually `STORE_UNAVAILABLE`.
    #[getter]
    fn error(&self) -> Option<&'static str> {
        self.0.error.map(|kind| kind.code())
    }

    /// By how many milliseconds this machine's clock is ahead of the store's; `None` where that is not told.
    #[getter]
    fn clock_skew_ms(&self) -> Option<i64> {
        self.0.clock_skew_ms
    }

    /// What endangers the codes: a sentence each, for whoever runs the app.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.0.warnings.clone()
    }

    fn __repr__(&self) -> String {
        let word = |word: Option<&'static str>| word.unwrap_or("None");
        let (store, ok) = (&self.0.store, if self.0.ok { "True" } else { "False" });
        format!("<Health store={store} ok={ok} breaker={} error={}>", word(self.breaker()), word(self.error()))
    }
}

impl Answer for oncecode::Health {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Health(self))?.into_any())
    }
}
