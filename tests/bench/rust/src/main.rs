//! Runs oncecode in Rust as a contestant of `tests/bench/run`: `oncecode-bench URL FIRST_PHONE`, a JSON order a line
//! on stdin (`{"in_flight": 16, "seconds": 2}` or `{"in_flight": 1, "flows": 200}`; `"issue_only": true` leaves the
//! challenges live), a JSON answer a line on stdout.

use std::cell::{Cell, RefCell};
use std::io::BufRead;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use oncecode::{IssueRequest, Mode, Oncecode, Options, VerifyRequest};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

// One thread, like the event loops of the other contestants; a second one only costs more CPU a flow.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let [_, url, first] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: oncecode-bench URL FIRST_PHONE".into());
    };
    let phones = Cell::new(first.parse()?);
    let once = connect(url).await?;
    println!("{}", json!({ "ready": true }));
    for line in std::io::stdin().lock().lines() {
        println!("{}", measure(&once, &phones, &serde_json::from_str(&line?)?).await?);
    }
    once.close().await;
    Ok(())
}

async fn connect(url: &str) -> Result<Oncecode, oncecode::Error> {
    let mut options = Options::default();
    options.sender = "none:".into();
    // A server that stalls for a moment shows in the times; it does not end the run.
    options.deadline_ms = Some(10_000.0);
    Oncecode::builder(url)
        .options(options)
        .secret("a secret of the benchmark only, 0123456789")
        .mode(Mode::Development)
        .open()
        .await
}

/// How long each of the two calls took.
async fn flow(once: &Oncecode, to: String, issue_only: bool) -> Result<[f64; 2], Failure> {
    let begin = Instant::now();
    let sent = once.codes().issue(IssueRequest::new(&to, "login")).await?;
    let issued = begin.elapsed();
    if !issue_only {
        let code = sent.code.ok_or("no code in development mode")?;
        once.codes().verify(VerifyRequest::new(&to, "login", code.expose())).await?;
    }
    Ok([issued.as_secs_f64(), (begin.elapsed() - issued).as_secs_f64()])
}

async fn measure(once: &Oncecode, phones: &Cell<u64>, order: &Value) -> Result<Value, Failure> {
    let in_flight = order["in_flight"].as_u64().ok_or("in_flight is missing")?;
    let flows = order["flows"].as_u64().unwrap_or(u64::MAX);
    let limit = Duration::from_secs_f64(order["seconds"].as_f64().unwrap_or(1e6));

    let issue_only = order["issue_only"] == true;

    let (took, calls) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let started = Cell::new(0);
    let cpu_before = cpu_seconds();
    let begin = Instant::now();
    try_join_all((0..in_flight).map(async |_| -> Result<(), Failure> {
        let mut at = Instant::now();
        while at - begin < limit && started.get() < flows {
            started.set(started.get() + 1);
            let phone = format!("+9198{:08}", phones.replace(phones.get() + 1) % 100_000_000);
            let call = flow(once, phone, issue_only).await?;
            calls.borrow_mut().push(call);
            let end = Instant::now();
            took.borrow_mut().push((end - at).as_secs_f64());
            at = end;
        }
        Ok(())
    }))
    .await?;

    let elapsed = begin.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu_before;
    let (took, calls) = (Sorted::of(took.into_inner()), calls.into_inner());
    let [issues, verifies] = [0, 1].map(|call| Sorted::of(calls.iter().map(|flow| flow[call]).collect()));
    let done = took.0.len() as f64;
    Ok(json!({
        "flows": took.0.len(),
        "per_second": done / elapsed,
        "p50_ms": took.quantile_ms(0.5),
        "p99_ms": took.quantile_ms(0.99),
        "issue_ms": [issues.quantile_ms(0.5), issues.quantile_ms(0.99)],
        "verify_ms": [verifies.quantile_ms(0.5), verifies.quantile_ms(0.99)],
        "client_us": cpu / done * 1e6,
    }))
}

/// Seconds, in their order.
struct Sorted(Vec<f64>);

impl Sorted {
    fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Self(seconds)
    }

    fn quantile_ms(&self, q: f64) -> f64 {
        self.0[(q * (self.0.len() - 1) as f64) as usize] * 1e3
    }
}

fn cpu_seconds() -> f64 {
    // SAFETY: rusage is plain numbers, for which zeroes are a value; getrusage only writes into it.
    let used = unsafe {
        let mut used = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &mut used);
        used
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(used.ru_utime) + seconds(used.ru_stime)
}
