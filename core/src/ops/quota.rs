//! What is left of a limit, and how HTTP says so.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::store::{Hits, Rate};

/// A limit after a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// The limit's name.
    pub limit: String,
    /// Whether a hit of that cost passes. Always true in what `hit` returns.
    pub allowed: bool,
    /// The maximum of the strictest window.
    pub max: u32,
    /// What may still be taken now.
    pub remaining: u32,
    /// Until all of it is there again, if nothing more is taken.
    pub resets_in: Duration,
    /// Until the cost would fit; of a peek, at the latest. Zero when it does.
    pub retry_in: Duration,
    /// The store was out of reach: this is the limit's policy for an outage speaking.
    pub degraded: bool,
    windows: Vec<Window>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    max: u32,
    seconds: u64,
    remaining: u32,
    resets: u64,
}

impl Quota {
    /// Of a look, which took nothing: whether a hit of cost 1 would pass, or when it will at the latest.
    pub(crate) fn seen(mut self) -> Self {
        self.allowed = self.remaining > 0;
        self.retry_in = if self.allowed { Duration::ZERO } else { self.resets_in };
        self
    }

    pub(crate) fn new(limit: &str, rates: &[Rate], hits: Hits, degraded: bool) -> Self {
        let all = || rates.iter().zip(&hits.rooms);
        let strictest = all().min_by_key(|(_, room)| (room.remaining, std::cmp::Reverse(room.resets_in)));
        let zero = Duration::ZERO;
        let (max, remaining, resets_in) =
            strictest.map_or((0, 0, zero), |(rate, room)| (rate.max, room.remaining, room.resets_in));
        let window = |(rate, room): (&Rate, &crate::store::Room)| Window {
            max: rate.max,
            seconds: seconds(rate.window),
            remaining: room.remaining,
            resets: seconds(room.resets_in),
        };
        Self {
            limit: limit.to_owned(),
            allowed: hits.allowed,
            max,
            remaining,
            resets_in,
            retry_in: hits.rooms.iter().map(|room| room.retry_in).max().unwrap_or(zero),
            degraded,
            windows: all().map(window).collect(),
        }
    }

    /// Of two subjects' quotas the one that a caller meets first.
    pub(crate) fn stricter(self, other: Self) -> Self {
        let rank = |q: &Self| (q.allowed, std::cmp::Reverse(q.retry_in), q.remaining);
        let degraded = self.degraded || other.degraded;
        let stricter = if rank(&other) < rank(&self) { other } else { self };
        Self { degraded, ..stricter }
    }

    /// [`Quota::retry_in`] in whole seconds, rounded up; `None` when the cost fits.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        (!self.allowed).then(|| seconds(self.retry_in).max(1))
    }

    /// `RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers-10 writes them, `Retry-After` on a
    /// refusal alone, and with `legacy` `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds from now).
    pub fn headers(&self, legacy: bool) -> Vec<(&'static str, String)> {
        let mut headers = vec![("RateLimit-Policy", self.policy_header()), ("RateLimit", self.state_header())];
        headers.extend(self.retry_after_seconds().map(|s| ("Retry-After", s.to_string())));
        if legacy {
            headers.push(("X-RateLimit-Limit", self.max.to_string()));
            headers.push(("X-RateLimit-Remaining", self.remaining.to_string()));
            headers.push(("X-RateLimit-Reset", seconds(self.resets_in).to_string()));
        }
        headers
    }

    /// The value of `RateLimit-Policy` alone: what the windows allow.
    pub fn policy_header(&self) -> String {
        self.list(|item, window| write!(item, "q={};w={}", window.max, window.seconds))
    }

    /// The value of `RateLimit` alone: what is left in them.
    pub fn state_header(&self) -> String {
        self.list(|item, window| write!(item, "r={};t={}", window.remaining, window.resets))
    }

    /// A structured field's list with an item for each window, which the limit's name and its place name.
    fn list(&self, parameters: impl Fn(&mut String, &Window) -> fmt::Result) -> String {
        let mut list = String::with_capacity(self.windows.len() * (self.limit.len() + 32));
        for (at, window) in self.windows.iter().enumerate() {
            let written = match at {
                0 => write!(list, "\"{}\";", self.limit),
                _ => write!(list, ", \"{}-{}\";", self.limit, at + 1),
            };
            // Text takes whatever is written to it.
            let _ = written.and_then(|()| parameters(&mut list, window));
        }
        list
    }
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000) as u64
}
