//! What is known of revocations: a version that only rises and the tokens that were revoked one by one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The state of a user (or of everybody). What was never written is all zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    /// Tokens of a lower version are revoked. The time of the bump in milliseconds since the Unix epoch, so that it
    /// rises even where the store has forgotten the one before.
    pub(super) version: u64,
    /// Rises with every write, so that of two copies the later is known.
    pub(super) stamp: u64,
    /// Which tokens, and until when that matters, in milliseconds since the Unix epoch.
    pub(super) revoked: Vec<([u8; 16], u64)>,
}

const FORMAT: u8 = 1;
const ENTRY: usize = 24;

/// So much longer than a token it is remembered that it was revoked: a process whose clock is behind accepts it for longer.
const MARGIN_MS: u64 = 12 * 3600 * 1000;

/// More tokens of one user revoked one by one than this, and all of them are: nothing revoked is ever forgotten.
pub(super) const MOST_REVOKED: usize = 500;

impl State {
    /// Revokes all tokens before this.
    pub(super) fn bump(&mut self, now: u64) {
        self.touch(now);
        self.version = now.max(self.version + 1);
        // They are below the version now.
        self.revoked.clear();
    }

    /// Revokes one token that is accepted until `end`, by whoever has the right time.
    pub(super) fn revoke(&mut self, id: [u8; 16], end: u64, now: u64) {
        let until = end.saturating_add(MARGIN_MS);
        self.touch(now);
        self.revoked.retain(|(other, ends)| *ends > now && *other != id);
        self.revoked.push((id, until));
        if self.revoked.len() > MOST_REVOKED {
            self.bump(now);
        }
    }

    pub(super) fn revokes(&self, version: u64, id: &[u8; 16]) -> bool {
        version < self.version || self.revoked.iter().any(|(revoked, _)| revoked == id)
    }

    /// How long it matters: `longest` for a version, which any token may be below.
    pub(super) fn life(&self, longest: Duration, now: u64) -> Duration {
        let last = self.revoked.iter().map(|(_, until)| until.saturating_sub(now)).max().unwrap_or(0);
        let version = if self.version > 0 { longest } else { Duration::ZERO };
        Duration::from_millis(last).max(version).max(Duration::from_secs(1))
    }

    /// Little-endian: format (1 byte), version, stamp (8 each), then id and end of each revoked token (16 + 8).
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17 + self.revoked.len() * ENTRY);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes.extend_from_slice(&self.stamp.to_le_bytes());
        for (id, until) in &self.revoked {
            bytes.extend_from_slice(id);
            bytes.extend_from_slice(&until.to_le_bytes());
        }
        bytes
    }

    /// `None`: not one of ours.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[FORMAT])?;
        let (version, rest) = rest.split_first_chunk::<8>()?;
        let (stamp, rest) = rest.split_first_chunk::<8>()?;
        let (entries, []) = rest.as_chunks::<ENTRY>() else { return None };
        let entry = |entry: &[u8; ENTRY]| {
            let (id, until) = entry.split_first_chunk::<16>()?;
            Some((*id, u64::from_le_bytes(until.try_into().ok()?)))
        };
        let revoked = entries.iter().map(entry).collect::<Option<_>>()?;
        Some(Self { version: u64::from_le_bytes(*version), stamp: u64::from_le_bytes(*stamp), revoked })
    }

    fn touch(&mut self, now: u64) {
        self.stamp = now.max(self.stamp + 1);
    }
}

/// What this process knows, for a bounded moment and of a bounded number of users.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<HashMap<[u8; 16], Known>>);

/// A state, and when it was read, by a clock that nobody sets.
type Known = (Arc<State>, Duration);

impl Cache {
    /// What was learned less than `fresh` ago.
    pub(super) fn get(&self, tag: &[u8; 16], now: Duration, fresh: Duration) -> Option<Arc<State>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, at) = known.get(tag)?;
        (now.saturating_sub(*at) < fresh).then(|| Arc::clone(state))
    }

    /// Learns, and gives what is true now: of two copies the later, so what is known only ever rises.
    pub(super) fn put(&self, tag: [u8; 16], state: State, now: Duration, fresh: Duration, most: usize) -> Arc<State> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= most && !known.contains_key(&tag) {
            known.retain(|_, (_, at)| now.saturating_sub(*at) < fresh);
            if known.len() >= most {
                known.clear();
            }
        }
        let later = known.get(&tag).map(|(old, _)| Arc::clone(old)).filter(|old| old.stamp > state.stamp);
        let state = later.unwrap_or_else(|| Arc::new(state));
        known.insert(tag, (Arc::clone(&state), now));
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_secs(5);

    #[test]
    fn a_state_survives_its_encoding() {
        let mut state = State::default();
        state.bump(7000);
        state.revoke([3; 16], 9000, 7500);
        assert_eq!(State::decode(&state.encode()), Some(state.clone()));
        for bytes in [&b""[..], &[2; 17], &[1; 18], &state.encode()[1..]] {
            assert_eq!(State::decode(bytes), None);
        }
    }

    #[test]
    fn a_version_rises_even_when_the_clock_does_not() {
        let mut state = State::default();
        state.bump(1000);
        state.bump(10);
        assert_eq!((state.version, state.stamp), (1001, 1001));
        assert!(state.revokes(1000, &[0; 16]) && !state.revokes(1001, &[0; 16]));
    }

    #[test]
    fn a_revocation_outlives_its_token_by_what_clocks_differ() {
        let mut state = State::default();
        state.revoke([3; 16], 9000, 8000);
        assert_eq!(state.life(Duration::ZERO, 8000), Duration::from_millis(1000 + MARGIN_MS));
        // Another is revoked by a process whose clock is ahead.
        state.revoke([4; 16], 9000, 9000 + MARGIN_MS - 1);
        assert!(state.revokes(0, &[3; 16]));
    }

    #[test]
    fn too_many_revoked_one_by_one_are_all_revoked() {
        let mut state = State::default();
        for number in 0..=MOST_REVOKED as u64 {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_le_bytes());
            state.revoke(id, 10_000, 1000);
        }
        assert!(state.revoked.is_empty() && state.revokes(0, &[9; 16]));
    }

    #[test]
    fn what_is_known_only_rises_and_is_bounded() {
        let (cache, mut new, ms) = (Cache::default(), State::default(), Duration::from_millis);
        new.bump(1000);
        cache.put([1; 16], new.clone(), ms(1000), FRESH, 2);
        assert_eq!(*cache.put([1; 16], State::default(), ms(1001), FRESH, 2), new, "a late reader");
        assert!(cache.get(&[1; 16], ms(6000), FRESH).is_some() && cache.get(&[1; 16], ms(6001), FRESH).is_none());
        for tag in 2..100 {
            cache.put([tag; 16], State::default(), ms(1002), FRESH, 2);
            assert!(cache.0.lock().expect("known").len() <= 2);
        }
    }
}
