//! `once.idempotency`: begin, complete, abandon. What runs between them is Python.

use oncecode::IdempotencyRequest;
use pyo3::prelude::*;
use serde_json::Value;

use crate::client::Client;
use crate::convert::{flag, json, optional_seconds, text};

type Given<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl Client {
    /// Claims the key, or gives what was completed under it.
    #[allow(clippy::too_many_arguments)]
    fn begin(
        &self,
        scope: Given<'_, '_>,
        key: Given<'_, '_>,
        fingerprint: Given<'_, '_>,
        lease_seconds: Given<'_, '_>,
        retention_seconds: Given<'_, '_>,
        wait_seconds: Given<'_, '_>,
        renew: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = IdempotencyRequest::new(text("scope", scope)?, text("key", key)?);
        request.fingerprint = json("fingerprint", fingerprint)?.unwrap_or(Value::Null);
        request.lease = optional_seconds("lease_seconds", lease_seconds)?.unwrap_or(request.lease);
        request.retention = optional_seconds("retention_seconds", retention_seconds)?.unwrap_or(request.retention);
        request.wait = optional_seconds("wait_seconds", wait_seconds)?.unwrap_or(request.wait);
        request.renew = flag("renew", renew)?;
        self.perform(key.py(), |once| once.idempotency().begin(request))
    }

    /// Completes a claim that is known by its token.
    fn complete(
        &self,
        scope: Given<'_, '_>,
        key: Given<'_, '_>,
        token: Given<'_, '_>,
        reply: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let (py, reply) = (key.py(), json("reply", reply)?.unwrap_or(Value::Null));
        let (scope, key, token) = (text("scope", scope)?, text("key", key)?, text("token", token)?);
        self.perform(py, move |once| once.idempotency().complete(&scope, &key, &token, reply))
    }

    /// Abandons a claim that is known by its token.
    fn abandon(&self, scope: Given<'_, '_>, key: Given<'_, '_>, token: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let py = key.py();
        let (scope, key, token) = (text("scope", scope)?, text("key", key)?, text("token", token)?);
        self.perform(py, move |once| once.idempotency().abandon(&scope, &key, &token))
    }
}
