//! The circuit, by a clock that is set by hand.

use super::*;
use crate::testkit::FakeClock;

fn breaker() -> (Breaker, FakeClock) {
    let (probe_interval, max_probe_interval) = (Duration::from_secs(1), Duration::from_secs(3));
    let clock = FakeClock::default();
    let rules = config::Breaker { failures: 2, probe_interval, max_probe_interval };
    (Breaker::new(rules, Arc::new(clock.clone())), clock)
}

fn fail(breaker: &Breaker) {
    breaker.admit().expect("it may be tried").end(true);
}

#[test]
fn it_opens_after_failures_in_a_row_and_lets_one_probe_through() {
    let (breaker, clock) = breaker();
    fail(&breaker);
    breaker.admit().expect("one is none").end(false);
    fail(&breaker);
    fail(&breaker);
    assert_eq!(breaker.admit().err(), Some(Duration::from_secs(1)));
    clock.advance(Duration::from_secs(1));
    let probe = breaker.admit().expect("the probe");
    assert!(breaker.admit().is_err(), "there is one probe");
    probe.end(true);
    assert_eq!(breaker.admit().err(), Some(Duration::from_secs(2)), "it waits longer");
    clock.advance(Duration::from_secs(2));
    breaker.admit().expect("the probe").end(false);
    assert!(breaker.admit().is_ok(), "closed");
}

#[test]
fn a_probe_that_was_given_up_does_not_keep_it_open_for_ever() {
    let (breaker, clock) = breaker();
    fail(&breaker);
    fail(&breaker);
    for _ in 0..3 {
        clock.advance(Duration::from_secs(3));
        let _given_up = breaker.admit().expect("the next probe");
    }
}
