//! `once.locks`: acquire, extend, release.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::lease::{self, Extend, Lease, Pauses};
use super::record::{self, Fields, Now, Record, Step, mark};
use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::store::BoxFuture;

/// How long a lock's record outlives its last lease at the least: so long its numbers go on by one, and after that
/// they begin again at the time of day in milliseconds, which is higher still.
const MEMORY: Duration = record::LONGEST;

/// Locks across processes. From [`Oncecode::locks`](crate::Oncecode::locks).
///
/// A lock has a lease: a holder that dies is out of the way when it ends. A holder that is only slow must stop when
/// it is told of the loss ([`Lock::lost`]), and what it writes to should refuse a fencing number below the highest
/// it has seen ([`Lock::fence`]): a process may be stopped between looking at the clock and writing.
#[derive(Clone, Debug)]
pub struct Locks {
    pub(crate) core: Arc<Core>,
}

/// What [`Locks::acquire`] needs.
#[derive(Clone)]
#[non_exhaustive]
pub struct LockRequest {
    /// What is locked, 1 to 1024 bytes.
    pub name: String,
    /// The lease: 10 ms to 7 days.
    pub ttl: Duration,
    /// How long to wait for another holder, 10 s by default.
    pub wait: Duration,
    /// Whether the lease is renewed while the lock is held; it then ends `ttl` after the holder dies.
    pub renew: bool,
}

/// A lock that is held. Dropped, it is released in the background; [`Lock::release`] says whether it still was held.
pub struct Lock {
    held: Arc<Held>,
}

struct Held {
    core: Arc<Core>,
    key: Key,
    token: String,
    fence: u64,
    ttl: Duration,
    lease: Lease,
}

impl Locks {
    /// Waits for the lock, by asking again and again.
    ///
    /// # Errors
    /// `LOCKED` with `retry_after` when `wait` is over; `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`, without waiting, and also
    /// when the store took so long to answer that the lease was over.
    pub fn acquire(&self, request: LockRequest) -> BoxFuture<'static, Result<Lock>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let (mut waiting, mut pauses) = (pin!(sleep(request.wait)), Pauses::new());
            loop {
                let last = waiting.is_elapsed();
                let left = match claim(&core, &request).await? {
                    Claimed::Ours(lock) => return Ok(lock),
                    Claimed::Held(left) => left,
                };
                if last || request.wait.is_zero() {
                    let locked = Error::new(ErrorKind::Locked, "somebody else holds the lock");
                    return Err(locked.with_retry_after(left));
                }
                tokio::select! {
                    () = sleep(pauses.next(left, &*core.random)?) => {}
                    () = &mut waiting => {}
                }
            }
        })
    }

    /// The lock if it is free. `None`: somebody else holds it. Does not wait.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`, as [`Locks::acquire`].
    pub fn try_acquire(&self, request: LockRequest) -> BoxFuture<'static, Result<Option<Lock>>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            Ok(match claim(&core, &request).await? {
                Claimed::Ours(lock) => Some(lock),
                Claimed::Held(_) => None,
            })
        })
    }

    /// Extends a lock that is known by its token, such as one that another process acquired: it ends `ttl` from now.
    ///
    /// # Errors
    /// `LEASE_LOST` when it is not held with this token any more: a lock that was lost is never created anew.
    pub fn extend(&self, name: &str, token: &str, ttl: Duration) -> BoxFuture<'static, Result<()>> {
        let (core, name, token) = (Arc::clone(&self.core), name.to_owned(), token.to_owned());
        Box::pin(async move { extend(core.open()?, &name_of(&core, &name)?, &token, ttl).await.map(|_| ()) })
    }

    /// Releases a lock that is known by its token. `false`: it was not held with it any more.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn release(&self, name: &str, token: &str) -> BoxFuture<'static, Result<bool>> {
        let (core, name, token) = (Arc::clone(&self.core), name.to_owned(), token.to_owned());
        Box::pin(async move { release(core.open()?, &name_of(&core, &name)?, &token).await })
    }
}

impl LockRequest {
    /// Waits 10 s and does not renew; set the rest on its public fields.
    pub fn new(name: impl Into<String>, ttl: Duration) -> Self {
        Self { name: name.into(), ttl, wait: Duration::from_secs(10), renew: false }
    }
}

impl Lock {
    /// Proves the ownership to [`Locks::extend`] and [`Locks::release`], from any process.
    pub fn token(&self) -> &str {
        &self.held.token
    }

    /// The fencing number: higher than that of every holder before.
    pub fn fence(&self) -> u64 {
        self.held.fence
    }

    /// How much longer the lock may be relied on, by the monotonic clock; zero once it is lost.
    ///
    /// That clock stands still while a machine sleeps: what must not be written twice needs the fencing number.
    pub fn remaining(&self) -> Duration {
        self.held.lease.left()
    }

    /// Cancelled when the lock is lost: the lease ran out, or the store says that somebody else has it.
    pub fn lost(&self) -> CancellationToken {
        self.held.lease.lost()
    }

    /// Waits for the end: `true` when the lock is lost, `false` when it is released.
    pub fn ended(&self) -> BoxFuture<'static, bool> {
        self.held.lease.ended()
    }

    /// The lease ends `ttl` from now. Extensions of one lock wait for each other.
    ///
    /// # Errors
    /// `LEASE_LOST` when the lock was lost; `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`: the store may have done it or not, so the
    /// lock is held until the old end or the new one, whichever is earlier.
    pub fn extend(&self, ttl: Duration) -> BoxFuture<'static, Result<()>> {
        let held = Arc::clone(&self.held);
        Box::pin(async move { held.extend(ttl).await })
    }

    /// Gives the lock back. `false`: it was lost, or released before.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`: the lock is free when its lease ends, which is not renewed any more.
    pub fn release(&self) -> BoxFuture<'static, Result<bool>> {
        let held = Arc::clone(&self.held);
        Box::pin(async move {
            let lost = held.lease.lost().is_cancelled();
            // A lost one is given back as well: the store lets others in a moment after the holder was told.
            let first = held.lease.finish();
            Ok(first && release(held.core.open()?, &held.key, &held.token).await? && !lost)
        })
    }

    /// Lets go without releasing: the lease runs to its end, for whoever has the token.
    pub fn detach(&self) {
        self.held.lease.finish();
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.held.lease.finish() {
            let held = Arc::clone(&self.held);
            self.held.lease.spawn(async move {
                // A store out of reach forgets the lock by itself when the lease ends.
                let _ = release(&held.core, &held.key, &held.token).await;
            });
        }
    }
}

impl fmt::Debug for LockRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name may hold an address.
        f.debug_struct("LockRequest").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("fence", &self.held.fence).field("lease", &self.held.lease).finish_non_exhaustive()
    }
}

impl Held {
    async fn extend(&self, ttl: Duration) -> Result<()> {
        lease::check("ttl", ttl)?;
        let ask = async { extend(self.core.open()?, &self.key, &self.token, ttl).await };
        self.lease.extend("the lock", ttl, ask).await
    }
}

enum Claimed {
    Ours(Lock),
    Held(Duration),
}

async fn claim(core: &Arc<Core>, request: &LockRequest) -> Result<Claimed> {
    core.open()?;
    lease::check("ttl", request.ttl)?;
    let key = name_of(core, &request.name)?;
    let token = lease::token(&*core.random)?;
    let owner = mark(&token);
    let claimed = record::update(core, &key, |record: &mut LockRecord, now| {
        let left = now.left(record.ends);
        // Ours already, when the reply to the write was lost.
        if !left.is_zero() && record.owner != owner {
            return Step::Keep(Err(left));
        }
        let fence = if record.fence == 0 { record::first_number(core) } else { record.fence + 1 };
        *record = LockRecord { fence, owner, ends: now.lease(request.ttl) };
        Step::Write(Ok((fence, now.asked)), MEMORY)
    });
    let (fence, asked) = match claimed.await? {
        Ok(claimed) => claimed,
        Err(left) => return Ok(Claimed::Held(left)),
    };
    let lease = Lease::new(core, asked, request.ttl)?;
    let lock = Lock { held: Arc::new(Held { core: Arc::clone(core), key, token, fence, ttl: request.ttl, lease }) };
    if lock.remaining().is_zero() {
        // Dropping gives it back.
        return Err(Error::new(ErrorKind::StoreUnavailable, "the store took longer to answer than the lease lasts"));
    }
    lock.held.lease.watch(request.ttl, request.renew.then(|| lock.held.renewal()));
    Ok(Claimed::Ours(lock))
}

impl Held {
    fn renewal(self: &Arc<Self>) -> Extend {
        let held = Arc::clone(self);
        Box::new(move || {
            let held = Arc::clone(&held);
            Box::pin(async move { held.extend(held.ttl).await })
        })
    }
}

/// When the store was asked.
async fn extend(core: &Core, key: &Key, token: &str, ttl: Duration) -> Result<Duration> {
    lease::check("ttl", ttl)?;
    let extended = record::update(core, key, |record: &mut LockRecord, now| match record.is_held(token, now) {
        true => {
            record.ends = now.lease(ttl);
            Step::Write(Some(now.asked), MEMORY)
        }
        false => Step::Keep(None),
    });
    extended.await?.ok_or_else(|| lease::lost("the lock"))
}

async fn release(core: &Core, key: &Key, token: &str) -> Result<bool> {
    let released = record::update(core, key, |record: &mut LockRecord, now| match record.is_held(token, now) {
        true => {
            record.ends = 0;
            Step::Write(true, MEMORY)
        }
        false => Step::Keep(false),
    });
    released.await
}

fn name_of(core: &Core, name: &str) -> Result<Key> {
    record::key(core, "lock", "name", &[name])
}

/// The last holder of a lock.
#[derive(Default)]
struct LockRecord {
    fence: u64,
    owner: [u8; 16],
    /// When the lease ends, on the record's line.
    ends: u64,
}

impl LockRecord {
    fn is_held(&self, token: &str, now: Now) -> bool {
        self.owner == mark(token) && !now.left(self.ends).is_zero()
    }
}

impl Record for LockRecord {
    const FORMAT: u8 = 1;

    fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.fence.to_le_bytes());
        into.extend_from_slice(&self.owner);
        into.extend_from_slice(&self.ends.to_le_bytes());
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { fence: fields.number()?, owner: fields.array()?, ends: fields.number()? })
    }
}
