//! The store contract: four atomic primitives, and the hot operations that come with them.
//!
//! A store implements [`Store::get`], [`Store::put`], [`Store::take`] and [`Store::count`]; everything else has a
//! default written once over them. Stores override the hot operations so that each is one round trip; the defaults
//! remain the specification that a property test holds every override against.

mod breaker;
mod challenge;
mod deadline;
mod defaults;
mod fallback;
mod forward;
mod health;
mod item;
mod limit;
#[cfg(any(feature = "redis", feature = "upstash"))]
mod lua;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
mod moving;
#[cfg(feature = "mysql")]
mod mysql;
mod open;
mod packed;
#[cfg(feature = "postgres")]
mod postgres;
mod rate;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "upstash")]
mod upstash;
mod users;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use breaker::Teller;
pub use challenge::{Amend, Attempt, Attempted, Issue, Issued, Peeked, Refused};
pub(crate) use deadline::{Deadline, Layer, late};
pub(crate) use health::examine;
pub use health::{BreakerState, Connection, Inspection};
pub(crate) use item::carry;
pub use item::{Audit, Content, Item, Page, Restored};
pub use limit::{Gate, Hit, Limit};
pub use memory::MemoryStore;
pub(crate) use open::{StoreOptions, open, open_users};
pub use rate::{Algorithm, Hits, Rate, Rates, Room};
pub(crate) use users::{Users, UsersTable};

use crate::error::Result;
use crate::key::Key;

/// Gives back what [`Store::hit`] took.
pub(crate) fn give_back_count<'a>(store: &'a dyn Store, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<()>> {
    Box::pin(defaults::give_back_count(store, gate, cost))
}

/// Gives back what [`Store::hits`] took.
pub(crate) fn give_back<'a>(store: &'a dyn Store, rates: &'a Rates, cost: u32) -> BoxFuture<'a, Result<()>> {
    Box::pin(defaults::give_back(store, rates, cost))
}

/// What store methods return: boxed, so that `dyn Store` works and bindings compile fast.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A value as [`Store::get`] found it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The bytes that were put.
    pub value: Vec<u8>,
    /// Names this state of the key, for [`When::Version`].
    pub version: Version,
    /// The life that remains by the store's clock. `None` only where somebody else removed the expiry; the next
    /// write heals it.
    pub ttl: Option<Duration>,
}

/// An opaque name of one state of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub Vec<u8>);

/// The condition of a [`Store::put`].
#[derive(Clone, Debug)]
pub enum When {
    /// Unconditionally.
    Always,
    /// Only if the key does not exist.
    Absent,
    /// Only if the key has not changed since it was read.
    Version(Version),
}

/// A counter after [`Store::count`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The new value.
    pub value: i64,
    /// The life that remains.
    pub ttl: Duration,
}

/// Where challenges, counters and values are kept.
///
/// Every method is atomic: of any number of concurrent callers, in any processes, each sees all of another's effect
/// or none. Time is the store's own. Nothing lives without an expiry.
///
/// All methods fail with `STORE_UNAVAILABLE` when the store cannot be reached; callers bound them with a deadline,
/// so a dropped future must leave the store usable.
pub trait Store: Debug + Send + Sync + 'static {
    /// Reads a live value.
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>>;

    /// Writes a value and its expiry in one step. `false`: the condition did not hold and nothing was written.
    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>>;

    /// Removes a value and returns it. Of many callers one gets it.
    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>>;

    /// Adds to a counter, which is created together with its expiry; later calls do not extend it.
    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>>;

    /// Issues a challenge, unless a limit says no. With a gate, the gate is hit first and its refusal ends it.
    fn issue<'a>(&'a self, key: &'a Key, input: &'a Issue, gate: Option<&'a Gate>) -> BoxFuture<'a, Result<Issued>> {
        Box::pin(defaults::issue(self, key, input, gate))
    }

    /// Compares a code within its budgets and consumes the challenge when it is right.
    fn attempt<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Attempt,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Attempted>> {
        Box::pin(defaults::attempt(self, key, input, gate))
    }

    /// Takes `cost` from a limit, or refuses and takes nothing.
    fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
        Box::pin(defaults::hit(self, gate, cost))
    }

    /// Takes `cost` from every one of several limits, or nothing from any. With a cost of 0 it only looks.
    fn hits<'a>(&'a self, rates: &'a Rates, cost: u32) -> BoxFuture<'a, Result<Hits>> {
        Box::pin(defaults::hits(self, rates, cost))
    }

    /// Cancels a challenge or undoes its issue. `false`: it was not the live one.
    fn amend<'a>(&'a self, key: &'a Key, input: &'a Amend) -> BoxFuture<'a, Result<bool>> {
        Box::pin(defaults::amend(self, key, input))
    }

    /// What is live, without touching it.
    fn peek<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Peeked>>> {
        Box::pin(defaults::peek(self, key))
    }

    /// Deletes up to `limit` expired rows, where the store does not do so by itself. Returns how many.
    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        let _ = limit;
        Box::pin(async { Ok(0) })
    }

    /// Whether expired rows stay until somebody calls [`Store::purge`].
    fn needs_purge(&self) -> bool {
        false
    }

    /// For moving to another store: up to about `limit` things whose keys begin with `prefix`, from `cursor` on (empty
    /// at first). Whatever is there from the first page to the last is found, once or more. Not for a normal path.
    ///
    /// # Errors
    /// `CONFIG` from a store that cannot list what it holds: the default.
    fn scan<'a>(&'a self, prefix: &'a str, cursor: &'a str, limit: u32) -> BoxFuture<'a, Result<Page>> {
        let _ = (prefix, cursor, limit);
        item::refused::<Self, _>("be moved from")
    }

    /// For moving to another store: takes a live thing out of use and returns it. Until [`Store::forget`] it stays here
    /// for its life, seen by this method alone, which returns it to everybody who asks. With `detached_only`, only what
    /// is out of use already.
    ///
    /// # Errors
    /// `CONFIG` from a store that cannot be moved from: the default.
    fn detach<'a>(&'a self, key: &'a Key, detached_only: bool) -> BoxFuture<'a, Result<Option<Item>>> {
        let _ = (key, detached_only);
        item::refused::<Self, _>("be moved from")
    }

    /// Forgets what was detached, once it is in the other store; nothing else. If the thing has come back since (its mark here
    /// says `item.moves` or more), what waits belongs to a later move and stays.
    fn forget<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<()>> {
        let _ = item;
        item::refused::<Self, _>("be moved from")
    }

    /// Puts into use what another store has detached, in one atomic step with a mark that it has been here: the same
    /// item never comes twice, even if its first arrival was used up since. Where something of the entity is here
    /// already, the code that lives longer stays and of every budget the one that is spent more, so that none is reset.
    /// If the same item waits here, detached, that is over in the same step.
    ///
    /// # Errors
    /// `CONFIG` from a store that cannot be moved to: the default.
    fn restore<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<Restored>> {
        let _ = item;
        item::refused::<Self, _>("be moved to")
    }

    /// [`Store::issue`], if anything is known of the entity. `None`: nothing is, and nothing was done but the gate hit.
    ///
    /// # Errors
    /// `CONFIG` from a store that cannot be moved to: the default.
    fn reissue<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Issue,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Option<Issued>>> {
        let _ = (key, input, gate);
        item::refused::<Self, _>("be moved to")
    }

    /// The finest life it can keep: lives are rounded up to a multiple of it.
    fn granularity(&self) -> Duration {
        Duration::from_millis(1)
    }

    /// Looks whether it can do its work, and at what in its set-up endangers what it keeps, in one round trip. Called when
    /// a client opens and by [`Oncecode::health`](crate::Oncecode::health). `probe` is a key that nothing is kept under.
    ///
    /// # Errors
    /// As of any call that writes; or `CONFIG` for what the store does not allow us.
    fn inspect<'a>(&'a self, probe: &'a Key) -> BoxFuture<'a, Result<Inspection>> {
        health::by_reading(self, probe)
    }

    /// Names the part of the store that `key` is in, where parts may be out of reach while others are not. At most 16
    /// are told apart.
    fn partition(&self, key: &Key) -> usize {
        let _ = key;
        0
    }

    /// What the circuit breaker before it does, where there is one.
    fn connection(&self) -> Option<Connection> {
        None
    }

    /// Releases connections. Later calls may fail.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

impl Store for Arc<dyn Store> {
    forward::forward_store!();

    fn connection(&self) -> Option<Connection> {
        (**self).connection()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        (**self).close()
    }
}

impl Store for Box<dyn Store> {
    forward::forward_store!();

    fn connection(&self) -> Option<Connection> {
        (**self).connection()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        (**self).close()
    }
}

/// What the forwarding macro calls; a pointer adds nothing.
trait Pointer: std::ops::Deref<Target = dyn Store> {
    fn inner(&self) -> &dyn Store {
        &**self
    }

    fn layer<'a, T>(&self, _: Option<&Key>, call: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        call
    }
}

impl Pointer for Arc<dyn Store> {}
impl Pointer for Box<dyn Store> {}
