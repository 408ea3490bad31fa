//! `once.locks`: acquire, try_acquire, extend, release.

use oncecode::LockRequest;
use pyo3::prelude::*;

use crate::client::Client;
use crate::convert::{flag, optional_seconds, seconds, text};

type Given<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl Client {
    /// Waits for the lock.
    fn acquire(
        &self,
        name: Given<'_, '_>,
        ttl_seconds: Given<'_, '_>,
        wait_seconds: Given<'_, '_>,
        renew: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = request(name, ttl_seconds, renew)?;
        request.wait = optional_seconds("wait_seconds", wait_seconds)?.unwrap_or(request.wait);
        self.perform(name.py(), |once| once.locks().acquire(request))
    }

    /// The lock if it is free.
    fn try_acquire(
        &self,
        name: Given<'_, '_>,
        ttl_seconds: Given<'_, '_>,
        renew: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let request = request(name, ttl_seconds, renew)?;
        self.perform(name.py(), |once| once.locks().try_acquire(request))
    }

    /// Extends a lock that is known by its token.
    fn extend(&self, name: Given<'_, '_>, token: Given<'_, '_>, ttl_seconds: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let (key, owner, ttl) = (text("name", name)?, text("token", token)?, seconds("ttl_seconds", ttl_seconds)?);
        self.perform(name.py(), move |once| once.locks().extend(&key, &owner, ttl))
    }

    /// Releases a lock that is known by its token.
    fn release(&self, name: Given<'_, '_>, token: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let (key, owner) = (text("name", name)?, text("token", token)?);
        self.perform(name.py(), move |once| once.locks().release(&key, &owner))
    }
}

fn request(name: Given<'_, '_>, ttl_seconds: Given<'_, '_>, renew: Given<'_, '_>) -> PyResult<LockRequest> {
    let mut request = LockRequest::new(text("name", name)?, seconds("ttl_seconds", ttl_seconds)?);
    request.renew = flag("renew", renew)?;
    Ok(request)
}
