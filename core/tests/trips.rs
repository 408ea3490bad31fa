//! One round trip: a proxy counts turns, and the server or the protocol counts commands.

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/server.rs"]
mod server;
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use oncecode::store::{Algorithm, Gate, Limit, Rate, Rates};
use oncecode::testkit::{FakeClock, Recorder, key, open_store};
use oncecode::{IssueRequest, Oncecode, Options, SessionRequest, SignRequest, VerifyRequest};
use serde_json::json;

use proxy::{Proxy, Seen};
use server::Server;

const FLOWS: u64 = 20;

/// A connection that rests for longer is asked whether it still lives, which is a trip that no flow is to blame for.
const PAUSE: Duration = Duration::from_millis(400);

/// What went through the proxy while `FLOWS` times an operation ran, on a machine that did not stall meanwhile.
struct Count {
    turns: u64,
    commands: BTreeMap<String, u64>,
}

impl Count {
    fn new(seen: &Seen, kind: &str) -> Self {
        // An HTTP client opens another when the last one is not back in its pool yet, and takes what is there first.
        let spare = if kind == "upstash" { FLOWS } else { 0 };
        assert!(seen.connections <= spare, "{} new connections after the warm-up", seen.connections);
        let names = match kind {
            "redis" => redis_commands(&seen.requests),
            "mysql" => mysql_commands(&seen.requests),
            "upstash" => http_requests(&seen.requests),
            "memcached" => memcached_commands(&seen.requests),
            _ => postgres_messages(&seen.requests),
        };
        let mut commands = BTreeMap::new();
        for name in names {
            *commands.entry(name).or_default() += 1;
        }
        Self { turns: seen.turns, commands }
    }

    fn assert(&self, trips: u64, commands: &[&str]) {
        let expected: BTreeMap<String, u64> = commands.iter().map(|name| ((*name).to_owned(), trips)).collect();
        assert_eq!(self.turns, trips, "turns; commands {:?}", self.commands);
        assert_eq!(self.commands, expected);
    }
}

/// The store's commands for one trip.
fn commands(kind: &str) -> &'static [&'static str] {
    match kind {
        "redis" => &["EVALSHA"],
        "mysql" => &["Execute"],
        "upstash" => &["POST / EVALSHA"],
        // Nothing is prepared there, under no name either.
        "pgbouncer" => &["Query"],
        // The four go out together: one statement, one answer.
        _ => &["Bind", "Close", "Execute", "Sync"],
    }
}

#[test]
fn an_issue_and_a_verify_on_redis_are_one_trip_each() {
    flows("redis");
}

#[test]
fn an_issue_and_a_verify_on_postgres_are_one_trip_each() {
    flows("postgres");
}

#[test]
fn an_issue_and_a_verify_on_upstash_are_one_request_each() {
    flows("upstash");
}

#[test]
fn an_issue_and_a_verify_through_pgbouncer_are_one_trip_each() {
    flows("pgbouncer");
}

#[test]
fn a_hit_through_pgbouncer_is_one_trip() {
    hits("pgbouncer");
}

#[test]
fn an_issue_and_a_verify_on_mysql_are_one_trip_each() {
    flows("mysql");
}

#[test]
fn a_hit_on_mysql_is_one_trip() {
    hits("mysql");
}

#[test]
fn a_hit_on_redis_is_one_trip() {
    hits("redis");
}

#[test]
fn a_hit_on_postgres_is_one_trip() {
    hits("postgres");
}

#[test]
fn a_hit_on_upstash_is_one_request() {
    hits("upstash");
}

#[test]
fn a_session_check_is_one_trip_and_a_known_token_none_on_redis() {
    checks("redis");
}

#[test]
fn a_session_check_is_one_trip_and_a_known_token_none_on_postgres() {
    checks("postgres");
}

#[test]
fn several_limits_on_redis_are_one_trip() {
    several_hits("redis", 1, &["EVALSHA"]);
}

#[test]
fn several_limits_on_upstash_are_one_request() {
    several_hits("upstash", 1, &["POST / EVALSHA"]);
}

/// No database has a statement of ours for them: what is there is read, and written if nobody else wrote in between.
#[test]
fn several_limits_on_postgres_are_two_trips() {
    several_hits("postgres", 2, commands("postgres"));
}

#[test]
fn several_limits_on_mysql_are_two_trips() {
    several_hits("mysql", 2, commands("mysql"));
}

/// It runs no code of ours; see docs/stores.md.
#[test]
fn an_issue_and_a_verify_on_memcached_are_a_read_and_a_write_each() {
    let server = Server::start("memcached");
    support::runtime().block_on(async {
        let proxy = Proxy::to(server.port).await;
        let (once, sender) = client(&server.url_at(proxy.port)).await;
        for (round, ip) in [(0, None), (1, Some("192.0.2.1"))] {
            let mut number = 0;
            flow(&once, &sender, format!("warm-up{round}@example.com"), ip.map(|_| "192.0.2.99")).await;
            proxy.take();
            let count = steady("memcached", &proxy, async || {
                number += 1;
                flow(&once, &sender, format!("user{round}-{number}@example.com"), ip).await;
            })
            .await;
            // The limit of an IP address is another key, and is asked first.
            let keys = if ip.is_some() { 2 } else { 1 };
            let each = 2 * FLOWS * keys;
            assert_eq!(count.turns, 2 * each, "{:?}", count.commands);
            assert_eq!(count.commands, BTreeMap::from([("mg".to_owned(), each), ("ms".to_owned(), each)]));
        }
    });
}

#[test]
fn a_hit_on_memcached_is_a_read_and_a_write() {
    let server = Server::start("memcached");
    support::runtime().block_on(async {
        let proxy = Proxy::to(server.port).await;
        let store = open_store(&server.url_at(proxy.port), FakeClock::default(), support::LONG).await.expect("open");
        let gate = Gate { key: key("trips", "gate"), limit: Limit::new(10_000, Duration::from_secs(900)) };
        let hit = async || assert!(store.hit(&gate, 1).await.expect("hit").allowed);
        hit().await;
        proxy.take();
        let count = steady("memcached", &proxy, hit).await;
        assert_eq!(count.turns, 2 * FLOWS, "{:?}", count.commands);
    });
}

/// Where a proxy would be led past, the servers' own counters tell.
#[test]
fn an_issue_and_a_verify_on_sentinel_are_one_command_each() {
    counted("sentinel", 2);
}

#[test]
fn an_issue_and_a_verify_over_tls_are_one_command_each() {
    counted("redistls", 2);
}

/// The limit of an IP address is on another node, and is asked first.
#[test]
fn an_issue_and_a_verify_on_a_cluster_are_one_command_each_and_another_with_an_ip() {
    counted("cluster", 4);
}

fn counted(kind: &'static str, with_ip: u64) {
    let server = Server::start(kind);
    support::runtime().block_on(async {
        let (once, sender) = client(&server.url).await;
        // Every node is told the scripts.
        for number in 0..30 {
            flow(&once, &sender, format!("warm-up{number}@example.com"), Some(&format!("192.0.2.{number}"))).await;
        }
        // Opened once: connecting is an error or two of its own to a server that does not know `CLIENT SETINFO`.
        let mut servers = support::redis_time::connect(&server.url).await;
        for (round, ip, each) in [(0, None, 2), (1, Some("198.51.100.1"), with_ip)] {
            let before = asked(&mut servers).await;
            for number in 0..FLOWS {
                flow(&once, &sender, format!("user{round}-{number}@example.com"), ip).await;
            }
            let after = asked(&mut servers).await;
            assert_eq!((after.0 - before.0, after.1 - before.1), (each * FLOWS, 0), "{kind} {ip:?}");
        }
    });
}

/// Scripts that the servers were told to run, by digest or by source, and answers of theirs that were errors.
async fn asked(servers: &mut [redis::aio::MultiplexedConnection]) -> (u64, u64) {
    let (mut scripts, mut errors) = (0, 0);
    for server in servers {
        let info: String = redis::cmd("INFO").arg("everything").query_async(server).await.expect("info");
        let number =
            |line: &str, name: &str| line.strip_prefix(name)?.split_once('=')?.1.split(',').next()?.parse::<u64>().ok();
        scripts += info.lines().filter_map(|line| number(line, "cmdstat_eval")).sum::<u64>();
        errors += info.lines().filter_map(|line| number(line, "errorstat_")).sum::<u64>();
    }
    (scripts, errors)
}

/// In production, with a sender that remembers.
async fn client(url: &str) -> (Oncecode, Recorder) {
    let sender = Recorder::default();
    let options = json!({
        "secret": "a secret of thirty-two bytes or more",
        "deadlineMs": support::LONG.as_millis() as f64,
    });
    let options = Options::from_json(&options.to_string()).expect("options");
    (Oncecode::builder(url).options(options).sender(sender.clone()).open().await.expect("open"), sender)
}

async fn flow(once: &Oncecode, sender: &Recorder, to: String, ip: Option<&str>) {
    let mut issue = IssueRequest::new(&*to, "login");
    issue.ip = ip.map(str::to_owned);
    once.codes().issue(issue).await.expect("issue");
    let mut verify = VerifyRequest::new(&*to, "login", sender.last_code().expect("a code"));
    verify.ip = ip.map(str::to_owned);
    once.codes().verify(verify).await.expect("verify");
}

fn several_hits(kind: &'static str, trips: u64, commands: &[&str]) {
    let server = Server::start(kind);
    support::runtime().block_on(async {
        let proxy = Proxy::to(server.port).await;
        let store = open_store(&server.url_at(proxy.port), FakeClock::default(), support::LONG).await.expect("open");
        let rate = |algorithm, seconds| Rate { algorithm, max: 10_000, window: Duration::from_secs(seconds) };
        let rates = [rate(Algorithm::Fixed, 60), rate(Algorithm::Sliding, 3600), rate(Algorithm::Bucket, 86_400)];
        let rates = Rates { key: key("trips", "rates"), rates: rates.to_vec() };
        let hit = async || assert!(store.hits(&rates, 1).await.expect("hits").allowed);
        for _ in 0..2 {
            hit().await;
        }
        proxy.take();
        steady(kind, &proxy, hit).await.assert(trips * FLOWS, commands);
    });
}

fn checks(kind: &'static str) {
    let server = Server::start(kind);
    support::runtime().block_on(async {
        let proxy = Proxy::to(server.port).await;
        let options = json!({
            "mode": "development", "sender": "none:", "deadlineMs": support::LONG.as_millis() as f64,
            "tokens": { "cacheSeconds": 300 },
        });
        let options = Options::from_json(&options.to_string()).expect("options");
        let builder = Oncecode::builder(server.url_at(proxy.port)).options(options);
        let once = builder.open().await.expect("open");
        let session = once.sessions().create(SessionRequest::new("ann")).await.expect("create").token;
        let token = once.tokens().sign(SignRequest::of("ann")).await.expect("sign");
        let validate = async || _ = once.sessions().validate(session.expose(), None).await.expect("validate");
        validate().await;
        proxy.take();
        assert_eq!(steady(kind, &proxy, validate).await.turns, FLOWS);
        let verify = async || _ = once.tokens().verify(token.expose()).await.expect("verify");
        assert_eq!(steady(kind, &proxy, verify).await.turns, 0, "signing has asked for the version");
    });
}

fn flows(kind: &'static str) {
    let server = Server::start(kind);
    support::runtime().block_on(async {
        let proxy = Proxy::to(server.port).await;
        let (once, sender) = client(&server.url_at(proxy.port)).await;
        assert!(proxy.take().turns > 0, "the proxy sees what it is there to see");

        // Each IP address may issue 30 codes.
        for (round, ip) in [(0, None), (1, Some("192.0.2.1"))] {
            let mut number = 0;
            // The warm-up: each script is loaded, each statement prepared.
            flow(&once, &sender, format!("warm-up{round}@example.com"), ip.map(|_| "192.0.2.99")).await;
            proxy.take();
            let scripts = scripts_run(&server).await;
            let count = steady(kind, &proxy, async || {
                number += 1;
                flow(&once, &sender, format!("user{round}-{number}@example.com"), ip).await;
            })
            .await;
            count.assert(2 * FLOWS, commands(kind));
            // The server's own count, over all that it took to find a quiet moment.
            let by_scripts = server.redis().map_or(0, |_| 2 * number);
            assert_eq!(scripts_run(&server).await - scripts, by_scripts);
        }
    });
}

fn hits(kind: &'static str) {
    let server = Server::start(kind);
    support::runtime().block_on(async {
        let proxy = Proxy::to(server.port).await;
        let url = server.url_at(proxy.port);
        let store = open_store(&url, FakeClock::default(), support::LONG).await.expect("open");
        let gate =
            Gate { key: key("trips", "gate"), limit: Limit::new(2 + FLOWS as u32 / 2, Duration::from_secs(900)) };
        store.hit(&gate, 1).await.expect("warm-up");
        store.hit(&gate, 1).await.expect("warm-up");
        proxy.take();
        let mut allowed = 0;
        let count =
            steady(kind, &proxy, async || allowed += u64::from(store.hit(&gate, 1).await.expect("hit").allowed)).await;
        count.assert(FLOWS, commands(kind));
        assert_eq!(allowed, FLOWS / 2, "those that are refused are one trip too");
    });
}

/// Runs an operation `FLOWS` times without a pause in between, on a machine that may be too busy for that at first.
async fn steady(kind: &str, proxy: &Proxy, mut operation: impl AsyncFnMut()) -> Count {
    for _ in 0..5 {
        let mut longest = Duration::ZERO;
        for _ in 0..FLOWS {
            let begin = Instant::now();
            operation().await;
            longest = longest.max(begin.elapsed());
        }
        let seen = proxy.take();
        if longest < PAUSE {
            return Count::new(&seen, kind);
        }
    }
    panic!("the machine stalls all the time");
}

/// EVALSHA and EVAL as Redis counts them.
async fn scripts_run(server: &Server) -> u64 {
    let Some(server) = server.redis() else { return 0 };
    let client = redis::Client::open(&*server.url).expect("a redis url");
    let mut connection = client.get_multiplexed_async_connection().await.expect("redis answers");
    let info: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.expect("info");
    let calls =
        |line: &str| line.strip_prefix("cmdstat_eval")?.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok();
    info.lines().filter_map(calls).sum()
}

/// The names of RESP commands, each an array of bulk strings.
fn redis_commands(bytes: &[u8]) -> Vec<String> {
    let (mut rest, mut names) = (bytes, Vec::new());
    while !rest.is_empty() {
        let parts = number(&mut rest, b'*');
        for part in 0..parts {
            let length = number(&mut rest, b'$');
            let (text, after) = rest.split_at(length);
            if part == 0 {
                names.push(String::from_utf8_lossy(text).into_owned());
            }
            rest = &after[2..];
        }
    }
    names
}

/// `*3\r\n` as 3.
fn number(rest: &mut &[u8], sign: u8) -> usize {
    assert_eq!(rest[0], sign, "RESP");
    let end = rest.iter().position(|byte| *byte == b'\r').expect("a line");
    let number = std::str::from_utf8(&rest[1..end]).expect("digits").parse().expect("a number");
    *rest = &rest[end + 2..];
    number
}

/// Method, path and Redis command of HTTP requests, whose bodies are JSON arrays.
fn http_requests(bytes: &[u8]) -> Vec<String> {
    let (mut rest, mut names) = (std::str::from_utf8(bytes).expect("text"), Vec::new());
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let length =
            head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let (body, next) = after.split_at(length.expect("a length"));
        let (start, _) = head.split_once(" HTTP/1.1").expect("a request");
        let words: Vec<String> = serde_json::from_str(body).expect("texts");
        names.push(format!("{start} {}", words[0]));
        rest = next;
    }
    assert_eq!(rest, "", "a request that is not whole");
    names
}

/// The names of PostgreSQL's messages: a type, a length that counts itself, a body.
fn postgres_messages(bytes: &[u8]) -> Vec<String> {
    let (mut rest, mut names) = (bytes, Vec::new());
    while let Some((kind, after)) = rest.split_first() {
        let length = u32::from_be_bytes(*after.first_chunk().expect("a length"));
        names.push(match kind {
            b'P' => "Parse".to_owned(),
            b'B' => "Bind".to_owned(),
            b'C' => "Close".to_owned(),
            b'D' => "Describe".to_owned(),
            b'E' => "Execute".to_owned(),
            b'S' => "Sync".to_owned(),
            b'Q' => "Query".to_owned(),
            other => char::from(*other).to_string(),
        });
        rest = &after[length as usize..];
    }
    names
}

/// The names of MySQL's commands: a length of three bytes, a number that begins anew with each, and a body.
fn mysql_commands(bytes: &[u8]) -> Vec<String> {
    let (mut rest, mut names) = (bytes, Vec::new());
    while let [low, middle, high, _, command, ..] = rest {
        let length = u32::from_le_bytes([*low, *middle, *high, 0]);
        names.push(match command {
            0x03 => "Query".to_owned(),
            0x0e => "Ping".to_owned(),
            0x16 => "Prepare".to_owned(),
            0x17 => "Execute".to_owned(),
            0x19 => "Close".to_owned(),
            other => format!("{other:#04x}"),
        });
        rest = &rest[4 + length as usize..];
    }
    names
}

/// The names of memcached's commands: a line, and after one that stores so many bytes and another line's end.
fn memcached_commands(bytes: &[u8]) -> Vec<String> {
    let (mut rest, mut names) = (bytes, Vec::new());
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let line = std::str::from_utf8(&rest[..end]).expect("a line");
        let mut words = line.split(' ');
        let name = words.next().expect("a command").to_owned();
        let length =
            if name == "ms" { words.nth(1).expect("a length").parse::<usize>().expect("a number") + 2 } else { 0 };
        rest = &rest[end + 2 + length..];
        names.push(name);
    }
    assert!(rest.is_empty(), "a request that is not whole");
    names
}
