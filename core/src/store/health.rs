//! What a store can say about itself.

use std::time::{Duration, Instant};

use super::{BoxFuture, Key, Result, Store};

/// What [`Store::inspect`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The store's clock, in milliseconds since the Unix epoch, where it decides by one of its own.
    pub clock_ms: Option<u64>,
    /// What endangers what is kept there: a sentence each, for whoever runs the app.
    pub warnings: Vec<String>,
}

impl Inspection {
    /// Nothing to complain of.
    pub fn new(clock_ms: Option<u64>) -> Self {
        Self { clock_ms, warnings: Vec::new() }
    }

    /// Adds a warning.
    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }
}

/// What the circuit breaker before a store does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// It lets them through.
    Closed,
    /// It refuses them: the store did not answer lately.
    Open,
    /// It refuses them while one of them finds out whether the store is back.
    HalfOpen,
}

impl BreakerState {
    /// The stable word, the same in all languages: `closed`, `open`, `half_open`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A breaker's state, and since when calls go through or do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The state. Of a store of several servers the worst of theirs.
    pub state: BreakerState,
    /// When it last closed or opened, or was made, in milliseconds since the Unix epoch.
    pub since_ms: u64,
}

/// Inspects a store and says how long that took.
pub(crate) async fn examine(store: &dyn Store, probe: &Key) -> (Result<Inspection>, Duration) {
    let begin = Instant::now();
    let found = store.inspect(probe).await;
    (found, begin.elapsed())
}

/// A read is a sign of life that every store can give.
pub(super) fn by_reading<'a, S: Store + ?Sized>(store: &'a S, probe: &'a Key) -> BoxFuture<'a, Result<Inspection>> {
    Box::pin(async move { store.get(probe).await.map(|_| Inspection::default()) })
}
