//! MariaDB cannot be given a clock; its rows can be moved into the past, which is the same to us.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

async fn connect(url: &str) -> MySqlConnection {
    MySqlConnection::connect(url).await.expect("mariadb answers")
}

/// Every time of the rows under the prefix, whatever columns the tables have.
pub async fn advance(url: &str, prefix: &str, by: Duration) {
    let mut connection = connect(url).await;
    for table in ["oncecode_challenges", "oncecode_entries"] {
        let ask = "SELECT column_name FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = ? AND data_type = 'datetime'";
        let columns: Vec<String> =
            sqlx::query_scalar(ask).bind(table).fetch_all(&mut connection).await.expect("columns");
        let moved = |name: &String| format!("`{name}` = `{name}` - INTERVAL {} MICROSECOND", by.as_micros());
        let moves: Vec<_> = columns.iter().map(moved).collect();
        let update = format!("UPDATE {table} SET {} WHERE `key` LIKE ?", moves.join(", "));
        sqlx::query(AssertSqlSafe(update))
            .bind(format!("{prefix}:%"))
            .execute(&mut connection)
            .await
            .expect("the rows move");
    }
}

pub async fn assert_all_expire(url: &str, prefix: &str) {
    let mut connection = connect(url).await;
    for (table, end) in [("oncecode_challenges", "purge_at"), ("oncecode_entries", "expires_at")] {
        // The column cannot be NULL.
        let ask =
            format!("SELECT COUNT(*) FROM {table} WHERE `key` LIKE ? AND {end} > UTC_TIMESTAMP() + INTERVAL 1 YEAR");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(ask))
            .bind(format!("{prefix}:%"))
            .fetch_one(&mut connection)
            .await
            .expect("a count");
        assert_eq!(count, 0, "rows of {table} without an end");
    }
}
