//! A process whose clock is a day off, by libfaketime.

use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use oncecode::ErrorKind;

use crate::caller::{Client, Code};
use crate::server::Server;
use crate::support::{redis_time, runtime};

/// What the other process is to do: `issue URL ADDRESS`, or `verify URL ADDRESS CODE`.
const ORDER: &str = "ONCECODE_FAULTS_CLOCK_ORDER";

/// Time is the store's: codes issued under a wrong clock live as long as others, and no cooldown is shorter.
pub async fn a_process_whose_clock_is_a_day_off_changes_nothing(kind: &'static str) {
    let server = Server::start(kind);
    let client = Client::open(&server.url).await.expect("open");
    for (off, seconds) in [("+1d", 86_400), ("-1d", -86_400)] {
        let to = format!("skewed{seconds}@example.com");
        let code = elsewhere(off, seconds, &format!("issue {} {to}", server.url)).remove(0);
        let refused = client.issue_to(to.clone()).await.err().expect("it was issued a moment ago");
        assert_eq!(refused.kind(), ErrorKind::Cooldown, "{off}");
        assert!(refused.retry_after_seconds().is_some_and(|wait| (40..=60).contains(&wait)), "{off}: {refused:?}");
        let code = Code { to: to.clone(), code };
        assert_eq!(client.outcome(&code.wrong()).await, Err(ErrorKind::WrongCode));
        client.verify(&code).await.expect("a code of the other clock");
        assert_eq!(client.outcome(&code).await, Err(ErrorKind::CodeNotFound));

        let code = client.issue_to(format!("right{seconds}@example.com")).await.expect("issue");
        let order = format!("verify {} {} {}", server.url, code.to, code.code);
        let said = elsewhere(off, seconds, &order);
        assert_eq!(said, ["OK", "CODE_NOT_FOUND", "issued"], "{off}");
        // The new code is live, and this one is another.
        assert_eq!(client.outcome(&code).await, Err(ErrorKind::WrongCode), "{off}");
    }
    if kind == "redis" {
        assert!(redis_time::assert_all_expire(&server.url, "oncecode").await > 0, "there are keys to look at");
    }
}

/// Runs this program under another clock, and makes sure that it was another.
fn elsewhere(off: &str, seconds: i64, order: &str) -> Vec<String> {
    let program = std::env::current_exe().expect("this program");
    let mut faked = Command::new("faketime");
    faked.args(["--exclude-monotonic", "-f", off]).arg(program).env(ORDER, order).stderr(Stdio::inherit());
    let done = faked.output().expect("faketime runs: scripts/setup installs it");
    assert!(done.status.success(), "the other process failed");
    let said = String::from_utf8(done.stdout).expect("text");
    let mut lines: Vec<_> = said.lines().map(str::to_owned).collect();
    let skew = lines.remove(0).parse::<i64>().expect("its clock") - now();
    assert!((skew - seconds).abs() < 3600, "its clock was {skew} s off");
    lines
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// The other process: says what its clock shows, and what came of its order.
pub fn is_asked_to_be_somebody_else() -> bool {
    let Ok(order) = std::env::var(ORDER) else { return false };
    let words: Vec<_> = order.split(' ').map(str::to_owned).collect();
    println!("{}", now());
    runtime().block_on(async {
        let client = Client::open(&words[1]).await.expect("open");
        match &words[..] {
            [_issue, _, to] => println!("{}", client.issue_to(to.clone()).await.expect("issue").code),
            [_verify, _, to, code] => {
                let code = Code { to: to.clone(), code: code.clone() };
                for _ in 0..2 {
                    println!("{}", client.outcome(&code).await.map_or_else(|kind| kind.code(), |()| "OK"));
                }
                // A verified code ends the cooldown.
                let again = client.issue_to(code.to.clone()).await;
                println!("{}", again.map_or_else(|e| e.code().to_owned(), |_| "issued".to_owned()));
            }
            _ => panic!("an order of unknown form"),
        }
    });
    true
}
