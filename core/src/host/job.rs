//! One call under way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use super::{Call, Jobs, lock, turn};

pub(super) struct Job {
    jobs: &'static Jobs,
    /// Gone at its end.
    call: Mutex<Option<Call>>,
    /// Whether it is among those that are ready.
    waits: AtomicBool,
}

impl Job {
    pub(super) fn new(jobs: &'static Jobs, call: Call) -> Arc<Self> {
        Arc::new(Self { jobs, call: Mutex::new(Some(call)), waits: AtomicBool::new(false) })
    }

    /// Takes it as far as it goes without waiting.
    pub(super) fn advance(self: &Arc<Self>) {
        self.waits.store(false, Ordering::SeqCst);
        let mut call = lock(&self.call);
        let Some(running) = call.as_mut() else { return };
        let waker = Waker::from(Arc::clone(self));
        if running.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            *call = None;
        }
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.waits.swap(true, Ordering::SeqCst) && !turn::collect_woken(self) {
            lock(&self.jobs.ready).push(Arc::clone(self));
            self.jobs.runner.wake();
        }
    }
}
