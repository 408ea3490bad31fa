//! `postgres://…`: the rules run in the server, one statement and one round trip a call.
//!
//! `sql/postgres_1.sql` holds the functions for the hot operations; they say the same as [`Record`](super::challenge),
//! on columns. Time is the server's.

mod address;
mod inspect;
mod moving;
mod rows;
mod schema;
mod statement;
mod users;

use std::fmt;
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use self::address::Address;
use self::rows::{failed, get, is_outage, is_terminated, number, read_entry, read_id, span, unexpected};
use self::schema::Place;
use self::statement::{Query, Statement, query};
pub(super) use self::users::PostgresUsers;
use super::challenge::millis;
use super::sql::pool::Pool;
use super::sql::{self, Columns};
use super::*;
use crate::error::Result;

/// One database and schema.
pub(crate) struct PostgresStore {
    pool: Pool<PgConnection>,
    sql: Statements,
}

impl PostgresStore {
    /// Connects, and makes the tables where they are missing.
    ///
    /// # Errors
    /// `CONFIG` for a malformed URL, refused credentials or rights, and tables that are not ours;
    /// `STORE_UNAVAILABLE` when the server does not answer.
    pub(crate) async fn open(url: &str, options: StoreOptions) -> Result<Self> {
        let address = Address::parse(url)?;
        let (connection, place) =
            schema::open(&address, options.schema.as_deref(), &options.table_prefix, options.deadline).await?;
        let strict = place.strict && !place.pooled;
        let setup = strict.then(|| "SET default_transaction_isolation = 'read committed'".to_owned());
        let pool = Pool::new(address.options, options.connect, setup, options.max_connections, failed);
        if !strict {
            pool.adopt(connection);
        }
        Ok(Self { pool, sql: Statements::new(&place) })
    }

    /// One statement, one round trip, at most one row.
    async fn ask(&self, query: Query<'_>) -> Result<Option<PgRow>> {
        let said = query.said()?;
        loop {
            let mut lease = self.pool.lease().await?;
            let reused = lease.is_reused();
            match said.fetch(lease.driver()?).await {
                Ok(row) => {
                    lease.done();
                    return Ok(row);
                }
                Err(e) => {
                    lease.broken(is_outage(&e));
                    // An administrator ended the connection while it rested, so it never saw the statement; or during
                    // the statement, which is then undone. New connections do not come here again.
                    if !(reused && is_terminated(&e)) {
                        return Err(failed(e));
                    }
                }
            }
        }
    }

    async fn answer(&self, query: Query<'_>) -> Result<PgRow> {
        self.ask(query).await?.ok_or_else(unexpected)
    }
}

/// What is said to the server.
struct Statements {
    get: Statement,
    put: Statement,
    put_absent: Statement,
    put_version: Statement,
    take: Statement,
    count: Statement,
    issue: Statement,
    attempt: Statement,
    hit: Statement,
    amend: Statement,
    peek: Statement,
    purge: Statement,
    inspect: Statement,
    moving: moving::Statements,
}

const GET: &str = r#"SELECT e.value, e.number, e.version, {ms}e.expires_at - {now}{/ms} AS rest FROM {schema}."{prefix}entries" e WHERE e.key = $1"#;
const PUT: &str = r#"INSERT INTO {schema}."{prefix}entries" AS e (key, value, number, expires_at, version)
VALUES ($1, $2, $3, {now} + $4, (random() * 1e18)::bigint)
ON CONFLICT (key) DO UPDATE SET value = $2, number = $3, expires_at = excluded.expires_at, version = excluded.version
WHERE {when} RETURNING 1"#;
const PUT_VERSION: &str = r#"UPDATE {schema}."{prefix}entries" e
SET value = $2, number = $3, expires_at = {now} + $4, version = (random() * 1e18)::bigint
WHERE e.key = $1 AND e.version = $5 AND e.expires_at > {now} RETURNING 1"#;
const TAKE: &str = r#"DELETE FROM {schema}."{prefix}entries" e WHERE e.key = $1
RETURNING e.value, e.number, e.version, {ms}e.expires_at - {now}{/ms} AS rest"#;
/// What is no number counts as the greatest; sums stop at the ends of their range.
const COUNT: &str = r#"INSERT INTO {schema}."{prefix}entries" AS e (key, number, expires_at, version)
VALUES ($1, $2, {now} + $3, (random() * 1e18)::bigint)
ON CONFLICT (key) DO UPDATE SET value = NULL, version = excluded.version,
    number = CASE WHEN e.expires_at > excluded.expires_at - $3 THEN greatest(-9223372036854775808,
        least(9223372036854775807, coalesce(e.number, 9223372036854775807)::numeric + $2))::bigint ELSE $2 END,
    expires_at = CASE WHEN e.expires_at > excluded.expires_at - $3 THEN e.expires_at ELSE excluded.expires_at END
RETURNING e.number, greatest({ms}e.expires_at - {now}{/ms}, 1) AS rest"#;
const ISSUE: &str = r#"SELECT outcome, {ms}wait{/ms} AS wait, attempts_left, kept_id, kept_sealed
FROM {schema}."{prefix}issue_1"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"#;
const ATTEMPT: &str = r#"SELECT outcome, {ms}wait{/ms} AS wait, attempts_left, opened
FROM {schema}."{prefix}attempt_1"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"#;
const HIT: &str =
    r#"SELECT allowed, remaining, {ms}resets_in{/ms} AS resets_in FROM {schema}."{prefix}hit_1"($1, $2, $3, $4)"#;
/// `$2` an id or any, `$3` refund, `$4` keep the challenge.
const AMEND: &str = r#"UPDATE {schema}."{prefix}challenges" c SET
    cooldown_until = CASE WHEN $3 THEN NULL ELSE c.cooldown_until END,
    issue_count = CASE WHEN NOT $3 THEN c.issue_count WHEN c.issue_ends_at > {now} THEN greatest(c.issue_count - 1, 0) ELSE 0 END,
    id = CASE WHEN $4 THEN c.id END, key_id = CASE WHEN $4 THEN c.key_id END,
    digest = CASE WHEN $4 THEN c.digest END, sealed = CASE WHEN $4 THEN c.sealed END
WHERE c.key = $1 AND c.id = coalesce($2, c.id) AND c.expires_at > {now} RETURNING 1"#;
const PEEK: &str = r#"SELECT c.id, c.sealed, {ms}c.expires_at - {now}{/ms} AS rest, {ms}c.cooldown_until - {now}{/ms} AS cooldown,
    greatest(c.max_attempts - c.attempts, 0)::bigint AS attempts_left,
    CASE WHEN c.failure_ends_at > {now} THEN c.failure_count ELSE 0 END::bigint AS failures
FROM {schema}."{prefix}challenges" c WHERE c.key = $1 AND c.id IS NOT NULL"#;
const PURGE: &str = r#"WITH challenges AS (
    DELETE FROM {schema}."{prefix}challenges" WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {schema}."{prefix}challenges" WHERE purge_at <= now() ORDER BY purge_at LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING 1
), entries AS (
    DELETE FROM {schema}."{prefix}entries" WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {schema}."{prefix}entries" WHERE expires_at <= now() ORDER BY expires_at
        LIMIT $1 - (SELECT count(*) FROM challenges) FOR UPDATE SKIP LOCKED))
    RETURNING 1
) SELECT (SELECT count(*) FROM challenges) + (SELECT count(*) FROM entries)"#;

impl Statements {
    fn new(place: &Place) -> Self {
        // Whole milliseconds, as everywhere.
        let now = "date_trunc('milliseconds', clock_timestamp())";
        let made = |sql: &str| {
            let sql =
                sql.replace("{now}", now).replace("{ms}", "(extract(epoch FROM ").replace("{/ms}", ") * 1000)::bigint");
            Statement::new(&sql, place)
        };
        Self {
            get: made(GET),
            put: made(&PUT.replace("{when}", "true")),
            put_absent: made(&PUT.replace("{when}", "e.expires_at <= {now}")),
            put_version: made(PUT_VERSION),
            take: made(TAKE),
            count: made(COUNT),
            issue: made(ISSUE),
            attempt: made(ATTEMPT),
            hit: made(HIT),
            amend: made(AMEND),
            peek: made(PEEK),
            purge: made(PURGE),
            inspect: made(inspect::INSPECT),
            moving: moving::Statements::new(made),
        }
    }
}

impl Store for PostgresStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { read_entry(self.ask(query(&self.sql.get).bind(key.as_str())).await?) })
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let columns = Columns::of(value);
            let put = |sql| query(sql).bind(key.as_str()).bind(columns.value).bind(columns.number).bind(ttl);
            let put = match &when {
                When::Always => put(&self.sql.put),
                When::Absent => put(&self.sql.put_absent),
                When::Version(version) => match sql::version(version) {
                    Some(version) => put(&self.sql.put_version).bind(version),
                    None => return Ok(false),
                },
            };
            Ok(self.ask(put).await?.is_some())
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { read_entry(self.ask(query(&self.sql.take).bind(key.as_str())).await?) })
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        Box::pin(async move {
            let row = self.answer(query(&self.sql.count).bind(key.as_str()).bind(by).bind(ttl)).await?;
            Ok(Count { value: get(&row, "number")?, ttl: span(&row, "rest")? })
        })
    }

    fn issue<'a>(&'a self, key: &'a Key, input: &'a Issue, gate: Option<&'a Gate>) -> BoxFuture<'a, Result<Issued>> {
        Box::pin(async move {
            let keep = Duration::from_millis(millis(input.life) / 2);
            let issue = query(&self.sql.issue)
                .bind(key.as_str())
                .bind(&*input.purpose)
                .bind(&input.id[..])
                .bind(i64::from(input.digest.key))
                .bind(&input.digest.bytes[..])
                .bind(&input.sealed[..])
                .bind(input.life)
                .bind(i32::from(input.max_attempts))
                .bind(input.cooldown)
                .bind(i64::from(input.issues.max))
                .bind(input.issues.window)
                .bind(i64::from(input.failures.max))
                .bind(input.keep.then_some(keep));
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
            let ids: Vec<_> = input.candidates.iter().map(|c| i64::from(c.key)).collect();
            let digests: Vec<_> = input.candidates.iter().map(|c| &c.bytes[..]).collect();
            let attempt = query(&self.sql.attempt)
                .bind(key.as_str())
                .bind(input.id.as_ref().map(|id| &id[..]))
                .bind(ids)
                .bind(digests)
                .bind(i64::from(input.verifies.max))
                .bind(input.verifies.window)
                .bind(i64::from(input.failures.max))
                .bind(input.failures.window);
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
            let row = self.answer(hit.bind(gate.limit.window).bind(i64::from(cost))).await?;
            let remaining = number(&row, "remaining")?;
            Ok(Hit { allowed: get(&row, "allowed")?, remaining, resets_in: span(&row, "resets_in")? })
        })
    }

    fn amend<'a>(&'a self, key: &'a Key, input: &'a Amend) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let (id, refund, keep) = match input {
                Amend::Cancel(id) => (id.as_ref(), false, false),
                Amend::Refund { id, kept } => (Some(id), true, *kept),
            };
            let amend = query(&self.sql.amend).bind(key.as_str()).bind(id.map(|id| &id[..])).bind(refund).bind(keep);
            Ok(self.ask(amend).await?.is_some())
        })
    }

    fn peek<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Peeked>>> {
        Box::pin(async move {
            let row = self.ask(query(&self.sql.peek).bind(key.as_str())).await?;
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
            row.try_get::<i64, _>(0).map(|purged| purged as u64).map_err(failed)
        })
    }

    fn inspect<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Result<Inspection>> {
        Box::pin(async move { inspect::read(&self.answer(query(&self.sql.inspect)).await?) })
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
            if self.ask(query(&self.sql.moving.known).bind(key.as_str())).await?.is_some() {
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

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresStore")
    }
}

fn bind_gate<'q>(query: Query<'q>, gate: Option<&'q Gate>) -> Query<'q> {
    query
        .bind(gate.map(|g| g.key.as_str()))
        .bind(gate.map(|g| i64::from(g.limit.max)))
        .bind(gate.map(|g| g.limit.window))
}

fn refused(outcome: &str, row: &PgRow) -> Result<Refused> {
    let wait = span(row, "wait")?;
    sql::refused(outcome, wait).ok_or_else(unexpected)
}
