//! The tables and functions: checking them, and making them when they are missing.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::time::timeout;

use super::rows::{code, failed, unopened};
use crate::error::{Error, Result};
use crate::store::sql::{self, named};

/// Versions of the schema, oldest first.
const STEPS: &[&str] = &[include_str!("../sql/postgres_1.sql")];

/// Making tables may take longer than a call: other processes may be at it, too.
const MIGRATING: Duration = Duration::from_secs(10);

/// Where the tables are.
pub(super) struct Place {
    /// Quoted.
    schema: String,
    prefix: String,
    /// The database's default is stricter than what the functions are written for.
    pub(super) strict: bool,
}

impl Place {
    pub(super) fn named(&self, sql: &str) -> String {
        named(sql, &self.schema, &self.prefix)
    }
}

/// Makes sure that the tables are there. One round trip more than needed only the first time.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    schema: Option<&str>,
    prefix: &str,
    deadline: Duration,
) -> Result<Place> {
    let checking = async {
        let place = place(connection, schema, prefix).await?;
        Ok((version(connection, &place).await?, place))
    };
    let (found, place) = timeout(deadline, checking).await.map_err(|_| late())??;
    if !sql::pending(STEPS, found)?.is_empty() {
        timeout(MIGRATING, migrate(connection, &place)).await.map_err(|_| late())??;
    }
    Ok(place)
}

async fn place(connection: &mut PgConnection, schema: Option<&str>, prefix: &str) -> Result<Place> {
    let ask = "SELECT coalesce($1, current_schema()::text), current_setting('default_transaction_isolation') <> 'read committed'";
    let row = sqlx::query(ask).bind(schema).fetch_one(connection).await.map_err(unopened)?;
    let schema: Option<String> = row.try_get(0).map_err(failed)?;
    let schema = schema.ok_or_else(|| Error::config("the connection has no default schema; set the option schema"))?;
    let schema = format!("\"{}\"", schema.replace('"', "\"\""));
    Ok(Place { schema, prefix: prefix.to_owned(), strict: row.try_get(1).map_err(failed)? })
}

/// The version of the schema; 0 when there is none.
async fn version(connection: &mut PgConnection, place: &Place) -> Result<i64> {
    let ask = r#"SELECT coalesce(max(m.version), 0)::bigint FROM {schema}."{prefix}migrations" m WHERE m.applied_at IS NOT NULL"#;
    match sqlx::query_scalar(AssertSqlSafe(place.named(ask))).fetch_one(connection).await {
        Ok(version) => Ok(version),
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
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    let name = place.named(r#"oncecode {schema}."{prefix}""#);
    sqlx::query(lock).bind(name).execute(&mut *transaction).await.map_err(unopened)?;
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
