//! Whatever comes in, a typed error or a result comes out; what is refused as a mistake has written and sent nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use oncecode::store::{Count, Entry, MemoryStore, When};
use oncecode::testkit::{FakeClock, Recorder};
use oncecode::{
    BoxFuture, Class, Error, ErrorKind, IssueRequest, Key, LimitDefinition, LinkTarget, Oncecode, Options, Result,
    Store, Target, VerifyRequest,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const SCHEDULES: u32 = 1500;

/// Counts whatever may change it.
#[derive(Clone, Debug)]
struct Counting(MemoryStore, Arc<AtomicUsize>);

impl Counting {
    fn writes(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

impl Store for Counting {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.0.get(key)
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.put(key, value, ttl, when)
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.take(key)
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.count(key, by, ttl)
    }
}

/// Texts of every kind: any, such as are nearly right, with bytes that mean something to others, and long ones.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<String>(),
        4 => "[+0-9() .-]{0,20}",
        3 => "[a-zA-Zäß🙂@. \0-]{0,40}@[a-z0-9ä.-]{0,30}",
        2 => "[a-z0-9_:.-]{0,40}",
        2 => r"[*?\[\]{}%_'`;/\\\r\n\t\x00-]{0,12}",
        1 => ("[+a9@🙂\0]", 1..200_000usize).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(text(), inner, 0..6).prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

/// Option names that there are, with values that they may or may not have.
fn options() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "mode",
        "secret",
        "indexSecret",
        "policy",
        "purposes",
        "sender",
        "appName",
        "defaultRegion",
        "keyPrefix",
        "readableKeys",
        "deadlineMs",
        "sendDeadlineMs",
        "tablePrefix",
        "schema",
        "maxConnections",
        "breaker",
        "purge",
        "limits",
        "trustedProxies",
        "rateLimits",
        "sessions",
        "tokens",
        "links",
        "messages",
        "defaultLocale",
        "surprise",
    ]);
    let rules = prop::sample::select(vec![
        "ttlSeconds",
        "maxAttempts",
        "cooldownSeconds",
        "codeLength",
        "codeAlphabet",
        "issueLimit",
        "failureBudget",
        "resend",
        "max",
        "windowSeconds",
        "algorithm",
        "failures",
        "probeIntervalMs",
        "idleSeconds",
        "keys",
        "algorithms",
    ]);
    let number = prop_oneof![any::<f64>(), (0..2000u32).prop_map(f64::from)].prop_map(Value::from);
    let inner = prop::collection::vec((rules, prop_oneof![number, json()]), 0..4)
        .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
    prop::collection::vec((names, prop_oneof![inner, json()]), 0..4)
        .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
}

struct App {
    once: Oncecode,
    store: Counting,
    sender: Recorder,
}

async fn app() -> App {
    let store = Counting(MemoryStore::new(Arc::new(FakeClock::default())), Arc::default());
    let sender = Recorder::default();
    let off = json!({ "cooldownSeconds": 0, "issueLimit": false, "verifyLimit": false, "ipIssueLimit": false, "ipVerifyLimit": false });
    let options = Options::from_json(&json!({ "mode": "development", "policy": off }).to_string()).expect("options");
    let once = Oncecode::builder("").store(store.clone()).options(options).sender(sender.clone()).open();
    App { once: once.await.expect("open"), store, sender }
}

/// Its message helps and repeats nothing at length.
fn is_a_mistake(error: &Error) -> bool {
    assert!(!error.message().is_empty() && error.message().chars().count() < 400, "{error}");
    assert!(!matches!(error.kind(), ErrorKind::Internal), "{error:?}");
    error.status() == 400
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn always<S: Strategy>(strategy: &S, check: impl Fn(S::Value)) {
    let config = Config { cases: SCHEDULES, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    TestRunner::new(config)
        .run(strategy, |input| {
            check(input);
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn what_cannot_be_issued_is_refused_before_anything_is_written_or_sent() {
    let given = (text(), text(), prop::option::of(text()), prop::option::of(text()), prop::option::of(json()));
    let runtime = runtime();
    let app = runtime.block_on(app());
    always(&(given, any::<bool>()), |((to, purpose, ip, locale, data), usual)| {
        let mut request = IssueRequest::new(to, if usual { "login".to_owned() } else { purpose });
        (request.ip, request.locale, request.data) = (ip, locale, data);
        let before = (app.store.writes(), app.sender.messages().len());
        let outcome = runtime.block_on(app.once.codes().issue(request));
        let after = (app.store.writes(), app.sender.messages().len());
        match outcome {
            Ok(_) => assert_eq!(after.1, before.1 + 1),
            Err(error) => {
                assert!(is_a_mistake(&error), "{error:?}");
                assert_eq!(after, before, "{error:?}");
            }
        }
    });
}

#[test]
fn what_is_no_code_or_id_costs_nothing() {
    let runtime = runtime();
    let app = runtime.block_on(app());
    let to = "+14158675309";
    runtime.block_on(app.once.codes().issue(IssueRequest::new(to, "login"))).expect("issue");
    always(&(text(), prop::option::of(text()), prop::option::of(text())), |(code, id, ip)| {
        let before = app.store.writes();
        let mut request = VerifyRequest::new(to, "login", code);
        (request.id, request.ip) = (id, ip);
        match runtime.block_on(app.once.codes().verify(request)).expect_err("no such code") {
            // A text that reads as six digits is a guess.
            error if !is_a_mistake(&error) => assert_eq!(error.status() / 100, 4, "{error:?}"),
            error => assert_eq!(app.store.writes(), before, "{error:?}"),
        }
        assert!(runtime.block_on(app.once.codes().peek(Target::new(to, "login"))).expect("peek").is_some());
    });
}

#[test]
fn tokens_links_and_limits_are_read_without_fear() {
    let runtime = runtime();
    let app = runtime.block_on(app());
    always(&(text(), text()), |(token, other)| {
        let before = app.store.writes();
        let refused = [
            runtime.block_on(app.once.sessions().validate(&token, None)).map(drop),
            runtime.block_on(app.once.tokens().verify(&token)).map(drop),
            runtime.block_on(app.once.links().verify(LinkTarget::new(&*token, &*other))).map(drop),
            app.once.limits().client_ip(&token, Some(&other)).map(drop),
        ];
        for error in refused.into_iter().filter_map(Result::err) {
            assert!(matches!(error.kind().class(), Class::Refusal), "{error:?}");
            assert!(error.message().chars().count() < 400, "{error}");
        }
        assert_eq!(app.store.writes(), before, "who only asks changes nothing");
    });
}

#[test]
fn options_of_any_kind_are_taken_or_refused_by_name() {
    let runtime = runtime();
    always(&options(), |mut given| {
        let secret = "hunter2 hunter2 hunter2 hunter2 hunter2";
        if given.get("secret").is_none() {
            given["secret"] = secret.into();
        }
        let opened = Options::from_json(&given.to_string()).and_then(|options| {
            let clock = FakeClock::default();
            let builder = Oncecode::builder("memory:").options(options).clock(clock).sender(Recorder::default());
            runtime.block_on(builder.open()).map(drop)
        });
        if let Err(error) = opened {
            assert_eq!(error.kind(), ErrorKind::Config, "{given}: {error:?}");
            assert!(is_helpful(&error) && !format!("{error:?}").contains("hunter2"), "{error}");
        }
    });
}

#[test]
fn limits_of_any_kind_are_taken_or_refused() {
    let runtime = runtime();
    let app = runtime.block_on(app());
    let definition = (any::<f64>(), prop_oneof![any::<f64>(), 0.0..1e9f64], text());
    always(&definition, |(max, window, name)| {
        let given = json!({ "max": max as i64, "windowSeconds": window });
        let Ok(definition) = serde_json::from_value::<LimitDefinition>(given) else { return };
        if let Err(error) = app.once.limits().define(&name, &definition) {
            assert!(error.kind() == ErrorKind::Config && is_helpful(&error), "{error:?}");
        }
    });
}

fn is_helpful(error: &Error) -> bool {
    !error.message().is_empty() && error.message().chars().count() < 1600
}
