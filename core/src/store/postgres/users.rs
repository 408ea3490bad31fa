//! The app's own table of users.
//!
//! Everything is said as one message with its values as literals, as behind a pooler, so that it does not matter whether
//! one is there.

use std::fmt;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row, raw_sql};
use tokio::time::timeout;

use super::address::Address;
use super::rows::{code, failed, is_outage, unopened};
use super::statement::write_text;
use crate::error::{Error, Result};
use crate::store::sql::{pool, unavailable};
use crate::store::users::{Users, UsersTable};
use crate::store::{BoxFuture, StoreOptions};

/// A table in one database.
pub(crate) struct PostgresUsers {
    pool: pool::Pool<PgConnection>,
    version: String,
    raise: String,
}

const LOOK: &str = "SELECT t.oid IS NOT NULL AS found,
    (SELECT format_type(a.atttypid, -1) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = '{id}' AND a.attnum > 0) AS id,
    (SELECT format_type(a.atttypid, -1) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = '{version}' AND a.attnum > 0) AS version
FROM (SELECT to_regclass('{table}')::oid AS oid) t";
/// The first comparison goes by the index. The second lets nothing pass that is only spelt otherwise: each user has one
/// name in tokens, and one entry in the caches.
const WHERE: &str = "WHERE {id} = {user}::text::{type} AND {id}::text = {user}::text";
const VERSION: &str = "SELECT coalesce({version}, 0)::bigint FROM {table} ";
const RAISE: &str = "UPDATE {table} SET {version} = coalesce({version}, 0) + 1 ";
const RAISED: &str = " RETURNING {version}::bigint";

impl PostgresUsers {
    /// Connects and looks whether table and columns are there.
    pub(crate) async fn open(url: &str, table: &UsersTable, options: &StoreOptions) -> Result<Self> {
        let address = Address::parse(url)?;
        let mut connection =
            pool::connect::<PgConnection>(&address.options, None, options.deadline).await?.map_err(unopened)?;
        let look = LOOK.replace("{table}", &table.name('"'));
        let look = look.replace("{id}", &table.id).replace("{version}", &table.version);
        let looking = raw_sql(AssertSqlSafe(look)).fetch_one(&mut connection);
        let row = timeout(options.deadline, looking).await.map_err(|_| late())?.map_err(unopened)?;
        let kind = id_type(&row, table)?;
        let pool = pool::Pool::new(address.options, options.connect, None, options.max_connections, failed);
        pool.adopt(connection);
        let made = |sql: &str| table.named(sql, '"').replace("{type}", &kind);
        Ok(Self { pool, version: made(&[VERSION, WHERE].concat()), raise: made(&[RAISE, WHERE, RAISED].concat()) })
    }

    /// One message, one round trip. Asked again where the connection had ended while it rested: a version that is raised
    /// twice is as good as one that is raised once.
    async fn ask(&self, sql: &str, user: &str) -> Result<Option<u64>> {
        let mut literal = String::with_capacity(user.len() + 3);
        write_text(user, &mut literal);
        let sql = sql.replace("{user}", &literal);
        loop {
            let mut lease = self.pool.lease().await?;
            let reused = lease.is_reused();
            match raw_sql(AssertSqlSafe(sql.clone())).fetch_optional(lease.driver()?).await {
                Ok(row) => {
                    lease.done();
                    let version = row.map(|row| row.try_get::<i64, _>(0).map_err(failed)).transpose()?;
                    return Ok(version.map(|version| version.max(0) as u64));
                }
                // What no id can be is nobody's.
                Err(e) if code(&e).is_some_and(|code| code.starts_with("22")) => {
                    lease.done();
                    return Ok(None);
                }
                Err(e) => {
                    let is_outage = is_outage(&e);
                    lease.broken(is_outage);
                    if !(reused && is_outage) {
                        return Err(failed(e));
                    }
                }
            }
        }
    }
}

impl Users for PostgresUsers {
    fn version<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(self.ask(&self.version, user))
    }

    fn raise<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(self.ask(&self.raise, user))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

impl fmt::Debug for PostgresUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUsers")
    }
}

/// The type of the id as the server writes it in statements, if both columns are as they must be.
fn id_type(row: &PgRow, table: &UsersTable) -> Result<String> {
    if !row.try_get::<bool, _>("found").map_err(failed)? {
        return Err(table.no_table());
    }
    let read = |name: &str| row.try_get::<Option<String>, _>(name).map_err(failed);
    let (Some(id), version) = (read("id")?, read("version")?) else { return Err(table.no_column(false)) };
    match version.as_deref() {
        None => Err(table.no_column(true)),
        Some("integer" | "bigint") => Ok(id),
        Some(other) => Err(table.wrong_type(false, other)),
    }
}

fn late() -> Error {
    unavailable("the database server did not answer in time")
}
