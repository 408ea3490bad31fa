//! The process's tokio runtime, shared by all JavaScript environments in it.
//!
//! One thread for all I/O: it takes turns with the JavaScript threads anyway, nothing is stolen or woken across threads,
//! and tasks run in the order in which they became ready. So whatever is ready goes out together: the commands of many
//! calls in one write, the replies of many calls in one wake-up of the JavaScript thread.

use std::cell::RefCell;
use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};
use tokio::time::{Instant, sleep};

use crate::queue::Queue;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

static OURS: LazyLock<Ours> = LazyLock::new(|| {
    // A process that can't start a thread can't do anything else either.
    let runtime = Builder::new_current_thread().enable_all().build().expect("could not start a runtime");
    let handle = runtime.handle().clone();
    thread::Builder::new().name("oncecode".into()).spawn(move || run(&runtime)).expect("could not start a thread");
    Ours { handle, inbox: Mutex::default(), new_tasks: AtomicWaker::new() }
});

struct Ours {
    handle: Handle,
    /// Tasks that the thread has yet to take in.
    inbox: Mutex<Vec<Task>>,
    new_tasks: AtomicWaker,
}

impl Ours {
    fn lock(&self) -> MutexGuard<'_, Vec<Task>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A timer that runs out before the deadlines of calls do. While it waits, theirs need not interrupt the runtime, which
/// tokio does with a system call for every timer that may be the next.
const EARLY: Duration = Duration::from_millis(50);

thread_local! {
    /// Queues with news whose readers are to be woken; `None` on all threads but the runtime's.
    static WAITING: RefCell<Option<Vec<Arc<Queue>>>> = const { RefCell::new(None) };
}
static NEWS: AtomicWaker = AtomicWaker::new();

/// So many tasks do not wait for the end of the turn: while JavaScript makes more, the store may begin with these.
const PART: usize = 8;

/// Has a task run after the next [`go`], which comes by itself when there are many.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    let mut inbox = OURS.lock();
    inbox.push(Box::pin(task));
    let part = inbox.len() == PART;
    drop(inbox);
    if part {
        go();
    }
}

/// Runs what was spawned, at the latest when a turn of a JavaScript thread ends, so that one wake-up serves many calls.
pub(crate) fn go() {
    OURS.new_tasks.wake();
}

/// Lets timers and connections be made and dropped on this thread.
pub(crate) fn enter() -> EnterGuard<'static> {
    OURS.handle.enter()
}

/// Wakes the reader of a queue, on the runtime's thread only when all that is ready has run.
pub(crate) fn wake_soon(queue: &Arc<Queue>) {
    WAITING.with_borrow_mut(|waiting| match waiting {
        Some(waiting) => {
            waiting.push(Arc::clone(queue));
            NEWS.wake();
        }
        None => queue.wake(),
    });
}

/// The runtime's thread, for ever.
fn run(runtime: &Runtime) {
    WAITING.set(Some(Vec::new()));
    runtime.spawn(wake_readers());
    runtime.block_on(take_in_tasks())
}

async fn wake_readers() {
    poll_fn(|context| {
        NEWS.register(context.waker());
        WAITING.with_borrow_mut(|waiting| waiting.iter_mut().flat_map(|w| w.drain(..)).for_each(|queue| queue.wake()));
        Poll::Pending
    })
    .await
}

async fn take_in_tasks() {
    let mut early = pin!(sleep(EARLY));
    poll_fn(|context| {
        OURS.new_tasks.register(context.waker());
        let tasks = mem::take(&mut *OURS.lock());
        if !tasks.is_empty() && early.as_mut().poll(context).is_ready() {
            early.as_mut().reset(Instant::now() + EARLY);
            let _ = early.as_mut().poll(context);
        }
        tasks.into_iter().for_each(|task| drop(tokio::spawn(task)));
        Poll::Pending
    })
    .await
}
