//! One place that lists the contract's methods for stores that wrap another.

/// The methods of [`Store`](super::Store), each passed on to `self.inner()` and through `self.layer(…)`.
macro_rules! forward_store {
    () => {
        fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
            self.layer(self.inner().get(key))
        }

        fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
            self.layer(self.inner().put(key, value, ttl, when))
        }

        fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
            self.layer(self.inner().take(key))
        }

        fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
            self.layer(self.inner().count(key, by, ttl))
        }

        fn issue<'a>(
            &'a self,
            key: &'a Key,
            input: &'a Issue,
            gate: Option<&'a Gate>,
        ) -> BoxFuture<'a, Result<Issued>> {
            self.layer(self.inner().issue(key, input, gate))
        }

        fn attempt<'a>(
            &'a self,
            key: &'a Key,
            input: &'a Attempt,
            gate: Option<&'a Gate>,
        ) -> BoxFuture<'a, Result<Attempted>> {
            self.layer(self.inner().attempt(key, input, gate))
        }

        fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
            self.layer(self.inner().hit(gate, cost))
        }

        fn hits<'a>(&'a self, rates: &'a Rates, cost: u32) -> BoxFuture<'a, Result<Hits>> {
            self.layer(self.inner().hits(rates, cost))
        }

        fn amend<'a>(&'a self, key: &'a Key, input: &'a Amend) -> BoxFuture<'a, Result<bool>> {
            self.layer(self.inner().amend(key, input))
        }

        fn peek<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Peeked>>> {
            self.layer(self.inner().peek(key))
        }

        fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
            self.layer(self.inner().purge(limit))
        }

        fn granularity(&self) -> Duration {
            self.inner().granularity()
        }
    };
}
pub(super) use forward_store;
