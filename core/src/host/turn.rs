//! What this thread, one of the host's, is at.

use std::cell::{Cell, RefCell};
use std::mem;
use std::sync::Arc;

use super::job::Job;
use super::{Jobs, LoopId, Outlet, Watch, lock};

/// So many calls do not wait for the end of the turn: while the host makes more, the store may begin with these. The
/// parts after it are larger and larger.
pub(super) const PART: usize = 8;

/// Whose calls are at work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) jobs: &'static Jobs,
    pub(crate) event_loop: LoopId,
}

struct Here {
    /// Set while calls run on this thread.
    turn: Cell<Option<Turn>>,
    /// So many calls began in this turn.
    calls: Cell<usize>,
    /// When so many did, the next part goes out.
    part: Cell<usize>,
    /// What the loop is to watch, until it is told.
    watches: RefCell<Vec<Watch>>,
    /// The calls that are woken, while this thread reads.
    woken: RefCell<Option<Vec<Arc<Job>>>>,
}

thread_local! {
    static HERE: Here = const {
        Here {
            turn: Cell::new(None),
            calls: Cell::new(0),
            part: Cell::new(PART),
            watches: RefCell::new(Vec::new()),
            woken: RefCell::new(None),
        }
    };
}

/// Has `outlet` flushed at the end of this thread's turn, if a call runs here right now.
pub(crate) fn postpone(outlet: &Arc<impl Outlet + 'static>) -> bool {
    let Some(turn) = HERE.with(|here| here.turn.get()) else { return false };
    lock(&turn.jobs.unsent).push(Arc::clone(outlet) as Arc<dyn Outlet>);
    true
}

/// Has calls run here.
pub(super) fn within(turn: Turn, run: impl FnOnce()) {
    let outer = HERE.with(|here| here.turn.replace(Some(turn)));
    run();
    HERE.with(|here| here.turn.set(outer));
}

/// One more call began. Whether another part is complete.
pub(super) fn count_call() -> bool {
    HERE.with(|here| {
        here.calls.set(here.calls.get() + 1);
        let complete = here.calls.get() == here.part.get();
        if complete {
            here.part.set(here.part.get().saturating_mul(2));
        }
        complete
    })
}

pub(super) fn end() {
    HERE.with(|here| {
        here.calls.set(0);
        here.part.set(PART);
    });
}

pub(super) fn keep_watch(watch: Watch) {
    HERE.with(|here| here.watches.borrow_mut().push(watch));
}

pub(super) fn take_watches() -> Vec<Watch> {
    HERE.with(|here| mem::take(&mut *here.watches.borrow_mut()))
}

/// The calls that `read` wakes on this thread.
pub(super) fn collecting_woken<T>(read: impl FnOnce() -> T) -> (T, Vec<Arc<Job>>) {
    HERE.with(|here| here.woken.replace(Some(Vec::new())));
    let result = read();
    (result, HERE.with(|here| here.woken.take()).unwrap_or_default())
}

/// Leaves a call that is ready to this thread, if that reads right now.
pub(super) fn collect_woken(job: &Arc<Job>) -> bool {
    HERE.with(|here| match &mut *here.woken.borrow_mut() {
        Some(woken) => {
            woken.push(Arc::clone(job));
            true
        }
        None => false,
    })
}
