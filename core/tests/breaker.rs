//! The circuit breaker, before servers that are frozen and killed: an outage costs a probe per interval.

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/server.rs"]
mod server;
mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use oncecode::store::{Gate, Hit, Limit};
use oncecode::testkit::{FakeClock, key, open_store};
use oncecode::{
    BreakerState, Error, ErrorKind, Event, EventKind, IssueRequest, Key, Oncecode, Options, Store, Target,
    VerifyRequest,
};
use serde_json::{Value, json};

use proxy::Proxy;
use server::Server;
use support::{runtime, unique};

/// The default.
const DEADLINE: Duration = Duration::from_millis(250);
/// Whatever waits for a server that is frozen takes longer.
const AT_ONCE: Duration = DEADLINE;
/// What a caller may wait at most, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(1);
/// Shorter than the default, so that there are several in a test.
const INTERVAL: Duration = Duration::from_millis(400);

/// Deadlines mean little on a machine that starts servers meanwhile.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Client {
    once: Oncecode,
    events: Arc<Mutex<Vec<Event>>>,
    prefix: String,
}

impl Client {
    async fn open(url: &str, breaker: Value) -> Self {
        Self::with(url, json!({ "breaker": breaker })).await
    }

    async fn with(url: &str, more: Value) -> Self {
        let prefix = unique();
        let mut options = json!({ "mode": "development", "sender": "none:", "keyPrefix": prefix });
        options.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let options = Options::from_json(&options.to_string()).expect("options");
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&events);
        let builder = Oncecode::builder(url).options(options).events(move |event| {
            if matches!(event.kind, EventKind::StoreDown | EventKind::StoreUp) {
                told.lock().expect("events").push(event.clone());
            }
        });
        Self { once: builder.open().await.expect("the server answers"), events, prefix }
    }

    async fn of_short_intervals(url: &str) -> Self {
        Self::open(url, short_intervals()).await
    }

    /// Each time to another address, which it says.
    async fn issue(&self) -> Result<(String, String), Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let to = format!("user{}@example.com", NEXT.fetch_add(1, Ordering::Relaxed));
        let sent = self.once.codes().issue(IssueRequest::new(&*to, "login")).await?;
        Ok((to, sent.code.expect("development mode").expose().to_owned()))
    }

    async fn works(&self) -> Result<(), Error> {
        let (to, code) = self.issue().await?;
        let verify = || self.once.codes().verify(VerifyRequest::new(&*to, "login", &*code));
        verify().await?;
        assert_eq!(verify().await.map_err(|e| e.kind()).err(), Some(ErrorKind::CodeNotFound), "a second time");
        Ok(())
    }

    /// Within about an interval.
    async fn works_again(&self) {
        let begin = Instant::now();
        while let Err(e) = self.works().await {
            assert!(begin.elapsed() < Duration::from_secs(1) + PATIENCE, "after {:?}: {e:?}", begin.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Calls one after the other until the breaker refuses one. Says how many were let through.
    async fn open_breaker(&self) -> u32 {
        for let_through in 0..20 {
            let (took, error) = refused(self.issue()).await;
            if error.retry_after().is_some() {
                assert!(took < AT_ONCE, "refused after {took:?}");
                return let_through;
            }
        }
        panic!("it never opens");
    }

    async fn breaker(&self) -> Option<BreakerState> {
        self.once.health().await.expect("health").breaker
    }

    /// Until the next probe, as a refusal says.
    async fn interval(&self) -> Duration {
        refused(self.issue()).await.1.retry_after().expect("the breaker refuses and says until when")
    }

    fn told(&self) -> Vec<String> {
        self.events.lock().expect("events").iter().map(Event::name).collect()
    }
}

fn short_intervals() -> Value {
    let ms = INTERVAL.as_millis() as u64;
    json!({ "probeIntervalMs": ms, "maxProbeIntervalMs": ms })
}

/// `STORE_UNAVAILABLE`, and how long that took to say.
async fn refused<T>(call: impl Future<Output = Result<T, Error>>) -> (Duration, Error) {
    let begin = Instant::now();
    let error = call.await.err().expect("nothing works without its store");
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::StoreUnavailable, true), "{error:?}");
    assert!(begin.elapsed() < PATIENCE, "it took {:?}", begin.elapsed());
    (begin.elapsed(), error)
}

#[test]
fn a_frozen_server_costs_a_probe_per_interval_whatever_is_asked() {
    let _alone = alone();
    let server = Server::start("redis");
    runtime().block_on(async {
        let proxy = Proxy::to(server.port).await;
        let client = Client::of_short_intervals(&server.url_at(proxy.port)).await;
        client.works().await.expect("it works");
        server.freeze();
        assert_eq!(client.open_breaker().await, 5);

        proxy.take();
        let begin = Instant::now();
        let (refusals, waits) = (AtomicU32::new(0), AtomicU32::new(0));
        let callers = (0..8).map(|_| async {
            // Two seconds at least, for several intervals.
            while refusals.load(Ordering::Relaxed) < 1000 || begin.elapsed() < 5 * INTERVAL {
                let (_, error) = refused(client.issue()).await;
                // A probe that is late says nothing of a next one; what was not sent does.
                let counter = if error.retry_after().is_some() { &refusals } else { &waits };
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        join_all(callers).await;
        let (refusals, waits, took) = (refusals.load(Ordering::Relaxed), waits.into_inner(), begin.elapsed());
        let seen = proxy.take();
        println!("{refusals} refused at once, {waits} probes over {} connections, in {took:?}", seen.connections);
        // A wait each would take four times as long, by eight callers.
        assert!(took < DEADLINE * 1000 / 8 / 4, "{refusals} calls took {took:?}");
        // A probe takes the deadline, and at least three quarters of an interval pass until the next.
        let most = 1 + took.as_millis() / (DEADLINE + INTERVAL * 3 / 4).as_millis();
        assert!(waits >= 2 && u128::from(waits) <= most, "{waits} probes, at most {most}");
        assert!(u128::from(seen.connections) <= most, "{} connections for {waits} probes", seen.connections);
        assert_eq!(client.told(), ["STORE_DOWN"]);
    });
}

#[test]
fn of_many_callers_one_is_the_probe_and_the_others_do_not_wait_for_it() {
    let _alone = alone();
    let server = Server::start("redis");
    runtime().block_on(async {
        let client = Arc::new(Client::of_short_intervals(&server.url).await);
        server.freeze();
        client.open_breaker().await;
        for _ in 0..3 {
            tokio::time::sleep(client.interval().await).await;
            let calls = (0..100).map(|_| {
                let client = Arc::clone(&client);
                tokio::spawn(async move { refused(client.issue()).await })
            });
            let calls: Vec<_> = join_all(calls).await.into_iter().map(|call| call.expect("no panic")).collect();
            let probes = calls.iter().filter(|(_, error)| error.retry_after().is_none());
            assert!(probes.clone().all(|(took, _)| *took >= DEADLINE), "a probe was given up early");
            assert_eq!(probes.count(), 1);
        }

        tokio::time::sleep(client.interval().await).await;
        let mut probe = Box::pin(client.issue());
        assert!(futures::poll!(&mut probe).is_pending());
        assert_eq!(client.breaker().await, Some(BreakerState::HalfOpen));
        server.thaw();
        // It may or may not be back in time for this one.
        let _ = probe.await;
        client.works_again().await;
        assert_eq!(client.breaker().await, Some(BreakerState::Closed));
        assert_eq!(client.told(), ["STORE_DOWN", "STORE_UP"]);
    });
}

#[test]
fn a_server_that_is_back_is_used_within_an_interval_and_saw_nothing_of_what_was_refused() {
    let _alone = alone();
    let server = Server::start("redis");
    runtime().block_on(async {
        // The interval is measured with the defaults.
        let client = Client::open(&server.url, json!(true)).await;
        server.freeze();
        let let_through = client.open_breaker().await;
        let addresses: Vec<_> = (0..200).map(|n| format!("refused{n}@example.com")).collect();
        for to in &addresses {
            let (_, error) = refused(client.once.codes().issue(IssueRequest::new(&**to, "login"))).await;
            assert!(error.retry_after().is_some_and(|wait| wait <= Duration::from_secs(1)), "{error:?}");
        }
        server.thaw();
        client.works_again().await;
        for to in &addresses {
            let target = Target::new(&**to, "login");
            assert!(client.once.codes().peek(target).await.expect("peek").is_none(), "a stale write");
        }
        let redis = redis::Client::open(&*server.url).expect("a URL");
        let mut redis = redis.get_multiplexed_async_connection().await.expect("it is back");
        let keys: Vec<String> =
            redis::cmd("KEYS").arg(format!("{}:*", client.prefix)).query_async(&mut redis).await.expect("keys");
        assert!(keys.len() as u32 <= let_through, "{} keys of {let_through} calls that were sent", keys.len());

        let events = client.events.lock().expect("events").clone();
        let [down, up] = &events[..] else { panic!("{events:?}") };
        assert_eq!((down.kind, up.kind), (EventKind::StoreDown, EventKind::StoreUp));
        assert_eq!((down.reason(), up.reason()), (Some("STORE_UNAVAILABLE"), None));
        assert_eq!((down.store.as_deref(), down.purpose.as_deref()), (Some("redis"), None));
        assert!(down.at_ms < up.at_ms);
    });
}

#[test]
fn a_killed_server_is_found_again_when_it_is_restarted() {
    let _alone = alone();
    for kind in ["redis", "postgres"] {
        let mut server = Server::start(kind);
        runtime().block_on(async {
            // A server that is gone refuses at once, and one that has just started may take its time.
            let options = json!({ "breaker": short_intervals(), "deadlineMs": 5000 });
            let client = Client::with(&server.url, options).await;
            for outage in 1..=2 {
                client.works().await.expect("it works");
                server.kill();
                assert_eq!(client.open_breaker().await, 5, "{kind}");
                server.restart();
                tokio::time::sleep(INTERVAL).await;
                client.works().await.expect("the first call after the interval works");
                assert_eq!(client.told().len(), 2 * outage, "{kind}");
            }
        });
    }
}

#[test]
fn a_caller_who_goes_away_leaves_the_probe_to_another() {
    let _alone = alone();
    let server = Server::start("redis");
    runtime().block_on(async {
        let client = Client::of_short_intervals(&server.url).await;
        server.freeze();
        client.open_breaker().await;
        for _ in 0..2 {
            tokio::time::sleep(client.interval().await).await;
            let impatient = tokio::time::timeout(Duration::from_millis(20), client.issue()).await;
            assert!(impatient.is_err(), "it was the probe: {impatient:?}");
            assert_eq!(client.breaker().await, Some(BreakerState::Open));
        }
        server.thaw();
        let wait = client.interval().await;
        assert!(wait <= INTERVAL.max(2 * DEADLINE), "{wait:?}");
        tokio::time::sleep(wait).await;
        client.works().await.expect("the first call after the interval works");
    });
}

#[test]
fn without_a_breaker_every_call_asks() {
    let _alone = alone();
    let server = Server::start("redis");
    runtime().block_on(async {
        let client = Client::open(&server.url, json!(false)).await;
        server.freeze();
        for _ in 0..8 {
            let (took, error) = refused(client.issue()).await;
            assert!(took >= DEADLINE && error.retry_after().is_none(), "{took:?}");
        }
        server.thaw();
        client.works().await.expect("the next call works");
        assert_eq!((client.breaker().await, client.told()), (None, vec![]));
    });
}

#[test]
fn a_server_that_answers_with_refusals_is_no_outage() {
    let _alone = alone();
    let server = Server::start("redis");
    runtime().block_on(async {
        let client = Client::open(&server.url, json!(true)).await;
        let redis = redis::Client::open(&*server.url).expect("a URL");
        let mut redis = redis.get_multiplexed_async_connection().await.expect("connected");
        let mut config = async |value: &str| {
            redis::cmd("CONFIG").arg(&["SET", "maxmemory", value]).exec_async(&mut redis).await.expect("CONFIG SET");
        };
        config("1").await;
        for _ in 0..20 {
            let error = client.issue().await.expect_err("there is no memory");
            assert_eq!((error.kind(), error.retry_after()), (ErrorKind::StoreUnavailable, None), "{error:?}");
        }
        assert_eq!(client.breaker().await, Some(BreakerState::Closed));
        config("0").await;
        client.works().await.expect("the next call works");
        assert_eq!(client.told(), Vec::<String>::new());
    });
}

#[test]
fn of_several_servers_those_that_answer_go_on() {
    let _alone = alone();
    let (one, two) = (Server::start("memcached"), Server::start("memcached"));
    runtime().block_on(async {
        let url = format!("{},127.0.0.1:{}", one.url, two.port);
        let store = open_store(&url, FakeClock::default(), DEADLINE).await.expect("both answer");
        let prefix = unique();
        let gates: Vec<_> = (0..40).map(|n| gate(key(&prefix, &n.to_string()))).collect();
        two.freeze();
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for gate in &gates {
            match hit(&*store, gate).await {
                Ok(_) => here.push(gate),
                Err(_) => there.push(gate),
            }
        }
        assert!(here.len() > 5 && there.len() > 5, "{} keys here, {} there", here.len(), there.len());
        let (begin, mut asked) = (Instant::now(), 0);
        for (here, there) in here.iter().zip(&there) {
            hit(&*store, here).await.expect("this server answers");
            let (_, error) = refused(hit(&*store, there)).await;
            asked += u128::from(error.retry_after().is_none());
        }
        assert!(asked <= begin.elapsed().as_millis() / 750, "it is asked all the same: {asked} times");
        assert_eq!(store.connection().expect("a breaker").state, BreakerState::Open);
        two.thaw();
        let begin = Instant::now();
        while hit(&*store, there[0]).await.is_err() {
            assert!(begin.elapsed() < Duration::from_secs(8), "it does not come back");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        hit(&*store, there[1]).await.expect("all of its keys");
        assert_eq!(store.connection().expect("a breaker").state, BreakerState::Closed);
    });
}

fn gate(key: Key) -> Gate {
    Gate { key, limit: Limit::new(1000, Duration::from_secs(600)) }
}

async fn hit(store: &dyn Store, gate: &Gate) -> Result<Hit, Error> {
    store.hit(gate, 1).await
}

#[test]
fn health_says_what_a_call_would_meet() {
    let _alone = alone();
    let server = Server::start("redis");
    runtime().block_on(async {
        let client = Client::open(&server.url, json!(true)).await;
        let well = client.once.health().await.expect("health");
        assert_eq!(
            (well.ok, &*well.store, well.breaker, well.error),
            (true, "redis", Some(BreakerState::Closed), None)
        );
        assert!(well.latency.is_some_and(|latency| !latency.is_zero() && latency < DEADLINE), "{well:?}");
        assert!(well.clock_skew_ms.is_some_and(|skew| skew.abs() < 1000), "{well:?}");
        assert_eq!(well.warnings, Vec::<String>::new());

        server.freeze();
        for _ in 0..5 {
            let begin = Instant::now();
            let ill = client.once.health().await.expect("a store that is down is an answer");
            assert!(begin.elapsed() >= DEADLINE && begin.elapsed() < PATIENCE, "it took {:?}", begin.elapsed());
            assert_eq!((ill.ok, ill.error, ill.latency), (false, Some(ErrorKind::StoreUnavailable), None));
            assert!(!ill.warnings.is_empty());
        }
        let begin = Instant::now();
        let known = client.once.health().await.expect("health");
        assert!(begin.elapsed() < AT_ONCE, "it took {:?}", begin.elapsed());
        assert_eq!((known.ok, known.breaker), (false, Some(BreakerState::Open)));
        assert!(known.since_ms > well.since_ms, "{known:?}, {well:?}");

        server.thaw();
        tokio::time::sleep(client.interval().await).await;
        let again = client.once.health().await.expect("health");
        assert_eq!((again.ok, again.breaker), (true, Some(BreakerState::Closed)), "asking is the probe");
        assert!(again.since_ms > known.since_ms);
        client.works().await.expect("so it does");
        client.once.close().await;
        assert_eq!(client.once.health().await.map_err(|e| e.kind()), Err(ErrorKind::Closed));
    });
}
