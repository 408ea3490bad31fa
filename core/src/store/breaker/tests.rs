use std::sync::Barrier;
use std::thread;

use super::*;
use crate::time::SystemClock;

const RULES: config::Breaker =
    config::Breaker { failures: 3, probe_interval: Duration::from_secs(1), max_probe_interval: Duration::from_secs(5) };
const DEADLINE: Duration = Duration::from_millis(250);

/// A breaker, and the names of what it told.
fn breaker(rules: config::Breaker) -> (Breaker, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let events = Events(Some(Arc::new(move |event: &Event| {
        assert_eq!((event.store.as_deref(), &event.purpose), (Some("redis"), &None));
        listener.lock().expect("told").push(event.name());
    })));
    let teller = Teller { store: "redis".into(), events, clock: Arc::new(SystemClock) };
    (Breaker::new(rules, DEADLINE, teller), told)
}

impl Breaker {
    /// One call after the other, each an outage.
    fn fail(&self, times: u32) {
        for _ in 0..times {
            self.admit(0).expect("let through").end(true);
        }
    }

    fn answer(&self) {
        self.admit(0).expect("let through").end(false);
    }

    fn state(&self) -> BreakerState {
        self.connection().state
    }

    /// Until the next probe.
    fn wait(&self) -> Duration {
        self.admit(0).err().and_then(|e| e.retry_after()).expect("refused, and said until when")
    }

    fn advance(&mut self, by: Duration) {
        self.born -= by;
    }
}

#[test]
fn outages_in_a_row_open_it_and_an_answer_in_between_counts_anew() {
    let (breaker, told) = breaker(RULES);
    for _ in 0..3 {
        breaker.fail(2);
        breaker.answer();
    }
    breaker.fail(2);
    assert_eq!(breaker.state(), BreakerState::Closed);
    breaker.fail(1);
    assert_eq!(breaker.state(), BreakerState::Open);
    let error = breaker.admit(0).err().expect("refused");
    assert!(error.kind() == ErrorKind::StoreUnavailable && error.retryable());
    assert_eq!(*told.lock().expect("told"), ["STORE_DOWN"]);
}

#[test]
fn calls_that_fail_together_count_once() {
    let (breaker, _) = breaker(RULES);
    for _ in 0..2 {
        let calls: Vec<_> = (0..100).map(|_| breaker.admit(0).expect("let through")).collect();
        calls.into_iter().for_each(|call| call.end(true));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
    breaker.fail(1);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn of_many_callers_one_is_the_probe() {
    let (mut breaker, told) = breaker(RULES);
    breaker.fail(3);
    for _ in 0..20 {
        assert!((0..100).all(|_| breaker.admit(0).is_err()), "not before the interval is over");
        breaker.advance(breaker.wait());
        let start = Barrier::new(8);
        let probes: Vec<_> = thread::scope(|scope| {
            let callers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        breaker.admit(0).ok()
                    })
                })
                .collect();
            callers.into_iter().filter_map(|caller| caller.join().expect("no panic")).collect()
        });
        assert_eq!(probes.len(), 1);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        probes.into_iter().for_each(|probe| probe.end(true));
        assert_eq!(breaker.state(), BreakerState::Open);
    }
    breaker.advance(breaker.wait());
    breaker.answer();
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(*told.lock().expect("told"), ["STORE_DOWN", "STORE_UP"]);
}

#[test]
fn probes_that_fail_become_rarer_up_to_a_bound() {
    let (mut breaker, _) = breaker(RULES);
    breaker.fail(3);
    for seconds in [1, 2, 4, 5, 5, 5] {
        let (wait, most) = (breaker.wait(), Duration::from_secs(seconds));
        assert!(wait <= most && wait >= most * 7 / 10, "{wait:?} of {most:?}");
        breaker.advance(wait);
        breaker.fail(1);
    }
    // However often it fails.
    for _ in 0..300 {
        breaker.advance(RULES.max_probe_interval);
        breaker.fail(1);
    }
    assert!(breaker.wait() <= RULES.max_probe_interval);
    breaker.advance(RULES.max_probe_interval);
    breaker.answer();
    breaker.fail(3);
    assert!(breaker.wait() <= RULES.probe_interval, "an answer makes them frequent again");
}

#[test]
fn a_probe_that_is_dropped_makes_room_for_the_next() {
    let (mut breaker, told) = breaker(RULES);
    breaker.fail(3);
    breaker.advance(breaker.wait());
    let probe = breaker.admit(0).expect("the probe");
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    drop(probe);
    assert_eq!(breaker.state(), BreakerState::Open);
    breaker.advance(breaker.wait());
    std::mem::forget(breaker.admit(0).expect("the next probe"));
    breaker.advance(breaker.wait());
    // Also one that neither ends nor goes away has its time and no more.
    drop(breaker.admit(0).expect("another"));
    breaker.advance(breaker.wait());
    breaker.answer();
    assert_eq!(*told.lock().expect("told"), ["STORE_DOWN", "STORE_UP"]);
}

#[test]
fn a_part_of_the_store_opens_alone_and_the_whole_is_told_of_once() {
    let (mut breaker, told) = breaker(RULES);
    for partition in [3, 7] {
        (0..3).for_each(|_| breaker.admit(partition).expect("let through").end(true));
    }
    assert!(breaker.admit(3).is_err() && breaker.admit(7).is_err());
    breaker.answer();
    assert_eq!(breaker.state(), BreakerState::Open, "the worst of its parts");
    breaker.advance(RULES.max_probe_interval);
    breaker.admit(3).expect("a probe").end(false);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(*told.lock().expect("told"), ["STORE_DOWN"]);
    breaker.admit(7).expect("a probe").end(false);
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(*told.lock().expect("told"), ["STORE_DOWN", "STORE_UP"]);
}

#[test]
fn changes_are_told_in_turn_whoever_brings_them_about() {
    let rules = config::Breaker { failures: 1, probe_interval: Duration::from_nanos(1), ..RULES };
    let (breaker, told) = breaker(config::Breaker { max_probe_interval: Duration::from_nanos(1), ..rules });
    thread::scope(|scope| {
        for number in 0..4u32 {
            let breaker = &breaker;
            scope.spawn(move || {
                for round in 0..20_000u32 {
                    if let Ok(pass) = breaker.admit(0) {
                        pass.end((round * 7 + number) % 3 == 0);
                    }
                }
            });
        }
    });
    let told = told.lock().expect("told");
    assert!(told.len() > 10, "{} changes", told.len());
    for (number, name) in told.iter().enumerate() {
        assert_eq!(name, ["STORE_DOWN", "STORE_UP"][number % 2], "number {number}");
    }
}
