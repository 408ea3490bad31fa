//! The circuit breaker of a provider: one that fails several times in a row is left alone, but for a probe now and then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config;
use crate::time::Clock;

/// Sends are rare next to store calls: a lock is cheap enough here.
pub(super) struct Breaker {
    rules: config::Breaker,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Outages in a row.
    failures: u32,
    /// When the next probe may go; `None` while closed.
    probe_at: Option<Duration>,
}

impl Breaker {
    pub(super) fn new(rules: config::Breaker, clock: Arc<dyn Clock>) -> Self {
        Self { rules, clock, state: Mutex::default() }
    }

    /// Lets a message through, or says for how long there is no use in trying.
    pub(super) fn admit(&self) -> Result<Pass<'_>, Duration> {
        let mut state = self.state();
        let now = self.clock.elapsed();
        match state.probe_at {
            Some(at) if now < at => return Err(at - now),
            // Of all that come now, one is the probe.
            Some(_) => state.probe_at = Some(now + self.interval(state.failures)),
            None => {}
        }
        Ok(Pass(self))
    }

    fn interval(&self, failures: u32) -> Duration {
        let failed = failures.saturating_sub(self.rules.failures).min(16);
        self.rules.probe_interval.saturating_mul(1 << failed).min(self.rules.max_probe_interval)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message that was let through. It tells how it went; one that was given up tells nothing.
pub(super) struct Pass<'a>(&'a Breaker);

impl Pass<'_> {
    pub(super) fn end(self, outage: bool) {
        let mut state = self.0.state();
        if !outage {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.0.rules.failures {
            state.probe_at = Some(self.0.clock.elapsed() + self.0.interval(state.failures));
        }
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
