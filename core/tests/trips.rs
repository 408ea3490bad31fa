//! One round trip: a proxy counts turns, and the server or the protocol counts commands.

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/server.rs"]
mod server;
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use oncecode::store::{Gate, Limit};
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

/// It runs no code of ours: a read, and a write that loses against any other. With an IP address the gate's own two.
#[test]
fn an_issue_and_a_verify_on_memcached_are_two_trips_each() {
    let server = Server::start("memcached");
    support::runtime().block_on(async {
        let proxy = Proxy::to(server.port).await;
        let options =
            json!({ "mode": "development", "sender": "none:", "deadlineMs": support::LONG.as_millis() as f64 });
        let options = Options::from_json(&options.to_string()).expect("options");
        let once = Oncecode::builder(server.url_at(proxy.port)).options(options).open().await.expect("open");
        for (ip, trips) in [(None, 2), (Some("192.0.2.1"), 4)] {
            let mut number = 0;
            let mut flow = async || {
                number += 1;
                let mut issue = IssueRequest::new(format!("user{number}-{trips}@example.com"), "login");
                // Each IP address may issue 30 codes.
                issue.ip = ip.map(|ip: &str| ip.replace(".1", &format!(".{}", number / 20)));
                let (to, ip) = (issue.to.clone(), issue.ip.clone());
                let code = once.codes().issue(issue).await.expect("issue").code.expect("development mode");
                let mut verify = VerifyRequest::new(to, "login", code.expose());
                verify.ip = ip;
                once.codes().verify(verify).await.expect("verify");
            };
            flow().await;
            proxy.take();
            let count = steady("memcached", &proxy, flow).await;
            assert_eq!(count.turns, 2 * trips * FLOWS, "{ip:?}: {:?}", count.commands);
            assert_eq!(count.commands, BTreeMap::from(["mg", "ms"].map(|name| (name.to_owned(), trips * FLOWS))));
        }
    });
}

#[test]
fn a_session_check_is_one_trip_and_a_known_token_none_on_redis() {
    checks("redis");
}

#[test]
fn a_session_check_is_one_trip_and_a_known_token_none_on_postgres() {
    checks("postgres");
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
        let sender = Recorder::default();
        let options = json!({
            "secret": "a secret of thirty-two bytes or more",
            "deadlineMs": support::LONG.as_millis() as f64,
        });
        let options = Options::from_json(&options.to_string()).expect("options");
        let builder = Oncecode::builder(server.url_at(proxy.port)).options(options).sender(sender.clone());
        let once = builder.open().await.expect("open");
        assert!(proxy.take().turns > 0, "the proxy sees what it is there to see");

        let flow = async |to: String, ip: Option<&str>| {
            let mut issue = IssueRequest::new(&*to, "login");
            issue.ip = ip.map(str::to_owned);
            once.codes().issue(issue).await.expect("issue");
            let mut verify = VerifyRequest::new(&*to, "login", sender.last_code().expect("a code"));
            verify.ip = ip.map(str::to_owned);
            once.codes().verify(verify).await.expect("verify");
        };
        // Each IP address may issue 30 codes.
        for (round, ip) in [(0, None), (1, Some("192.0.2.1"))] {
            let mut number = 0;
            // The warm-up: each script is loaded, each statement prepared.
            flow(format!("warm-up{round}@example.com"), ip.map(|_| "192.0.2.99")).await;
            proxy.take();
            let scripts = scripts_run(&server).await;
            let count = steady(kind, &proxy, async || {
                number += 1;
                flow(format!("user{round}-{number}@example.com"), ip).await;
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
