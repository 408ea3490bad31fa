//! For hosts with an event loop of their own, such as Node and Python: a call begins on the host's thread and ends on the
//! runtime's.
//!
//! To have another thread begin costs a system call and the time that thread takes to wake up, which is more than the call
//! itself. So the host's thread takes a call as far as it goes without waiting, and what its calls want to send goes
//! out when the host says that its turn is over: by the host's thread, all at once.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::time::sleep;

/// What a call does; its outcome is told by itself.
type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How often the runtime looks while there are calls: well below the deadline of one.
///
/// It sends what is left of a turn that doesn't end, of a host that computes or has stopped. And while this timer waits,
/// the later ones of the calls need not interrupt the runtime, which tokio does with a system call for every timer that
/// may be the next.
const TICK: Duration = Duration::from_millis(50);

/// So many calls do not wait for the end of the turn: while the host makes more, the store may begin with these. The
/// parts after it are larger and larger.
const PART: usize = 4;

/// Calls under way. What they wait for wakes them on the runtime's thread, where [`Jobs::run`] takes them further.
pub struct Jobs {
    ready: Mutex<Vec<Arc<Job>>>,
    runner: AtomicWaker,
    /// Where calls left something to send.
    unsent: Mutex<Vec<Arc<dyn Outlet>>>,
    /// Whether the timer runs.
    ticking: AtomicBool,
    /// Whether a call began since it last ran out.
    busy: AtomicBool,
}

impl Jobs {
    /// Nothing under way.
    #[allow(clippy::new_without_default, reason = "for statics")]
    pub const fn new() -> Self {
        Self {
            ready: Mutex::new(Vec::new()),
            runner: AtomicWaker::new(),
            unsent: Mutex::new(Vec::new()),
            ticking: AtomicBool::new(false),
            busy: AtomicBool::new(false),
        }
    }

    /// Begins a call on this thread, a host's, inside of the runtime. [`Jobs::end_turn`] is to follow soon.
    pub fn start(&'static self, call: Call) {
        self.busy.store(true, Ordering::SeqCst);
        if !self.ticking.swap(true, Ordering::SeqCst) {
            self.runner.wake();
        }
        let job = Arc::new(Job { jobs: self, call: Mutex::new(Some(call)), waits: AtomicBool::new(false) });
        let outer = TURN.with(|turn| turn.of.replace(Some(self)));
        job.advance();
        let is_part = TURN.with(|turn| {
            turn.of.set(outer);
            turn.counted()
        });
        if is_part {
            self.send();
        }
    }

    /// Sends what the calls have to send.
    pub fn end_turn(&self) {
        TURN.with(Turn::end);
        self.send();
    }

    /// The runtime's part of all calls, for ever.
    pub async fn run(&'static self) {
        let mut tick = pin!(sleep(Duration::ZERO));
        poll_fn(|context| {
            self.runner.register(context.waker());
            if tick.as_mut().poll(context).is_ready() && self.ticking.load(Ordering::SeqCst) {
                let unsent = mem::take(&mut *lock(&self.unsent));
                unsent.iter().for_each(|outlet| outlet.delegate());
                if self.is_needed() {
                    tick.set(sleep(TICK));
                    let _ = tick.as_mut().poll(context);
                }
            }
            // Each once: one that is ready again at once leaves the others their turn.
            let ready = mem::take(&mut *lock(&self.ready));
            ready.iter().for_each(Job::advance);
            Poll::Pending
        })
        .await
    }

    /// Whether the timer is to run once more.
    fn is_needed(&self) -> bool {
        if self.busy.swap(false, Ordering::SeqCst) {
            return true;
        }
        self.ticking.store(false, Ordering::SeqCst);
        // A call that began in between found the timer running.
        let needed = self.busy.swap(false, Ordering::SeqCst);
        self.ticking.fetch_or(needed, Ordering::SeqCst);
        needed
    }

    fn send(&self) {
        let unsent = mem::take(&mut *lock(&self.unsent));
        unsent.into_iter().for_each(|outlet| outlet.flush());
    }
}

/// Something that calls leave what they have to send with.
pub(crate) trait Outlet: Send + Sync {
    /// Sends it, on this thread if it can.
    fn flush(self: Arc<Self>);

    /// Has it sent by its own task.
    fn delegate(&self);
}

/// Has `outlet` flushed at the end of this thread's turn, if a call begins here right now.
pub(crate) fn postpone(outlet: &Arc<impl Outlet + 'static>) -> bool {
    let Some(jobs) = TURN.with(|turn| turn.of.get()) else { return false };
    lock(&jobs.unsent).push(Arc::clone(outlet) as Arc<dyn Outlet>);
    true
}

struct Turn {
    /// Among what a call begins, at the moment.
    of: Cell<Option<&'static Jobs>>,
    /// So many began.
    calls: Cell<usize>,
    /// When so many did, the next part goes out.
    part: Cell<usize>,
}

thread_local! {
    static TURN: Turn = const { Turn { of: Cell::new(None), calls: Cell::new(0), part: Cell::new(PART) } };
}

impl Turn {
    /// One more call began. Whether another part is complete.
    fn counted(&self) -> bool {
        self.calls.set(self.calls.get() + 1);
        let complete = self.calls.get() == self.part.get();
        if complete {
            self.part.set(self.part.get().saturating_mul(2));
        }
        complete
    }

    fn end(&self) {
        self.calls.set(0);
        self.part.set(PART);
    }
}

struct Job {
    jobs: &'static Jobs,
    /// Gone at its end.
    call: Mutex<Option<Call>>,
    /// Whether it is among those that are ready.
    waits: AtomicBool,
}

impl Job {
    fn advance(self: &Arc<Self>) {
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
        if !self.waits.swap(true, Ordering::SeqCst) {
            lock(&self.jobs.ready).push(Arc::clone(self));
            self.jobs.runner.wake();
        }
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jobs")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
