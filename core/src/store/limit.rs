//! Limits over fixed windows.

use std::time::Duration;

pub use crate::config::Limit;
use crate::key::Key;

/// A limit and the key it is counted under.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The counter.
    pub key: Key,
    /// The limit.
    pub limit: Limit,
}

/// The answer of a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Whether there was room for all of the cost; otherwise nothing was taken.
    pub allowed: bool,
    /// How much room is left.
    pub remaining: u32,
    /// Until the window starts anew.
    pub resets_in: Duration,
}

impl Hit {
    /// What to answer when `used` is already taken in a window that lasts another `resets_in`.
    pub(super) fn judge(limit: &Limit, used: u32, cost: u32, resets_in: Duration) -> Hit {
        let after = used.saturating_add(cost);
        let allowed = after <= limit.max;
        Hit { allowed, remaining: limit.max.saturating_sub(if allowed { after } else { used }), resets_in }
    }
}
