//! `once.limits`: define, hit, peek, refund, reset, client_ip.

use oncecode::{Error, ErrorKind, HitRequest, LimitDefinition};
use pyo3::prelude::*;

use crate::client::Client;
use crate::convert::{optional_text, text, whole};

type Given<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl Client {
    /// Takes from a limit.
    fn hit(
        &self,
        limit: Given<'_, '_>,
        key: Given<'_, '_>,
        ip: Given<'_, '_>,
        cost: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = request(limit, key, ip)?;
        request.cost = Some(whole("cost", cost)?);
        self.perform(limit.py(), |once| once.limits().hit(request))
    }

    /// What a hit would find.
    fn peek_limit(&self, limit: Given<'_, '_>, key: Given<'_, '_>, ip: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let request = request(limit, key, ip)?;
        self.perform(limit.py(), |once| once.limits().peek(request))
    }

    /// Gives back what a hit took.
    fn refund(
        &self,
        limit: Given<'_, '_>,
        key: Given<'_, '_>,
        ip: Given<'_, '_>,
        cost: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = request(limit, key, ip)?;
        request.cost = Some(whole("cost", cost)?);
        self.perform(limit.py(), |once| once.limits().refund(request))
    }

    /// Forgets what was taken.
    fn reset_limit(&self, limit: Given<'_, '_>, key: Given<'_, '_>, ip: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let request = request(limit, key, ip)?;
        self.perform(limit.py(), |once| once.limits().reset(request))
    }

    /// Defines a limit, given as JSON, in this process.
    fn define_limit(&self, name: Given<'_, '_>, definition: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let (limit, definition) = (text("name", name)?, text("definition", definition)?);
        self.perform(name.py(), move |once| {
            let read = serde_json::from_str::<LimitDefinition>(&definition)
                .map_err(|e| Error::new(ErrorKind::Config, format!("the limit's definition: {e}")));
            let defined = read.and_then(|definition| once.limits().define(&limit, &definition));
            Box::pin(std::future::ready(defined))
        })
    }

    /// Who sent a request.
    fn client_ip(&self, remote: Given<'_, '_>, forwarded_for: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let (from, chain) = (text("remote", remote)?, optional_text("forwarded_for", forwarded_for)?);
        self.perform(remote.py(), move |once| {
            Box::pin(std::future::ready(once.limits().client_ip(&from, chain.as_deref())))
        })
    }
}

fn request(limit: Given<'_, '_>, key: Given<'_, '_>, ip: Given<'_, '_>) -> PyResult<HitRequest> {
    let mut request = HitRequest::default();
    request.limit = text("limit", limit)?;
    request.key = optional_text("key", key)?;
    request.ip = optional_text("ip", ip)?;
    Ok(request)
}
