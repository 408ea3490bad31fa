//! A circuit is one number, so that a change of it is one instruction.

use super::BreakerState;

/// What the number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Circuit {
    /// Calls go through. So many outages were counted since the last answer.
    Closed { failures: u32 },
    /// Calls are refused until a time, in milliseconds since the breaker was made; whoever comes then is the probe.
    Open {
        /// A probe is under way. Until then it is the only one.
        probing: bool,
        /// Probes that failed.
        failed: u8,
        until: u64,
    },
}

const OPEN: u64 = 1 << 63;
const PROBING: u64 = 1 << 62;
/// Six bits above the time, which lasts for two million years.
const FAILED: u32 = 56;
const MOST_FAILED: u8 = 63;

impl Circuit {
    /// No outage since the last answer.
    pub(super) const CLOSED: u64 = 0;

    pub(super) fn is_closed(word: u64) -> bool {
        word & OPEN == 0
    }

    pub(super) fn read(word: u64) -> Self {
        match Self::is_closed(word) {
            true => Self::Closed { failures: word as u32 },
            false => Self::Open {
                probing: word & PROBING != 0,
                failed: (word >> FAILED) as u8 & MOST_FAILED,
                until: word & ((1 << FAILED) - 1),
            },
        }
    }

    pub(super) fn word(self) -> u64 {
        match self {
            Self::Closed { failures } => u64::from(failures),
            Self::Open { probing, failed, until } => {
                let probing = if probing { PROBING } else { 0 };
                OPEN | probing | (u64::from(failed.min(MOST_FAILED)) << FAILED) | until
            }
        }
    }

    pub(super) fn state(self, now: u64) -> BreakerState {
        match self {
            Self::Closed { .. } => BreakerState::Closed,
            Self::Open { probing: true, until, .. } if now < until => BreakerState::HalfOpen,
            Self::Open { .. } => BreakerState::Open,
        }
    }
}
