//! Locks and claims that Python holds.

use std::mem::ManuallyDrop;

use oncecode::{Begun, BoxFuture, Claim, Error, ErrorKind, Lock, Result};
use pyo3::prelude::*;
use serde_json::Value;

use crate::client::Client;
use crate::convert::{from_json, json, seconds};
use crate::fork::generation;
use crate::results::Answer;

/// A lease. Let go by the garbage collector it is not given back, only not renewed any more: collection comes at no known
/// time, and in forked children too.
#[pyclass(frozen, module = "oncecode._native")]
pub(crate) struct Held {
    inner: ManuallyDrop<Inner>,
    generation: u32,
}

enum Inner {
    Lock(Lock),
    Claim(Claim),
}

#[pymethods]
impl Held {
    /// Proves the ownership, from any process.
    #[getter]
    fn token(&self) -> &str {
        match &*self.inner {
            Inner::Lock(lock) => lock.token(),
            Inner::Claim(claim) => claim.token(),
        }
    }

    /// The fencing number.
    #[getter]
    fn fence(&self) -> u64 {
        match &*self.inner {
            Inner::Lock(lock) => lock.fence(),
            Inner::Claim(claim) => claim.fence(),
        }
    }

    /// How much longer it may be relied on.
    #[getter]
    fn remaining_seconds(&self) -> f64 {
        match &*self.inner {
            // Nobody renews it here, and it is the parent's.
            _ if self.generation != generation() => 0.0,
            Inner::Lock(lock) => lock.remaining().as_secs_f64(),
            Inner::Claim(claim) => claim.remaining().as_secs_f64(),
        }
    }

    /// Whether it was lost.
    #[getter]
    fn lost(&self) -> bool {
        match &*self.inner {
            Inner::Lock(lock) => lock.lost().is_cancelled(),
            Inner::Claim(claim) => claim.lost().is_cancelled(),
        }
    }
}

impl Held {
    fn new(inner: Inner) -> Self {
        Self { inner: ManuallyDrop::new(inner), generation: generation() }
    }

    /// The thing itself, in the process that has it.
    fn ours(&self) -> Result<&Inner> {
        match self.generation == generation() {
            true => Ok(&self.inner),
            false => Err(Error::new(ErrorKind::LeaseLost, "it is held by the process that this one was forked from")),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What a fork has copied is the parent's, as is the runtime it would be given back on.
        if self.generation == generation() {
            if let Inner::Lock(lock) = &*self.inner {
                lock.detach();
            }
            // SAFETY: dropped nowhere else.
            unsafe { ManuallyDrop::drop(&mut self.inner) };
        }
    }
}

#[pymethods]
impl Client {
    /// `True` when it is lost, `False` when it is given back.
    fn ended(&self, held: &Bound<'_, Held>) -> PyResult<Py<PyAny>> {
        let ended = held.get().ours().map(|inner| match inner {
            Inner::Lock(lock) => lock.ended(),
            Inner::Claim(claim) => claim.ended(),
        });
        self.perform(held.py(), move |_| Box::pin(async move { Ok(ended?.await) }))
    }

    /// `lock.extend`.
    fn extend_held(&self, held: &Bound<'_, Held>, ttl_seconds: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let ttl = seconds("ttl_seconds", ttl_seconds)?;
        let extending = held.get().ours().map(|inner| match inner {
            Inner::Lock(lock) => lock.extend(ttl),
            Inner::Claim(_) => wrong(),
        });
        self.perform(held.py(), move |_| or_refused(extending))
    }

    /// `lock.release`, `claim.abandon`.
    fn release_held(&self, held: &Bound<'_, Held>) -> PyResult<Py<PyAny>> {
        let releasing = held.get().ours().map(|inner| match inner {
            Inner::Lock(lock) => lock.release(),
            Inner::Claim(claim) => claim.abandon(),
        });
        self.perform(held.py(), move |_| or_refused(releasing))
    }

    /// `claim.complete`.
    fn complete_held(&self, held: &Bound<'_, Held>, reply: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let reply = json("the reply", reply)?.unwrap_or(Value::Null);
        let completing = held.get().ours().map(|inner| match inner {
            Inner::Claim(claim) => claim.complete(&reply),
            Inner::Lock(_) => wrong(),
        });
        self.perform(held.py(), move |_| or_refused(completing))
    }
}

fn or_refused<T: Send + 'static>(operation: Result<BoxFuture<'static, Result<T>>>) -> BoxFuture<'static, Result<T>> {
    operation.unwrap_or_else(|e| Box::pin(std::future::ready(Err(e))))
}

/// Only the Python layer could mix them up.
fn wrong() -> BoxFuture<'static, Result<()>> {
    Box::pin(async { Err(Error::new(ErrorKind::Internal, "a lock is no claim")) })
}

impl Answer for Lock {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Held::new(Inner::Lock(self)))?.into_any())
    }
}

impl Answer for Option<Lock> {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.map_or_else(|| Ok(py.None()), |lock| lock.into_python(py))
    }
}

/// `(claim, None)` or `(None, value)`.
impl Answer for Begun {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let pair = match self {
            Begun::Claimed(claim) => (Py::new(py, Held::new(Inner::Claim(claim)))?.into_any(), py.None()),
            Begun::Replayed(reply) => (py.None(), from_json(py, &reply.value)?),
            _ => (py.None(), py.None()),
        };
        Ok(pair.into_pyobject(py)?.into_any().unbind())
    }
}
