//! Servers that answer, and say no.

use std::sync::Arc;

use futures::future::join_all;
use oncecode::ErrorKind;

use crate::admin::admin;
use crate::caller::{Client, unavailable};
use crate::server::{Server, free_port};

pub async fn a_redis_that_becomes_a_replica_is_told_until_it_is_a_master_again() {
    becomes_a_replica("redis").await;
}

pub async fn a_redis_6_that_becomes_a_replica_is_told_until_it_is_a_master_again() {
    becomes_a_replica("redis6").await;
}

async fn becomes_a_replica(kind: &'static str) {
    let server = Server::start(kind);
    let mut admin = admin(&server).await;
    let client = Client::open(&server.url).await.expect("open");
    let (used, live) = (client.issue().await.expect("issue"), client.issue().await.expect("issue"));
    client.verify(&used).await.expect("verify");
    admin.ask(&format!("REPLICAOF 127.0.0.1 {}", free_port())).await;
    for call in [unavailable(client.issue()).await, unavailable(client.verify(&live)).await] {
        assert!(call.contains("replica"), "{call}");
    }
    join_all((0..20).map(|_| unavailable(client.verify(&live)))).await;
    admin.ask("REPLICAOF NO ONE").await;
    client.works().await;
    assert_eq!(client.outcome(&used).await, Err(ErrorKind::CodeNotFound));
    client.verify(&live).await.expect("a replica accepts nothing");
}

pub async fn a_full_redis_is_told_until_there_is_room() {
    for kind in ["redis", "redis6", "valkey"] {
        let server = Server::start(kind);
        let mut admin = admin(&server).await;
        let client = Client::open(&server.url).await.expect("open");
        let live = client.issue().await.expect("issue");
        admin.ask("CONFIG SET maxmemory 1").await;
        let said = unavailable(client.issue()).await;
        assert!(said.contains("maxmemory"), "{kind}: {said}");
        // What cannot be noted as used is not accepted.
        unavailable(client.verify(&live)).await;
        unavailable(client.verify(&live.wrong())).await;
        admin.ask("CONFIG SET maxmemory 0").await;
        client.works().await;
        client.verify(&live).await.expect("the code is still there");
    }
}

pub async fn a_redis_without_a_free_connection_is_told() {
    let server = Server::start("redis");
    let mut admin = admin(&server).await;
    let client = Client::open(&server.url).await.expect("open");
    // The administrator's and this client's.
    admin.ask("CONFIG SET maxclients 2").await;
    join_all((0..10).map(|_| unavailable(Client::open(&server.url)))).await;
    client.works().await;
    admin.ask("CONFIG SET maxclients 100").await;
    Client::open(&server.url).await.expect("there is room again").works().await;
}

pub async fn a_postgres_that_may_only_be_read_is_told_until_it_may_be_written() {
    let server = Server::start("postgres");
    let mut admin = admin(&server).await;
    let client = Client::open(&server.url).await.expect("open");
    let live = client.issue().await.expect("issue");
    admin.ask("ALTER DATABASE oncecode SET default_transaction_read_only = on").await;
    admin.cut_others().await;
    admin.is_alone().await;
    for call in [unavailable(client.issue()).await, unavailable(client.verify(&live)).await] {
        assert!(call.contains("only be read"), "{call}");
    }
    Client::open(&server.url).await.expect("the tables are there").issue().await.err().expect("but not to be written");
    let options =
        oncecode::Options::from_json(r#"{ "mode": "development", "tablePrefix": "other_" }"#).expect("options");
    let said = unavailable(oncecode::Oncecode::builder(&server.url).options(options).open()).await;
    assert!(said.contains("only be read"), "{said}");
    // This session is as it was before.
    admin.ask("ALTER DATABASE oncecode RESET default_transaction_read_only").await;
    client.works().await;
    client.verify(&live).await.expect("nothing was accepted");
}

pub async fn a_postgres_without_a_free_connection_is_told() {
    let server = Server::start("postgres");
    let mut admin = admin(&server).await;
    admin.ask("CREATE ROLE app LOGIN PASSWORD 'p' CONNECTION LIMIT 2").await;
    admin.ask("GRANT CREATE ON SCHEMA public TO app").await;
    let (_, place) = server.url.split_once('@').expect("credentials");
    let url = format!("postgres://app:p@{place}");
    let client = Arc::new(Client::patient(&url).await.expect("open"));
    for _ in 0..3 {
        let calls = (0..40).map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.issue().await.map(drop) })
        });
        let outcomes = join_all(calls.collect::<Vec<_>>()).await;
        let said: Vec<_> = outcomes.into_iter().filter_map(|outcome| outcome.expect("a caller").err()).collect();
        for error in &said {
            assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error:?}");
            assert!(error.to_string().contains("out of connections"), "{error}");
        }
        assert!(said.len() < 40, "those that are open serve on");
        client.works().await;
    }
    admin.ask("ALTER ROLE app CONNECTION LIMIT 100").await;
    for call in join_all((0..40).map(|_| client.issue())).await {
        call.expect("there is room");
    }
}
