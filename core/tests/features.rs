//! A build without the optional stores and senders: what is missing is told by name. `scripts/test` makes that build.

#![cfg(not(feature = "full"))]

use oncecode::{Builder, ErrorKind, Mode, Oncecode, Options};
use serde_json::json;

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
        ("fallback:redis://user:hunter2@one|redis://user:hunter2@two", "redis"),
    ] {
        let error = open(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        let said = error.to_string();
        assert!(said.contains(&format!("features = [\"{feature}\"]")) && !said.contains("hunter2"), "{url}: {said}");
    }
}

#[test]
fn a_sender_that_was_left_out_names_its_feature() {
    for (sender, feature) in [
        (json!("twilio://AC1:hunter2@?from=+15551234567"), "twilio"),
        (json!("msg91://hunter2@?template=T1"), "msg91"),
        (json!("sendgrid:"), "sendgrid"),
        (json!("smtps://user:hunter2@localhost?from=a@acme.example"), "smtp"),
        (json!("webhook+https://hunter2@localhost"), "webhook"),
        (json!({ "url": "https://hunter2@localhost" }), "webhook"),
    ] {
        let options = json!({ "mode": "development", "sender": sender }).to_string();
        let options = Options::from_json(&options).expect("options");
        let error = opened(Oncecode::builder("memory:").options(options)).expect_err(feature);
        assert_eq!(error.kind(), ErrorKind::Config, "{feature}");
        let said = error.to_string();
        assert!(said.contains(&format!("features = [\"{feature}\"]")) && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn memory_is_always_there() {
    open("memory:").expect("no feature is needed");
    let unknown = open("carrier-pigeon:").expect_err("no store").to_string();
    assert!(unknown.contains("this build knows moving:, memory:, fallback:"), "{unknown}");
}

fn open(url: &str) -> oncecode::Result<Oncecode> {
    opened(Oncecode::builder(url).mode(Mode::Development))
}

#[tokio::main(flavor = "current_thread")]
async fn opened(builder: Builder) -> oncecode::Result<Oncecode> {
    builder.open().await
}
