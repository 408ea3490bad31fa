//! A client as an app has it, that keeps account of what was accepted and how long calls took.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use oncecode::{Error, ErrorKind, IssueRequest, Oncecode, Options, VerifyRequest};
use serde_json::json;

use crate::support::LONG;

/// Of these clients.
pub const DEADLINE: Duration = Duration::from_millis(800);
/// What a caller may wait at most, on a machine that has other things to do.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// The same for all processes.
const SECRET: &str = "a secret of thirty-two bytes or more";

pub struct Client {
    once: Oncecode,
    patience: Duration,
    accepted: Mutex<HashMap<String, u32>>,
}

pub struct Code {
    pub to: String,
    pub code: String,
}

impl Code {
    /// Not this one.
    pub fn wrong(&self) -> Code {
        let code = if self.code.starts_with('9') { "111111" } else { "999999" };
        Code { to: self.to.clone(), code: code.to_owned() }
    }
}

impl Client {
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, DEADLINE, PATIENCE).await
    }

    /// Where deadlines are no part of what is tested.
    pub async fn patient(url: &str) -> Result<Self, Error> {
        Self::open_with(url, LONG, LONG).await
    }

    async fn open_with(url: &str, deadline: Duration, patience: Duration) -> Result<Self, Error> {
        let options = json!({
            "mode": "development",
            "sender": "none:",
            "secret": SECRET,
            "deadlineMs": deadline.as_millis() as u64,
        });
        let options = Options::from_json(&options.to_string())?;
        let once = in_time(patience, Oncecode::builder(url).options(options).open()).await?;
        Ok(Self { once, patience, accepted: Mutex::default() })
    }

    /// To an address of its own.
    pub async fn issue(&self) -> Result<Code, Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.issue_to(format!("user{number}-{}@example.com", std::process::id())).await
    }

    pub async fn issue_to(&self, to: String) -> Result<Code, Error> {
        let sent = in_time(self.patience, self.once.codes().issue(IssueRequest::new(&*to, "login"))).await?;
        Ok(Code { to, code: sent.code.expect("development mode").expose().to_owned() })
    }

    /// Never succeeds twice with one code.
    pub async fn verify(&self, code: &Code) -> Result<(), Error> {
        in_time(self.patience, self.once.codes().verify(VerifyRequest::new(&*code.to, "login", &*code.code))).await?;
        let mut accepted = self.accepted.lock().expect("no panic before");
        let times = accepted.entry(format!("{} {}", code.to, code.code)).or_default();
        *times += 1;
        assert_eq!(*times, 1, "a code was accepted twice");
        Ok(())
    }

    pub async fn outcome(&self, code: &Code) -> Result<(), ErrorKind> {
        self.verify(code).await.map_err(|e| e.kind())
    }

    /// Once everybody has noticed what ended, all is well.
    pub async fn recovers(&self) {
        let begin = Instant::now();
        while let Err(e) = self.issue().await {
            assert_eq!(e.kind(), ErrorKind::StoreUnavailable, "{e:?}");
            assert!(begin.elapsed() < PATIENCE, "it does not come back: {e:?}");
        }
        self.works().await;
    }

    /// The very next call works, and a code only once.
    pub async fn works(&self) {
        let code = self.issue().await.expect("the next call works");
        self.verify(&code).await.expect("the code works");
        assert_eq!(self.outcome(&code).await, Err(ErrorKind::CodeNotFound));
    }
}

/// It ends in time, with `STORE_UNAVAILABLE`; returns what it says.
pub async fn unavailable<T>(call: impl Future<Output = Result<T, Error>>) -> String {
    let error = in_time(PATIENCE, call).await.err().expect("nothing works now");
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::StoreUnavailable, true), "{error:?}");
    error.to_string()
}

/// It is refused as `CONFIG`; returns what it says.
pub async fn misconfigured<T>(call: impl Future<Output = Result<T, Error>>) -> String {
    let error = in_time(PATIENCE, call).await.err().expect("this cannot work");
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    error.to_string()
}

async fn in_time<T>(patience: Duration, call: impl Future<Output = T>) -> T {
    let begin = Instant::now();
    let answer = call.await;
    assert!(begin.elapsed() < patience, "a call took {:?}", begin.elapsed());
    answer
}
