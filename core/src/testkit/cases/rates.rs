//! hits: several limits at once, in every algorithm.

use futures::future::join_all;

use super::*;
use crate::store::{Algorithm, Rate, Rates};

fn rate(algorithm: Algorithm, max: u32, seconds: u64) -> Rate {
    Rate { algorithm, max, window: secs(seconds) }
}

fn rates(f: &dyn Fixture, name: &str, rates: &[Rate]) -> Rates {
    Rates { key: key(f, name), rates: rates.to_vec() }
}

/// How many hits of cost 1 pass in a row.
async fn room(store: &dyn Store, rates: &Rates) -> u32 {
    let mut passed = 0;
    while store.hits(rates, 1).await.expect("hits").allowed {
        passed += 1;
    }
    passed
}

pub(super) async fn several_limits_pass_together_or_not_at_all(f: &dyn Fixture) {
    let (store, both) =
        (f.store(), rates(f, "both", &[rate(Algorithm::Fixed, 3, 900), rate(Algorithm::Fixed, 5, 9000)]));
    let hits = store.hits(&both, 2).await.expect("hits");
    assert!(hits.allowed);
    assert_eq!([hits.rooms[0].remaining, hits.rooms[1].remaining], [1, 3]);
    assert_about(hits.rooms[0].resets_in, secs(900));
    for _ in 0..3 {
        let hits = store.hits(&both, 2).await.expect("hits");
        assert!(!hits.allowed);
        assert_eq!([hits.rooms[0].remaining, hits.rooms[1].remaining], [1, 3], "nothing was taken from either");
        assert_about(hits.rooms[0].retry_in, secs(900));
        assert_eq!(hits.rooms[1].retry_in, Duration::ZERO);
    }
    f.advance(secs(901)).await;
    assert_eq!(room(&*store, &both).await, 3, "the longer window has as much");
    f.advance(secs(901)).await;
    assert_eq!(room(&*store, &both).await, 0, "and remembers");
}

pub(super) async fn a_sliding_window_remembers_the_one_before(f: &dyn Fixture) {
    let (store, sliding) = (f.store(), rates(f, "sliding", &[rate(Algorithm::Sliding, 10, 10_000)]));
    assert_eq!(room(&*store, &sliding).await, 10);
    f.advance(secs(15_000)).await;
    let passed = room(&*store, &sliding).await;
    assert!((4..=5).contains(&passed), "half a window on, half of it counts: {passed}");
    f.advance(secs(30_000)).await;
    assert_eq!(room(&*store, &sliding).await, 10);
}

pub(super) async fn a_bucket_refills_evenly(f: &dyn Fixture) {
    let (store, bucket) = (f.store(), rates(f, "bucket", &[rate(Algorithm::Bucket, 10, 10_000)]));
    assert_eq!(room(&*store, &bucket).await, 10);
    f.advance(secs(3_500)).await;
    assert_eq!(room(&*store, &bucket).await, 3);
    f.advance(secs(20_000)).await;
    assert_eq!(room(&*store, &bucket).await, 10, "it holds no more than its size");
}

pub(super) async fn a_look_takes_nothing(f: &dyn Fixture) {
    let (store, all) = (
        f.store(),
        rates(
            f,
            "look",
            &[rate(Algorithm::Fixed, 2, 900), rate(Algorithm::Sliding, 2, 900), rate(Algorithm::Bucket, 2, 900)],
        ),
    );
    for _ in 0..5 {
        let hits = store.hits(&all, 0).await.expect("hits");
        assert!(hits.allowed && hits.rooms.iter().all(|room| room.remaining == 2));
    }
    assert!(store.get(&all.key).await.expect("get").is_none(), "nor writes anything");
    assert_eq!(room(&*store, &all).await, 2);
}

pub(super) async fn a_limit_defined_anew_begins_anew(f: &dyn Fixture) {
    let store = f.store();
    assert_eq!(room(&*store, &rates(f, "new", &[rate(Algorithm::Fixed, 2, 900)])).await, 2);
    assert_eq!(room(&*store, &rates(f, "new", &[rate(Algorithm::Fixed, 3, 900)])).await, 1, "a higher maximum");
    assert_eq!(room(&*store, &rates(f, "new", &[rate(Algorithm::Fixed, 3, 1800)])).await, 3, "another window");
    assert_eq!(room(&*store, &rates(f, "new", &[rate(Algorithm::Bucket, 3, 1800)])).await, 3, "another algorithm");
}

pub(super) async fn many_hits_at_once_never_exceed_any_limit(f: &dyn Fixture) {
    let all = rates(
        f,
        "many",
        &[rate(Algorithm::Sliding, 12, 9000), rate(Algorithm::Bucket, 10, 90_000), rate(Algorithm::Fixed, 11, 900)],
    );
    let callers: Vec<_> = (0..40).map(|_| f.store()).collect();
    let hits = join_all(callers.iter().map(|store| store.hits(&all, 1))).await;
    assert_eq!(hits.into_iter().filter(|hit| hit.as_ref().expect("hits").allowed).count(), 10);
}
