//! The one tokio runtime of this process, and what becomes of it in a forked child.

use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

static RUNTIME: AtomicPtr<Runtime> = AtomicPtr::new(ptr::null_mut());
static GENERATION: AtomicU32 = AtomicU32::new(0);

static BUSY: AtomicBool = AtomicBool::new(false);
static TICKING: AtomicBool = AtomicBool::new(false);

/// Well below the deadline of a store call.
const TICK: Duration = Duration::from_millis(100);

/// The runtime, started by the first call that needs it.
pub(crate) fn runtime() -> &'static Runtime {
    let running = RUNTIME.load(Ordering::Acquire);
    let running = if running.is_null() { start() } else { running };
    // SAFETY: what was stored came from `Box::leak` and is never freed.
    unsafe { &*running }
}

/// Runs `errand` to its end on the runtime.
pub(crate) fn spawn(errand: impl Future<Output = ()> + Send + 'static) {
    runtime().spawn(errand);
    BUSY.store(true, Ordering::Relaxed);
    if !TICKING.swap(true, Ordering::Relaxed) {
        runtime().spawn(tick());
    }
}

/// Keeps a timer armed while there is work: tokio makes a system call, to wake its own thread, for every new timer that
/// is earlier than those it slept on. Every call of a store has one, its deadline; this one is always earlier.
async fn tick() {
    while BUSY.swap(false, Ordering::Relaxed) {
        tokio::time::sleep(TICK).await;
    }
    TICKING.store(false, Ordering::Relaxed);
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

#[cfg(unix)]
extern "C" fn begin_anew() {
    // Dropping the parent's runtime would wait for threads that aren't there: it is left where it is.
    RUNTIME.store(ptr::null_mut(), Ordering::Release);
    TICKING.store(false, Ordering::Relaxed);
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// One thread does all input and output: a second one only fights it for the cores (10 against 13 µs a flow). And it runs
/// all that is ready before what that has woken, so that many calls share one write to the store's socket.
fn start() -> *mut Runtime {
    let mut builder = Builder::new_current_thread();
    let built = builder.enable_all().on_thread_park(crate::queue::wake_readers).build();
    // A process that can't start a thread can't do anything else either.
    let ours = ptr::from_mut(Box::leak(Box::new(built.expect("could not start the runtime"))));
    match RUNTIME.compare_exchange(ptr::null_mut(), ours, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            // SAFETY: never freed.
            let runtime: &'static Runtime = unsafe { &*ours };
            let thread = std::thread::Builder::new().name("oncecode".into());
            thread.spawn(|| runtime.block_on(std::future::pending::<()>())).expect("could not start a thread");
            ours
        }
        Err(theirs) => {
            // SAFETY: nobody else has seen it: another thread was faster.
            unsafe { Box::from_raw(ours) }.shutdown_background();
            theirs
        }
    }
}
