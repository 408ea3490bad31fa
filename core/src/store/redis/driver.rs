//! A connection's driver, which writes commands and reads replies: a task of the runtime's, and at the end of a turn a
//! thread of the host's that has commands to write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

use crate::host::{self, Outlet};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Driver {
    /// Gone at its end.
    work: Mutex<Option<Work>>,
    /// The runtime's task.
    task: AtomicWaker,
    dropped: AtomicBool,
}

/// Ends the driver when it is dropped, also one that waits for replies that never come.
pub(super) struct Hold(Arc<Driver>);

/// Has the runtime drive a connection as long as somebody holds on to it.
pub(super) fn drive(work: impl Future<Output = ()> + Send + 'static) -> Hold {
    let driver = Arc::new(Driver {
        work: Mutex::new(Some(Box::pin(work))),
        task: AtomicWaker::new(),
        dropped: AtomicBool::new(false),
    });
    tokio::spawn(Task(Arc::clone(&driver)));
    Hold(driver)
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
}

impl Outlet for Driver {
    fn flush(self: Arc<Self>) {
        let is_done = match self.work.try_lock() {
            Ok(mut work) => self.advance(&mut work).is_pending(),
            // The task is at it, and may have looked for commands already.
            Err(_) => false,
        };
        if !is_done {
            self.task.wake();
        }
    }

    fn delegate(&self) {
        self.task.wake();
    }
}

impl Wake for Driver {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !host::postpone(self) {
            self.task.wake();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.dropped.store(true, Ordering::Release);
        self.0.task.wake();
    }
}
