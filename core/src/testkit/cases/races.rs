//! Many callers at once, each with a handle of its own.

use futures::future::join_all;

use super::inputs::{attempt, id, issue};
use super::*;
use crate::store::{Attempt, Attempted, Gate, Issue, Issued, Limit, Refused};

async fn all_at_once(f: &dyn Fixture, name: &Key, attempts: Vec<Attempt>) -> Vec<Attempted> {
    let callers: Vec<_> = attempts.into_iter().map(|attempt| (f.store(), attempt)).collect();
    let calls = callers.iter().map(|(store, attempt)| store.attempt(name, attempt, None));
    join_all(calls).await.into_iter().map(|outcome| outcome.expect("attempt")).collect()
}

fn rights(outcomes: &[Attempted]) -> usize {
    outcomes.iter().filter(|o| matches!(o, Attempted::Right { .. })).count()
}

fn wrongs(outcomes: &[Attempted]) -> usize {
    outcomes.iter().filter(|o| matches!(o, Attempted::Wrong { .. })).count()
}

pub(super) async fn of_many_right_codes_one_wins(f: &dyn Fixture) {
    let name = key(f, "rights");
    f.store().issue(&name, &issue("a"), None).await.expect("issue");
    let outcomes = all_at_once(f, &name, vec![attempt("a"); 40]).await;
    assert_eq!((rights(&outcomes), wrongs(&outcomes)), (1, 0));
}

pub(super) async fn of_many_wrong_codes_exactly_the_budget_is_compared(f: &dyn Fixture) {
    let name = key(f, "wrongs");
    f.store().issue(&name, &issue("a"), None).await.expect("issue");
    let outcomes = all_at_once(f, &name, vec![attempt("b"); 60]).await;
    assert_eq!((rights(&outcomes), wrongs(&outcomes)), (0, 5));
}

pub(super) async fn a_right_code_among_wrong_ones_wins(f: &dyn Fixture) {
    for round in 0..5 {
        let name = key(f, &format!("among-{round}"));
        f.store().issue(&name, &issue("a"), None).await.expect("issue");
        let mut attempts = vec![attempt("b"); 4];
        attempts.insert(round, attempt("a"));
        let outcomes = all_at_once(f, &name, attempts).await;
        assert_eq!(rights(&outcomes), 1, "{outcomes:?}");
    }
}

pub(super) async fn of_two_issues_one_waits(f: &dyn Fixture) {
    for round in 0..5 {
        let name = key(f, &format!("issues-{round}"));
        let (first, second) = (f.store(), f.store());
        let inputs = [Issue { id: id(1), ..issue("a") }, Issue { id: id(2), ..issue("b") }];
        let (one, two) = tokio::join!(first.issue(&name, &inputs[0], None), second.issue(&name, &inputs[1], None));
        let outcomes = [one.expect("issue"), two.expect("issue")];
        let sent = outcomes.iter().filter(|o| matches!(o, Issued::New { .. })).count();
        let told = outcomes.iter().filter(|o| matches!(o, Issued::Refused(Refused::Cooldown(_)))).count();
        assert_eq!((sent, told), (1, 1), "{outcomes:?}");
    }
}

pub(super) async fn hits_never_exceed_the_limit(f: &dyn Fixture) {
    let gate = Gate { key: key(f, "hits"), limit: Limit::new(10, secs(900)) };
    let callers: Vec<_> = (0..40).map(|_| f.store()).collect();
    let hits = join_all(callers.iter().map(|store| store.hit(&gate, 1))).await;
    assert_eq!(hits.into_iter().filter(|hit| hit.as_ref().expect("hit").allowed).count(), 10);
}

pub(super) async fn counters_lose_nothing(f: &dyn Fixture) {
    let name = key(f, "counter");
    let callers: Vec<_> = (0..40).map(|_| f.store()).collect();
    let counts = join_all(callers.iter().map(|store| store.count(&name, 1, secs(900)))).await;
    let mut seen: Vec<_> = counts.into_iter().map(|count| count.expect("count").value).collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=40).collect::<Vec<_>>());
}
