//! Sending beside the operations: a bounded queue, flushed when the client closes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::BackgroundOption;
use crate::error::{Error, ErrorKind, Result};
use crate::store::BoxFuture;

/// Starts a task that outlives the operation it comes from. It is called while that operation runs.
pub(crate) type Spawn = Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>;

/// Messages under way for which nobody waits.
pub(crate) struct Background {
    /// One for each message that waits or is being sent.
    places: Arc<Semaphore>,
    capacity: u32,
    /// One for each message that is being sent.
    turns: Semaphore,
    spawn: Spawn,
    stop: CancellationToken,
}

/// A message's place, free again when it is dropped.
pub(crate) struct Place(#[allow(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Background {
    pub(crate) fn new(option: BackgroundOption, spawn: Option<Spawn>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(option.capacity as usize)),
            capacity: option.capacity,
            turns: Semaphore::new(option.concurrency as usize),
            spawn: spawn.unwrap_or_else(|| Arc::new(|task| drop(tokio::spawn(task)))),
            stop: CancellationToken::new(),
        }
    }

    /// A place for one more message, before anything is stored for it.
    ///
    /// # Errors
    /// `DELIVERY_FAILED`: all are taken.
    pub(crate) fn reserve(&self) -> Result<Place> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map(Place).map_err(|_| unsent("too many messages wait to be sent; nothing was counted"))
    }

    /// Goes on with `work` when the operation has ended.
    pub(crate) fn start(&self, place: Place, work: impl Future<Output = ()> + Send + 'static) {
        (self.spawn)(Box::pin(async move {
            work.await;
            drop(place);
        }));
    }

    /// Sends when it is this message's turn. What can't have it within `life` is not sent any more.
    pub(crate) async fn in_turn(&self, life: Duration, sending: impl Future<Output = Result<()>>) -> Result<()> {
        let sent = async {
            let Ok(_turn) = timeout(life, self.turns.acquire()).await else {
                return Err(unsent("the message expired before its turn came"));
            };
            sending.await
        };
        tokio::select! {
            () = self.stop.cancelled() => Err(unsent("the client was closed before the message was sent")),
            outcome = sent => outcome,
        }
    }

    /// Waits until all is sent; gives up what is not within `patience`, and leaves `grace` to take it back.
    pub(crate) async fn flush(&self, patience: Duration, grace: Duration) {
        if timeout(patience, self.places.acquire_many(self.capacity)).await.is_err() {
            tracing::warn!(target: "oncecode", "closed before all messages were sent; the rest is given up");
            self.stop.cancel();
            // Whoever is not done by then has a store that does not answer.
            let _ = timeout(grace, self.places.acquire_many(self.capacity)).await;
        }
    }
}

fn unsent(why: &str) -> Error {
    Error::new(ErrorKind::DeliveryFailed, why).undone()
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let under_way = self.capacity as usize - self.places.available_permits();
        write!(f, "Background({under_way} of {})", self.capacity)
    }
}
