//! `once.links`: issue, send, verify, peek.

use oncecode::{LinkRequest, LinkTarget, Secret};
use pyo3::prelude::*;
use pyo3::types::PyDateTime;

use crate::client::Client;
use crate::convert::{from_json, json, optional_seconds, optional_text, text, time};
use crate::results::Answer;

type Given<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl Client {
    /// A new link.
    fn issue_link(
        &self,
        to: Given<'_, '_>,
        purpose: Given<'_, '_>,
        data: Given<'_, '_>,
        url: Given<'_, '_>,
        ttl_seconds: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let request = request(to, purpose, data, url, ttl_seconds)?;
        self.now(to.py(), move |once| once.links().issue(&request))
    }

    /// Sends a new link.
    fn send_link(
        &self,
        to: Given<'_, '_>,
        purpose: Given<'_, '_>,
        data: Given<'_, '_>,
        url: Given<'_, '_>,
        ttl_seconds: Given<'_, '_>,
        locale: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = request(to, purpose, data, url, ttl_seconds)?;
        request.locale = optional_text("locale", locale)?;
        self.perform(to.py(), move |once| once.links().send(request))
    }

    /// Accepts a link, once.
    fn verify_link(&self, token: Given<'_, '_>, purpose: Given<'_, '_>, to: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let target = target(token, purpose, to)?;
        self.perform(token.py(), move |once| once.links().verify(target))
    }

    /// Whether a link would be accepted.
    fn peek_link(&self, token: Given<'_, '_>, purpose: Given<'_, '_>, to: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let target = target(token, purpose, to)?;
        self.perform(token.py(), move |once| once.links().peek(target))
    }
}

fn request(
    to: Given<'_, '_>,
    purpose: Given<'_, '_>,
    data: Given<'_, '_>,
    url: Given<'_, '_>,
    ttl_seconds: Given<'_, '_>,
) -> PyResult<LinkRequest> {
    let mut request = LinkRequest::new(text("to", to)?, text("purpose", purpose)?);
    request.data = json("data", data)?;
    request.url = optional_text("url", url)?;
    request.ttl = optional_seconds("ttl_seconds", ttl_seconds)?;
    Ok(request)
}

fn target(token: Given<'_, '_>, purpose: Given<'_, '_>, to: Given<'_, '_>) -> PyResult<LinkTarget> {
    let mut target = LinkTarget::new(text("token", token)?, text("purpose", purpose)?);
    target.to = optional_text("to", to)?;
    Ok(target)
}

/// A link to be sent.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct Link {
    token: Secret,
    url: Option<Secret>,
    expires_at_ms: u64,
}

#[pymethods]
impl Link {
    /// What `verify` takes.
    #[getter]
    fn token(&self) -> &str {
        self.token.expose()
    }

    /// The page with the token in its query, where a page was given.
    #[getter]
    fn url(&self) -> Option<&str> {
        self.url.as_ref().map(Secret::expose)
    }

    /// When it expires: an aware datetime in UTC.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        time(py, self.expires_at_ms)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<Link expires_at={}>", time(py, self.expires_at_ms)?.str()?))
    }
}

/// The link was right.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct Followed {
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
impl Followed {
    fn __repr__(&self) -> String {
        format!("<Followed purpose={}>", self.purpose)
    }
}

impl Answer for oncecode::Link {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let link = Link { token: self.token, url: self.url, expires_at_ms: self.expires_at_ms };
        Ok(Py::new(py, link)?.into_any())
    }
}

impl Answer for oncecode::Followed {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let identifier = self.identifier.as_str().to_owned();
        let data = self.data.map_or_else(|| Ok(py.None()), |data| from_json(py, &data))?;
        Ok(Py::new(py, Followed { identifier, purpose: self.purpose, data })?.into_any())
    }
}
