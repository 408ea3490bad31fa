//! The one tokio runtime of this process, and what becomes of it in a forked child.

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

use oncecode::BoxFuture;
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio::sync::Notify;

use crate::queue::wake_readers;

/// Runs `errand` to its end on the runtime.
pub(crate) fn spawn(errand: impl Future<Output = ()> + Send + 'static) {
    engine().desk.leave(Box::pin(errand));
}

/// Runs `work`, which may wait for Python, on a thread of its own: the runtime's may not.
pub(crate) fn spawn_waiting(work: impl FnOnce() + Send + 'static) {
    engine().runtime.spawn_blocking(work);
}

/// Lets this thread use timers and sockets of the runtime.
pub(crate) fn enter() -> EnterGuard<'static> {
    engine().runtime.enter()
}

/// Rises by one in every forked child: what carries an older number belongs to the parent.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has every forked child begin without a runtime, for the parent's threads don't exist there.
pub(crate) fn watch_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handler only stores to atomics, which is safe between fork and whatever comes after.
        unsafe {
            libc::pthread_atfork(None, None, Some(begin_anew));
        }
    });
}

static ENGINE: AtomicPtr<Engine> = AtomicPtr::new(ptr::null_mut());
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// A runtime with one thread, which does all input and output: a second one only fights it for the cores (10 against
/// 13 µs a flow). It runs all that is ready before what that wakes, so that many calls share one write to a socket.
struct Engine {
    runtime: Runtime,
    desk: Arc<Desk>,
}

/// The engine, started by the first call that needs it.
fn engine() -> &'static Engine {
    let running = ENGINE.load(Ordering::Acquire);
    let running = if running.is_null() { start() } else { running };
    // SAFETY: what was stored came from `Box::leak` and is never freed.
    unsafe { &*running }
}

fn start() -> *mut Engine {
    let desk = Arc::<Desk>::default();
    let parking = Arc::clone(&desk);
    let runtime = Builder::new_current_thread().enable_all().on_thread_park(move || parking.before_sleep()).build();
    // A process that can't start a thread can't do anything else either.
    let ours = Box::new(Engine { runtime: runtime.expect("could not start the runtime"), desk });
    let ours = ptr::from_mut(Box::leak(ours));
    match ENGINE.compare_exchange(ptr::null_mut(), ours, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            // SAFETY: never freed.
            let engine: &'static Engine = unsafe { &*ours };
            let thread = thread::Builder::new().name("oncecode".into());
            thread.spawn(|| engine.runtime.block_on(engine.desk.attend())).expect("could not start a thread");
            ours
        }
        Err(theirs) => {
            // SAFETY: nobody else has seen it: another thread was faster.
            let ours = unsafe { Box::from_raw(ours) };
            ours.runtime.shutdown_background();
            theirs
        }
    }
}

#[cfg(unix)]
extern "C" fn begin_anew() {
    // Dropping the parent's runtime would wait for threads that aren't there: it is left where it is.
    ENGINE.store(ptr::null_mut(), Ordering::Release);
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Where Python's threads leave errands for tokio's thread. It looks before it sleeps, so that only a sleeping one needs
/// to be woken: by a system call, which would cost more than most errands.
#[derive(Default)]
struct Desk {
    errands: Mutex<Vec<BoxFuture<'static, ()>>>,
    sleeping: AtomicBool,
    bell: Notify,
    busy: AtomicBool,
    ticking: AtomicBool,
}

impl Desk {
    fn leave(&self, errand: BoxFuture<'static, ()>) {
        self.errands.lock().unwrap_or_else(PoisonError::into_inner).push(errand);
        if self.sleeping.swap(false, Ordering::SeqCst) {
            self.bell.notify_one();
        }
    }

    /// Wakes up at every ring; the errands are taken before going to sleep again.
    async fn attend(&self) {
        loop {
            self.bell.notified().await;
        }
    }

    fn before_sleep(self: &Arc<Self>) {
        wake_readers();
        // First the flag, then the look: an errand left in between rings.
        self.sleeping.store(true, Ordering::SeqCst);
        let errands = mem::take(&mut *self.errands.lock().unwrap_or_else(PoisonError::into_inner));
        if errands.is_empty() {
            return;
        }
        self.sleeping.store(false, Ordering::SeqCst);
        self.busy.store(true, Ordering::Relaxed);
        if !self.ticking.swap(true, Ordering::Relaxed) {
            tokio::spawn(tick(Arc::clone(self)));
        }
        for errand in errands {
            tokio::spawn(errand);
        }
    }
}

/// Well below the deadline of a store call.
const TICK: Duration = Duration::from_millis(100);

/// Keeps a timer armed while there is work: tokio makes a system call, to wake its own thread, for every new timer that
/// is earlier than those it slept on. Every call of a store has one, its deadline; this one is always earlier.
async fn tick(desk: Arc<Desk>) {
    while desk.busy.swap(false, Ordering::Relaxed) {
        tokio::time::sleep(TICK).await;
    }
    desk.ticking.store(false, Ordering::Relaxed);
}
