//! `mysql://…` and `mariadb://…`: the rules run in the server, one statement and one round trip a call.
//!
//! `sql/mysql_1.sql` holds the procedures for the hot operations; they say the same as [`Record`](super::challenge), on
//! columns. Time is the server's.

mod address;
mod inspect;
mod moving;
mod rows;
mod schema;
#[cfg(all(test, feature = "full"))]
mod tests;
mod users;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Either, Execute, Executor, MySql, query_with};

use self::rows::{
    failed, get, is_deadlock, is_outage, milliseconds, number, read_entry, read_id, span, unexpected, unopened,
};
pub(super) use self::users::MysqlUsers;
use super::challenge::millis;
use super::sql::pool::{self, Pool};
use super::sql::{self, Columns, named};
use super::*;
use crate::error::{Error, Result};

type Sql = Arc<str>;
type Query<'q> = sqlx::query::Query<'q, MySql, MySqlArguments>;

/// One database.
pub(crate) struct MysqlStore {
    pool: Pool<MySqlConnection>,
    sql: Statements,
}

/// What the server said to one statement.
#[derive(Default)]
struct Answer {
    row: Option<MySqlRow>,
    /// Rows that the statement found, those included that it left as they were.
    matched: u64,
}

impl MysqlStore {
    /// Connects, and makes the tables where they are missing.
    ///
    /// # Errors
    /// `CONFIG` for a malformed URL, refused credentials or rights, and tables that are not ours;
    /// `STORE_UNAVAILABLE` when the server does not answer.
    pub(crate) async fn open(url: &str, options: StoreOptions) -> Result<Self> {
        if options.schema.is_some() {
            return Err(Error::config("schema is for postgres:// only; name the database in the URL of MySQL"));
        }
        let connect = address::parse(url)?;
        let setup = setup(options.deadline);
        let mut connection = pool::connect(&connect, Some(&setup), options.deadline).await?.map_err(unopened)?;
        schema::prepare(&mut connection, &options.table_prefix, options.deadline).await?;
        let pool = Pool::new(connect, options.connect, Some(setup), options.max_connections, failed);
        pool.adopt(connection);
        Ok(Self { pool, sql: Statements::new(&options.table_prefix) })
    }

    /// One statement, one round trip, at most one row.
    async fn ask(&self, mut query: Query<'_>) -> Result<Answer> {
        let arguments = query.take_arguments().map_err(|_| unexpected())?.unwrap_or_default();
        let sql = query.sql();
        loop {
            let mut lease = self.pool.lease().await?;
            match said(lease.driver()?, query_with(sql.clone(), arguments.clone())).await {
                Ok(answer) => {
                    lease.done();
                    return Ok(answer);
                }
                // The server chose this one of two and undid all of it, so that the other goes forward.
                Err(e) if is_deadlock(&e) => lease.done(),
                Err(e) => {
                    lease.broken(is_outage(&e));
                    return Err(failed(e));
                }
            }
        }
    }

    async fn answer(&self, query: Query<'_>) -> Result<MySqlRow> {
        self.ask(query).await?.row.ok_or_else(unexpected)
    }
}

/// To the end, not only the first row: an error may follow it, and what is left unread is in the way of the next.
async fn said(connection: &mut MySqlConnection, query: Query<'_>) -> sqlx::Result<Answer> {
    let (mut answer, mut parts) = (Answer::default(), connection.fetch_many(query));
    while let Some(part) = parts.try_next().await? {
        match part {
            Either::Left(done) => answer.matched += done.rows_affected(),
            Either::Right(row) => answer.row = Some(row),
        }
    }
    Ok(answer)
}

/// What the statements rely on, however the server is configured. A call that its caller has given up waits no longer
/// for locks than it must.
fn setup(deadline: Duration) -> String {
    let wait = deadline.as_secs() + 1;
    format!(
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin;
        SET autocommit = 1, time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',
            innodb_lock_wait_timeout = {wait}, lock_wait_timeout = {wait};
        SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
    )
}

/// What is said to the server. The driver prepares each once per connection.
struct Statements {
    get: Sql,
    put: Sql,
    put_absent: Sql,
    put_version: Sql,
    take: Sql,
    count: Sql,
    issue: Sql,
    attempt: Sql,
    hit: Sql,
    cancel: Sql,
    refund: Sql,
    refund_kept: Sql,
    peek: Sql,
    purge: Sql,
    inspect: Sql,
    moving: moving::Statements,
}

const GET: &str = "SELECT e.`value`, e.number, e.version, {left} e.expires_at) DIV 1000 AS rest
FROM `{prefix}entries` e WHERE e.`key` = ?";
const PUT: &str = "INSERT INTO `{prefix}entries` (`value`, number, expires_at, `key`, version)
VALUES (?, ?, UTC_TIMESTAMP(3) + INTERVAL ? * 1000 MICROSECOND, ?, {version})
ON DUPLICATE KEY UPDATE `value` = VALUES(`value`), number = VALUES(number), expires_at = VALUES(expires_at), version = {version}";
const PUT_ABSENT: &str = "CALL `{prefix}put_absent_1`(?, ?, ?, ?)";
const PUT_VERSION: &str = "UPDATE `{prefix}entries` e
SET e.`value` = ?, e.number = ?, e.expires_at = UTC_TIMESTAMP(3) + INTERVAL ? * 1000 MICROSECOND, e.version = {version}
WHERE e.`key` = ? AND e.version = ? AND e.expires_at > UTC_TIMESTAMP(3)";
const TAKE: &str = "CALL `{prefix}take_1`(?)";
const COUNT: &str = "CALL `{prefix}count_1`(?, ?, ?)";
const ISSUE: &str = "CALL `{prefix}issue_1`(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const ATTEMPT: &str = "CALL `{prefix}attempt_1`(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const HIT: &str = "CALL `{prefix}hit_1`(?, ?, ?, ?)";
const AMEND: &str = "UPDATE `{prefix}challenges` c SET {changes}
WHERE c.`key` = ? AND c.id = COALESCE(?, c.id) AND c.expires_at > UTC_TIMESTAMP(3)";
const CLEAR: &str = "c.id = NULL, c.key_id = NULL, c.digest = NULL, c.sealed = NULL";
const GIVE_BACK: &str = "c.cooldown_until = NULL,
    c.issue_count = IF(c.issue_ends_at > UTC_TIMESTAMP(3), GREATEST(c.issue_count - 1, 0), 0)";
const PEEK: &str = "SELECT c.id, c.sealed, {left} c.expires_at) DIV 1000 AS rest,
    {left} c.cooldown_until) DIV 1000 AS cooldown, GREATEST(c.max_attempts - c.attempts, 0) AS attempts_left,
    IF(c.failure_ends_at > UTC_TIMESTAMP(3), c.failure_count, 0) AS failures
FROM `{prefix}challenges` c WHERE c.`key` = ? AND c.id IS NOT NULL";
const PURGE: &str = "CALL `{prefix}purge_1`(?)";

impl Statements {
    fn new(prefix: &str) -> Self {
        let made = |sql: &str| {
            let sql = sql.replace("{left}", "TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3),");
            // Never the same twice, and no negative number.
            let sql = sql.replace("{version}", "UUID_SHORT() & 9223372036854775807");
            Sql::from(named(&sql, "", prefix))
        };
        let amend = |changes: &str| made(&AMEND.replace("{changes}", changes));
        Self {
            get: made(GET),
            put: made(PUT),
            put_absent: made(PUT_ABSENT),
            put_version: made(PUT_VERSION),
            take: made(TAKE),
            count: made(COUNT),
            issue: made(ISSUE),
            attempt: made(ATTEMPT),
            hit: made(HIT),
            cancel: amend(CLEAR),
            refund: amend(&format!("{GIVE_BACK}, {CLEAR}")),
            refund_kept: amend(GIVE_BACK),
            peek: made(PEEK),
            purge: made(PURGE),
            inspect: made(inspect::INSPECT),
            moving: moving::Statements::new(made),
        }
    }
}

impl Store for MysqlStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { read_entry(self.ask(query(&self.sql.get).bind(key.as_str())).await?.row) })
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let Columns { value, number } = Columns::of(value);
            let ttl = milliseconds(ttl);
            let put = |sql| query(sql).bind(value).bind(number).bind(ttl).bind(key.as_str());
            match &when {
                When::Always => Ok(self.ask(put(&self.sql.put)).await?.matched > 0),
                When::Absent => {
                    let put = query(&self.sql.put_absent).bind(key.as_str()).bind(value).bind(number).bind(ttl);
                    get(&self.answer(put).await?, "done")
                }
                When::Version(version) => match sql::version(version) {
                    Some(version) => Ok(self.ask(put(&self.sql.put_version).bind(version)).await?.matched > 0),
                    None => Ok(false),
                },
            }
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { read_entry(self.ask(query(&self.sql.take).bind(key.as_str())).await?.row) })
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        Box::pin(async move {
            let count = query(&self.sql.count).bind(key.as_str()).bind(by).bind(milliseconds(ttl));
            let row = self.answer(count).await?;
            Ok(Count { value: get(&row, "number")?, ttl: span(&row, "rest")? })
        })
    }

    fn issue<'a>(&'a self, key: &'a Key, input: &'a Issue, gate: Option<&'a Gate>) -> BoxFuture<'a, Result<Issued>> {
        Box::pin(async move {
            let keep = millis(input.life) / 2;
            let issue = query(&self.sql.issue)
                .bind(key.as_str())
                .bind(&input.purpose)
                .bind(&input.id[..])
                .bind(i64::from(input.digest.key))
                .bind(&input.digest.bytes[..])
                .bind(&input.sealed)
                .bind(milliseconds(input.life))
                .bind(i32::from(input.max_attempts))
                .bind(milliseconds(input.cooldown))
                .bind(i64::from(input.issues.max))
                .bind(milliseconds(input.issues.window))
                .bind(i64::from(input.failures.max))
                .bind(input.keep.then_some(keep as i64));
            let row = self.answer(bind_gate(issue, gate)).await?;
            Ok(match get(&row, "outcome")? {
                "new" => Issued::New { attempts_left: number(&row, "attempts_left")? },
                "kept" => Issued::Kept {
                    id: read_id(&row, "kept_id")?,
                    sealed: get(&row, "kept_sealed")?,
                    expires_in: span(&row, "wait")?,
                    attempts_left: number(&row, "attempts_left")?,
                },
                outcome => Issued::Refused(refused(outcome, &row)?),
            })
        })
    }

    fn attempt<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Attempt,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Attempted>> {
        Box::pin(async move {
            let ids: Vec<_> = input.candidates.iter().map(|c| c.key.to_string()).collect();
            let digests: Vec<_> = input.candidates.iter().map(|c| c.bytes).collect();
            let attempt = query(&self.sql.attempt)
                .bind(key.as_str())
                .bind(input.id.as_ref().map(|id| &id[..]))
                .bind(ids.join(","))
                .bind(digests.concat())
                .bind(i64::from(input.verifies.max))
                .bind(milliseconds(input.verifies.window))
                .bind(i64::from(input.failures.max))
                .bind(milliseconds(input.failures.window));
            let row = self.answer(bind_gate(attempt, gate)).await?;
            Ok(match get(&row, "outcome")? {
                "right" => Attempted::Right { sealed: get(&row, "opened")? },
                "wrong" => Attempted::Wrong { attempts_left: number(&row, "attempts_left")? },
                outcome => Attempted::Refused(refused(outcome, &row)?),
            })
        })
    }

    fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
        Box::pin(async move {
            let hit = query(&self.sql.hit).bind(gate.key.as_str()).bind(i64::from(gate.limit.max));
            let row = self.answer(hit.bind(milliseconds(gate.limit.window)).bind(i64::from(cost))).await?;
            let remaining = number(&row, "remaining")?;
            Ok(Hit { allowed: get(&row, "allowed")?, remaining, resets_in: span(&row, "resets_in")? })
        })
    }

    fn amend<'a>(&'a self, key: &'a Key, input: &'a Amend) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let (statement, id) = match input {
                Amend::Cancel(id) => (&self.sql.cancel, id.as_ref()),
                Amend::Refund { id, kept: false } => (&self.sql.refund, Some(id)),
                Amend::Refund { id, kept: true } => (&self.sql.refund_kept, Some(id)),
            };
            let amend = query(statement).bind(key.as_str()).bind(id.map(|id| &id[..]));
            Ok(self.ask(amend).await?.matched > 0)
        })
    }

    fn peek<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Peeked>>> {
        Box::pin(async move {
            let row = self.ask(query(&self.sql.peek).bind(key.as_str())).await?.row;
            let Some(row) = row else { return Ok(None) };
            let expires_in = span(&row, "rest")?;
            let peeked = Peeked {
                id: read_id(&row, "id")?,
                sealed: get(&row, "sealed")?,
                expires_in,
                resend_in: span(&row, "cooldown")?,
                attempts_left: number(&row, "attempts_left")?,
                failures: number(&row, "failures")?,
            };
            Ok((!expires_in.is_zero()).then_some(peeked))
        })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let row = self.answer(query(&self.sql.purge).bind(i64::from(limit))).await?;
            Ok(get::<i64>(&row, "purged")? as u64)
        })
    }

    /// Two round trips: what the user may do, and what the server says of itself.
    fn inspect<'a>(&'a self, probe: &'a Key) -> BoxFuture<'a, Result<Inspection>> {
        Box::pin(async move {
            self.take(probe).await?;
            inspect::read(&self.answer(query(&self.sql.inspect)).await?)
        })
    }

    fn needs_purge(&self) -> bool {
        true
    }

    fn scan<'a>(&'a self, prefix: &'a str, cursor: &'a str, limit: u32) -> BoxFuture<'a, Result<Page>> {
        Box::pin(moving::scan(self, prefix, cursor, limit))
    }

    fn detach<'a>(&'a self, key: &'a Key, detached_only: bool) -> BoxFuture<'a, Result<Option<Item>>> {
        Box::pin(moving::detach(self, key, detached_only))
    }

    fn forget<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<()>> {
        Box::pin(moving::forget(self, item))
    }

    fn restore<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<Restored>> {
        Box::pin(moving::restore(self, item))
    }

    fn reissue<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Issue,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Option<Issued>>> {
        Box::pin(async move {
            if self.ask(query(&self.sql.moving.known).bind(key.as_str())).await?.row.is_some() {
                return self.issue(key, input, gate).await.map(Some);
            }
            let Some(gate) = gate else { return Ok(None) };
            let hit = self.hit(gate, 1).await?;
            Ok((!hit.allowed).then_some(Issued::Refused(Refused::Gated(hit.resets_in))))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

impl fmt::Debug for MysqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MysqlStore")
    }
}

fn query<'q>(sql: &Sql) -> Query<'q> {
    sqlx::query(AssertSqlSafe(Arc::clone(sql)))
}

fn bind_gate<'q>(query: Query<'q>, gate: Option<&'q Gate>) -> Query<'q> {
    query
        .bind(gate.map(|g| g.key.as_str()))
        .bind(gate.map(|g| i64::from(g.limit.max)))
        .bind(gate.map(|g| milliseconds(g.limit.window)))
}

fn refused(outcome: &str, row: &MySqlRow) -> Result<Refused> {
    let wait = span(row, "wait")?;
    sql::refused(outcome, wait).ok_or_else(unexpected)
}
