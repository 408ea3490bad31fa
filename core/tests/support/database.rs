//! A database of an app's own, beside the stores.

use std::str::FromStr;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, MySqlConnection, PgConnection, Row};

/// One statement, one connection: slow, and nothing to go wrong.
#[derive(Clone, Debug)]
pub struct Database {
    pub url: String,
}

impl Database {
    /// A new file, which is deleted by [`Database::remove`].
    pub async fn file(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("oncecode-{name}.db"));
        let database = Self { url: format!("sqlite:{}", path.display()) };
        drop(database.sqlite(true).await);
        database
    }

    pub async fn run(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = match self.url.split(':').next() {
            Some("sqlite") => self.sqlite(false).await.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
            Some("mysql" | "mariadb") => self.mysql().await.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
            _ => self.postgres().await.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
        };
        done.expect("the statement runs");
    }

    /// The number that a statement finds.
    pub async fn number(&self, sql: &str) -> i64 {
        let query = AssertSqlSafe(sql.to_owned());
        let found: sqlx::Result<i64> = match self.url.split(':').next() {
            Some("sqlite") => sqlx::query_scalar(query).fetch_one(&mut self.sqlite(false).await).await,
            Some("mysql" | "mariadb") => sqlx::query_scalar(query).fetch_one(&mut self.mysql().await).await,
            // Nothing prepared: a pooler may be between.
            _ => self.postgres().await.fetch_one(sqlx::raw_sql(query)).await.and_then(|row| row.try_get(0)),
        };
        found.expect("a number")
    }

    pub fn remove(&self) {
        if let Some(path) = self.url.strip_prefix("sqlite:") {
            let _ = std::fs::remove_file(path);
        }
    }

    async fn sqlite(&self, create: bool) -> SqliteConnection {
        let options = SqliteConnectOptions::from_str(&self.url).expect("a path").create_if_missing(create);
        options.busy_timeout(std::time::Duration::from_secs(30)).connect().await.expect("the file opens")
    }

    async fn mysql(&self) -> MySqlConnection {
        MySqlConnection::connect(&self.url).await.expect("mariadb answers")
    }

    async fn postgres(&self) -> PgConnection {
        super::sql_time::connect(&self.url).await
    }
}
