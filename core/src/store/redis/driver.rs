//! A connection's driver, which writes commands and reads replies: a task of the runtime's, and a thread of the host's,
//! at the end of a turn with commands and when its event loop tells that there is something to read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

use super::socket::Control;
use crate::host::{self, Choice, Glance, Jobs, Outlet, Turn, Watch, Watched};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Driver {
    /// Gone at its end.
    work: Mutex<Option<Work>>,
    /// The runtime's task.
    task: AtomicWaker,
    dropped: AtomicBool,
    /// Of a socket that a host's loop could watch.
    socket: Option<Arc<Control>>,
    /// Commands on their way and not yet answered.
    asked: AtomicUsize,
    /// Nothing was asked for a while. Meanwhile nobody may have looked, if the host's loop didn't run.
    quiet: AtomicBool,
    host: OnceLock<&'static Jobs>,
}

/// Ends the driver when it is dropped, also one that waits for replies that never come.
pub(super) struct Hold(Arc<Driver>);

/// Has the runtime drive a connection as long as somebody holds on to it.
pub(super) fn drive(work: impl Future<Output = ()> + Send + 'static, socket: Option<Arc<Control>>) -> Hold {
    let driver = Arc::new(Driver {
        work: Mutex::new(Some(Box::pin(work))),
        task: AtomicWaker::new(),
        dropped: AtomicBool::new(false),
        socket,
        asked: AtomicUsize::new(0),
        quiet: AtomicBool::new(false),
        host: OnceLock::new(),
    });
    tokio::spawn(Task(Arc::clone(&driver)));
    Hold(driver)
}

impl Hold {
    /// Looks whether the connection has ended, if that may have gone unnoticed.
    pub(super) fn look(&self) {
        if self.0.quiet.load(Ordering::Relaxed) && self.0.quiet.swap(false, Ordering::Relaxed) {
            self.0.expect_more();
            self.0.try_advance();
        }
    }

    /// Counts a command until what is returned is dropped.
    pub(super) fn ask(&self) -> Asked<'_> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        Asked(&self.0.asked)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.dropped.store(true, Ordering::Release);
        self.0.task.wake();
    }
}

pub(super) struct Asked<'a>(&'a AtomicUsize);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Task(Arc<Driver>);

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = &self.0;
        driver.task.register(context.waker());
        if driver.dropped.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut work = driver.work.lock().unwrap_or_else(PoisonError::into_inner);
        driver.advance(&mut work)
    }
}

impl Drop for Task {
    /// The connection knows the driver as its waker, and the driver holds the connection.
    fn drop(&mut self) {
        let work = self.0.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(work);
    }
}

impl Driver {
    /// Writes and reads what can be.
    fn advance(self: &Arc<Self>, work: &mut Option<Work>) -> Poll<()> {
        let Some(running) = work.as_mut() else { return Poll::Ready(()) };
        let waker = Waker::from(Arc::clone(self));
        // A panic in here ends the connection, not the host whose thread this may be.
        let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut Context::from_waker(&waker))));
        let polled = polled.unwrap_or(Poll::Ready(()));
        if polled.is_ready() {
            *work = None;
        }
        polled
    }

    /// The same, unless another thread is at it. Whether it has ended.
    fn try_advance(self: &Arc<Self>) -> Option<bool> {
        let ended = match self.work.try_lock() {
            Ok(mut work) => self.advance(&mut work).is_ready(),
            Err(TryLockError::Poisoned(work)) => self.advance(&mut work.into_inner()).is_ready(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if ended {
            self.task.wake();
        }
        Some(ended)
    }

    /// Whether a host's loop watches the socket.
    fn is_watched(&self) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.watcher().is_host())
    }

    /// Has the next who advances it look for something to read.
    fn expect_more(&self) {
        if let Some(socket) = &self.socket {
            socket.expect_more();
        }
    }
}

impl Outlet for Driver {
    fn flush(self: Arc<Self>, turn: Turn) -> Option<Watch> {
        if self.try_advance().is_none() {
            // The task is at it, and may have looked for commands already.
            self.task.wake();
        }
        let socket = self.socket.as_ref()?;
        match socket.watcher().choose(turn.event_loop) {
            Choice::Same => None,
            Choice::Chosen => {
                let _ = self.host.set(turn.jobs);
                let this: Weak<Self> = Arc::downgrade(&self);
                turn.jobs.look_after(this);
                Some(Watch::new(turn.event_loop, &self, Arc::clone(socket) as _))
            }
            Choice::Shared => {
                self.task.wake();
                None
            }
        }
    }

    fn delegate(&self) {
        self.expect_more();
        self.task.wake();
    }

    fn read(self: Arc<Self>) -> bool {
        self.expect_more();
        // While the task is at it, the loop tells again if that has overlooked something.
        self.try_advance() != Some(true)
    }

    fn glance(&self) -> Glance {
        if !self.is_watched() {
            return Glance::Over;
        }
        if self.asked.load(Ordering::SeqCst) > 0 {
            self.delegate();
            return Glance::Waiting;
        }
        self.quiet.store(true, Ordering::Relaxed);
        Glance::Idle
    }
}

impl Wake for Driver {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if host::postpone(self) {
            return;
        }
        self.task.wake();
        // The answer is for the runtime, and must not wait for a loop that may not run.
        if self.is_watched()
            && let Some(host) = self.host.get()
        {
            host.keep_ticking();
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
