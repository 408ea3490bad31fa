//! The hot operations over the four primitives: read, decide, write if nobody else did. The executable specification.

use std::time::Duration;

#[cfg(feature = "memcached")]
use super::Count;
use super::challenge::{Amend, Attempt, Attempted, Issue, Issued, Peeked, Record, Refused};
use super::limit::{Gate, Hit};
use super::rate::{Hits, Ledger, Rates};
use super::{Entry, Store, When};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;

/// Lost races before giving up. Each loss means that somebody else went forward.
const ROUNDS: u32 = 1000;

pub(super) async fn issue<S: Store + ?Sized>(
    store: &S,
    key: &Key,
    input: &Issue,
    gate: Option<&Gate>,
) -> Result<Issued> {
    if let Some(wait) = gated(store, gate).await? {
        return Ok(Issued::Refused(Refused::Gated(wait)));
    }
    update(store, key, |record, now| {
        let issued = record.issue(input, now);
        let changed = !matches!(issued, Issued::Refused(_));
        (issued, changed)
    })
    .await
}

pub(super) async fn attempt<S: Store + ?Sized>(
    store: &S,
    key: &Key,
    input: &Attempt,
    gate: Option<&Gate>,
) -> Result<Attempted> {
    if let Some(wait) = gated(store, gate).await? {
        return Ok(Attempted::Refused(Refused::Gated(wait)));
    }
    update(store, key, |record, now| {
        let attempted = record.attempt(input, now);
        let changed = !matches!(attempted, Attempted::Refused(_));
        (attempted, changed)
    })
    .await
}

pub(super) async fn hit<S: Store + ?Sized>(store: &S, gate: &Gate, cost: u32) -> Result<Hit> {
    for _ in 0..ROUNDS {
        let entry = store.get(&gate.key).await?;
        let window = Duration::from_millis(super::challenge::millis(gate.limit.window));
        // A counter that lost its expiry starts a new window: it would refuse for ever otherwise.
        let (used, left, when) = match entry {
            Some(Entry { value, version, ttl: Some(left) }) => (number(&value), left, When::Version(version)),
            Some(Entry { version, ttl: None, .. }) => (0, window, When::Version(version)),
            None => (0, window, When::Absent),
        };
        let answer = Hit::judge(&gate.limit, used, cost, left);
        if !answer.allowed {
            return Ok(answer);
        }
        let value = used.saturating_add(cost).to_string();
        if store.put(&gate.key, value.as_bytes(), left, when).await? {
            return Ok(answer);
        }
    }
    Err(contended())
}

pub(super) async fn hits<S: Store + ?Sized>(store: &S, rates: &Rates, cost: u32) -> Result<Hits> {
    for _ in 0..ROUNDS {
        let entry = store.get(&rates.key).await?;
        let (mut ledger, now) = entry.as_ref().map_or_else(Default::default, |e| Ledger::decode(&e.value, e.ttl));
        let answer = ledger.hit(&rates.rates, cost, now);
        if !answer.allowed || cost == 0 {
            return Ok(answer);
        }
        let when = entry.map_or(When::Absent, |e| When::Version(e.version));
        let life = rounded(ledger.life(now), store.granularity());
        if store.put(&rates.key, &ledger.encode(now, life), life, when).await? {
            return Ok(answer);
        }
    }
    Err(contended())
}

/// Gives `cost` back to all limits of a hit. What is over by now has nothing to be given back to.
pub(super) async fn give_back<S: Store + ?Sized>(store: &S, rates: &Rates, cost: u32) -> Result<()> {
    for _ in 0..ROUNDS {
        let Some(Entry { value, version, ttl: Some(left) }) = store.get(&rates.key).await? else { return Ok(()) };
        let (mut ledger, now) = Ledger::decode(&value, Some(left));
        ledger.give_back(&rates.rates, cost, now);
        let life = rounded(ledger.life(now), store.granularity());
        if store.put(&rates.key, &ledger.encode(now, life), life, When::Version(version)).await? {
            return Ok(());
        }
    }
    Err(contended())
}

/// The same for a plain counter, which the store itself counts.
pub(super) async fn give_back_count<S: Store + ?Sized>(store: &S, gate: &Gate, cost: u32) -> Result<()> {
    let Some(entry) = store.get(&gate.key).await? else { return Ok(()) };
    let by = i64::from(number(&entry.value).min(cost));
    let count = store.count(&gate.key, -by, gate.limit.window).await?;
    // Others gave back meanwhile, or a new window began: each takes its own part of what was too much.
    if count.value < 0 {
        store.count(&gate.key, by.min(-count.value), gate.limit.window).await?;
    }
    Ok(())
}

pub(super) async fn amend<S: Store + ?Sized>(store: &S, key: &Key, input: &Amend) -> Result<bool> {
    update(store, key, |record, now| {
        let changed = record.amend(input, now);
        (changed, changed)
    })
    .await
}

pub(super) async fn peek<S: Store + ?Sized>(store: &S, key: &Key) -> Result<Option<Peeked>> {
    let entry = store.get(key).await?;
    Ok(entry.and_then(|entry| {
        let (record, now) = Record::decode(&entry.value, entry.ttl);
        record.peek(now)
    }))
}

/// Whether the key holds anything decides.
pub(super) async fn reissue<S: Store + ?Sized>(
    store: &S,
    key: &Key,
    input: &Issue,
    gate: Option<&Gate>,
) -> Result<Option<Issued>> {
    if store.get(key).await?.is_some() {
        return store.issue(key, input, gate).await.map(Some);
    }
    let wait = gated(store, gate).await?;
    Ok(wait.map(|wait| Issued::Refused(Refused::Gated(wait))))
}

async fn gated<S: Store + ?Sized>(store: &S, gate: Option<&Gate>) -> Result<Option<Duration>> {
    let Some(gate) = gate else { return Ok(None) };
    let hit = store.hit(gate, 1).await?;
    Ok((!hit.allowed).then_some(hit.resets_in))
}

async fn update<S: Store + ?Sized, T>(store: &S, key: &Key, step: impl Fn(&mut Record, u64) -> (T, bool)) -> Result<T> {
    for _ in 0..ROUNDS {
        let entry = store.get(key).await?;
        let (mut record, now) = entry.as_ref().map_or_else(Default::default, |e| Record::decode(&e.value, e.ttl));
        let (outcome, changed) = step(&mut record, now);
        if !changed {
            return Ok(outcome);
        }
        let when = entry.map_or(When::Absent, |e| When::Version(e.version));
        // A record in which nothing matters any more still needs a write, for the consumed code to be gone.
        let ttl = rounded(record.life(now), store.granularity());
        if store.put(key, &record.encode(now, ttl), ttl, when).await? {
            return Ok(outcome);
        }
    }
    Err(contended())
}

/// What the store will make of a life, since a packed record must agree with its expiry.
pub(super) fn rounded(life: Duration, grain: Duration) -> Duration {
    let grain = grain.as_millis().max(1);
    Duration::from_millis((life.as_millis().div_ceil(grain).max(1) * grain) as u64)
}

/// A counter over put, for stores whose own counters cannot do it.
#[cfg(feature = "memcached")]
pub(super) async fn count<S: Store + ?Sized>(store: &S, key: &Key, by: i64, ttl: Duration) -> Result<Count> {
    for _ in 0..ROUNDS {
        let (value, ttl, when) = match store.get(key).await? {
            Some(Entry { value, version, ttl: Some(left) }) => {
                let old: i64 = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()).unwrap_or(i64::MAX);
                (old.saturating_add(by), left, When::Version(version))
            }
            Some(Entry { version, ttl: None, .. }) => (by, ttl, When::Version(version)),
            None => (by, ttl, When::Absent),
        };
        if store.put(key, value.to_string().as_bytes(), ttl, when).await? {
            return Ok(Count { value, ttl });
        }
    }
    Err(contended())
}

fn number(value: &[u8]) -> u32 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(u32::MAX)
}

fn contended() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "too many callers changed the same entry at once")
}
