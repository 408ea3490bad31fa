//! `once.codes`: issue, verify, resend, cancel, peek.

use oncecode::{IssueRequest, ResendRequest, Target, VerifyRequest};
use pyo3::prelude::*;

use crate::client::Client;
use crate::convert::{json, optional_text, text};

type Given<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl Client {
    /// Sends a new code.
    fn issue(
        &self,
        to: Given<'_, '_>,
        purpose: Given<'_, '_>,
        ip: Given<'_, '_>,
        locale: Given<'_, '_>,
        data: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = IssueRequest::new(text("to", to)?, text("purpose", purpose)?);
        request.ip = optional_text("ip", ip)?;
        request.locale = optional_text("locale", locale)?;
        request.data = json("data", data)?;
        self.perform(to.py(), |once| once.codes().issue(request))
    }

    /// Accepts the right code, once.
    fn verify(
        &self,
        to: Given<'_, '_>,
        id: Given<'_, '_>,
        purpose: Given<'_, '_>,
        code: Given<'_, '_>,
        ip: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = VerifyRequest::default();
        request.to = optional_text("to", to)?;
        request.id = optional_text("id", id)?;
        request.purpose = text("purpose", purpose)?;
        request.code = text("code", code)?;
        request.ip = optional_text("ip", ip)?;
        self.perform(to.py(), |once| once.codes().verify(request))
    }

    /// Sends again.
    fn resend(
        &self,
        to: Given<'_, '_>,
        id: Given<'_, '_>,
        purpose: Given<'_, '_>,
        ip: Given<'_, '_>,
        locale: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = ResendRequest::default();
        request.to = optional_text("to", to)?;
        request.id = optional_text("id", id)?;
        request.purpose = text("purpose", purpose)?;
        request.ip = optional_text("ip", ip)?;
        request.locale = optional_text("locale", locale)?;
        self.perform(to.py(), |once| once.codes().resend(request))
    }

    /// Kills the live code.
    fn cancel(&self, to: Given<'_, '_>, id: Given<'_, '_>, purpose: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let target = target(to, id, purpose)?;
        self.perform(to.py(), |once| once.codes().cancel(target))
    }

    /// What is live.
    fn peek(&self, to: Given<'_, '_>, id: Given<'_, '_>, purpose: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let target = target(to, id, purpose)?;
        self.perform(to.py(), |once| once.codes().peek(target))
    }
}

fn target(to: Given<'_, '_>, id: Given<'_, '_>, purpose: Given<'_, '_>) -> PyResult<Target> {
    let mut target = Target::default();
    target.to = optional_text("to", to)?;
    target.id = optional_text("id", id)?;
    target.purpose = text("purpose", purpose)?;
    Ok(target)
}
