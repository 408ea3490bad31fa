//! The SQL stores against the memory store, and what only they can get wrong.
//!
//! PostgreSQL and MariaDB are tested where `ONCECODE_TEST_POSTGRES` and `ONCECODE_TEST_MYSQL` name servers; see
//! `scripts/services.py`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::error::ErrorKind;
use crate::event::Events;
use crate::key::{Key, Keyspace};
use crate::secret::{Digest, Keyring, Secret};
use crate::store::mysql::MysqlStore;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::*;
use crate::time::{Clock, SystemClock};

#[derive(Debug)]
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub(in crate::store) fn options(prefix: &str) -> StoreOptions {
    StoreOptions {
        deadline: Duration::from_secs(2),
        connect: Duration::from_secs(2),
        breaker: None,
        events: Events::default(),
        table_prefix: prefix.into(),
        schema: None,
        max_connections: 10,
        clock: Arc::new(SystemClock),
    }
}

/// A name that no other test, run or process uses.
pub(in crate::store) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t{}_{}_{}_", std::process::id(), SystemClock.now_ms() % 1_000_000, COUNT.fetch_add(1, Ordering::SeqCst))
}

fn file() -> String {
    format!("sqlite:{}", std::env::temp_dir().join(format!("oncecode-{}.db", unique())).display())
}

pub(in crate::store) fn mysql() -> String {
    std::env::var("ONCECODE_TEST_MYSQL").expect("run: scripts/services.py run -- cargo test")
}

fn postgres() -> String {
    std::env::var("ONCECODE_TEST_POSTGRES").expect("run: scripts/services.py run -- cargo test")
}

pub(in crate::store) fn key(name: &str) -> Key {
    let ring = Keyring::new(&[Secret::from("s")], None).expect("keyring");
    Keyspace::new("t", false).expect("keyspace").key(&ring, "x", &[name])
}

pub(in crate::store) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn digest(code: u8) -> Digest {
    Digest { key: 0xf000_0001, bytes: [code; 32] }
}

pub(in crate::store) fn plain_issue(id: u8) -> Issue {
    Issue {
        id: [id; 16],
        digest: digest(id),
        sealed: vec![id; 40],
        purpose: "login".into(),
        life: secs(50),
        max_attempts: 3,
        cooldown: secs(20),
        issues: Limit::new(4, secs(90)),
        failures: Limit::new(5, secs(200)),
        keep: false,
    }
}

pub(in crate::store) fn plain_attempt(code: u8) -> Attempt {
    Attempt {
        id: None,
        candidates: vec![digest(code)],
        verifies: Limit::new(100, secs(60)),
        failures: Limit::new(100, secs(200)),
    }
}

/// Splitmix64: schedules that can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn limit(&mut self, most: u64, unit: u64) -> Limit {
        match self.roll(4) {
            0 => Limit::OFF,
            _ => Limit::new(1 + self.roll(most) as u32, Duration::from_millis((1 + self.roll(20)) * unit)),
        }
    }
}

/// Plays one schedule on a store and returns what it said. `unit` is the grain of all times, in milliseconds; answers
/// are rounded up to it, so that a store that lives by real time may be compared, too.
async fn play(store: &dyn Store, seed: u64, unit: u64, mut pass: impl AsyncFnMut(u64)) -> Vec<String> {
    let mut dice = Dice(seed);
    let name = |name: &str| key(&format!("{seed}/{name}"));
    let (entity, gates, plain) = (name("entity"), [name("gate a"), name("gate b")], name("plain"));
    let round = |d: Duration| (d.as_millis() as u64).div_ceil(unit);
    let mut said = Vec::new();
    let mut version = Version(vec![]);
    for step in 0..60 {
        let gate = Gate { key: gates[dice.roll(2) as usize].clone(), limit: dice.limit(6, unit) };
        let gated = Some(&gate).filter(|_| step % 3 == 0 && gate.limit.max > 0);
        let refused = |r: Refused| match r {
            Refused::Gated(d) => format!("gated {}", round(d)),
            Refused::Locked(d) => format!("locked {}", round(d)),
            Refused::Limited(d) => format!("limited {}", round(d)),
            Refused::Cooldown(d) => format!("cooldown {}", round(d)),
            Refused::Spent(d) => format!("spent {}", round(d)),
            Refused::NotFound => "not found".into(),
        };
        let entry = |e: &Option<Entry>| e.as_ref().map(|e| (e.value.clone(), e.ttl.map(round)));
        // Numbers that no gate can make are kept from gates.
        let (value, extreme) = if dice.roll(2) == 0 { (&plain, 5) } else { (&gate.key, 3) };
        let id = (dice.roll(3) > 0).then(|| [1 + dice.roll(3) as u8; 16]);
        let done = match dice.roll(14) {
            0..3 => {
                let mut issue = plain_issue(1 + dice.roll(3) as u8);
                issue.life = Duration::from_millis((1 + 2 * dice.roll(8)) * unit);
                issue.cooldown = Duration::from_millis(dice.roll(4) * unit);
                issue.max_attempts = 1 + dice.roll(4) as u16;
                (issue.issues, issue.failures, issue.keep) =
                    (dice.limit(4, unit), dice.limit(6, unit), dice.roll(2) == 0);
                match store.issue(&entity, &issue, gated).await.expect("issue") {
                    Issued::New { attempts_left } => format!("new {attempts_left}"),
                    Issued::Kept { id, sealed, expires_in, attempts_left } => {
                        format!("kept {id:?} {sealed:?} {} {attempts_left}", round(expires_in))
                    }
                    Issued::Refused(r) => refused(r),
                }
            }
            3..7 => {
                let mut attempt = plain_attempt(1 + dice.roll(4) as u8);
                if dice.roll(3) == 0 {
                    attempt.candidates.insert(0, Digest { key: 7, bytes: [1; 32] });
                }
                if dice.roll(8) == 0 {
                    attempt.candidates.pop();
                }
                attempt.id = id.filter(|_| dice.roll(2) == 0);
                (attempt.verifies, attempt.failures) = (dice.limit(6, unit), dice.limit(6, unit));
                match store.attempt(&entity, &attempt, gated).await.expect("attempt") {
                    Attempted::Right { sealed } => format!("right {sealed:?}"),
                    Attempted::Wrong { attempts_left } => format!("wrong {attempts_left}"),
                    Attempted::Refused(r) => refused(r),
                }
            }
            7 => {
                let hit = store.hit(&gate, dice.roll(4) as u32).await.expect("hit");
                format!("hit {} {} {}", hit.allowed, hit.remaining, round(hit.resets_in))
            }
            8 => {
                let amend = match id {
                    Some(id) if dice.roll(3) > 0 => Amend::Refund { id, kept: dice.roll(2) == 0 },
                    id => Amend::Cancel(id),
                };
                format!("amend {}", store.amend(&entity, &amend).await.expect("amend"))
            }
            9 => {
                let live = store.peek(&entity).await.expect("peek");
                let shown = live.map(|p| (p.id, p.sealed, round(p.expires_in), round(p.resend_in), p.attempts_left));
                format!("peek {shown:?}")
            }
            10 => {
                let by = [1, 2, 5, i64::MAX, i64::MIN][dice.roll(extreme) as usize];
                let count = store.count(value, by, gate.limit.window.max(Duration::from_millis(unit))).await;
                count.map(|c| format!("count {} {}", c.value, round(c.ttl))).expect("count")
            }
            11 => {
                let found = store.get(value).await.expect("get");
                let shown = format!("get {:?}", entry(&found));
                version = found.map_or(version, |e| e.version);
                shown
            }
            12 => {
                let bytes: &[u8] =
                    [&b"7"[..], b"", b"\0\xff", b"007", b"-9223372036854775808"][dice.roll(extreme) as usize];
                let when = [When::Always, When::Absent, When::Version(version.clone())][dice.roll(3) as usize].clone();
                let ttl = Duration::from_millis((1 + dice.roll(9)) * unit);
                format!("put {}", store.put(value, bytes, ttl, when).await.expect("put"))
            }
            _ => format!("take {:?}", entry(&store.take(value).await.expect("take"))),
        };
        said.push(format!("{step}: {done}"));
        if dice.roll(2) == 0 {
            pass(unit * (1 + dice.roll(6))).await;
        }
    }
    said
}

#[tokio::test]
async fn sqlite_says_what_memory_says() {
    let clock = Arc::new(Hand(AtomicU64::new(1_700_000_000_123)));
    let memory = MemoryStore::new(clock.clone());
    let sqlite = SqliteStore::open("sqlite::memory:", StoreOptions { clock: clock.clone(), ..options("p_") }).await;
    let sqlite = sqlite.expect("open");
    for seed in 0..300 {
        let pass = async |ms| {
            clock.0.fetch_add(ms, Ordering::SeqCst);
        };
        let (expected, said) = (play(&memory, seed, 7, pass).await, play(&sqlite, seed, 7, pass).await);
        assert_eq!(said, expected, "seed {seed}");
    }
}

#[tokio::test]
async fn postgres_says_what_memory_says() {
    let url = postgres();
    let clock = Arc::new(Hand(AtomicU64::new(1_700_000_000_000)));
    let memory = MemoryStore::new(clock.clone());
    let prefix = unique();
    let store = PostgresStore::open(&url, options(&prefix)).await.expect("open");
    let hand = tokio::sync::Mutex::new(PgConnection::connect(&url).await.expect("connect"));
    for seed in 0..60 {
        let expected = play(&memory, seed, 100_000, async |ms| {
            clock.0.fetch_add(ms, Ordering::SeqCst);
        })
        .await;
        // The server's clock stands still, so everything else is moved into the past.
        let said = play(&store, seed, 100_000, async |ms| {
            let columns = ["created", "expires", "verified", "issue_ends", "verify_ends", "failure_ends", "purge"];
            let columns = columns.map(|c| format!("{c}_at = {c}_at - interval '{ms} ms'")).join(", ");
            let both = format!(
                "UPDATE {prefix}challenges SET cooldown_until = cooldown_until - interval '{ms} ms', {columns};
                 UPDATE {prefix}entries SET expires_at = expires_at - interval '{ms} ms'"
            );
            sqlx::raw_sql(AssertSqlSafe(both)).execute(&mut *hand.lock().await).await.expect("pass");
        });
        assert_eq!(said.await, expected, "seed {seed}");
        let empty = format!("TRUNCATE {prefix}challenges, {prefix}entries");
        sqlx::raw_sql(AssertSqlSafe(empty)).execute(&mut *hand.lock().await).await.expect("truncate");
    }
}

#[tokio::test]
async fn mysql_says_what_memory_says() {
    let url = mysql();
    let clock = Arc::new(Hand(AtomicU64::new(1_700_000_000_000)));
    let memory = MemoryStore::new(clock.clone());
    let prefix = unique();
    let store = MysqlStore::open(&url, options(&prefix)).await.expect("open");
    let hand = tokio::sync::Mutex::new(MySqlConnection::connect(&url).await.expect("connect"));
    for seed in 0..60 {
        let expected = play(&memory, seed, 100_000, async |ms| {
            clock.0.fetch_add(ms, Ordering::SeqCst);
        })
        .await;
        // The server's clock stands still, so everything else is moved into the past.
        let said = play(&store, seed, 100_000, async |ms| {
            let columns = ["created", "expires", "verified", "issue_ends", "verify_ends", "failure_ends", "purge"];
            let back = |c: String| format!("{c} = {c} - INTERVAL {} MICROSECOND", ms * 1000);
            let columns = columns.map(|c| back(format!("{c}_at"))).join(", ");
            let both = format!(
                "UPDATE {prefix}challenges SET {}, {columns}; UPDATE {prefix}entries SET {}",
                back("cooldown_until".into()),
                back("expires_at".into())
            );
            sqlx::raw_sql(AssertSqlSafe(both)).execute(&mut *hand.lock().await).await.expect("pass");
        });
        assert_eq!(said.await, expected, "seed {seed}");
        let empty = format!("TRUNCATE {prefix}challenges; TRUNCATE {prefix}entries");
        sqlx::raw_sql(AssertSqlSafe(empty)).execute(&mut *hand.lock().await).await.expect("truncate");
    }
}

async fn stores() -> Vec<Arc<dyn Store>> {
    let mut all: Vec<Arc<dyn Store>> = vec![Arc::new(SqliteStore::open(&file(), options("x_")).await.expect("sqlite"))];
    let url = postgres();
    all.push(Arc::new(PostgresStore::open(&url, options(&unique())).await.expect("postgres")));
    all.push(Arc::new(MysqlStore::open(&mysql(), options(&unique())).await.expect("mysql")));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_right_codes_wins_and_no_more_wrong_ones_are_compared_than_allowed() {
    for store in stores().await {
        for round in 0..5 {
            let entity = key(&format!("race {round}"));
            store.issue(&entity, &plain_issue(1), None).await.expect("issue");
            let tries = (0..100).map(|_| {
                let (store, entity) = (store.clone(), entity.clone());
                tokio::spawn(async move { store.attempt(&entity, &plain_attempt(1), None).await.expect("attempt") })
            });
            let said = futures::future::join_all(tries.collect::<Vec<_>>()).await;
            let right = said.iter().flatten().filter(|a| matches!(a, Attempted::Right { .. })).count();
            assert_eq!((right, said.len()), (1, 100), "{store:?}");

            let entity = key(&format!("race wrong {round}"));
            store.issue(&entity, &plain_issue(1), None).await.expect("issue");
            let tries = (0..50).map(|_| {
                let (store, entity) = (store.clone(), entity.clone());
                tokio::spawn(async move { store.attempt(&entity, &plain_attempt(9), None).await.expect("attempt") })
            });
            let said = futures::future::join_all(tries.collect::<Vec<_>>()).await;
            let wrong = said.iter().flatten().filter(|a| matches!(a, Attempted::Wrong { .. })).count();
            assert_eq!(wrong, 3, "{store:?}");

            let entity = key(&format!("race issue {round}"));
            let tries = (0..50).map(|_| {
                let (store, entity) = (store.clone(), entity.clone());
                let gate = Gate { key: key("race gate"), limit: Limit::new(100_000, secs(60)) };
                tokio::spawn(async move { store.issue(&entity, &plain_issue(1), Some(&gate)).await.expect("issue") })
            });
            let said = futures::future::join_all(tries.collect::<Vec<_>>()).await;
            let new = said.iter().flatten().filter(|a| matches!(a, Issued::New { .. })).count();
            assert_eq!((new, said.len()), (1, 50), "{store:?}");
        }
        let gate = Gate { key: key("race gate"), limit: Limit::new(100_000, secs(60)) };
        assert_eq!(store.hit(&gate, 0).await.expect("hit").remaining, 100_000 - 250, "every hit counted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_dropped_leave_the_store_usable_and_whole() {
    for store in stores().await {
        let (gate, entity) = (Gate { key: key("drop gate"), limit: Limit::new(1_000_000, secs(60)) }, key("drop"));
        for i in 0..400 {
            let mut issue = plain_issue((i % 200) as u8);
            (issue.issues, issue.cooldown) = (Limit::new(60_000, secs(600)), Duration::ZERO);
            let call = store.issue(&entity, &issue, Some(&gate));
            // Some are left alone, or a slow machine would finish none.
            let patience = if i % 20 == 0 { secs(5) } else { Duration::from_micros(i * 3) };
            let _ = tokio::time::timeout(patience, call).await;
        }
        // A server goes on with what it was told, until nothing more is counted.
        let count = async || 1_000_000 - store.hit(&gate, 0).await.expect("hit").remaining;
        let (mut used, mut same) = (count().await, 0);
        while same < 10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let now = count().await;
            same = if now == used { same + 1 } else { 0 };
            used = now;
        }
        let mut issue = plain_issue(1);
        issue.issues = Limit::new(used, secs(600));
        // Gate and record are counted together or not at all.
        let full = store.issue(&entity, &issue, None).await;
        assert!(matches!(full, Ok(Issued::Refused(Refused::Limited(_)))), "{store:?}");
        issue.issues = Limit::new(used + 1, secs(600));
        assert!(matches!(store.issue(&entity, &issue, None).await, Ok(Issued::New { .. })), "{store:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_open_a_new_database_at_once() {
    for round in 0..3 {
        let (url, prefix) = (file(), unique());
        let opening = (0..8).map(|_| {
            tokio::spawn({
                let (url, prefix) = (url.clone(), prefix.clone());
                async move { SqliteStore::open(&url, options(&prefix)).await.map(drop) }
            })
        });
        for opened in futures::future::join_all(opening.collect::<Vec<_>>()).await {
            opened.expect("join").unwrap_or_else(|e| panic!("round {round}: {e} {:?}", std::error::Error::source(&e)));
        }
        let url = postgres();
        let opening = (0..8).map(|_| {
            tokio::spawn({
                let options = StoreOptions { schema: Some(format!("s{prefix}")), ..options("y_") };
                let url = url.clone();
                async move { PostgresStore::open(&url, options).await.map(drop) }
            })
        });
        for opened in futures::future::join_all(opening.collect::<Vec<_>>()).await {
            opened.expect("join").unwrap_or_else(|e| panic!("round {round}: {e} {:?}", std::error::Error::source(&e)));
        }
        let opening = (0..8).map(|_| {
            tokio::spawn({
                let prefix = prefix.clone();
                async move { MysqlStore::open(&mysql(), options(&prefix)).await.map(drop) }
            })
        });
        for opened in futures::future::join_all(opening.collect::<Vec<_>>()).await {
            opened.expect("join").unwrap_or_else(|e| panic!("round {round}: {e} {:?}", std::error::Error::source(&e)));
        }
    }
}

#[tokio::test]
async fn schemas_that_are_newer_or_not_ours_are_refused() {
    let refused = |error: crate::error::Error, part: &str| {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(part), "{error}");
    };
    let future = "INSERT INTO {p}migrations (version) VALUES (99)";
    for made in ["CREATE TABLE {p}entries (a int)", "CREATE TABLE {p}migrations (version int)", future] {
        let (url, prefix) = (file(), unique());
        let part = if made == future { "newer" } else { "did not make" };
        SqliteStore::open(&url, options("other_")).await.expect("open");
        if made == future {
            SqliteStore::open(&url, options(&prefix)).await.expect("open");
        }
        let mut other = SqliteConnection::connect(&url).await.expect("connect");
        sqlx::raw_sql(AssertSqlSafe(made.replace("{p}", &prefix))).execute(&mut other).await.expect("make");
        refused(SqliteStore::open(&url, options(&prefix)).await.expect_err(made), part);

        let url = postgres();
        if made == future {
            PostgresStore::open(&url, options(&prefix)).await.expect("open");
        }
        let mut other = PgConnection::connect(&url).await.expect("connect");
        sqlx::raw_sql(AssertSqlSafe(made.replace("{p}", &prefix))).execute(&mut other).await.expect("make");
        refused(PostgresStore::open(&url, options(&prefix)).await.expect_err(made), part);
        let half = format!("SELECT count(*) FROM pg_class WHERE relname LIKE '{prefix}%' AND relkind = 'r'");
        let tables: i64 = sqlx::query_scalar(AssertSqlSafe(half)).fetch_one(&mut other).await.expect("count");
        assert!(tables == if made == future { 3 } else { 1 }, "nothing half made");
    }
}

#[tokio::test]
async fn urls_that_lead_nowhere_are_told_apart() {
    for url in ["sqlite:", "sqlite://", "sqlite:/no/such/folder/x.db", "sqlite:/proc/version", "sqlite:x?mode=odd"] {
        let error = SqliteStore::open(url, options("p_")).await.expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
    }
    let absent = PostgresStore::open("postgres://u:hunter2@127.0.0.1:1/x", options("p_")).await.expect_err("absent");
    assert_eq!(absent.kind(), ErrorKind::StoreUnavailable);
    let url = postgres();
    let user = format!("postgres://{}", unique());
    for bad in [
        url.replace("postgres://oncecode", &user),
        format!("{url}x"),
        url.replace("@", "hunter2@"),
        "postgres://[".into(),
    ] {
        let error = PostgresStore::open(&bad, options("p_")).await.expect_err(&bad);
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn rows_stay_for_audit_and_are_then_purged_in_batches() {
    let clock = Arc::new(Hand(AtomicU64::new(1_700_000_000_000)));
    let store = SqliteStore::open("sqlite::memory:", StoreOptions { clock: clock.clone(), ..options("p_") }).await;
    let store = store.expect("open");
    for i in 0..5 {
        store.issue(&key(&format!("{i}")), &plain_issue(1), None).await.expect("issue");
        store.put(&key(&format!("{i}")), b"x", secs(60), When::Always).await.expect("put");
    }
    clock.0.fetch_add(100_000, Ordering::SeqCst);
    assert_eq!(store.purge(3).await.expect("purge"), 3, "entries at once");
    clock.0.fetch_add(25 * 3_600_000, Ordering::SeqCst);
    assert_eq!(store.purge(6).await.expect("purge"), 6);
    assert_eq!(store.purge(6).await.expect("purge"), 1);
    let url = postgres();
    let prefix = unique();
    let store = PostgresStore::open(&url, options(&prefix)).await.expect("open");
    for i in 0..5 {
        store.issue(&key(&format!("{i}")), &plain_issue(1), None).await.expect("issue");
        store.put(&key(&format!("{i}")), b"x", Duration::from_millis(1), When::Always).await.expect("put");
    }
    let past = format!("UPDATE {prefix}challenges SET purge_at = now(); SELECT pg_sleep(0.01)");
    let mut other = PgConnection::connect(&url).await.expect("connect");
    sqlx::raw_sql(AssertSqlSafe(past)).execute(&mut other).await.expect("past");
    assert_eq!(store.purge(6).await.expect("purge"), 6);
    assert_eq!(store.purge(6).await.expect("purge"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_ended_are_replaced() {
    let url = postgres();
    let store = Arc::new(PostgresStore::open(&url, options(&unique())).await.expect("open"));
    let many = || async {
        let calls = (0..20).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.get(&key("any")).await.map_err(|e| e.kind()) })
        });
        let said = futures::future::join_all(calls.collect::<Vec<_>>()).await;
        said.into_iter().map(|s| s.expect("join")).filter(Result::is_err).count()
    };
    assert_eq!(many().await, 0);
    let mut other = PgConnection::connect(&url).await.expect("connect");
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%entries%' AND query LIKE '%t%_%'";
    sqlx::raw_sql(end).execute(&mut other).await.expect("end");
    let ended = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%entries%' AND query LIKE '%t%_%'";
    let left =
        async |other: &mut PgConnection| sqlx::query_scalar::<_, i64>(ended).fetch_one(other).await.expect("count");
    while left(&mut other).await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(many().await, 0, "none of them had run anything");
}
