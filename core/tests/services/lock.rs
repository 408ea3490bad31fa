//! `once.locks`.

use std::time::Duration;

use oncecode::testkit::Fixture;
use oncecode::{LockRequest, Locks};
use tokio::time::timeout;

use super::support::{Corner, LONG};
use super::{at_once, client, code};

const TTL: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(500);

fn request(ttl: Duration) -> LockRequest {
    LockRequest::new("orders/7", ttl)
}

fn waiting(wait: Duration) -> LockRequest {
    let mut request = request(TTL);
    request.wait = wait;
    request
}

async fn locks(corner: &Corner) -> Locks {
    client(corner).await.locks()
}

pub async fn of_many_callers_one_gets_the_lock(corner: &Corner) {
    let tries = at_once(corner, 30, async |once| once.locks().try_acquire(request(TTL)).await).await;
    let held: Vec<_> = tries.into_iter().filter_map(|tried| tried.expect("an answer")).collect();
    assert_eq!(held.len(), 1);
    assert!(held[0].remaining() <= TTL && held[0].remaining() > TTL / 2);
}

pub async fn the_fencing_number_rises_with_every_holder(corner: &Corner) {
    let (one, two) = (locks(corner).await, locks(corner).await);
    let mut last = 0;
    for turn in 0..6 {
        let lock = if turn % 2 == 0 { &one } else { &two }.acquire(request(TTL)).await.expect("acquire");
        assert!(lock.fence() > last && lock.fence() < 1 << 53, "{} after {last}", lock.fence());
        last = lock.fence();
        if turn < 3 {
            assert!(lock.release().await.expect("release"));
            assert!(!lock.release().await.expect("release"), "once");
        } else {
            lock.detach();
            corner.advance(TTL * 2).await;
        }
    }
}

pub async fn a_lease_that_ran_out_is_free_and_its_holder_is_told(corner: &Corner) {
    let (one, two) = (locks(corner).await, locks(corner).await);
    let lock = one.acquire(request(SHORT * 2)).await.expect("acquire");
    let ended = lock.ended();
    corner.advance(TTL).await;
    let next = two.acquire(request(TTL)).await.expect("it is free");
    assert!(next.fence() > lock.fence());
    assert!(timeout(LONG, ended).await.expect("the holder is told"), "lost, not released");
    assert!(lock.lost().is_cancelled() && lock.remaining().is_zero());
    assert!(!next.lost().is_cancelled() && !next.remaining().is_zero());
}

pub async fn a_lost_lock_is_neither_extended_nor_released(corner: &Corner) {
    let locks = locks(corner).await;
    let lock = locks.acquire(request(TTL)).await.expect("acquire");
    lock.extend(TTL).await.expect("still held");
    corner.advance(TTL * 2).await;
    assert_eq!(code(lock.extend(TTL).await), "LEASE_LOST");
    assert!(timeout(LONG, lock.ended()).await.expect("told at once"));
    assert_eq!(code(locks.extend("orders/7", lock.token(), TTL).await), "LEASE_LOST");
    assert!(!lock.release().await.expect("release"));
    // None of it has brought the lock back.
    let next = locks.try_acquire(request(TTL)).await.expect("try").expect("free");
    assert_eq!(code(locks.extend("orders/7", lock.token(), TTL).await), "LEASE_LOST");
    assert!(!locks.release("orders/7", lock.token()).await.expect("release"));
    assert!(next.release().await.expect("release"));
}

pub async fn an_extended_lock_is_held_longer(corner: &Corner) {
    let locks = locks(corner).await;
    let lock = locks.acquire(request(TTL)).await.expect("acquire");
    corner.advance(TTL / 2).await;
    lock.extend(TTL * 3).await.expect("extend");
    assert!(lock.remaining() > TTL * 2);
    corner.advance(TTL * 2).await;
    assert!(locks.try_acquire(request(TTL)).await.expect("try").is_none());
    assert!(lock.release().await.expect("release"));
}

pub async fn only_the_owner_extends_and_releases(corner: &Corner) {
    let (one, two) = (locks(corner).await, locks(corner).await);
    let lock = one.acquire(request(TTL)).await.expect("acquire");
    for token in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA"] {
        assert!(!two.release("orders/7", token).await.expect("release"));
        assert_eq!(code(two.extend("orders/7", token, TTL).await), "LEASE_LOST");
    }
    // The owner may be in another process by now.
    two.extend("orders/7", lock.token(), TTL).await.expect("extend");
    assert!(two.release("orders/7", lock.token()).await.expect("release"));
    assert!(!lock.release().await.expect("release"));
}

pub async fn a_waiter_gets_the_lock_when_it_is_released(corner: &Corner) {
    let (one, two) = (locks(corner).await, locks(corner).await);
    let lock = one.acquire(request(TTL)).await.expect("acquire");
    let (next, released) = tokio::join!(two.acquire(waiting(LONG)), async {
        // Refused once, so that the other is waiting by now.
        assert!(one.try_acquire(request(TTL)).await.expect("try").is_none());
        lock.release().await
    });
    assert!(released.expect("release"));
    assert!(next.expect("its turn").fence() > lock.fence());
}

pub async fn a_waiter_that_waits_too_long_is_told_when_to_come_back(corner: &Corner) {
    let locks = locks(corner).await;
    let _lock = locks.acquire(request(TTL)).await.expect("acquire");
    for wait in [Duration::ZERO, SHORT] {
        let refused = locks.acquire(waiting(wait)).await.expect_err("it is held");
        assert_eq!((refused.code(), refused.status(), refused.retryable()), ("LOCKED", 409, true));
        let seconds = refused.retry_after_seconds().expect("when to come back");
        assert!((50..=62).contains(&seconds), "{seconds}");
    }
}

pub async fn a_renewed_lock_outlives_its_lease(corner: &Corner) {
    let (one, two) = (locks(corner).await, locks(corner).await);
    let mut renewed = request(SHORT * 2);
    renewed.renew = true;
    let lock = one.acquire(renewed).await.expect("acquire");
    let refused = two.acquire(waiting(SHORT * 6)).await;
    assert_eq!(code(refused), "LOCKED");
    assert!(!lock.lost().is_cancelled());
    assert!(lock.release().await.expect("release"));
    two.try_acquire(request(TTL)).await.expect("try").expect("free, and not renewed any more");
}

pub async fn a_dropped_lock_is_released_and_a_detached_one_is_not(corner: &Corner) {
    let (one, two) = (locks(corner).await, locks(corner).await);
    drop(one.acquire(request(TTL)).await.expect("acquire"));
    let lock = two.acquire(waiting(LONG)).await.expect("released soon");
    lock.detach();
    let token = lock.token().to_owned();
    drop(lock);
    assert!(one.try_acquire(request(TTL)).await.expect("try").is_none());
    assert!(one.release("orders/7", &token).await.expect("release"));
}

pub async fn other_names_are_other_locks(corner: &Corner) {
    let locks = locks(corner).await;
    let mut held = Vec::new();
    for name in ["a", "A", "a:b", "a b", "{a}", "a*", "é", "\u{0}", &"x".repeat(1024)] {
        held.push(locks.try_acquire(LockRequest::new(name, TTL)).await.expect(name).expect("free"));
    }
    assert!(locks.try_acquire(LockRequest::new("a", TTL)).await.expect("try").is_none());
}

pub async fn what_no_lock_can_have_is_refused(corner: &Corner) {
    let locks = locks(corner).await;
    let million = "x".repeat(1_000_000);
    for name in ["", &million] {
        assert_eq!(code(locks.acquire(LockRequest::new(name, TTL)).await), "INVALID_ARGUMENT");
        assert_eq!(code(locks.release(name, "x").await), "INVALID_ARGUMENT");
    }
    for ttl in [Duration::ZERO, Duration::from_millis(9), Duration::from_secs(8 * 86_400), Duration::MAX] {
        assert_eq!(code(locks.try_acquire(request(ttl)).await), "INVALID_ARGUMENT");
        assert_eq!(code(locks.extend("orders/7", "x", ttl).await), "INVALID_ARGUMENT");
    }
    let lock = locks.acquire(request(TTL)).await.expect("nothing was written");
    assert_eq!(code(lock.extend(Duration::ZERO).await), "INVALID_ARGUMENT");
    assert!(lock.release().await.expect("and nothing lost"));
}
