//! `once.health()`: how the store is.

use std::time::Duration;

use crate::client::Core;
use crate::error::ErrorKind;
use crate::store::{self, BreakerState};

/// Above this the clocks differ so much that times shown to users mislead.
const SKEW: i64 = 5_000;

/// How the store is. From [`Oncecode::health`](crate::Oncecode::health). It holds no secret and no address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether the store answered, and would do its work.
    pub ok: bool,
    /// The scheme of the store's URL, such as `redis`; `custom` for a store of your own.
    pub store: String,
    /// What the circuit breaker does with calls; `None` where there is none. For a store of several servers the worst of
    /// theirs, so that it may be open while `ok`.
    pub breaker: Option<BreakerState>,
    /// Since when calls go through, or do not: when the breaker closed or opened last, or the client was opened. In
    /// milliseconds since the Unix epoch; `None` without a breaker.
    pub since_ms: Option<u64>,
    /// How long the store took to answer; `None` where it did not.
    pub latency: Option<Duration>,
    /// Why it is not `ok`: usually [`ErrorKind::StoreUnavailable`]; [`ErrorKind::Config`] where the store does not allow
    /// what is needed.
    pub error: Option<ErrorKind>,
    /// By how many milliseconds this machine's clock is ahead of the store's (negative: behind). `None` where the store
    /// uses this machine's, or did not tell.
    pub clock_skew_ms: Option<i64>,
    /// What endangers the codes: an evicting store, missing permissions, wrong clocks. A sentence each, for whoever runs
    /// the app.
    pub warnings: Vec<String>,
}

impl Core {
    /// Never fails: a store that is down is what this is there to tell.
    pub(crate) async fn health(&self) -> Health {
        let probe = self.keys.key(&self.ring, "probe", &["health"]);
        let before = self.clock.now_ms();
        let (found, took) = store::examine(&*self.store, &probe).await;
        let connection = self.store.connection();
        let mut health = Health {
            ok: found.is_ok(),
            store: self.store_name.clone(),
            breaker: connection.map(|connection| connection.state),
            since_ms: connection.map(|connection| connection.since_ms),
            latency: None,
            error: None,
            clock_skew_ms: None,
            warnings: Vec::new(),
        };
        match found {
            Ok(found) => {
                health.latency = Some(took);
                health.warnings = found.warnings;
                health.clock_skew_ms = found.clock_ms.map(|theirs| {
                    // The store looked at its clock somewhere in between.
                    let ours = before.midpoint(self.clock.now_ms());
                    ours as i64 - theirs as i64
                });
                health.warnings.extend(health.clock_skew_ms.and_then(skewed));
            }
            Err(e) => {
                health.error = Some(e.kind());
                health.warnings.push(e.message().to_owned());
            }
        }
        health
    }
}

fn skewed(skew_ms: i64) -> Option<String> {
    let way = if skew_ms > 0 { "ahead of" } else { "behind" };
    (skew_ms.abs() > SKEW).then(|| {
        format!(
            "this machine's clock is {:.0} s {way} the store's: codes expire by the store's, and the times in answers \
             are wrong by as much",
            skew_ms.unsigned_abs() as f64 / 1000.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_by_seconds_are_told_with_their_direction() {
        assert_eq!(skewed(5_000), None);
        assert_eq!(skewed(-5_000), None);
        assert!(skewed(61_000).is_some_and(|w| w.contains("61 s ahead of")));
        assert!(skewed(-86_400_000).is_some_and(|w| w.contains("86400 s behind")));
    }
}
