//! URLs that lead to another place than meant, and data that is not ours.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use oncecode::store::{Algorithm, Attempted, Gate, Issued, Limit, Rate, Rates};
use oncecode::testkit::{FakeClock, inputs, key, open_store};
use sqlx::{Row, raw_sql};

use crate::admin::{Admin, admin};
use crate::caller::{Client, DEADLINE, misconfigured};
use crate::server::Server;
use crate::support::redis_time;

pub async fn a_postgres_certificate_for_another_name_is_refused() {
    let server = Server::start("postgres");
    let mut admin = admin(&server).await;
    let Admin::Postgres(connection) = &mut admin else { unreachable!("it is PostgreSQL") };
    let row = raw_sql("SHOW data_directory").fetch_one(connection).await.expect("its folder");
    let folder = PathBuf::from(row.get::<String, _>(0));
    // Its own authority, for localhost alone.
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
                -keyout server.key -out server.crt";
    let made =
        Command::new("openssl").args(make.split_whitespace()).current_dir(&folder).output().expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    let owner = fs::metadata(&folder).expect("its owner");
    for file in ["server.key", "server.crt"].map(|name| folder.join(name)) {
        chown(&file, Some(owner.uid()), Some(owner.gid())).expect("given");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("closed");
    }
    admin.ask("ALTER SYSTEM SET ssl = on").await;
    admin.ask("SELECT pg_reload_conf()").await;

    let trusting = |host: &str, ca: &str| format!("{}?sslmode=verify-full{ca}", server.url.replace("127.0.0.1", host));
    let own = format!("&sslrootcert={}", folder.join("server.crt").display());
    Client::open(&trusting("localhost", &own)).await.expect("the right name").works().await;
    for url in [trusting("127.0.0.1", &own), trusting("localhost", ""), trusting("localhost", "&sslrootcert=/nowhere")]
    {
        let said = misconfigured(Client::open(&url)).await;
        assert!(said.contains("TLS") || said.contains("certificate"), "{said}");
    }
}

pub async fn a_redis_database_that_does_not_exist_is_told() {
    let server = Server::start("redis");
    let said = misconfigured(Client::open(&server.url.replace("/0", "/99"))).await;
    assert!(said.contains("database"), "{said}");
    Client::open(&server.url.replace("/0", "/15")).await.expect("the last one").works().await;
}

/// Somebody else writes where only we should: it is no code, and whoever asks gets an answer.
pub async fn foreign_values_under_our_names_are_neither_trusted_nor_hung_upon() {
    let server = Server::start("redis");
    let mut admin = admin(&server).await;
    let store = open_store(&server.url, FakeClock::default(), DEADLINE).await.expect("open");
    let long = "x".repeat(400);
    for (number, value) in
        ["HSET {} a b", "SET {} garbage", &format!("SET {{}} {long}"), "SET {} 1", "RPUSH {} a"].iter().enumerate()
    {
        let entity = key("foreign", &number.to_string());
        admin.ask(&value.replace("{}", entity.as_str())).await;
        let attempt = store.attempt(&entity, &inputs::attempt("a"), None).await;
        assert!(!matches!(attempt, Ok(Attempted::Right { .. })), "{value}: {attempt:?}");
        let gate = Gate { key: entity.clone(), limit: Limit::new(5, DEADLINE) };
        store.hit(&gate, 1).await.expect("a full limit at worst");
        store.peek(&entity).await.expect("nothing");
        let issued = store.issue(&entity, &inputs::issue("a"), None).await.expect("an answer");
        assert!(matches!(issued, Issued::New { .. }), "{value}: {issued:?}");
        let attempt = store.attempt(&entity, &inputs::attempt("a"), None).await;
        assert!(matches!(attempt, Ok(Attempted::Right { .. })), "{value}: {attempt:?}");
    }
    assert!(redis_time::assert_all_expire(&server.url, "foreign").await > 0, "there are keys to look at");
}

/// As other software leaves it: nobody is refused for ever, and the next write ends it.
pub async fn a_key_that_lost_its_expiry_refuses_nobody_and_gets_a_new_one() {
    let server = Server::start("redis");
    let mut admin = admin(&server).await;
    let store = open_store(&server.url, FakeClock::default(), DEADLINE).await.expect("open");
    let [entity, gated, counter, rated] = ["entity", "gate", "counter", "rates"].map(|name| key("lost", name));
    let (window, limit) = (Duration::from_secs(900), Limit::new(1, Duration::from_secs(900)));
    let gate = Gate { key: gated.clone(), limit };
    let rates = |algorithm| Rates { key: rated.clone(), rates: vec![Rate { algorithm, max: 1, window }] };
    for algorithm in [Algorithm::Fixed, Algorithm::Sliding, Algorithm::Bucket] {
        for used in [false, true] {
            let issued = store.issue(&entity, &inputs::issue("a"), None).await.expect("issue");
            assert!(matches!(issued, Issued::New { .. }), "the cooldown is not for ever: {issued:?}");
            assert!(store.hit(&gate, 1).await.expect("hit").allowed, "nor is the limit; lost before: {used}");
            assert!(!store.hit(&gate, 1).await.expect("hit").allowed, "but a limit it is");
            assert_eq!(store.count(&counter, 3, window).await.expect("count").value, 3);
            assert!(store.hits(&rates(algorithm), 1).await.expect("hits").allowed, "{algorithm:?}");
            assert!(!store.hits(&rates(algorithm), 1).await.expect("hits").allowed, "{algorithm:?}");
            assert!(redis_time::assert_all_expire(&server.url, "lost").await >= 4, "each has an expiry again");
            for key in [&entity, &gated, &counter, &rated] {
                admin.ask(&format!("PERSIST {}", key.as_str())).await;
            }
            // What has no end is not to be believed.
            let attempt = store.attempt(&entity, &inputs::attempt("a"), None).await.expect("an answer");
            assert!(matches!(attempt, Attempted::Refused(_)), "{attempt:?}");
            let closed = store.issue(&entity, &inputs::issue("a"), Some(&gate)).await.expect("an answer");
            assert!(matches!(closed, Issued::New { .. }), "a gate without an end is open: {closed:?}");
            for key in [&entity, &gated] {
                admin.ask(&format!("PERSIST {}", key.as_str())).await;
            }
        }
    }
}
