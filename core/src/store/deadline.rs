//! A deadline around every call of any store, and a circuit breaker before it: nothing a store does can make a caller wait
//! longer, and one that is out of reach is not waited for at all.

use std::time::Duration;

use super::breaker::{Breaker, Teller};
use super::forward::forward_store;
use super::*;
use crate::config;
use crate::error::{Error, ErrorKind};

/// The layer.
#[derive(Debug)]
pub(crate) struct Deadline {
    inner: Box<dyn Store>,
    limit: Duration,
    breaker: Option<Breaker>,
}

/// What the layer is made of.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// The bound of every call, connecting included.
    pub(crate) deadline: Duration,
    /// `None`: every call is let through.
    pub(crate) breaker: Option<config::Breaker>,
    pub(crate) teller: Teller,
}

impl Deadline {
    pub(crate) fn new(inner: Box<dyn Store>, layer: Layer) -> Self {
        let Layer { deadline, breaker, teller } = layer;
        Self { inner, limit: deadline, breaker: breaker.map(|rules| Breaker::new(rules, deadline, teller)) }
    }

    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn layer<'a, T: Send + 'a>(
        &'a self,
        key: Option<&Key>,
        call: BoxFuture<'a, Result<T>>,
    ) -> BoxFuture<'a, Result<T>> {
        let (limit, breaker) = (self.limit, self.breaker.as_ref());
        let partition = key.map_or(0, |key| self.inner.partition(key));
        Box::pin(async move {
            let pass = breaker.map(|breaker| breaker.admit(partition)).transpose()?;
            let outcome = tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late(limit)));
            if let Some(pass) = pass {
                pass.end(outcome.as_ref().is_err_and(Error::is_outage));
            }
            outcome
        })
    }
}

pub(crate) fn late(limit: Duration) -> Error {
    Error::new(ErrorKind::StoreUnavailable, format!("the store did not answer within {} ms", limit.as_millis()))
}

impl Store for Deadline {
    forward_store!();

    fn connection(&self) -> Option<Connection> {
        self.breaker.as_ref().map(Breaker::connection).or_else(|| self.inner.connection())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let (limit, call) = (self.limit, self.inner.close());
        Box::pin(async move {
            // Closing is a courtesy to the server; a dead one need not be waited for.
            let _ = tokio::time::timeout(limit, call).await;
        })
    }
}
