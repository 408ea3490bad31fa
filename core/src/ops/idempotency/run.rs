//! What is kept of a key, and where.

use super::{MOST_REPLY, Reply};
use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::ops::record::{self, Fields, Record};
use crate::secret::Tag;

/// Where a key's record is, and what its reply is sealed for.
pub(super) struct Place {
    pub(super) key: Key,
    pub(super) tag: Tag,
}

impl Place {
    pub(super) fn of(core: &Core, scope: &str, key: &str) -> Result<Self> {
        let tag = core.ring.tag(&["reply", scope, key]);
        Ok(Self { key: record::key(core, "idem", "scope and key", &[scope, key])?, tag })
    }

    pub(super) fn open(&self, core: &Core, sealed: &[u8]) -> Result<Reply> {
        if sealed.is_empty() {
            return Err(too_large());
        }
        let plain = core.ring.unseal(&self.tag, sealed).ok_or_else(|| {
            Error::new(ErrorKind::Config, "the reply was kept under a secret that is no longer in `secret`")
        })?;
        let value = serde_json::from_slice(&plain);
        let value = value.map_err(|_| Error::new(ErrorKind::Internal, "a reply of unknown form"))?;
        Ok(Reply { value, replayed: true })
    }
}

pub(super) fn too_large() -> Error {
    Error::argument(format!("the reply has more than {MOST_REPLY} bytes of JSON: the work is done, the reply not kept"))
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Free,
    Running,
    Done,
}

/// What is known of a key.
#[derive(Default)]
pub(super) struct Run {
    pub(super) state: State,
    pub(super) fence: u64,
    pub(super) owner: [u8; 16],
    /// When the lease ends, on the record's line.
    pub(super) ends: u64,
    pub(super) fingerprint: [u8; 16],
    /// In milliseconds, from the last write on.
    pub(super) retention: u64,
    /// The reply, unless it was too large.
    pub(super) sealed: Vec<u8>,
}

impl Record for Run {
    const FORMAT: u8 = 1;

    fn write(&self, into: &mut Vec<u8>) {
        into.push(match self.state {
            State::Free => 0,
            State::Running => 1,
            State::Done => 2,
        });
        into.extend_from_slice(&self.fence.to_le_bytes());
        into.extend_from_slice(&self.owner);
        into.extend_from_slice(&self.ends.to_le_bytes());
        into.extend_from_slice(&self.fingerprint);
        into.extend_from_slice(&self.retention.to_le_bytes());
        into.extend_from_slice(&self.sealed);
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let state = match fields.byte()? {
            0 => State::Free,
            1 => State::Running,
            2 => State::Done,
            _ => return None,
        };
        Some(Self {
            state,
            fence: fields.number()?,
            owner: fields.array()?,
            ends: fields.number()?,
            fingerprint: fields.array()?,
            retention: fields.number()?,
            sealed: fields.rest().to_vec(),
        })
    }
}
