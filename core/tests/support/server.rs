//! A server of a test's own, to be frozen, killed and started again.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A private server that keeps its data when it is killed, or a service of several processes. It ends with
/// this guard.
pub struct Server {
    pub kind: &'static str,
    pub url: String,
    pub port: u16,
    /// In the order in which they were started.
    pub members: Vec<Member>,
    /// The Redis that it stands before.
    behind: Option<Box<Server>>,
    pid: u32,
    dir: PathBuf,
}

impl Server {
    pub fn start(kind: &'static str) -> Self {
        let behind = kind.starts_with("upstash").then(|| Box::new(Self::start("redis")));
        let redis = behind.iter().map(|redis| ("ONCECODE_TEST_REDIS", &*redis.url));
        let facts = services(&[&["start", kind], durable(kind)].concat(), redis);
        let text = |name: &str| facts[name].as_str().expect("a text").to_owned();
        let list = |name: &str| facts[name].as_array().cloned().unwrap_or_default();
        let pairs = list("pids").into_iter().zip(list("ports"));
        let members: Vec<_> = pairs.map(|(pid, port)| Member { pid: number(&pid), port: number(&port) }).collect();
        // The pooler stands in front of what was started before it.
        let port = members.last().filter(|_| kind == "pgbouncer").map_or(number(&facts["port"]), |last| last.port);
        Self { kind, url: text("url"), port, members, behind, pid: pid(&facts), dir: text("dir").into() }
    }

    /// SIGSTOP, to the server and all its children; returns when each has stopped.
    pub fn freeze(&self) {
        // The parent first: it makes no more children then.
        signal("-STOP", &[self.pid]);
        until("the server stops", || state(self.pid) == Some('T'));
        let family = self.family();
        signal("-STOP", &family);
        until("its children stop", || family.iter().all(|pid| matches!(state(*pid), Some('T' | 'Z') | None)));
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        signal("-CONT", &self.family());
    }

    /// Has no file of the server's grow beyond this: to it, the disk is full.
    pub fn limit_files(&self, bytes: &str) {
        for pid in self.family() {
            let Ok(owner) = std::fs::metadata(format!("/proc/{pid}")) else { continue };
            let limit = ["prlimit".to_owned(), format!("--pid={pid}"), format!("--fsize={bytes}:")];
            // Where not even root may limit somebody else's process.
            let owner = [format!("--reuid={}", owner.uid()), format!("--regid={}", owner.gid())];
            let limited = Command::new("setpriv").args(owner).arg("--clear-groups").args(&limit).status();
            let limited = limited.is_ok_and(|done| done.success()) || {
                Command::new("prlimit").args(&limit[1..]).status().is_ok_and(|done| done.success())
            };
            assert!(limited || state(pid).is_none(), "the limit of {pid} stays");
        }
    }

    /// SIGKILL, to the server and all its children; returns when they are gone.
    pub fn kill(&self) {
        let family = self.family();
        signal("-KILL", &family);
        until("the server dies", || family.iter().all(|pid| matches!(state(*pid), Some('Z') | None)));
    }

    /// Starts again after a kill, on the same port and with the same data.
    pub fn restart(&mut self) {
        let (port, dir) = (self.port.to_string(), self.dir.display().to_string());
        let start = ["start", self.kind, "--port", &port, "--dir", &dir];
        self.pid = pid(&services(&[&start[..], durable(self.kind)].concat(), []));
    }

    /// Whatever a test left behind: the server runs.
    pub fn heal(&mut self) {
        match state(self.pid) {
            Some('Z') | None => self.restart(),
            Some(_) => self.thaw(),
        }
    }

    /// The Redis server itself, where a kind stands before one.
    pub fn redis(&self) -> Option<&Server> {
        self.behind.as_deref().or(Some(self)).filter(|server| ["redis", "redis6", "valkey"].contains(&server.kind))
    }

    /// The URL with another port.
    pub fn url_at(&self, port: u16) -> String {
        // Credentials may hold the number, too.
        let (credentials, place) = self.url.split_at(self.url.rfind('@').unwrap_or(0));
        credentials.to_owned() + &place.replacen(&format!(":{}", self.port), &format!(":{port}"), 1)
    }

    fn family(&self) -> Vec<u32> {
        let mut family = vec![self.pid];
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid)).unwrap_or_default();
        family.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        family
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let (pid, dir) = (self.pid.to_string(), self.dir.display().to_string());
        services(&["stop", "--pid", &pid, "--dir", &dir], []);
    }
}

/// One process of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub port: u16,
    pid: u32,
}

impl Member {
    pub fn freeze(self) {
        signal("-STOP", &[self.pid]);
        until("it stops", || state(self.pid) == Some('T'));
    }

    pub fn thaw(self) {
        signal("-CONT", &[self.pid]);
    }

    pub fn kill(self) {
        signal("-KILL", &[self.pid]);
        until("it dies", || matches!(state(self.pid), Some('Z') | None));
    }
}

/// Redis keeps nothing otherwise. What PostgreSQL has answered is in the kernel's hands anyway.
fn durable(kind: &str) -> &'static [&'static str] {
    if kind == "redis" { &["--durable"] } else { &[] }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Waits for a condition, at most 10 s.
fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(10), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Calls scripts/services.py.
fn services<'a>(arguments: &[&str], more: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let program = super::support::server("ONCECODE_TEST_SERVICES");
    let done = Command::new(program).args(arguments).envs(more).output().expect("scripts/services.py runs");
    assert!(done.status.success(), "services {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap_or_default()
}

fn pid(facts: &Value) -> u32 {
    number(&facts["pid"])
}

fn number<T: TryFrom<u64>>(value: &Value) -> T {
    value.as_u64().and_then(|number| number.try_into().ok()).expect("a number")
}

/// One of a family may be gone already.
fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    Command::new("kill").arg(name).args(pids).output().expect("kill runs");
}

/// The process's state as ps shows it; `None` when it is gone.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
