//! What running operations have to tell, collected for the Python thread that called them.

use std::cell::RefCell;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use oncecode::{Event, Message, Result};
use pyo3::prelude::*;
use tokio::sync::oneshot;
use tracing::Level;

use crate::wake::Waker;

/// Something that happened in an operation. Nothing in here may need Python: tokio's thread never waits for it.
pub(crate) enum News {
    /// For the callback `events`.
    Event(Event),
    /// For the logger.
    Log(Level, String),
    /// For the callback `sender` of this number, which answers.
    Send(Message, oneshot::Sender<Result<()>>, usize),
    /// Something of this call outlives it.
    Outlived,
    /// And has come to its end.
    Ended,
    /// The end.
    Done(Outcome),
}

/// Makes the outcome of an operation a Python object, once there is a Python to make it in.
pub(crate) type Outcome = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// Numbers the calls of one queue.
pub(crate) type CallId = usize;

/// One per event loop, or per call where a thread waits.
pub(crate) struct Queue {
    news: Mutex<Vec<(CallId, News)>>,
    pub(crate) waker: Waker,
}

thread_local! {
    /// Queues whose readers are to be woken as soon as tokio's thread has nothing else to do.
    static UNTOLD: RefCell<Vec<Arc<Queue>>> = const { RefCell::new(Vec::new()) };
}

/// So much news is not kept from its reader, however busy tokio's thread is.
const AT_MOST: usize = 32;

/// Wakes the readers of all queues that got news on this thread.
pub(crate) fn wake_readers() {
    UNTOLD.with_borrow_mut(|queues| queues.drain(..).for_each(|queue| queue.waker.wake()));
}

/// The same, but for one whose reader is this thread.
pub(crate) fn wake_other_readers(but: &Arc<Queue>) {
    let others = |queues: &mut Vec<Arc<Queue>>| queues.drain(..).filter(|queue| !Arc::ptr_eq(queue, but)).collect();
    let others: Vec<_> = UNTOLD.with_borrow_mut(others);
    others.iter().for_each(|queue| queue.waker.wake());
}

impl Queue {
    pub(crate) fn new(waker: Waker) -> Arc<Self> {
        Arc::new(Self { news: Mutex::default(), waker })
    }

    /// Adds news, and wakes the reader when there was none.
    pub(crate) fn push(self: &Arc<Self>, id: CallId, news: News) {
        let waiting = {
            let mut all = self.news.lock().unwrap_or_else(PoisonError::into_inner);
            all.push((id, news));
            all.len()
        };
        match waiting {
            1 => UNTOLD.with_borrow_mut(|queues| queues.push(Arc::clone(self))),
            AT_MOST => self.waker.wake(),
            _ => {}
        }
    }

    /// All news, oldest first.
    pub(crate) fn take(&self) -> Vec<(CallId, News)> {
        mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
