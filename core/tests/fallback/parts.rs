//! What each of the two stores is asked for, and what is told of it.

use std::time::{Duration, Instant};

use oncecode::store::{Gate, Limit};
use oncecode::{BreakerState, ErrorKind, EventKind, Health, HitRequest, LockRequest};
use serde_json::json;

use crate::RETURN;
use crate::client::{Client, address};
use crate::pair::Pair;
use crate::proxy::Proxy;
use crate::server::Server;

pub async fn an_outage_of_the_first_costs_a_probe_per_interval(pair: &mut Pair) {
    let proxy = Proxy::to(pair.first.port).await;
    let url = format!("fallback:{}|{}", pair.first.url_at(proxy.port), pair.second());
    let client = Client::open_when_possible(pair, &url).await;
    pair.first.freeze();
    client.hears(EventKind::StoreDown).await;
    proxy.take();
    let (begin, mut served) = (Instant::now(), 0);
    while begin.elapsed() < Duration::from_secs(3) {
        let code = client.issue_when_possible(&address()).await;
        client.is_right(&code).await;
        served += 1;
    }
    // One after about a second, one two seconds later, and perhaps one that was on its way.
    let asked = proxy.take().connections;
    assert!((1..=3).contains(&asked), "the first was asked {asked} times in {served} calls");
    assert!(served > 20, "{served} calls in 3 s");
    pair.first.thaw();
    client.hears(EventKind::StoreUp).await;
}

/// Asks until the answer is as expected.
async fn health_is(client: &Client, expected: impl Fn(&Health) -> bool) -> Health {
    let begin = Instant::now();
    loop {
        let health = client.once.health().await.expect("not closed");
        if expected(&health) {
            return health;
        }
        assert!(begin.elapsed() < RETURN, "{health:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub async fn health_says_which_store_is_out_of_reach(pair: &mut Pair) {
    let client = Client::open_when_possible(pair, &pair.url()).await;
    let well = health_is(&client, |health| health.warnings.is_empty()).await;
    assert_eq!((well.ok, &*well.store, well.breaker), (true, "fallback", Some(BreakerState::Closed)), "{well:?}");

    pair.first.kill();
    let ill = health_is(&client, |health| health.breaker == Some(BreakerState::Open)).await;
    assert_eq!((ill.ok, ill.error), (true, None), "the second serves: {ill:?}");
    let [warning] = &ill.warnings[..] else { panic!("{ill:?}") };
    assert!(warning.starts_with("first store (redis): "), "{warning}");
    client.hears(EventKind::StoreDown).await;

    let url = format!("fallback:{}|{}", pair.absent_first(), pair.second());
    let without_first = Client::open_when_possible(pair, &url).await;
    let ill = health_is(&without_first, |health| health.ok).await;
    assert!(matches!(&ill.warnings[..], [warning] if warning.starts_with("first store (redis): ")), "{ill:?}");
    assert_eq!(ill.breaker, Some(BreakerState::Open), "{ill:?}");
    without_first.hears(EventKind::StoreDown).await;

    pair.restart().await;
    let well = health_is(&client, |health| health.warnings.is_empty()).await;
    assert_eq!((well.ok, well.breaker), (true, Some(BreakerState::Closed)), "{well:?}");
    client.hears(EventKind::StoreUp).await;

    let url = format!("fallback:{}|{}", pair.first.url, pair.absent_second());
    let without_second = Client::open_when_possible(pair, &url).await;
    let ill = health_is(&without_second, |health| health.ok).await;
    assert!(matches!(&ill.warnings[..], [warning] if warning.starts_with("second store (postgres): ")), "{ill:?}");
    pair.first.kill();
    let gone = health_is(&without_second, |health| !health.ok).await;
    assert_eq!(gone.error, Some(ErrorKind::StoreUnavailable), "{gone:?}");
    assert!(gone.warnings[0].starts_with("first store (redis): "), "{gone:?}");
}

pub async fn limits_fall_back_and_values_do_not(pair: &mut Pair) {
    let client = Client::open_when_possible(pair, &pair.url()).await;
    let (limits, locks) = (client.once.limits(), client.once.locks());
    let hit = || limits.hit(HitRequest::new("auth", "ann"));
    let lock = || locks.acquire(LockRequest::new("door", Duration::from_millis(500)));
    let is_served = |quota: &oncecode::Quota| quota.allowed && !quota.degraded;
    assert!(hit().await.as_ref().is_ok_and(is_served));
    let held = lock().await.expect("a lock");
    held.release().await.expect("released");
    pair.first.kill();
    let begin = Instant::now();
    // What was on its way may have been done.
    while !hit().await.as_ref().is_ok_and(is_served) {
        assert!(begin.elapsed() < RETURN, "no store counts");
    }
    let refused = lock().await.map(|_| ()).map_err(|e| e.kind());
    assert_eq!(refused, Err(ErrorKind::StoreUnavailable), "a lock has one place");
    // Ten, in each store.
    let mut allowed = 0;
    for _ in 0..30 {
        allowed += u32::from(hit().await.as_ref().is_ok_and(is_served));
    }
    assert!((8..10).contains(&allowed), "{allowed} were allowed");
    let store =
        oncecode::testkit::open_store(&pair.url(), oncecode::testkit::FakeClock::default(), Duration::from_secs(20))
            .await;
    let store = store.expect("the second is there");
    let gate =
        Gate { key: oncecode::testkit::key(&pair.prefix, "gate"), limit: Limit::new(2, Duration::from_secs(60)) };
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(store.hit(&gate, 1).await.expect("the second counts").allowed);
    }
    assert_eq!(answers, [true, true, false]);
}

pub async fn a_second_store_that_is_lost_after_its_use_is_done_without(pair: &mut Pair) {
    let mut second = Server::start("redis");
    let url = format!("fallback:{}|{}", pair.first.url, second.url);
    let client = Client::open_when_possible(pair, &url).await;
    pair.first.kill();
    let (kept, used) = (client.issue_when_possible(&address()).await, client.issue_when_possible(&address()).await);
    client.is_right(&used).await;
    pair.restart().await;
    second.kill();
    // Calls fail until it is known to be down; then the first serves alone.
    let alone = client.works().await;
    for code in [&kept, &used] {
        let unknown = client.verify_patiently(code).await.map_err(|e| e.kind());
        assert_eq!(unknown, Err(ErrorKind::StoreUnavailable), "not `not found`: it may be in the second");
    }
    second.restart();
    client.is_right_when_possible(&kept).await;
    for code in [&alone, &kept, &used] {
        client.refuses(code).await;
    }

    pair.first.kill();
    let kept = client.issue_when_possible(&address()).await;
    pair.restart().await;
    second.freeze();
    let alone = client.works().await;
    second.thaw();
    client.is_right_when_possible(&kept).await;
    for code in [&alone, &kept] {
        client.refuses(code).await;
    }
}

pub async fn a_client_without_breakers_is_refused(pair: &mut Pair) {
    let error = Client::with(pair, &pair.url(), json!({ "breaker": false })).await.err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("breaker"), "{error}");
}
