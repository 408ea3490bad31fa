//! `sendInBackground`: nobody waits for a message, and none is lost without a word.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oncecode::store::MemoryStore;
use oncecode::testkit::Recorder;
use oncecode::{
    Callback, Error, ErrorKind, Event, IssueRequest, LinkRequest, Mode, Oncecode, Options, Target, VerifyRequest,
};
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, mpsc};

const TO: &str = "+14158675309";

/// A client whose sender takes a permit of `gate` for every message.
struct App {
    once: Oncecode,
    store: MemoryStore,
    gate: Arc<Semaphore>,
    sent: Recorder,
    most_at_once: Arc<AtomicUsize>,
    events: AsyncMutex<mpsc::UnboundedReceiver<Event>>,
}

async fn app(options: &str) -> App {
    let (gate, sent, store) = (Arc::new(Semaphore::new(0)), Recorder::default(), MemoryStore::default());
    let (at_once, most_at_once) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (tell, events) = mpsc::unbounded_channel();
    let (pass, inner, most) = (Arc::clone(&gate), sent.clone(), Arc::clone(&most_at_once));
    let sender = Callback::new(move |message| {
        let (pass, inner, at_once, most) = (Arc::clone(&pass), inner.clone(), Arc::clone(&at_once), Arc::clone(&most));
        async move {
            most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let passed = pass.acquire().await;
            at_once.fetch_sub(1, Ordering::SeqCst);
            passed.expect("never closed").forget();
            oncecode::Sender::send(&inner, &message).await
        }
    });
    let mut parsed = Options::from_json(options).expect("options");
    parsed.mode = Mode::Development;
    let listener = move |event: &Event| tell.send(event.clone()).expect("heard");
    let opening = Oncecode::builder("").store(store.clone()).options(parsed).sender(sender).events(listener);
    let once = opening.open().await.expect("opens");
    App { once, store, gate, sent, most_at_once, events: AsyncMutex::new(events) }
}

impl App {
    async fn issue(&self, to: &str) -> Result<String, Error> {
        let sent = self.once.codes().issue(IssueRequest::new(to, "login")).await?;
        Ok(sent.code.expect("development").expose().to_owned())
    }

    async fn next_event(&self) -> String {
        let mut events = self.events.lock().await;
        let event = tokio::time::timeout(Duration::from_secs(10), events.recv()).await.expect("an event in time");
        event.expect("the client lives").name()
    }
}

#[tokio::test]
async fn issue_does_not_wait_for_the_sender() {
    let app = app(r#"{"sendInBackground":true}"#).await;
    let code = app.issue(TO).await.expect("issued");
    assert!(app.sent.messages().is_empty() && app.events.lock().await.try_recv().is_err());
    app.gate.add_permits(1);
    assert_eq!(app.next_event().await, "LOGIN_OTP_CREATED");
    assert_eq!(app.sent.last_code(), Some(code.clone()));
    app.once.codes().verify(VerifyRequest::new(TO, "login", code)).await.expect("verified");
}

#[tokio::test]
async fn a_failure_is_an_event_and_gives_everything_back() {
    let app = app(r#"{"sendInBackground":{"capacity":3}}"#).await;
    app.sent.set_failing(true);
    app.gate.add_permits(4);
    for _ in 0..4 {
        app.issue(TO).await.expect("no cooldown and no quota were used");
        assert_eq!(app.next_event().await, "LOGIN_OTP_DELIVERY_FAILED");
        let live = app.once.codes().peek(Target::new(TO, "login")).await.expect("peek");
        assert!(live.is_none());
    }
}

#[tokio::test]
async fn a_full_queue_refuses_before_anything_is_stored() {
    let app = app(r#"{"sendInBackground":{"capacity":1},"policy":{"issueLimit":{"max":1,"windowSeconds":900}}}"#).await;
    app.issue(TO).await.expect("issued");
    let other = "+14158675308";
    for _ in 0..3 {
        let refused = app.issue(other).await.expect_err("full");
        assert_eq!(refused.kind(), ErrorKind::DeliveryFailed);
        assert_eq!(app.next_event().await, "LOGIN_OTP_ISSUE_REFUSED");
        assert!(app.once.codes().peek(Target::new(other, "login")).await.expect("peek").is_none());
    }
    app.gate.add_permits(2);
    assert_eq!(app.next_event().await, "LOGIN_OTP_CREATED");
    app.issue(other).await.expect("its one issue is still there");
    assert_eq!(app.next_event().await, "LOGIN_OTP_CREATED");
}

#[tokio::test]
async fn closing_waits_for_what_is_under_way() {
    let app = app(r#"{"sendInBackground":{"concurrency":4}}"#).await;
    for n in 0..50 {
        app.issue(&format!("+141586753{n:02}")).await.expect("issued");
    }
    let closing = app.once.close();
    let letting_through = async {
        for _ in 0..50 {
            app.gate.add_permits(1);
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(closing, letting_through);
    assert_eq!(app.sent.messages().len(), 50);
    assert_eq!(app.most_at_once.load(Ordering::SeqCst), 4);
    assert_eq!(app.issue(TO).await.map_err(|e| e.kind()), Err(ErrorKind::Closed));
}

#[tokio::test]
async fn closing_gives_up_in_time_and_takes_codes_back() {
    let app = app(r#"{"sendInBackground":{"concurrency":1},"sendDeadlineMs":200}"#).await;
    for to in [TO, "+14158675308"] {
        app.issue(to).await.expect("issued");
    }
    let begun = Instant::now();
    app.once.close().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    for _ in 0..2 {
        assert_eq!(app.next_event().await, "LOGIN_OTP_DELIVERY_FAILED");
    }
    let another = Oncecode::builder("").store(app.store.clone()).mode(Mode::Development).open().await.expect("opens");
    for to in [TO, "+14158675308"] {
        let live = another.codes().peek(Target::new(to, "login")).await.expect("peek");
        assert!(live.is_none());
    }
}

#[tokio::test]
async fn links_are_sent_in_the_background_too() {
    let app = app(r#"{"sendInBackground":true}"#).await;
    let mut request = LinkRequest::new("ann@example.com", "verify-email");
    request.url = Some("https://app.example/verify".into());
    app.once.links().send(request.clone()).await.expect("on its way");
    app.gate.add_permits(1);
    app.sent.set_failing(true);
    assert_eq!(app.next_event().await, "VERIFY_EMAIL_OTP_DELIVERY_FAILED");
    app.sent.set_failing(false);
    app.once.links().send(request).await.expect("on its way");
    app.gate.add_permits(1);
    app.once.close().await;
    assert_eq!(app.sent.messages().len(), 1);
}

#[tokio::test]
async fn a_binding_starts_the_tasks_where_the_operation_runs() {
    tokio::task_local! { static CALLER: u32; }
    let (seen, heard) = (Arc::new(Mutex::new(None)), Arc::new(Notify::new()));
    let (note, ring) = (Arc::clone(&seen), Arc::clone(&heard));
    let sender = Callback::new(move |_| {
        *note.lock().expect("lock") = CALLER.try_with(|caller| *caller).ok();
        ring.notify_one();
        async { Ok(()) }
    });
    let mut options = Options::from_json(r#"{"sendInBackground":true}"#).expect("options");
    options.mode = Mode::Development;
    let opening = Oncecode::builder("memory:").options(options).sender(sender).spawner(|task| {
        drop(tokio::spawn(CALLER.scope(CALLER.get(), task)));
    });
    let once = opening.open().await.expect("opens");
    assert!(once.sends_in_background());
    CALLER.scope(7, once.codes().issue(IssueRequest::new(TO, "login"))).await.expect("issued");
    heard.notified().await;
    assert_eq!(*seen.lock().expect("lock"), Some(7));
}
