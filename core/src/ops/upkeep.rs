//! What runs beside the operations: deleting expired rows, where the store does not do so by itself.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::client::Core;
use crate::random::Random;

/// Batches in a row at most, so that a neglected table does not keep a connection busy.
const ROUNDS: u32 = 100;

/// Between two batches others have their turn.
const PAUSE: Duration = Duration::from_millis(20);

/// Purges in the background until the client is closed or dropped. It holds neither the client nor the process.
pub(crate) fn start(core: &Arc<Core>) -> Option<AbortHandle> {
    let every = core.settings.purge_interval?;
    if !core.store.needs_purge() {
        return None;
    }
    let runtime = tokio::runtime::Handle::try_current().ok()?;
    let random = Arc::clone(&core.random);
    Some(runtime.spawn(run(Arc::downgrade(core), every, random)).abort_handle())
}

async fn run(core: Weak<Core>, every: Duration, random: Arc<dyn Random>) {
    // The first time soon or late, so that processes that start together do not purge together.
    let mut wait = every.mul_f64(portion(&*random));
    loop {
        tokio::time::sleep(wait).await;
        for _ in 0..ROUNDS {
            let Some(core) = core.upgrade() else { return };
            if core.open().is_err() {
                return;
            }
            let batch = core.settings.purge_batch;
            match core.store.purge(batch).await {
                Ok(purged) if purged >= u64::from(batch) => {}
                Ok(_) => break,
                Err(e) => {
                    tracing::debug!(target: "oncecode", error = e.code(), "could not purge; the next round tries again");
                    break;
                }
            }
            drop(core);
            tokio::time::sleep(PAUSE).await;
        }
        wait = every.mul_f64(0.5 + portion(&*random));
    }
}

/// From 0 to 1.
fn portion(random: &dyn Random) -> f64 {
    let mut bytes = [0; 4];
    match random.fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}
