//! Several limits of one entity, decided together: all have room or nothing is taken.
//!
//! They share one value, so every store decides them atomically. Each limit keeps three numbers; its algorithm and
//! window stand beside them, so that a limit that was defined anew begins anew.

use std::time::Duration;

use super::challenge::millis;
pub use crate::config::{Algorithm, Rate};
use crate::key::Key;

/// What is left of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What may still be taken now.
    pub remaining: u32,
    /// Until all of it is there again, if nothing more is taken.
    pub resets_in: Duration,
    /// Until the cost would fit. Zero when it does.
    pub retry_in: Duration,
}

/// The answer of [`Store::hits`](super::Store::hits).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hits {
    /// Whether every limit had room for the cost; otherwise nothing was taken from any.
    pub allowed: bool,
    /// One for each limit, in their order, after the hit.
    pub rooms: Vec<Room>,
}

/// Limits and the key that they are counted under.
#[derive(Clone, Debug)]
pub struct Rates {
    /// The one value.
    pub key: Key,
    /// At least one.
    pub rates: Vec<Rate>,
}

/// What is known about one limit, on the line of time of its value (see [`Ledger::encode`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Meter {
    /// Fixed, sliding: when the window ends, in ms. Bucket: when it is full again, in µs.
    ends: u64,
    /// Taken in this window.
    count: u64,
    /// Sliding: taken in the window before.
    before: u64,
}

/// All limits of one entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger(Vec<(Algorithm, u64, Meter)>);

impl Algorithm {
    pub(super) fn letter(self) -> char {
        match self {
            Algorithm::Fixed => 'f',
            Algorithm::Sliding => 's',
            Algorithm::Bucket => 'b',
        }
    }

    fn of_letter(letter: &str) -> Option<Self> {
        [Self::Fixed, Self::Sliding, Self::Bucket].into_iter().find(|a| a.letter().to_string() == letter)
    }
}

impl Rate {
    /// What one token takes to come back, in µs, rounded up: never more than `max` a window.
    fn token(&self) -> u64 {
        (millis(self.window) * 1000).div_ceil(u64::from(self.max.max(1)))
    }
}

impl Meter {
    /// What it is at `now`.
    fn at(self, rate: &Rate, now: u64) -> Meter {
        let window = millis(rate.window);
        match rate.algorithm {
            Algorithm::Bucket => Meter { ends: self.ends.max(now * 1000), ..self },
            _ if now < self.ends => self,
            Algorithm::Sliding if now < self.ends + window && self.ends > 0 => {
                Meter { ends: self.ends + window, count: 0, before: self.count }
            }
            _ => Meter { ends: now + window, count: 0, before: 0 },
        }
    }

    /// What counts at `now`; a sliding window's past is rounded up.
    fn used(&self, rate: &Rate, now: u64) -> u64 {
        match rate.algorithm {
            Algorithm::Fixed => self.count,
            Algorithm::Sliding => self.count + (self.before * (self.ends - now)).div_ceil(millis(rate.window).max(1)),
            Algorithm::Bucket => (self.ends - now * 1000).div_ceil(rate.token()),
        }
    }

    fn add(&mut self, rate: &Rate, cost: u64) {
        match rate.algorithm {
            Algorithm::Bucket => self.ends += cost * rate.token(),
            _ => self.count += cost,
        }
    }

    fn room(&self, rate: &Rate, now: u64, cost: u64) -> Room {
        let (max, used) = (u64::from(rate.max), self.used(rate, now));
        let wait = if used + cost <= max { 0 } else { self.wait(rate, now, cost) };
        Room {
            remaining: max.saturating_sub(used) as u32,
            resets_in: Duration::from_millis(self.over(rate).saturating_sub(now)),
            retry_in: Duration::from_millis(wait),
        }
    }

    /// Until `cost` fits, when it does not now; never longer than until everything is over.
    fn wait(&self, rate: &Rate, now: u64, cost: u64) -> u64 {
        let (max, window) = (u64::from(rate.max), millis(rate.window));
        let fits = match rate.algorithm {
            Algorithm::Fixed => self.ends,
            Algorithm::Bucket => (self.ends + cost * rate.token()).saturating_sub(max * rate.token()).div_ceil(1000),
            // This window's hits leave room: wait until little enough of the window before counts.
            Algorithm::Sliding if self.count + cost <= max => {
                self.ends - (max - cost - self.count) * window / self.before.max(1)
            }
            // They do not: in the next window they are what was before.
            Algorithm::Sliding => self.ends + window - max.saturating_sub(cost) * window / self.count.max(1),
        };
        fits.saturating_sub(now).max(1)
    }

    /// When nothing in it matters any more.
    fn over(&self, rate: &Rate) -> u64 {
        match rate.algorithm {
            Algorithm::Fixed => self.ends,
            Algorithm::Sliding if self.count > 0 => self.ends + millis(rate.window),
            Algorithm::Sliding => self.ends,
            Algorithm::Bucket => self.ends.div_ceil(1000),
        }
    }
}

impl Ledger {
    /// Takes `cost` from every limit, or nothing from any. With a cost of 0 it only looks.
    pub(super) fn hit(&mut self, rates: &[Rate], cost: u32, now: u64) -> Hits {
        let cost = u64::from(cost);
        let mut meters: Vec<Meter> =
            rates.iter().enumerate().map(|(i, rate)| self.meter(i, rate).at(rate, now)).collect();
        let fits = |(meter, rate): (&Meter, &Rate)| meter.used(rate, now) + cost <= u64::from(rate.max);
        let allowed = meters.iter().zip(rates).all(fits);
        if allowed {
            meters.iter_mut().zip(rates).for_each(|(meter, rate)| meter.add(rate, cost));
        }
        let asked = if allowed { 0 } else { cost };
        let rooms = meters.iter().zip(rates).map(|(meter, rate)| meter.room(rate, now, asked)).collect();
        self.0 = rates.iter().zip(meters).map(|(r, meter)| (r.algorithm, millis(r.window), meter)).collect();
        Hits { allowed, rooms }
    }

    /// Gives `cost` back to every limit that still counts it.
    pub(super) fn give_back(&mut self, rates: &[Rate], cost: u32, now: u64) {
        let cost = u64::from(cost);
        for (i, rate) in rates.iter().enumerate() {
            let mut meter = self.meter(i, rate).at(rate, now);
            match rate.algorithm {
                Algorithm::Bucket => meter.ends = meter.ends.saturating_sub(cost * rate.token()).max(now * 1000),
                _ => meter.count = meter.count.saturating_sub(cost),
            }
            if let Some(place) = self.0.get_mut(i) {
                *place = (rate.algorithm, millis(rate.window), meter);
            }
        }
    }

    /// The state of the limit in this place, unless another one was there.
    fn meter(&self, place: usize, rate: &Rate) -> Meter {
        let same = |(algorithm, window, _): &&(_, _, _)| *algorithm == rate.algorithm && *window == millis(rate.window);
        self.0.get(place).filter(same).map_or_else(Meter::default, |(_, _, meter)| *meter)
    }

    /// How long anything in it still matters.
    pub(super) fn life(&self, now: u64) -> Duration {
        let over = self.0.iter().map(|(algorithm, window, meter)| {
            meter.over(&Rate { algorithm: *algorithm, max: 1, window: Duration::from_millis(*window) })
        });
        Duration::from_millis(over.max().unwrap_or(0).saturating_sub(now).max(1))
    }

    /// As text: `1 END`, then for each limit ` LETTER WINDOW:ENDS:COUNT:BEFORE` without the blank in between. `END` is when the
    /// value itself expires on its line of time, as in [`Record::encode`](super::challenge::Record::encode): whoever
    /// reads it together with the life it has left knows what time it is by the store's clock.
    pub(super) fn encode(&self, now: u64, life: Duration) -> Vec<u8> {
        let mut text = format!("1 {}", now + millis(life));
        for (algorithm, window, meter) in &self.0 {
            text.push_str(&format!(" {}{window}:{}:{}:{}", algorithm.letter(), meter.ends, meter.count, meter.before));
        }
        text.into_bytes()
    }

    /// Reads it and what time it is. What is not ours counts as nothing, and so does what lost its expiry.
    pub(super) fn decode(bytes: &[u8], ttl: Option<Duration>) -> (Ledger, u64) {
        Self::parse(bytes, ttl).unwrap_or_default()
    }

    fn parse(bytes: &[u8], ttl: Option<Duration>) -> Option<(Ledger, u64)> {
        let mut words = std::str::from_utf8(bytes).ok()?.split(' ');
        words.next().filter(|format| *format == "1")?;
        let end: u64 = words.next()?.parse().ok()?;
        let meters: Option<Vec<_>> = words.map(meter).collect();
        Some((Ledger(meters?), end.saturating_sub(millis(ttl?))))
    }
}

fn meter(word: &str) -> Option<(Algorithm, u64, Meter)> {
    let (letter, numbers) = word.split_at_checked(1)?;
    let mut numbers = numbers.split(':').map(|n| n.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    let (window, ends, count, before) = (next()?, next()?, next()?, next()?);
    Some((Algorithm::of_letter(letter)?, window, Meter { ends, count, before }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(algorithm: Algorithm, max: u32, seconds: u64) -> Rate {
        Rate { algorithm, max, window: Duration::from_secs(seconds) }
    }

    /// How many hits of `cost` pass at each of the given milliseconds.
    fn passed(rates: &[Rate], times: &[u64]) -> Vec<bool> {
        let mut ledger = Ledger::default();
        times.iter().map(|now| ledger.hit(rates, 1, *now).allowed).collect()
    }

    #[test]
    fn a_fixed_window_starts_with_its_first_hit() {
        let fixed = [rate(Algorithm::Fixed, 2, 10)];
        assert_eq!(passed(&fixed, &[5_000, 5_000, 14_999, 15_000]), [true, true, false, true]);
    }

    #[test]
    fn a_sliding_window_remembers_the_one_before() {
        let sliding = [rate(Algorithm::Sliding, 4, 10)];
        // Four at 0; half a window into the next one, half of them still count.
        assert_eq!(
            passed(&sliding, &[0, 0, 0, 0, 9_999, 15_000, 15_000, 15_000]),
            [true, true, true, true, false, true, true, false]
        );
        assert_eq!(
            passed(&sliding, &[0, 0, 0, 0, 20_000, 20_000, 20_000, 20_000, 20_000])[4..],
            [true, true, true, true, false]
        );
    }

    #[test]
    fn a_bucket_refills_evenly() {
        let bucket = [rate(Algorithm::Bucket, 2, 10)];
        assert_eq!(passed(&bucket, &[0, 0, 0, 4_999, 5_000, 5_000]), [true, true, false, false, true, false]);
    }

    #[test]
    fn one_full_limit_leaves_the_others_untouched() {
        let both = [rate(Algorithm::Fixed, 1, 1), rate(Algorithm::Fixed, 3, 100)];
        let mut ledger = Ledger::default();
        assert!(ledger.hit(&both, 1, 0).allowed);
        let refused = ledger.hit(&both, 1, 0);
        assert!(!refused.allowed);
        assert_eq!((refused.rooms[0].remaining, refused.rooms[1].remaining), (0, 2));
        assert_eq!(refused.rooms[0].retry_in, Duration::from_secs(1));
        assert_eq!(refused.rooms[1].retry_in, Duration::ZERO);
    }

    #[test]
    fn after_the_wait_that_was_told_it_fits_and_a_moment_before_it_does_not() {
        for algorithm in [Algorithm::Fixed, Algorithm::Sliding, Algorithm::Bucket] {
            for (max, seconds) in [(1, 1), (3, 10), (7, 60), (1000, 1), (5, 30 * 24 * 3600)] {
                let rates = [rate(algorithm, max, seconds)];
                let (mut ledger, mut now) = (Ledger::default(), 12_345);
                for step in 0..3 * u64::from(max.min(20)) {
                    while ledger.hit(&rates, 1, now).allowed {}
                    let wait = millis(ledger.hit(&rates, 1, now).rooms[0].retry_in);
                    assert!(wait > 0 && wait <= 2 * seconds * 1000, "{algorithm:?} {max}/{seconds}: {wait}");
                    assert!(
                        !ledger.clone().hit(&rates, 1, now + wait - 1).allowed,
                        "{algorithm:?} {max}/{seconds} early"
                    );
                    assert!(ledger.clone().hit(&rates, 1, now + wait).allowed, "{algorithm:?} {max}/{seconds} late");
                    now += wait + step % 3;
                }
            }
        }
    }

    #[test]
    fn a_ledger_survives_its_text_and_knows_the_time_by_its_life() {
        let rates = [rate(Algorithm::Fixed, 5, 1), rate(Algorithm::Sliding, 5, 60), rate(Algorithm::Bucket, 5, 7)];
        let mut ledger = Ledger::default();
        ledger.hit(&rates, 2, 1_000);
        let life = ledger.life(1_000);
        let text = ledger.encode(1_000, life);
        assert_eq!(Ledger::decode(&text, Some(life)), (ledger.clone(), 1_000));
        assert_eq!(Ledger::decode(&text, Some(life - Duration::from_millis(400))), (ledger, 1_400));
        for strange in [&b""[..], b"1", b"2 5 f1:1:1:1", b"1 x", b"1 5 q1:1:1:1", b"1 5 f1:1", b"\xff\xfe"] {
            assert_eq!(Ledger::decode(strange, Some(life)), Default::default());
        }
        assert_eq!(Ledger::decode(&text, None), Default::default());
    }
}
