//! What a thief of a store would hold.

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection, Row};

use super::find;

/// A database file, removed when dropped.
pub struct File(std::path::PathBuf);

impl File {
    pub fn new() -> Self {
        Self(std::env::temp_dir().join(format!("oncecode-{}.db", super::support::unique())))
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}", self.0.display())
    }

    fn parts(&self) -> [String; 3] {
        ["", "-wal", "-shm"].map(|suffix| format!("{}{suffix}", self.0.display()))
    }

    /// All of it, with the log of changes that are not yet in the file; `mark` proves that there is something.
    pub fn bytes(&self, mark: &str) -> Vec<u8> {
        let all: Vec<u8> = self.parts().iter().flat_map(|part| std::fs::read(part).unwrap_or_default()).collect();
        assert!(find(&all, mark.as_bytes()), "the file holds keys");
        all
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.parts().iter().for_each(|part| _ = std::fs::remove_file(part));
    }
}

/// Every column of every row of every table of the schema, which is then removed.
pub async fn postgres_dump(schema: &str) -> Vec<u8> {
    let mut connection =
        PgConnection::connect(&super::support::server("ONCECODE_TEST_POSTGRES")).await.expect("postgres answers");
    let ask = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1";
    let tables: Vec<String> = sqlx::query_scalar(ask).bind(schema).fetch_all(&mut connection).await.expect("tables");
    assert_eq!(tables.len(), 3, "{tables:?}");
    let mut dump = String::new();
    for table in tables {
        let ask = AssertSqlSafe(format!("SELECT t::text FROM {schema}.{table} t"));
        let rows: Vec<String> = sqlx::query_scalar(ask).fetch_all(&mut connection).await.expect("rows");
        assert!(!rows.is_empty(), "{table} has rows");
        dump.extend(rows);
    }
    let drop = AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"));
    sqlx::raw_sql(drop).execute(&mut connection).await.expect("drop");
    dump.into_bytes()
}

/// Every column of every row of every table with the prefix, which are then removed.
pub async fn mysql_dump(prefix: &str) -> Vec<u8> {
    let url = super::support::server("ONCECODE_TEST_MYSQL");
    let mut connection = MySqlConnection::connect(&url).await.expect("mariadb answers");
    let mut dump = Vec::new();
    for table in ["challenges", "entries", "migrations"] {
        let ask = AssertSqlSafe(format!("SELECT * FROM {prefix}{table}"));
        let rows = sqlx::raw_sql(ask).fetch_all(&mut connection).await.expect("rows");
        assert!(!rows.is_empty(), "{table} has rows");
        for row in rows {
            for column in 0..row.len() {
                // As it came, whatever its type.
                dump.extend(row.get_unchecked::<Option<Vec<u8>>, _>(column).unwrap_or_default());
                dump.push(b'\n');
            }
        }
    }
    let procedures = "SELECT CONCAT('DROP PROCEDURE ', routine_name) FROM information_schema.routines
        WHERE routine_schema = DATABASE() AND LEFT(routine_name, CHAR_LENGTH(?)) = ?";
    let ask = sqlx::query_scalar::<_, String>(procedures).bind(prefix).bind(prefix);
    let mut drops = ask.fetch_all(&mut connection).await.expect("procedures");
    drops.extend(["challenges", "entries", "migrations"].map(|table| format!("DROP TABLE {prefix}{table}")));
    for drop in drops {
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await.expect("drop");
    }
    dump
}

/// Every key and value under the prefix. None lives for ever.
pub async fn redis_dump(prefix: &str) -> Vec<u8> {
    let client = redis::Client::open(super::support::server("ONCECODE_TEST_REDIS")).expect("a redis url");
    let mut connection = client.get_multiplexed_async_connection().await.expect("redis answers");
    let pattern = format!("{prefix}:*");
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.expect("keys");
    assert!(keys.len() >= 6, "entities and counters");
    let mut dump = Vec::new();
    for key in keys {
        let mut ask = redis::pipe();
        ask.cmd("PTTL").arg(&key).cmd("GET").arg(&key).cmd("DUMP").arg(&key);
        let (left, value, serialised): (i64, Vec<u8>, Vec<u8>) =
            ask.query_async(&mut connection).await.expect("a text");
        assert!(left > 0, "a key without expiry");
        dump.extend([key, value, serialised].concat());
    }
    dump
}
