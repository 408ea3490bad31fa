//! `tests/cases/*.json`, which every language answers alike.

use std::collections::HashMap;
use std::time::Duration;

use oncecode::{
    Begun, CacheRequest, Error, Followed, HitRequest, IdempotencyRequest, IssueRequest, LinkRequest, LinkTarget, Lock,
    LockRequest, NewSession, Oncecode, Options, OtpAlgorithm, OtpSettings, Peek, Quota, ResendRequest, Secret, Sent,
    Session, SessionRequest, SessionTarget, SignRequest, Target, TotpRequest, Verified, VerifyRequest,
};
use serde_json::{Map, Value, json};

type Saved = HashMap<String, Value>;

#[test]
fn every_case_of_codes_holds() {
    every_case_holds(include_str!("../../tests/cases/code.json"), "codes", 31);
}

#[test]
fn every_case_of_locks_holds() {
    every_case_holds(include_str!("../../tests/cases/lock.json"), "locks", 8);
}

#[test]
fn every_case_of_idempotency_holds() {
    every_case_holds(include_str!("../../tests/cases/idempotency.json"), "idempotency", 9);
}

#[test]
fn every_case_of_limits_holds() {
    every_case_holds(include_str!("../../tests/cases/limit.json"), "limits", 10);
}

#[test]
fn every_case_of_the_cache_holds() {
    every_case_holds(include_str!("../../tests/cases/cache.json"), "cache", 6);
}

#[test]
fn every_case_of_totp_holds() {
    every_case_holds(include_str!("../../tests/cases/totp.json"), "totp", 9);
}

#[test]
fn every_case_of_sessions_holds() {
    every_case_holds(include_str!("../../tests/cases/session.json"), "sessions", 11);
}

#[test]
fn every_case_of_tokens_holds() {
    every_case_holds(include_str!("../../tests/cases/token.json"), "tokens", 25);
}

#[test]
fn every_case_of_links_holds() {
    every_case_holds(include_str!("../../tests/cases/link.json"), "links", 7);
}

fn every_case_holds(file: &str, service: &str, at_least: usize) {
    let cases: Vec<Value> = serde_json::from_str(file).expect("valid JSON");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for case in &cases {
        runtime.block_on(hold(case, service));
    }
    assert!(cases.len() >= at_least);
}

async fn hold(case: &Value, service: &str) {
    let mut options = json!({ "mode": "development", "sender": "none:" });
    for (name, value) in case["options"].as_object().into_iter().flatten() {
        options[name] = value.clone();
    }
    let options = Options::from_json(&options.to_string()).expect("options");
    let once = Oncecode::builder("memory:").options(options).open().await.expect("memory opens");
    let (mut saved, mut held) = (Saved::new(), Vec::new());
    for (at, step) in case["steps"].as_array().expect("steps").iter().enumerate() {
        let place = format!("{} (step {at})", case["name"]);
        let with = filled(&step["with"], &saved);
        let what = step["do"].as_str().expect("a step says what to do");
        let called = match service {
            "locks" => lock(&once, what, &with, &mut held).await,
            "idempotency" => idempotency(&once, what, &with).await,
            "limits" => limits(&once, what, &with).await,
            "cache" => cache(&once, what, &with).await,
            "totp" => totp(&once, what, &with).await,
            "sessions" => of_sessions(&once, what, &with).await,
            "tokens" => of_tokens(&once, what, &with).await,
            "links" => of_links(&once, what, &with).await,
            _ => of_codes(&once, what, &with).await,
        };
        match (called, step.get("gives"), step.get("fails")) {
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

async fn of_codes(once: &Oncecode, what: &str, with: &Value) -> Result<Value, Error> {
    let text = |name: &str| with.get(name).and_then(Value::as_str).map(str::to_owned);
    let (to, id, ip, purpose) = (text("to"), text("id"), text("ip"), text("purpose").unwrap_or_default());
    let codes = once.codes();
    match what {
        "issue" => {
            let mut request = IssueRequest::new(to.unwrap_or_default(), purpose);
            (request.ip, request.data) = (ip, with.get("data").cloned());
            codes.issue(request).await.map(sent)
        }
        "verify" => {
            let mut request = VerifyRequest::new("", purpose, text("code").unwrap_or_default());
            (request.to, request.id, request.ip) = (to, id, ip);
            codes.verify(request).await.map(verified)
        }
        "resend" => {
            let mut request = ResendRequest::new("", purpose);
            (request.to, request.id, request.ip) = (to, id, ip);
            codes.resend(request).await.map(sent)
        }
        other => {
            let mut target = Target::new("", purpose);
            (target.to, target.id) = (to, id);
            match other {
                "cancel" => codes.cancel(target).await.map(Value::Bool),
                "peek" => codes.peek(target).await.map(|live| live.map_or(Value::Null, peeked)),
                _ => panic!("no such method: {other}"),
            }
        }
    }
}

/// `held` keeps locks: a dropped one is released.
async fn lock(once: &Oncecode, what: &str, with: &Value, held: &mut Vec<Lock>) -> Result<Value, Error> {
    let (locks, name, token) = (once.locks(), text(with, "name"), text(with, "token"));
    let mut request = LockRequest::new(&name, span(&with["ttlSeconds"]));
    request.renew = with["renew"] == true;
    if !with["waitSeconds"].is_null() {
        request.wait = span(&with["waitSeconds"]);
    }
    let mut keep = |lock: Lock| {
        let shown = json!({ "token": lock.token(), "fence": lock.fence() });
        held.push(lock);
        shown
    };
    match what {
        "acquire" => locks.acquire(request).await.map(keep),
        "tryAcquire" => locks.try_acquire(request).await.map(|lock| lock.map_or(Value::Null, &mut keep)),
        "extend" => locks.extend(&name, &token, span(&with["ttlSeconds"])).await.map(|()| Value::Null),
        "release" => locks.release(&name, &token).await.map(Value::Bool),
        other => panic!("no such method: {other}"),
    }
}

async fn idempotency(once: &Oncecode, what: &str, with: &Value) -> Result<Value, Error> {
    let (keys, scope, key, token) = (once.idempotency(), text(with, "scope"), text(with, "key"), text(with, "token"));
    match what {
        "begin" => {
            let mut request = IdempotencyRequest::new(scope, key);
            request.fingerprint = with["fingerprint"].clone();
            for (name, field) in [
                ("leaseSeconds", &mut request.lease),
                ("retentionSeconds", &mut request.retention),
                ("waitSeconds", &mut request.wait),
            ] {
                if !with[name].is_null() {
                    *field = span(&with[name]);
                }
            }
            Ok(match keys.begin(request).await? {
                Begun::Claimed(claim) => json!({ "replayed": false, "token": claim.token() }),
                Begun::Replayed(reply) => json!({ "replayed": true, "value": reply.value }),
                other => panic!("{other:?}"),
            })
        }
        "complete" => keys.complete(&scope, &key, &token, with["reply"].clone()).await.map(|()| Value::Null),
        "abandon" => keys.abandon(&scope, &key, &token).await.map(Value::Bool),
        other => panic!("no such method: {other}"),
    }
}

async fn limits(once: &Oncecode, what: &str, with: &Value) -> Result<Value, Error> {
    let (limits, mut request) = (once.limits(), HitRequest::default());
    let given = |name: &str| with[name].as_str().map(str::to_owned);
    (request.limit, request.key, request.ip) = (text(with, "limit"), given("key"), given("ip"));
    request.cost = with["cost"].as_u64().map(|cost| cost as u32);
    match what {
        "hit" => limits.hit(request).await.map(quota),
        "peek" => limits.peek(request).await.map(quota),
        "reset" => limits.reset(request).await.map(|()| Value::Null),
        "clientIp" => limits.client_ip(&text(with, "remote"), with["forwardedFor"].as_str()).map(Value::String),
        other => panic!("no such method: {other}"),
    }
}

fn quota(quota: Quota) -> Value {
    json!({
        "limit": quota.limit, "allowed": quota.allowed, "max": quota.max, "remaining": quota.remaining,
        "degraded": quota.degraded,
    })
}

async fn cache(once: &Oncecode, what: &str, with: &Value) -> Result<Value, Error> {
    let (cache, mut request) = (once.cache(), CacheRequest::new(text(with, "key")));
    request.version = with["version"].as_u64().unwrap_or(1) as u32;
    if !with["ttlSeconds"].is_null() {
        request.ttl = span(&with["ttlSeconds"]);
    }
    match what {
        "get" => {
            let found = cache.get(&request.key, request.version).await?;
            Ok(found.map_or(Value::Null, |cached| json!({ "value": cached.value })))
        }
        "set" => {
            let value = Some(with["value"].clone()).filter(|value| !value.is_null());
            cache.set(request, value).await.map(|()| Value::Null)
        }
        "invalidate" => cache.invalidate(&request.key).await.map(Value::Bool),
        other => panic!("no such method: {other}"),
    }
}

async fn totp(once: &Oncecode, what: &str, with: &Value) -> Result<Value, Error> {
    let (totp, secret) = (once.totp(), Secret::from(text(with, "secret")));
    let mut settings = OtpSettings::default();
    if let Some(name) = with["algorithm"].as_str() {
        settings.algorithm = OtpAlgorithm::parse(name)?;
    }
    settings.digits = with["digits"].as_u64().unwrap_or(6) as u8;
    settings.period_seconds = with["periodSeconds"].as_u64().unwrap_or(30) as u32;
    let mut request = TotpRequest::new(text(with, "user"), secret.clone(), text(with, "code"));
    request.window = with["window"].as_u64().unwrap_or(1) as u32;
    (request.counter, request.settings) = (with["counter"].as_u64(), settings);
    match what {
        "code" => {
            let code = totp.code_of(&secret, with["counter"].as_u64().expect("a counter"), settings)?;
            Ok(json!(code.expose()))
        }
        "check" => Ok(json!(totp.check(&request, 0)?)),
        "verify" => totp.verify(request).await.map(|done| json!({ "step": done.step, "drift": done.drift })),
        "enrol" => totp.enrol(&text(with, "issuer"), &text(with, "account"), settings).map(|_| Value::Null),
        "qrSvg" => totp.qr_svg(&text(with, "text")).map(Value::String),
        "recoveryCodes" => totp.recovery_codes(&text(with, "user"), 0).map(|_| Value::Null),
        other => panic!("no such method: {other}"),
    }
}

fn text(with: &Value, name: &str) -> String {
    with[name].as_str().unwrap_or_default().to_owned()
}

fn span(seconds: &Value) -> Duration {
    Duration::try_from_secs_f64(seconds.as_f64().unwrap_or_default()).unwrap_or(Duration::MAX)
}

async fn of_sessions(once: &Oncecode, what: &str, with: &Value) -> Result<Value, Error> {
    let text = |name: &str| with.get(name).and_then(Value::as_str).map(str::to_owned);
    let (user, token) = (text("userId").unwrap_or_default(), text("token").unwrap_or_default());
    let sessions = once.sessions();
    match what {
        "create" => {
            let mut request = SessionRequest::new(user);
            (request.device, request.ip, request.data) = (text("device"), text("ip"), with.get("data").cloned());
            request.ttl = with.get("ttlSeconds").and_then(Value::as_f64).map(Duration::from_secs_f64);
            sessions.create(request).await.map(begun)
        }
        "validate" => sessions.validate(&token, text("ip").as_deref()).await.map(session),
        "rotate" => sessions.rotate(&token).await.map(begun),
        "list" => sessions.list(&user).await.map(|all| json!({ "length": all.len() })),
        "revoke" => {
            let target = match text("id") {
                Some(id) => SessionTarget::id(user, id),
                None => SessionTarget::token(token),
            };
            sessions.revoke(target).await.map(Value::Bool)
        }
        "revokeAll" => sessions.revoke_all(&user, text("except").as_deref()).await.map(Value::from),
        "cookie" => sessions.cookie(&token, None).map(Value::from),
        "clearCookie" => Ok(sessions.clear_cookie().into()),
        "readCookie" => Ok(sessions.read_cookie(&text("header").unwrap_or_default()).into()),
        _ => panic!("no such method: {what}"),
    }
}

async fn of_tokens(once: &Oncecode, what: &str, with: &Value) -> Result<Value, Error> {
    let text = |name: &str| with.get(name).and_then(Value::as_str).unwrap_or_default();
    let tokens = once.tokens();
    let sign = || {
        let mut request = SignRequest::new(with["claims"].as_object().expect("claims").clone());
        request.ttl = with.get("ttlSeconds").and_then(Value::as_f64).map(Duration::from_secs_f64);
        request
    };
    let claims = |claims: oncecode::Claims| Value::Object(claims.to_map());
    match what {
        "sign" => tokens.sign(sign()).await.map(|token| json!({ "token": token.expose() })),
        "signStateless" => tokens.sign_stateless(&sign()).map(|token| json!({ "token": token.expose() })),
        "verify" => tokens.verify(text("token")).await.map(claims),
        "verifyStateless" => tokens.verify_stateless(text("token")).map(claims),
        "revoke" => tokens.revoke(text("token")).await.map(Value::Bool),
        "revokeAll" => tokens.revoke_all(text("userId")).await.map(|()| Value::Null),
        "revokeEverybody" => tokens.revoke_everybody().await.map(|()| Value::Null),
        "jwks" => Ok(tokens.jwks()),
        _ => panic!("no such method: {what}"),
    }
}

async fn of_links(once: &Oncecode, what: &str, with: &Value) -> Result<Value, Error> {
    let text = |name: &str| with.get(name).and_then(Value::as_str).map(str::to_owned);
    let purpose = text("purpose").unwrap_or_default();
    let links = once.links();
    if what == "issue" || what == "send" {
        let mut request = LinkRequest::new(text("to").unwrap_or_default(), purpose);
        (request.data, request.url, request.locale) = (with.get("data").cloned(), text("url"), text("locale"));
        let link = if what == "send" { links.send(request).await } else { links.issue(&request) };
        return link.map(|link| json!({ "token": link.token.expose() }));
    }
    let mut target = LinkTarget::new(text("token").unwrap_or_default(), purpose);
    target.to = text("to");
    match what {
        "verify" => links.verify(target).await.map(followed),
        "peek" => links.peek(target).await.map(followed),
        _ => panic!("no such method: {what}"),
    }
}

fn begun(new: NewSession) -> Value {
    json!({ "token": new.token.expose(), "session": session(new.session) })
}

fn session(session: Session) -> Value {
    json!({
        "id": session.id, "userId": session.user_id, "device": session.device, "ip": session.ip, "data": session.data,
    })
}

fn followed(done: Followed) -> Value {
    json!({ "identifier": done.identifier.as_str(), "purpose": done.purpose, "data": done.data })
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
    // Braces without a field are a name's own.
    let Some((name, fields)) = path.split_once('.') else { return text.to_owned() };
    let value = fields.split('.').fold(&saved[name], |value, field| &value[field]);
    let value = value.as_str().expect("a text").to_owned();
    let digits = |zero: u32| value.bytes().filter_map(|b| char::from_u32(zero + u32::from(b - b'0'))).collect();
    match filter {
        "" => value,
        "wrong" => value.bytes().map(|b| char::from(b'0' + (b - b'0' + 1) % 10)).collect(),
        "spaced" => format!("{} {}", &value[..3], &value[3..]),
        "fullwidth" => digits(0xff10),
        "arabic" => digits(0x0660),
        "lower" => value.to_lowercase(),
        "altered" => {
            let (head, tail) = value.split_at(value.len() - 12);
            format!("{head}{}{}", if tail.starts_with('A') { "B" } else { "A" }, &tail[1..])
        }
        "short" => value[..value.len() - 1].to_owned(),
        other => panic!("no such filter: {other}"),
    }
}
