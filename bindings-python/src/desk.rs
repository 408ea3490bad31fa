//! Where Python's threads leave errands for tokio's thread.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use futures::FutureExt;
use oncecode::BoxFuture;
use tokio::sync::Notify;

use crate::fork::forking;
use crate::queue::wake_readers;

/// Tokio's thread looks here before it sleeps, so that it need only be woken when it does sleep: by a system call, which
/// costs more than most errands.
pub(crate) struct Desk {
    errands: Mutex<Vec<BoxFuture<'static, ()>>>,
    bell: Notify,
    /// Nobody has rung since tokio's thread last looked.
    unrung: AtomicBool,
    /// Tokio's thread runs.
    awake: AtomicBool,
    under_way: AtomicUsize,
}

impl Desk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            errands: Mutex::default(),
            bell: Notify::new(),
            unrung: AtomicBool::new(false),
            awake: AtomicBool::new(true),
            under_way: AtomicUsize::new(0),
        })
    }

    pub(crate) fn leave(&'static self, errand: impl Future<Output = ()> + Send + 'static) {
        self.began();
        let errand = Box::pin(errand.map(|()| self.ended()));
        self.errands.lock().unwrap_or_else(PoisonError::into_inner).push(errand);
        if self.unrung.swap(false, Ordering::SeqCst) {
            self.bell.notify_one();
        }
    }

    /// Wakes tokio's thread at every ring; it takes the errands when it is about to sleep again.
    pub(crate) async fn attend(&self) {
        loop {
            self.bell.notified().await;
        }
    }

    pub(crate) fn before_sleep(&self) {
        wake_readers();
        // First the flag, then the look: who leaves an errand in between rings.
        self.unrung.store(true, Ordering::SeqCst);
        let errands = mem::take(&mut *self.errands.lock().unwrap_or_else(PoisonError::into_inner));
        if errands.is_empty() {
            self.awake.store(false, Ordering::SeqCst);
            return;
        }
        self.unrung.store(false, Ordering::SeqCst);
        for errand in errands {
            tokio::spawn(errand);
        }
    }

    pub(crate) fn after_sleep(&self) {
        self.awake.store(true, Ordering::SeqCst);
        while forking() {
            self.awake.store(false, Ordering::SeqCst);
            thread::yield_now();
            self.awake.store(true, Ordering::SeqCst);
        }
    }

    /// One call more. How many others are under way.
    pub(crate) fn began(&self) -> usize {
        self.under_way.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn ended(&self) {
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }

    #[cfg(unix)]
    pub(crate) fn calls_under_way(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) > 0
    }

    /// Whether tokio's thread sleeps. Once [`forking`] it goes on sleeping.
    #[cfg(unix)]
    pub(crate) fn at_rest(&self) -> bool {
        !self.awake.load(Ordering::SeqCst)
    }
}
