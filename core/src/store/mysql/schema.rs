//! The tables and procedures: checking them, and making them when they are missing.
//!
//! The server cannot undo what makes tables, so a step is noted before it begins and when it is done: one that a crash
//! cut short is gone through again.

use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor, Row, raw_sql};
use tokio::time::timeout;

use super::rows::{code, failed, unmade};
use crate::error::{Error, Result};
use crate::store::sql::{self, named};

/// Versions of the schema, oldest first.
const STEPS: &[&str] = &[include_str!("../sql/mysql_1.sql")];

/// Stands between the statements of a step.
const END: &str = "\n//\n";

/// What belongs to the first version, which must not be there before it.
const NAMES: &str = "SELECT (SELECT COUNT(*) FROM information_schema.tables t
    WHERE t.table_schema = DATABASE() AND t.table_name IN ('{prefix}challenges', '{prefix}entries'))
+ (SELECT COUNT(*) FROM information_schema.routines r WHERE r.routine_schema = DATABASE() AND r.routine_name IN (
    '{prefix}gate_1', '{prefix}hit_1', '{prefix}issue_1', '{prefix}attempt_1',
    '{prefix}put_absent_1', '{prefix}take_1', '{prefix}count_1', '{prefix}purge_1'))";

/// Making tables may take longer than a call: other processes may be at it, too.
const MIGRATING: Duration = Duration::from_secs(10);

/// Makes sure that the tables are there. One round trip more than needed only the first time.
pub(super) async fn prepare(connection: &mut MySqlConnection, prefix: &str, deadline: Duration) -> Result<()> {
    let checking = async {
        check_server(connection).await?;
        Ok(version(connection, prefix).await?.done)
    };
    let found = timeout(deadline, checking).await.map_err(|_| late())??;
    if !sql::pending(STEPS, found)?.is_empty() {
        timeout(MIGRATING, migrate(connection, prefix)).await.map_err(|_| late())??;
    }
    Ok(())
}

async fn check_server(connection: &mut MySqlConnection) -> Result<()> {
    let ask = "SELECT DATABASE() IS NOT NULL, @@log_bin = 1 AND @@binlog_format = 'STATEMENT'";
    let row = connection.fetch_one(raw_sql(ask)).await.map_err(unmade)?;
    if !row.try_get::<bool, _>(0).map_err(failed)? {
        return Err(Error::config("the store URL names no database; write mysql://USER:PASSWORD@HOST:PORT/DATABASE"));
    }
    if row.try_get::<bool, _>(1).map_err(failed)? {
        return Err(Error::config("MySQL's binlog_format is STATEMENT; oncecode needs ROW or MIXED"));
    }
    Ok(())
}

/// The newest step that is done, and the newest that was begun; 0 when there is none.
struct Steps {
    done: i64,
    begun: i64,
}

async fn version(connection: &mut MySqlConnection, prefix: &str) -> Result<Steps> {
    let ask = "SELECT COALESCE(MAX(IF(m.done_at IS NULL, 0, m.version)), 0), COALESCE(MAX(m.version), 0) FROM `{prefix}migrations` m";
    match connection.fetch_one(raw_sql(AssertSqlSafe(named(ask, "", prefix)))).await {
        Ok(row) => {
            let number = |column: usize| row.try_get::<i64, _>(column).map_err(|_| sql::foreign());
            Ok(Steps { done: number(0)?, begun: number(1)? })
        }
        Err(e) => match code(&e) {
            // No such table.
            Some(1146) => Ok(Steps { done: 0, begun: 0 }),
            // No such column.
            Some(1054) => Err(sql::foreign()),
            _ => Err(unmade(e)),
        },
    }
}

/// All steps, one process at a time.
async fn migrate(connection: &mut MySqlConnection, prefix: &str) -> Result<()> {
    // Names of locks are the server's, and short.
    let name = named("LEFT(SHA2(CONCAT('oncecode ', DATABASE(), '.{prefix}'), 256), 48)", "", prefix);
    let lock = format!("SELECT GET_LOCK({name}, {}) = 1", MIGRATING.as_secs());
    let row = connection.fetch_one(raw_sql(AssertSqlSafe(lock))).await.map_err(unmade)?;
    if !row.try_get::<Option<bool>, _>(0).map_err(failed)?.unwrap_or(false) {
        return Err(late());
    }
    let made = make(connection, prefix).await;
    // It ends with the connection anyway.
    let _ = connection.execute(raw_sql(AssertSqlSafe(format!("DO RELEASE_LOCK({name})")))).await;
    made
}

async fn make(connection: &mut MySqlConnection, prefix: &str) -> Result<()> {
    let found = version(connection, prefix).await?;
    let steps = sql::pending(STEPS, found.done)?;
    if found.begun == 0 {
        let row = connection.fetch_one(raw_sql(AssertSqlSafe(named(NAMES, "", prefix)))).await.map_err(unmade)?;
        if row.try_get::<i64, _>(0).map_err(failed)? > 0 {
            return Err(sql::foreign());
        }
    }
    run(
        connection,
        prefix,
        "CREATE TABLE IF NOT EXISTS `{prefix}migrations` (
            version BIGINT NOT NULL PRIMARY KEY, begun_at DATETIME(3) NOT NULL, done_at DATETIME(3)
        ) ENGINE = InnoDB",
    )
    .await?;
    for (version, step) in steps {
        let note = "INSERT INTO `{prefix}migrations` (version, begun_at) VALUES ({version}, UTC_TIMESTAMP(3))
            ON DUPLICATE KEY UPDATE begun_at = begun_at";
        run(connection, prefix, &note.replace("{version}", &version.to_string())).await?;
        for statement in step.split_terminator(END) {
            run(connection, prefix, statement).await?;
        }
        let note = "UPDATE `{prefix}migrations` SET done_at = UTC_TIMESTAMP(3) WHERE version = {version}";
        run(connection, prefix, &note.replace("{version}", &version.to_string())).await?;
    }
    Ok(())
}

async fn run(connection: &mut MySqlConnection, prefix: &str, statement: &str) -> Result<()> {
    match connection.execute(raw_sql(AssertSqlSafe(named(statement, "", prefix)))).await {
        Ok(_) => Ok(()),
        // An earlier run got that far.
        Err(e) if code(&e) == Some(1304) => Ok(()),
        Err(e) => Err(unmade(e)),
    }
}

fn late() -> Error {
    sql::unavailable("MySQL did not answer in time")
}
