//! Another process: this test's own program with a task in its environment.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use oncecode::{CopyRequest, Oncecode, Options, VerifyRequest};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::support;

const TASK: &str = "ONCECODE_TEST_WORKER";

pub fn is_one() -> bool {
    std::env::var_os(TASK).is_some()
}

pub struct Worker {
    pub child: Child,
}

impl Worker {
    /// Starts one. `codes` go to its input.
    pub fn start(task: &str, arguments: &[&str], codes: &BTreeMap<String, String>) -> Self {
        let task = [&[task], arguments].concat().join("\n");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(TASK, task)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process");
        let mut input = child.stdin.take().expect("its input");
        for (to, code) in codes {
            writeln!(input, "{to} {code}").expect("its input");
        }
        Self { child }
    }

    /// What it found, when it has ended.
    pub fn answers(&mut self) -> Vec<(String, String)> {
        let mut text = String::new();
        self.child.stdout.take().expect("its output").read_to_string(&mut text).expect("text");
        assert!(self.child.wait().expect("its end").success());
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(to, answer)| (to.to_owned(), answer.to_owned())).collect()
    }

    pub fn finish(mut self) {
        self.answers();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process does.
pub async fn work() {
    let task = std::env::var(TASK).expect("a task");
    match task.split('\n').collect::<Vec<_>>()[..] {
        ["verify", url, prefix] => verify(url, prefix).await,
        ["copy", from, prefix, to, batch] => copy(from, prefix, to, batch, "").await,
        ["copy", from, prefix, to, batch, cursor] => copy(from, prefix, to, batch, cursor).await,
        _ => panic!("an unknown task"),
    }
}

/// Each code twice, by many callers at once.
async fn verify(url: &str, prefix: &str) {
    let once = client(url, prefix).await;
    let codes = std::io::read_to_string(std::io::stdin()).expect("codes");
    let calls = codes.lines().chain(codes.lines()).map(|line| {
        let (to, code) = line.split_once(' ').expect("an address and a code");
        let call = once.codes().verify(VerifyRequest::new(to, "login", code));
        async move { (to, call.await.map_or_else(|e| e.code(), |_| "OK")) }
    });
    for (to, answer) in futures::future::join_all(calls).await {
        println!("{to} {answer}");
    }
}

/// A line for every batch, ending in the cursor.
async fn copy(from: &str, prefix: &str, to: &str, batch: &str, cursor: &str) {
    let mut request = CopyRequest::new(to);
    request.batch = batch.parse().expect("a number");
    request.resume_from = Some(cursor.to_owned()).filter(|cursor| !cursor.is_empty());
    request.progress = Some(Box::new(|so_far| {
        println!("{} {}", so_far.copied(), so_far.cursor.as_deref().unwrap_or_default());
        true
    }));
    client(from, prefix).await.admin().copy(request).await.expect("a copy");
}

pub async fn client(url: &str, prefix: &str) -> Oncecode {
    let options = Options::from_json(&format!(
        r#"{{"mode":"development","sender":"none:","keyPrefix":"{prefix}","deadlineMs":{}}}"#,
        support::LONG.as_millis()
    ));
    Oncecode::builder(url).options(options.expect("options")).open().await.expect("a client")
}

/// A code that is not this one.
pub fn wrong(code: &str) -> String {
    let number: u32 = code.parse().expect("digits");
    format!("{:06}", (number + 1) % 1_000_000)
}

pub async fn rows(url: &str, table: &str) -> i64 {
    let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}challenges"));
    let counted = match scheme(url) {
        "sqlite" => sqlx::query_scalar(count).fetch_one(&mut sqlite(url).await).await,
        "mysql" => sqlx::query_scalar(count).fetch_one(&mut mysql(url).await).await,
        _ => sqlx::query_scalar(count).fetch_one(&mut postgres(url).await).await,
    };
    counted.expect("a count")
}

/// Lets more time pass than rows are kept.
pub async fn age(url: &str, table: &str) {
    let now = match scheme(url) {
        "sqlite" => "1",
        "mysql" => "UTC_TIMESTAMP(3)",
        _ => "now()",
    };
    run(url, &format!("UPDATE {table}challenges SET purge_at = {now}")).await;
}

pub async fn drop_tables(url: &str, table: &str) {
    let routines: &[_] = match scheme(url) {
        "sqlite" => return,
        "mysql" => &["gate", "hit", "issue", "attempt", "put_absent", "take", "count", "purge"],
        _ => &["issue", "attempt", "hit"],
    };
    let kind = if scheme(url) == "mysql" { "PROCEDURE" } else { "FUNCTION" };
    let mut all = format!("DROP TABLE {table}challenges, {table}entries, {table}migrations");
    for routine in routines {
        all += &format!("; DROP {kind} IF EXISTS {table}{routine}_1");
    }
    run(url, &all).await;
}

async fn run(url: &str, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
    let done = match scheme(url) {
        "sqlite" => sql.execute(&mut sqlite(url).await).await.map(|_| ()),
        "mysql" => sql.execute(&mut mysql(url).await).await.map(|_| ()),
        _ => sql.execute(&mut postgres(url).await).await.map(|_| ()),
    };
    done.expect("a statement");
}

fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap_or_default()
}

async fn sqlite(url: &str) -> SqliteConnection {
    SqliteConnection::connect(url).await.expect("the file")
}

async fn mysql(url: &str) -> sqlx::MySqlConnection {
    sqlx::MySqlConnection::connect(url).await.expect("mysql answers")
}

async fn postgres(url: &str) -> sqlx::PgConnection {
    sqlx::PgConnection::connect(url).await.expect("postgres answers")
}
