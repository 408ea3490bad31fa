//! What is kept of an entry, and where.

use std::time::Duration;

use serde_json::Value;

use super::{CacheRequest, Cached, MEMORY, MOST_VALUE};
use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::ops::record::{self, Fields, Now, Record, Step};
use crate::secret::Tag;

/// Where an entry is, and what its value is sealed for.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) key: Key,
    pub(super) tag: Tag,
}

impl Place {
    pub(super) fn of(core: &Core, key: &str) -> Result<Self> {
        Ok(Self { key: record::key(core, "cache", "key", &[key])?, tag: core.ring.tag(&["cached", key]) })
    }

    pub(super) fn open(&self, core: &Core, slot: &Slot, sealed: &[u8]) -> Result<Cached> {
        let plain = core.ring.unseal(&self.tag, sealed).ok_or_else(|| {
            Error::new(ErrorKind::Config, "the entry was cached under a secret that is no longer in `secret`")
        })?;
        let value = match plain.is_empty() {
            true => None,
            false => Some(
                serde_json::from_slice(&plain)
                    .map_err(|_| Error::new(ErrorKind::Internal, "a cached value of unknown form"))?,
            ),
        };
        Ok(Cached { value, cached_at_ms: slot.cached_at, version: slot.version })
    }
}

/// A value on its way into a slot.
pub(super) struct Entry {
    sealed: Vec<u8>,
    ttl: Duration,
    cached_at: u64,
    version: u32,
}

impl Entry {
    /// `None`: it is too large.
    pub(super) fn of(
        core: &Core,
        place: &Place,
        request: &CacheRequest,
        value: &Option<Value>,
    ) -> Result<Option<Self>> {
        let plain = value.as_ref().map(Value::to_string).unwrap_or_default();
        if plain.len() > MOST_VALUE {
            return Ok(None);
        }
        Ok(Some(Self {
            sealed: core.ring.seal(&place.tag, plain.as_bytes(), &*core.random)?,
            ttl: if value.is_some() { request.ttl } else { request.negative_ttl },
            cached_at: core.clock.now_ms(),
            version: request.version,
        }))
    }

    pub(super) fn store(&self, slot: &mut Slot, now: Now) -> Step<()> {
        *slot = Slot {
            generation: slot.generation,
            expires: now.line + record::millis(self.ttl),
            cached_at: self.cached_at,
            version: self.version,
            sealed: Some(self.sealed.clone()),
            ..Slot::default()
        };
        Step::Write((), self.ttl + MEMORY)
    }
}

/// What is known of an entry.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) generation: u64,
    pub(super) loader: [u8; 16],
    /// When the lease of whoever loads ends, on the record's line.
    pub(super) loader_ends: u64,
    /// When the value dies, on the record's line.
    pub(super) expires: u64,
    pub(super) cached_at: u64,
    pub(super) version: u32,
    /// The value; sealed nothing: there is none. `None`: it is not known.
    pub(super) sealed: Option<Vec<u8>>,
}

impl Slot {
    pub(super) fn live(&self, now: Now, version: u32) -> Option<&[u8]> {
        let alive = self.version == version && !now.left(self.expires).is_zero();
        self.sealed.as_deref().filter(|_| alive)
    }
}

impl Record for Slot {
    const FORMAT: u8 = 1;

    fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.generation.to_le_bytes());
        into.extend_from_slice(&self.loader);
        for number in [self.loader_ends, self.expires, self.cached_at, self.version.into()] {
            into.extend_from_slice(&number.to_le_bytes());
        }
        into.extend_from_slice(self.sealed.as_deref().unwrap_or_default());
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            generation: fields.number()?,
            loader: fields.array()?,
            loader_ends: fields.number()?,
            expires: fields.number()?,
            cached_at: fields.number()?,
            version: fields.number()? as u32,
            sealed: Some(fields.rest().to_vec()).filter(|sealed| !sealed.is_empty()),
        })
    }
}
