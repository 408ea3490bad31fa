//! hit, and gates before issue and attempt.

use super::inputs::{attempt, issue};
use super::*;
use crate::store::{Attempted, Gate, Issued, Limit, Refused};

fn gate(f: &dyn Fixture, name: &str, max: u32) -> Gate {
    Gate { key: key(f, name), limit: Limit::new(max, secs(900)) }
}

pub(super) async fn a_hit_counts_up_to_the_limit(f: &dyn Fixture) {
    let (store, gate) = (f.store(), gate(f, "hit", 3));
    for remaining in [2, 1, 0] {
        let hit = store.hit(&gate, 1).await.expect("hit");
        assert_eq!((hit.allowed, hit.remaining), (true, remaining));
        assert_about(hit.resets_in, secs(900));
    }
    f.advance(secs(300)).await;
    for _ in 0..3 {
        let hit = store.hit(&gate, 1).await.expect("hit");
        assert_eq!((hit.allowed, hit.remaining), (false, 0));
        assert_about(hit.resets_in, secs(600));
    }
}

pub(super) async fn a_hit_takes_all_of_its_cost_or_nothing(f: &dyn Fixture) {
    let (store, gate) = (f.store(), gate(f, "cost", 10));
    assert_eq!(store.hit(&gate, 7).await.expect("hit").remaining, 3);
    let hit = store.hit(&gate, 4).await.expect("hit");
    assert_eq!((hit.allowed, hit.remaining), (false, 3));
    assert!(store.hit(&gate, 3).await.expect("hit").allowed);
    assert!(!store.hit(&gate, 11).await.expect("hit").allowed);
}

pub(super) async fn a_window_starts_anew(f: &dyn Fixture) {
    let (store, gate) = (f.store(), gate(f, "window", 1));
    for _ in 0..3 {
        assert!(store.hit(&gate, 1).await.expect("hit").allowed);
        assert!(!store.hit(&gate, 1).await.expect("hit").allowed);
        f.advance(secs(901)).await;
    }
}

pub(super) async fn a_closed_gate_ends_an_issue(f: &dyn Fixture) {
    let (store, name, gate) = (f.store(), key(f, "gated"), gate(f, "ip", 1));
    store.hit(&gate, 1).await.expect("hit");
    let outcome = store.issue(&name, &issue("a"), Some(&gate)).await.expect("issue");
    let Issued::Refused(Refused::Gated(wait)) = outcome else { panic!("the gate is closed") };
    assert_about(wait, secs(900));
    assert!(store.peek(&name).await.expect("peek").is_none());
}

pub(super) async fn a_closed_gate_ends_an_attempt_without_comparing(f: &dyn Fixture) {
    let (store, name, gate) = (f.store(), key(f, "gated"), gate(f, "ip", 2));
    store.issue(&name, &issue("a"), None).await.expect("issue");
    for left in [4, 3] {
        let outcome = store.attempt(&name, &attempt("b"), Some(&gate)).await.expect("attempt");
        assert_eq!(outcome, Attempted::Wrong { attempts_left: left });
    }
    let outcome = store.attempt(&name, &attempt("a"), Some(&gate)).await.expect("attempt");
    assert!(matches!(outcome, Attempted::Refused(Refused::Gated(_))));
    assert_eq!(store.peek(&name).await.expect("peek").expect("live").attempts_left, 3);
    let outcome = store.attempt(&name, &attempt("a"), None).await.expect("attempt");
    assert!(matches!(outcome, Attempted::Right { .. }));
}

pub(super) async fn a_gate_counts_refused_calls(f: &dyn Fixture) {
    let (store, gate) = (f.store(), gate(f, "ip", 3));
    for _ in 0..3 {
        let outcome = store.attempt(&key(f, "nobody"), &attempt("a"), Some(&gate)).await.expect("attempt");
        assert_eq!(outcome, Attempted::Refused(Refused::NotFound));
    }
    let outcome = store.attempt(&key(f, "nobody"), &attempt("a"), Some(&gate)).await.expect("attempt");
    assert!(matches!(outcome, Attempted::Refused(Refused::Gated(_))));
}
