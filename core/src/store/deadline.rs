//! A deadline around every call of any store: nothing a store does can make a caller wait longer.

use std::time::Duration;

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

    fn within<'a, T: Send + 'a>(&self, call: BoxFuture<'a, Result<T>>) -> BoxFuture<'a, Result<T>> {
        let limit = self.limit;
        Box::pin(async move { tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late(limit))) })
    }
}

pub(super) fn late(limit: Duration) -> Error {
    Error::new(ErrorKind::StoreUnavailable, format!("the store did not answer within {} ms", limit.as_millis()))
}

impl Store for Deadline {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.within(self.inner.get(key))
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        self.within(self.inner.put(key, value, ttl, when))
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.within(self.inner.take(key))
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        self.within(self.inner.count(key, by, ttl))
    }

    fn issue<'a>(&'a self, key: &'a Key, input: &'a Issue, gate: Option<&'a Gate>) -> BoxFuture<'a, Result<Issued>> {
        self.within(self.inner.issue(key, input, gate))
    }

    fn attempt<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Attempt,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Attempted>> {
        self.within(self.inner.attempt(key, input, gate))
    }

    fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
        self.within(self.inner.hit(gate, cost))
    }

    fn amend<'a>(&'a self, key: &'a Key, input: &'a Amend) -> BoxFuture<'a, Result<bool>> {
        self.within(self.inner.amend(key, input))
    }

    fn peek<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Peeked>>> {
        self.within(self.inner.peek(key))
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        self.within(self.inner.purge(limit))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let (limit, call) = (self.limit, self.inner.close());
        Box::pin(async move {
            // Closing is a courtesy to the server; a dead one need not be waited for.
            let _ = tokio::time::timeout(limit, call).await;
        })
    }
}
