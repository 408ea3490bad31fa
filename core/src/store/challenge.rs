//! A challenge and its counters: one record per entity, and the pure rules over it.
//!
//! Every native override (`lua/*.lua`, `sql/*.sql`) says the same as the functions here. Times are milliseconds on
//! the record's own line, see `packed.rs`.

use std::fmt;
use std::time::Duration;

use super::limit::Limit;
use crate::secret::Digest;

/// What [`Store::issue`](super::Store::issue) needs. A limit with `max` 0 is off.
#[derive(Clone)]
pub struct Issue {
    /// The random part of the challenge id.
    pub id: [u8; 16],
    /// The code's keyed digest.
    pub digest: Digest,
    /// An encrypted payload that comes back when the code is right.
    pub sealed: Vec<u8>,
    /// For stores with readable columns.
    pub purpose: String,
    /// How long the code lives.
    pub life: Duration,
    /// How many codes may be compared with it.
    pub max_attempts: u16,
    /// How long until the next may be issued.
    pub cooldown: Duration,
    /// Issues per window.
    pub issues: Limit,
    /// Wrong codes per window; survives new challenges.
    pub failures: Limit,
    /// Keep a live challenge that has at least half its life and an attempt left, instead of replacing it.
    pub keep: bool,
}

/// What [`Store::attempt`](super::Store::attempt) needs. A limit with `max` 0 is off.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The challenge the caller holds, if it named one.
    pub id: Option<[u8; 16]>,
    /// The typed code's digest under every accepted key.
    pub candidates: Vec<Digest>,
    /// Comparisons per window.
    pub verifies: Limit,
    /// Wrong codes per window.
    pub failures: Limit,
}

/// A change to a challenge outside the hot path.
#[derive(Clone, Copy, Debug)]
pub enum Amend {
    /// Remove the live challenge (this one, or any). Cooldown and quota stay.
    Cancel(Option<[u8; 16]>),
    /// The message was not sent: give cooldown and quota back, and remove the challenge unless it was `kept`.
    Refund {
        /// The challenge that was not delivered.
        id: [u8; 16],
        /// It had been sent before; only this sending failed.
        kept: bool,
    },
}

/// Why nothing was issued or compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The gate (an IP limit) is closed for so long.
    Gated(Duration),
    /// The failure budget is spent for so long.
    Locked(Duration),
    /// The issue or verify limit is reached for so long.
    Limited(Duration),
    /// The cooldown lasts so long.
    Cooldown(Duration),
    /// There is no live challenge, or not this one.
    NotFound,
    /// The challenge's attempts are used up; a new one can be had after so long.
    Spent(Duration),
}

/// The answer of an issue.
#[derive(Clone, PartialEq, Eq)]
pub enum Issued {
    /// A new challenge is live.
    New {
        /// Attempts it has, the failure budget considered.
        attempts_left: u32,
    },
    /// The live challenge was kept.
    Kept {
        /// Its id.
        id: [u8; 16],
        /// Its payload.
        sealed: Vec<u8>,
        /// The life it has left.
        expires_in: Duration,
        /// Attempts it has left, the failure budget considered.
        attempts_left: u32,
    },
    /// Nothing was issued.
    Refused(Refused),
}

/// The answer of an attempt.
#[derive(Clone, PartialEq, Eq)]
pub enum Attempted {
    /// The code was right; the challenge is consumed.
    Right {
        /// The payload given at issue.
        sealed: Vec<u8>,
    },
    /// The code was compared and is wrong.
    Wrong {
        /// Attempts left, the failure budget considered.
        attempts_left: u32,
    },
    /// Nothing was compared.
    Refused(Refused),
}

/// A live challenge, for display.
#[derive(Clone, PartialEq, Eq)]
pub struct Peeked {
    /// Its id.
    pub id: [u8; 16],
    /// Its payload.
    pub sealed: Vec<u8>,
    /// The life it has left.
    pub expires_in: Duration,
    /// Until the next may be issued.
    pub resend_in: Duration,
    /// Attempts it has left of its own, the failure budget not considered.
    pub attempts_left: u32,
    /// Wrong codes in the current window of the failure budget.
    pub failures: u32,
}

/// A fixed window: how many, and when it starts anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) ends: u64,
    pub(super) count: u16,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) id: [u8; 16],
    pub(super) digest: Digest,
    pub(super) expires: u64,
    pub(super) attempts: u16,
    pub(super) max_attempts: u16,
    pub(super) sealed: Vec<u8>,
}

/// Everything about one entity.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) challenge: Option<Challenge>,
    pub(super) cooldown_until: u64,
    pub(super) issues: Window,
    pub(super) verifies: Window,
    pub(super) failures: Window,
}

impl Window {
    /// How many in the window that `now` is in.
    fn used(&self, now: u64) -> u16 {
        if now < self.ends { self.count } else { 0 }
    }

    /// The time until a full window opens again.
    fn full(&self, limit: &Limit, now: u64) -> Option<Duration> {
        let full = limit.max > 0 && u32::from(self.used(now)) >= limit.max;
        full.then(|| left(self.ends, now))
    }

    fn hit(&mut self, limit: &Limit, now: u64) {
        if limit.max == 0 {
            return;
        }
        if now >= self.ends {
            *self = Window { ends: now + millis(limit.window), count: 0 };
        }
        self.count = self.count.saturating_add(1);
    }
}

impl Record {
    /// Issues, or says why not. A refusal leaves the record as it was.
    pub(super) fn issue(&mut self, input: &Issue, now: u64) -> Issued {
        if let Some(wait) = self.failures.full(&input.failures, now) {
            return Issued::Refused(Refused::Locked(wait));
        }
        if let Some(wait) = self.issues.full(&input.issues, now) {
            return Issued::Refused(Refused::Limited(wait));
        }
        if now < self.cooldown_until {
            return Issued::Refused(Refused::Cooldown(left(self.cooldown_until, now)));
        }
        self.issues.hit(&input.issues, now);
        self.cooldown_until = now + millis(input.cooldown);
        let half = now + millis(input.life) / 2;
        let kept = self.challenge.as_ref().filter(|c| input.keep && c.expires >= half && c.attempts < c.max_attempts);
        if let Some(kept) = kept {
            return Issued::Kept {
                id: kept.id,
                sealed: kept.sealed.clone(),
                expires_in: left(kept.expires, now),
                attempts_left: self.attempts_left(kept, &input.failures, now),
            };
        }
        let challenge = Challenge {
            id: input.id,
            digest: input.digest,
            expires: now + millis(input.life),
            attempts: 0,
            max_attempts: input.max_attempts,
            sealed: input.sealed.clone(),
        };
        let attempts_left = self.attempts_left(&challenge, &input.failures, now);
        self.challenge = Some(challenge);
        Issued::New { attempts_left }
    }

    /// Compares, or says why not. A refusal leaves the record as it was.
    pub(super) fn attempt(&mut self, input: &Attempt, now: u64) -> Attempted {
        if let Some(wait) = self.failures.full(&input.failures, now) {
            return Attempted::Refused(Refused::Locked(wait));
        }
        let Some(challenge) = self.challenge.as_ref().filter(|c| now < c.expires) else {
            return Attempted::Refused(Refused::NotFound);
        };
        let candidate = input.candidates.iter().find(|c| c.key == challenge.digest.key);
        let (true, Some(candidate)) = (input.id.is_none_or(|id| id == challenge.id), candidate) else {
            return Attempted::Refused(Refused::NotFound);
        };
        if challenge.attempts >= challenge.max_attempts {
            return Attempted::Refused(Refused::Spent(left(self.cooldown_until, now)));
        }
        if let Some(wait) = self.verifies.full(&input.verifies, now) {
            return Attempted::Refused(Refused::Limited(wait));
        }
        let right = *candidate == challenge.digest;
        self.verifies.hit(&input.verifies, now);
        if right {
            self.failures = Window::default();
            self.cooldown_until = 0;
            let sealed = self.challenge.take().map(|c| c.sealed).unwrap_or_default();
            return Attempted::Right { sealed };
        }
        self.failures.hit(&input.failures, now);
        if let Some(challenge) = &mut self.challenge {
            challenge.attempts += 1;
        }
        let attempts_left = self.challenge.as_ref().map_or(0, |c| self.attempts_left(c, &input.failures, now));
        Attempted::Wrong { attempts_left }
    }

    /// Cancels or refunds. `false`, and no change, when it was not the live challenge.
    pub(super) fn amend(&mut self, input: &Amend, now: u64) -> bool {
        let wanted = match input {
            Amend::Cancel(id) => *id,
            Amend::Refund { id, .. } => Some(*id),
        };
        let live = self.challenge.as_ref().filter(|c| now < c.expires);
        if live.is_none_or(|c| wanted.is_some_and(|id| id != c.id)) {
            return false;
        }
        if let Amend::Refund { .. } = input {
            self.cooldown_until = 0;
            self.issues.count = self.issues.used(now).saturating_sub(1);
        }
        if !matches!(input, Amend::Refund { kept: true, .. }) {
            self.challenge = None;
        }
        true
    }

    /// The live challenge.
    pub(super) fn peek(&self, now: u64) -> Option<Peeked> {
        let challenge = self.challenge.as_ref().filter(|c| now < c.expires)?;
        Some(Peeked {
            id: challenge.id,
            sealed: challenge.sealed.clone(),
            expires_in: left(challenge.expires, now),
            resend_in: left(self.cooldown_until, now),
            attempts_left: u32::from(challenge.max_attempts.saturating_sub(challenge.attempts)),
            failures: u32::from(self.failures.used(now)),
        })
    }

    /// How long anything in it still matters.
    pub(super) fn life(&self, now: u64) -> Duration {
        let windows = [self.issues, self.verifies, self.failures].map(|w| if w.count > 0 { w.ends } else { 0 });
        let expires = self.challenge.as_ref().map_or(0, |c| c.expires);
        let end = windows.into_iter().chain([expires, self.cooldown_until]).max().unwrap_or(0);
        left(end, now)
    }

    /// Adds what another store knew of the entity as of `then`, which is `now` here. Of two codes the one that lives
    /// longer stays, of two windows what is fuller and what ends later.
    pub(super) fn absorb(&mut self, now: u64, other: Record, then: u64) {
        let here = |time: u64| if time > then { now + (time - then) } else { 0 };
        let ours = |window: Window| if now < window.ends { window } else { Window::default() };
        for (own, others) in [
            (&mut self.issues, other.issues),
            (&mut self.verifies, other.verifies),
            (&mut self.failures, other.failures),
        ] {
            let (a, b) = (ours(*own), ours(Window { ends: here(others.ends), count: others.count }));
            *own = Window { ends: a.ends.max(b.ends), count: a.count.max(b.count) };
        }
        self.cooldown_until = self.cooldown_until.max(here(other.cooldown_until));
        let live = |c: &Challenge| now < c.expires;
        let theirs = other.challenge.map(|c| Challenge { expires: here(c.expires), ..c }).filter(live);
        match (self.challenge.as_mut().filter(|c| live(c)), theirs) {
            (Some(own), Some(theirs)) if own.id == theirs.id => own.attempts = own.attempts.max(theirs.attempts),
            (Some(own), Some(theirs)) if theirs.expires > own.expires => *own = theirs,
            (None, Some(theirs)) => self.challenge = Some(theirs),
            _ => {}
        }
    }

    fn attempts_left(&self, challenge: &Challenge, failures: &Limit, now: u64) -> u32 {
        let own = u32::from(challenge.max_attempts.saturating_sub(challenge.attempts));
        match failures.max {
            0 => own,
            budget => own.min(budget.saturating_sub(u32::from(self.failures.used(now)))),
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

pub(super) fn left(until: u64, now: u64) -> Duration {
    Duration::from_millis(until.saturating_sub(now))
}

impl fmt::Debug for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issue").field("purpose", &self.purpose).field("life", &self.life).finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Issued::New { attempts_left } => write!(f, "New({attempts_left} attempts)"),
            Issued::Kept { attempts_left, .. } => write!(f, "Kept({attempts_left} attempts)"),
            Issued::Refused(why) => write!(f, "{why:?}"),
        }
    }
}

impl fmt::Debug for Attempted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attempted::Right { .. } => f.write_str("Right"),
            Attempted::Wrong { attempts_left } => write!(f, "Wrong({attempts_left} left)"),
            Attempted::Refused(why) => write!(f, "{why:?}"),
        }
    }
}

impl fmt::Debug for Peeked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peeked({} attempts, {:?} left)", self.attempts_left, self.expires_in)
    }
}
