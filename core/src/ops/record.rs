//! Small records over the store's primitives: read, decide, write if nobody else did.

use std::time::Duration;

use ring::digest;

use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::store::When;

/// Lost races before giving up. Each loss means that somebody else went forward.
const ROUNDS: u32 = 1000;

/// What memcached keeps at most, and so the longest life of any record.
pub(super) const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Names are hashed, so this only keeps a mistake from costing much.
const LONGEST_NAME: usize = 1024;

/// Fields as bytes. What is not of this form counts as none.
pub(super) trait Record: Default + Send {
    const FORMAT: u8;

    fn write(&self, into: &mut Vec<u8>);

    fn read(fields: &mut Fields<'_>) -> Option<Self>;
}

/// When a record was read.
#[derive(Clone, Copy)]
pub(super) struct Now {
    /// On the record's own line of time, which goes by the store's clock: a value says where on that line it expires,
    /// and the life it has left then tells the time. A new record begins at 0.
    pub(super) line: u64,
    /// On this process's monotonic clock, before the store was asked: no lease may be believed in for longer than
    /// from here.
    pub(super) asked: Duration,
    /// How inexact the store's times are.
    grain: Duration,
}

impl Now {
    /// The end of a lease of `ttl`, on the record's line: late by what the store may be wrong, so that whoever counts
    /// from [`Now::asked`] stops believing first.
    pub(super) fn lease(self, ttl: Duration) -> u64 {
        self.line + millis(ttl + self.grain)
    }

    /// What is left of a lease.
    pub(super) fn left(self, ends: u64) -> Duration {
        Duration::from_millis(ends.saturating_sub(self.line))
    }
}

/// What becomes of a record.
pub(super) enum Step<T> {
    /// It stays as it is.
    Keep(T),
    /// It is written and lives for so long.
    Write(T, Duration),
}

/// Changes a record, alone among all callers.
pub(super) async fn update<R: Record, T>(
    core: &Core,
    key: &Key,
    mut step: impl FnMut(&mut R, Now) -> Step<T>,
) -> Result<T> {
    for _ in 0..ROUNDS {
        let (mut record, now, when) = read(core, key).await?;
        let (outcome, life) = match step(&mut record, now) {
            Step::Keep(outcome) => return Ok(outcome),
            Step::Write(outcome, life) => (outcome, rounded(life.min(LONGEST), now.grain)),
        };
        let mut value = vec![R::FORMAT];
        value.extend_from_slice(&(now.line + millis(life)).to_le_bytes());
        record.write(&mut value);
        if core.store.put(key, &value, life, when).await? {
            return Ok(outcome);
        }
    }
    Err(Error::new(ErrorKind::StoreUnavailable, "too many callers changed the same entry at once"))
}

/// Reads a record, and the condition under which it may be written.
pub(super) async fn read<R: Record>(core: &Core, key: &Key) -> Result<(R, Now, When)> {
    let (asked, grain) = (core.clock.elapsed(), core.store.granularity());
    let Some(entry) = core.store.get(key).await? else {
        return Ok((R::default(), Now { line: 0, asked, grain }, When::Absent));
    };
    let mut fields = Fields(&entry.value);
    let parsed = fields.byte().filter(|format| *format == R::FORMAT).and_then(|_| {
        let end = fields.number()?;
        // What lost its expiry is past, or it would stand in the way for ever.
        let line = entry.ttl.map_or(end + 1, |left| end.saturating_sub(millis(left)));
        Some((R::read(&mut fields)?, line))
    });
    let (record, line) = parsed.unwrap_or_default();
    Ok((record, Now { line, asked, grain }, When::Version(entry.version)))
}

/// The bytes of a record that are still to be read.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// What a store keeps of an owner's token: enough to know it again, nothing to use it with.
pub(super) fn mark(token: &str) -> [u8; 16] {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    let mut mark = [0; 16];
    mark.copy_from_slice(&digest.as_ref()[..16]);
    mark
}

/// A number to begin with that no lost record can have reached: callers count in single steps, this by milliseconds.
pub(super) fn first_number(core: &Core) -> u64 {
    // Below 2^53, so that JavaScript can count on.
    core.clock.now_ms().min(1 << 48)
}

/// The key of what the app calls `name`.
pub(super) fn key(core: &Core, kind: &str, what: &str, names: &[&str]) -> Result<Key> {
    if !names.iter().all(|name| (1..=LONGEST_NAME).contains(&name.len())) {
        return Err(Error::argument(format!("{what} must be 1 to {LONGEST_NAME} bytes long")));
    }
    let parts: Vec<_> = [kind].into_iter().chain(names.iter().copied()).collect();
    Ok(core.keys.key(&core.ring, kind, &parts))
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// What the store will make of a life, since a record must agree with its expiry.
fn rounded(life: Duration, grain: Duration) -> Duration {
    let grain = millis(grain).max(1);
    Duration::from_millis(millis(life).div_ceil(grain).max(1) * grain)
}
