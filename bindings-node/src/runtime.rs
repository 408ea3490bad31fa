//! The process's tokio runtime, shared by all JavaScript environments in it.
//!
//! JavaScript threads begin calls and write what these have to send, and read what their event loop sees arrive; one
//! thread does the rest, in the order in which it becomes possible. So whatever is ready goes out together: the commands of
//! many calls in one write, the replies of many calls in one wake-up of the JavaScript thread.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::thread;

use futures::task::AtomicWaker;
use oncecode::host::{EventLoop, Jobs, Watch};
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

use crate::queue::Queue;

static OURS: LazyLock<Handle> = LazyLock::new(|| {
    // A process that can't start a thread can't do anything else either.
    let runtime = Builder::new_current_thread().enable_all().build().expect("could not start a runtime");
    let handle = runtime.handle().clone();
    thread::Builder::new().name("oncecode".into()).spawn(move || run(&runtime)).expect("could not start a thread");
    handle
});

static JOBS: Jobs = Jobs::new();

thread_local! {
    /// Queues with news whose readers are to be woken; `None` on all threads but the runtime's.
    static WAITING: RefCell<Option<Vec<Arc<Queue>>>> = const { RefCell::new(None) };
    /// The same on a JavaScript thread while it reads.
    static READ: RefCell<Option<Vec<Arc<Queue>>>> = const { RefCell::new(None) };
}
static NEWS: AtomicWaker = AtomicWaker::new();

/// Begins a call on this thread, which runs `event_loop`.
pub(crate) fn start(event_loop: &EventLoop, call: impl Future<Output = ()> + Send + 'static) {
    let _inside = enter();
    JOBS.start(event_loop, Box::pin(call));
}

/// Leaves all of a call to the runtime's thread: one that computes for long.
pub(crate) fn leave(call: impl Future<Output = ()> + Send + 'static) {
    OURS.spawn(call);
}

/// Sends what the calls of this thread have to send. What its `event_loop` is to watch.
pub(crate) fn end_turn(event_loop: &EventLoop) -> Vec<Watch> {
    let _inside = enter();
    JOBS.end_turn(event_loop)
}

/// Reads what the event loop of this thread has seen arrive; `queue` is read afterwards. Whether there is more to watch.
#[cfg(unix)]
pub(crate) fn read(watch: &Watch, queue: &Arc<Queue>) -> bool {
    let _inside = enter();
    READ.set(Some(Vec::new()));
    let goes_on = JOBS.read(watch);
    let queues = READ.take().unwrap_or_default();
    queues.iter().filter(|other| !Arc::ptr_eq(other, queue)).for_each(|other| other.wake());
    goes_on
}

/// Lets timers and connections be made and dropped on this thread.
pub(crate) fn enter() -> EnterGuard<'static> {
    OURS.enter()
}

/// Wakes the reader of a queue, on the runtime's thread only when all that is ready has run.
pub(crate) fn wake_soon(queue: &Arc<Queue>) {
    WAITING.with_borrow_mut(|waiting| match waiting {
        Some(waiting) => {
            waiting.push(Arc::clone(queue));
            NEWS.wake();
        }
        None if READ.with_borrow_mut(|queues| queues.as_mut().map(|q| q.push(Arc::clone(queue))).is_some()) => {}
        None => queue.wake(),
    });
}

/// The runtime's thread, for ever.
fn run(runtime: &Runtime) {
    WAITING.set(Some(Vec::new()));
    runtime.spawn(wake_readers());
    runtime.block_on(JOBS.run())
}

async fn wake_readers() {
    poll_fn(|context| {
        NEWS.register(context.waker());
        WAITING.with_borrow_mut(|waiting| waiting.iter_mut().flat_map(|w| w.drain(..)).for_each(|queue| queue.wake()));
        Poll::Pending
    })
    .await
}
