//! A client that watches what it is promised.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use oncecode::{Error, ErrorKind, EventKind, IssueRequest, Oncecode, Options, VerifyRequest};
use serde_json::{Value, json};

use crate::pair::Pair;
use crate::{PATIENCE, RETURN, support};

/// A client that never waits longer than it may and never sees a code accepted twice.
pub struct Client {
    pub once: Oncecode,
    /// Another of the same, which is never late: what it says is what the stores hold.
    patient: Oncecode,
    accepted: Mutex<HashMap<String, u32>>,
    events: Arc<Mutex<Vec<EventKind>>>,
}

#[derive(Clone)]
pub struct Code {
    pub to: String,
    pub code: String,
}

impl Client {
    pub async fn open(pair: &Pair, url: &str) -> Result<Self, Error> {
        Self::with(pair, url, json!({ "policy": {} })).await
    }

    pub async fn with(pair: &Pair, url: &str, mut options: Value) -> Result<Self, Error> {
        options["policy"]["cooldownSeconds"] = json!(0);
        let always = json!({ "mode": "development", "sender": "none:", "keyPrefix": pair.prefix });
        options.as_object_mut().expect("an object").extend(always.as_object().expect("an object").clone());
        let mut patient = options.clone();
        patient["deadlineMs"] = json!(20_000);
        let (options, patient) = (options.to_string(), patient.to_string());
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&events);
        let once = Oncecode::builder(url).options(Options::from_json(&options)?);
        let once = once.events(move |event| told.lock().expect("no panic before").push(event.kind)).open().await?;
        let patient = Oncecode::builder(url).options(Options::from_json(&patient)?).open().await?;
        Ok(Self { once, patient, accepted: Mutex::default(), events })
    }

    /// On a machine that is too busy to connect within the deadline.
    pub async fn open_when_possible(pair: &Pair, url: &str) -> Self {
        let begin = Instant::now();
        loop {
            match Self::open(pair, url).await {
                Ok(client) => return client,
                Err(e) => assert!(begin.elapsed() < RETURN, "{e:?}"),
            }
        }
    }

    pub async fn issue_to(&self, to: &str) -> Result<Code, Error> {
        let sent = in_time(self.once.codes().issue(IssueRequest::new(to, "login"))).await?;
        Ok(Code { to: to.to_owned(), code: sent.code.expect("development mode").expose().to_owned() })
    }

    pub async fn verify(&self, code: &Code) -> Result<(), Error> {
        in_time(self.once.codes().verify(VerifyRequest::new(&*code.to, "login", &*code.code))).await?;
        self.note_accepted(code);
        Ok(())
    }

    /// Until the store that has this code is connected to.
    pub async fn is_connected(&self, code: &Code) {
        let begin = Instant::now();
        let target = || oncecode::Target::new(&*code.to, "login");
        while !matches!(self.once.codes().peek(target()).await, Ok(Some(_))) {
            assert!(begin.elapsed() < RETURN, "the code is not found");
        }
    }

    /// However long it takes.
    pub async fn verify_patiently(&self, code: &Code) -> Result<(), Error> {
        self.patient.codes().verify(VerifyRequest::new(&*code.to, "login", &*code.code)).await?;
        self.note_accepted(code);
        Ok(())
    }

    pub async fn is_right(&self, code: &Code) {
        self.verify_patiently(code).await.expect("an acknowledged code");
    }

    /// As soon as its store is back. Until then nobody says that there is no such code.
    pub async fn is_right_when_possible(&self, code: &Code) {
        let begin = Instant::now();
        while let Err(e) = self.verify_patiently(code).await {
            assert_eq!(e.kind(), ErrorKind::StoreUnavailable, "{e:?}");
            assert!(begin.elapsed() < RETURN, "its store is not found again");
        }
    }

    fn note_accepted(&self, code: &Code) {
        let mut accepted = self.accepted.lock().expect("no panic before");
        let times = accepted.entry(format!("{} {}", code.to, code.code)).or_default();
        *times += 1;
        assert_eq!(*times, 1, "a code was accepted twice");
    }

    /// Until a call is answered by a store.
    pub async fn issue_when_possible(&self, to: &str) -> Code {
        let begin = Instant::now();
        loop {
            match self.issue_to(to).await {
                Ok(code) => return code,
                Err(e) => assert_eq!(e.kind(), ErrorKind::StoreUnavailable, "{e:?}"),
            }
            assert!(begin.elapsed() < RETURN, "no store serves");
        }
    }

    /// Until a code is issued and verified.
    pub async fn works(&self) -> Code {
        let begin = Instant::now();
        loop {
            let code = self.issue_when_possible(&address()).await;
            match self.verify(&code).await {
                Ok(()) => return code,
                Err(e) => assert_eq!(e.kind(), ErrorKind::StoreUnavailable, "{e:?}"),
            }
            assert!(begin.elapsed() < RETURN, "no code can be verified");
        }
    }

    /// Until it was told of that, of which it finds out by its calls.
    pub async fn hears(&self, kind: EventKind) {
        let begin = Instant::now();
        while self.events.lock().expect("no panic before").iter().all(|heard| *heard != kind) {
            let _ = self.issue_to(&address()).await;
            assert!(begin.elapsed() < RETURN, "nothing is told");
        }
    }

    pub async fn refuses(&self, code: &Code) {
        let refused = self.verify_patiently(code).await.map_err(|e| e.kind());
        let expected = [Err(ErrorKind::CodeNotFound), Err(ErrorKind::WrongCode)];
        assert!(expected.contains(&refused), "{refused:?}");
    }
}

pub fn address() -> String {
    format!("{}@example.com", support::unique())
}

pub async fn in_time<T>(call: impl Future<Output = T>) -> T {
    let begin = Instant::now();
    let answer = call.await;
    assert!(begin.elapsed() < PATIENCE, "a call took {:?}", begin.elapsed());
    answer
}

pub fn wrong(code: &Code) -> Code {
    let other = if code.code.starts_with('0') { "1" } else { "0" };
    Code { to: code.to.clone(), code: format!("{other}{}", &code.code[1..]) }
}
