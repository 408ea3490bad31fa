//! Sockets that an event loop of the host's watches.

use std::fmt;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::Turn;

/// An event loop of the host's, which runs on one thread.
#[derive(Debug)]
pub struct EventLoop(AtomicU64);

impl EventLoop {
    /// One that can watch sockets.
    #[allow(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(NOBODY + 1);
        Self(AtomicU64::new(NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// One that cannot: the runtime does it.
    pub fn blind() -> Self {
        Self(AtomicU64::new(NOBODY))
    }

    /// It cannot after all.
    pub fn set_blind(&self) {
        self.0.store(NOBODY, Ordering::Relaxed);
    }

    pub(crate) fn id(&self) -> LoopId {
        LoopId(self.0.load(Ordering::Relaxed))
    }
}

/// What an event loop is known by, while it can watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoopId(u64);

impl LoopId {
    pub(crate) const BLIND: Self = Self(NOBODY);
}

/// No loop: the runtime may be relieved.
const NOBODY: u64 = 0;
/// Several loops at once have used it: the runtime, which never waits for one of them.
const EVERYBODY: u64 = u64::MAX;

/// Which loop watches a socket.
#[derive(Debug, Default)]
pub(crate) struct Watcher(AtomicU64);

pub(crate) enum Choice {
    /// As before.
    Same,
    /// The loop that asks.
    Chosen,
    /// No loop any more.
    Shared,
}

impl Watcher {
    /// Has `event_loop`, which uses the socket, watch it if no other loop does.
    pub(crate) fn choose(&self, event_loop: LoopId) -> Choice {
        let chosen = self.0.compare_exchange(NOBODY, event_loop.0, Ordering::AcqRel, Ordering::Acquire);
        match chosen {
            Ok(_) if event_loop == LoopId::BLIND => Choice::Same,
            Ok(_) => Choice::Chosen,
            Err(EVERYBODY) => Choice::Same,
            Err(same) if same == event_loop.0 => Choice::Same,
            Err(_) => {
                self.0.store(EVERYBODY, Ordering::Release);
                Choice::Shared
            }
        }
    }

    pub(crate) fn is(&self, event_loop: LoopId) -> bool {
        self.0.load(Ordering::Acquire) == event_loop.0
    }

    pub(crate) fn is_host(&self) -> bool {
        !matches!(self.0.load(Ordering::Acquire), NOBODY | EVERYBODY)
    }

    fn release(&self, event_loop: LoopId) {
        // Another may have become it.
        let _ = self.0.compare_exchange(event_loop.0, NOBODY, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// Something that calls leave what they have to send with, and that reads what comes back.
pub(crate) trait Outlet: Send + Sync {
    /// Sends it, on this thread if it can. What the turn's loop is to watch from now on.
    fn flush(self: Arc<Self>, turn: Turn) -> Option<Watch>;

    /// Has it sent by its own task, which also reads.
    fn delegate(&self);

    /// Reads, on this thread. Whether there will be more.
    fn read(self: Arc<Self>) -> bool;

    /// What is known of it; what nobody has read is read by its own task.
    fn glance(&self) -> Glance;
}

pub(crate) enum Glance {
    /// No loop watches it.
    Over,
    /// No answer is waited for.
    Idle,
    Waiting,
}

/// What can be watched.
pub(crate) trait Watched: Send + Sync {
    fn watcher(&self) -> &Watcher;

    #[cfg(unix)]
    fn descriptor(&self) -> BorrowedFd<'_>;
}

/// A socket for a host's event loop to watch. Dropping it gives it back to the runtime.
pub struct Watch {
    event_loop: LoopId,
    outlet: Weak<dyn Outlet>,
    socket: Arc<dyn Watched>,
}

impl Watch {
    pub(crate) fn new(event_loop: LoopId, outlet: &Arc<impl Outlet + 'static>, socket: Arc<dyn Watched>) -> Self {
        let outlet: Arc<dyn Outlet> = Arc::clone(outlet) as _;
        Self { event_loop, outlet: Arc::downgrade(&outlet), socket }
    }

    pub(super) fn event_loop(&self) -> LoopId {
        self.event_loop
    }

    pub(super) fn read(&self) -> bool {
        let outlet = self.outlet.upgrade().filter(|_| self.socket.watcher().is(self.event_loop));
        outlet.is_some_and(Outlet::read)
    }
}

#[cfg(unix)]
impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.descriptor()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.socket.watcher().release(self.event_loop);
        if let Some(outlet) = self.outlet.upgrade() {
            outlet.delegate();
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}
