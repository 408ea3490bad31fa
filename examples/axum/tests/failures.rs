//! What the shared cases can't provoke.

#[path = "http/wire.rs"]
mod wire;

use std::future::pending;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use oncecode::store::{Count, Entry, When};
use oncecode::{BoxFuture, Key, Mode, Oncecode, Result, Store};
use oncecode_axum_example::answer::explained;
use oncecode_axum_example::app::app;
use oncecode_axum_example::auth::{AuthOptions, router};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn open(mode: Mode) -> Oncecode {
    let builder = Oncecode::builder("memory:").mode(mode).secret("a secret of thirty-two bytes or more");
    builder.sender(oncecode::Callback::new(|_| async { Ok(()) })).open().await.expect("a client")
}

/// The port of a server, until the runtime ends.
async fn served(app: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async { axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await });
    port
}

#[tokio::test]
async fn a_panic_is_a_500_whose_reason_production_keeps_to_itself() {
    async fn bug() -> Response {
        panic!("secret detail")
    }
    for (mode, told) in [(Mode::Production, false), (Mode::Development, true)] {
        let once = open(mode).await;
        let app = Router::new().route("/bug", get(bug)).layer(from_fn_with_state(once.clone(), explained));
        let answer = wire::ask(served(app).await, &json!({ "method": "GET", "path": "/bug" }), None).await;
        assert_eq!((answer.status, &answer.body["code"]), (500, &json!("INTERNAL")));
        assert_eq!(answer.body.to_string().contains("secret detail"), told, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_a_503_within_the_deadline() {
    let options = oncecode::Options::from_json(r#"{ "mode": "development", "deadlineMs": 100, "sender": "none:" }"#);
    let once = Oncecode::builder("").options(options.expect("options")).store(Silent).open().await.expect("a client");
    let port = served(app(&once, None).expect("an app")).await;
    let begun = Instant::now();
    for (method, path, body) in [
        ("POST", "/api/auth/otp/request", json!({ "phoneNumber": "+15551234567" })),
        ("POST", "/api/auth/otp/verify", json!({ "phoneNumber": "+15551234567", "otp": "123456" })),
        // Nobody passes, and nobody is taken for logged out.
        ("GET", "/api/me", json!(null)),
        ("GET", "/api/news", json!(null)),
    ] {
        let cookie = format!("session={}", "A".repeat(86));
        let answer = wire::ask(port, &json!({ "method": method, "path": path, "body": body }), Some(cookie)).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (503, &json!("STORE_UNAVAILABLE")),
            "{path}: {}",
            answer.body
        );
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_body_that_does_not_say_its_length_is_measured() {
    let once = open(Mode::Development).await;
    let port = served(app(&once, None).expect("an app")).await;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let head = "POST /api/auth/otp/request HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("written");
    // Without an end: what is too large is refused before it.
    stream.write_all(format!("5000\r\n{}\r\n", " ".repeat(0x5000)).as_bytes()).await.expect("written");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn an_app_that_hides_addresses_is_told_so() {
    /// As where `into_make_service` was taken.
    async fn without_address(State(()): State<()>, mut request: Request, next: axum::middleware::Next) -> Response {
        request.extensions_mut().clear();
        next.run(request).await
    }
    let once = open(Mode::Development).await;
    let app = Router::new()
        .nest("/auth", router(&once, AuthOptions::default()).expect("options"))
        .layer(from_fn_with_state(once.clone(), explained))
        .layer(from_fn_with_state((), without_address));
    let request = json!({ "method": "POST", "path": "/auth/otp/request", "body": { "phoneNumber": "+15551234567" } });
    let answer = wire::ask(served(app).await, &request, None).await;
    assert_eq!((answer.status, &answer.body["code"]), (500, &json!("CONFIG")), "{}", answer.body);
    assert!(answer.body["message"].as_str().is_some_and(|why| why.contains("connect_info")), "{}", answer.body);
}

/// Never answers.
#[derive(Debug)]
struct Silent;

impl Store for Silent {
    fn get<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(pending())
    }

    fn put<'a>(&'a self, _: &'a Key, _: &'a [u8], _: Duration, _: When) -> BoxFuture<'a, Result<bool>> {
        Box::pin(pending())
    }

    fn take<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(pending())
    }

    fn count<'a>(&'a self, _: &'a Key, _: i64, _: Duration) -> BoxFuture<'a, Result<Count>> {
        Box::pin(pending())
    }
}
