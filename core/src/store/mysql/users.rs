//! The app's own table of users.

use std::fmt;

use sqlx::mysql::{MySqlArguments, MySqlConnection};
use sqlx::{AssertSqlSafe, MySql, Row, query, query_with};
use tokio::time::timeout;

use super::rows::{code, failed, is_deadlock, is_outage, unopened};
use super::{Sql, address, setup};
use crate::error::{Error, Result};
use crate::store::sql::{pool, unavailable};
use crate::store::users::{Users, UsersTable};
use crate::store::{BoxFuture, StoreOptions};

/// A table in one database.
pub(crate) struct MysqlUsers {
    pool: pool::Pool<MySqlConnection>,
    version: Sql,
    raise: Sql,
    id: Id,
}

/// What ids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    /// The server would take `12abc` for 12, so that only numbers may come to it.
    Number,
    Text,
}

const LOOK: &str = "SELECT CAST(LOWER(c.COLUMN_NAME) AS CHAR) AS name, CAST(LOWER(c.DATA_TYPE) AS CHAR) AS type
FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = COALESCE(?, DATABASE()) AND c.TABLE_NAME = ?";
const WHERE_NUMBER: &str = "WHERE {id} = ?";
/// The first comparison goes by the index. The second lets nothing pass that is only as good as equal, in whatever
/// collation: each user has one name in tokens, and one entry in the caches.
const WHERE_TEXT: &str = "WHERE {id} = ? AND CAST(CONVERT({id} USING utf8mb4) AS BINARY) = CAST(? AS BINARY)";
const VERSION: &str = "SELECT CAST(COALESCE({version}, 0) AS SIGNED) FROM {table} ";
/// `LAST_INSERT_ID` brings the number back within the answer.
const RAISE: &str = "UPDATE {table} SET {version} = LAST_INSERT_ID(COALESCE({version}, 0) + 1) ";

impl MysqlUsers {
    /// Connects and looks whether table and columns are there.
    pub(crate) async fn open(url: &str, table: &UsersTable, options: &StoreOptions) -> Result<Self> {
        let connect = address::parse(url)?;
        let setup = setup(options.deadline);
        let mut connection =
            pool::connect::<MySqlConnection>(&connect, Some(&setup), options.deadline).await?.map_err(unopened)?;
        let looking = async {
            let look = query(LOOK).bind(&table.schema).bind(&table.table);
            let rows = look.fetch_all(&mut connection).await.map_err(failed)?;
            let column = |row: &sqlx::mysql::MySqlRow| Ok((row.try_get(0)?, row.try_get(1)?));
            rows.iter().map(column).collect::<sqlx::Result<Vec<(String, String)>>>().map_err(failed)
        };
        let columns = timeout(options.deadline, looking).await.map_err(|_| late())??;
        let id = id_type(&columns, table)?;
        let pool = pool::Pool::new(connect, options.connect, Some(setup), options.max_connections, failed);
        pool.adopt(connection);
        let which = if id == Id::Number { WHERE_NUMBER } else { WHERE_TEXT };
        let made = |sql: &str| Sql::from(table.named(&[sql, which].concat(), '`'));
        Ok(Self { pool, version: made(VERSION), raise: made(RAISE), id })
    }

    /// The user as the statements want it. `None`: no id looks like that.
    fn values(&self, user: &str) -> Option<MySqlArguments> {
        use sqlx::Arguments;
        let mut values = MySqlArguments::default();
        let added = match self.id {
            Id::Text => values.add(user).and_then(|()| values.add(user)),
            Id::Number => {
                let number: i128 = user.parse().ok().filter(|number: &i128| number.to_string() == user)?;
                match (i64::try_from(number), u64::try_from(number)) {
                    (Ok(number), _) => values.add(number),
                    (_, Ok(number)) => values.add(number),
                    _ => return None,
                }
            }
        };
        added.ok().map(|()| values)
    }

    /// One round trip. Asked again where the server undid it to let another go forward, or where the connection had ended
    /// while it rested: a version that is raised twice is as good as one that is raised once.
    async fn ask<T>(&self, sql: &Sql, user: &str, read: Read<T>) -> Result<Option<T>> {
        let Some(values) = self.values(user) else { return Ok(None) };
        loop {
            let mut lease = self.pool.lease().await?;
            let reused = lease.is_reused();
            let said = query_with::<MySql, _>(AssertSqlSafe(Sql::clone(sql)), values.clone());
            match read(said, lease.driver()?).await {
                Ok(answer) => {
                    lease.done();
                    return Ok(answer);
                }
                Err(e) if is_deadlock(&e) => lease.done(),
                // Characters that the column cannot have are in nobody's id.
                Err(e) if matches!(code(&e), Some(1267 | 1366 | 3988)) => {
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

type Said = sqlx::query::Query<'static, MySql, MySqlArguments>;
type Read<T> = for<'c> fn(Said, &'c mut MySqlConnection) -> BoxFuture<'c, sqlx::Result<Option<T>>>;

fn read_version(said: Said, connection: &mut MySqlConnection) -> BoxFuture<'_, sqlx::Result<Option<u64>>> {
    Box::pin(async move {
        // To the end: what is left unread would be in the way of the next.
        let rows = said.fetch_all(connection).await?;
        let version = rows.first().map(|row| row.try_get::<i64, _>(0)).transpose()?;
        Ok(version.map(|version| version.max(0) as u64))
    })
}

fn read_raised(said: Said, connection: &mut MySqlConnection) -> BoxFuture<'_, sqlx::Result<Option<u64>>> {
    Box::pin(async move {
        let done = said.execute(connection).await?;
        Ok((done.rows_affected() > 0).then(|| done.last_insert_id()))
    })
}

impl Users for MysqlUsers {
    fn version<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(self.ask(&self.version, user, read_version))
    }

    fn raise<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(self.ask(&self.raise, user, read_raised))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

impl fmt::Debug for MysqlUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MysqlUsers")
    }
}

/// What ids are, if both columns are as they must be.
fn id_type(columns: &[(String, String)], table: &UsersTable) -> Result<Id> {
    if columns.is_empty() {
        return Err(table.no_table());
    }
    let find = |column: &str| {
        columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, kind)| kind.as_str())
    };
    let (Some(id), version) = (find(&table.id), find(&table.version)) else { return Err(table.no_column(false)) };
    match version {
        None => return Err(table.no_column(true)),
        Some("int" | "bigint") => {}
        Some(other) => return Err(table.wrong_type(false, other)),
    }
    match id {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Ok(Id::Number),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "uuid" => Ok(Id::Text),
        other => Err(table.wrong_type(true, other)),
    }
}

fn late() -> Error {
    unavailable("the database server did not answer in time")
}
