//! Where no loop watches sockets, and so none is to.

use std::sync::Arc;

use napi::sys;
use oncecode::host::Watch;

use crate::queue::Queue;

/// Gives it back to the runtime.
pub(crate) fn watch(_: sys::napi_env, queue: &Arc<Queue>, watch: Watch) {
    queue.event_loop.set_blind();
    drop(watch);
}
