//! PostgreSQL cannot be given a clock; its rows can be moved into the past, which is the same to us.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row, raw_sql};

/// A pooler may be between: nothing is prepared, and no parameter asked for that it does not know.
pub async fn connect(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().expect("a URL");
    options.extra_float_digits(None).connect().await.expect("postgres answers")
}

/// Every timestamp of the rows under the prefix, whatever columns the schema has.
pub async fn advance(url: &str, prefix: &str, by: Duration) {
    let mut connection = connect(url).await;
    for table in ["oncecode_challenges", "oncecode_entries"] {
        let columns = format!(
            "SELECT column_name::text FROM information_schema.columns
            WHERE table_name = '{table}' AND data_type LIKE 'timestamp%'"
        );
        let columns = raw_sql(AssertSqlSafe(columns)).fetch_all(&mut connection).await.expect("columns");
        let moved = |row: &sqlx::postgres::PgRow| {
            let name: String = row.get(0);
            format!("\"{name}\" = \"{name}\" - interval '{} milliseconds'", by.as_millis())
        };
        let moves: Vec<_> = columns.iter().map(moved).collect();
        let update = format!("UPDATE {table} SET {} WHERE key LIKE '{prefix}:%'", moves.join(", "));
        raw_sql(AssertSqlSafe(update)).execute(&mut connection).await.expect("the rows move");
    }
}

pub async fn assert_all_expire(url: &str, prefix: &str) {
    let mut connection = connect(url).await;
    for (table, end) in [("oncecode_challenges", "purge_at"), ("oncecode_entries", "expires_at")] {
        let immortal = format!(
            "SELECT count(*) FROM {table} WHERE key LIKE '{prefix}:%' AND ({end} IS NULL OR {end} = 'infinity')"
        );
        let row = raw_sql(AssertSqlSafe(immortal)).fetch_one(&mut connection).await.expect("a count");
        assert_eq!(row.get::<i64, _>(0), 0, "rows of {table} without an end");
    }
}
