//! Stolen stores, logs, events, errors and `Debug` output: none of them holds a code, an address, data or a secret.

#[path = "support/dumps.rs"]
mod dumps;
#[path = "support/logs.rs"]
mod logs;
mod support;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use oncecode::store::{Attempted, Issued, MemoryStore, Peeked};
use oncecode::testkit::{FakeClock, Recorder, inputs, key};
use oncecode::{
    Begun, CacheRequest, Callback, Error, IdempotencyRequest, IssueRequest, LinkRequest, LinkTarget, LockRequest,
    Oncecode, Options, OtpSettings, ResendRequest, Result, Secret, SessionRequest, SessionTarget, SignRequest, Target,
    TotpRequest, VerifyRequest,
};
use serde_json::{Value, json};

use dumps::{File, mysql_dump, postgres_dump, redis_dump};
use logs::logs;

const SECRET: &str = "correct horse battery staple, long enough";
const INDEX_SECRET: &str = "another horse, another battery, long enough";
/// As typed, and what must be found of it nowhere: as E.164 or normalised, and the part that names a person.
const ADDRESSES: [(&str, [&str; 3]); 2] = [
    ("+1 (415) 867-5309", ["+14158675309", "4158675309", "867-5309"]),
    ("Ann.Hidden@Somewhere.Example.org", ["ann.hidden@somewhere.example.org", "ann.hidden", "Hidden@Somewhere"]),
];
const DATA: [&str; 2] = ["bob.private@elsewhere.example.com", "the card ends in"];

#[test]
fn what_a_run_on_memory_says_is_free_of_secrets() {
    support::runtime().block_on(async {
        let run = Run::on("memory:", json!({})).await;
        run.assert_silent();
    });
}

#[test]
fn a_stolen_sqlite_file_reveals_nothing() {
    support::runtime().block_on(async {
        let file = File::new();
        let run = Run::on(&file.url(), json!({})).await;
        run.assert_absent("the file", &file.bytes("oncecode:code:"), &[]);
        run.assert_silent();
    });
}

#[test]
fn a_stolen_postgres_database_reveals_nothing() {
    support::runtime().block_on(async {
        let schema = support::unique().replace('-', "_");
        let run = Run::on(&support::server("ONCECODE_TEST_POSTGRES"), json!({ "schema": schema })).await;
        run.assert_absent("the tables", &postgres_dump(&schema).await, &[]);
        run.assert_silent();
    });
}

#[test]
fn a_stolen_mysql_database_reveals_nothing() {
    support::runtime().block_on(async {
        let prefix = table_prefix();
        let run = Run::on(&support::server("ONCECODE_TEST_MYSQL"), json!({ "tablePrefix": prefix })).await;
        run.assert_absent("the tables", &mysql_dump(&prefix).await, &[]);
        run.assert_silent();
    });
}

#[test]
fn a_stolen_redis_dump_reveals_nothing_and_expires() {
    support::runtime().block_on(async {
        let prefix = support::unique();
        let run = Run::on(&support::server("ONCECODE_TEST_REDIS"), json!({ "keyPrefix": prefix })).await;
        run.assert_absent("the keys and values", &redis_dump(&prefix).await, &[]);
        run.assert_silent();
    });
}

#[test]
fn what_a_stolen_memcached_holds_reveals_nothing_and_expires() {
    support::runtime().block_on(async {
        let (prefix, url) = (support::unique(), support::memcached_time::url());
        let run = Run::on(&url, json!({ "keyPrefix": prefix })).await;
        run.assert_absent("the keys and values", &support::memcached_time::dump(&url, &prefix).await, &[]);
        run.assert_silent();
    });
}

#[test]
fn what_goes_over_rest_is_stored_as_safely_and_no_token_is_said() {
    support::runtime().block_on(async {
        let (prefix, url) = (support::unique(), support::server("ONCECODE_TEST_UPSTASH"));
        let run = Run::on(&url, json!({ "keyPrefix": prefix })).await;
        run.assert_absent("the keys and values", &redis_dump(&prefix).await, &[]);
        run.assert_silent();
        let token = url::Url::parse(&url).expect("a URL").password().expect("a token").to_owned();
        let plain = token.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
        let told = run.said.lock().expect("said").clone() + &logs().lock().expect("logs");
        assert!(!told.contains(&token) && !told.contains(&plain), "the token was said");
    });
}

/// The one exception, for debugging: keys that name the address. Codes and data are as safe as ever.
#[test]
fn readable_keys_show_the_address_and_nothing_else() {
    support::runtime().block_on(async {
        let (file, name) = (File::new(), support::unique());
        let schema = name.replace('-', "_");
        let readable = |own: Value| {
            let mut all = json!({ "mode": "development", "readableKeys": true });
            all.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
            all
        };
        let mut dumps = Vec::new();
        let run = Run::on(&file.url(), readable(json!({}))).await;
        dumps.push((run, file.bytes("oncecode:code:")));
        let run = Run::on(&support::server("ONCECODE_TEST_POSTGRES"), readable(json!({ "schema": schema }))).await;
        dumps.push((run, postgres_dump(&schema).await));
        let prefix = table_prefix();
        let run = Run::on(&support::server("ONCECODE_TEST_MYSQL"), readable(json!({ "tablePrefix": prefix }))).await;
        dumps.push((run, mysql_dump(&prefix).await));
        let run = Run::on(&support::server("ONCECODE_TEST_REDIS"), readable(json!({ "keyPrefix": name }))).await;
        dumps.push((run, redis_dump(&name).await));
        for (run, dump) in dumps {
            let addresses: Vec<_> = ADDRESSES.iter().flat_map(|(_, forms)| forms).copied().collect();
            assert!(find(&dump, addresses[0].as_bytes()) && find(&dump, addresses[3].as_bytes()), "keys are readable");
            run.assert_absent("the dump", &dump, &addresses);
            // The challenge ids, which were said too, name their keys.
            run.assert_silent_but(&addresses);
        }
    });
}

#[test]
fn public_types_do_not_print_what_they_hold() {
    let code = "0123456789";
    let mut options = Options::from_json(&options(json!({})).to_string()).expect("options");
    options.sender = "smtp://me:hunter2@mail.example.com".into();
    let payload = || code.as_bytes().to_vec();
    let kept = Issued::Kept { id: [1; 16], sealed: payload(), expires_in: support::LONG, attempts_left: 1 };
    let peeked = Peeked {
        id: [1; 16],
        sealed: payload(),
        expires_in: support::LONG,
        resend_in: support::LONG,
        attempts_left: 1,
        failures: 0,
    };
    let mut verify = VerifyRequest::new(ADDRESSES[0].0, "login", code);
    verify.ip = Some("192.0.2.1".into());
    let mut issue = IssueRequest::new(ADDRESSES[1].0, "login");
    issue.data = Some(json!(DATA));
    let values: [&dyn Debug; 16] = [
        &Oncecode::builder("postgres://me:hunter2@localhost/db").options(options.clone()),
        &options,
        &Secret::from(SECRET),
        &verify,
        &issue,
        &ResendRequest::new(ADDRESSES[0].0, "login"),
        &Target::new(ADDRESSES[0].0, "login"),
        &inputs::digest(code),
        &inputs::issue(code),
        &inputs::attempt(code),
        &kept,
        &Attempted::Right { sealed: payload() },
        &peeked,
        &key("prefix", ADDRESSES[1].1[0]),
        &Callback::new(|_| async { Ok(()) }),
        &MemoryStore::new(Arc::new(FakeClock::default())),
    ];
    let mut hidden: Vec<_> = ADDRESSES.iter().flat_map(|(typed, forms)| [&[*typed][..], forms].concat()).collect();
    hidden.extend([code, SECRET, INDEX_SECRET, "hunter2", DATA[0], DATA[1]]);
    for value in values {
        let (plain, pretty) = (format!("{value:?}"), format!("{value:#?}"));
        for hidden in &hidden {
            assert!(!traces(hidden).iter().any(|t| find(plain.as_bytes(), t) || find(pretty.as_bytes(), t)), "{plain}");
        }
    }
}

/// As long as one may be.
fn table_prefix() -> String {
    let name = support::unique().replace('-', "_");
    format!("{name:_<30}")
}

fn options(own: Value) -> Value {
    let mut all = json!({
        "secret": SECRET, "indexSecret": INDEX_SECRET, "deadlineMs": support::LONG.as_millis() as f64,
        "policy": { "codeLength": 10, "cooldownSeconds": 0, "issueLimit": false, "verifyLimit": false, "failureBudget": false },
        "purposes": { "keep": { "resend": "keep" }, "rotate": { "resend": "rotate" } },
    });
    all.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
    all
}

/// All that can happen to codes, and everything that was said meanwhile.
struct Run {
    sender: Recorder,
    said: Arc<Mutex<String>>,
    /// Tokens, secrets and codes of the services around codes.
    given: Mutex<Vec<String>>,
    /// What must be found nowhere, as text and as what it encodes.
    tokens: Mutex<Vec<String>>,
}

impl Run {
    async fn on(url: &str, own: Value) -> Self {
        logs();
        let run = Self {
            sender: Recorder::default(),
            said: Arc::default(),
            given: Mutex::default(),
            tokens: Mutex::default(),
        };
        let events = Arc::clone(&run.said);
        let options = Options::from_json(&options(own).to_string()).expect("options");
        let builder = Oncecode::builder(url).options(options).sender(run.sender.clone());
        let builder =
            builder.events(move |e| *events.lock().expect("said") += &format!("{e:?} {} {:?}\n", e.name(), e.reason()));
        let once = builder.open().await.expect("open");
        for purpose in ["keep", "rotate"] {
            for (to, _) in ADDRESSES {
                run.exercise(&once, to, purpose).await;
            }
        }
        for (to, _) in ADDRESSES {
            run.use_services(&once, to).await;
            run.exercise_tokens(&once, to).await;
        }
        run.say(&once);
        run.say(&run.sender);
        run
    }

    async fn exercise(&self, once: &Oncecode, to: &str, purpose: &str) {
        let codes = once.codes();
        self.say(&codes);
        let issue = async || {
            let mut request = IssueRequest::new(to, purpose);
            request.ip = Some("192.0.2.1".into());
            request.data = Some(json!({ "friend": DATA[0], DATA[1]: 4242 }));
            self.told(codes.issue(request).await)
        };
        let verify = async |code: &str| {
            let mut request = VerifyRequest::new(to, purpose, code);
            request.ip = Some("192.0.2.1".into());
            self.told(codes.verify(request).await)
        };
        let last = || self.sender.last_code().expect("a code");
        issue().await.expect("issue");
        let wrong = if last() == "0000000000" { "1111111111" } else { "0000000000" };
        assert!(verify(wrong).await.is_err());
        assert!(verify(&format!("{}x", last())).await.is_err(), "not a code");
        self.told(codes.resend(ResendRequest::new(to, purpose)).await).expect("resend");
        self.told(codes.peek(Target::new(to, purpose)).await).expect("peek");
        let verified = verify(&last()).await.expect("verify");
        assert_eq!(verified.data.expect("data")["friend"], DATA[0]);
        assert!(verify(&last()).await.is_err(), "used");
        // One is cancelled, one not delivered, one worn out by guesses, and one stays live.
        issue().await.expect("issue");
        assert!(self.told(codes.cancel(Target::new(to, purpose)).await).expect("cancel"));
        self.sender.set_failing(true);
        assert!(issue().await.is_err(), "not delivered");
        self.sender.set_failing(false);
        issue().await.expect("issue");
        for _ in 0..6 {
            assert!(verify(wrong).await.is_err());
        }
        issue().await.expect("issue");
        // Other people's typing errors are secrets as well.
        for typed in [format!("{to}\0"), to.replace('@', "@@").replace("530", "530x")] {
            assert!(self.told(codes.issue(IssueRequest::new(typed, purpose)).await).is_err());
        }
    }

    /// Locks, idempotency, cache and TOTP of something that is named by an address.
    async fn use_services(&self, once: &Oncecode, to: &str) {
        let minute = std::time::Duration::from_secs(60);
        let lock = self.told(once.locks().acquire(LockRequest::new(to, minute)).await).expect("a lock");
        let refused = self.told(once.locks().release(to, "another").await);
        assert!(!refused.expect("not released"));
        let request = IdempotencyRequest::new(to, DATA[0]);
        self.say(&request);
        let begun = self.told(once.idempotency().begin(request.clone()).await).expect("begin");
        let Begun::Claimed(claim) = begun else { panic!("claimed") };
        assert!(self.told(once.idempotency().begin(request.clone()).await).is_err());
        claim.complete(&json!({ "friend": DATA[0], DATA[1]: 4242 })).await.expect("complete");
        self.told(once.idempotency().begin(request).await).expect("replayed");
        let value = Some(json!({ "friend": DATA[0], DATA[1]: 4242 }));
        let cached = async || Ok::<_, Error>(value.clone());
        self.told(once.cache().get_or_load(CacheRequest::new(to), cached).await).expect("cached");
        self.told(once.cache().get(to, 1).await).expect("cached").expect("cached");
        let totp = once.totp();
        let enrolment = totp.enrol("Acme", "ann", OtpSettings::default()).expect("enrol");
        self.say(&enrolment);
        let code = totp.code_of(&enrolment.secret, 1, OtpSettings::default()).expect("a code");
        let mut typed = TotpRequest::new(to, enrolment.secret.clone(), code.expose());
        typed.counter = Some(1);
        self.say(&typed);
        self.told(totp.verify(typed.clone()).await).expect("right");
        assert!(self.told(totp.verify(typed).await).is_err(), "used");
        let made = totp.recovery_codes(to, 2).expect("codes");
        self.say(&made.codes);
        self.told(totp.verify_recovery(to, made.codes[0].expose(), made.hashes.clone()).await).expect("right");
        {
            let mut given = self.given.lock().expect("given");
            given.extend([lock.token().to_owned(), claim.token().to_owned(), enrolment.secret.expose().to_owned()]);
            given.extend(made.codes.iter().flat_map(|code| [code.expose().to_owned(), code.expose().replace('-', "")]));
        }
        // Its record stays, with whoever held it last.
        lock.release().await.expect("release");
    }

    /// Sessions, tokens and links: live ones, ended ones and refused ones.
    async fn exercise_tokens(&self, once: &Oncecode, to: &str) {
        let (sessions, tokens, links) = (once.sessions(), once.tokens(), once.links());
        let keep = |token: &Secret| self.tokens.lock().expect("tokens").push(token.expose().to_owned());
        let mut request = SessionRequest::new(to);
        (request.device, request.data) = (Some(DATA[0].into()), Some(json!({ DATA[1]: 4242 })));
        let (first, second) = (sessions.create(request.clone()).await, sessions.create(request.clone()).await);
        let (first, second) = (self.told(first).expect("create"), self.told(second).expect("create"));
        let third = self.told(sessions.rotate(second.token.expose()).await).expect("rotate");
        [&first.token, &second.token, &third.token].into_iter().for_each(keep);
        assert!(self.told(sessions.validate(second.token.expose(), None).await).is_err());
        self.told(sessions.validate(third.token.expose(), None).await).expect("validate");
        self.told(sessions.list(to).await).expect("list");
        self.told(sessions.revoke(SessionTarget::token(first.token)).await).expect("revoke");
        let mut signed = SignRequest::of(to);
        signed.claims.insert("friend".into(), DATA[0].into());
        for _ in 0..2 {
            let token = self.told(tokens.sign(signed.clone()).await).expect("sign");
            keep(&token);
            self.told(tokens.verify(token.expose()).await).expect("verify");
            self.told(tokens.revoke(token.expose()).await).expect("revoke");
            assert!(self.told(tokens.verify(token.expose()).await).is_err());
        }
        self.told(tokens.revoke_all(to).await).expect("revoke");
        let mut request = LinkRequest::new(to, "link");
        (request.data, request.url) = (Some(json!(DATA)), Some("https://app.example/".into()));
        let link = self.told(links.issue(&request)).expect("issue");
        keep(&link.token);
        let target = LinkTarget::new(link.token.expose(), "link");
        self.told(links.verify(target.clone()).await).expect("verify");
        assert!(self.told(links.verify(target.clone()).await).is_err());
        self.say(&(request, target, signed));
    }

    fn say(&self, thing: &dyn Debug) {
        *self.said.lock().expect("said") += &format!("{thing:?}\n");
    }

    fn told<T: Debug>(&self, outcome: Result<T>) -> Result<T> {
        let chain = |e: &Error| {
            let causes = std::iter::successors(std::error::Error::source(e), |cause| cause.source());
            causes.fold(format!("{e}: {e:?}"), |said, cause| format!("{said}: {cause}: {cause:?}"))
        };
        match &outcome {
            Ok(value) => self.say(value),
            Err(e) => *self.said.lock().expect("said") += &chain(e),
        }
        outcome
    }

    fn assert_silent(&self) {
        self.assert_silent_but(&[]);
    }

    fn assert_silent_but(&self, except: &[&str]) {
        let (said, logs) = (self.said.lock().expect("said").clone(), logs().lock().expect("logs").clone());
        assert!(said.contains("KEEP_OTP_VERIFIED") && said.contains("DELIVERY_FAILED") && said.contains("WRONG_CODE"));
        assert!(logs.contains("ROTATE_OTP_CREATED"), "logs are seen");
        self.assert_absent("what was said", said.as_bytes(), except);
        self.assert_absent("what was logged", logs.as_bytes(), &[]);
    }

    fn assert_absent(&self, place: &str, bytes: &[u8], except: &[&str]) {
        let codes: Vec<_> = self.sender.messages().iter().map(|m| m.code.expose().to_owned()).collect();
        assert!(codes.len() >= 20 && codes.iter().all(|code| code.len() == 10), "codes that no chance can match");
        let typed = ADDRESSES.iter().flat_map(|(typed, forms)| [&[*typed][..], forms].concat());
        let given = self.given.lock().expect("given").clone();
        assert!(given.len() >= 14);
        let all = codes.iter().chain(&given).map(String::as_str).chain(typed).chain(DATA).chain([SECRET, INDEX_SECRET]);
        for hidden in all.filter(|hidden| !except.contains(hidden)) {
            for trace in traces(hidden) {
                assert!(!find(bytes, &trace), "{hidden} is in {place}, as {}", String::from_utf8_lossy(&trace));
            }
        }
        let tokens = self.tokens.lock().expect("tokens");
        assert!(tokens.len() >= 12);
        for token in tokens.iter() {
            // A session's token begins with what names its key; the proof of any token is at its end.
            let proof = &token[token.len() - 42..];
            assert!(!find(bytes, proof.as_bytes()), "a token is in {place}");
            let decoded =
                token.rsplit('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).expect("base64url");
            assert!(!find(bytes, &decoded[decoded.len() - 32..]), "a token's bytes are in {place}");
        }
    }
}

/// A text as it may appear: plain, in hexadecimal, as a list of bytes, in base64 at any offset.
fn traces(text: &str) -> Vec<Vec<u8>> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{:?}", text.as_bytes());
    let mut all = vec![text.to_owned(), hex.to_uppercase(), hex, list[1..list.len() - 1].to_owned()];
    for (offset, from) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&[0; 2][..offset], text.as_bytes()].concat();
        // The last character may depend on what follows.
        let to = bytes.len() * 8 / 6;
        all.extend([
            STANDARD_NO_PAD.encode(&bytes)[from..to].to_owned(),
            URL_SAFE_NO_PAD.encode(&bytes)[from..to].to_owned(),
        ]);
    }
    all.into_iter().map(String::into_bytes).collect()
}

fn find(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
