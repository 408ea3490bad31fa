//! `once.sender`.

use oncecode::StatusRequest;
use pyo3::prelude::*;

use crate::client::Client;
use crate::results::Answer;

#[pymethods]
impl Client {
    /// What a status callback says.
    fn delivery_status(
        &self,
        py: Python<'_>,
        url: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> PyResult<Py<PyAny>> {
        self.now(py, move |once| {
            let mut request = StatusRequest::default();
            (request.url, request.headers, request.body) = (url, headers, body);
            once.sender().status(&request)
        })
    }
}

/// What became of a message: the answer of `once.sender.status`.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct DeliveryStatus(oncecode::DeliveryStatus);

#[pymethods]
impl DeliveryStatus {
    /// Who says so: `twilio`.
    #[getter]
    fn provider(&self) -> &'static str {
        self.0.provider
    }

    /// What the provider calls the message.
    #[getter]
    fn message(&self) -> &str {
        &self.0.message
    }

    /// How far it came: `queued`, `sent`, `delivered`, `failed` or `unknown`.
    #[getter]
    fn state(&self) -> &'static str {
        self.0.state.code()
    }

    /// Why it failed, where the provider's reason is one of ours: `UNREACHABLE` …
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.0.reason.map(|kind| kind.code())
    }

    /// The provider's own number for it.
    #[getter]
    fn provider_code(&self) -> Option<&str> {
        self.0.provider_code.as_deref()
    }

    fn __repr__(&self) -> String {
        format!("<DeliveryStatus provider={} state={}>", self.0.provider, self.0.state.code())
    }
}

impl Answer for oncecode::DeliveryStatus {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, DeliveryStatus(self))?.into_any())
    }
}
