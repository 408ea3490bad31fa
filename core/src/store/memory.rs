//! `memory:`: one process, no server. For development, tests and single-process apps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::*;
use crate::time::{Clock, SystemClock};

/// Swept when it holds twice what survived the last sweep, so that cleaning costs a constant share of writing.
const SWEEP_FROM: usize = 1024;

/// Everything in one map behind one lock. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    slots: Arc<Mutex<Slots>>,
}

#[derive(Default)]
struct Slots {
    map: HashMap<Key, Slot>,
    sweep_at: usize,
    most: usize,
    writes: u64,
}

struct Slot {
    value: Vec<u8>,
    version: u64,
    ends: u64,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl MemoryStore {
    /// An empty store that lives by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::bounded(clock, usize::MAX)
    }

    /// An empty store that keeps about `most` entries: when it is full of live ones, some of them are forgotten.
    pub(crate) fn bounded(clock: Arc<dyn Clock>, most: usize) -> Self {
        Self { clock, slots: Arc::new(Mutex::new(Slots { sweep_at: SWEEP_FROM.min(most), most, ..Slots::default() })) }
    }

    /// Runs `step` under the lock, at one instant.
    fn locked<T>(&self, step: impl FnOnce(&mut Slots, u64) -> T) -> BoxFuture<'_, Result<T>>
    where
        T: Send + 'static,
    {
        let mut slots: MutexGuard<'_, Slots> = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = step(&mut slots, self.clock.now_ms());
        drop(slots);
        Box::pin(std::future::ready(Ok(outcome)))
    }
}

impl std::fmt::Debug for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} entries", self.map.len())
    }
}

impl Slots {
    fn live(&self, key: &Key, now: u64) -> Option<&Slot> {
        self.map.get(key).filter(|slot| now < slot.ends)
    }

    fn entry(&self, key: &Key, now: u64) -> Option<Entry> {
        self.live(key, now).map(|slot| Entry {
            value: slot.value.clone(),
            version: Version(slot.version.to_le_bytes().to_vec()),
            ttl: Some(Duration::from_millis(slot.ends - now)),
        })
    }

    fn write(&mut self, key: &Key, value: Vec<u8>, ttl: Duration, now: u64) {
        self.writes += 1;
        let slot = Slot { value, version: self.writes, ends: now + challenge::millis(ttl) };
        if let Some(known) = self.map.get_mut(key) {
            *known = slot;
            return;
        }
        self.map.insert(key.clone(), slot);
        if self.map.len() >= self.sweep_at {
            self.map.retain(|_, slot| now < slot.ends);
            if self.map.len() >= self.most {
                // Every fourth, whichever they are: cheap, and nobody can choose the victim.
                let mut turn = 0;
                self.map.retain(|other, _| {
                    turn += 1;
                    turn % 4 != 0 || other == key
                });
            }
            self.sweep_at = (self.map.len() * 2).max(SWEEP_FROM).min(self.most);
        }
    }

    fn hit(&mut self, gate: &Gate, cost: u32, now: u64) -> Hit {
        let (used, left) = match self.live(&gate.key, now) {
            // What is no count is full.
            Some(slot) => {
                (u32::try_from(text_number(&slot.value)).unwrap_or(u32::MAX), challenge::left(slot.ends, now))
            }
            None => (0, gate.limit.window),
        };
        let answer = Hit::judge(&gate.limit, used, cost, left);
        if answer.allowed {
            self.write(&gate.key, used.saturating_add(cost).to_string().into_bytes(), left, now);
        }
        answer
    }

    fn hits(&mut self, rates: &Rates, cost: u32, now: u64) -> Hits {
        let found = self.live(&rates.key, now);
        let (mut ledger, at) = found.map_or_else(Default::default, |slot| {
            rate::Ledger::decode(&slot.value, Some(challenge::left(slot.ends, now)))
        });
        let answer = ledger.hit(&rates.rates, cost, at);
        if answer.allowed && cost > 0 {
            let life = ledger.life(at);
            self.write(&rates.key, ledger.encode(at, life), life, now);
        }
        answer
    }

    fn gated(&mut self, gate: Option<&Gate>, now: u64) -> Option<Duration> {
        let hit = self.hit(gate?, 1, now);
        (!hit.allowed).then_some(hit.resets_in)
    }

    fn update<T>(&mut self, key: &Key, now: u64, step: impl FnOnce(&mut challenge::Record, u64) -> (T, bool)) -> T {
        let (mut record, at) = self
            .live(key, now)
            .map_or_else(Default::default, |s| challenge::Record::decode(&s.value, Some(challenge::left(s.ends, now))));
        let (outcome, changed) = step(&mut record, at);
        if changed {
            let life = record.life(at);
            self.write(key, record.encode(at, life), life, now);
        }
        outcome
    }
}

impl Slots {
    /// Whether anything is known of the entity; if so, issues.
    fn reissue(&mut self, key: &Key, input: &Issue, now: u64) -> Option<Issued> {
        self.live(key, now)?;
        Some(self.issue(key, input, now))
    }

    fn issue(&mut self, key: &Key, input: &Issue, now: u64) -> Issued {
        self.update(key, now, |record, at| {
            let issued = record.issue(input, at);
            let changed = !matches!(issued, Issued::Refused(_));
            (issued, changed)
        })
    }

    fn page(&self, prefix: &str, cursor: &str, limit: u32, now: u64) -> Page {
        let ours = |key: &&Key| key.as_str().starts_with(prefix);
        let mut keys: Vec<_> = self.map.keys().filter(ours).collect();
        let mut page = Page { total: Some(keys.len() as u64), ..Page::default() };
        keys.retain(|key| key.as_str() > cursor);
        keys.sort_unstable();
        if keys.len() > limit as usize {
            keys.truncate(limit as usize);
            page.cursor = keys.last().map(|key| key.as_str().to_owned());
        }
        for key in keys {
            page.add(key.as_str(), self.entry(key, now));
        }
        page
    }

    fn detach(&mut self, key: &Key, detached_only: bool, now: u64) -> Option<Item> {
        let detached = key.detached();
        if self.live(&detached, now).is_none() && !detached_only && self.live(key, now).is_some() {
            let slot = self.map.remove(key)?;
            self.map.insert(detached.clone(), slot);
        }
        let entry = self.entry(&detached, now)?;
        Item::entry(key.clone(), entry.value, entry.ttl)
    }

    fn forget(&mut self, item: &Item, now: u64) {
        let detached = item.key.detached();
        let mark = item.mark().and_then(|mark| self.entry(&mark, now));
        if item.has_returned(mark.as_ref()) {
            return;
        }
        if self.map.get(&detached).is_some_and(|slot| slot.value == item.bytes()) {
            self.map.remove(&detached);
        }
    }

    fn restore(&mut self, item: &Item, now: u64) -> Restored {
        let mark = item.mark();
        let seen = mark.as_ref().and_then(|mark| self.entry(mark, now));
        let held = self.entry(&item.key, now);
        match item::arrive(item, held.as_ref(), item::count(seen.as_ref()), Duration::from_millis(1)) {
            Ok(arrival) => {
                if let Some(mark) = mark {
                    let detached = item.key.detached();
                    if self.map.get(&detached).is_some_and(|slot| item.is_same(&slot.value)) {
                        self.map.remove(&detached);
                    }
                    self.write(&mark, item.moves.max(1).to_string().into_bytes(), item.mark_life(), now);
                }
                self.write(&item.key, arrival.value, arrival.life, now);
                Restored::Arrived
            }
            Err(answer) => answer,
        }
    }
}

fn text_number(value: &[u8]) -> i64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(i64::MAX)
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.locked(|slots, now| slots.entry(key, now))
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        self.locked(|slots, now| {
            let holds = match (&when, slots.entry(key, now)) {
                (When::Always, _) | (When::Absent, None) => true,
                (When::Version(wanted), Some(entry)) => entry.version == *wanted,
                _ => false,
            };
            if holds {
                slots.write(key, value.to_vec(), ttl, now);
            }
            holds
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.locked(|slots, now| {
            let entry = slots.entry(key, now);
            slots.map.remove(key);
            entry
        })
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        self.locked(|slots, now| {
            let (old, ttl) = match slots.live(key, now) {
                Some(slot) => (text_number(&slot.value), Duration::from_millis(slot.ends - now)),
                None => (0, ttl),
            };
            let value = old.saturating_add(by);
            slots.write(key, value.to_string().into_bytes(), ttl, now);
            Count { value, ttl }
        })
    }

    fn issue<'a>(&'a self, key: &'a Key, input: &'a Issue, gate: Option<&'a Gate>) -> BoxFuture<'a, Result<Issued>> {
        self.locked(|slots, now| match slots.gated(gate, now) {
            Some(wait) => Issued::Refused(Refused::Gated(wait)),
            None => slots.issue(key, input, now),
        })
    }

    fn attempt<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Attempt,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Attempted>> {
        self.locked(|slots, now| match slots.gated(gate, now) {
            Some(wait) => Attempted::Refused(Refused::Gated(wait)),
            None => slots.update(key, now, |record, at| {
                let attempted = record.attempt(input, at);
                let changed = !matches!(attempted, Attempted::Refused(_));
                (attempted, changed)
            }),
        })
    }

    fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
        self.locked(|slots, now| slots.hit(gate, cost, now))
    }

    fn hits<'a>(&'a self, rates: &'a Rates, cost: u32) -> BoxFuture<'a, Result<Hits>> {
        self.locked(|slots, now| slots.hits(rates, cost, now))
    }

    fn scan<'a>(&'a self, prefix: &'a str, cursor: &'a str, limit: u32) -> BoxFuture<'a, Result<Page>> {
        self.locked(|slots, now| slots.page(prefix, cursor, limit, now))
    }

    fn detach<'a>(&'a self, key: &'a Key, detached_only: bool) -> BoxFuture<'a, Result<Option<Item>>> {
        self.locked(|slots, now| slots.detach(key, detached_only, now))
    }

    fn forget<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<()>> {
        self.locked(|slots, now| slots.forget(item, now))
    }

    fn restore<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<Restored>> {
        self.locked(|slots, now| slots.restore(item, now))
    }

    fn reissue<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Issue,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Option<Issued>>> {
        self.locked(|slots, now| match slots.gated(gate, now) {
            Some(wait) => Some(Issued::Refused(Refused::Gated(wait))),
            None => slots.reissue(key, input, now),
        })
    }
}
