//! `tests/cases/code.json`, which every language answers alike.

use std::collections::HashMap;

use oncecode::{Error, IssueRequest, Oncecode, Options, Peek, ResendRequest, Sent, Target, Verified, VerifyRequest};
use serde_json::{Map, Value, json};

type Saved = HashMap<String, Value>;

#[test]
fn every_case_holds() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../tests/cases/code.json")).expect("valid JSON");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for case in &cases {
        runtime.block_on(hold(case));
    }
    assert!(cases.len() > 30);
}

async fn hold(case: &Value) {
    let mut options = json!({ "mode": "development", "sender": "none:" });
    for (name, value) in case["options"].as_object().into_iter().flatten() {
        options[name] = value.clone();
    }
    let options = Options::from_json(&options.to_string()).expect("options");
    let once = Oncecode::builder("memory:").options(options).open().await.expect("memory opens");
    let mut saved = Saved::new();
    for (at, step) in case["steps"].as_array().expect("steps").iter().enumerate() {
        let place = format!("{} (step {at})", case["name"]);
        match (call(&once, step, &saved).await, step.get("gives"), step.get("fails")) {
            (Ok(result), Some(expected), None) => {
                assert_has(&result, &filled(expected, &saved), &place);
                if let Some(name) = step["save"].as_str() {
                    saved.insert(name.to_owned(), result);
                }
            }
            (Err(error), None, Some(expected)) => assert_has(&shown(&error), expected, &place),
            (Ok(_), ..) => panic!("{place} must fail"),
            (Err(error), ..) => panic!("{place} must not fail: {}", error.code()),
        }
    }
}

async fn call(once: &Oncecode, step: &Value, saved: &Saved) -> Result<Value, Error> {
    let with = filled(&step["with"], saved);
    let text = |name: &str| with.get(name).and_then(Value::as_str).map(str::to_owned);
    let (to, id, ip, purpose) = (text("to"), text("id"), text("ip"), text("purpose").unwrap_or_default());
    let codes = once.codes();
    match step["do"].as_str() {
        Some("issue") => {
            let mut request = IssueRequest::new(to.unwrap_or_default(), purpose);
            (request.ip, request.data) = (ip, with.get("data").cloned());
            codes.issue(request).await.map(sent)
        }
        Some("verify") => {
            let mut request = VerifyRequest::new("", purpose, text("code").unwrap_or_default());
            (request.to, request.id, request.ip) = (to, id, ip);
            codes.verify(request).await.map(verified)
        }
        Some("resend") => {
            let mut request = ResendRequest::new("", purpose);
            (request.to, request.id, request.ip) = (to, id, ip);
            codes.resend(request).await.map(sent)
        }
        Some(other) => {
            let mut target = Target::new("", purpose);
            (target.to, target.id) = (to, id);
            match other {
                "cancel" => codes.cancel(target).await.map(Value::Bool),
                "peek" => codes.peek(target).await.map(|live| live.map_or(Value::Null, peeked)),
                _ => panic!("no such method: {other}"),
            }
        }
        None => panic!("a step says what to do"),
    }
}

fn sent(sent: Sent) -> Value {
    let code = sent.code.map(|code| code.expose().to_owned());
    json!({ "id": sent.id, "attemptsLeft": sent.attempts_left, "code": code })
}

fn verified(done: Verified) -> Value {
    json!({ "identifier": done.identifier.as_str(), "purpose": done.purpose, "data": done.data })
}

fn peeked(live: Peek) -> Value {
    json!({ "id": live.id, "attemptsLeft": live.attempts_left })
}

fn shown(error: &Error) -> Value {
    json!({
        "code": error.code(), "status": error.status(), "retryable": error.retryable(),
        "attemptsLeft": error.attempts_left(), "retryAfterSeconds": error.retry_after_seconds(),
    })
}

fn assert_has(actual: &Value, expected: &Value, place: &str) {
    let Some(fields) = expected.as_object() else {
        assert_eq!(actual, expected, "{place}");
        return;
    };
    for (name, wanted) in fields {
        match (name.as_str(), wanted.as_array()) {
            ("retryAfterSeconds", Some(range)) => {
                let seconds = actual[name].as_u64().unwrap_or_else(|| panic!("{place}: no {name}"));
                let within = range[0].as_u64() <= Some(seconds) && Some(seconds) <= range[1].as_u64();
                assert!(within, "{place}: {name} is {seconds}");
            }
            _ => assert_eq!(&actual[name], wanted, "{place}: {name}"),
        }
    }
}

/// `value` with every `{name.field|filter}` replaced.
fn filled(value: &Value, saved: &Saved) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, saved)),
        Value::Array(items) => items.iter().map(|item| filled(item, saved)).collect(),
        Value::Object(fields) => Value::Object(
            fields.iter().map(|(name, value)| (name.clone(), filled(value, saved))).collect::<Map<_, _>>(),
        ),
        other => other.clone(),
    }
}

fn fill(text: &str, saved: &Saved) -> String {
    let Some(path) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) else { return text.to_owned() };
    let (path, filter) = path.split_once('|').unwrap_or((path, ""));
    let (name, field) = path.split_once('.').expect("a name and a field");
    let value = saved[name][field].as_str().expect("a text").to_owned();
    let digits = |zero: u32| value.bytes().filter_map(|b| char::from_u32(zero + u32::from(b - b'0'))).collect();
    match filter {
        "" => value,
        "wrong" => value.bytes().map(|b| char::from(b'0' + (b - b'0' + 1) % 10)).collect(),
        "spaced" => format!("{} {}", &value[..3], &value[3..]),
        "fullwidth" => digits(0xff10),
        "arabic" => digits(0x0660),
        "lower" => value.to_lowercase(),
        "short" => value[..value.len() - 1].to_owned(),
        other => panic!("no such filter: {other}"),
    }
}
