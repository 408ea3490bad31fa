//! What moves from one store to another, and the rules of arriving.
//!
//! A thing is in use in one store at a time. It leaves by [`Store::detach`], which puts it beside its key, where it
//! survives a crash of whoever moves it; it arrives by [`Store::restore`], which marks in the same step that it was
//! there; then it is forgotten where it came from. Whoever finds a thing half way brings it to its end, so of many
//! movers none has to finish. The mark holds how often the thing has changed stores: a mover that was suspended for
//! long and comes with it once more is refused, though the code may have been used up and its record be gone. Coming
//! back to a store ends the waiting that is left there from an earlier move.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::challenge::Record;
use super::{BoxFuture, Entry, Store, When, defaults};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Found, Key};

/// A mark outlives what it marks by this much, for clocks and calls on their way.
const MARGIN: Duration = Duration::from_secs(60);

/// A challenge, a value or a counter, with everything that a store knows of it.
#[derive(Clone)]
pub struct Item {
    /// Its name, the same in every store.
    pub key: Key,
    /// What it is.
    pub content: Content,
    /// For stores with readable columns.
    pub audit: Option<Audit>,
    /// How often it has changed stores.
    pub moves: u64,
    left: Duration,
    read: Instant,
}

/// What an [`Item`] is.
#[derive(Clone)]
pub enum Content {
    /// An entity's challenge and budgets, packed.
    Challenge(Vec<u8>),
    /// A value; a counter is one in figures.
    Value(Vec<u8>),
}

/// What stores with readable columns show of a challenge.
#[derive(Clone, Debug)]
pub struct Audit {
    /// What the code is for.
    pub purpose: String,
    /// Since the last issue.
    pub age: Duration,
    /// Since the last success.
    pub verified: Option<Duration>,
}

/// A part of [`Store::scan`].
#[derive(Debug, Default)]
pub struct Page {
    /// Live things, and whether each is detached.
    pub items: Vec<(Item, bool)>,
    /// Ours by the key, but not readable, or without an end.
    pub unreadable: u64,
    /// Found expired.
    pub expired: u64,
    /// Where to go on; `None` at the end.
    pub cursor: Option<String>,
    /// About how many there are in all, where the store can tell cheaply.
    pub total: Option<u64>,
}

/// The answer of [`Store::restore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It is in use here now.
    Arrived,
    /// It had been here before; nothing was written.
    Known,
    /// Nothing was left of its life.
    Expired,
}

/// Moves what `key` names, if there is anything. Any number of callers may do so at once.
pub(crate) async fn carry(
    from: &dyn Store,
    to: &dyn Store,
    key: &Key,
    detached_only: bool,
) -> Result<Option<Restored>> {
    let mut item = loop {
        let Some(mut item) = from.detach(key, detached_only).await? else { return Ok(None) };
        let Some(mark) = item.mark() else { break item };
        item.moves = count(from.get(&mark).await?.as_ref()) + 1;
        // If it went there and came back between the two readings, the number is not that of what we hold. Coming back
        // ends its waiting here.
        let waiting = from.detach(key, true).await?;
        if waiting.and_then(|waiting| waiting.mark()).is_some_and(|waiting| waiting == mark) {
            break item;
        }
    };
    let restored = match to.restore(&item).await {
        // It can never be there, say for a life that is too long: it stays in use where it was.
        Err(e) if matches!(e.kind(), ErrorKind::InvalidArgument | ErrorKind::Config) => {
            item.moves += 1;
            from.restore(&item).await?;
            from.forget(&item).await?;
            return Err(e);
        }
        answer => answer?,
    };
    from.forget(&item).await?;
    Ok(Some(restored))
}

impl Page {
    /// Adds what a store of values found under `key`.
    pub(super) fn add(&mut self, key: &str, entry: Option<Entry>) {
        let (key, detached) = match Found::read(key) {
            Some(Found::Own(key)) => (key, false),
            Some(Found::Detached(key)) => (key, true),
            Some(Found::Mark) => return,
            None => return self.unreadable += 1,
        };
        let Some(Entry { value, ttl, .. }) = entry else { return self.expired += 1 };
        let item = Item::entry(key, value, ttl);
        match item.filter(|item| !item.key.is_challenge() || item.record().is_some()) {
            Some(item) => self.items.push((item, detached)),
            None => self.unreadable += 1,
        }
    }

    /// Adds what a row was, if it is live.
    pub(super) fn push(&mut self, item: Option<Item>, detached: bool) {
        match item {
            Some(item) => self.items.push((item, detached)),
            None => self.expired += 1,
        }
    }
}

impl Item {
    /// An entity as of `now` on the record's own line. `None` when nothing in it matters.
    pub(super) fn challenge(key: Key, record: &Record, now: u64, audit: Option<Audit>) -> Option<Self> {
        let left = record.life(now);
        let content = Content::Challenge(record.encode(now, left));
        (!left.is_zero()).then(|| Self { key, content, audit, moves: 0, left, read: Instant::now() })
    }

    /// What a store of values holds under the key. `None` without an expiry.
    pub(super) fn entry(key: Key, value: Vec<u8>, ttl: Option<Duration>) -> Option<Self> {
        let left = ttl.filter(|left| !left.is_zero())?;
        let content = if key.is_challenge() { Content::Challenge(value) } else { Content::Value(value) };
        Some(Self { key, content, audit: None, moves: 0, left, read: Instant::now() })
    }

    /// The life that is left by now.
    pub fn left(&self) -> Duration {
        self.left.saturating_sub(self.read.elapsed())
    }

    /// Whether `value`, which waits beside its key in a store of values, is this thing.
    pub(super) fn is_same(&self, value: &[u8]) -> bool {
        let other = Self::entry(self.key.clone(), value.to_vec(), Some(self.left()));
        self.mark().is_some_and(|mark| other.and_then(|other| other.mark()) == Some(mark))
    }

    /// The bytes that tell it from another thing of the same name.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Challenge(bytes) | Content::Value(bytes) => bytes,
        }
    }

    /// What is known of the entity, and what time it is there. `None` for a value, and for what cannot be read.
    pub(super) fn record(&self) -> Option<(Record, u64)> {
        match &self.content {
            Content::Challenge(bytes) => Record::parse(bytes, Some(self.left())),
            Content::Value(_) => None,
        }
    }

    /// Where it is noted that it has been in a store. `None` for what is not used up, only counted: it can come twice.
    pub(super) fn mark(&self) -> Option<Key> {
        let fingerprint = match &self.content {
            Content::Challenge(_) => first_bytes(&self.record()?.0.challenge?.id),
            Content::Value(value) if figures(value).is_some() => return None,
            Content::Value(value) => first_bytes(ring::digest::digest(&ring::digest::SHA256, value).as_ref()),
        };
        Some(self.key.visited(fingerprint))
    }

    /// Whether it is known to have come back to where it left from, `mark` being the one there.
    pub(super) fn has_returned(&self, mark: Option<&Entry>) -> bool {
        count(mark) >= self.moves.max(1)
    }

    pub(super) fn mark_life(&self) -> Duration {
        self.left() + MARGIN
    }
}

/// What a store of values writes when an item arrives.
pub(super) struct Arrival {
    pub(super) value: Vec<u8>,
    pub(super) life: Duration,
}

/// Decides for a store of values: what to write, if anything. `held` is what is under the key, `seen` the mark there.
pub(super) fn arrive(item: &Item, held: Option<&Entry>, seen: u64, grain: Duration) -> Result<Arrival, Restored> {
    let left = item.left();
    if left.is_zero() {
        return Err(Restored::Expired);
    }
    if item.mark().is_some() && seen >= item.moves.max(1) {
        return Err(Restored::Known);
    }
    let Content::Value(value) = &item.content else {
        let (theirs, then) = item.record().ok_or(Restored::Expired)?;
        let (mut record, now) = held.map_or_else(Default::default, |e| Record::decode(&e.value, e.ttl));
        record.absorb(now, theirs, then);
        let life = defaults::rounded(record.life(now), grain);
        return Ok(Arrival { value: record.encode(now, life), life });
    };
    let held = held.and_then(|e| e.ttl.map(|ttl| (&e.value, ttl)));
    match (held, figures(value)) {
        (None, _) => Ok(Arrival { value: value.clone(), life: left }),
        (Some((held, ttl)), Some(number)) => match figures(held) {
            Some(own) => Ok(Arrival { value: own.max(number).to_string().into_bytes(), life: ttl.max(left) }),
            None => Err(Restored::Known),
        },
        (Some(_), None) => Err(Restored::Known),
    }
}

/// How often somebody else's arrival is looked at, and how long apart.
const LOOKS: u32 = 20;
const APART: Duration = Duration::from_millis(5);

/// [`Store::restore`] for values in a store without a step over two keys. The mark comes first, negative until the value is
/// there, too; others wait for that. If it does not come about, because whoever wrote the mark died at that moment, the
/// thing is lost, which is better than to have it twice.
pub(super) async fn restore<S: Store + ?Sized>(store: &S, item: &Item) -> Result<Restored> {
    // Before the mark, see `carry`.
    store.forget(item).await?;
    let Some(mark) = item.mark() else { return write(store, item).await };
    let moves = item.moves.max(1);
    let mut looks = 0;
    loop {
        let seen = store.get(&mark).await?;
        let under_way = seen.as_ref().is_some_and(|e| e.value.starts_with(b"-"));
        let done = count(seen.as_ref());
        let when = seen.map_or(When::Absent, |e| When::Version(e.version));
        let (number, mine) = match under_way {
            true if looks < LOOKS => {
                looks += 1;
                tokio::time::sleep(APART).await;
                continue;
            }
            true => (done.to_string(), false),
            false if done >= moves => return Ok(Restored::Known),
            false => (format!("-{moves}"), true),
        };
        if !store.put(&mark, number.as_bytes(), item.mark_life(), when).await? || !mine {
            continue;
        }
        let answer = write(store, item).await?;
        // Unless it has left and come back meanwhile.
        if let Some(seen) = store.get(&mark).await?.filter(|seen| seen.value == number.as_bytes()) {
            let when = When::Version(seen.version);
            store.put(&mark, moves.to_string().as_bytes(), item.mark_life(), when).await?;
        }
        return Ok(answer);
    }
}

async fn write<S: Store + ?Sized>(store: &S, item: &Item) -> Result<Restored> {
    for _ in 0..100 {
        let held = store.get(&item.key).await?;
        let arrival = match arrive(item, held.as_ref(), 0, store.granularity()) {
            Ok(arrival) => arrival,
            Err(answer) => return Ok(answer),
        };
        let when = held.map_or(When::Absent, |e| When::Version(e.version));
        if store.put(&item.key, &arrival.value, arrival.life, when).await? {
            return Ok(Restored::Arrived);
        }
    }
    Err(Error::new(ErrorKind::StoreUnavailable, "too many callers changed the same entry at once"))
}

/// The number in a mark.
pub(super) fn count(mark: Option<&Entry>) -> u64 {
    mark.and_then(|e| figures(&e.value)).map_or(0, i64::unsigned_abs)
}

pub(super) fn figures(value: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == value).then_some(number)
}

/// The default of a store that says nothing about moving.
pub(super) fn refused<'a, S: ?Sized, T: Send + 'a>(what: &str) -> BoxFuture<'a, Result<T>> {
    let name = std::any::type_name::<S>();
    let name = name.split('<').next().unwrap_or(name).rsplit("::").next().unwrap_or(name);
    let error = Error::config(format!("{name} cannot {what}: it does not offer scan, detach, forget and restore"));
    Box::pin(std::future::ready(Err(error)))
}

fn first_bytes(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.key.is_challenge() { "challenge" } else { "value" };
        write!(f, "Item({what}, {:?} left)", self.left())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Content::Challenge(_)) { "Challenge" } else { "Value" })
    }
}
