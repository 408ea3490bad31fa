//! One place that lists the contract's methods for stores that wrap another.

/// The methods of [`Store`](super::Store), each passed on to `self.inner()` and through `self.layer(key, …)`.
macro_rules! forward_store {
    () => {
        fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
            self.layer(Some(key), self.inner().get(key))
        }

        fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
            self.layer(Some(key), self.inner().put(key, value, ttl, when))
        }

        fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
            self.layer(Some(key), self.inner().take(key))
        }

        fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
            self.layer(Some(key), self.inner().count(key, by, ttl))
        }

        fn issue<'a>(
            &'a self,
            key: &'a Key,
            input: &'a Issue,
            gate: Option<&'a Gate>,
        ) -> BoxFuture<'a, Result<Issued>> {
            self.layer(Some(key), self.inner().issue(key, input, gate))
        }

        fn attempt<'a>(
            &'a self,
            key: &'a Key,
            input: &'a Attempt,
            gate: Option<&'a Gate>,
        ) -> BoxFuture<'a, Result<Attempted>> {
            self.layer(Some(key), self.inner().attempt(key, input, gate))
        }

        fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
            self.layer(Some(&gate.key), self.inner().hit(gate, cost))
        }

        fn hits<'a>(&'a self, rates: &'a Rates, cost: u32) -> BoxFuture<'a, Result<Hits>> {
            self.layer(Some(&rates.key), self.inner().hits(rates, cost))
        }

        fn amend<'a>(&'a self, key: &'a Key, input: &'a Amend) -> BoxFuture<'a, Result<bool>> {
            self.layer(Some(key), self.inner().amend(key, input))
        }

        fn peek<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Peeked>>> {
            self.layer(Some(key), self.inner().peek(key))
        }

        fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
            self.layer(None, self.inner().purge(limit))
        }

        fn inspect<'a>(&'a self, probe: &'a Key) -> BoxFuture<'a, Result<Inspection>> {
            self.layer(Some(probe), self.inner().inspect(probe))
        }

        fn partition(&self, key: &Key) -> usize {
            self.inner().partition(key)
        }

        fn scan<'a>(&'a self, prefix: &'a str, cursor: &'a str, limit: u32) -> BoxFuture<'a, Result<Page>> {
            self.layer(None, self.inner().scan(prefix, cursor, limit))
        }

        fn detach<'a>(&'a self, key: &'a Key, detached_only: bool) -> BoxFuture<'a, Result<Option<Item>>> {
            self.layer(Some(key), self.inner().detach(key, detached_only))
        }

        fn forget<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<()>> {
            self.layer(Some(&item.key), self.inner().forget(item))
        }

        fn restore<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<Restored>> {
            self.layer(Some(&item.key), self.inner().restore(item))
        }

        fn reissue<'a>(
            &'a self,
            key: &'a Key,
            input: &'a Issue,
            gate: Option<&'a Gate>,
        ) -> BoxFuture<'a, Result<Option<Issued>>> {
            self.layer(Some(key), self.inner().reissue(key, input, gate))
        }

        fn needs_purge(&self) -> bool {
            self.inner().needs_purge()
        }

        fn granularity(&self) -> Duration {
            self.inner().granularity()
        }
    };
}
pub(super) use forward_store;
