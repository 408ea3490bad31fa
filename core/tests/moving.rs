//! Moving between stores: every state on every pair of stores, a switch-over under load by several processes, a mover
//! that is killed, and the way back.
//!
//! This program is also what its tests start as other processes: see `worker`.

mod support;
#[path = "moving/worker.rs"]
mod worker;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use futures::future::join_all;
use libtest_mimic::{Arguments, Trial};
use oncecode::testkit::Fixture;
use oncecode::{
    CopyRequest, Error, HitRequest, IssueRequest, LimitDefinition, Mode, Oncecode, Options, ResendRequest, Secret,
    SessionRequest, SessionTarget, SignRequest, Target, VerifyRequest,
};

use support::{Corner, Kind, LONG, runtime, unique};
use worker::{Worker, client, wrong};

const SOURCES: [Kind; 7] =
    [Kind::Memory, Kind::Sqlite, Kind::Postgres, Kind::Mysql, Kind::Redis, Kind::RedisCluster, Kind::Upstash];
const TARGETS: [Kind; 7] =
    [Kind::Sqlite, Kind::Postgres, Kind::Mysql, Kind::Redis, Kind::RedisCluster, Kind::Upstash, Kind::Memcached];

fn main() {
    if worker::is_one() {
        return runtime().block_on(worker::work());
    }
    let mut trials = Vec::new();
    for from in SOURCES {
        for to in TARGETS.into_iter().filter(|to| !is_one_store(*to, from)) {
            let name = format!("every_state_moves_from_{}_to_{}", from.name(), to.name());
            trials.push(trial(name, move || every_state_moves(from, to)));
        }
    }
    for (new, old) in [
        (Kind::Postgres, Kind::Redis),
        (Kind::Redis, Kind::Postgres),
        (Kind::Redis, Kind::Sqlite),
        (Kind::Mysql, Kind::Redis),
        (Kind::Postgres, Kind::Mysql),
        (Kind::PgBouncer, Kind::Redis),
        (Kind::Sqlite, Kind::RedisCluster),
        (Kind::Upstash, Kind::Postgres),
        (Kind::Memcached, Kind::Postgres),
    ] {
        let pair = format!("{}_from_{}", new.name(), old.name());
        trials.push(trial(format!("a_switch_over_under_load::{pair}"), move || a_switch_over_under_load(new, old)));
        trials.push(trial(format!("budgets_are_not_reset::{pair}"), move || budgets_are_not_reset(new, old)));
        if new == Kind::Memcached {
            continue;
        }
        trials.push(trial(format!("a_killed_copy_is_resumed::{pair}"), move || a_killed_copy_is_resumed(new, old)));
        trials.push(trial(format!("both_directions_at_once::{pair}"), move || both_directions_at_once(new, old)));
        trials.push(trial(format!("the_way_back::{pair}"), move || the_way_back(new, old)));
        trials.push(trial(format!("what_is_half_way_is_finished::{pair}"), move || half_way(new, old)));
    }
    trials.push(trial("memcached_is_no_source".into(), memcached_is_no_source));
    trials.push(trial("urls_that_cannot_be_meant_are_refused".into(), odd_urls_are_refused));
    trials.push(trial("health_is_that_of_both_stores".into(), health_of_both));
    trials.push(trial("values_and_counters_move".into(), values_and_counters_move));
    for (new, old) in [
        (Kind::Postgres, Kind::Redis),
        (Kind::Redis, Kind::Sqlite),
        (Kind::Mysql, Kind::Upstash),
        (Kind::RedisCluster, Kind::Mysql),
        (Kind::Sqlite, Kind::Postgres),
    ] {
        let pair = format!("{}_from_{}", new.name(), old.name());
        trials.push(trial(format!("sessions_versions_and_limits_live_on::{pair}"), move || the_rest(new, old)));
    }
    for kind in SOURCES {
        let name = format!("what_expired_half_way_is_not_in_the_way::{}", kind.name());
        trials.push(trial(name, move || expired_half_way(kind)));
        let name = format!("a_late_mover_forgets_only_its_own::{}", kind.name());
        trials.push(trial(name, move || late_mover(kind)));
    }
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::Mysql] {
        trials.push(trial(format!("expired_rows_go_by_themselves::{}", kind.name()), move || rows_go(kind)));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A prefix on one server. The bridge of `upstash+http://` stands before the Redis that is tested, too.
fn is_one_store(a: Kind, b: Kind) -> bool {
    let server = |kind| if kind == Kind::Upstash { Kind::Redis } else { kind };
    server(a) == server(b) && a != Kind::Sqlite
}

fn trial<F: Future<Output = ()> + 'static>(name: String, test: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, move || {
        runtime().block_on(test());
        Ok(())
    })
}

/// Two stores that share a prefix.
struct Pair {
    new: String,
    old: String,
    prefix: String,
    _corners: [Corner; 2],
}

impl Pair {
    async fn open(new: Kind, old: Kind) -> Self {
        let corners = [new.open().await, old.open().await];
        let [new, old] = corners.each_ref().map(|corner| corner.url.clone());
        Self { new, old, prefix: unique(), _corners: corners }
    }

    fn moving(&self) -> String {
        format!("moving:{}|{}", self.new, self.old)
    }

    fn back(&self) -> String {
        format!("moving:{}|{}", self.old, self.new)
    }

    async fn client(&self, url: &str) -> Oncecode {
        client(url, &self.prefix).await
    }

    /// So many live codes on a store, by address.
    async fn seed(&self, url: &str, count: usize) -> BTreeMap<String, String> {
        let once = self.client(url).await;
        let codes = (0..count).map(|n| {
            let once = once.clone();
            async move {
                let to = format!("user{n}@example.com");
                (to.clone(), issue(&once, &to).await.expect("a code"))
            }
        });
        join_all(codes).await.into_iter().collect()
    }
}

async fn issue(once: &Oncecode, to: &str) -> Result<String, Error> {
    let sent = once.codes().issue(IssueRequest::new(to, "login")).await?;
    Ok(sent.code.expect("development").expose().to_owned())
}

/// `OK`, or the error's code with the attempts that are left.
async fn verify(once: &Oncecode, to: &str, code: &str) -> String {
    match once.codes().verify(VerifyRequest::new(to, "login", code)).await {
        Ok(_) => "OK".into(),
        Err(e) => match e.attempts_left() {
            Some(left) => format!("{} {left}", e.code()),
            None => e.code().into(),
        },
    }
}

async fn every_state_moves(from: Kind, to: Kind) {
    let (source, target) = (from.open().await, to.open().await);
    let open = |builder: oncecode::Builder| {
        let options = Options::from_json(&format!(
            r#"{{"mode":"development","sender":"none:","keyPrefix":"{}","deadlineMs":30000,
                "policy":{{"failureBudget":{{"max":7,"windowSeconds":3600}}}}}}"#,
            source.prefix()
        ));
        builder.options(options.expect("options")).open()
    };
    let old = open(Oncecode::builder("").store(source.store())).await.expect("the source");
    let mut codes = BTreeMap::new();
    for name in ["expired", "budget"] {
        codes.insert(name, issue(&old, &mail(name)).await.expect("a code"));
    }
    for left in [4, 3, 2, 1, 0] {
        assert_eq!(verify(&old, &mail("budget"), &wrong(&codes["budget"])).await, format!("WRONG_CODE {left}"));
    }
    source.advance(Duration::from_secs(601)).await;
    for name in ["fresh", "guessed", "spent", "budget", "used", "cancelled"] {
        codes.insert(name, issue(&old, &mail(name)).await.expect("a code"));
    }
    for (name, guesses) in [("guessed", 2), ("spent", 5), ("budget", 1)] {
        for _ in 0..guesses {
            verify(&old, &mail(name), &wrong(&codes[name])).await;
        }
    }
    assert_eq!(verify(&old, &mail("used"), &codes["used"]).await, "OK");
    assert!(old.codes().cancel(Target::new(mail("cancelled"), "login")).await.expect("cancel"));
    let peeked = old.codes().peek(Target::new(mail("guessed"), "login")).await.expect("peek").expect("live");

    let done = old.admin().copy(CopyRequest::new(&target.url)).await.expect("a copy");
    // Of the expired one its issue still counts for five minutes.
    assert_eq!((done.challenges, done.known, done.unreadable, done.refused), (7, 0, 0, 0), "{done:?}");
    assert!(done.cursor.is_none());

    let new = open(Oncecode::builder(&target.url)).await.expect("the target");
    let there = new.codes().peek(Target::new(mail("guessed"), "login")).await.expect("peek").expect("live");
    assert_eq!((there.id, there.attempts_left), (peeked.id, 3));
    assert!(there.expires_at_ms.abs_diff(peeked.expires_at_ms) < 3000, "the life that was left");
    assert!(there.resend_at_ms.abs_diff(peeked.resend_at_ms) < 3000, "the cooldown that was left");
    for (name, expected) in [
        ("fresh", ["WRONG_CODE 4", "COOLDOWN", "OK"]),
        ("guessed", ["WRONG_CODE 2", "COOLDOWN", "OK"]),
        ("spent", ["TOO_MANY_ATTEMPTS 0", "COOLDOWN", "TOO_MANY_ATTEMPTS 0"]),
        ("budget", ["WRONG_CODE 0", "TOO_MANY_ATTEMPTS", "TOO_MANY_ATTEMPTS 0"]),
        ("used", ["CODE_NOT_FOUND", "OK", "CODE_NOT_FOUND"]),
        ("cancelled", ["CODE_NOT_FOUND", "COOLDOWN", "CODE_NOT_FOUND"]),
        ("expired", ["CODE_NOT_FOUND", "OK", "CODE_NOT_FOUND"]),
    ] {
        assert_eq!(verify(&old, &mail(name), &codes[name]).await, "CODE_NOT_FOUND", "{name}: nothing stays behind");
        let guess = verify(&new, &mail(name), &wrong(&codes[name])).await;
        let again = issue(&new, &mail(name)).await.map_or_else(|e| e.code().to_owned(), |_| "OK".into());
        let right = match &*again {
            // Another code is live now, so this one can only be wrong.
            "OK" => "CODE_NOT_FOUND".into(),
            _ => verify(&new, &mail(name), &codes[name]).await,
        };
        assert_eq!([guess, again, right], expected.map(str::to_owned), "{name}");
    }
    assert_eq!(verify(&new, &mail("fresh"), &codes["fresh"]).await, "CODE_NOT_FOUND", "once");
    let again = old.admin().copy(CopyRequest::new(&target.url)).await.expect("a copy");
    assert_eq!(again.copied(), 0, "{again:?}");
    new.close().await;
    old.close().await;
}

fn mail(name: &str) -> String {
    format!("{name}@example.com")
}

/// Three processes verify every code, with guesses in between, while a fourth copies.
async fn a_switch_over_under_load(new: Kind, old: Kind) {
    let pair = Pair::open(new, old).await;
    let codes = pair.seed(&pair.old, 60).await;
    let mut workers: Vec<_> =
        (0..3).map(|_| Worker::start("verify", &[&pair.moving(), &pair.prefix], &codes)).collect();
    let copier = Worker::start("copy", &[&pair.old, &pair.prefix, &pair.new, "7"], &BTreeMap::new());
    let mut won: BTreeMap<String, u32> = codes.keys().map(|to| (to.clone(), 0)).collect();
    for worker in &mut workers {
        for (to, answer) in worker.answers() {
            match &*answer {
                "OK" => *won.get_mut(&to).expect("an address") += 1,
                "CODE_NOT_FOUND" => {}
                other => panic!("{to}: {other}"),
            }
        }
    }
    copier.finish();
    let wrong: Vec<_> = won.iter().filter(|(_, times)| **times != 1).collect();
    assert!(wrong.is_empty(), "each code is accepted once: {wrong:?}");
    let alone = pair.client(&pair.new).await;
    for (to, code) in &codes {
        assert_eq!(verify(&alone, to, code).await, "CODE_NOT_FOUND", "{to}");
    }
}

async fn budgets_are_not_reset(new: Kind, old: Kind) {
    let pair = Pair::open(new, old).await;
    let codes = pair.seed(&pair.old, 3).await;
    let (alone, moving) = (pair.client(&pair.old).await, pair.client(&pair.moving()).await);
    let (to, code) = codes.first_key_value().expect("a code");
    assert_eq!(verify(&alone, to, &wrong(code)).await, "WRONG_CODE 4");
    // Fifty guesses at once, by an entity that nobody has brought over yet.
    let guess = wrong(code);
    let answers = join_all((0..50).map(|_| verify(&moving, to, &guess))).await;
    let compared = answers.iter().filter(|answer| answer.starts_with("WRONG_CODE")).count();
    assert_eq!(compared, 4, "{answers:?}");
    assert!(answers.iter().all(|a| a.starts_with("WRONG_CODE") || a == "TOO_MANY_ATTEMPTS 0"), "{answers:?}");
    let other = codes.keys().nth(1).expect("another");
    let error = issue(&moving, other).await.expect_err("its cooldown came along");
    assert_eq!(error.code(), "COOLDOWN");
    let last = codes.keys().nth(2).expect("another");
    let error = moving.codes().resend(ResendRequest::new(last, "login")).await.expect_err("its cooldown came along");
    assert_eq!(error.code(), "COOLDOWN");
    assert_eq!(verify(&moving, last, &codes[last]).await, "OK");
    assert!(issue(&moving, "new@example.com").await.is_ok(), "known nowhere");
}

async fn a_killed_copy_is_resumed(new: Kind, old: Kind) {
    let pair = Pair::open(new, old).await;
    let codes = pair.seed(&pair.old, 80).await;
    // Each is killed in the middle; with and without the cursor that it told last.
    let mut cursor = String::new();
    for resume in [false, true, false] {
        let from = if resume { &*cursor } else { "" };
        let mut copier = Worker::start("copy", &[&pair.old, &pair.prefix, &pair.new, "5", from], &BTreeMap::new());
        let mut lines = BufReader::new(copier.child.stdout.take().expect("its output")).lines();
        if let Some(line) = lines.next() {
            cursor = line.expect("a line").rsplit(' ').next().unwrap_or_default().to_owned();
        }
        copier.child.kill().expect("SIGKILL");
        copier.child.wait().expect("its end");
    }
    let moving = pair.client(&pair.moving()).await;
    // Whatever was on its way is found, by whoever needs it.
    let (early, late): (Vec<_>, Vec<_>) = codes.iter().enumerate().partition(|(n, _)| n % 2 == 0);
    for (_, (to, code)) in early {
        assert_eq!(verify(&moving, to, code).await, "OK", "{to}");
    }
    let source = pair.client(&pair.old).await;
    let rest = source.admin().copy(CopyRequest::new(&pair.new)).await.expect("the rest");
    assert_eq!((rest.unreadable, rest.refused), (0, 0), "{rest:?}");
    let alone = pair.client(&pair.new).await;
    for (_, (to, code)) in late {
        assert_eq!(verify(&alone, to, code).await, "OK", "{to}");
    }
    for (to, code) in &codes {
        assert_eq!(verify(&alone, to, code).await, "CODE_NOT_FOUND", "{to}");
        assert_eq!(verify(&source, to, code).await, "CODE_NOT_FOUND", "{to}");
    }
}

/// A rolling deploy by the long way: processes of both directions, for the same codes.
async fn both_directions_at_once(new: Kind, old: Kind) {
    let pair = Pair::open(new, old).await;
    let codes = pair.seed(&pair.old, 40).await;
    let urls = [pair.moving(), pair.back(), pair.moving(), pair.back()];
    let mut workers: Vec<_> = urls.iter().map(|url| Worker::start("verify", &[url, &pair.prefix], &codes)).collect();
    let mut won: BTreeMap<String, u32> = BTreeMap::new();
    for worker in &mut workers {
        for (to, answer) in worker.answers() {
            match &*answer {
                "OK" => *won.entry(to).or_default() += 1,
                "CODE_NOT_FOUND" => {}
                other => panic!("{to}: {other}"),
            }
        }
    }
    assert_eq!(won.len(), codes.len(), "each is accepted");
    assert!(won.values().all(|times| *times == 1), "once: {won:?}");
}

async fn the_way_back(new: Kind, old: Kind) {
    let pair = Pair::open(new, old).await;
    let codes = pair.seed(&pair.old, 20).await;
    let there = pair.client(&pair.old).await;
    assert_eq!(there.admin().copy(CopyRequest::new(&pair.new)).await.expect("there").challenges, 20);
    let back = pair.client(&pair.new).await;
    assert_eq!(back.admin().copy(CopyRequest::new(&pair.old)).await.expect("back").challenges, 20);
    for (n, (to, code)) in codes.iter().enumerate() {
        let once = if n % 2 == 0 { &there } else { &pair.client(&pair.moving()).await };
        assert_eq!(verify(once, to, code).await, "OK", "{to}");
        assert_eq!(verify(once, to, code).await, "CODE_NOT_FOUND", "{to}");
    }
}

/// What a mover has taken out of use before it died, at each step that it can die at.
async fn half_way(new: Kind, old: Kind) {
    let pair = Pair::open(new, old).await;
    let codes = pair.seed(&pair.old, 2).await;
    let [from, to] = [&pair.old, &pair.new].map(|url| oncecode::testkit::open_store(url, oncecode::SystemClock, LONG));
    let (from, to) = (from.await.expect("a store"), to.await.expect("a store"));
    let (mut items, mut cursor) = (Vec::new(), Some(String::new()));
    while let Some(at) = cursor {
        let page = from.scan(&format!("{}:", pair.prefix), &at, 100).await.expect("a page");
        items.extend(page.items);
        cursor = page.cursor;
    }
    assert_eq!(items.len(), 2);
    let moving = pair.client(&pair.moving()).await;
    let mut stale = Vec::new();
    for (n, (item, detached)) in items.into_iter().enumerate() {
        assert!(!detached);
        let item = from.detach(&item.key, false).await.expect("detach").expect("live");
        let same = from.detach(&item.key, false).await.expect("detach").expect("to everybody who asks");
        assert_eq!(same.key, item.key);
        if n == 1 {
            assert_eq!(to.restore(&item).await.expect("restore"), oncecode::store::Restored::Arrived);
        }
        stale.push(item);
    }
    for (to, code) in &codes {
        assert_eq!(verify(&moving, to, code).await, "OK", "{to}");
    }
    // They wake up and go on as if nothing had happened.
    for item in &stale {
        let answer = to.restore(item).await.expect("restore");
        assert_eq!(answer, oncecode::store::Restored::Known);
        from.forget(item).await.expect("forget");
    }
    for (to, code) in &codes {
        assert_eq!(verify(&moving, to, code).await, "CODE_NOT_FOUND", "{to}");
    }
}

async fn memcached_is_no_source() {
    let pair = Pair::open(Kind::Redis, Kind::Memcached).await;
    let once = pair.client(&pair.old).await;
    let error = once.admin().copy(CopyRequest::new(&pair.new)).await.expect_err("no source");
    assert!(error.code() == "CONFIG" && error.to_string().contains("memcached cannot be moved from"), "{error}");
    let error = Oncecode::builder(pair.moving()).mode(Mode::Development).open().await.expect_err("no source");
    assert!(error.code() == "CONFIG" && error.to_string().contains("memcached cannot be moved from"), "{error}");
}

async fn odd_urls_are_refused() {
    for url in [
        "moving:",
        "moving:memory:",
        "moving:memory:|",
        "moving:|memory:",
        "moving:sqlite:/tmp/x|sqlite:/tmp/x",
        "moving:memory:|moving:memory:|sqlite:/tmp/x",
        "moving:memory:|hunter2://x",
        "moving:fallback:sqlite:/tmp/x|sqlite:/tmp/y",
        "moving:memory:|fallback:sqlite:/tmp/x|sqlite:/tmp/y",
        "fallback:moving:sqlite:/tmp/x|sqlite:/tmp/y",
    ] {
        let error = Oncecode::builder(url).mode(Mode::Development).open().await.expect_err(url);
        assert!(error.code() == "CONFIG" && !error.to_string().contains("hunter2"), "{url}: {error}");
    }
    let once = Oncecode::builder("memory:").mode(Mode::Development).open().await.expect("memory");
    for (batch, cursor, to) in [(0, None, "memory:"), (10_001, None, "memory:"), (1, None, "nowhere:")] {
        let mut request = CopyRequest::new(to);
        (request.batch, request.resume_from) = (batch, cursor);
        assert!(once.admin().copy(request).await.is_err());
    }
}

async fn health_of_both() {
    let pair = Pair::open(Kind::Sqlite, Kind::Mysql).await;
    let once = pair.client(&pair.moving()).await;
    let health = once.health().await.expect("open");
    assert!(health.ok && health.error.is_none(), "{health:?}");
    assert_eq!((&*health.store, health.breaker), ("moving", Some(oncecode::store::BreakerState::Closed)));
    // Each is asked for itself: what concerns one of them alone is told.
    let alone = [pair.client(&pair.new).await, pair.client(&pair.old).await];
    let alone = join_all(alone.iter().map(|once| async { once.health().await.expect("open").warnings })).await;
    assert_eq!(health.warnings, alone.concat());
}

/// The addresses' limits, and what later operations will keep.
async fn values_and_counters_move() {
    use oncecode::store::When;
    for (new, old) in [
        (Kind::Postgres, Kind::Redis),
        (Kind::Redis, Kind::Sqlite),
        (Kind::Mysql, Kind::Postgres),
        (Kind::Sqlite, Kind::Mysql),
    ] {
        let pair = Pair::open(new, old).await;
        let open = |url: String| async move {
            oncecode::testkit::open_store(&url, oncecode::SystemClock, LONG).await.expect("a store")
        };
        let (from, moving) = (open(pair.old.clone()).await, open(pair.moving()).await);
        let key = |name| oncecode::testkit::key(&pair.prefix, name);
        let hour = Duration::from_secs(3600);
        assert!(from.put(&key("text"), b"\0value", hour, When::Always).await.expect("put"));
        assert!(from.put(&key("once"), b"token", hour, When::Always).await.expect("put"));
        assert_eq!(from.count(&key("counter"), 41, hour).await.expect("count").value, 41);
        assert_eq!(moving.count(&key("counter"), 1, hour).await.expect("count").value, 42);
        assert!(!moving.put(&key("text"), b"other", hour, When::Absent).await.expect("put"), "it exists");
        let text = moving.get(&key("text")).await.expect("get").expect("a value");
        assert_eq!(text.value, b"\0value");
        assert!(text.ttl.is_some_and(|left| left <= hour && left > hour - Duration::from_secs(60)));
        let once = key("once");
        let takers = join_all((0..20).map(|_| moving.take(&once))).await;
        let got = takers.into_iter().filter(|taken| taken.as_ref().expect("take").is_some()).count();
        assert_eq!(got, 1, "of many takers one gets it: {new:?} from {old:?}");
        assert!(from.get(&key("text")).await.expect("get").is_none(), "nothing stays behind");
    }
}

/// By a copy, and by whoever asks for them while both stores are there.
async fn the_rest(new: Kind, old: Kind) {
    for by_copy in [true, false] {
        let pair = Pair::open(new, old).await;
        let there = pair.client(&pair.old).await;
        let session = there.sessions().create(SessionRequest::new("ann")).await.expect("a session").token;
        let other = there.sessions().create(SessionRequest::new("ann")).await.expect("another").token;
        there.sessions().validate(session.expose(), None).await.expect("valid");
        let gone = there.sessions().create(SessionRequest::new("ann")).await.expect("a third").token;
        assert!(there.sessions().revoke(SessionTarget::token(gone.expose())).await.expect("revoke"));
        let (revoked, good) = (sign(&there, "ann").await, sign(&there, "bob").await);
        there.tokens().revoke_all("ann").await.expect("revoke");
        for limit in LIMITS {
            define(&there);
            let quota = there.limits().hit(hit(limit, 3)).await.expect("room");
            assert_eq!(quota.remaining, 2, "{limit}");
        }

        let here = match by_copy {
            true => {
                let done = there.admin().copy(CopyRequest::new(&pair.new)).await.expect("a copy");
                assert_eq!((done.refused, done.unreadable, done.known), (0, 0, 0), "{done:?}");
                pair.client(&pair.new).await
            }
            false => pair.client(&pair.moving()).await,
        };
        for limit in LIMITS {
            define(&here);
            let refused = here.limits().hit(hit(limit, 3)).await.expect_err("what was taken counts on");
            assert_eq!(refused.code(), "RATE_LIMITED", "{limit}");
            assert_eq!(here.limits().hit(hit(limit, 2)).await.expect("room").remaining, 0, "{limit}");
        }
        let valid = here.sessions().validate(session.expose(), None).await.expect("it lives on");
        assert_eq!(valid.user_id, "ann");
        assert_eq!(here.sessions().list("ann").await.expect("a list").len(), 2);
        let code = async |once: &Oncecode, token: &Secret| match once.sessions().validate(token.expose(), None).await {
            Ok(_) => "OK",
            Err(e) => e.code(),
        };
        assert_eq!(code(&here, &gone).await, "SESSION_NOT_FOUND", "revoked before");
        assert!(here.sessions().revoke(SessionTarget::token(other.expose())).await.expect("revoke"));
        assert_eq!(code(&here, &other).await, "SESSION_NOT_FOUND");
        assert_eq!(code(&here, &session).await, "OK");
        assert_eq!(code(&there, &session).await, "SESSION_NOT_FOUND", "nothing stays behind");
        here.tokens().verify(good.expose()).await.expect("good");
        let error = here.tokens().verify(revoked.expose()).await.expect_err("revoked before");
        assert_eq!(error.code(), "TOKEN_REVOKED");
    }
}

const LIMITS: [&str; 3] = ["fixed", "sliding", "bucket"];

fn define(once: &Oncecode) {
    for limit in LIMITS {
        let definition = format!(r#"{{"max":5,"windowSeconds":36000,"algorithm":"{limit}","outage":"closed"}}"#);
        let definition: LimitDefinition = serde_json::from_str(&definition).expect("a definition");
        once.limits().define(limit, &definition).expect("define");
    }
}

fn hit(limit: &str, cost: u32) -> HitRequest {
    let mut request = HitRequest::new(limit, "ann");
    request.cost = Some(cost);
    request
}

async fn sign(once: &Oncecode, user: &str) -> Secret {
    once.tokens().sign(SignRequest::of(user)).await.expect("a token")
}

/// Taken out of use by a mover that died, and not asked for until its life was over.
async fn expired_half_way(kind: Kind) {
    use oncecode::store::When;
    use oncecode::testkit::{challenge_key, inputs, key};
    let corner = kind.open().await;
    let store = corner.store();
    let (value, challenge) = (key(corner.prefix(), "value"), challenge_key(corner.prefix(), "ann"));
    let (short, long) = (Duration::from_secs(10), Duration::from_secs(36_000));
    let mut input = inputs::issue("111111");
    (input.life, input.cooldown, input.issues.window) = (short, short, short);
    assert!(store.put(&value, b"old", short, When::Always).await.expect("put"));
    store.issue(&challenge, &input, None).await.expect("issue");
    for key in [&value, &challenge] {
        store.detach(key, false).await.expect("detach").expect("live");
    }
    corner.advance(Duration::from_secs(11)).await;
    let mut input = inputs::issue("222222");
    input.life = long;
    assert!(store.put(&value, b"new", long, When::Absent).await.expect("put"));
    store.issue(&challenge, &input, None).await.expect("issue");
    for key in [&value, &challenge] {
        assert!(store.detach(key, true).await.expect("detach").is_none(), "what waited is over");
        let item = store.detach(key, false).await.expect("detach").expect("the new one");
        assert!(item.left() > Duration::from_secs(35_000), "{item:?}");
        store.forget(&item).await.expect("forget");
        assert!(store.detach(key, false).await.expect("detach").is_none());
    }
}

/// Whose thing has come back and left once more while it slept.
async fn late_mover(kind: Kind) {
    use oncecode::store::{Restored, When};
    use oncecode::testkit::{challenge_key, inputs, key};
    let corner = kind.open().await;
    let store = corner.store();
    let (value, challenge) = (key(corner.prefix(), "value"), challenge_key(corner.prefix(), "ann"));
    assert!(store.put(&value, b"token", Duration::from_secs(60), When::Always).await.expect("put"));
    store.issue(&challenge, &inputs::issue("111111"), None).await.expect("issue");
    for key in [&value, &challenge] {
        let mut late = store.detach(key, false).await.expect("detach").expect("live");
        late.moves = 1;
        let mut back = store.detach(key, true).await.expect("detach").expect("it waits");
        back.moves = 2;
        assert_eq!(store.restore(&back).await.expect("restore"), Restored::Arrived);
        store.detach(key, false).await.expect("detach").expect("live again");
        store.forget(&late).await.expect("forget");
        let mut item = store.detach(key, true).await.expect("detach").expect("it still waits");
        item.moves = 3;
        store.forget(&item).await.expect("forget");
        assert!(store.detach(key, false).await.expect("detach").is_none());
    }
}

/// Without anybody calling `purge`.
async fn rows_go(kind: Kind) {
    let corner = kind.open().await;
    let (table, prefix) = (format!("t{}_", std::process::id()), unique());
    let options = Options::from_json(&format!(
        r#"{{"mode":"development","sender":"none:","keyPrefix":"{prefix}","tablePrefix":"{table}","deadlineMs":30000,
            "purge":{{"intervalSeconds":0.05,"batch":10}}}}"#
    ));
    let once = Oncecode::builder(&corner.url).options(options.expect("options")).open().await.expect("a client");
    for n in 0..25 {
        issue(&once, &format!("user{n}@example.com")).await.expect("a code");
    }
    assert_eq!(worker::rows(&corner.url, &table).await, 25);
    worker::age(&corner.url, &table).await;
    let begin = std::time::Instant::now();
    while worker::rows(&corner.url, &table).await > 0 {
        assert!(begin.elapsed() < Duration::from_secs(20), "expired rows stay");
        tokio::task::yield_now().await;
    }
    once.close().await;
    worker::drop_tables(&corner.url, &table).await;
}
