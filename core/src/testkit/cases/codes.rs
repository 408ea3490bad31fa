//! issue, attempt, amend, peek.

use super::inputs::{attempt, digest, id, issue};
use super::*;
use crate::secret::Digest;
use crate::store::{Amend, Attempt, Attempted, Issue, Issued, Limit, Refused};

async fn put(f: &dyn Fixture, name: &str, input: &Issue) -> Issued {
    f.store().issue(&key(f, name), input, None).await.expect("issue")
}

async fn compare(f: &dyn Fixture, name: &str, input: &Attempt) -> Attempted {
    f.store().attempt(&key(f, name), input, None).await.expect("attempt")
}

#[track_caller]
fn assert_new(outcome: Issued, attempts_left: u32) {
    assert_eq!(outcome, Issued::New { attempts_left });
}

#[track_caller]
fn assert_right(outcome: Attempted, code: &str) {
    assert_eq!(outcome, Attempted::Right { sealed: format!("payload of {code}").into_bytes() });
}

#[track_caller]
fn assert_wrong(outcome: Attempted, attempts_left: u32) {
    assert_eq!(outcome, Attempted::Wrong { attempts_left });
}

const NOT_FOUND: Attempted = Attempted::Refused(Refused::NotFound);

pub(super) async fn the_right_code_is_accepted_once(f: &dyn Fixture) {
    assert_eq!(compare(f, "once", &attempt("a")).await, NOT_FOUND);
    assert_new(put(f, "once", &issue("a")).await, 5);
    assert_right(compare(f, "once", &attempt("a")).await, "a");
    assert_eq!(compare(f, "once", &attempt("a")).await, NOT_FOUND);
    assert_eq!(compare(f, "once", &attempt("b")).await, NOT_FOUND);
}

pub(super) async fn a_code_expires(f: &dyn Fixture) {
    put(f, "expires", &issue("a")).await;
    f.advance(secs(590)).await;
    assert_wrong(compare(f, "expires", &attempt("b")).await, 4);
    f.advance(secs(11)).await;
    assert_eq!(compare(f, "expires", &attempt("a")).await, NOT_FOUND);
    assert!(f.store().peek(&key(f, "expires")).await.expect("peek").is_none());
}

pub(super) async fn wrong_codes_use_up_the_attempts(f: &dyn Fixture) {
    put(f, "attempts", &issue("a")).await;
    for left in (0..5).rev() {
        assert_wrong(compare(f, "attempts", &attempt("b")).await, left);
    }
    for code in ["a", "b"] {
        let Attempted::Refused(Refused::Spent(wait)) = compare(f, "attempts", &attempt(code)).await else {
            panic!("nothing is compared any more");
        };
        assert_about(wait, secs(60));
    }
}

pub(super) async fn a_second_issue_waits_for_the_cooldown(f: &dyn Fixture) {
    put(f, "cooldown", &issue("a")).await;
    let Issued::Refused(Refused::Cooldown(wait)) = put(f, "cooldown", &issue("b")).await else {
        panic!("too soon");
    };
    assert_about(wait, secs(60));
    assert_wrong(compare(f, "cooldown", &attempt("b")).await, 4);
    assert_right(compare(f, "cooldown", &attempt("a")).await, "a");
}

pub(super) async fn a_new_code_replaces_the_old(f: &dyn Fixture) {
    put(f, "replace", &issue("a")).await;
    assert_wrong(compare(f, "replace", &attempt("x")).await, 4);
    f.advance(secs(61)).await;
    assert_new(put(f, "replace", &Issue { id: id(2), ..issue("b") }).await, 5);
    assert_wrong(compare(f, "replace", &attempt("a")).await, 4);
    assert_right(compare(f, "replace", &attempt("b")).await, "b");
}

pub(super) async fn success_ends_the_cooldown(f: &dyn Fixture) {
    put(f, "again", &issue("a")).await;
    assert_right(compare(f, "again", &attempt("a")).await, "a");
    assert_new(put(f, "again", &issue("b")).await, 5);
    assert_right(compare(f, "again", &attempt("b")).await, "b");
}

pub(super) async fn issues_are_limited(f: &dyn Fixture) {
    for _ in 0..3 {
        assert_new(put(f, "issues", &issue("a")).await, 5);
        f.advance(secs(61)).await;
    }
    let Issued::Refused(Refused::Limited(wait)) = put(f, "issues", &issue("a")).await else {
        panic!("three are enough");
    };
    assert_about(wait, secs(3600 - 3 * 61));
    f.advance(wait + secs(1)).await;
    assert_new(put(f, "issues", &issue("a")).await, 5);
}

pub(super) async fn comparisons_are_limited(f: &dyn Fixture) {
    let limited = |code| Attempt { verifies: Limit::new(3, secs(900)), ..attempt(code) };
    put(f, "verifies", &issue("a")).await;
    for left in [4, 3, 2] {
        assert_wrong(compare(f, "verifies", &limited("b")).await, left);
    }
    let Attempted::Refused(Refused::Limited(wait)) = compare(f, "verifies", &limited("a")).await else {
        panic!("three are enough");
    };
    assert_about(wait, secs(900));
    f.advance(secs(901)).await;
    put(f, "verifies", &issue("c")).await;
    assert_right(compare(f, "verifies", &limited("c")).await, "c");
}

pub(super) async fn the_failure_budget_survives_new_codes(f: &dyn Fixture) {
    let free = |code| Issue { issues: Limit::OFF, cooldown: secs(0), ..issue(code) };
    for _ in 0..4 {
        assert_new(put(f, "budget", &free("a")).await, 5);
        for left in (0..5).rev() {
            assert_wrong(compare(f, "budget", &attempt("b")).await, left);
        }
    }
    let Attempted::Refused(Refused::Locked(wait)) = compare(f, "budget", &attempt("a")).await else {
        panic!("twenty wrong codes are the budget");
    };
    assert_about(wait, secs(24 * 3600));
    let Issued::Refused(Refused::Locked(_)) = put(f, "budget", &free("c")).await else {
        panic!("no code that could not be verified");
    };
    f.advance(secs(24 * 3600)).await;
    assert_new(put(f, "budget", &free("c")).await, 5);
    assert_right(compare(f, "budget", &attempt("c")).await, "c");
}

pub(super) async fn success_resets_the_failure_budget(f: &dyn Fixture) {
    let tight = |code| Attempt { failures: Limit::new(3, secs(3600)), ..attempt(code) };
    put(f, "reset", &issue("a")).await;
    assert_wrong(compare(f, "reset", &tight("b")).await, 2);
    assert_wrong(compare(f, "reset", &tight("b")).await, 1);
    assert_right(compare(f, "reset", &tight("a")).await, "a");
    put(f, "reset", &issue("c")).await;
    assert_wrong(compare(f, "reset", &tight("b")).await, 2);
}

pub(super) async fn a_failure_budget_below_the_attempts_shows_in_attempts_left(f: &dyn Fixture) {
    let budget = Limit::new(2, secs(3600));
    assert_new(put(f, "small", &Issue { failures: budget, ..issue("a") }).await, 2);
    let tight = Attempt { failures: budget, ..attempt("b") };
    assert_wrong(compare(f, "small", &tight).await, 1);
    assert_wrong(compare(f, "small", &tight).await, 0);
    assert!(matches!(compare(f, "small", &tight).await, Attempted::Refused(Refused::Locked(_))));
}

pub(super) async fn another_id_is_not_found_and_not_counted(f: &dyn Fixture) {
    put(f, "id", &issue("a")).await;
    for _ in 0..10 {
        assert_eq!(compare(f, "id", &Attempt { id: Some(id(9)), ..attempt("a") }).await, NOT_FOUND);
    }
    assert_wrong(compare(f, "id", &Attempt { id: Some(id(1)), ..attempt("b") }).await, 4);
    assert_right(compare(f, "id", &Attempt { id: Some(id(1)), ..attempt("a") }).await, "a");
}

pub(super) async fn a_code_under_an_unknown_key_is_not_found(f: &dyn Fixture) {
    put(f, "ring", &issue("a")).await;
    let foreign = Attempt { candidates: vec![Digest { key: 7, ..digest("a") }], ..attempt("a") };
    assert_eq!(compare(f, "ring", &foreign).await, NOT_FOUND);
    assert_wrong(compare(f, "ring", &attempt("b")).await, 4);
}

pub(super) async fn any_key_of_the_ring_may_match(f: &dyn Fixture) {
    put(f, "rotated", &issue("a")).await;
    let both = |code| Attempt { candidates: vec![Digest { key: 7, ..digest(code) }, digest(code)], ..attempt(code) };
    assert_wrong(compare(f, "rotated", &both("b")).await, 4);
    assert_right(compare(f, "rotated", &both("a")).await, "a");
}

pub(super) async fn keep_returns_the_live_challenge_in_its_first_half(f: &dyn Fixture) {
    put(f, "keep", &issue("a")).await;
    assert_wrong(compare(f, "keep", &attempt("x")).await, 4);
    f.advance(secs(200)).await;
    let again = Issue { id: id(2), keep: true, ..issue("b") };
    let Issued::Kept { id: kept, sealed, expires_in, attempts_left } = put(f, "keep", &again).await else {
        panic!("more than half is left");
    };
    assert_eq!((kept, &sealed[..], attempts_left), (id(1), &b"payload of a"[..], 4));
    assert_about(expires_in, secs(400));
    assert!(matches!(put(f, "keep", &again).await, Issued::Refused(Refused::Cooldown(_))), "a kept send counts");
    f.advance(secs(200)).await;
    assert_new(put(f, "keep", &again).await, 5);
    assert_wrong(compare(f, "keep", &attempt("a")).await, 4);
    assert_right(compare(f, "keep", &attempt("b")).await, "b");
}

pub(super) async fn a_refund_gives_cooldown_and_quota_back(f: &dyn Fixture) {
    let (store, name) = (f.store(), key(f, "refund"));
    for _ in 0..10 {
        assert_new(put(f, "refund", &issue("a")).await, 5);
        let refund = Amend::Refund { id: id(1), kept: false };
        assert!(store.amend(&name, &refund).await.expect("amend"));
        assert_eq!(compare(f, "refund", &attempt("a")).await, NOT_FOUND);
        assert!(!store.amend(&name, &refund).await.expect("amend"), "once");
    }
}

pub(super) async fn a_refund_of_a_kept_challenge_leaves_it_alive(f: &dyn Fixture) {
    put(f, "kept", &issue("a")).await;
    f.advance(secs(61)).await;
    assert!(matches!(put(f, "kept", &Issue { keep: true, ..issue("b") }).await, Issued::Kept { .. }));
    let refund = Amend::Refund { id: id(1), kept: true };
    assert!(f.store().amend(&key(f, "kept"), &refund).await.expect("amend"));
    assert!(matches!(put(f, "kept", &Issue { keep: true, ..issue("b") }).await, Issued::Kept { .. }), "no cooldown");
    assert_right(compare(f, "kept", &attempt("a")).await, "a");
}

pub(super) async fn a_cancelled_code_is_dead_and_its_cooldown_stays(f: &dyn Fixture) {
    let (store, name) = (f.store(), key(f, "cancel"));
    assert!(!store.amend(&name, &Amend::Cancel(None)).await.expect("amend"));
    put(f, "cancel", &issue("a")).await;
    assert!(!store.amend(&name, &Amend::Cancel(Some(id(9)))).await.expect("amend"));
    assert!(store.amend(&name, &Amend::Cancel(Some(id(1)))).await.expect("amend"));
    assert_eq!(compare(f, "cancel", &attempt("a")).await, NOT_FOUND);
    assert!(matches!(put(f, "cancel", &issue("b")).await, Issued::Refused(Refused::Cooldown(_))));
    f.advance(secs(61)).await;
    put(f, "cancel", &issue("b")).await;
    assert!(store.amend(&name, &Amend::Cancel(None)).await.expect("amend"));
    assert_eq!(compare(f, "cancel", &attempt("b")).await, NOT_FOUND);
}

pub(super) async fn peek_shows_without_touching(f: &dyn Fixture) {
    let (store, name) = (f.store(), key(f, "peek"));
    assert!(store.peek(&name).await.expect("peek").is_none());
    put(f, "peek", &issue("a")).await;
    assert_wrong(compare(f, "peek", &attempt("b")).await, 4);
    f.advance(secs(20)).await;
    for _ in 0..10 {
        let live = store.peek(&name).await.expect("peek").expect("live");
        assert_eq!((live.id, &live.sealed[..], live.attempts_left), (id(1), &b"payload of a"[..], 4));
        assert_about(live.expires_in, secs(580));
        assert_about(live.resend_in, secs(40));
    }
    assert_right(compare(f, "peek", &attempt("a")).await, "a");
    assert!(store.peek(&name).await.expect("peek").is_none());
}

pub(super) async fn limits_can_be_off(f: &dyn Fixture) {
    let open = |code| Issue { issues: Limit::OFF, failures: Limit::OFF, cooldown: secs(0), ..issue(code) };
    let free = |code| Attempt { verifies: Limit::OFF, failures: Limit::OFF, ..attempt(code) };
    for _ in 0..30 {
        assert_new(put(f, "off", &open("a")).await, 5);
        for left in (0..5).rev() {
            assert_wrong(compare(f, "off", &free("b")).await, left);
        }
    }
    put(f, "off", &open("a")).await;
    assert_right(compare(f, "off", &free("a")).await, "a");
}
