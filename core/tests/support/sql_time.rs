//! PostgreSQL cannot be given a clock; its rows can be moved into the past, which is the same to us.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Row};

pub async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("postgres answers")
}

/// Every timestamp of the rows under the prefix, whatever columns the schema has.
pub async fn advance(url: &str, prefix: &str, by: Duration) {
    let mut connection = connect(url).await;
    for table in ["oncecode_challenges", "oncecode_entries"] {
        let columns = sqlx::query(
            "SELECT column_name::text FROM information_schema.columns WHERE table_name = $1 AND data_type LIKE 'timestamp%'",
        )
        .bind(table)
        .fetch_all(&mut connection)
        .await
        .expect("columns");
        let moved = |row: &sqlx::postgres::PgRow| {
            let name: String = row.get(0);
            format!("\"{name}\" = \"{name}\" - interval '{} milliseconds'", by.as_millis())
        };
        let moves: Vec<_> = columns.iter().map(moved).collect();
        let update = format!("UPDATE {table} SET {} WHERE key LIKE $1", moves.join(", "));
        sqlx::query(sqlx::AssertSqlSafe(update))
            .bind(format!("{prefix}:%"))
            .execute(&mut connection)
            .await
            .expect("the rows move");
    }
}

pub async fn assert_all_expire(url: &str, prefix: &str) {
    let mut connection = connect(url).await;
    for (table, end) in [("oncecode_challenges", "purge_at"), ("oncecode_entries", "expires_at")] {
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM {table} WHERE key LIKE $1 AND ({end} IS NULL OR {end} = 'infinity')"
        )))
        .bind(format!("{prefix}:%"))
        .fetch_one(&mut connection)
        .await
        .expect("a count");
        assert_eq!(count, 0, "rows of {table} without an end");
    }
}
