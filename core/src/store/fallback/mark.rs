//! The mark in the second store that says that it is in use, and what this client knows of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::TRUSTED;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::store::{Entry, Store, When};

/// What the mark lives longer than what needed it, so that not every issue has to prolong it.
const SPARE: Duration = Duration::from_secs(60);

/// Lost races before giving up; each loser learns that somebody else prolonged it.
const ROUNDS: u32 = 10;

#[derive(Default)]
pub(super) struct Mark(Mutex<Known>);

/// About one prefix; a client has one.
#[derive(Default)]
struct Known {
    prefix: String,
    /// When it was looked for.
    looked: Option<Instant>,
    /// When somebody began to look again.
    looking: Option<Instant>,
    /// The end of the mark.
    ends: Option<Instant>,
}

impl Mark {
    /// What is known without asking. With `look`, only that it is there.
    pub(super) fn known(&self, key: &Key, look: bool) -> Option<bool> {
        let now = Instant::now();
        let mut known = self.of(key);
        if known.ends.is_some_and(|ends| now < ends) {
            return Some(true);
        }
        let age = known.looked.map_or(TRUSTED, |looked| now - looked);
        // One caller looks again in good time, so that the others need not wait for it.
        let is_due = age >= TRUSTED / 2 && known.looking.is_none_or(|looking| now - looking >= TRUSTED / 2);
        if look || is_due || age >= TRUSTED {
            known.looking = Some(now);
            return None;
        }
        Some(false)
    }

    /// Nobody could be asked: what was known still counts, and is not asked for again at once.
    pub(super) fn unknown(&self, key: &Key) -> bool {
        let now = Instant::now();
        let mut known = self.of(key);
        known.looked = Some(now);
        known.ends.is_some_and(|ends| now < ends)
    }

    /// What the second store said when it was asked for the mark.
    pub(super) fn found(&self, key: &Key, asked: Instant, mark: Option<Entry>) -> bool {
        self.learn(key, asked, mark.map(|entry| entry.ttl.unwrap_or_default()))
    }

    /// Sees to it that the mark lives for `life` at least.
    pub(super) async fn set(&self, second: &dyn Store, key: &Key, life: Duration) -> Result<()> {
        let mark = key.mark();
        for _ in 0..ROUNDS {
            let asked = Instant::now();
            if self.of(key).ends.is_some_and(|ends| asked + life <= ends) {
                return Ok(());
            }
            let when = match second.get(&mark).await? {
                Some(entry) if entry.ttl.is_some_and(|ttl| ttl >= life + SPARE / 2) => {
                    self.learn(key, asked, entry.ttl);
                    continue;
                }
                Some(entry) => When::Version(entry.version),
                None => When::Absent,
            };
            let asked = Instant::now();
            if second.put(&mark, b"1", life + SPARE, when).await? {
                self.learn(key, asked, Some(life + SPARE));
            }
        }
        Err(Error::new(ErrorKind::StoreUnavailable, "the second store is too busy"))
    }

    #[cfg(all(test, feature = "testkit"))]
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }

    /// By this client's clock it ends a little earlier than by the store's.
    fn learn(&self, key: &Key, asked: Instant, ttl: Option<Duration>) -> bool {
        let mut known = self.of(key);
        known.looked = known.looked.max(Some(asked));
        known.ends = known.ends.max(ttl.map(|ttl| asked + ttl));
        known.ends.is_some_and(|ends| asked < ends)
    }

    fn of(&self, key: &Key) -> MutexGuard<'_, Known> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.prefix != key.prefix() {
            *known = Known { prefix: key.prefix().to_owned(), ..Known::default() };
        }
        known
    }
}
