//! A lease that this process holds: how long it may believe in it, and who is told when it is lost.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::record::millis;
use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::random::Random;
use crate::store::BoxFuture;
use crate::time::Clock;

/// Shorter ones are over before a busy store answers.
pub(super) const SHORTEST: Duration = Duration::from_millis(10);

/// Longer work should renew, or nobody could take over from a dead process for days.
pub(super) const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// Clones share it.
#[derive(Clone)]
pub(super) struct Lease {
    shared: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    clock: Arc<dyn Clock>,
    /// On the monotonic clock, in milliseconds.
    ends: AtomicU64,
    /// Told when the end comes earlier.
    sooner: Notify,
    /// Held by the one who extends it: of two answers nobody knows which is of the later write.
    extending: Mutex<()>,
    lost: CancellationToken,
    done: CancellationToken,
}

/// Asks the store for more time, and tells the lease.
pub(super) type Extend = Box<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;

impl Lease {
    /// Begins with the moment at which the store was asked.
    pub(super) fn new(core: &Core, asked: Duration, ttl: Duration) -> Result<Self> {
        let shared = Shared {
            clock: Arc::clone(&core.clock),
            ends: AtomicU64::new(millis(asked + ttl)),
            sooner: Notify::new(),
            extending: Mutex::new(()),
            lost: CancellationToken::new(),
            done: CancellationToken::new(),
        };
        Ok(Self { shared: Arc::new(shared), runtime: runtime()? })
    }

    /// How much longer the lease may be believed in: nothing, once it was lost or given back.
    pub(super) fn left(&self) -> Duration {
        if self.shared.lost.is_cancelled() || self.shared.done.is_cancelled() {
            return Duration::ZERO;
        }
        let now = millis(self.shared.clock.elapsed());
        Duration::from_millis(self.shared.ends.load(Ordering::SeqCst).saturating_sub(now))
    }

    /// Has the store give it `ttl` from now on: by `ask`, which says when it asked the store.
    ///
    /// # Errors
    /// `LEASE_LOST`, and whoever listens is told; what `ask` fails with, and then of the two ends the earlier counts.
    pub(super) async fn extend(
        &self,
        what: &str,
        ttl: Duration,
        ask: impl Future<Output = Result<Duration>>,
    ) -> Result<()> {
        let _turn = self.shared.extending.lock().await;
        if self.left().is_zero() {
            self.lose();
            return Err(lost(what));
        }
        // Until the answer is here, nobody knows whether the store did it; dropped half way, nobody ever will.
        let asked = millis(self.shared.clock.elapsed() + ttl);
        if self.shared.ends.fetch_min(asked, Ordering::SeqCst) > asked {
            self.shared.sooner.notify_one();
        }
        let asked = ask.await.inspect_err(|e| {
            if e.kind() == ErrorKind::LeaseLost {
                self.lose();
            }
        })?;
        // Who was told of a loss meanwhile is not told otherwise.
        if self.shared.lost.is_cancelled() {
            return Err(lost(what));
        }
        self.shared.ends.store(millis(asked + ttl), Ordering::SeqCst);
        Ok(())
    }

    /// Tells whoever listens that it is lost, unless it was given back.
    pub(super) fn lose(&self) {
        if !self.shared.done.is_cancelled() {
            self.shared.lost.cancel();
        }
    }

    /// It is given back. `false`: it was before.
    pub(super) fn finish(&self) -> bool {
        let first = !self.shared.done.is_cancelled();
        self.shared.done.cancel();
        first
    }

    /// Cancelled when the lease is lost.
    pub(super) fn lost(&self) -> CancellationToken {
        self.shared.lost.clone()
    }

    /// Waits for the end: `true` when it was lost, `false` when it was given back.
    pub(super) fn ended(&self) -> BoxFuture<'static, bool> {
        let (lost, done) = (self.shared.lost.clone(), self.shared.done.clone());
        Box::pin(async move {
            tokio::select! {
                biased;
                () = done.cancelled() => false,
                () = lost.cancelled() => true,
            }
        })
    }

    /// Runs something that nobody waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// Tells of a loss as soon as it happens. With `extend`, renews when a third of `ttl` has passed.
    pub(super) fn watch(&self, ttl: Duration, extend: Option<Extend>) {
        self.spawn(watch(self.clone(), ttl, extend));
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({:?} left)", self.left())
    }
}

async fn watch(lease: Lease, ttl: Duration, extend: Option<Extend>) {
    let mut pause = ttl / 3;
    loop {
        let left = lease.left();
        if left.is_zero() {
            return lease.lose();
        }
        let nap = if extend.is_some() { left.min(pause) } else { left };
        tokio::select! {
            _ = lease.ended() => return,
            () = lease.shared.sooner.notified() => continue,
            () = sleep(nap) => {}
        }
        let left = lease.left();
        let Some(extend) = extend.as_ref().filter(|_| !left.is_zero()) else { continue };
        pause = match timeout(left, extend()).await {
            Ok(Ok(())) => ttl / 3,
            Ok(Err(e)) if e.kind() == ErrorKind::LeaseLost => return lease.lose(),
            // The store may be back before the lease is over.
            _ => ttl / 10,
        };
    }
}

/// A token that nobody can guess.
pub(super) fn token(random: &dyn Random) -> Result<String> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Waits for a turn: longer each time, and never all at the same moment.
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(Duration::from_millis(10))
    }

    /// The next pause; not much longer than what is known to be `left`.
    pub(super) fn next(&mut self, left: Duration, random: &dyn Random) -> Result<Duration> {
        let mut dice = [0; 1];
        random.fill(&mut dice)?;
        let pause = self.0.min(left + Duration::from_millis(1));
        self.0 = (self.0 * 3 / 2).min(Duration::from_millis(250));
        // From a half of it to all.
        Ok(pause.mul_f64(0.5 + f64::from(dice[0]) / 510.0))
    }
}

/// Checks the length of a lease.
pub(super) fn check(name: &str, ttl: Duration) -> Result<()> {
    match (SHORTEST..=LONGEST).contains(&ttl) {
        true => Ok(()),
        false => Err(Error::argument(format!("{name} must be from 0.01 s to 7 days"))),
    }
}

pub(super) fn lost(what: &str) -> Error {
    Error::new(ErrorKind::LeaseLost, format!("{what} is no longer yours: its lease ran out, or somebody else has it"))
}

fn runtime() -> Result<Handle> {
    Handle::try_current()
        .map_err(|e| Error::config("leases are watched by a tokio runtime; none is here").with_source(e))
}
