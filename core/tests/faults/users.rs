//! Redis users who may not do everything, and Unix sockets.

use oncecode::testkit::{FakeClock, inputs, key, open_store};
use oncecode::{Error, ErrorKind, Store};

use crate::admin::{Admin, admin};
use crate::caller::{Client, DEADLINE};
use crate::server::Server;
use crate::support::REDIS_COMMANDS;

async fn grant(admin: &mut Admin, pattern: &str, without: &str) {
    let commands: Vec<_> = REDIS_COMMANDS.split(' ').filter(|command| *command != without).collect();
    admin.ask(&format!("ACL SETUSER app reset on >secret {pattern} {}", commands.join(" "))).await;
}

/// One of each operation; the first refusal.
async fn everything(store: &dyn Store, prefix: &str) -> Result<(), Error> {
    use oncecode::store::{Amend, Gate, Limit, When};
    let (entity, value) = (key(prefix, "entity"), key(prefix, "value"));
    let gate = Gate { key: key(prefix, "gate"), limit: Limit::new(50, DEADLINE) };
    for _ in 0..2 {
        store.issue(&entity, &inputs::issue("a"), Some(&gate)).await?;
        store.attempt(&entity, &inputs::attempt("b"), Some(&gate)).await?;
        store.attempt(&entity, &inputs::attempt("a"), Some(&gate)).await?;
        store.hit(&gate, 3).await?;
    }
    store.amend(&entity, &Amend::Cancel(None)).await?;
    store.peek(&entity).await?;
    store.count(&value, 5, DEADLINE).await?;
    store.count(&value, 5, DEADLINE).await?;
    let found = store.get(&value).await?.expect("a count");
    store.put(&value, b"x", DEADLINE, When::Version(found.version)).await?;
    store.put(&value, b"y", DEADLINE, When::Absent).await?;
    store.take(&value).await?;
    Ok(())
}

pub async fn a_missing_command_or_key_pattern_is_told() {
    for kind in ["redis", "redis6", "valkey"] {
        let server = Server::start(kind);
        let mut admin = admin(&server).await;
        let url = server.url.replace("://", "://app:secret@");
        grant(&mut admin, "~mine:*", "").await;
        let store = open_store(&url, FakeClock::default(), DEADLINE).await.expect("open");
        everything(&*store, "mine").await.expect("the commands of docs/stores.md are enough");
        let told = everything(&*store, "yours").await.expect_err("keys of others");
        assert!(told.kind() == ErrorKind::Config && told.to_string().contains("our prefix"), "{kind}: {told:?}");
        for command in REDIS_COMMANDS.split(' ') {
            grant(&mut admin, "~mine:*", command).await;
            admin.ask("SCRIPT FLUSH").await;
            let tried = match open_store(&url.replace("/0", "/3"), FakeClock::default(), DEADLINE).await {
                Ok(store) => everything(&*store, "mine").await,
                Err(e) => Err(e),
            };
            let told = tried.err().unwrap_or_else(|| panic!("{kind}: {command} is not needed"));
            assert_eq!(told.kind(), ErrorKind::Config, "{kind} without {command}: {told:?}");
            let name = command.trim_start_matches('+').to_uppercase();
            assert!(told.to_string().contains(&name), "{kind} without {command}: {told}");
        }
        grant(&mut admin, "~mine:*", "").await;
        everything(&*store, "mine").await.expect("nothing has to be opened again");
    }
}

pub async fn a_unix_socket_serves_a_limited_user_of_any_database() {
    let server = Server::start("redis");
    let mut admin = admin(&server).await;
    grant(&mut admin, "~oncecode:*", "").await;
    let Admin::Redis(connection) = &mut admin else { unreachable!("it is Redis") };
    let found: Vec<String> =
        redis::cmd("CONFIG").arg("GET").arg("dir").query_async(connection).await.expect("its folder");
    for scheme in ["redis+unix", "unix"] {
        let url = format!("{scheme}://{}/redis.sock?db=7&user=app&pass=secret", found[1]);
        let client = Client::open(&url).await.expect("open");
        client.works().await;
        let live = client.issue().await.expect("issue");
        let over_tcp = Client::open(&server.url.replace("://", "://app:secret@").replace("/0", "/7")).await;
        over_tcp.expect("the same database").verify(&live).await.expect("the same code");
        assert_eq!(client.outcome(&live).await, Err(ErrorKind::CodeNotFound));
    }
    let absent = Client::open(&format!("redis+unix://{}/nobody.sock", found[1])).await.err().expect("nobody listens");
    assert_eq!(absent.kind(), ErrorKind::StoreUnavailable, "{absent:?}");
}
