//! Forked processes (gunicorn's preload, `multiprocessing`): the parent's threads and sockets are not the child's.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static FORKING: AtomicBool = AtomicBool::new(false);

/// Rises by one in every forked child: what carries an older number belongs to the parent.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether some thread is about to fork.
pub(crate) fn forking() -> bool {
    FORKING.load(Ordering::SeqCst)
}

/// Has every fork from now on happen at rest, and every child begin without a runtime.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handlers only use atomics and wait, which is safe around a fork.
        unsafe {
            libc::pthread_atfork(Some(handlers::come_to_rest), Some(handlers::go_on), Some(handlers::begin_anew));
        }
    });
}

#[cfg(unix)]
mod handlers {
    use std::sync::atomic::Ordering;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{FORKING, GENERATION};
    use crate::runtime;

    /// How long a fork waits for calls that are under way.
    const PATIENCE: Duration = Duration::from_millis(250);

    /// How often it looks meanwhile.
    const GLANCE: Duration = Duration::from_millis(1);

    /// Waits until the threads behind our back rest: a lock that one of them held at the fork would never be released in the
    /// child. Tokio's always comes to rest soon. SQLite's do when no call is under way, and that is not worth waiting for
    /// much longer than a call of the store takes: a call may wait for a sender, which may wait for this thread.
    pub(super) extern "C" fn come_to_rest() {
        let Some(engine) = runtime::running() else { return };
        let until = Instant::now() + PATIENCE;
        while engine.desk.calls_under_way() && Instant::now() < until {
            // What this thread has begun and would read itself.
            engine.jobs.delegate();
            thread::sleep(GLANCE);
        }
        FORKING.store(true, Ordering::SeqCst);
        while !engine.desk.at_rest() {
            thread::yield_now();
        }
    }

    pub(super) extern "C" fn go_on() {
        FORKING.store(false, Ordering::SeqCst);
    }

    pub(super) extern "C" fn begin_anew() {
        runtime::forget();
        GENERATION.fetch_add(1, Ordering::Relaxed);
        FORKING.store(false, Ordering::SeqCst);
    }
}
