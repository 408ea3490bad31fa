//! All sessions of one user as one value, and the pure rules over it.
//!
//! One value means one round trip for whatever is asked, a versioned put that no late write survives, and nothing to be
//! kept in step. Times are milliseconds since the Unix epoch.

use std::time::Duration;

use subtle::ConstantTimeEq;

use crate::config::SessionPolicy;

/// A user and their sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    /// When the value's own expiry falls. Whoever reads the value together with the life it has left knows from it what
    /// time it is by the store's clock: `end − left`.
    pub(super) end: u64,
    pub(super) user: String,
    pub(super) sessions: Vec<Stored>,
}

/// One session as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) id: [u8; 16],
    /// SHA-256 of the token's secret.
    pub(super) digest: [u8; 32],
    /// That of the token before the last rotation, and until when it is good.
    pub(super) previous: [u8; 32],
    pub(super) previous_until: u64,
    pub(super) created: u64,
    pub(super) active: u64,
    /// The absolute end.
    pub(super) expires: u64,
    pub(super) device: String,
    pub(super) ip: String,
    /// JSON, or nothing.
    pub(super) data: Vec<u8>,
}

const FORMAT: u8 = 1;

/// Hosts whose clocks agree with the store's this well are believed, which keeps the record's own time from drifting by
/// the length of a round trip at each write; from others only the store's clock counts.
const AGREES_MS: u64 = 5000;

impl Record {
    /// What time it is for this record.
    pub(super) fn now(&self, host: u64, left: Option<Duration>) -> u64 {
        let Some(left) = left else { return host };
        let store = self.end.saturating_sub(left.as_millis() as u64);
        if store.abs_diff(host) <= AGREES_MS { host } else { store }
    }

    /// Forgets what is over.
    pub(super) fn prune(&mut self, policy: &SessionPolicy, now: u64) {
        self.sessions.retain(|session| session.ends(policy) > now);
    }

    /// Adds a session; the one unused for longest makes room.
    pub(super) fn add(&mut self, session: Stored, policy: &SessionPolicy) {
        while self.sessions.len() >= policy.max_per_user {
            let oldest = self.sessions.iter().enumerate().min_by_key(|(_, s)| (s.active, s.created)).map(|(at, _)| at);
            let Some(oldest) = oldest else { break };
            self.sessions.remove(oldest);
        }
        self.sessions.push(session);
    }

    /// The live session that a token proves.
    pub(super) fn proven(&self, id: &[u8; 16], digest: &[u8; 32], policy: &SessionPolicy, now: u64) -> Option<usize> {
        self.sessions
            .iter()
            .position(|session| session.id == *id && session.ends(policy) > now && session.accepts(digest, now))
    }

    /// How long the value must live: as long as any of its sessions may.
    pub(super) fn life(&self, policy: &SessionPolicy, now: u64) -> Duration {
        let last = self.sessions.iter().map(|session| session.ends(policy)).max();
        // One without sessions stays for a moment so that it replaces what was there.
        Duration::from_millis(last.map_or(0, |last| last.saturating_sub(now)).max(1000))
    }

    /// Little-endian: format (1 byte), end (8), user; then for each session id (16), digests (32 + 32), four times (8
    /// each), device, address, data. Texts follow their length (2 bytes).
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.sessions.len() * 192);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.end.to_le_bytes());
        push(&mut bytes, self.user.as_bytes());
        for session in &self.sessions {
            bytes.extend_from_slice(&session.id);
            bytes.extend_from_slice(&session.digest);
            bytes.extend_from_slice(&session.previous);
            for time in [session.previous_until, session.created, session.active, session.expires] {
                bytes.extend_from_slice(&time.to_le_bytes());
            }
            for text in [session.device.as_bytes(), session.ip.as_bytes(), &session.data] {
                push(&mut bytes, text);
            }
        }
        bytes
    }

    /// `None`: not one of ours.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, rest) = bytes.split_first()?;
        if *format != FORMAT {
            return None;
        }
        let mut rest = Reader(rest);
        let mut record = Record { end: rest.number()?, user: rest.text()?, sessions: Vec::new() };
        while !rest.0.is_empty() {
            record.sessions.push(Stored {
                id: rest.array()?,
                digest: rest.array()?,
                previous: rest.array()?,
                previous_until: rest.number()?,
                created: rest.number()?,
                active: rest.number()?,
                expires: rest.number()?,
                device: rest.text()?,
                ip: rest.text()?,
                data: rest.bytes()?.to_vec(),
            });
        }
        Some(record)
    }
}

impl Stored {
    /// When it is over, if nothing more happens.
    pub(super) fn ends(&self, policy: &SessionPolicy) -> u64 {
        let idle = policy.idle.map_or(u64::MAX, |idle| self.active.saturating_add(idle.as_millis() as u64));
        self.expires.min(idle)
    }

    fn accepts(&self, digest: &[u8; 32], now: u64) -> bool {
        let current = self.digest.ct_eq(digest);
        let previous = self.previous.ct_eq(digest);
        bool::from(current) || (bool::from(previous) && now < self.previous_until)
    }
}

fn push(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
    bytes.extend_from_slice(text);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_le_bytes(self.array()?);
        let (bytes, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SessionOptions;

    fn policy() -> SessionPolicy {
        let options = SessionOptions { max_per_user: Some(2), idle_seconds: Some(100.0), ..SessionOptions::default() };
        options.check().expect("a policy")
    }

    fn session(id: u8, active: u64) -> Stored {
        Stored {
            id: [id; 16],
            digest: [id; 32],
            previous: [0; 32],
            previous_until: 0,
            created: 1,
            active,
            expires: 1_000_000,
            device: "Ann's phöne".into(),
            ip: "192.0.2.1".into(),
            data: b"{}".to_vec(),
        }
    }

    #[test]
    fn a_record_survives_its_encoding_and_what_is_cut_does_not() {
        let record = Record { end: 7, user: "ann".into(), sessions: vec![session(1, 5), session(2, 6)] };
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Some(record));
        let whole = [Record { end: 7, user: "ann".into(), sessions: vec![] }, Record::decode(&bytes).expect("whole")];
        for cut in 0..bytes.len() {
            let read = Record::decode(&bytes[..cut]);
            assert!(read.is_none_or(|r| r == whole[0] || r.sessions == whole[1].sessions[..1]), "{cut}");
        }
        assert_eq!(Record::decode(&[2; 30]), None, "another format");
    }

    #[test]
    fn the_session_unused_for_longest_makes_room() {
        let mut record = Record::default();
        for (id, active) in [(1, 30), (2, 10), (3, 40)] {
            record.add(session(id, active), &policy());
        }
        assert_eq!(record.sessions.iter().map(|s| s.id[0]).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn the_earlier_of_idle_and_absolute_end_counts() {
        let record = Record { sessions: vec![session(1, 1000)], ..Record::default() };
        assert_eq!(record.proven(&[1; 16], &[1; 32], &policy(), 100_999), Some(0));
        assert_eq!(record.proven(&[1; 16], &[1; 32], &policy(), 101_000), None, "idle");
        let record = Record { sessions: vec![session(1, 999_000)], ..Record::default() };
        assert_eq!(record.proven(&[1; 16], &[1; 32], &policy(), 1_000_000), None, "absolute");
    }

    #[test]
    fn a_session_without_a_previous_token_accepts_none() {
        let record = Record { sessions: vec![session(1, 1000)], ..Record::default() };
        assert_eq!(record.proven(&[1; 16], &[0; 32], &policy(), 1001), None);
    }

    #[test]
    fn a_host_whose_clock_is_wrong_goes_by_the_stores() {
        let record = Record { end: 1_000_000, ..Record::default() };
        let left = Some(Duration::from_secs(100));
        assert_eq!(record.now(903_000, left), 903_000, "agrees");
        assert_eq!(record.now(10_000_000, left), 900_000, "ahead");
        assert_eq!(record.now(3, left), 900_000, "behind");
    }
}
