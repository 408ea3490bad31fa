//! A build without the optional stores and senders: what is missing is told by name. `scripts/test` makes that build.

#![cfg(not(feature = "full"))]

use oncecode::{ErrorKind, Mode, Oncecode};

#[test]
fn a_store_that_was_left_out_names_its_feature() {
    for (url, feature) in [
        ("redis://user:hunter2@localhost", "redis"),
        ("rediss+cluster://user:hunter2@localhost", "redis"),
        ("upstash+https://hunter2@localhost", "upstash"),
        ("memcached://localhost", "memcached"),
        ("sqlite:hunter2.db", "sqlite"),
        ("postgres://user:hunter2@localhost/db", "postgres"),
        ("mariadb://user:hunter2@localhost/db", "mysql"),
        ("fallback:memory:|redis://user:hunter2@localhost", "redis"),
    ] {
        let error = open(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        let said = error.to_string();
        assert!(said.contains(&format!("features = [\"{feature}\"]")) && !said.contains("hunter2"), "{url}: {said}");
    }
}

#[test]
fn memory_is_always_there() {
    open("memory:").expect("no feature is needed");
    let unknown = open("carrier-pigeon:").expect_err("no store").to_string();
    assert!(unknown.contains("this build knows moving:, memory:, fallback:"), "{unknown}");
}

#[tokio::main(flavor = "current_thread")]
async fn open(url: &str) -> oncecode::Result<Oncecode> {
    Oncecode::builder(url).mode(Mode::Development).open().await
}
