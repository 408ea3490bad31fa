//! For hosts with an event loop of their own, such as Node and Python: a call begins on the host's thread, and ends there
//! if the host's loop can watch sockets.
//!
//! To have another thread begin or end it costs system calls and the time that thread takes to wake up, which is more than
//! the call itself. So the host's thread takes a call as far as it goes without waiting, and what its calls want to send
//! goes out when the host says that its turn is over: by the host's thread, all at once. The socket is then watched by
//! the host's loop, which has it read by [`Jobs::read`] and the calls taken further. The runtime does what needs time to
//! pass, and stands in for a host whose loop doesn't run.

mod job;
mod turn;
mod watch;

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::time::sleep;

use self::job::Job;
pub(crate) use self::turn::{Turn, postpone};
pub(crate) use self::watch::{Choice, Glance, LoopId, Outlet, Watched, Watcher};
pub use self::watch::{EventLoop, Watch};

/// What a call does; its outcome is told by itself.
type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How often the runtime looks while there are calls: well below the deadline of one.
///
/// It sends what is left of a turn that doesn't end, and reads what the host's loop doesn't, of a host that computes or has
/// stopped. And while this timer waits, the later ones of the calls need not interrupt the runtime, which tokio does with
/// a system call for every timer that may be the next.
const TICK: Duration = Duration::from_millis(50);

/// Calls under way.
pub struct Jobs {
    /// For the runtime to take further.
    ready: Mutex<Vec<Arc<Job>>>,
    runner: AtomicWaker,
    /// Where calls left something to send.
    unsent: Mutex<Vec<Arc<dyn Outlet>>>,
    /// What a loop of the host's watches.
    watched: Mutex<Vec<Weak<dyn Outlet>>>,
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
            watched: Mutex::new(Vec::new()),
            ticking: AtomicBool::new(false),
            busy: AtomicBool::new(false),
        }
    }

    /// Begins a call on this thread, which runs `event_loop`, inside of the runtime. [`Jobs::end_turn`] is to follow soon.
    pub fn start(&'static self, event_loop: &EventLoop, call: Call) {
        self.keep_ticking();
        let turn = Turn { jobs: self, event_loop: event_loop.id() };
        let job = Job::new(self, call);
        turn::within(turn, || job.advance());
        if turn::count_call() {
            self.send(turn);
        }
    }

    /// Sends what the calls have to send, inside of the runtime. What `event_loop` is to watch from now on: whenever
    /// it may be read, that is for [`Jobs::read`].
    pub fn end_turn(&'static self, event_loop: &EventLoop) -> Vec<Watch> {
        turn::end();
        self.send(Turn { jobs: self, event_loop: event_loop.id() });
        turn::take_watches()
    }

    /// Reads what has arrived, on the thread that runs the loop, inside of the runtime, and takes the calls further that
    /// waited for it. Whether there is more to watch.
    pub fn read(&'static self, watch: &Watch) -> bool {
        let turn = Turn { jobs: self, event_loop: watch.event_loop() };
        let (goes_on, woken) = turn::collecting_woken(|| watch.read());
        if !woken.is_empty() {
            turn::within(turn, || woken.iter().for_each(Job::advance));
            self.send(turn);
        }
        goes_on
    }

    /// Has the runtime send and read what the host's threads would. Whether there are calls that wait for an answer.
    pub fn delegate(&self) -> bool {
        let unsent = mem::take(&mut *lock(&self.unsent));
        unsent.iter().for_each(|outlet| outlet.delegate());
        let mut any = false;
        lock(&self.watched).retain(|outlet| {
            let glance = outlet.upgrade().map_or(Glance::Over, |outlet| outlet.glance());
            any |= matches!(glance, Glance::Waiting);
            !matches!(glance, Glance::Over)
        });
        any
    }

    /// The runtime's part of all calls, for ever.
    pub async fn run(&'static self) {
        let mut tick = pin!(sleep(Duration::ZERO));
        poll_fn(|context| {
            self.runner.register(context.waker());
            if tick.as_mut().poll(context).is_ready() && self.ticking.load(Ordering::SeqCst) {
                let waited_for = self.delegate();
                if self.is_needed(waited_for) {
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

    /// Has the runtime look after `outlet` for as long as a loop watches it.
    pub(crate) fn look_after(&self, outlet: Weak<dyn Outlet>) {
        let mut watched = lock(&self.watched);
        if !watched.iter().any(|known| known.ptr_eq(&outlet)) {
            watched.push(outlet);
        }
    }

    /// Has the timer run. [`Jobs::start`] does; a call that begins on the runtime itself needs it for its own timers.
    pub fn keep_ticking(&self) {
        self.busy.store(true, Ordering::SeqCst);
        if !self.ticking.swap(true, Ordering::SeqCst) {
            self.runner.wake();
        }
    }

    /// Whether the timer is to run once more.
    fn is_needed(&self, waited_for: bool) -> bool {
        if self.busy.swap(false, Ordering::SeqCst) || waited_for {
            return true;
        }
        self.ticking.store(false, Ordering::SeqCst);
        // A call that began in between found the timer running.
        let needed = self.busy.swap(false, Ordering::SeqCst);
        self.ticking.fetch_or(needed, Ordering::SeqCst);
        needed
    }

    fn send(&self, turn: Turn) {
        let unsent = mem::take(&mut *lock(&self.unsent));
        unsent.into_iter().filter_map(|outlet| outlet.flush(turn)).for_each(turn::keep_watch);
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
