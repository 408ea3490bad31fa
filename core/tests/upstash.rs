//! REST servers and what stands before them: lost, late, endless, strange and refused answers; and the bytes that are stored.

#[path = "support/meddler.rs"]
mod meddler;
#[path = "support/server.rs"]
mod server;
mod support;

use std::time::{Duration, Instant};

use futures::future::join_all;
use oncecode::store::{Attempted, Issued};
use oncecode::testkit::{FakeClock, inputs, key, open_store};
use oncecode::{Error, ErrorKind, IssueRequest, Oncecode, Options, VerifyRequest};
use redis::AsyncCommands;
use serde_json::json;

use meddler::{Fate, Meddler};
use server::Server;

/// What a caller may wait at most, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(1);

/// A client that speaks to the bridge through a meddler.
struct Client {
    once: Oncecode,
    meddler: Meddler,
}

impl Client {
    async fn open(deadline: Duration) -> Self {
        let url = support::server("ONCECODE_TEST_UPSTASH");
        let bridge = url::Url::parse(&url).expect("a URL").port().expect("a port");
        let meddler = Meddler::to(bridge).await;
        let url = url.replace(&format!(":{bridge}/"), &format!(":{}/", meddler.port));
        let client = Self { once: open(&url, deadline).await.expect("the bridge answers"), meddler };
        // Redis learns the scripts.
        let warm = client.issue("warm-up@example.com").await.expect("issue");
        client.verify("warm-up@example.com", &warm).await.expect("verify");
        client.meddler.take();
        client
    }

    async fn issue(&self, to: &str) -> Result<String, Error> {
        let sent = self.once.codes().issue(IssueRequest::new(to, "login")).await?;
        Ok(sent.code.expect("development mode").expose().to_owned())
    }

    async fn verify(&self, to: &str, code: &str) -> Result<(), Error> {
        self.once.codes().verify(VerifyRequest::new(to, "login", code)).await.map(|_| ())
    }
}

async fn open(url: &str, deadline: Duration) -> Result<Oncecode, Error> {
    let options = json!({
        "mode": "development", "sender": "none:", "keyPrefix": support::unique(),
        "deadlineMs": deadline.as_millis() as f64,
        // What is tried here in a row is one server's bad luck each.
        "breaker": false,
    });
    Oncecode::builder(url).options(Options::from_json(&options.to_string())?).open().await
}

fn kind<T>(outcome: Result<T, Error>) -> Result<T, ErrorKind> {
    outcome.map_err(|e| e.kind())
}

fn wrong(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[test]
fn a_verify_whose_answer_was_lost_is_not_repeated_and_the_code_is_used() {
    support::runtime().block_on(async {
        let client = Client::open(PATIENCE).await;
        for (number, fate) in [Fate::Lose, Fate::Hang].into_iter().enumerate() {
            let to = format!("lost{number}@example.com");
            let code = client.issue(&to).await.expect("issue");
            client.meddler.take();
            client.meddler.next([fate]);
            assert_eq!(kind(client.verify(&to, &code).await), Err(ErrorKind::StoreUnavailable));
            assert_eq!(client.meddler.take().0.len(), 1, "sent once");
            assert_eq!(kind(client.verify(&to, &code).await), Err(ErrorKind::CodeNotFound), "it was accepted");
        }
    });
}

#[test]
fn a_guess_whose_answer_was_lost_counts_once() {
    support::runtime().block_on(async {
        let client = Client::open(support::LONG).await;
        let code = client.issue("guess@example.com").await.expect("issue");
        client.meddler.next([Fate::Lose, Fate::Lose, Fate::Lose]);
        for _ in 0..3 {
            let lost = client.verify("guess@example.com", wrong(&code)).await;
            assert_eq!(kind(lost), Err(ErrorKind::StoreUnavailable));
        }
        let fourth = client.verify("guess@example.com", wrong(&code)).await.expect_err("wrong");
        assert_eq!((fourth.kind(), fourth.attempts_left()), (ErrorKind::WrongCode, Some(1)));
    });
}

#[test]
fn an_issue_whose_answer_was_lost_is_not_repeated() {
    support::runtime().block_on(async {
        let client = Client::open(support::LONG).await;
        client.meddler.next([Fate::Lose]);
        assert_eq!(kind(client.issue("issue@example.com").await), Err(ErrorKind::StoreUnavailable));
        assert_eq!(client.meddler.take().0.len(), 1, "sent once");
        assert_eq!(kind(client.issue("issue@example.com").await), Err(ErrorKind::Cooldown), "it was issued");
    });
}

#[test]
fn of_many_callers_one_at_most_is_accepted_while_answers_are_lost() {
    support::runtime().block_on(async {
        let client = Client::open(support::LONG).await;
        for round in 0..20 {
            let to = format!("many{round}@example.com");
            let code = client.issue(&to).await.expect("issue");
            client.meddler.next((0..20).map(|n| if n % 2 == 0 { Fate::Lose } else { Fate::Pass }));
            let outcomes = join_all((0..20).map(|_| client.verify(&to, &code))).await;
            client.meddler.take();
            let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            let lost =
                outcomes.iter().filter(|o| matches!(o, Err(e) if e.kind() == ErrorKind::StoreUnavailable)).count();
            assert!(accepted <= 1, "accepted {accepted} times");
            assert_eq!(lost, 10);
            assert_eq!(kind(client.verify(&to, &code).await), Err(ErrorKind::CodeNotFound));
        }
    });
}

#[test]
fn a_request_that_was_cut_off_is_not_repeated_and_the_code_stays_valid() {
    support::runtime().block_on(async {
        let client = Client::open(support::LONG).await;
        let code = client.issue("cut@example.com").await.expect("issue");
        client.meddler.take();
        client.meddler.next([Fate::Cut]);
        assert_eq!(kind(client.verify("cut@example.com", &code).await), Err(ErrorKind::StoreUnavailable));
        assert_eq!(client.meddler.take().0.len(), 1, "sent once");
        client.verify("cut@example.com", &code).await.expect("it never arrived");
    });
}

#[test]
fn statuses_are_typed_and_the_next_call_works() {
    support::runtime().block_on(async {
        let client = Client::open(support::LONG).await;
        let code = client.issue("status@example.com").await.expect("issue");
        for (status, expected) in [
            ("500", ErrorKind::StoreUnavailable),
            ("502", ErrorKind::StoreUnavailable),
            ("503", ErrorKind::StoreUnavailable),
            ("429", ErrorKind::StoreUnavailable),
            ("400", ErrorKind::StoreUnavailable),
            ("401", ErrorKind::Config),
            ("403", ErrorKind::Config),
            ("404", ErrorKind::Config),
        ] {
            client.meddler.next([Fate::Answer(answer(status, r#"{"error":"hunter2"}"#))]);
            let error = client.verify("status@example.com", &code).await.expect_err(status);
            assert_eq!(error.kind(), expected, "{status}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        client.verify("status@example.com", &code).await.expect("nothing was done");
    });
}

#[test]
fn a_redirection_is_not_followed() {
    support::runtime().block_on(async {
        let client = Client::open(support::LONG).await;
        let code = client.issue("redirect@example.com").await.expect("issue");
        for status in [301, 302, 307, 308] {
            client.meddler.take();
            let there = format!("http://127.0.0.1:{}/", client.meddler.port);
            let bytes = format!(
                "HTTP/1.1 {status} There\r\nlocation: {there}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            .into_bytes();
            client.meddler.next([Fate::Answer(bytes)]);
            let outcome = client.verify("redirect@example.com", &code).await;
            assert_eq!(kind(outcome), Err(ErrorKind::Config));
            assert_eq!(client.meddler.take().0.len(), 1, "nobody went there");
        }
        client.verify("redirect@example.com", &code).await.expect("nothing was done");
    });
}

#[test]
fn answers_of_no_form_are_told_and_the_next_call_works() {
    support::runtime().block_on(async {
        let client = Client::open(support::LONG).await;
        let code = client.issue("garbage@example.com").await.expect("issue");
        for bytes in [
            vec![],
            b"220 smtp.example.com ESMTP\r\n".to_vec(),
            answer("200", ""),
            answer("200", "<html>hello</html>"),
            answer("200", "[]"),
            answer("200", "{}"),
            answer("200", r#"{"result":true}"#),
            answer("200", r#"{"result":"%%%"}"#),
            answer("200", r#"{"result":[9,9,9]}"#),
            answer("200", r#"{"result":"OK"}"#),
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"result\":4}".to_vec(),
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        ] {
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            client.meddler.next([Fate::Answer(bytes)]);
            let error = client.verify("garbage@example.com", &code).await.expect_err(&shown);
            assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{shown}: {error:?}");
        }
        client.verify("garbage@example.com", &code).await.expect("nothing was done");
    });
}

#[test]
fn an_endless_answer_and_a_slow_one_end_in_time() {
    support::runtime().block_on(async {
        let client = Client::open(Duration::from_millis(250)).await;
        let code = client.issue("slow@example.com").await.expect("issue");
        let mut endless = b"8000\r\n".to_vec();
        endless.extend([b' '; 0x8000]);
        endless.extend(b"\r\n");
        let begin = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for fate in [
            Fate::Flood(b"HTTP/1.1 200 OK\r\nx: y\r\n".repeat(1000)),
            Fate::Flood([begin, endless].concat()),
            Fate::Drip(answer("200", r#"{"result":4}"#)),
        ] {
            client.meddler.next([fate]);
            let began = Instant::now();
            assert_eq!(kind(client.verify("slow@example.com", &code).await), Err(ErrorKind::StoreUnavailable));
            assert!(began.elapsed() < PATIENCE, "it took {:?}", began.elapsed());
        }
        let mut last = client.verify("slow@example.com", &code).await;
        // Two cores may be busy with what flooded them.
        while kind(last.as_ref().map_err(|e| Error::new(e.kind(), ""))) == Err(ErrorKind::StoreUnavailable) {
            last = client.verify("slow@example.com", &code).await;
        }
        last.expect("nothing was done");
    });
}

#[test]
fn what_an_answer_said_has_been_written_is_said_in_the_next_request() {
    support::runtime().block_on(async {
        let client = Client::open(support::LONG).await;
        for _ in 0..3 {
            let _ = client.issue("sync@example.com").await;
        }
        let (requests, answers) = client.meddler.take();
        assert_eq!((requests.len(), answers.len()), (3, 3));
        let token = |text: &str| {
            let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with("upstash-sync-token: "));
            line.and_then(|line| line.split_once(": ")).map(|(_, token)| token.trim().to_owned())
        };
        for (answer, request) in answers.iter().zip(&requests[1..]) {
            assert!(token(answer).is_some(), "{answer}");
            assert_eq!(token(answer), token(request));
        }
    });
}

#[test]
fn a_server_that_forgot_the_scripts_is_told_again_in_the_same_call() {
    let server = Server::start("upstash");
    support::runtime().block_on(async {
        let once = open(&server.url, support::LONG).await.expect("open");
        let redis = redis::Client::open(&*server.redis().expect("a Redis").url).expect("a redis url");
        let mut redis = redis.get_multiplexed_async_connection().await.expect("redis answers");
        for number in 0..3 {
            redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut redis).await.expect("flushed");
            let issue = IssueRequest::new(format!("forgot{number}@example.com"), "login");
            once.codes().issue(issue).await.expect("issue");
        }
    });
}

#[test]
fn what_is_stored_is_the_same_over_both_protocols() {
    support::runtime().block_on(async {
        let (redis, rest) = (support::server("ONCECODE_TEST_REDIS"), support::server("ONCECODE_TEST_UPSTASH"));
        let stores = [&redis, &rest].map(|url| open_store(url, FakeClock::default(), support::LONG));
        let stores: Vec<_> = join_all(stores).await.into_iter().map(|store| store.expect("open")).collect();
        let mut connection =
            redis::Client::open(&*redis).expect("a redis url").get_multiplexed_async_connection().await;
        let connection = connection.as_mut().expect("redis answers");
        let input = oncecode::store::Issue { sealed: (0..=255).collect(), ..inputs::issue("a") };

        let mut records: Vec<Vec<u8>> = Vec::new();
        for (number, store) in stores.iter().enumerate() {
            let name = key(&support::unique(), "same");
            assert!(matches!(store.issue(&name, &input, None).await.expect("issue"), Issued::New { .. }));
            records.push(connection.get(name.as_str()).await.expect("a record"));
            // What one wrote, the other reads.
            let attempt = stores[1 - number].attempt(&name, &inputs::attempt("a"), None).await.expect("attempt");
            assert!(matches!(attempt, Attempted::Right { sealed } if sealed == input.sealed));
        }
        assert_eq!(records[0], records[1]);
        assert!(records[0].ends_with(&input.sealed));
    });
}

#[test]
fn tls_trusts_the_named_authority_only_and_the_right_name() {
    support::runtime().block_on(async {
        let url = support::server("ONCECODE_TEST_UPSTASHTLS");
        let (base, _) = url.split_once('?').expect("an authority");
        open(&url, support::LONG).await.expect("the right authority");
        // The certificate is for 127.0.0.1 and localhost.
        for untrusted in [base.to_owned(), url.replace("127.0.0.1", "127.0.0.2")] {
            let error = open(&untrusted, support::LONG).await.expect_err("not to be trusted");
            assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
            assert!(error.to_string().contains("ssl_ca_certs"), "{error}");
        }
        let plain = url.replace("+https:", "+http:").replace(&url[base.len()..], "");
        let error = open(&plain, support::LONG).await.expect_err("not HTTP");
        assert!(matches!(error.kind(), ErrorKind::StoreUnavailable | ErrorKind::Config), "{error:?}");
        let error = open(&format!("{base}?ssl_ca_certs=/dev/null"), support::LONG).await.expect_err("no authority");
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    });
}
