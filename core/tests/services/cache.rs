//! `once.cache`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use oncecode::testkit::Fixture;
use oncecode::{Cache, CacheRequest, Cached, Error, ErrorKind, Fetched, Ticket};
use serde_json::{Value, json};

use super::support::{Corner, LONG};
use super::{at_once, client, code};

const HOUR: Duration = Duration::from_secs(3600);

fn request() -> CacheRequest {
    let mut request = CacheRequest::new("user/7");
    (request.wait, request.lease) = (LONG, LONG);
    request
}

async fn cache(corner: &Corner) -> Cache {
    client(corner).await.cache()
}

async fn value(cache: &Cache) -> Option<Value> {
    cache.get("user/7", 1).await.expect("get").and_then(|cached| cached.value)
}

#[track_caller]
fn missed(fetched: oncecode::Result<Fetched>) -> Box<Ticket> {
    match fetched.expect("fetch") {
        Fetched::Miss(ticket) => ticket,
        other => panic!("not a miss: {other:?}"),
    }
}

async fn load(cache: &Cache, found: Option<Value>) -> Cached {
    cache.get_or_load(request(), async || Ok::<_, Error>(found)).await.expect("loaded")
}

pub async fn what_was_set_is_there_until_its_time(corner: &Corner) {
    let (one, two) = (cache(corner).await, cache(corner).await);
    assert!(two.get("user/7", 1).await.expect("get").is_none());
    let user = json!({ "name": "é\u{0}🙂", "none": null });
    one.set(request(), Some(user.clone())).await.expect("set");
    let cached = two.get("user/7", 1).await.expect("get").expect("an entry");
    assert!((cached.value, cached.version) == (Some(user), 1) && cached.cached_at_ms > 1_700_000_000_000);
    corner.advance(HOUR - Duration::from_secs(60)).await;
    assert!(value(&two).await.is_some());
    corner.advance(Duration::from_secs(120)).await;
    assert!(two.get("user/7", 1).await.expect("get").is_none());
}

pub async fn another_version_counts_as_none(corner: &Corner) {
    let cache = cache(corner).await;
    cache.set(request(), Some(json!("old form"))).await.expect("set");
    assert!(cache.get("user/7", 2).await.expect("get").is_none());
    let mut newer = request();
    newer.version = 2;
    let cached = cache.get_or_load(newer, async || Ok::<_, Error>(Some(json!("new form")))).await.expect("loaded");
    assert_eq!((cached.value, cached.version), (Some(json!("new form")), 2));
    assert!(value(&cache).await.is_none());
}

pub async fn of_many_that_miss_one_loads(corner: &Corner) {
    let loads = AtomicU32::new(0);
    let users = at_once(corner, 30, async |once| {
        let load = async || {
            loads.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, Error>(Some(json!({ "name": "Ann" })))
        };
        once.cache().get_or_load(request(), load).await
    });
    for user in users.await {
        assert_eq!(user.expect("a value").value.expect("a user")["name"], "Ann");
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

pub async fn of_many_tasks_of_one_process_one_loads(corner: &Corner) {
    let (cache, loads) = (cache(corner).await, AtomicU32::new(0));
    let users = (0..30).map(|_| {
        cache.get_or_load(request(), async || {
            loads.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, Error>(Some(json!(7)))
        })
    });
    for user in futures::future::join_all(users).await {
        assert_eq!(user.expect("a value").value, Some(json!(7)));
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

pub async fn that_there_is_none_is_remembered_too(corner: &Corner) {
    let cache = cache(corner).await;
    assert!(load(&cache, None).await.value.is_none());
    let entry = cache.get("user/7", 1).await.expect("get").expect("an entry that says so");
    assert!(entry.value.is_none());
    assert!(load(&cache, Some(json!("too soon"))).await.value.is_none());
    corner.advance(Duration::from_secs(70)).await;
    assert_eq!(load(&cache, Some(json!("there now"))).await.value, Some(json!("there now")));
}

pub async fn what_was_loaded_before_an_invalidation_is_not_stored_after_it(corner: &Corner) {
    let (reader, writer) = (cache(corner).await, cache(corner).await);
    let ticket = missed(reader.fetch(request()).await);
    assert!(!writer.invalidate("user/7").await.expect("invalidate"), "nothing was stored yet");
    assert_eq!(ticket.fill(Some(json!("old"))).await.expect("the loader has it").value, Some(json!("old")));
    assert!(value(&reader).await.is_none());
    assert_eq!(load(&writer, Some(json!("new"))).await.value, Some(json!("new")));
    assert!(reader.invalidate("user/7").await.expect("invalidate"));
    assert!(value(&writer).await.is_none());
}

pub async fn what_was_loaded_before_a_set_does_not_overwrite_it(corner: &Corner) {
    let (reader, writer) = (cache(corner).await, cache(corner).await);
    let ticket = missed(reader.fetch(request()).await);
    writer.set(request(), Some(json!("new"))).await.expect("set");
    ticket.fill(Some(json!("old"))).await.expect("filled");
    assert_eq!(value(&reader).await, Some(json!("new")));
}

pub async fn what_waited_for_a_load_that_was_invalidated_loads_anew(corner: &Corner) {
    let cache = cache(corner).await;
    let ticket = missed(cache.fetch(request()).await);
    let (waited, _) = tokio::join!(load(&cache, Some(json!("new"))), async {
        client(corner).await.cache().invalidate("user/7").await.expect("invalidate");
        ticket.fill(Some(json!("old"))).await.expect("filled");
    });
    assert_eq!(waited.value, Some(json!("new")));
}

pub async fn a_load_that_fails_or_dies_passes_to_the_next(corner: &Corner) {
    let (one, two) = (cache(corner).await, cache(corner).await);
    let failing = async || Err::<Option<Value>, _>(Error::new(ErrorKind::DeliveryFailed, "the loader's own"));
    assert_eq!(code(one.get_or_load(request(), failing).await), "DELIVERY_FAILED");
    assert_eq!(load(&two, Some(json!(1))).await.value, Some(json!(1)));
    two.invalidate("user/7").await.expect("invalidate");
    // A process that dies says nothing: its lease runs out.
    std::mem::forget(missed(one.fetch(request()).await));
    corner.advance(HOUR).await;
    assert_eq!(load(&two, Some(json!(2))).await.value, Some(json!(2)));
}

pub async fn who_has_waited_long_enough_loads_as_well(corner: &Corner) {
    let (one, two) = (cache(corner).await, cache(corner).await);
    let slow = missed(one.fetch(request()).await);
    let mut impatient = request();
    impatient.wait = Duration::from_millis(50);
    let second = missed(two.fetch(impatient).await);
    second.fill(Some(json!("second"))).await.expect("filled");
    assert_eq!(value(&one).await, Some(json!("second")));
    // Nothing was invalidated since it began: either is right.
    slow.fill(Some(json!("slow"))).await.expect("filled");
    assert!(value(&two).await.is_some());
}

pub async fn what_cannot_be_cached_is_refused(corner: &Corner) {
    let cache = cache(corner).await;
    for key in [String::new(), "x".repeat(1025), "x".repeat(1_000_000)] {
        assert_eq!(code(cache.get(&key, 1).await), "INVALID_ARGUMENT");
        assert_eq!(code(cache.invalidate(&key).await), "INVALID_ARGUMENT");
        assert_eq!(code(cache.fetch(CacheRequest::new(&key)).await), "INVALID_ARGUMENT");
    }
    for ttl in [Duration::ZERO, HOUR * 24 * 30, Duration::MAX] {
        let mut bad = request();
        bad.ttl = ttl;
        assert_eq!(code(cache.set(bad, Some(json!(1))).await), "INVALID_ARGUMENT");
    }
    assert_eq!(code(cache.set(request(), Some(json!("x".repeat(524_287)))).await), "INVALID_ARGUMENT");
    assert!(cache.get("user/7", 1).await.expect("get").is_none(), "nothing was written");
    cache.set(request(), Some(json!("x".repeat(524_286)))).await.expect("it fits");
    assert!(value(&cache).await.is_some());
    let large = json!("x".repeat(600_000));
    let mut other = request();
    other.key = "large".into();
    let loaded = cache.get_or_load(other, async || Ok::<_, Error>(Some(large.clone()))).await.expect("loaded");
    assert!(loaded.value == Some(large), "the caller has it, the cache has not");
}
