//! The connection: opening it, its schema, its transactions and its errors.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use sqlx::sqlite::{
    Sqlite, SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::store::sql::{self, named};

/// Versions of the schema, oldest first.
const STEPS: &[&str] = &[include_str!("../sql/sqlite_1.sql")];

/// How long opening may wait for other processes that create the same file.
const OPENING: Duration = Duration::from_secs(5);

pub(super) type Sql = Arc<str>;
pub(super) type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

pub(super) fn query<'q>(sql: &Sql) -> Query<'q> {
    sqlx::query(AssertSqlSafe(Arc::clone(sql)))
}

/// One connection per process: there is one writer at a time anyway, and this queue is fair while the file's is not.
pub(super) struct File(Mutex<Slot>);

pub(super) struct Slot {
    connection: Option<SqliteConnection>,
    /// A call was dropped within a transaction, and its rollback may still be on the way.
    unsettled: bool,
}

impl File {
    pub(super) async fn open(url: &str, deadline: Duration, prefix: &str) -> Result<Self> {
        let options = connect_options(url, deadline)?;
        let started = Instant::now();
        let connection = loop {
            match connect(&options, prefix).await {
                // Processes that switch a new file to WAL at once are turned away without waiting.
                Err(Refused::Driver(e)) if is_busy(&e) && started.elapsed() < OPENING => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(Refused::Driver(e)) => return Err(unopened(e)),
                Err(Refused::Ours(e)) => return Err(e),
                Ok(connection) => break connection,
            }
        };
        Ok(Self(Mutex::new(Slot { connection: Some(connection), unsettled: false })))
    }

    /// The connection, outside of a transaction.
    pub(super) async fn lock(&self) -> Result<MutexGuard<'_, Slot>> {
        let mut slot = self.0.lock().await;
        if slot.unsettled {
            // Fails when there is nothing to roll back, which is the usual case.
            let _ = sqlx::raw_sql("ROLLBACK").execute(slot.driver()?).await;
            slot.unsettled = false;
        }
        Ok(slot)
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'_>> {
        Ok(Transaction { slot: self.lock().await?, open: true })
    }

    pub(super) async fn journal_mode(&self) -> Result<String> {
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(self.lock().await?.driver()?).await.map_err(failed)
    }

    pub(super) async fn close(&self) {
        if let Some(connection) = self.0.lock().await.connection.take() {
            let _ = connection.close().await;
        }
    }
}

impl Slot {
    pub(super) fn driver(&mut self) -> Result<&mut SqliteConnection> {
        self.connection.as_mut().ok_or_else(|| Error::new(ErrorKind::Closed, "the store was closed"))
    }
}

/// A transaction whose first query begins it and whose last commits it. Dropped before that, it rolls back.
pub(super) struct Transaction<'a> {
    slot: MutexGuard<'a, Slot>,
    open: bool,
}

impl Transaction<'_> {
    pub(super) async fn one(&mut self, query: Query<'_>) -> Result<SqliteRow> {
        query.fetch_one(self.slot.driver()?).await.map_err(failed)
    }

    pub(super) async fn commit(mut self, query: Query<'_>) -> Result<()> {
        query.execute(self.slot.driver()?).await.map_err(failed)?;
        self.open = false;
        Ok(())
    }

    /// Ends it without a change and without waiting: the connection's thread is idle and does it next.
    pub(super) fn abandon(mut self) {
        self.roll_back();
    }

    fn roll_back(&mut self) {
        self.open = false;
        if let Some(connection) = &mut self.slot.connection {
            // The first poll hands the statement over; nobody needs the answer.
            let _ = sqlx::raw_sql("ROLLBACK").execute(connection).now_or_never();
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            self.slot.unsettled = true;
            self.roll_back();
        }
    }
}

enum Refused {
    Driver(sqlx::Error),
    Ours(Error),
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Driver(error)
    }
}

/// For our own file: made where it is missing, and set up for many processes.
fn connect_options(url: &str, deadline: Duration) -> Result<SqliteConnectOptions> {
    let options = options(url, deadline)?;
    Ok(options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal))
}

/// For a file of the app's, which is left as it is.
pub(super) fn shared_file(url: &str, deadline: Duration) -> Result<SqliteConnectOptions> {
    let options = options(url, deadline)?;
    match url.contains(":memory:") || url.contains("mode=memory") {
        true => Err(Error::config("tokens.users: nobody else sees a database in memory; name the app's file in url")),
        false => Ok(options.create_if_missing(false)),
    }
}

fn options(url: &str, deadline: Duration) -> Result<SqliteConnectOptions> {
    let path = url.split_once(':').map_or(url, |(_scheme, path)| path);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with('?') {
        return Err(Error::config("the store URL names no file; write sqlite:PATH or sqlite::memory:"));
    }
    let options = SqliteConnectOptions::from_str(&format!("sqlite:{path}"))
        .map_err(|_| Error::config("the store URL is malformed; write sqlite:PATH or sqlite::memory:"))?;
    Ok(options.shared_cache(false).busy_timeout(deadline.min(Duration::from_secs(600))).disable_statement_logging())
}

async fn connect(options: &SqliteConnectOptions, prefix: &str) -> Result<SqliteConnection, Refused> {
    let mut connection = options.connect().await?;
    if version(&mut connection, prefix).await? < STEPS.len() as i64 {
        migrate(&mut connection, prefix).await?;
    }
    // Deletes nothing, but is refused where nothing may be written.
    let probe = named(r#"DELETE FROM "{prefix}migrations" WHERE version < 0"#, "", prefix);
    match sqlx::raw_sql(AssertSqlSafe(probe)).execute(&mut connection).await {
        Err(e) if !is_busy(&e) => Err(e.into()),
        _ => Ok(connection),
    }
}

async fn migrate(connection: &mut SqliteConnection, prefix: &str) -> Result<(), Refused> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Another process may have been first.
    let found = version(&mut transaction, prefix).await?;
    for (version, step) in sql::pending(STEPS, found).map_err(Refused::Ours)? {
        let table = r#"CREATE TABLE IF NOT EXISTS "{prefix}migrations"
            (version INTEGER NOT NULL PRIMARY KEY, applied_at INTEGER NOT NULL DEFAULT (strftime('%s', 'now') * 1000)) STRICT;"#;
        let note = r#"INSERT INTO "{prefix}migrations" (version) VALUES ({version});"#;
        let script = named(&format!("{table} {step} {note}"), "", prefix).replace("{version}", &version.to_string());
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

/// The version of the schema; 0 when there is none.
async fn version(connection: &mut SqliteConnection, prefix: &str) -> Result<i64, Refused> {
    let tables = r#"SELECT name FROM sqlite_master WHERE name IN ('{prefix}migrations', '{prefix}challenges', '{prefix}entries')"#;
    let tables: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(named(tables, "", prefix))).fetch_all(&mut *connection).await?;
    if tables.is_empty() {
        return Ok(0);
    }
    let version = r#"SELECT coalesce(max(m.version), 0) FROM "{prefix}migrations" m WHERE m.applied_at IS NOT NULL"#;
    let found = sqlx::query_scalar(AssertSqlSafe(named(version, "", prefix))).fetch_one(connection).await;
    match found {
        Ok(found) if tables.len() == 3 => {
            sql::pending(STEPS, found).map_err(Refused::Ours)?;
            Ok(found)
        }
        Err(e) if primary_code(&e) != Some(1) => Err(Refused::Driver(e)),
        _ => Err(Refused::Ours(sql::foreign())),
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(5 | 6))
}

/// SQLite's own number without its details, as in https://www.sqlite.org/rescode.html.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?.parse::<i32>().ok()?;
    Some(code & 0xff)
}

pub(super) fn unopened(error: sqlx::Error) -> Error {
    let message = match primary_code(&error) {
        Some(14) => "the SQLite file cannot be opened or created; check that its folder exists and may be written to",
        Some(3 | 8 | 23) => "the SQLite file or its folder is read-only",
        Some(26) => "the file is not an SQLite database",
        None => "the SQLite file cannot be opened",
        Some(_) => return failed(error),
    };
    Error::config(message).with_source(error)
}

pub(super) fn failed(error: sqlx::Error) -> Error {
    let message = match primary_code(&error) {
        Some(5 | 6) => "the SQLite file stayed locked by another process",
        Some(8) => "the SQLite file is read-only",
        Some(13) => "the disk is full",
        Some(1) => return Error::config("the tables of oncecode are missing or were changed").with_source(error),
        _ => "the SQLite file cannot be used",
    };
    let is_late = is_busy(&error);
    sql::unavailable(message).with_source(error).answered(!is_late)
}
