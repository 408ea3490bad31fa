//! `once.codes` as an app uses it: what the cases in JSON cannot show (time, senders, events, several clients).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use oncecode::testkit::{FakeClock, Recorder};
use oncecode::{
    Callback, ErrorKind, Event, IssueRequest, Message, Mode, Oncecode, Options, ResendRequest, SenderOption, Sent,
    Target, VerifyRequest,
};

const SECRET: &str = "a secret of thirty-two bytes or more";
const TO: &str = "+14158675309";

struct App {
    once: Oncecode,
    clock: FakeClock,
    sender: Recorder,
    events: Arc<Mutex<Vec<Event>>>,
}

async fn app(options: &str) -> App {
    let (clock, sender, events) = (FakeClock::default(), Recorder::default(), Arc::new(Mutex::new(Vec::new())));
    let heard = Arc::clone(&events);
    let once = Oncecode::builder("memory:")
        .options(Options::from_json(options).expect("options"))
        .secret(SECRET)
        .clock(clock.clone())
        .sender(sender.clone())
        .events(move |event| heard.lock().expect("events").push(event.clone()))
        .open()
        .await
        .expect("memory opens");
    App { once, clock, sender, events }
}

impl App {
    async fn issue(&self) -> Result<Sent, ErrorKind> {
        self.once.codes().issue(IssueRequest::new(TO, "login")).await.map_err(|e| e.kind())
    }

    async fn verify(&self, code: &str) -> Result<(), ErrorKind> {
        self.once.codes().verify(VerifyRequest::new(TO, "login", code)).await.map(drop).map_err(|e| e.kind())
    }

    fn code(&self) -> String {
        self.sender.last_code().expect("a message was sent")
    }

    fn wrong(&self) -> &'static str {
        if self.code() == "000000" { "000001" } else { "000000" }
    }

    fn events(&self) -> Vec<String> {
        self.events.lock().expect("events").iter().map(Event::name).collect()
    }
}

#[tokio::test]
async fn production_sends_the_code_and_does_not_return_it() {
    let app = app("{}").await;
    let sent = app.issue().await.expect("issued");
    assert!(sent.code.is_none());
    let message: Message = app.sender.messages().remove(0);
    assert_eq!((message.to.as_str(), message.id.as_str()), (TO, sent.id.as_str()));
    assert!(message.text.expose().contains(message.code.expose()));
    assert!(message.text.expose().ends_with("It expires in 10 minutes."));
    app.verify(&app.code()).await.expect("verified");
}

#[tokio::test]
async fn a_code_lives_for_its_time_and_no_longer() {
    let app = app("{}").await;
    app.issue().await.expect("issued");
    app.clock.advance(Duration::from_millis(599_999));
    assert_eq!(app.verify(app.wrong()).await, Err(ErrorKind::WrongCode));
    app.clock.advance(Duration::from_millis(1));
    assert_eq!(app.verify(&app.code()).await, Err(ErrorKind::CodeNotFound));
}

#[tokio::test]
async fn a_failed_send_leaves_nothing_behind() {
    let app = app("{}").await;
    app.sender.set_failing(true);
    for _ in 0..10 {
        assert_eq!(app.issue().await.err(), Some(ErrorKind::DeliveryFailed));
    }
    let live = app.once.codes().peek(Target::new(TO, "login")).await.expect("peek");
    assert!(live.is_none());
    app.sender.set_failing(false);
    app.issue().await.expect("no cooldown and no quota were used");
    app.verify(&app.code()).await.expect("verified");
}

#[tokio::test]
async fn a_failed_resend_of_a_kept_code_leaves_the_first_message_valid() {
    let app = app(r#"{"policy":{"resend":"keep"}}"#).await;
    app.issue().await.expect("issued");
    app.clock.advance(Duration::from_secs(61));
    app.sender.set_failing(true);
    let failed = app.once.codes().resend(ResendRequest::new(TO, "login")).await;
    assert_eq!(failed.map_err(|e| e.kind()).err(), Some(ErrorKind::DeliveryFailed));
    app.verify(&app.code()).await.expect("the first message still works");
}

const FIXED: &str = r#"{"testCodes":{"codes":{"+1 415 867 5309":"000 123"},"until":"2026-12-31",
    "allowInProduction":["+14158675309"]},"policy":{"issueLimit":false,"resend":"keep"}}"#;

#[tokio::test]
async fn a_fixed_test_code_is_not_sent_and_keeps_every_other_rule() {
    let app = app(FIXED).await;
    for again in 0..2 {
        let sent = app.issue().await.expect("issued");
        assert!(sent.code.is_none(), "production tells no code");
        assert_eq!(app.issue().await.err(), Some(ErrorKind::Cooldown));
        app.clock.advance(Duration::from_secs(60));
        app.once.codes().resend(ResendRequest::new(TO, "login")).await.expect("kept");
        assert_eq!(app.verify("000124").await, Err(ErrorKind::WrongCode));
        app.verify("000123").await.expect("the fixed code");
        assert_eq!(app.verify("000123").await, Err(ErrorKind::CodeNotFound), "once, round {again}");
    }
    assert!(app.sender.messages().is_empty());
    let other = IssueRequest::new("+14158675308", "login");
    app.once.codes().issue(other).await.expect("issued");
    assert_eq!(app.sender.messages().len(), 1, "others get theirs");
}

#[tokio::test]
async fn a_fixed_test_code_ends_with_its_date() {
    let app = app(FIXED).await;
    // Until the end of 2026-12-31, which is 1 798 761 600 000.
    app.clock.advance(Duration::from_millis(1_798_761_600_000 - 1_780_000_000_000 - 1000));
    app.issue().await.expect("issued");
    app.clock.advance(Duration::from_millis(1000));
    assert_eq!(app.verify("000123").await, Err(ErrorKind::CodeNotFound), "its last second is over");
    app.clock.advance(Duration::from_secs(60));
    app.issue().await.expect("issued");
    assert_ne!(app.code(), "000123");
}

#[tokio::test]
async fn fixed_test_codes_do_not_start_in_production_unnamed() {
    let unnamed = FIXED.replace("\"allowInProduction\":[\"+14158675309\"]", "\"allowInProduction\":[]");
    let options = Options::from_json(&unnamed).expect("options");
    let open = Oncecode::builder("memory:").options(options).secret(SECRET).clock(FakeClock::default());
    let error = open.sender(Recorder::default()).open().await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("allowInProduction"), "{error}");
}

#[tokio::test]
async fn a_sender_that_never_ends_is_given_up() {
    let forever = Callback::new(|_| std::future::pending());
    let options = Options::from_json(r#"{"sendDeadlineMs":20}"#).expect("options");
    let once = Oncecode::builder("memory:").options(options).secret(SECRET).sender(forever);
    let once = once.open().await.expect("memory opens");
    let error = once.codes().issue(IssueRequest::new(TO, "login")).await.expect_err("given up");
    assert_eq!(error.kind(), ErrorKind::DeliveryFailed);
    let live = once.codes().peek(Target::new(TO, "login")).await.expect("peek");
    assert!(live.is_none());
}

#[tokio::test]
async fn a_kept_code_is_replaced_in_its_second_half() {
    let app = app(r#"{"policy":{"resend":"keep","issueLimit":false,"codeLength":10}}"#).await;
    app.issue().await.expect("issued");
    let first = app.code();
    for (wait, same) in [(200, true), (100, true), (61, false)] {
        app.clock.advance(Duration::from_secs(wait));
        app.once.codes().resend(ResendRequest::new(TO, "login")).await.expect("sent again");
        assert_eq!(app.code() == first, same, "after another {wait} s");
    }
    assert_eq!(app.sender.messages().len(), 4);
}

#[tokio::test]
async fn events_name_what_happened_and_mask_addresses() {
    let app = app("{}").await;
    app.issue().await.expect("issued");
    app.issue().await.expect_err("cooldown");
    app.verify(app.wrong()).await.expect_err("wrong");
    app.verify(&app.code()).await.expect("verified");
    assert_eq!(
        app.events(),
        ["LOGIN_OTP_CREATED", "LOGIN_OTP_ISSUE_REFUSED", "LOGIN_OTP_VERIFICATION_FAILED", "LOGIN_OTP_VERIFIED"]
    );
    let events = app.events.lock().expect("events").clone();
    assert_eq!(
        events.iter().map(Event::reason).collect::<Vec<_>>(),
        [None, Some("COOLDOWN"), Some("WRONG_CODE"), None]
    );
    assert_eq!(events[2].attempts_left, Some(4));
    let shown = format!("{events:?}");
    assert!(shown.contains("+14*****5309") && !shown.contains(TO) && !shown.contains(&app.code()));
}

#[tokio::test]
async fn a_closed_client_says_so() {
    let app = app("{}").await;
    app.once.close().await;
    app.once.close().await;
    assert_eq!(app.issue().await.err(), Some(ErrorKind::Closed));
    assert_eq!(app.verify("012345").await, Err(ErrorKind::Closed));
}

#[tokio::test]
async fn production_does_not_start_without_a_way_to_reach_users() {
    for sender in [None, Some("console:"), Some("none:"), Some("carrier-pigeon:")] {
        let mut options = Options::default();
        options.sender = sender.map(SenderOption::from).unwrap_or_default();
        let error = Oncecode::builder("memory:").options(options).secret(SECRET).open().await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Config, "{sender:?}");
    }
}

#[tokio::test]
async fn urls_that_name_no_store_are_refused_without_repeating_them() {
    let long = format!("redis://{}", "x".repeat(10_000));
    for url in
        ["", "hunter2", "ftp://user:hunter2@host", "redis", "sqlite", "redis://hunter2@:x", "redis://h\0unter2", &long]
    {
        let error = Oncecode::builder(url).mode(Mode::Development).open().await.expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url:?}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_rotated_secret_keeps_codes_and_budgets() {
    let store = oncecode::store::MemoryStore::default();
    let open = |secrets: &str| {
        let json = format!(r#"{{"mode":"development","sender":"none:","indexSecret":"old","secret":{secrets}}}"#);
        let options = Options::from_json(&json).expect("options");
        Oncecode::builder("").options(options).store(store.clone()).open()
    };
    let (before, during, after) = (open(r#"["old"]"#), open(r#"["new","old"]"#), open(r#"["new"]"#));
    let (before, during, after) = tokio::try_join!(before, during, after).expect("all open");
    let sent = before.codes().issue(IssueRequest::new(TO, "login")).await.expect("issued");
    let code = sent.code.expect("development");
    let verify = |once: &Oncecode| once.codes().verify(VerifyRequest::new(TO, "login", code.expose()));
    assert_eq!(
        verify(&after).await.map_err(|e| e.kind()).err(),
        Some(ErrorKind::CodeNotFound),
        "not its key, not counted"
    );
    verify(&during).await.expect("both secrets are accepted");
}
