//! A deadline around every call of any store: nothing a store does can make a caller wait longer.

use std::time::Duration;

use super::forward::forward_store;
use super::*;
use crate::error::{Error, ErrorKind};

/// The layer.
#[derive(Debug)]
pub(crate) struct Deadline {
    inner: Box<dyn Store>,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn new(inner: Box<dyn Store>, limit: Duration) -> Self {
        Self { inner, limit }
    }

    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn layer<'a, T: Send + 'a>(&self, call: BoxFuture<'a, Result<T>>) -> BoxFuture<'a, Result<T>> {
        let limit = self.limit;
        Box::pin(async move { tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late(limit))) })
    }
}

pub(crate) fn late(limit: Duration) -> Error {
    Error::new(ErrorKind::StoreUnavailable, format!("the store did not answer within {} ms", limit.as_millis()))
}

impl Store for Deadline {
    forward_store!();

    fn close(&self) -> BoxFuture<'_, ()> {
        let (limit, call) = (self.limit, self.inner.close());
        Box::pin(async move {
            // Closing is a courtesy to the server; a dead one need not be waited for.
            let _ = tokio::time::timeout(limit, call).await;
        })
    }
}
