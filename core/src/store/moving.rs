//! `moving:NEW|OLD`: the switch-over from one store to another without a pause.
//!
//! Everything happens in NEW. What NEW does not know is first brought over from OLD, by [`carry`]: it is in use in one
//! store at a time, of many callers one brings it and the others help, and a crash half way is made good by the next
//! caller. Nobody sees "not found" of a live code meanwhile.
//!
//! - Processes that run `moving:A|B` and `moving:B|A` at once are safe together: an entity is brought to and fro. Only
//!   an entity that neither store knows, if it is issued for in both directions in the same moment, gets a code in each.
//! - A process on OLD alone does not find what was brought over. A code it issues for an entity that NEW knows is found
//!   as long as NEW has no live code of its own for it. No code is accepted twice; the budgets are those of each store.
//!
//! A verification that NEW can answer takes one trip, also the refusal of a wrong code; an issue too, where the store
//! can tell in the same trip that it knows the entity. "Not found" is said when both stores have been asked. Limits
//! are looked up in OLD once per process and key.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::*;

/// How many limits are remembered as brought over.
const SETTLED: usize = 65_536;

/// The layer.
#[derive(Debug)]
pub(crate) struct Moving {
    new: Box<dyn Store>,
    old: Box<dyn Store>,
    settled: Mutex<HashSet<Key>>,
}

impl Moving {
    pub(crate) fn new(new: Box<dyn Store>, old: Box<dyn Store>) -> Self {
        Self { new, old, settled: Mutex::default() }
    }

    /// Makes sure that NEW has what there is. `false`: nothing was anywhere on its way.
    async fn bring(&self, key: &Key) -> Result<bool> {
        if carry(&*self.old, &*self.new, key, false).await?.is_some() {
            return Ok(true);
        }
        // A process of the other direction may be in the middle of taking it away.
        if carry(&*self.new, &*self.old, key, true).await?.is_none() {
            return Ok(false);
        }
        carry(&*self.old, &*self.new, key, false).await.map(|_| true)
    }

    /// Brings a value unless NEW has one.
    async fn bring_value(&self, key: &Key) -> Result<()> {
        if self.new.get(key).await?.is_none() {
            self.bring(key).await?;
        }
        Ok(())
    }

    /// The first time that this process meets a limit.
    async fn settle(&self, limit: Option<&Key>) -> Result<()> {
        let Some(key) = limit else { return Ok(()) };
        if self.settled.lock().unwrap_or_else(PoisonError::into_inner).contains(key) {
            return Ok(());
        }
        self.bring(key).await?;
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if settled.len() >= SETTLED {
            settled.clear();
        }
        settled.insert(key.clone());
        Ok(())
    }
}

impl Store for Moving {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            if let Some(entry) = self.new.get(key).await? {
                return Ok(Some(entry));
            }
            self.bring(key).await?;
            self.new.get(key).await
        })
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            // A version came from NEW, so it is there. What stayed in OLD would come back one day.
            if !matches!(when, When::Version(_)) {
                self.bring_value(key).await?;
            }
            self.new.put(key, value, ttl, when).await
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            if let Some(entry) = self.new.take(key).await? {
                return Ok(Some(entry));
            }
            self.bring(key).await?;
            self.new.take(key).await
        })
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        Box::pin(async move {
            self.bring_value(key).await?;
            self.new.count(key, by, ttl).await
        })
    }

    fn issue<'a>(&'a self, key: &'a Key, input: &'a Issue, gate: Option<&'a Gate>) -> BoxFuture<'a, Result<Issued>> {
        Box::pin(async move {
            self.settle(gate.map(|gate| &gate.key)).await?;
            let mut gate = gate;
            loop {
                if let Some(issued) = self.new.reissue(key, input, gate).await? {
                    return Ok(issued);
                }
                // It was hit.
                gate = None;
                if !self.bring(key).await? {
                    // Another caller may have brought it just before we asked OLD.
                    return match self.new.reissue(key, input, None).await? {
                        Some(issued) => Ok(issued),
                        None => self.new.issue(key, input, None).await,
                    };
                }
            }
        })
    }

    fn attempt<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Attempt,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Attempted>> {
        Box::pin(async move {
            self.settle(gate.map(|gate| &gate.key)).await?;
            match self.new.attempt(key, input, gate).await? {
                Attempted::Refused(Refused::NotFound) => {}
                answer => return Ok(answer),
            }
            self.bring(key).await?;
            self.new.attempt(key, input, None).await
        })
    }

    fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
        Box::pin(async move {
            self.settle(Some(&gate.key)).await?;
            self.new.hit(gate, cost).await
        })
    }

    fn hits<'a>(&'a self, rates: &'a Rates, cost: u32) -> BoxFuture<'a, Result<Hits>> {
        Box::pin(async move {
            self.settle(Some(&rates.key)).await?;
            self.new.hits(rates, cost).await
        })
    }

    fn amend<'a>(&'a self, key: &'a Key, input: &'a Amend) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            if self.new.amend(key, input).await? {
                return Ok(true);
            }
            self.bring(key).await?;
            self.new.amend(key, input).await
        })
    }

    fn peek<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Peeked>>> {
        Box::pin(async move {
            if let Some(live) = self.new.peek(key).await? {
                return Ok(Some(live));
            }
            self.bring(key).await?;
            self.new.peek(key).await
        })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move { Ok(self.new.purge(limit).await? + self.old.purge(limit).await?) })
    }

    fn needs_purge(&self) -> bool {
        self.new.needs_purge() || self.old.needs_purge()
    }

    /// Of both; time is NEW's.
    fn inspect<'a>(&'a self, probe: &'a Key) -> BoxFuture<'a, Result<Inspection>> {
        Box::pin(async move {
            let (new, old) = futures::join!(self.new.inspect(probe), self.old.inspect(probe));
            let (mut found, old) = (new?, old?);
            found.warnings.extend(old.warnings);
            Ok(found)
        })
    }

    fn partition(&self, key: &Key) -> usize {
        self.new.partition(key)
    }

    /// The worse of the two: what is still in OLD is out of reach without it.
    fn connection(&self) -> Option<Connection> {
        let both = [self.new.connection(), self.old.connection()];
        let badness = |connection: &Connection| match connection.state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        };
        both.into_iter().flatten().max_by_key(|connection| (badness(connection), connection.since_ms))
    }

    fn granularity(&self) -> Duration {
        self.new.granularity()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.new.close().await;
            self.old.close().await;
        })
    }
}
