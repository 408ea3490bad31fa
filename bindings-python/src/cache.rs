//! `once.cache`: get, set, fetch and fill, invalidate. What loads between fetch and fill is Python.

use std::mem::ManuallyDrop;
use std::sync::{Mutex, PoisonError};

use oncecode::{CacheRequest, Cached, Error, ErrorKind, Fetched};
use pyo3::prelude::*;

use crate::client::Client;
use crate::convert::{from_json, json, optional_seconds, text, whole};
use crate::fork::generation;
use crate::results::Answer;

type Given<'a, 'py> = &'a Bound<'py, PyAny>;

/// The duty to load a value. Let go, it passes to the next.
#[pyclass(frozen, module = "oncecode._native")]
pub(crate) struct Ticket {
    inner: Mutex<ManuallyDrop<Option<Box<oncecode::Ticket>>>>,
    generation: u32,
}

impl Ticket {
    /// Once, and only in the process that has it: what a fork has copied is the parent's.
    fn take(&self) -> Option<Box<oncecode::Ticket>> {
        if self.generation != generation() {
            return None;
        }
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[pymethods]
impl Ticket {
    /// The load failed: the next one's turn.
    fn give_up(&self) {
        drop(self.take());
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[pymethods]
impl Client {
    /// The entry.
    fn cache_get(&self, key: Given<'_, '_>, version: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let (py, key, version) = (key.py(), text("key", key)?, whole("version", version)?);
        self.perform(py, move |once| once.cache().get(&key, version))
    }

    /// Stores a value, `None` that there is none.
    fn cache_set(
        &self,
        key: Given<'_, '_>,
        value: Given<'_, '_>,
        ttl_seconds: Given<'_, '_>,
        negative_ttl_seconds: Given<'_, '_>,
        version: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let request = request(key, ttl_seconds, negative_ttl_seconds, version)?;
        let value = json("value", value)?;
        self.perform(key.py(), move |once| once.cache().set(request, value))
    }

    /// The entry, or a ticket to load it.
    #[allow(clippy::too_many_arguments)]
    fn cache_fetch(
        &self,
        key: Given<'_, '_>,
        ttl_seconds: Given<'_, '_>,
        negative_ttl_seconds: Given<'_, '_>,
        version: Given<'_, '_>,
        lease_seconds: Given<'_, '_>,
        wait_seconds: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = request(key, ttl_seconds, negative_ttl_seconds, version)?;
        request.lease = optional_seconds("lease_seconds", lease_seconds)?.unwrap_or(request.lease);
        request.wait = optional_seconds("wait_seconds", wait_seconds)?.unwrap_or(request.wait);
        self.perform(key.py(), move |once| once.cache().fetch(request))
    }

    /// Stores what was loaded.
    fn cache_fill(&self, ticket: &Bound<'_, Ticket>, value: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let (py, value) = (ticket.py(), json("the loaded value", value)?);
        let ticket = ticket.get().take();
        self.perform(py, move |_| match ticket {
            Some(ticket) => ticket.fill(value),
            None => Box::pin(async { Err(Error::new(ErrorKind::Internal, "the value was loaded before")) }),
        })
    }

    /// Forgets an entry.
    fn cache_invalidate(&self, key: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let (py, key) = (key.py(), text("key", key)?);
        self.perform(py, move |once| once.cache().invalidate(&key))
    }
}

fn request(
    key: Given<'_, '_>,
    ttl_seconds: Given<'_, '_>,
    negative_ttl_seconds: Given<'_, '_>,
    version: Given<'_, '_>,
) -> PyResult<CacheRequest> {
    let mut request = CacheRequest::new(text("key", key)?);
    request.ttl = optional_seconds("ttl_seconds", ttl_seconds)?.unwrap_or(request.ttl);
    request.negative_ttl =
        optional_seconds("negative_ttl_seconds", negative_ttl_seconds)?.unwrap_or(request.negative_ttl);
    request.version = whole("version", version)?;
    Ok(request)
}

/// `(value, cached_at_ms, version)` or `None`.
impl Answer for Option<Cached> {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.map_or_else(|| Ok(py.None()), |cached| cached.into_python(py))
    }
}

impl Answer for Cached {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let value = self.value.map_or_else(|| Ok(py.None()), |value| from_json(py, &value))?;
        Ok((value, self.cached_at_ms, self.version).into_pyobject(py)?.into_any().unbind())
    }
}

/// As [`Cached`], or a [`Ticket`].
impl Answer for Fetched {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Fetched::Hit(cached) => cached.into_python(py),
            Fetched::Miss(ticket) => {
                let inner = Mutex::new(ManuallyDrop::new(Some(ticket)));
                Ok(Py::new(py, Ticket { inner, generation: generation() })?.into_any())
            }
            _ => Ok(py.None()),
        }
    }
}
