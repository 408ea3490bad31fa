//! A store reduced to its primitives, so that the contract's default implementations run.

use std::time::Duration;

use crate::error::Result;
use crate::key::Key;
use crate::store::{BoxFuture, Count, Entry, Store, When};

/// Passes the four primitives on and overrides nothing: what any store must be equal to.
#[derive(Debug)]
pub struct Primitives<S>(pub S);

impl<S: Store> Store for Primitives<S> {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.0.get(key)
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        self.0.put(key, value, ttl, when)
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.0.take(key)
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        self.0.count(key, by, ttl)
    }

    fn granularity(&self) -> Duration {
        self.0.granularity()
    }
}
