//! The process's tokio runtime, shared by all JavaScript environments in it.
//!
//! One thread for all I/O: it takes turns with the JavaScript threads anyway, nothing is stolen or woken across threads,
//! and tasks run in the order in which they became ready. So whatever is ready goes out together: the commands of many
//! calls in one write, the replies of many calls in one wake-up of the JavaScript thread.

use std::cell::RefCell;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::Poll;
use std::thread;

use futures::task::AtomicWaker;
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

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

thread_local! {
    /// Queues with news whose readers are to be woken. Only on the runtime's thread.
    static WAITING: RefCell<Vec<Arc<Queue>>> = const { RefCell::new(Vec::new()) };
}
static NEWS: AtomicWaker = AtomicWaker::new();

/// Runs a task. The thread is woken for the first only: it takes along whatever comes until it runs.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    let mut inbox = OURS.inbox.lock().unwrap_or_else(PoisonError::into_inner);
    inbox.push(Box::pin(task));
    let first = inbox.len() % *PART == 0;
    drop(inbox);
    if first {
        OURS.new_tasks.wake();
    }
}
static PART: LazyLock<usize> = LazyLock::new(|| std::env::var("PART").ok().and_then(|p| p.parse().ok()).unwrap_or(1));

pub(crate) fn go() {
    OURS.new_tasks.wake();
}

/// Lets timers and connections be made and dropped on this thread.
pub(crate) fn enter() -> EnterGuard<'static> {
    OURS.handle.enter()
}

/// Wakes the reader of a queue when all that is ready now has run.
pub(crate) fn wake_soon(queue: &Arc<Queue>) {
    WAITING.with_borrow_mut(|waiting| waiting.push(Arc::clone(queue)));
    NEWS.wake();
}

fn run(runtime: &Runtime) {
    runtime.spawn(poll_fn(|context| {
        NEWS.register(context.waker());
        WAITING.with_borrow_mut(|waiting| waiting.drain(..).for_each(|queue| queue.wake()));
        Poll::<()>::Pending
    }));
    runtime.block_on(poll_fn(|context| {
        OURS.new_tasks.register(context.waker());
        let new = mem::take(&mut *OURS.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        new.into_iter().for_each(|task| drop(tokio::spawn(task)));
        Poll::Pending
    }))
}
