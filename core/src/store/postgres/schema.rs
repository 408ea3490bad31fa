//! The tables and functions: checking them, and making them when they are missing.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::time::timeout;

use super::address::Address;
use super::rows::{code, failed, is_parameter_unknown, unopened};
use crate::error::{Error, Result};
use crate::random::{Random, SystemRandom};
use crate::store::sql::{self, named, pool};

/// Versions of the schema, oldest first.
const STEPS: &[&str] = &[include_str!("../sql/postgres_1.sql")];

/// Making tables may take longer than a call: other processes may be at it, too.
const MIGRATING: Duration = Duration::from_secs(10);

/// A setting of nobody's, by which a session knows itself.
const MARK: &str = "oncecode.session";

/// Where the tables are.
pub(super) struct Place {
    /// Quoted.
    schema: String,
    prefix: String,
    /// The database's default is stricter than what the functions are written for.
    pub(super) strict: bool,
    /// A pooler gives each transaction another connection.
    pub(super) pooled: bool,
}

impl Place {
    pub(super) fn named(&self, sql: &str) -> String {
        named(sql, &self.schema, &self.prefix)
    }
}

/// Connects and makes sure that the tables are there. One round trip more than needed only the first time.
///
/// Nothing here is prepared, is a setting of the session, or holds a lock beyond its transaction: a pooler may be between.
pub(super) async fn open(
    address: &Address,
    schema: Option<&str>,
    prefix: &str,
    deadline: Duration,
) -> Result<(PgConnection, Place)> {
    let mark = mark()?;
    let mut connection = connect(address, &mark, deadline).await?;
    let checking = async {
        let mut place = place(&mut connection, schema, prefix, &mark).await?;
        place.pooled = address.pooled.unwrap_or(place.pooled);
        Ok((version(&mut connection, &place).await?, place))
    };
    let (found, place) = timeout(deadline, checking).await.map_err(|_| late())??;
    if !sql::pending(STEPS, found)?.is_empty() {
        timeout(MIGRATING, migrate(&mut connection, &place)).await.map_err(|_| late())??;
    }
    Ok((connection, place))
}

/// Unless the URL says what is there, the session gets a mark when it starts. It is found again only where this session is
/// with the server what it is with us: a pooler refuses such a parameter, or keeps it to itself.
async fn connect(address: &Address, mark: &str, deadline: Duration) -> Result<PgConnection> {
    let plain = || pool::connect(&address.options, None, deadline);
    if address.pooled.is_some() {
        return plain().await?.map_err(unopened);
    }
    let marked = address.options.clone().options([(MARK, mark)]);
    match pool::connect(&marked, None, deadline).await? {
        Err(e) if is_parameter_unknown(&e) => plain().await?.map_err(unopened),
        connected => connected.map_err(unopened),
    }
}

fn mark() -> Result<String> {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes).to_string())
}

async fn place(connection: &mut PgConnection, schema: Option<&str>, prefix: &str, mark: &str) -> Result<Place> {
    let ask = format!(
        "SELECT current_schema()::text, current_setting('default_transaction_isolation') <> 'read committed',
        current_setting('{MARK}', true) IS DISTINCT FROM '{mark}'"
    );
    let row = sqlx::raw_sql(AssertSqlSafe(ask)).fetch_one(connection).await.map_err(unopened)?;
    let schema = match schema {
        Some(schema) => Some(schema.to_owned()),
        None => row.try_get(0).map_err(failed)?,
    };
    let schema = schema.ok_or_else(|| Error::config("the connection has no default schema; set the option schema"))?;
    let schema = format!("\"{}\"", schema.replace('"', "\"\""));
    let read = |index| row.try_get(index).map_err(failed);
    Ok(Place { schema, prefix: prefix.to_owned(), strict: read(1)?, pooled: read(2)? })
}

/// The version of the schema; 0 when there is none.
async fn version(connection: &mut PgConnection, place: &Place) -> Result<i64> {
    let ask = r#"SELECT coalesce(max(m.version), 0)::bigint FROM {schema}."{prefix}migrations" m WHERE m.applied_at IS NOT NULL"#;
    match sqlx::raw_sql(AssertSqlSafe(place.named(ask))).fetch_one(connection).await {
        Ok(row) => row.try_get(0).map_err(failed),
        Err(e) => match code(&e).as_deref() {
            // No such table, no such schema.
            Some("42P01" | "3F000") => Ok(0),
            // No such column, no such function over its type.
            Some("42703" | "42883" | "42846") => Err(sql::foreign()),
            _ => Err(unopened(e)),
        },
    }
}

/// All steps in one transaction, one process at a time.
async fn migrate(connection: &mut PgConnection, place: &Place) -> Result<()> {
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(unopened)?;
    let name = place.named(r#"oncecode {schema}."{prefix}""#).replace('\'', "''");
    let lock = format!("SELECT pg_advisory_xact_lock(hashtextextended('{name}', 0))");
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *transaction).await.map_err(unopened)?;
    // `IF NOT EXISTS` would ask for a right that is needed only if it does not exist.
    let script = place.named(
        r#"DO $oncecode$ BEGIN
            IF to_regnamespace('{schema}') IS NULL THEN CREATE SCHEMA {schema}; END IF;
        END $oncecode$;
        CREATE TABLE IF NOT EXISTS {schema}."{prefix}migrations"
            (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());"#,
    );
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *transaction).await.map_err(unopened)?;
    let found = version(&mut transaction, place).await?;
    for (version, step) in sql::pending(STEPS, found)? {
        let note = r#"INSERT INTO {schema}."{prefix}migrations" (version) VALUES ({version});"#;
        let script = place.named(&format!("{step} {note}")).replace("{version}", &version.to_string());
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *transaction).await.map_err(|e| {
            match code(&e).as_deref() {
                // A table or function of that name exists.
                Some("42P07" | "42723") => sql::foreign(),
                _ => unopened(e),
            }
        })?;
    }
    transaction.commit().await.map_err(unopened)
}

fn late() -> Error {
    sql::unavailable("PostgreSQL did not answer in time")
}
