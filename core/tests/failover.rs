//! Redis of several servers: a master that dies or hangs, a Cluster's node that does, slots that move, and TLS.
//!
//! Replication is asynchronous: a master may acknowledge a verification and die before its replica has heard of it, and
//! then the code is live again. So nothing is promised here about what was acknowledged just before a failover; see
//! `WINDOW`.

#[path = "support/server.rs"]
mod server;
mod support;

use std::collections::HashMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use oncecode::store::{Attempted, Gate, Issued, Limit, Refused};
use oncecode::testkit::{FakeClock, inputs, key, open_store};
use oncecode::{Error, ErrorKind, IssueRequest, Key, Oncecode, Options, Store, VerifyRequest};
use redis::aio::MultiplexedConnection;
use serde_json::json;

use server::{Member, Server};
use support::{redis_time, runtime};

/// The default.
const DEADLINE: Duration = Duration::from_millis(250);
/// What a caller may wait at most, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a failover may take; the sentinels here decide after half a second.
const FAILOVER: Duration = Duration::from_secs(15);
/// How long before a master's death an acknowledgement may still be lost with it.
const WINDOW: Duration = Duration::from_millis(500);

/// Deadlines mean little on a machine that starts servers meanwhile.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Client {
    once: Oncecode,
    /// By address: how often its code was accepted, and when first.
    accepted: Mutex<HashMap<String, (u32, Instant)>>,
}

struct Code {
    to: String,
    code: String,
}

impl Client {
    async fn open(url: &str) -> Result<Self, Error> {
        let options = json!({ "mode": "development", "sender": "none:" }).to_string();
        let once = Oncecode::builder(url).options(Options::from_json(&options)?).open().await?;
        Ok(Self { once, accepted: Mutex::default() })
    }

    async fn issue(&self) -> Result<Code, Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let to = format!("user{}@example.com", NEXT.fetch_add(1, Ordering::Relaxed));
        let sent = in_time(self.once.codes().issue(IssueRequest::new(&*to, "login"))).await?;
        Ok(Code { to, code: sent.code.expect("development mode").expose().to_owned() })
    }

    async fn verify(&self, code: &Code) -> Result<(), Error> {
        in_time(self.once.codes().verify(VerifyRequest::new(&*code.to, "login", &*code.code))).await?;
        let mut accepted = self.accepted.lock().expect("no panic before");
        accepted.entry(code.to.clone()).or_insert((0, Instant::now())).0 += 1;
        Ok(())
    }

    /// A code of its own works, and only once.
    async fn works(&self) -> Result<(), Error> {
        let code = self.issue().await?;
        self.verify(&code).await?;
        let again = self.verify(&code).await.map_err(|e| e.kind());
        assert!(matches!(again, Err(ErrorKind::CodeNotFound | ErrorKind::StoreUnavailable)), "{again:?}");
        Ok(())
    }

    async fn works_within(&self, time: Duration) {
        let begin = Instant::now();
        while let Err(e) = self.works().await {
            assert!(begin.elapsed() < time, "after {:?}: {e:?}", begin.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn in_time<T>(call: impl Future<Output = T>) -> T {
    let begin = Instant::now();
    let answer = call.await;
    assert!(begin.elapsed() < PATIENCE, "a call took {:?}", begin.elapsed());
    answer
}

/// It ends in time, with `STORE_UNAVAILABLE`.
async fn unavailable<T>(call: impl Future<Output = Result<T, Error>>) {
    let error = in_time(call).await.err().expect("nothing works without its server");
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::StoreUnavailable, true), "{error:?}");
}

/// The whole of an error, as a log would have it, without the URL.
fn told(error: &Error, url: &str) -> String {
    let (mut said, mut cause) = (format!("{error} {error:?}"), std::error::Error::source(error));
    while let Some(deeper) = cause {
        said += &format!(" {deeper} {deeper:?}");
        cause = deeper.source();
    }
    let hosts = url.split_once("://").expect("a URL").1;
    assert!(!said.contains(hosts) && !said.contains("://127"), "{said}");
    error.to_string()
}

#[test]
fn a_killed_master_is_replaced_in_the_middle_of_a_load() {
    let _alone = alone();
    let server = Server::start("sentinel");
    runtime().block_on(async {
        let client = Arc::new(Client::open(&server.url).await.expect("open"));
        let live = client.issue().await.expect("issue");
        let ended = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..4).map(|_| tokio::spawn(load(Arc::clone(&client), Arc::clone(&ended)))).collect();
        tokio::time::sleep(Duration::from_secs(1)).await;

        server.members[0].kill();
        let death = Instant::now();
        client.works_within(FAILOVER).await;
        println!("it took {:?}", death.elapsed());
        tokio::time::sleep(Duration::from_millis(300)).await;
        ended.store(true, Ordering::Relaxed);
        let codes: Vec<Code> = join_all(callers).await.into_iter().flat_map(|codes| codes.expect("a caller")).collect();

        client.verify(&live).await.expect("a code from before is still there");
        for code in &codes {
            let outcome = client.verify(code).await;
            assert!(outcome.as_ref().err().is_none_or(|e| e.kind() == ErrorKind::CodeNotFound), "{outcome:?}");
        }
        let accepted = client.accepted.lock().expect("no panic before");
        let count = |after: bool| accepted.values().filter(|(_, first)| (*first > death) == after).count();
        assert!(count(false) > 50 && count(true) > 50, "{} codes before, {} after", count(false), count(true));
        let (mut lost, mut twice) = (0, 0);
        for (times, first) in accepted.values() {
            match *first < death && death - *first < WINDOW {
                true => lost += u32::from(*times > 1),
                false => twice += u32::from(*times > 1),
            }
        }
        println!("{} codes, {lost} accepted twice because the replica had not heard of the first time", accepted.len());
        assert_eq!(twice, 0, "codes were accepted twice");
    });
}

/// Issues and verifies until told to end, whatever the outcome. Returns the codes that were issued.
async fn load(client: Arc<Client>, ended: Arc<AtomicBool>) -> Vec<Code> {
    let mut codes = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        match client.issue().await {
            Ok(code) => {
                let first = client.verify(&code).await.map_err(|e| e.kind());
                let second = client.verify(&code).await.map_err(|e| e.kind());
                for outcome in [first, second] {
                    // Not found: the first call was done and its answer lost, or the issue was lost.
                    let expected =
                        matches!(outcome, Ok(()) | Err(ErrorKind::StoreUnavailable | ErrorKind::CodeNotFound));
                    assert!(expected, "{outcome:?}");
                }
                codes.push(code);
            }
            Err(e) => assert_eq!(e.kind(), ErrorKind::StoreUnavailable, "{e:?}"),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    codes
}

#[test]
fn a_frozen_master_is_replaced_and_may_come_back() {
    let _alone = alone();
    let server = Server::start("sentinel");
    runtime().block_on(async {
        let client = Client::open(&server.url).await.expect("open");
        client.works().await.expect("it works");
        server.members[0].freeze();
        unavailable(client.issue()).await;
        client.works_within(FAILOVER).await;

        let live = client.issue().await.expect("issue");
        server.members[0].thaw();
        let begin = Instant::now();
        // The old master is made a replica of the new one after a while.
        while begin.elapsed() < Duration::from_secs(2) {
            client.works().await.expect("nothing of that is seen here");
        }
        Client::open(&server.url).await.expect("open").works().await.expect("nor by a new client");
        client.verify(&live).await.expect("the code is still there");
    });
}

#[test]
fn a_sentinel_that_hangs_is_not_waited_for() {
    let _alone = alone();
    let server = Server::start("sentinel");
    runtime().block_on(async {
        let client = Client::open(&server.url).await.expect("open");
        for sentinel in &server.members[2..4] {
            sentinel.freeze();
            Client::open(&server.url).await.expect("another one answers").works().await.expect("it works");
        }
        redis::cmd("CLIENT")
            .arg(&["KILL", "TYPE", "normal"])
            .exec_async(&mut master(&server).await)
            .await
            .expect("cut");
        client.works_within(PATIENCE).await;

        server.members[4].freeze();
        client.works().await.expect("Sentinels are needed for connecting only");
        unavailable(Client::open(&server.url)).await;
        server.members[2..].iter().for_each(|sentinel| sentinel.thaw());

        let wrong = server.url.replace("/mymaster", "/yourmaster");
        let error = Client::open(&wrong).await.err().expect("no such master");
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(told(&error, &wrong).contains("no master of the name"));
    });
}

async fn master(server: &Server) -> MultiplexedConnection {
    redis_time::connect(&format!("redis://127.0.0.1:{}", server.port)).await.remove(0)
}

/// A Cluster as its administrator sees it.
struct Nodes<'a> {
    server: &'a Server,
    connections: Vec<MultiplexedConnection>,
}

impl<'a> Nodes<'a> {
    async fn of(server: &'a Server) -> Self {
        Self { server, connections: redis_time::connect(&server.url).await }
    }

    async fn ask<T: redis::FromRedisValue>(&mut self, node: usize, what: &str) -> T {
        let mut words = what.split(' ');
        let mut command = redis::cmd(words.next().expect("a command"));
        words.for_each(|word| _ = command.arg(word));
        command.query_async(&mut self.connections[node]).await.expect(what)
    }

    async fn tell(&mut self, node: usize, what: &str) {
        self.ask::<redis::Value>(node, what).await;
    }

    async fn slot(&mut self, key: &Key) -> u64 {
        self.ask(0, &format!("CLUSTER KEYSLOT {}", key.as_str())).await
    }

    /// Which node a new Cluster gives a key to: a third of the slots to each, in their order.
    async fn owner(&mut self, key: &Key) -> usize {
        (self.slot(key).await as usize * 3 + 1) / 16384
    }

    async fn id(&mut self, node: usize) -> String {
        self.ask(node, "CLUSTER MYID").await
    }

    fn member(&self, node: usize) -> Member {
        self.server.members[node]
    }

    /// Keys of one node, and keys of the two others.
    async fn keys(&mut self, node: usize) -> (Vec<Key>, Vec<Key>) {
        let (mut its, mut others) = (Vec::new(), Vec::new());
        let prefix = support::unique();
        for n in 0..60 {
            let key = key(&prefix, &n.to_string());
            match self.owner(&key).await == node {
                true => its.push(key),
                false => others.push(key),
            }
        }
        (its, others)
    }
}

async fn store(server: &Server) -> Box<dyn Store> {
    open_store(&server.url, FakeClock::default(), DEADLINE).await.expect("open")
}

fn gate(key: &Key) -> Gate {
    Gate { key: key.clone(), limit: Limit::new(60_000, Duration::from_secs(3600)) }
}

#[test]
fn a_cluster_node_that_hangs_or_dies_fails_its_own_slots_only() {
    let _alone = alone();
    let server = Server::start("cluster");
    runtime().block_on(async {
        let mut nodes = Nodes::of(&server).await;
        for node in 0..3 {
            nodes.tell(node, "CONFIG SET cluster-require-full-coverage no").await;
        }
        let (its, others) = nodes.keys(1).await;
        let used = store(&server).await;
        for key in its.iter().chain(&others) {
            used.issue(key, &inputs::issue("a"), None).await.expect("issue");
        }

        nodes.member(1).freeze();
        // Longer than the others take to notice.
        others_go_on(&*used, &its, &others, Duration::from_secs(4)).await;
        let opened = store(&server).await;
        opened.peek(&others[0]).await.expect("a new client reaches the others");
        in_time(opened.peek(&its[0])).await.expect_err("but not that one");
        nodes.member(1).thaw();

        // A node's slots are several parts to the breaker: each is probed in its own time.
        let begin = Instant::now();
        for key in its.iter().chain(&others) {
            while used.peek(key).await.is_err() {
                assert!(begin.elapsed() < FAILOVER, "it does not come back");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        for key in its.iter().chain(&others) {
            let attempt = used.attempt(key, &inputs::attempt("a"), None).await.expect("attempt");
            assert!(matches!(attempt, Attempted::Right { .. }), "{attempt:?}");
            let again = used.attempt(key, &inputs::attempt("a"), None).await.expect("attempt");
            assert_eq!(again, Attempted::Refused(Refused::NotFound));
        }

        nodes.member(1).kill();
        others_go_on(&*used, &its, &others, Duration::from_secs(4)).await;
    });
}

/// Calls for one node's keys fail in time while those for the others' succeed.
async fn others_go_on(store: &dyn Store, its: &[Key], others: &[Key], time: Duration) {
    let end = Instant::now() + time;
    let failing = its.iter().take(4).map(|key| async move {
        while Instant::now() < end {
            unavailable(store.peek(key)).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let (mut count, mut slowest) = (0, Duration::ZERO);
    let going_on = async {
        while Instant::now() < end {
            for key in others.iter().take(8) {
                let begin = Instant::now();
                store.peek(key).await.expect("another node answers within the deadline");
                slowest = slowest.max(begin.elapsed());
                count += 1;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    futures::join!(join_all(failing), going_on);
    println!("{count} calls to the others, the slowest took {slowest:?}");
}

#[test]
fn slots_may_move_between_nodes_while_they_are_used() {
    let _alone = alone();
    let server = Server::start("cluster");
    runtime().block_on(async {
        let mut nodes = Nodes::of(&server).await;
        let store = store(&server).await;
        let (its, _) = nodes.keys(0).await;
        let there = nodes.member(1).port;
        let (from, to) = (nodes.id(0).await, nodes.id(1).await);
        for key in its.iter().take(5) {
            let slot = nodes.slot(key).await;
            store.issue(key, &inputs::issue("a"), None).await.expect("issue");
            let counter = gate(&oncecode::testkit::key("counter", entity(key)));
            assert_eq!(store.hit(&counter, 1).await.expect("hit").remaining, 59_999);

            nodes.tell(1, &format!("CLUSTER SETSLOT {slot} IMPORTING {from}")).await;
            nodes.tell(0, &format!("CLUSTER SETSLOT {slot} MIGRATING {to}")).await;
            let wrong = store.attempt(key, &inputs::attempt("b"), None).await.expect("it is where it was");
            assert!(matches!(wrong, Attempted::Wrong { .. }), "{wrong:?}");
            nodes.tell(0, &format!("MIGRATE 127.0.0.1 {there} {} 0 5000", key.as_str())).await;
            let wrong = store.attempt(key, &inputs::attempt("b"), None).await.expect("ASK is followed");
            assert!(matches!(wrong, Attempted::Wrong { attempts_left: 3 }), "{wrong:?}");
            assert_eq!(store.hit(&counter, 1).await.expect("hit").remaining, 59_998);
            nodes.tell(0, &format!("MIGRATE 127.0.0.1 {there} {} 0 5000", counter.key.as_str())).await;

            for node in [1, 0, 2] {
                nodes.tell(node, &format!("CLUSTER SETSLOT {slot} NODE {to}")).await;
            }
            let right = store.attempt(key, &inputs::attempt("a"), None).await.expect("MOVED is followed");
            assert!(matches!(right, Attempted::Right { .. }), "{right:?}");
            let again = store.attempt(key, &inputs::attempt("a"), None).await.expect("attempt");
            assert_eq!(again, Attempted::Refused(Refused::NotFound));
            assert_eq!(store.hit(&counter, 1).await.expect("hit").remaining, 59_997, "nothing was done twice");
        }
    });
}

#[test]
fn a_cut_cluster_connection_repeats_nothing() {
    let _alone = alone();
    let server = Server::start("cluster");
    runtime().block_on(async {
        let mut nodes = Nodes::of(&server).await;
        let store = store(&server).await;
        let counter = gate(&nodes.keys(1).await.0[0]);
        let (calls, answered) = (AtomicU32::new(0), AtomicU32::new(0));
        let end = Instant::now() + Duration::from_secs(2);
        // Fewer than the limit lets pass: what is refused is answered and not counted.
        let most = counter.limit.max - 1000;
        let callers = (0..8).map(|_| async {
            while Instant::now() < end && calls.load(Ordering::Relaxed) < most {
                calls.fetch_add(1, Ordering::Relaxed);
                match in_time(store.hit(&counter, 1)).await {
                    Ok(_) => _ = answered.fetch_add(1, Ordering::Relaxed),
                    Err(e) => assert_eq!(e.kind(), ErrorKind::StoreUnavailable, "{e:?}"),
                }
                tokio::task::yield_now().await;
            }
        });
        let cutting = async {
            while Instant::now() < end {
                nodes.tell(1, "CLIENT KILL TYPE normal SKIPME yes").await;
                tokio::time::sleep(Duration::from_millis(7)).await;
            }
        };
        futures::join!(join_all(callers), cutting);
        let (calls, answered) = (calls.into_inner(), answered.into_inner());
        let begin = Instant::now();
        let counted = loop {
            match store.hit(&counter, 0).await {
                Ok(hit) => break counter.limit.max - hit.remaining,
                Err(e) => assert!(begin.elapsed() < PATIENCE, "{e:?}"),
            }
        };
        println!("{calls} calls, {answered} answered, {counted} counted");
        assert!(answered > 100 && answered < calls, "some were cut: {answered} of {calls}");
        assert!((answered..=calls).contains(&counted), "{counted} counted, {answered} of {calls} answered");
    });
}

/// What stands in braces, and decides the slot.
fn entity(key: &Key) -> &str {
    key.as_str().split_once('{').and_then(|(_, rest)| rest.split_once('}')).expect("braces").0
}

#[test]
fn a_hanging_nodes_successor_is_found() {
    let _alone = alone();
    let server = Server::start("cluster");
    runtime().block_on(async {
        let mut nodes = Nodes::of(&server).await;
        let store = store(&server).await;
        let (its, _) = nodes.keys(2).await;
        let key = &its[0];
        store.peek(key).await.expect("it works");

        // As a replica does that is promoted: a new epoch, and the slot is its own.
        nodes.member(2).freeze();
        let (slot, successor) = (nodes.slot(key).await, nodes.id(1).await);
        nodes.tell(1, "CLUSTER BUMPEPOCH").await;
        for node in [1, 0] {
            nodes.tell(node, &format!("CLUSTER SETSLOT {slot} NODE {successor}")).await;
        }
        let begin = Instant::now();
        let issued = loop {
            match in_time(store.issue(key, &inputs::issue("a"), None)).await {
                Ok(issued) => break issued,
                Err(e) => assert!(begin.elapsed() < Duration::from_secs(3), "nobody looks for the successor: {e:?}"),
            }
        };
        println!("found after {:?}", begin.elapsed());
        assert!(matches!(issued, Issued::New { .. }), "{issued:?}");
        nodes.member(2).thaw();
        let right = store.attempt(key, &inputs::attempt("a"), None).await.expect("attempt");
        assert!(matches!(right, Attempted::Right { .. }), "{right:?}");
    });
}

#[test]
fn what_is_wrong_with_a_redis_url_is_told() {
    let _alone = alone();
    let (cluster, single) = (Server::start("cluster"), Server::start("redis"));
    runtime().block_on(async {
        let as_single = format!("redis://127.0.0.1:{}", cluster.port);
        let used = open_store(&as_single, FakeClock::default(), DEADLINE).await.expect("one node answers");
        let mut nodes = Nodes::of(&cluster).await;
        let (_, others) = nodes.keys(0).await;
        let error = used.peek(&others[0]).await.expect_err("not this node");
        assert!(told(&error, &as_single).contains("redis+cluster://"), "{error}");

        let as_cluster = format!("redis+cluster://127.0.0.1:{}", single.port);
        let error = Client::open(&as_cluster).await.err().expect("no Cluster");
        assert!(told(&error, &as_cluster).contains("is no Cluster"), "{error}");

        Client::open(&cluster.url).await.expect("no password yet").works().await.expect("a Cluster");
        for node in 0..3 {
            nodes.tell(node, "CONFIG SET requirepass correct-horse").await;
        }
        for wrong in [cluster.url.clone(), cluster.url.replace("://", "://:hunter2@")] {
            let error = Client::open(&wrong).await.err().expect("refused");
            assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
            assert!(!told(&error, &wrong).contains("hunter2"), "{error}");
        }
        let right = cluster.url.replace("://", "://:correct-horse@");
        Client::open(&right).await.expect("the password is right").works().await.expect("it works");
    });
}

#[test]
fn tls_trusts_the_named_authority_only_and_the_right_name() {
    let _alone = alone();
    let url = support::server("ONCECODE_TEST_REDISTLS");
    let (base, _) = url.split_once('?').expect("a file in it");
    let folder = std::env::temp_dir().join(format!("oncecode-{}", support::unique()));
    std::fs::create_dir(&folder).expect("a folder");
    let stranger = folder.join("ca.crt");
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=stranger -keyout";
    let openssl = Command::new("openssl")
        .args(make.split(' '))
        .args([folder.join("ca.key"), "-out".into(), stranger.clone()])
        .output()
        .expect("openssl runs");
    assert!(openssl.status.success(), "{openssl:?}");

    runtime().block_on(async {
        Client::open(&url).await.expect("the right authority").works().await.expect("it works");
        for untrusted in [
            base.to_owned(),
            format!("{base}?ssl_ca_certs={}", stranger.display()),
            // The certificate is for 127.0.0.1 and localhost.
            url.replace("127.0.0.1", "127.0.0.2"),
        ] {
            let cluster = untrusted.replace("rediss:", "rediss+cluster:").replace("/0?", "?");
            for url in [untrusted, cluster] {
                let error = Client::open(&url).await.err().expect("not to be trusted");
                assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error:?}");
                assert!(told(&error, &url).contains("ssl_ca_certs"), "{error}");
            }
        }
    });
    std::fs::remove_dir_all(folder).expect("removed");
}
