//! Stand-ins for time, chance and delivery.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::deliver::{Message, Sender};
use crate::error::{Error, ErrorKind, Result};
use crate::random::Random;
use crate::store::BoxFuture;
use crate::time::Clock;

/// A clock that stands until it is advanced. Clones share it.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Times>);

/// In milliseconds: since the Unix epoch, and since any fixed moment.
#[derive(Debug)]
struct Times {
    wall: AtomicU64,
    monotonic: AtomicU64,
}

impl Default for FakeClock {
    /// Some day in 2026.
    fn default() -> Self {
        Self(Arc::new(Times { wall: AtomicU64::new(1_780_000_000_000), monotonic: AtomicU64::new(1000) }))
    }
}

impl FakeClock {
    /// Moves time forward.
    pub fn advance(&self, by: Duration) {
        let by = by.as_millis() as u64;
        self.0.wall.fetch_add(by, Ordering::SeqCst);
        self.0.monotonic.fetch_add(by, Ordering::SeqCst);
    }

    /// Sets the time of day back, as somebody might who thinks it wrong: no time passes or comes back by that.
    pub fn set_back(&self, by: Duration) {
        self.0.wall.fetch_sub(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now_ms(&self) -> u64 {
        self.0.wall.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.monotonic.load(Ordering::SeqCst))
    }
}

/// The same "random" bytes for the same seed. Never for real codes.
#[derive(Debug)]
pub struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    /// Begins the sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(buffer);
        Ok(())
    }
}

/// A sender that keeps what it is given and fails when told to. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    failing: bool,
}

impl Recorder {
    /// Everything sent so far.
    pub fn messages(&self) -> Vec<Message> {
        self.state(|state| state.messages.clone())
    }

    /// The code of the last message.
    pub fn last_code(&self) -> Option<String> {
        self.state(|state| state.messages.last().map(|m| m.code.expose().to_owned()))
    }

    /// From now on every send fails, or works again.
    pub fn set_failing(&self, failing: bool) {
        self.state(|state| state.failing = failing);
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sender for Recorder {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<()>> {
        let outcome = self.state(|state| {
            if state.failing {
                return Err(Error::new(ErrorKind::DeliveryFailed, "told to fail"));
            }
            state.messages.push(message.clone());
            Ok(())
        });
        Box::pin(std::future::ready(outcome))
    }
}
