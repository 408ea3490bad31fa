//! `smtp://` over a real connection, to a server that says what it is told to: what its answers come to, that nothing is
//! counted and nothing sent twice. With TLS: bindings-python/tests/test_smtp.py.

#[path = "support/postoffice.rs"]
mod postoffice;

use oncecode::testkit::Recorder;
use oncecode::{Error, ErrorKind, IssueRequest, Oncecode, Options, Sent, Target};
use postoffice::{PostOffice, Reply};
use serde_json::{Value, json};

const EMAIL: &str = "ann@example.com";

fn builder(sender: Value) -> oncecode::Builder {
    let options = json!({
        "mode": "development", "sender": sender, "appName": "Acme", "breaker": false, "sendDeadlineMs": 2000,
        "policy": { "issueLimit": { "max": 1, "windowSeconds": 900 } },
    });
    Oncecode::builder("memory:").options(Options::from_json(&options.to_string()).expect("options"))
}

async fn client(office: &PostOffice) -> Oncecode {
    builder(json!(url(office))).open().await.expect("memory opens")
}

fn url(office: &PostOffice) -> String {
    format!("smtp://ann:t0ken@{}?tls=none&from=Acme%20<no-reply@acme.example>", office.address)
}

async fn issue(once: &Oncecode, to: &str) -> Result<Sent, Error> {
    once.codes().issue(IssueRequest::new(to, "login")).await
}

/// Nothing is live, and neither the cooldown nor the quota (which is one) is used up: the next issue comes through.
async fn assert_nothing_counted(once: &Oncecode, office: &PostOffice, what: &str) {
    let live = once.codes().peek(Target::new(EMAIL, "login")).await.expect("peek");
    assert!(live.is_none(), "{what}: no code is live");
    office.letters();
    issue(once, EMAIL).await.expect(what);
    assert_eq!(office.letters().len(), 1, "{what}");
}

#[tokio::test]
async fn a_letter_has_the_code_twice_and_says_whom_it_is_from() {
    let office = PostOffice::open().await;
    let once = client(&office).await;
    let code = issue(&once, EMAIL).await.expect("sent").code.expect("development mode");
    let letter = office.letters().remove(0);
    for part in
        ["From: Acme <no-reply@acme.example>", "To: ann@example.com", "Subject: Your Acme code", "Message-ID: <"]
    {
        assert!(letter.contains(part), "{part}: {letter}");
    }
    assert_eq!(letter.matches(code.expose()).count(), 2, "as text and as HTML: {letter}");
    assert_eq!((office.heard("EHLO acme.example"), office.heard("AUTH PLAIN")), (1, 1));
    assert_eq!((office.heard("MAIL FROM:<no-reply@acme.example>"), office.heard("RCPT TO:<ann@example.com>")), (1, 1));
}

#[tokio::test]
async fn every_no_comes_to_its_error_and_costs_nothing() {
    use ErrorKind::{Config, DeliveryFailed, DeliveryLimited, InvalidEmail, Unreachable};
    let office = PostOffice::open().await;
    for (step, says, kind, asked) in [
        ("HELLO", "421 4.3.2 going down", DeliveryFailed, 3),
        ("HELLO", "554 5.7.1 not you", DeliveryFailed, 1),
        ("AUTH", "535 5.7.8 ann and t0ken do not fit", Config, 1),
        ("AUTH", "454 4.7.0 later", DeliveryFailed, 3),
        ("MAIL", "553 5.7.1 not yours", Config, 1),
        ("MAIL", "530 5.7.0 log in first", Config, 1),
        ("RCPT", "450 4.7.1 <ann@example.com>: greylisted", DeliveryLimited, 3),
        ("RCPT", "452 4.5.3 too many", DeliveryLimited, 3),
        ("RCPT", "550 5.1.1 <ann@example.com>: no such user", Unreachable, 1),
        ("RCPT", "550 no ann@example.com here", Unreachable, 1),
        ("RCPT", "552 5.2.2 full", Unreachable, 1),
        ("RCPT", "501 5.1.3 ann@example.com?", InvalidEmail, 1),
        ("RCPT", "553 what is ann@example.com", InvalidEmail, 1),
        ("RCPT", "554 5.7.1 relay access denied", DeliveryFailed, 1),
        ("DATA", "451 4.3.0 later", DeliveryLimited, 3),
        (".", "552 5.2.2 ann@example.com is full", Unreachable, 1),
        (".", "554 5.7.1 spam", DeliveryFailed, 1),
        (".", "451 4.3.0 later", DeliveryLimited, 3),
    ] {
        let what = format!("{step}: {says}");
        let once = client(&office).await;
        office.next(step, &[Reply::Says(says); 3]);
        let error = issue(&once, EMAIL).await.map(drop).expect_err(&what);
        assert_eq!(error.kind(), kind, "{what}: {error:?}");
        let shown = format!("{error} {error:?}");
        assert!(["ann@", "t0ken"].iter().all(|part| !shown.contains(part)), "{what}: {shown}");
        office.next(step, &[]);
        // The greeting's no is heard without a word.
        let heard = office.heard("EHLO");
        assert!(heard == asked || step == "HELLO", "{what}: asked {heard} times");
        assert_nothing_counted(&once, &office, &what).await;
        office.heard("EHLO");
    }
}

#[tokio::test]
async fn what_is_for_now_is_tried_again_with_the_same_letter() {
    let office = PostOffice::open().await;
    let once = client(&office).await;
    office.next(".", &[Reply::Says("451 4.3.0 later"), Reply::Says("421 4.3.2 going down")]);
    issue(&once, EMAIL).await.expect("the third try");
    let letters = office.letters();
    let id = |letter: &String| letter.lines().find(|line| line.starts_with("Message-ID: ")).map(str::to_owned);
    let ids: Vec<_> = letters.iter().map(id).collect();
    assert!(ids[0].is_some());
    assert_eq!(ids, vec![ids[0].clone(); 3]);
}

#[tokio::test]
async fn silence_before_the_message_is_followed_by_the_next_sender_and_after_it_by_nobody() {
    let office = PostOffice::open().await;
    for (step, reply, is_sent) in [
        ("HELLO", Reply::Drops, true),
        ("HELLO", Reply::Hangs, true),
        ("HELLO", Reply::Says("SSH-2.0-OpenSSH"), true),
        ("RCPT", Reply::Drops, true),
        ("DATA", Reply::Drops, true),
        (".", Reply::Drops, false),
        (".", Reply::Hangs, false),
        (".", Reply::Says("what?"), false),
    ] {
        let what = format!("{step} {reply:?}");
        let second = Recorder::default();
        let once = builder(json!([url(&office), "callback:0"])).sender(second.clone()).open().await.expect("opens");
        office.next(step, &[reply; 3]);
        let outcome = issue(&once, EMAIL).await.map(drop).map_err(|e| e.kind());
        assert_eq!(outcome, if is_sent { Ok(()) } else { Err(ErrorKind::DeliveryFailed) }, "{what}");
        assert_eq!(second.messages().len(), usize::from(is_sent), "{what}");
        office.next(step, &[]);
        if !is_sent {
            assert_eq!(office.letters().len(), 1, "{what}: said once");
            assert_nothing_counted(&once, &office, &what).await;
        }
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_said_unless_that_is_asked_for() {
    let office = PostOffice::open().await;
    let named = format!("smtp://ann:t0ken@{}?from=no-reply@acme.example", office.address);
    let once = builder(json!(named)).open().await.expect("memory opens");
    let error = issue(&once, EMAIL).await.map(drop).expect_err("no STARTTLS");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.message().contains("STARTTLS"), "{error}");
    assert_eq!((office.heard("EHLO"), office.heard("AUTH"), office.heard("MAIL")), (1, 0, 0));
}

#[tokio::test]
async fn letters_beyond_ascii_in_an_address_need_a_server_that_knows_them() {
    let office = PostOffice::open().await;
    let once = client(&office).await;
    let to = "änn@example.com";
    assert_eq!(issue(&once, to).await.map(drop).map_err(|e| e.kind()), Err(ErrorKind::Unreachable));
    office.next("EHLO", &[Reply::Says("250-test\r\n250-SMTPUTF8\r\n250 AUTH PLAIN")]);
    issue(&once, to).await.expect("sent");
    assert_eq!(office.heard("MAIL FROM:<no-reply@acme.example> SMTPUTF8"), 1);
}

#[tokio::test]
async fn a_phone_is_nothing_for_a_mail_server() {
    let office = PostOffice::open().await;
    let once = client(&office).await;
    assert_eq!(issue(&once, "+14158675309").await.map(drop).map_err(|e| e.kind()), Err(ErrorKind::Config));
    assert_eq!(office.heard("EHLO"), 0);
}
