//! The app's own table of users.

use std::fmt;

use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection, Row};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::connection::{Sql, failed, query, shared_file, unopened};
use crate::error::{Error, ErrorKind, Result};
use crate::store::sql::unavailable;
use crate::store::users::{Users, UsersTable};
use crate::store::{BoxFuture, StoreOptions};

/// A table in one file.
pub(crate) struct SqliteUsers {
    connection: Mutex<Option<SqliteConnection>>,
    version: Sql,
    raise: Sql,
}

/// The first comparison goes by the index, which takes `1.0` for 1. The second lets nothing pass that is only spelt
/// otherwise: each user has one name in tokens, and one entry in the caches.
const WHERE: &str = "WHERE {id} = ?1 AND CAST({id} AS TEXT) = ?1 COLLATE BINARY";
const VERSION: &str = "SELECT CAST(coalesce({version}, 0) AS INTEGER) FROM {table} ";
const RAISE: &str = "UPDATE {table} SET {version} = coalesce({version}, 0) + 1 ";
const RAISED: &str = " RETURNING CAST({version} AS INTEGER)";

impl SqliteUsers {
    /// Opens the file, which must be there, and looks whether table and columns are.
    pub(crate) async fn open(url: &str, table: &UsersTable, options: &StoreOptions) -> Result<Self> {
        if table.schema.is_some() {
            return Err(Error::config("tokens.users: a table in SQLite has no schema"));
        }
        let opening = async {
            let mut connection = shared_file(url, options.deadline)?.connect().await.map_err(unopened)?;
            let look = sqlx::query("SELECT lower(name) FROM pragma_table_info(?)").bind(&table.table);
            let rows = look.fetch_all(&mut connection).await.map_err(failed)?;
            let names = rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<Vec<String>>>().map_err(failed)?;
            Ok::<_, Error>((connection, names))
        };
        let (connection, names) = timeout(options.deadline, opening).await.map_err(|_| late())??;
        let has = |column: &str| names.iter().any(|name| name.eq_ignore_ascii_case(column));
        match (names.is_empty(), has(&table.id), has(&table.version)) {
            (true, ..) => return Err(table.no_table()),
            (_, has_id, has_version) if !has_id || !has_version => return Err(table.no_column(has_id)),
            _ => {}
        }
        let made = |sql: &str| Sql::from(table.named(sql, '"'));
        Ok(Self {
            connection: Mutex::new(Some(connection)),
            version: made(&[VERSION, WHERE].concat()),
            raise: made(&[RAISE, WHERE, RAISED].concat()),
        })
    }

    async fn ask(&self, sql: &Sql, user: &str) -> Result<Option<u64>> {
        let mut connection = self.connection.lock().await;
        let connection = connection.as_mut().ok_or_else(|| Error::new(ErrorKind::Closed, "the client was closed"))?;
        // To the end, which is where the change is kept.
        let rows = query(sql).bind(user).fetch_all(connection).await.map_err(failed)?;
        let version = rows.first().map(|row| row.try_get::<i64, _>(0)).transpose().map_err(failed)?;
        Ok(version.map(|version| version.max(0) as u64))
    }
}

impl Users for SqliteUsers {
    fn version<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(self.ask(&self.version, user))
    }

    fn raise<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(self.ask(&self.raise, user))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(connection) = self.connection.lock().await.take() {
                let _ = connection.close().await;
            }
        })
    }
}

impl fmt::Debug for SqliteUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteUsers")
    }
}

fn late() -> Error {
    unavailable("the SQLite file stayed locked by another process")
}
