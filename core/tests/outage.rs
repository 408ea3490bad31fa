//! Servers that are absent, killed, frozen or cut off: an answer within the deadline, and the next call works again.

#[path = "support/admin.rs"]
mod admin;
#[path = "support/server.rs"]
mod server;
mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use libtest_mimic::{Arguments, Trial};
use oncecode::{BoxFuture, Error, ErrorKind, IssueRequest, Oncecode, Options, VerifyRequest};
use serde_json::json;

use admin::{admin, ends_were_noticed, wrong};
use server::{Server, free_port};

/// The default.
const DEADLINE: Duration = Duration::from_millis(250);
/// What a caller may wait at most, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(1);

type Case = for<'a> fn(&'a mut Server) -> BoxFuture<'a, ()>;

macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        &[$((stringify!($name), |server| Box::pin($name(server)))),+]
    };
}

const ALL: &[(&str, Case)] = cases![
    an_absent_server_is_told_at_open,
    a_frozen_server_is_told_at_open_within_the_deadline,
    a_frozen_server_fails_calls_within_the_deadline_and_works_afterwards,
    a_server_frozen_amid_calls_leaves_the_client_usable,
];
const KEEPING: &[(&str, Case)] = cases![
    a_server_that_hangs_leaves_the_client_usable,
    a_killed_server_fails_calls_at_once_and_works_when_restarted,
    a_restart_between_two_calls_goes_unnoticed,
    wrong_credentials_are_a_config_error_that_repeats_nothing,
];
const FORGETTING: &[(&str, Case)] = cases![a_killed_server_fails_calls_at_once_and_knows_nothing_when_restarted];
const CONNECTIONS: &[(&str, Case)] =
    cases![connections_cut_between_two_calls_go_unnoticed, connections_cut_amid_calls_hang_nobody];
const REDIS: &[(&str, Case)] = cases![flushed_scripts_go_unnoticed, flushed_data_is_no_way_to_use_a_code_twice];

/// One server a kind and one case at a time: a deadline means little on a machine that starts servers meanwhile.
fn main() {
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let mut trials = Vec::new();
    // upstash.rs cuts a bridge's connections.
    let kinds: [(_, &[_]); 5] = [
        ("redis", &[ALL, KEEPING, CONNECTIONS, REDIS]),
        ("postgres", &[ALL, KEEPING, CONNECTIONS]),
        ("mysql", &[ALL, KEEPING, CONNECTIONS]),
        ("upstash", &[ALL, KEEPING, REDIS]),
        ("memcached", &[ALL, FORGETTING]),
    ];
    for (kind, cases) in kinds {
        let shared = Arc::new(Mutex::new(None));
        for &(name, case) in cases.iter().copied().flatten() {
            let shared = Arc::clone(&shared);
            trials.push(Trial::test(format!("{kind}::{name}"), move || {
                let mut shared = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let server = shared.get_or_insert_with(|| Server::start(kind));
                server.heal();
                support::runtime().block_on(case(server));
                Ok(())
            }));
        }
    }
    // The servers end with the last trial of their kind, which holds the last `Arc`.
    libtest_mimic::run(&arguments, trials).exit();
}

/// A client that never sees a code accepted twice. Each code has an address of its own.
struct Client {
    once: Oncecode,
    accepted: Mutex<HashMap<String, u32>>,
}

struct Code {
    to: String,
    code: String,
}

impl Client {
    async fn open(url: &str) -> Result<Self, Error> {
        let options = json!({ "mode": "development", "sender": "none:" }).to_string();
        let once = Oncecode::builder(url).options(Options::from_json(&options)?).open().await?;
        Ok(Self { once, accepted: Mutex::default() })
    }

    async fn issue(&self) -> Result<Code, Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let to = format!("user{}@example.com", NEXT.fetch_add(1, Ordering::Relaxed));
        let sent = self.once.codes().issue(IssueRequest::new(&*to, "login")).await?;
        Ok(Code { to, code: sent.code.expect("development mode").expose().to_owned() })
    }

    async fn verify(&self, code: &Code) -> Result<(), Error> {
        self.once.codes().verify(VerifyRequest::new(&*code.to, "login", &*code.code)).await?;
        let mut accepted = self.accepted.lock().expect("no panic before");
        let times = accepted.entry(code.to.clone()).or_default();
        *times += 1;
        assert_eq!(*times, 1, "a code was accepted twice");
        Ok(())
    }

    /// A server that is gone refuses so many calls in no time that the breaker opens, which lets one through within a
    /// second. Whatever fails until then was not sent.
    async fn is_let_through(&self) {
        let begin = Instant::now();
        while let Err(e) = self.issue().await {
            let wait = e.retry_after().expect("the first call that is let through works");
            assert!(begin.elapsed() + wait < Duration::from_secs(1) + PATIENCE, "after {:?}: {e:?}", begin.elapsed());
            tokio::time::sleep(wait).await;
        }
    }

    /// The very next call works, and codes from before are what they were.
    async fn works(&self, before: &Before) {
        let fresh = self.issue().await.expect("the next call works");
        self.verify(&fresh).await.expect("the code works");
        for code in [&fresh, &before.used] {
            assert_eq!(self.verify(code).await.map_err(|e| e.kind()), Err(ErrorKind::CodeNotFound));
        }
    }
}

/// Codes from before an outage.
struct Before {
    used: Code,
    live: Code,
}

async fn before(server: &Server) -> (Client, Before) {
    admin(server).await.hold_nothing_back().await;
    let client = Client::open(&server.url).await.expect("the server answers");
    let (used, live) = (client.issue().await.expect("issue"), client.issue().await.expect("issue"));
    client.verify(&used).await.expect("verify");
    (client, Before { used, live })
}

/// How long it took to say `STORE_UNAVAILABLE`.
async fn unavailable<T>(call: impl Future<Output = Result<T, Error>>) -> Duration {
    let begin = Instant::now();
    let error = call.await.err().expect("nothing works without its store");
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::StoreUnavailable, true), "{error:?}");
    assert!(begin.elapsed() < PATIENCE, "it took {:?}", begin.elapsed());
    begin.elapsed()
}

/// One issue, one verify, and fifty calls at once. Says how long each took.
async fn fails(client: &Client, live: &Code) -> Vec<Duration> {
    let mut took = vec![unavailable(client.issue()).await, unavailable(client.verify(live)).await];
    let issues = join_all((0..25).map(|_| unavailable(client.issue())));
    let verifies = join_all((0..25).map(|_| unavailable(client.verify(live))));
    let (issues, verifies) = futures::join!(issues, verifies);
    took.extend(issues.into_iter().chain(verifies));
    took
}

/// Calls without end from four callers, until each has been refused by the outage. Returns once `enough` have worked.
async fn storm(client: &Arc<Client>, enough: u32) -> Vec<tokio::task::JoinHandle<()>> {
    let done = Arc::new(AtomicU32::new(0));
    let caller = |client: Arc<Client>, done: Arc<AtomicU32>| async move {
        loop {
            let begin = Instant::now();
            let outcome = async { client.verify(&client.issue().await?).await }.await;
            assert!(begin.elapsed() < 2 * PATIENCE, "two calls took {:?}", begin.elapsed());
            match outcome {
                Ok(()) => done.fetch_add(1, Ordering::Relaxed),
                Err(e) => break assert_eq!(e.kind(), ErrorKind::StoreUnavailable, "{e:?}"),
            };
        }
    };
    let callers = (0..4).map(|_| tokio::spawn(caller(Arc::clone(client), Arc::clone(&done)))).collect();
    while done.load(Ordering::Relaxed) < enough {
        tokio::task::yield_now().await;
    }
    callers
}

async fn an_absent_server_is_told_at_open(server: &mut Server) {
    unavailable(Client::open(&server.url_at(free_port()))).await;
}

async fn a_frozen_server_is_told_at_open_within_the_deadline(server: &mut Server) {
    server.freeze();
    assert!(unavailable(Client::open(&server.url)).await >= DEADLINE);
}

async fn a_frozen_server_fails_calls_within_the_deadline_and_works_afterwards(server: &mut Server) {
    let (client, before) = before(server).await;
    server.freeze();
    let took = fails(&client, &before.live).await;
    assert!(took.iter().all(|took| *took >= DEADLINE), "given up early: {took:?}");
    server.thaw();
    admin(server).await;
    client.works(&before).await;
    // What was asked while the server slept may have been done when it woke.
    let _ = client.verify(&before.live).await;
    assert_eq!(client.verify(&before.live).await.map_err(|e| e.kind()), Err(ErrorKind::CodeNotFound));
}

async fn a_server_frozen_amid_calls_leaves_the_client_usable(server: &mut Server) {
    let (client, before) = before(server).await;
    let client = Arc::new(client);
    for _ in 0..3 {
        let callers = storm(&client, 20).await;
        server.freeze();
        for caller in callers {
            caller.await.expect("an answer in time");
        }
        server.thaw();
        admin(server).await;
        client.works(&before).await;
    }
    client.verify(&before.live).await.expect("nothing was asked about this one");
}

async fn a_server_that_hangs_leaves_the_client_usable(server: &mut Server) {
    let (client, before) = before(server).await;
    let mut admin = admin(server).await;
    admin.hang().await;
    let took = fails(&client, &before.live).await;
    assert!(took.iter().all(|took| *took >= DEADLINE), "given up early: {took:?}");
    admin.go_on().await;
    client.works(&before).await;
}

async fn a_killed_server_fails_calls_at_once_and_works_when_restarted(server: &mut Server) {
    let (client, before) = before(server).await;
    server.kill();
    fails(&client, &before.live).await;
    server.restart();
    client.is_let_through().await;
    client.works(&before).await;
    client.verify(&before.live).await.expect("the code outlived the server");
}

/// What it has forgotten is nothing that could be accepted again.
async fn a_killed_server_fails_calls_at_once_and_knows_nothing_when_restarted(server: &mut Server) {
    let (client, before) = before(server).await;
    server.kill();
    fails(&client, &before.live).await;
    server.restart();
    client.is_let_through().await;
    client.works(&before).await;
    assert_eq!(client.verify(&before.live).await.map_err(|e| e.kind()), Err(ErrorKind::CodeNotFound));
}

async fn a_restart_between_two_calls_goes_unnoticed(server: &mut Server) {
    let (client, before) = before(server).await;
    server.kill();
    server.restart();
    client.works(&before).await;
    client.verify(&before.live).await.expect("the code outlived the server");
}

async fn connections_cut_between_two_calls_go_unnoticed(server: &mut Server) {
    let (client, before) = before(server).await;
    // Several connections, where the store has several.
    let codes = join_all((0..20).map(|_| client.issue())).await;
    let mut admin = admin(server).await;
    admin.cut_others().await;
    admin.is_alone().await;
    if server.kind == "redis" {
        // What is sent before the end is noticed may or may not arrive, and is not repeated.
        ends_were_noticed(server).await;
    }
    client.works(&before).await;
    for code in codes {
        client.verify(&code.expect("issue")).await.expect("none of the old connections is used again");
    }
}

async fn connections_cut_amid_calls_hang_nobody(server: &mut Server) {
    let (client, before) = before(server).await;
    let (client, mut admin) = (Arc::new(client), admin(server).await);
    let callers = storm(&client, 20).await;
    // One call at least is always under way; each cut ends those that are.
    while !callers.iter().all(|caller| caller.is_finished()) {
        admin.cut_others().await;
    }
    for caller in callers {
        caller.await.expect("an answer in time");
    }
    client.works(&before).await;
}

async fn wrong_credentials_are_a_config_error_that_repeats_nothing(server: &mut Server) {
    let mut admin = admin(server).await;
    let right = admin.protect(&server.url).await;
    let mut found = Vec::new();
    for url in wrong(&right) {
        found.push((Client::open(&url).await.map(|_| ()), url));
    }
    assert!(Client::open(&right).await.is_ok(), "the right ones work");
    admin.unprotect().await;
    for (outcome, url) in found {
        let error = outcome.expect_err(&url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error:?}");
        let (mut said, mut cause) = (format!("{error} {error:?}"), std::error::Error::source(&error));
        while let Some(deeper) = cause {
            said += &format!(" {deeper} {deeper:?}");
            cause = deeper.source();
        }
        let password = url::Url::parse(&url).ok().and_then(|url| url.password().map(str::to_owned));
        for secret in [&*password.unwrap_or_else(|| "hunter2".into()), &url, "://"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

async fn flushed_scripts_go_unnoticed(server: &mut Server) {
    let (client, before) = before(server).await;
    admin(server).await.ask("SCRIPT FLUSH").await;
    client.works(&before).await;
    admin(server).await.ask("SCRIPT FLUSH").await;
    client.verify(&before.live).await.expect("the code is still there");
}

async fn flushed_data_is_no_way_to_use_a_code_twice(server: &mut Server) {
    let (client, before) = before(server).await;
    admin(server).await.ask("FLUSHALL").await;
    client.works(&before).await;
    assert_eq!(client.verify(&before.live).await.map_err(|e| e.kind()), Err(ErrorKind::CodeNotFound));
}
