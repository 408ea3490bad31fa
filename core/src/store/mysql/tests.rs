//! What only this store can get wrong. Needs the server of `ONCECODE_TEST_MYSQL`; see `scripts/services.py`.

use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection, query_scalar, raw_sql};

use super::{MysqlStore, Pool, Statements, address, failed, setup};
use crate::error::{Error, ErrorKind};
use crate::store::sql::tests::{key, mysql, options, plain_attempt, plain_issue, secs, unique};
use crate::store::*;

async fn connect() -> MySqlConnection {
    MySqlConnection::connect(&mysql()).await.expect("connect")
}

async fn run(connection: &mut MySqlConnection, sql: String) {
    raw_sql(AssertSqlSafe(sql.as_str())).execute(connection).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
}

async fn refused(url: &str, options: StoreOptions, part: &str) {
    let error = MysqlStore::open(url, options).await.expect_err(part);
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.message().contains(part), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

/// Issues and verifies once.
async fn works(store: &MysqlStore) -> Result<(), Error> {
    let entity = key(&unique());
    store.issue(&entity, &plain_issue(1), None).await?;
    let attempted = store.attempt(&entity, &plain_attempt(1), None).await?;
    assert!(matches!(attempted, Attempted::Right { .. }), "{attempted:?}");
    Ok(())
}

#[tokio::test]
async fn schemas_that_are_newer_or_not_ours_are_refused() {
    let future = "INSERT INTO {p}migrations (version, begun_at, done_at) VALUES (99, NOW(), NOW())";
    let procedure = "CREATE PROCEDURE {p}hit_1() SELECT 1";
    for made in ["CREATE TABLE {p}entries (a int)", "CREATE TABLE {p}migrations (version int)", procedure, future] {
        let (prefix, mut other) = (unique(), connect().await);
        if made == future {
            MysqlStore::open(&mysql(), options(&prefix)).await.expect("open");
        }
        run(&mut other, made.replace("{p}", &prefix)).await;
        let part = if made == future { "newer" } else { "did not make" };
        refused(&mysql(), options(&prefix), part).await;
        let ask =
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE ?";
        let tables: i64 = query_scalar(ask).bind(format!("{prefix}%")).fetch_one(&mut other).await.expect("count");
        assert_eq!(tables, if made == future { 3 } else { i64::from(made != procedure) }, "nothing half made");
    }
}

#[tokio::test]
async fn a_step_that_a_crash_cut_short_is_gone_through_again() {
    let (prefix, mut other) = (unique(), connect().await);
    MysqlStore::open(&mysql(), options(&prefix)).await.expect("open");
    // As after the first half of it.
    for undo in ["UPDATE {p}migrations SET done_at = NULL", "DROP PROCEDURE {p}attempt_1", "DROP TABLE {p}entries"] {
        run(&mut other, undo.replace("{p}", &prefix)).await;
    }
    works(&MysqlStore::open(&mysql(), options(&prefix)).await.expect("open again")).await.expect("it works");
}

#[tokio::test]
async fn urls_that_lead_nowhere_are_told_apart() {
    let absent = "mysql://u:hunter2@127.0.0.1:1/x";
    let absent = MysqlStore::open(absent, options("p_")).await.expect_err("absent");
    assert_eq!(absent.kind(), ErrorKind::StoreUnavailable);
    let url = mysql();
    let nameless = url.replace("/oncecode?", "?");
    for (bad, part) in [
        (url.replace("://oncecode", "://nobody"), "refuses"),
        (url.replace("@", "hunter2@"), "refuses"),
        (url.replace("/oncecode?", "/hunter2?"), "no such MySQL database"),
        (nameless.clone(), "names no database"),
        ("mysql://[hunter2".into(), "malformed"),
        (url.replace("ssl-mode=DISABLED", "ssl-mode=hunter2"), "malformed"),
        (url.replace("ssl-mode=", "sslaccept="), "unknown parameter about TLS"),
        (url.replace("ca.crt", "hunter2"), "cannot be read"),
    ] {
        refused(&bad, options("p_"), part).await;
    }
    refused(&url, StoreOptions { schema: Some("s".into()), ..options("p_") }, "name the database in the URL").await;
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_name_the_host_where_the_url_asks_for_it() {
    let (url, prefix) = (mysql(), unique());
    let mode = |mode: &str| url.replace("ssl-mode=DISABLED", &format!("ssl-mode={mode}"));
    for right in [mode("VERIFY_IDENTITY"), mode("REQUIRED"), mode("PREFERRED")] {
        works(&MysqlStore::open(&right, options(&prefix)).await.expect("open")).await.expect("it works");
    }
    let other_name = mode("VERIFY_IDENTITY").replace("127.0.0.1", "127.0.0.2");
    refused(&other_name, options(&prefix), "TLS").await;
    let (untrusted, _) =
        mode("VERIFY_CA").split_once("&ssl-ca").map(|(a, b)| (a.to_owned(), b.to_owned())).expect("ca");
    refused(&untrusted, options(&prefix), "TLS").await;
}

/// The server writes a binary log, for which functions, unlike procedures, would ask for more.
#[tokio::test]
async fn the_documented_rights_are_enough_and_missing_ones_are_told() {
    let (prefix, user, mut other) = (unique(), format!("u{}", unique()), connect().await);
    run(&mut other, format!("CREATE USER {user}@'%' IDENTIFIED BY 'hunter2'")).await;
    let grant = |rights: &str| format!("GRANT {rights} ON oncecode.* TO {user}@'%'");
    let own = mysql();
    let (_, server) = own.split_once('@').expect("a user");
    let url = format!("mysql://{user}:hunter2@{server}");
    refused(&url, options(&prefix), "no such MySQL database").await;
    run(&mut other, grant("SELECT, INSERT, UPDATE, DELETE, EXECUTE")).await;
    refused(&url, options(&prefix), "may not make").await;
    run(&mut other, grant("CREATE, INDEX")).await;
    refused(&url, options(&prefix), "may not make").await;
    run(&mut other, grant("CREATE ROUTINE")).await;
    works(&MysqlStore::open(&url, options(&prefix)).await.expect("open")).await.expect("it works");
    // Once they are there, less will do.
    run(&mut other, format!("REVOKE CREATE, INDEX, CREATE ROUTINE ON oncecode.* FROM {user}@'%'")).await;
    let store = MysqlStore::open(&url, options(&prefix)).await.expect("open with less");
    works(&store).await.expect("it works");
    run(&mut other, format!("REVOKE EXECUTE ON oncecode.* FROM {user}@'%'")).await;
    run(&mut other, format!("REVOKE ALL, GRANT OPTION FROM {user}@'%'")).await;
    run(&mut other, format!("DROP USER {user}@'%'")).await;
}

#[tokio::test]
async fn a_deadlock_is_repeated_and_leaves_no_trace() {
    let (prefix, mut other) = (unique(), connect().await);
    let store = Arc::new(MysqlStore::open(&mysql(), options(&prefix)).await.expect("open"));
    let entity = key("deadlock");
    let gate = Gate { key: key("deadlock gate"), limit: Limit::new(100, secs(600)) };
    store.hit(&gate, 1).await.expect("hit");
    store.issue(&entity, &plain_issue(1), None).await.expect("issue");
    // It has written more, so the server chooses the other one.
    let spare = (0..50).map(|n| format!("('{n}', 0, 0, NOW())")).collect::<Vec<_>>().join(",");
    let begin = format!("INSERT INTO {prefix}entries (`key`, number, version, expires_at) VALUES {spare}");
    run(&mut other, format!("BEGIN; {begin}; SELECT 1 FROM {prefix}challenges FOR UPDATE")).await;
    let call = tokio::spawn({
        let (store, entity, gate) = (store.clone(), entity.clone(), gate.clone());
        async move { store.attempt(&entity, &plain_attempt(9), Some(&gate)).await }
    });
    // It holds the gate now and waits for the challenge.
    let mut witness = connect().await;
    let waiting = "SELECT COUNT(*) FROM information_schema.innodb_trx
        WHERE trx_state = 'LOCK WAIT' AND trx_rows_modified > 0 AND trx_query LIKE CONCAT('%', ?, '%')";
    let count = || query_scalar::<_, i64>(waiting).bind(&prefix);
    while count().fetch_one(&mut witness).await.expect("transactions") == 0 {
        assert!(!call.is_finished(), "it waits for the challenge");
        // The server looks anew only when nobody has asked for a tenth of a second.
        run(&mut witness, "DO SLEEP(0.15)".into()).await;
    }
    let deadlocks = "SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status WHERE variable_name = 'Innodb_deadlocks'";
    let before: i64 = query_scalar(deadlocks).fetch_one(&mut witness).await.expect("a count");
    run(&mut other, format!("SELECT 1 FROM {prefix}entries FOR UPDATE; COMMIT")).await;
    let said = call.await.expect("join").expect("an answer");
    assert!(matches!(said, Attempted::Wrong { attempts_left: 2 }), "{said:?}");
    let after: i64 = query_scalar(deadlocks).fetch_one(&mut witness).await.expect("a count");
    assert!(after > before, "there was one");
    assert_eq!(store.hit(&gate, 0).await.expect("hit").remaining, 98, "the gate counted once");
}

#[tokio::test]
async fn settings_of_the_server_change_nothing() {
    let (prefix, mut other) = (unique(), connect().await);
    MysqlStore::open(&mysql(), options(&prefix)).await.expect("open");
    let odd = "SET time_zone = '-08:00', sql_mode = 'ANSI_QUOTES', autocommit = 0, tx_isolation = 'SERIALIZABLE', NAMES latin1";
    let setup = format!("{odd}; {}", setup(secs(2)));
    let pool = Pool::new(address::parse(&mysql()).expect("a URL"), secs(2), Some(setup), 10, failed);
    let store = MysqlStore { pool, sql: Statements::new(&prefix) };
    works(&store).await.expect("it works");
    let ask = format!("SELECT ABS(TIMESTAMPDIFF(SECOND, verified_at, UTC_TIMESTAMP())) FROM {prefix}challenges");
    let off: i64 = query_scalar(AssertSqlSafe(ask)).fetch_one(&mut other).await.expect("a time");
    assert!(off < 60, "times are UTC, and others see them");
    let (upper, lower) = (key("Foo"), key("foo"));
    store.put(&upper, b"upper", secs(60), When::Always).await.expect("put");
    assert!(store.get(&lower).await.expect("get").is_none(), "and no store folds cases");
}

#[tokio::test]
async fn rows_stay_for_audit_and_are_then_purged_in_batches() {
    let (prefix, mut other) = (unique(), connect().await);
    let store = MysqlStore::open(&mysql(), options(&prefix)).await.expect("open");
    for i in 0..5 {
        store.issue(&key(&format!("{i}")), &plain_issue(1), None).await.expect("issue");
        store.put(&key(&format!("{i}")), b"x", Duration::from_millis(1), When::Always).await.expect("put");
    }
    run(&mut other, format!("UPDATE {prefix}entries SET expires_at = UTC_TIMESTAMP(3)")).await;
    assert_eq!(store.purge(3).await.expect("purge"), 3, "entries at once");
    run(&mut other, format!("UPDATE {prefix}challenges SET purge_at = UTC_TIMESTAMP(3)")).await;
    assert_eq!(store.purge(6).await.expect("purge"), 6);
    assert_eq!(store.purge(6).await.expect("purge"), 1);
}

#[tokio::test]
async fn a_user_without_connections_left_is_told_so_and_asked_again() {
    let (prefix, user, mut other) = (unique(), format!("u{}", unique()), connect().await);
    MysqlStore::open(&mysql(), options(&prefix)).await.expect("open");
    run(&mut other, format!("CREATE USER {user}@'%' IDENTIFIED BY 'hunter2' WITH MAX_USER_CONNECTIONS 1")).await;
    run(&mut other, format!("GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON oncecode.* TO {user}@'%'")).await;
    let own = mysql();
    let (_, server) = own.split_once('@').expect("a user");
    let url = format!("mysql://{user}:hunter2@{server}");
    let first = MysqlStore::open(&url, options(&prefix)).await.expect("open");
    let second = MysqlStore::open(&url, options(&prefix)).await.expect_err("one is all");
    assert_eq!((second.kind(), second.retryable()), (ErrorKind::StoreUnavailable, true), "{second:?}");
    assert!(second.message().contains("out of connections"), "{second:?}");
    works(&first).await.expect("the first has one");
    first.close().await;
    run(&mut other, format!("DROP USER {user}@'%'")).await;
}
