//! The one tokio runtime of this process.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;

use futures::FutureExt;
use oncecode::host::{EventLoop, Jobs, Watch};
use tokio::runtime::{Builder, EnterGuard, Runtime};

use crate::desk::Desk;

/// Begins a call on this thread, which runs `event_loop`. Whether it is the only one.
pub(crate) fn start(event_loop: &EventLoop, call: impl Future<Output = ()> + Send + 'static) -> bool {
    let engine = engine();
    let _inside = engine.runtime.enter();
    let others = engine.desk.began();
    engine.jobs.start(event_loop, Box::pin(call.map(|()| engine.desk.ended())));
    others == 0
}

/// Sends what the calls have to send. What `event_loop` is to watch.
pub(crate) fn end_turn(event_loop: &EventLoop) -> Vec<Watch> {
    let engine = engine();
    let _inside = engine.runtime.enter();
    engine.jobs.end_turn(event_loop)
}

/// Reads what the event loop of this thread has seen arrive. Whether there is more to watch.
#[cfg(unix)]
pub(crate) fn read(watch: &Watch) -> bool {
    let engine = engine();
    let _inside = engine.runtime.enter();
    engine.jobs.read(watch)
}

/// Runs `errand` to its end on the runtime.
pub(crate) fn spawn(errand: impl Future<Output = ()> + Send + 'static) {
    let engine = engine();
    engine.jobs.keep_ticking();
    engine.desk.leave(errand);
}

/// Runs `work`, which may wait for Python, on a thread of its own: the runtime's may not.
pub(crate) fn spawn_waiting(work: impl FnOnce() + Send + 'static) {
    engine().runtime.spawn_blocking(work);
}

/// Lets this thread use timers and sockets of the runtime.
pub(crate) fn enter() -> EnterGuard<'static> {
    engine().runtime.enter()
}

/// The runtime, if that was started.
#[cfg(unix)]
pub(crate) fn running() -> Option<&'static Engine> {
    // SAFETY: what is stored came from `Box::leak` and is never freed.
    unsafe { ENGINE.load(Ordering::Acquire).as_ref() }
}

/// Has the next call start another runtime. This one is left as it is: dropping it in a forked child would wait for
/// threads that aren't there.
#[cfg(unix)]
pub(crate) fn forget() {
    ENGINE.store(ptr::null_mut(), Ordering::Release);
}

static ENGINE: AtomicPtr<Engine> = AtomicPtr::new(ptr::null_mut());

/// A runtime with one thread, which does all input and output: a second one only fights it for the cores (10 against
/// 13 µs a flow). It runs all that is ready before what that wakes, so that many calls share one write to a socket.
pub(crate) struct Engine {
    runtime: Runtime,
    pub(crate) desk: Arc<Desk>,
    pub(crate) jobs: Jobs,
}

/// The engine, started by the first call that needs it.
fn engine() -> &'static Engine {
    let running = ENGINE.load(Ordering::Acquire);
    let running = if running.is_null() { launch() } else { running };
    // SAFETY: what is stored came from `Box::leak` and is never freed.
    unsafe { &*running }
}

fn launch() -> *mut Engine {
    let desk = Desk::new();
    let (before, after) = (Arc::clone(&desk), Arc::clone(&desk));
    let mut builder = Builder::new_current_thread();
    builder.on_thread_park(move || before.before_sleep()).on_thread_unpark(move || after.after_sleep());
    let runtime = builder.enable_all().build();
    // A process that can't have another thread can't do anything else either.
    let ours = Box::new(Engine { runtime: runtime.expect("could not start the runtime"), desk, jobs: Jobs::new() });
    let ours = ptr::from_mut(Box::leak(ours));
    match ENGINE.compare_exchange(ptr::null_mut(), ours, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            // SAFETY: never freed.
            let engine: &'static Engine = unsafe { &*ours };
            let thread = thread::Builder::new().name("oncecode".into());
            let work = async move { tokio::join!(engine.desk.attend(), engine.jobs.run()) };
            thread.spawn(|| engine.runtime.block_on(work)).expect("could not start a thread");
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
