//! Inputs of the contract's operations, small and readable.

use std::time::Duration;

use crate::secret::Digest;
use crate::store::{Attempt, Issue, Limit};

const HOUR: Duration = Duration::from_secs(3600);

/// A stand-in for a code's keyed digest: different codes, different digests.
pub fn digest(code: &str) -> Digest {
    let mut bytes = [0; 32];
    for (i, byte) in code.bytes().take(32).enumerate() {
        bytes[i] = byte;
    }
    Digest { key: 1, bytes }
}

/// A challenge id.
pub fn id(number: u8) -> [u8; 16] {
    [number; 16]
}

/// An issue with the default policy in round numbers: 10 min, 5 attempts, 60 s, 3 per hour, 20 failures per 24 hours. Its
/// payload is the code's name, its id is 1.
pub fn issue(code: &str) -> Issue {
    Issue {
        id: id(1),
        digest: digest(code),
        sealed: format!("payload of {code}").into_bytes(),
        purpose: "login".into(),
        life: Duration::from_secs(600),
        max_attempts: 5,
        cooldown: Duration::from_secs(60),
        issues: Limit::new(3, HOUR),
        failures: Limit::new(20, 24 * HOUR),
        keep: false,
    }
}

/// An attempt with the default policy in round numbers: 50 comparisons per hour, 20 failures per 24 hours.
pub fn attempt(code: &str) -> Attempt {
    Attempt {
        id: None,
        candidates: vec![digest(code)],
        verifies: Limit::new(50, HOUR),
        failures: Limit::new(20, 24 * HOUR),
    }
}
