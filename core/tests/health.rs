//! What `health()` and a start say of stores that are set up well and badly, by servers that are.

#[path = "support/logs.rs"]
mod logs;
#[path = "support/server.rs"]
mod server;
mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use oncecode::testkit::FakeClock;
use oncecode::{BoxFuture, BreakerState, ErrorKind, Health, Oncecode, Options, Store};
use redis::aio::MultiplexedConnection;
use serde_json::json;
use sqlx::{Connection, Executor, MySqlConnection, PgConnection, SqliteConnection};

use logs::logs;
use server::Server;
use support::{runtime, server as url_of, unique};

/// What a caller may wait at most, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(1);

fn options(more: serde_json::Value) -> Options {
    // Other tests run meanwhile: the deadline matters only to those that set it.
    let mut options = json!({ "mode": "development", "sender": "none:", "keyPrefix": unique(), "deadlineMs": 10_000 });
    options.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    Options::from_json(&options.to_string()).expect("options")
}

async fn open(url: &str) -> Oncecode {
    open_with(url, json!({})).await
}

async fn open_with(url: &str, more: serde_json::Value) -> Oncecode {
    Oncecode::builder(url).options(options(more)).open().await.expect("the server answers")
}

/// Opens a client and asks it; what it says must have been logged at the start as well.
async fn look(url: &str) -> Health {
    let before = logs().lock().expect("logs").len();
    let once = open(url).await;
    let logged = logs().lock().expect("logs")[before..].to_owned();
    let health = once.health().await.expect("health");
    for warning in &health.warnings {
        assert!(logged.contains(warning.as_str()), "{warning}\nis not among:\n{logged}");
    }
    once.close().await;
    health
}

async fn admin(server: &Server) -> MultiplexedConnection {
    let client = redis::Client::open(&*server.url).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("the server answers")
}

async fn tell(redis: &mut MultiplexedConnection, command: &str) {
    let mut words = command.split(' ');
    let mut sent = redis::cmd(words.next().expect("a command"));
    words.for_each(|word| _ = sent.arg(word));
    sent.exec_async(redis).await.expect(command);
}

#[test]
fn of_stores_that_are_set_up_well_there_is_nothing_to_say() {
    let file = std::env::temp_dir().join(format!("oncecode-{}.db", unique()));
    let (sqlite, memcached) = (format!("sqlite:{}", file.display()), url_of("ONCECODE_TEST_MEMCACHED"));
    let of_servers = ["POSTGRES", "MYSQL", "REDIS", "REDISTLS", "CLUSTER", "SENTINEL"];
    let urls = of_servers.map(|name| url_of(&format!("ONCECODE_TEST_{name}")));
    runtime().block_on(async {
        for url in urls.iter().chain([&memcached, &sqlite]) {
            let health = look(url).await;
            assert_eq!((health.ok, health.error), (true, None), "{health:?}");
            assert_eq!(health.warnings, Vec::<String>::new(), "{health:?}");
            assert_eq!(health.breaker, Some(BreakerState::Closed), "{health:?}");
            assert!(health.since_ms.is_some() && health.latency.is_some(), "{health:?}");
            assert!(url.starts_with(&format!("{}:", health.store)), "{health:?}");
            // Embedded stores have no clock but ours.
            let skew = health.clock_skew_ms;
            assert!(if *url == sqlite { skew.is_none() } else { skew.is_some_and(|ms| ms.abs() < 3000) }, "{health:?}");
        }
        let memory = look("memory:").await;
        assert_eq!((memory.ok, &*memory.store, memory.breaker, memory.clock_skew_ms), (true, "memory", None, None));
    });
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
    }
}

#[test]
fn a_redis_that_evicts_is_warned_of() {
    let server = Server::start("redis");
    runtime().block_on(async {
        let mut redis = admin(&server).await;
        for policy in ["allkeys-lru", "volatile-ttl", "allkeys-random"] {
            tell(&mut redis, &format!("CONFIG SET maxmemory-policy {policy}")).await;
            let health = look(&server.url).await;
            assert!(health.ok, "it is a warning: {health:?}");
            let [warning] = &health.warnings[..] else { panic!("{health:?}") };
            assert!(warning.contains(policy) && warning.contains("noeviction"), "{warning}");
        }
    });
}

#[test]
fn what_a_redis_user_lacks_is_told_and_what_we_can_do_without_is_not_missed() {
    let server = Server::start("redis");
    runtime().block_on(async {
        let mut redis = admin(&server).await;
        let needed = "+evalsha +eval +get +set +del +pttl +incr +incrby +ping";
        for (name, lacks) in [("eve", "-evalsha"), ("sam", "-set"), ("ida", "-incrby"), ("kay", "resetkeys ~other:*")] {
            tell(&mut redis, &format!("ACL SETUSER {name} on >hunter2 ~* &* -@all {needed} {lacks}")).await;
            let once = Oncecode::builder(server.url.replace("://", &format!("://{name}:hunter2@")));
            let opened = once.options(options(json!({}))).open().await;
            // Told at the start or when asked; never in the middle of the first login.
            let (kind, said) = match opened {
                Err(e) => (Some(e.kind()), format!("{e:?}")),
                Ok(once) => {
                    let health = once.health().await.expect("health");
                    assert!(!health.ok);
                    (health.error, format!("{health:?}"))
                }
            };
            assert_eq!(kind, Some(ErrorKind::Config), "{lacks}: {said}");
            assert!(said.contains("EVALSHA, EVAL, GET, SET"), "{lacks}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }

        tell(&mut redis, &format!("ACL SETUSER ann on >hunter2 ~* &* -@all {needed}")).await;
        tell(&mut redis, "CONFIG SET maxmemory-policy allkeys-lru").await;
        let health = look(&server.url.replace("://", "://ann:hunter2@")).await;
        assert_eq!((health.ok, health.clock_skew_ms), (true, None), "it may run neither TIME nor INFO: {health:?}");
        assert_eq!(health.warnings, Vec::<String>::new());
    });
}

#[test]
fn a_replica_is_told() {
    let (master, server) = (Server::start("redis"), Server::start("redis"));
    runtime().block_on(async {
        tell(&mut admin(&server).await, &format!("REPLICAOF 127.0.0.1 {}", master.port)).await;
        let health = look(&server.url).await;
        assert_eq!((health.ok, health.error), (false, Some(ErrorKind::StoreUnavailable)), "{health:?}");
        assert!(health.warnings.iter().any(|warning| warning.contains("replica")), "{health:?}");
        assert_eq!(health.breaker, Some(BreakerState::Closed), "it answers");
    });
}

#[test]
fn a_clock_that_differs_is_told_by_how_much() {
    let urls = ["REDIS", "POSTGRES", "MEMCACHED"].map(|name| url_of(&format!("ONCECODE_TEST_{name}")));
    runtime().block_on(async {
        for url in urls {
            let clock = FakeClock::default();
            let real = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
            // An hour slow.
            clock.advance(real - Duration::from_millis(1_780_000_000_000) - Duration::from_secs(3600));
            let builder = Oncecode::builder(&*url).options(options(json!({}))).clock(clock.clone());
            let once = builder.open().await.expect("a wrong clock is no reason not to start");
            let health = once.health().await.expect("health");
            assert!(health.clock_skew_ms.is_some_and(|ms| (-3_610_000..-3_590_000).contains(&ms)), "{health:?}");
            assert!(matches!(&health.warnings[..], [warning] if warning.contains("behind")), "{health:?}");
            assert!(health.ok, "{health:?}");
            clock.advance(Duration::from_secs(3600));
            assert_eq!(once.health().await.expect("health").warnings, Vec::<String>::new());
        }
    });
}

#[test]
fn a_postgres_that_takes_no_writes_or_forbids_the_tables_is_told() {
    let server = Server::start("postgres");
    runtime().block_on(async {
        open(&server.url).await.close().await;
        let mut admin = PgConnection::connect(&server.url).await.expect("connected");
        let mut run = async |sql: &str| {
            admin.execute(sqlx::AssertSqlSafe(sql)).await.expect(sql);
        };
        let user = url::Url::parse(&server.url).expect("a URL").username().to_owned();

        run(&format!(r#"ALTER ROLE "{user}" SET default_transaction_read_only = on"#)).await;
        let health = look(&server.url).await;
        assert_eq!((health.ok, health.error), (false, Some(ErrorKind::StoreUnavailable)), "{health:?}");
        assert!(health.warnings.iter().any(|warning| warning.contains("read-only")), "{health:?}");
        run(&format!(r#"ALTER ROLE "{user}" RESET default_transaction_read_only"#)).await;

        run("CREATE ROLE guest LOGIN PASSWORD 'hunter2'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest").await;
        let mut guest = url::Url::parse(&server.url).expect("a URL");
        guest.set_username("guest").expect("a user");
        guest.set_password(Some("hunter2")).expect("a password");
        let health = look(guest.as_str()).await;
        assert_eq!((health.ok, health.error), (false, Some(ErrorKind::Config)), "{health:?}");
        assert!(health.warnings.iter().any(|warning| warning.contains("INSERT")), "{health:?}");
        run("GRANT ALL ON ALL TABLES IN SCHEMA public TO guest").await;
        assert!(look(guest.as_str()).await.ok);
    });
}

#[test]
fn a_mariadb_that_takes_no_writes_or_forbids_the_tables_is_told() {
    let server = Server::start("mysql");
    runtime().block_on(async {
        open(&server.url).await.close().await;
        let mut admin = MySqlConnection::connect(&server.url).await.expect("connected");
        let mut run = async |sql: &str| {
            admin.execute(sqlx::AssertSqlSafe(sql)).await.expect(sql);
        };
        let mut guest = url::Url::parse(&server.url).expect("a URL");
        let database = guest.path().trim_start_matches('/').to_owned();
        guest.set_username("guest").expect("a user");
        guest.set_password(Some("hunter2")).expect("a password");
        run("CREATE USER guest@'%' IDENTIFIED BY 'hunter2'").await;

        run(&format!("GRANT SELECT, EXECUTE ON `{database}`.* TO guest@'%'")).await;
        let health = look(guest.as_str()).await;
        assert_eq!((health.ok, health.error), (false, Some(ErrorKind::Config)), "{health:?}");
        run(&format!("GRANT INSERT, UPDATE, DELETE ON `{database}`.* TO guest@'%'")).await;
        assert!(look(guest.as_str()).await.ok);

        run("SET GLOBAL read_only = ON").await;
        let health = look(guest.as_str()).await;
        assert_eq!((health.ok, health.error), (false, Some(ErrorKind::StoreUnavailable)), "{health:?}");
        assert!(health.warnings.iter().any(|warning| warning.contains("read_only")), "{health:?}");
        run("SET GLOBAL read_only = OFF").await;
    });
}

#[test]
fn an_sqlite_file_that_somebody_else_holds_is_told_in_time() {
    let file = std::env::temp_dir().join(format!("oncecode-{}.db", unique()));
    runtime().block_on(async {
        let once = open_with(&format!("sqlite:{}", file.display()), json!({ "deadlineMs": 250 })).await;
        let mut other = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.expect("opened");
        other.execute("BEGIN IMMEDIATE").await.expect("the lock");
        let begin = Instant::now();
        let health = once.health().await.expect("health");
        assert!(begin.elapsed() < PATIENCE, "it took {:?}", begin.elapsed());
        assert_eq!((health.ok, health.error), (false, Some(ErrorKind::StoreUnavailable)), "{health:?}");
        other.execute("ROLLBACK").await.expect("released");
        assert!(once.health().await.expect("health").ok);
        once.close().await;
    });
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
    }
}

#[test]
fn a_memcached_that_forgot_something_and_one_that_hangs_are_told() {
    let (one, two) = (Server::start("memcached"), Server::start("memcached"));
    // More than it has room for.
    let mut raw = BufReader::new(TcpStream::connect(("127.0.0.1", one.port)).expect("connected"));
    let value = vec![b'x'; 900_000];
    for number in 0..100 {
        raw.get_mut().write_all(format!("set filler{number} 0 0 {}\r\n", value.len()).as_bytes()).expect("sent");
        raw.get_mut().write_all(&value).expect("sent");
        raw.get_mut().write_all(b"\r\n").expect("sent");
        let mut answer = String::new();
        raw.read_line(&mut answer).expect("an answer");
        assert_eq!(answer, "STORED\r\n");
    }
    runtime().block_on(async {
        let url = format!("{},127.0.0.1:{}", one.url, two.port);
        let once = open_with(&url, json!({ "deadlineMs": 500 })).await;
        let health = once.health().await.expect("health");
        assert!(matches!(&health.warnings[..], [warning] if warning.contains("forgot")), "{health:?}");
        two.freeze();
        // The key it is asked for may be on the one or on the other.
        let begin = Instant::now();
        let health = once.health().await.expect("health");
        assert!(begin.elapsed() < PATIENCE, "it took {:?}", begin.elapsed());
        match health.ok {
            true => assert!(health.warnings.iter().any(|w| w.starts_with("1 of 2")), "{health:?}"),
            false => assert_eq!(health.error, Some(ErrorKind::StoreUnavailable), "{health:?}"),
        }
    });
}

/// A store of the user's own, by the contract alone.
#[derive(Debug)]
struct Own(oncecode::store::MemoryStore);

macro_rules! passed_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {$(
        fn $name<'a>(&'a self, $($argument: $type),*) -> BoxFuture<'a, oncecode::Result<$answer>> {
            self.0.$name($($argument),*)
        }
    )+};
}

impl Store for Own {
    passed_on! {
        get(key: &'a oncecode::Key) -> Option<oncecode::store::Entry>;
        put(key: &'a oncecode::Key, value: &'a [u8], ttl: Duration, when: oncecode::store::When) -> bool;
        take(key: &'a oncecode::Key) -> Option<oncecode::store::Entry>;
        count(key: &'a oncecode::Key, by: i64, ttl: Duration) -> oncecode::store::Count;
    }
}

#[test]
fn a_store_of_ones_own_is_asked_by_a_read() {
    runtime().block_on(async {
        let clock = std::sync::Arc::new(FakeClock::default());
        let own = Own(oncecode::store::MemoryStore::new(clock));
        let once = Oncecode::builder("").store(own).options(options(json!({}))).open().await.expect("open");
        let health = once.health().await.expect("health");
        assert_eq!((health.ok, &*health.store, health.breaker), (true, "custom", Some(BreakerState::Closed)));
    });
}
