//! `once.idempotency`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use oncecode::testkit::Fixture;
use oncecode::{Begun, Claim, Error, ErrorKind, Idempotency, IdempotencyRequest, Reply};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::support::{Corner, LONG};
use super::{at_once, client, code};

const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_secs(1);

fn request(body: Value) -> IdempotencyRequest {
    let mut request = IdempotencyRequest::new("ann", "order-7");
    request.fingerprint = body;
    request
}

fn waiting() -> IdempotencyRequest {
    let mut request = request(json!(1));
    request.wait = LONG;
    request
}

async fn keys(corner: &Corner) -> Idempotency {
    client(corner).await.idempotency()
}

#[track_caller]
fn claimed(begun: oncecode::Result<Begun>) -> Claim {
    match begun.expect("begin") {
        Begun::Claimed(claim) => claim,
        other => panic!("not claimed: {other:?}"),
    }
}

#[track_caller]
fn replayed(begun: oncecode::Result<Begun>) -> Value {
    match begun.expect("begin") {
        Begun::Replayed(Reply { value, replayed: true, .. }) => value,
        other => panic!("not replayed: {other:?}"),
    }
}

pub async fn of_many_callers_one_works_and_the_others_are_told(corner: &Corner) {
    let begun = at_once(corner, 30, async |once| once.idempotency().begin(request(json!(1))).await).await;
    let (claims, refused): (Vec<_>, Vec<_>) = begun.into_iter().partition(|begun| begun.is_ok());
    assert_eq!((claims.len(), refused.len()), (1, 29));
    for refused in refused.into_iter().map(|refused| refused.expect_err("refused")) {
        assert_eq!((refused.code(), refused.status(), refused.retryable()), ("IN_PROGRESS", 409, true));
        assert!((20..=32).contains(&refused.retry_after_seconds().expect("when it is free")));
    }
}

pub async fn a_reply_is_replayed_until_its_time(corner: &Corner) {
    let (one, two) = (keys(corner).await, keys(corner).await);
    let reply = json!({ "order": 7, "text": "é\u{0}🙂", "none": null });
    let claim = claimed(one.begin(request(json!({ "a": 1, "b": [2] }))).await);
    claim.complete(&reply).await.expect("complete");
    claim.complete(&reply).await.expect("completing twice changes nothing");
    assert!(!claim.abandon().await.expect("abandon"), "too late");
    corner.advance(HOUR * 23).await;
    assert_eq!(replayed(two.begin(request(json!({ "b": [2], "a": 1 }))).await), reply);
    corner.advance(HOUR * 2).await;
    claimed(two.begin(request(json!("another body, a day later"))).await);
}

pub async fn another_body_is_a_mistake(corner: &Corner) {
    let keys = keys(corner).await;
    let claim = claimed(keys.begin(request(json!("a"))).await);
    for _ in 0..2 {
        for other in [json!("b"), json!(["a"]), Value::Null] {
            let refused = keys.begin(request(other)).await.expect_err("another body");
            assert_eq!((refused.code(), refused.status()), ("IDEMPOTENCY_MISMATCH", 422));
        }
        claim.complete(&json!("reply")).await.expect("complete");
    }
}

pub async fn another_scope_is_another_key(corner: &Corner) {
    let keys = keys(corner).await;
    for (n, (scope, key)) in
        [("ann", "order-7"), ("bob", "order-7"), ("ann:order", "7"), ("ann", "ORDER-7")].iter().enumerate()
    {
        claimed(keys.begin(IdempotencyRequest::new(*scope, *key)).await).complete(&json!(n)).await.expect("complete");
    }
    assert_eq!(replayed(keys.begin(IdempotencyRequest::new("bob", "order-7")).await), 1);
}

pub async fn a_dead_worker_frees_the_key_and_its_late_completion_is_refused(corner: &Corner) {
    let (one, two) = (keys(corner).await, keys(corner).await);
    let mut short = request(json!(1));
    (short.lease, short.renew) = (SHORT, false);
    let dead = claimed(one.begin(short).await);
    corner.advance(HOUR).await;
    assert!(timeout(LONG, dead.ended()).await.expect("it is told"));
    assert_eq!(code(two.begin(request(json!("another"))).await), "IDEMPOTENCY_MISMATCH");
    let next = claimed(two.begin(waiting()).await);
    assert!(next.fence() > dead.fence());
    assert_eq!(code(dead.complete(&json!("late")).await), "LEASE_LOST");
    assert!(!dead.abandon().await.expect("abandon"));
    next.complete(&json!("in time")).await.expect("complete");
    assert_eq!(code(dead.complete(&json!("later")).await), "LEASE_LOST");
    assert_eq!(replayed(one.begin(request(json!(1))).await), "in time");
}

pub async fn a_late_completion_counts_if_nobody_else_has_begun(corner: &Corner) {
    let keys = keys(corner).await;
    let claim = claimed(keys.begin(request(json!(1))).await);
    corner.advance(HOUR).await;
    claim.complete(&json!("late")).await.expect("complete");
    assert_eq!(replayed(keys.begin(request(json!(1))).await), "late");
}

pub async fn an_abandoned_key_is_free_at_once(corner: &Corner) {
    let (one, two) = (keys(corner).await, keys(corner).await);
    let claim = claimed(one.begin(request(json!(1))).await);
    for token in ["", "AAAAAAAAAAAAAAAAAAAAAA"] {
        assert!(!two.abandon("ann", "order-7", token).await.expect("abandon"));
        assert_eq!(code(two.complete("ann", "order-7", token, json!(2)).await), "LEASE_LOST");
    }
    assert!(two.abandon("ann", "order-7", claim.token()).await.expect("abandon"));
    assert_eq!(code(claim.complete(&json!(1)).await), "LEASE_LOST");
    let next = claimed(two.begin(request(json!("corrected"))).await);
    assert!(next.fence() > claim.fence());
    one.complete("ann", "order-7", next.token(), json!("from another process")).await.expect("complete");
    assert_eq!(replayed(two.begin(request(json!("corrected"))).await), "from another process");
}

pub async fn a_waiter_gets_the_reply(corner: &Corner) {
    let (one, two) = (keys(corner).await, keys(corner).await);
    let claim = claimed(one.begin(request(json!(1))).await);
    let (waited, _) = tokio::join!(two.begin(waiting()), async {
        assert_eq!(code(one.begin(request(json!(1))).await), "IN_PROGRESS");
        claim.complete(&json!("done")).await.expect("complete");
    });
    assert_eq!(replayed(waited), "done");
}

pub async fn a_renewed_claim_outlives_its_lease(corner: &Corner) {
    let (one, two) = (keys(corner).await, keys(corner).await);
    let mut short = request(json!(1));
    short.lease = SHORT;
    let claim = claimed(one.begin(short).await);
    let mut patient = waiting();
    patient.wait = SHORT * 3;
    assert_eq!(code(two.begin(patient).await), "IN_PROGRESS");
    assert!(!claim.lost().is_cancelled() && !claim.remaining().is_zero());
    claim.complete(&json!(1)).await.expect("complete");
}

pub async fn run_works_once_and_replays(corner: &Corner) {
    let runs = AtomicU32::new(0);
    let replies = at_once(corner, 20, async |once| {
        let work = async |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Error>(json!({ "charged": 1 }))
        };
        once.idempotency().run(waiting(), work).await
    });
    let replies: Vec<_> = replies.await.into_iter().map(|reply| reply.expect("a reply")).collect();
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(replies.iter().filter(|reply| !reply.replayed).count(), 1);
    assert!(replies.iter().all(|reply| reply.value["charged"] == 1));
}

pub async fn run_frees_the_key_when_the_work_fails(corner: &Corner) {
    let keys = keys(corner).await;
    let failing = async |_| Err::<Value, _>(Error::new(ErrorKind::DeliveryFailed, "the work's own"));
    assert_eq!(code(keys.run(request(json!(1)), failing).await), "DELIVERY_FAILED");
    let reply = keys.run(request(json!(2)), async |_| Ok::<_, Error>(json!("ok"))).await.expect("free again");
    assert!(!reply.replayed);
}

pub async fn a_reply_that_is_too_large_is_not_worked_for_twice(corner: &Corner) {
    let keys = keys(corner).await;
    let claim = claimed(keys.begin(request(json!(1))).await);
    assert_eq!(code(claim.complete(&json!("x".repeat(65_535))).await), "INVALID_ARGUMENT");
    assert_eq!(code(keys.begin(request(json!(1))).await), "INVALID_ARGUMENT");
    let claim = claimed(keys.begin(IdempotencyRequest::new("ann", "fits")).await);
    claim.complete(&json!("x".repeat(65_534))).await.expect("it fits");
}

pub async fn what_no_key_can_have_is_refused(corner: &Corner) {
    let keys = keys(corner).await;
    let million = "x".repeat(1_000_000);
    for (scope, key) in [("", "key"), ("ann", ""), ("ann", &million), (&million, "key")] {
        assert_eq!(code(keys.begin(IdempotencyRequest::new(scope, key)).await), "INVALID_ARGUMENT");
        assert_eq!(code(keys.complete(scope, key, "x", json!(1)).await), "INVALID_ARGUMENT");
        assert_eq!(code(keys.abandon(scope, key, "x").await), "INVALID_ARGUMENT");
    }
    for (lease, retention) in
        [(Duration::ZERO, HOUR), (HOUR, SHORT), (SHORT, HOUR * 24 * 31), (Duration::MAX, Duration::MAX)]
    {
        let mut bad = request(json!(1));
        (bad.lease, bad.retention) = (lease, retention);
        assert_eq!(code(keys.begin(bad).await), "INVALID_ARGUMENT");
    }
    claimed(keys.begin(request(json!("nothing was written"))).await);
}
