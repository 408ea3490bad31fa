//! The circuit breaker: a store that does not answer is not asked, and not waited for, by every call.
//!
//! Closed, a call costs two loads. After some outages in a row it opens: calls fail at once, but for one per interval, the
//! probe. Nothing is queued meanwhile. Whatever the store answers closes it.
//!
//! Calls that fail together are one outage: a failure counts only if none was counted since its call began. So a
//! connection that breaks under a hundred calls opens nothing, and it takes as many failures one after the other.

mod circuit;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::circuit::Circuit;
use super::health::{BreakerState, Connection};
use crate::config;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventKind, Events};
use crate::random::{Random, SystemRandom};
use crate::time::Clock;

/// Parts of a store that may fail on their own have a circuit each; see [`Store::partition`](super::Store::partition).
pub(super) const PARTITIONS: usize = 16;

pub(super) struct Breaker {
    rules: config::Breaker,
    /// The probe's own bound: there is no second one before its end.
    deadline: Duration,
    circuits: [AtomicU64; PARTITIONS],
    born: Instant,
    changes: Mutex<Changes>,
    teller: Teller,
}

/// What opening and closing is told to.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    /// The scheme of the store's URL.
    pub(crate) store: String,
    pub(crate) events: Events,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Teller {
    /// Tells it, and when it did.
    pub(super) fn tell(&self, kind: EventKind) -> u64 {
        let (store, at_ms) = (Some(self.store.clone()), self.clock.now_ms());
        self.events.warn(&Event { kind, purpose: None, store, identifier: None, at_ms, attempts_left: None });
        at_ms
    }
}

struct Changes {
    /// Circuits that are not closed.
    open: usize,
    since_ms: u64,
}

impl Breaker {
    pub(super) fn new(rules: config::Breaker, deadline: Duration, teller: Teller) -> Self {
        let changes = Mutex::new(Changes { open: 0, since_ms: teller.clock.now_ms() });
        let circuits = std::array::from_fn(|_| AtomicU64::new(Circuit::CLOSED));
        Self { rules, deadline, circuits, born: Instant::now(), changes, teller }
    }

    /// Lets a call through, or says that it need not try.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` with the time until the next probe.
    pub(super) fn admit(&self, partition: usize) -> Result<Pass<'_>> {
        let circuit = &self.circuits[partition % PARTITIONS];
        let seen = circuit.load(Ordering::Relaxed);
        match Circuit::is_closed(seen) {
            true => Ok(Pass { breaker: self, circuit, seen }),
            false => self.probe(circuit, seen),
        }
    }

    pub(super) fn connection(&self) -> Connection {
        let now = self.now();
        let changes = self.changes();
        let found = |state| self.circuits.iter().any(|c| Circuit::read(c.load(Ordering::Relaxed)).state(now) == state);
        let states = [BreakerState::Open, BreakerState::HalfOpen];
        let state = states.into_iter().find(|state| found(*state)).unwrap_or(BreakerState::Closed);
        Connection { state, since_ms: changes.since_ms }
    }

    /// Of all callers one gets through when the interval is over.
    fn probe<'a>(&'a self, circuit: &'a AtomicU64, seen: u64) -> Result<Pass<'a>> {
        let Circuit::Open { failed, until, .. } = Circuit::read(seen) else {
            return Ok(Pass { breaker: self, circuit, seen });
        };
        let now = self.now();
        let refusal = |wait: u64| {
            let message = "the store did not answer lately, and was not asked";
            Error::new(ErrorKind::StoreUnavailable, message)
                .with_retry_after(Duration::from_millis(wait.max(1)))
                .undone()
        };
        if now < until {
            return Err(refusal(until - now));
        }
        let until = now + millis(self.interval(failed).max(2 * self.deadline)).max(1);
        let probing = Circuit::Open { probing: true, failed, until }.word();
        match circuit.compare_exchange(seen, probing, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(Pass { breaker: self, circuit, seen: probing }),
            // Somebody else was faster.
            Err(_) => Err(refusal(millis(self.deadline))),
        }
    }

    /// The store answered a call.
    fn up(&self, circuit: &AtomicU64) {
        let seen = circuit.load(Ordering::Relaxed);
        if Circuit::is_closed(seen) {
            // Whoever changed it in between knows something newer.
            let _ = circuit.compare_exchange(seen, Circuit::CLOSED, Ordering::Relaxed, Ordering::Relaxed);
            return;
        }
        // Changes are told one after the other, in the order in which they happen.
        let mut changes = self.changes();
        if Circuit::is_closed(circuit.swap(Circuit::CLOSED, Ordering::AcqRel)) {
            return;
        }
        changes.open -= 1;
        if changes.open == 0 {
            self.tell(&mut changes, EventKind::StoreUp);
        }
    }

    /// A call that began when the circuit was as `seen` met an outage.
    fn down(&self, circuit: &AtomicU64, seen: u64) {
        let turn =
            |next: Circuit| circuit.compare_exchange(seen, next.word(), Ordering::AcqRel, Ordering::Relaxed).is_ok();
        let open = |failed| Circuit::Open { probing: false, failed, until: self.now() + millis(self.interval(failed)) };
        match Circuit::read(seen) {
            Circuit::Closed { failures } if failures + 1 < self.rules.failures => {
                turn(Circuit::Closed { failures: failures + 1 });
            }
            Circuit::Closed { .. } => {
                let mut changes = self.changes();
                if turn(open(0)) {
                    changes.open += 1;
                    if changes.open == 1 {
                        self.tell(&mut changes, EventKind::StoreDown);
                    }
                }
            }
            Circuit::Open { failed, .. } => _ = turn(open(failed.saturating_add(1))),
        }
    }

    fn tell(&self, changes: &mut Changes, kind: EventKind) {
        changes.since_ms = self.teller.tell(kind);
    }

    /// Until the next probe after `failed` ones; up to a quarter less, so that processes do not all probe at once.
    fn interval(&self, failed: u8) -> Duration {
        let doubled = self.rules.probe_interval.saturating_mul(1 << failed.min(16));
        let mut chance = [0];
        // Without chance they do.
        let _ = SystemRandom.fill(&mut chance);
        doubled.min(self.rules.max_probe_interval) * (1024 - u32::from(chance[0])) / 1024
    }

    fn now(&self) -> u64 {
        millis(self.born.elapsed())
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("rules", &self.rules).field("state", &self.connection().state).finish()
    }
}

/// A call that was let through. It tells how it went.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    circuit: &'a AtomicU64,
    /// The circuit when the call began.
    seen: u64,
}

impl Pass<'_> {
    pub(super) fn end(self, outage: bool) {
        match outage {
            true => self.breaker.down(self.circuit, self.seen),
            false if self.seen | self.circuit.load(Ordering::Relaxed) == Circuit::CLOSED => {}
            false => self.breaker.up(self.circuit),
        }
    }
}

impl Drop for Pass<'_> {
    /// A probe whose caller went away has found nothing out; the next one has its time already.
    fn drop(&mut self) {
        if let Circuit::Open { probing: true, failed, until } = Circuit::read(self.seen) {
            let open = Circuit::Open { probing: false, failed, until }.word();
            // Fails where the probe has ended, or its time was over.
            let _ = self.circuit.compare_exchange(self.seen, open, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
