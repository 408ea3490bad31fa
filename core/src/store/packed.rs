//! A record as one value, for stores that keep values.

use std::time::Duration;

use super::challenge::{Challenge, Record, Window, millis};
use crate::secret::Digest;

const FORMAT: u8 = 1;
const HEAD: usize = 47;
const FIXED: usize = 52;

impl Record {
    /// One packed value. Little-endian: format (1 byte), end, expires, cooldown (6 each), then end and count (6 + 2) of
    /// the issue, verify and failure windows, attempts and their maximum (2 each); with a challenge (expires not 0) its
    /// key id (4), digest (32), id (16) and sealed payload.
    ///
    /// `end` is when the value's own expiry falls on the record's line of time. So whoever reads the value together
    /// with the life it has left knows what time it is on that line, by the store's clock, without asking for the
    /// time: `now = end − left`. A new record starts the line at 0. `life` must be what the value is put with.
    pub(super) fn encode(&self, now: u64, life: Duration) -> Vec<u8> {
        let end = now + millis(life);
        let (expires, attempts, max) =
            self.challenge.as_ref().map_or((0, 0, 0), |c| (c.expires, c.attempts, c.max_attempts));
        let mut bytes = Vec::with_capacity(HEAD + FIXED + self.challenge.as_ref().map_or(0, |c| c.sealed.len()));
        bytes.push(FORMAT);
        for time in [end, expires, self.cooldown_until] {
            push48(&mut bytes, time);
        }
        for window in [self.issues, self.verifies, self.failures] {
            push48(&mut bytes, window.ends);
            bytes.extend_from_slice(&window.count.to_le_bytes());
        }
        bytes.extend_from_slice(&attempts.to_le_bytes());
        bytes.extend_from_slice(&max.to_le_bytes());
        if let Some(challenge) = &self.challenge {
            bytes.extend_from_slice(&challenge.digest.key.to_le_bytes());
            bytes.extend_from_slice(&challenge.digest.bytes);
            bytes.extend_from_slice(&challenge.id);
            bytes.extend_from_slice(&challenge.sealed);
        }
        bytes
    }

    /// Reads a packed value and what time it is. A value that is not one of ours counts as none, and so does one
    /// that lost its expiry (everything in it is then past).
    pub(super) fn decode(bytes: &[u8], ttl: Option<Duration>) -> (Record, u64) {
        Self::parse(bytes, ttl).unwrap_or_default()
    }

    pub(super) fn parse(bytes: &[u8], ttl: Option<Duration>) -> Option<(Record, u64)> {
        let (head, tail) = bytes.split_first_chunk::<HEAD>().filter(|(head, _)| head[0] == FORMAT)?;
        let u16_at = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let window = |at: usize| Window { ends: read48(&head[at..]), count: u16_at(at + 6) };
        let end = read48(&head[1..]);
        let expires = read48(&head[7..]);
        let challenge = match tail.split_first_chunk::<FIXED>() {
            Some((fixed, sealed)) if expires > 0 => Some(Challenge {
                digest: Digest { key: u32::from_le_bytes(*fixed.first_chunk()?), bytes: *fixed[4..].first_chunk()? },
                id: *fixed[36..].first_chunk()?,
                expires,
                attempts: u16_at(43),
                max_attempts: u16_at(45),
                sealed: sealed.to_vec(),
            }),
            _ => None,
        };
        let record = Record {
            challenge,
            cooldown_until: read48(&head[13..]),
            issues: window(19),
            verifies: window(27),
            failures: window(35),
        };
        let now = ttl.map_or(end + 1, |ttl| end.saturating_sub(millis(ttl)));
        Some((record, now))
    }
}

fn push48(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes()[..6]);
}

fn read48(bytes: &[u8]) -> u64 {
    let mut wide = [0; 8];
    wide[..6].copy_from_slice(&bytes[..6]);
    u64::from_le_bytes(wide)
}
