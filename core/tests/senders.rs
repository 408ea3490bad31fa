//! Providers over real HTTP: what they are asked, what their answers come to, and that nothing is counted and nothing sent
//! twice.

#[path = "support/gateway.rs"]
mod gateway;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gateway::{Answer, Asked, Gateway};
use oncecode::testkit::{FakeClock, Recorder};
use oncecode::{
    Callback, DeliveryState, Error, ErrorKind, IssueRequest, Oncecode, Options, Sent, StatusRequest, Target,
};
use serde_json::{Value, json};

const PHONE: &str = "+14158675309";
const EMAIL: &str = "ann@example.com";

/// The providers, each as a sender that asks a gateway; a success; whom they serve.
const PROVIDERS: [(&str, &str, &str); 3] = [
    ("twilio", "twilio://AC1:t0ken@?from=+15551234567&base=", PHONE),
    ("msg91", "msg91://t0ken@?template=T1&base=", PHONE),
    ("sendgrid", "sendgrid://t0ken@?from=no-reply@acme.example&base=", EMAIL),
];

async fn client(sender: Value, more: Value) -> Oncecode {
    builder(sender, more).open().await.expect("memory opens")
}

fn builder(sender: Value, more: Value) -> oncecode::Builder {
    let mut options = json!({
        "mode": "development", "sender": sender, "appName": "Acme", "policy": { "issueLimit": { "max": 1, "windowSeconds": 900 } },
        // What is tried here in a row is one server's bad luck each.
        "breaker": false,
    });
    options.as_object_mut().expect("options").extend(more.as_object().cloned().unwrap_or_default());
    Oncecode::builder("memory:").options(Options::from_json(&options.to_string()).expect("options"))
}

async fn issue(once: &Oncecode, to: &str) -> Result<Sent, Error> {
    once.codes().issue(IssueRequest::new(to, "login")).await
}

fn kind<T>(outcome: Result<T, Error>) -> Result<(), ErrorKind> {
    outcome.map(drop).map_err(|e| e.kind())
}

/// Nothing is live, and neither the cooldown nor the quota (which is one) is used up: the next issue comes through.
async fn assert_nothing_counted(once: &Oncecode, to: &str, gateway: &Gateway, provider: &str, what: &str) {
    let live = once.codes().peek(Target::new(to, "login")).await.expect("peek");
    assert!(live.is_none(), "{what}: no code is live");
    gateway.next([success(provider)]);
    let again = kind(issue(once, to).await);
    assert_eq!(again, Ok(()), "{what}: nothing was counted");
    gateway.take();
}

/// How the provider says that it took a message.
fn success(provider: &str) -> Answer {
    let (status, body) = match provider {
        "twilio" => (201, json!({ "sid": "SM1", "status": "queued" }).to_string()),
        "msg91" => (200, json!({ "type": "success", "message": "3763646c3058373530393938" }).to_string()),
        _ => (202, String::new()),
    };
    Answer::Http(status, BTreeMap::new(), body)
}

fn status(status: u16) -> Answer {
    Answer::Http(status, BTreeMap::new(), String::new())
}

struct Fixture {
    name: String,
    answer: Answer,
    expect: Value,
}

/// Answers as the provider's pages say, each with what it comes to.
fn fixtures(provider: &str) -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(provider);
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a fixture");
        let fixture: Value = serde_json::from_str(&text).expect("JSON");
        assert!(fixture["page"].as_str().is_some_and(|page| page.starts_with("https://")), "{path:?} names its page");
        let headers = serde_json::from_value(fixture["headers"].clone()).expect("headers");
        let body = match &fixture["body"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            json => json.to_string(),
        };
        let status = fixture["status"].as_u64().expect("a status") as u16;
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        Fixture { name, answer: Answer::Http(status, headers, body), expect: fixture["expect"].clone() }
    };
    let found: Vec<_> =
        std::fs::read_dir(folder).expect("fixtures").map(|entry| read(entry.expect("a file").path())).collect();
    assert!(found.len() > 4, "{provider} has fixtures");
    found
}

#[tokio::test]
async fn every_answer_that_the_providers_pages_name_comes_to_its_error_or_to_none() {
    for (provider, sender, to) in PROVIDERS {
        let gateway = Gateway::open().await;
        for fixture in fixtures(provider) {
            let what = format!("{provider}/{}", fixture.name);
            let once = client(json!(format!("{sender}{}", gateway.url)), json!({})).await;
            gateway.next([fixture.answer]);
            let outcome = issue(&once, to).await;
            assert_eq!(gateway.take().len(), 1, "{what}: asked once");
            let Some(code) = fixture.expect["code"].as_str() else {
                outcome.expect(&what);
                assert_eq!(kind(issue(&once, to).await), Err(ErrorKind::RateLimited), "{what}: one is the limit");
                continue;
            };
            let error = outcome.map(drop).expect_err(&what);
            assert_eq!(error.code(), code, "{what}: {error:?}");
            assert_eq!(error.retry_after_seconds(), fixture.expect["retryAfterSeconds"].as_u64(), "{what}");
            let shown = format!("{error} {error:?}");
            assert!(["8675309", "ann@", "t0ken"].iter().all(|part| !shown.contains(part)), "{what}: {shown}");
            assert_nothing_counted(&once, to, &gateway, provider, &what).await;
        }
    }
}

#[tokio::test]
async fn what_may_have_been_sent_is_not_sent_again_and_costs_nothing() {
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n".to_owned() + &"x".repeat(2 << 20);
    for (provider, sender, to) in PROVIDERS {
        let gateway = Gateway::open().await;
        for (fate, answer) in [
            ("lost", Answer::Drop),
            ("late", Answer::Hang),
            ("no HTTP", Answer::Raw(b"\x00\xff SSH-2.0-OpenSSH\r\n\r\n".to_vec())),
            ("cut off", Answer::Raw(b"HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"sid\":".to_vec())),
            ("too long", Answer::Raw(long.clone().into_bytes())),
            ("of somebody else", Answer::Http(302, BTreeMap::new(), "<html>log in to this network".into())),
            ("broken", status(500)),
            ("from a proxy", status(502)),
        ] {
            let what = format!("{provider}: {fate}");
            let second = Recorder::default();
            let named = json!([format!("{sender}{}", gateway.url), "callback:0"]);
            let once = builder(named, json!({ "sendDeadlineMs": 600 })).sender(second.clone());
            let once = once.open().await.expect("memory opens");
            gateway.next([answer]);
            let outcome = kind(issue(&once, to).await);
            assert_eq!(gateway.take().len(), 1, "{what}: asked once");
            // Of all these a redirect alone says that nothing was done.
            if fate == "of somebody else" {
                assert_eq!((outcome, second.messages().len()), (Ok(()), 1), "{what}");
                continue;
            }
            assert_eq!((outcome, second.messages().len()), (Err(ErrorKind::DeliveryFailed), 0), "{what}");
            assert_nothing_counted(&once, to, &gateway, provider, &what).await;
        }
    }
}

#[tokio::test]
async fn what_was_surely_not_sent_is_tried_again_with_the_same_key_and_code() {
    for (provider, sender, to) in PROVIDERS {
        let gateway = Gateway::open().await;
        let once = client(json!(format!("{sender}{}", gateway.url)), json!({})).await;
        let now = BTreeMap::from([("retry-after".to_owned(), "0".to_owned())]);
        gateway.next([status(503), Answer::Http(429, now, String::new()), success(provider)]);
        issue(&once, to).await.expect("the third try");
        let asked = gateway.take();
        assert_eq!(asked.len(), 3, "{provider}");
        assert!(asked.iter().all(|one| one.body == asked[0].body && one.headers == asked[0].headers), "{provider}");
    }
}

#[tokio::test]
async fn who_cannot_be_reached_is_followed_by_the_next_with_the_same_code() {
    let closed = { std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address") };
    for (provider, sender, to) in PROVIDERS {
        for (fate, url) in [("refused", format!("http://{closed}")), ("no such host", "http://nowhere.invalid".into())]
        {
            let second = Recorder::default();
            let once = builder(json!([format!("{sender}{url}"), "callback:0"]), json!({})).sender(second.clone());
            let sent = issue(&once.open().await.expect("memory opens"), to).await.expect(provider);
            assert_eq!(
                second.last_code().as_deref(),
                sent.code.as_ref().map(|code| code.expose()),
                "{provider} {fate}"
            );
            assert_eq!(second.messages().len(), 1);
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_not_asked_of_the_next_and_what_is_wrong_with_a_provider_is() {
    let gateway = Gateway::open().await;
    let error = |status, code: u32| Answer::Http(status, BTreeMap::new(), json!({ "code": code }).to_string());
    for (answer, outcome) in [
        (error(400, 21211), Err(ErrorKind::InvalidPhone)),
        (error(400, 21610), Err(ErrorKind::Unreachable)),
        (error(400, 21408), Ok(())),
        (error(401, 20003), Ok(())),
        (error(400, 99999), Ok(())),
    ] {
        let second = Recorder::default();
        let named = json!([format!("{}{}", PROVIDERS[0].1, gateway.url), "callback:0"]);
        let once = builder(named, json!({})).sender(second.clone()).open().await.expect("memory opens");
        gateway.next([answer]);
        assert_eq!(kind(issue(&once, PHONE).await), outcome);
        assert_eq!((gateway.take().len(), second.messages().len()), (1, usize::from(outcome.is_ok())));
    }
}

#[tokio::test]
async fn a_function_that_failed_is_followed_only_where_it_says_that_it_did_nothing() {
    for undone in [true, false] {
        let first = Callback::new(move |_| async move {
            let error = Error::new(ErrorKind::DeliveryFailed, "no");
            Err(if undone { error.undone() } else { error })
        });
        let second = Recorder::default();
        let once = builder(Value::Null, json!({})).sender(first).sender(second.clone()).open().await.expect("opens");
        assert_eq!(issue(&once, PHONE).await.is_ok(), undone);
        assert_eq!(second.messages().len(), usize::from(undone));
    }
}

#[tokio::test]
async fn an_address_goes_to_the_first_who_serves_it() {
    let gateway = Gateway::open().await;
    let second = Recorder::default();
    let named = json!([format!("{}{}", PROVIDERS[0].1, gateway.url), "callback:0"]);
    let once = builder(named, json!({})).sender(second.clone()).open().await.expect("memory opens");
    issue(&once, EMAIL).await.expect("the second");
    assert_eq!((gateway.take().len(), second.messages().len()), (0, 1));
    gateway.next([success("twilio")]);
    issue(&once, PHONE).await.expect("the first");
    assert_eq!((gateway.take().len(), second.messages().len()), (1, 1));

    let phones_only = client(json!(format!("{}{}", PROVIDERS[0].1, gateway.url)), json!({})).await;
    assert_eq!(kind(issue(&phones_only, EMAIL).await), Err(ErrorKind::Config));
    assert_eq!(gateway.take().len(), 0, "nobody was asked");
}

#[tokio::test]
async fn a_provider_that_fails_in_a_row_is_left_alone_and_comes_back() {
    let gateway = Gateway::open().await;
    let rules = json!({ "breaker": { "failures": 2 }, "policy": { "cooldownSeconds": 0, "issueLimit": false } });
    let clock = FakeClock::default();
    let named = json!(format!("{}{}", PROVIDERS[0].1, gateway.url));
    let once = builder(named, rules).clock(clock.clone()).open().await.expect("memory opens");
    gateway.next([status(500), status(500)]);
    for _ in 0..2 {
        assert_eq!(kind(issue(&once, PHONE).await), Err(ErrorKind::DeliveryFailed));
    }
    let resting = issue(&once, PHONE).await.map(drop).expect_err("left alone");
    assert_eq!((resting.kind(), resting.retry_after_seconds()), (ErrorKind::DeliveryFailed, Some(1)));
    assert_eq!(gateway.take().len(), 2, "the third was not asked");
    clock.advance(Duration::from_secs(1));
    gateway.next([success("twilio"), success("twilio")]);
    for _ in 0..2 {
        issue(&once, PHONE).await.expect("it is back");
    }
    assert_eq!(gateway.take().len(), 2);
}

#[tokio::test]
async fn twilio_is_asked_as_its_page_says() {
    let gateway = Gateway::open().await;
    let base = percent(&gateway.url);
    let from = format!(
        "twilio://AC1:t0ken@?from=+15551234567&callback=https%3A%2F%2Fapp.example%2Fsms%3Fid={{id}}&base={base}"
    );
    let service = format!("twilio://AC1:t0ken@?service=MG1&base={base}");
    for (sender, origin) in [(from, "From=%2B15551234567"), (service, "MessagingServiceSid=MG1")] {
        let once = client(json!(sender), json!({})).await;
        gateway.next([success("twilio")]);
        let sent = issue(&once, PHONE).await.expect("sent");
        let Asked { method, path, headers, body } = gateway.take().remove(0);
        assert_eq!((method.as_str(), path.as_str()), ("POST", "/2010-04-01/Accounts/AC1/Messages.json"));
        assert_eq!(headers["authorization"], "Basic QUMxOnQwa2Vu");
        assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
        let code = sent.code.expect("development mode");
        assert!(body.starts_with("To=%2B14158675309&"), "{body}");
        assert!(
            body.contains(origin) && body.contains(&format!("Body={}%20is%20your%20Acme%20code.", code.expose())),
            "{body}"
        );
        let callback = format!("StatusCallback=https%3A%2F%2Fapp.example%2Fsms%3Fid%3D{}", sent.id);
        assert_eq!(body.contains(&callback), origin.starts_with("From"), "{body}");
    }
}

#[tokio::test]
async fn sendgrid_is_asked_as_its_page_says() {
    let gateway = Gateway::open().await;
    let named = format!("sendgrid://SG.t0ken@?from=Acme%20<no-reply@acme.example>&base={}", percent(&gateway.url));
    let once = client(json!(named), json!({})).await;
    gateway.next([success("sendgrid")]);
    let code = issue(&once, EMAIL).await.expect("sent").code.expect("development mode");
    let Asked { method, path, headers, body } = gateway.take().remove(0);
    assert_eq!((method.as_str(), path.as_str()), ("POST", "/v3/mail/send"));
    assert_eq!(
        (headers["authorization"].as_str(), headers["content-type"].as_str()),
        ("Bearer SG.t0ken", "application/json")
    );
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["personalizations"], json!([{ "to": [{ "email": EMAIL }] }]));
    assert_eq!(body["from"], json!({ "email": "no-reply@acme.example", "name": "Acme" }));
    assert_eq!(body["subject"], "Your Acme code");
    let part =
        |n: usize| (body["content"][n]["type"].as_str(), body["content"][n]["value"].as_str().unwrap_or_default());
    let ((text, plain), (html, marked)) = (part(0), part(1));
    assert_eq!((text, html), (Some("text/plain"), Some("text/html")));
    assert!(plain.contains(code.expose()) && marked.contains(code.expose()) && marked.contains("</p>"), "{body}");
    assert_eq!(body["tracking_settings"]["click_tracking"], json!({ "enable": false, "enable_text": false }));
}

#[tokio::test]
async fn msg91_is_asked_as_its_pages_say() {
    let gateway = Gateway::open().await;
    let ask = async |options: &str| {
        let named = format!("msg91://t0ken@?template=T1&base={}{options}", percent(&gateway.url));
        let once = client(json!(named), json!({})).await;
        gateway.next([success("msg91")]);
        let code = issue(&once, PHONE).await.expect("sent").code.expect("development mode");
        (code.expose().to_owned(), gateway.take().remove(0))
    };
    for (options, variable, sender) in
        [("", "VAR1", Value::Null), ("&variable=otp&sender=ACMEIN", "otp", json!("ACMEIN"))]
    {
        let (code, Asked { method, path, headers, body }) = ask(options).await;
        assert_eq!((method.as_str(), path.as_str(), headers["authkey"].as_str()), ("POST", "/api/v5/flow/", "t0ken"));
        assert_eq!(headers["content-type"], "application/json");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["recipients"], json!([{ "mobiles": "14158675309", variable: code }]));
        assert_eq!((&body["flow_id"], &body["short_url"], &body["sender"]), (&json!("T1"), &json!("0"), &sender));
    }
    let (code, Asked { method, path, headers, body }) = ask("&api=otp").await;
    let asked = format!("/api/v5/otp?otp_expiry=10&template_id=T1&mobile=14158675309&otp_length=6&otp={code}");
    assert_eq!((method.as_str(), path, headers["authkey"].as_str(), body.as_str()), ("POST", asked, "t0ken", ""));
}

#[tokio::test]
async fn what_msg91s_otp_cannot_send_is_not_asked_of_it() {
    let gateway = Gateway::open().await;
    let named = format!("msg91://t0ken@?template=T1&api=otp&base={}", percent(&gateway.url));
    let letters = json!({ "policy": { "codeAlphabet": "letters", "codeLength": 8 } });
    let once = client(json!(named), letters).await;
    assert_eq!(kind(issue(&once, PHONE).await), Err(ErrorKind::Config));
    assert_eq!(gateway.take().len(), 0);
}

#[tokio::test]
async fn what_twilio_signed_is_believed_and_nothing_else() {
    let once = client(json!(["none:", "twilio://AC1:12345@?from=+15551234567"]), json!({})).await;
    let mut request = StatusRequest::default();
    request.url = "https://app.example/sms?id=abc".into();
    request.body = b"MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005&To=%2B14158675309".to_vec();
    assert_eq!(once.sender().status(&request).map_err(|e| e.kind()), Err(ErrorKind::InvalidSignature));
    // echo -n 'https://app.example/sms?id=abcErrorCode30005MessageSidSM1MessageStatusundeliveredTo+14158675309' |
    //     openssl dgst -sha1 -hmac 12345 -binary | base64
    request.headers = vec![("X-TWILIO-Signature".into(), "FHYxJPJo1E2MORKJk+L0T3vqIjw=".into())];
    let status = once.sender().status(&request).expect("signed");
    assert_eq!((status.provider, status.message.as_str(), status.state), ("twilio", "SM1", DeliveryState::Failed));
    assert_eq!((status.reason, status.provider_code.as_deref()), (Some(ErrorKind::Unreachable), Some("30005")));
    for change in
        [b"MessageStatus=delivered".as_slice(), b"", b"MessageSid=SM1&MessageStatus=delivered&ErrorCode=30005"]
    {
        request.body = change.to_vec();
        assert_eq!(once.sender().status(&request).map_err(|e| e.kind()), Err(ErrorKind::InvalidSignature));
    }
}

#[tokio::test]
async fn a_gateway_is_asked_by_its_template_and_nothing_in_a_message_leaves_its_place() {
    let gateway = Gateway::open().await;
    let url = format!("{}/send/{{digits}}?text={{text}}", gateway.url.replace("http://", "http://ann:p%40ss@"));
    let name = r#"A"} & <b>+é"#;
    for (content_type, body, seen) in [
        ("application/json", r#"{"m":[{"to":"{to}","text":"{text}"}]}"#, r#"A\"} & <b>+é"#),
        ("application/x-www-form-urlencoded", "to={to}&text={text}", "A%22%7D%20%26%20%3Cb%3E%2B%C3%A9"),
        ("text/xml; charset=utf-8", "<m to='{to}'>{text}</m>", "A&quot;} &amp; &lt;b&gt;+é"),
        ("text/plain", "{to} {text}", name),
    ] {
        let webhook = json!({
            "url": url, "method": "put", "headers": { "X-Sender": "Acme {purpose}" }, "contentType": content_type, "body": body,
        });
        let once = client(webhook, json!({ "appName": name })).await;
        gateway.next([status(200)]);
        let code = issue(&once, PHONE).await.expect("sent").code.expect("development mode");
        let Asked { method, path, headers, body } = gateway.take().remove(0);
        assert_eq!(method, "PUT");
        assert!(path.starts_with(&format!("/send/14158675309?text={}%20is%20your%20A%22%7D", code.expose())), "{path}");
        assert_eq!(
            (headers["x-sender"].as_str(), headers["authorization"].as_str()),
            ("Acme login", "Basic YW5uOnBAc3M=")
        );
        assert_eq!(headers["content-type"], content_type);
        assert_eq!(headers["idempotency-key"].len(), 32);
        assert!(body.contains(seen) && body.contains(code.expose()), "{content_type}: {body}");
    }
}

#[tokio::test]
async fn a_gateway_of_ones_own_gets_all_there_is_and_says_what_it_serves() {
    let gateway = Gateway::open().await;
    let once = client(json!(format!("webhook+{}/hook", gateway.url)), json!({})).await;
    gateway.next([status(204)]);
    let sent = issue(&once, EMAIL).await.expect("sent");
    let asked = gateway.take().remove(0);
    let body: Value = serde_json::from_str(&asked.body).expect("JSON");
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/hook"));
    assert_eq!((&body["to"], &body["id"], &body["purpose"]), (&json!(EMAIL), &json!(sent.id), &json!("login")));
    assert_eq!(body["code"], json!(sent.code.expect("development mode").expose()));
    assert!(body["html"].as_str().is_some_and(|html| html.contains("</p>")) && body["subject"] == "Your Acme code");
    let emails = client(json!({ "url": gateway.url, "serves": "email" }), json!({})).await;
    assert_eq!(kind(issue(&emails, PHONE).await), Err(ErrorKind::Config));
}

#[tokio::test]
async fn a_gateway_that_knows_its_keys_is_asked_again_where_an_answer_was_lost() {
    let gateway = Gateway::open().await;
    let webhook = json!({ "url": gateway.url, "idempotent": true, "expect": "\"ok\":true" });
    let once = client(webhook, json!({})).await;
    gateway.next([Answer::Drop, status(500), Answer::Http(200, BTreeMap::new(), r#"{"ok":true}"#.into())]);
    issue(&once, PHONE).await.expect("the third try");
    let keys: Vec<_> = gateway.take().iter().map(|asked| asked.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys, vec![keys[0].clone(); 3]);

    let once = client(json!({ "url": gateway.url, "expect": "\"ok\":true" }), json!({})).await;
    gateway.next([Answer::Http(200, BTreeMap::new(), r#"{"ok":false}"#.into())]);
    assert_eq!(kind(issue(&once, PHONE).await), Err(ErrorKind::DeliveryFailed), "200 is not enough");
    assert_eq!(gateway.take().len(), 1);
}

fn percent(url: &str) -> String {
    url::form_urlencoded::byte_serialize(url.as_bytes()).collect()
}
