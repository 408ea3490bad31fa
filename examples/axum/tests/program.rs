//! The program starts, serves, and stops when it is told to.

#[path = "http/wire.rs"]
mod wire;

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Program {
    fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oncecode-axum-example"));
        command.env_clear().env("PORT", "0").envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("start");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let first = lines.next().expect("a line").expect("text");
        let port = first.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        Self { child, lines, port }
    }

    async fn post(&self, path: &str, body: Value) -> wire::Answer {
        let request = json!({ "method": "POST", "path": format!("/api/auth{path}"), "body": body });
        wire::ask(self.port, &request, None).await
    }

    fn stop(mut self) -> (ExitStatus, Option<String>) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        let status = self.child.wait().expect("an end");
        (status, self.lines.last().map(|line| line.expect("text")))
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

#[test]
fn it_logs_in_and_ends_cleanly_on_sigterm() {
    run(async {
        let program = Program::start(&[("ONCECODE_MODE", "development"), ("ONCECODE_SENDER", "none:")]);
        let phone = json!({ "phoneNumber": "+15551234567" });
        let sent = program.post("/otp/request", phone).await.body;
        let said = json!({ "phoneNumber": "+15551234567", "otp": sent["otp"] });
        let done = program.post("/otp/verify", said).await;
        assert_eq!(done.body["user"], json!({ "id": 1, "address": "+15551234567" }), "{}", done.body);

        assert!(done.headers["set-cookie"].contains("HttpOnly"), "{:?}", done.headers);

        let token = done.body["token"].as_str().expect("a token");
        let headers = json!({ "authorization": format!("Bearer {token}"), "idempotency-key": "a" });
        for (path, method, field, wanted) in [
            ("/api/me", "GET", "userId", json!("1")),
            ("/api/auth/session", "GET", "user", json!({ "id": 1, "address": "+15551234567" })),
            ("/api/news", "GET", "for", json!("1")),
            ("/api/search", "GET", "found", json!([])),
            ("/api/orders", "POST", "order", json!(1)),
            // The same key: the same order.
            ("/api/orders", "POST", "order", json!(1)),
        ] {
            let request = json!({ "method": method, "path": path, "headers": headers });
            let answer = wire::ask(program.port, &request, None).await;
            assert_eq!((answer.status, &answer.body[field]), (200, &wanted), "{path}: {}", answer.body);
        }
        let (status, last) = program.stop();
        assert!(status.success(), "{status}");
        assert_eq!(last.as_deref(), Some("stopped"));
    });
}

#[test]
fn production_does_not_start_without_a_store_or_secret() {
    for variables in [&[][..], &[("ONCECODE_STORE", "memory:"), ("ONCECODE_SENDER", "webhook+https://example.com/")]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oncecode-axum-example"));
        command.env_clear().env("ONCECODE_MODE", "production").envs(variables.iter().copied());
        let ended = command.output().expect("an end");
        assert!(!ended.status.success());
        assert!(ended.stdout.is_empty(), "it never listened");
    }
}
