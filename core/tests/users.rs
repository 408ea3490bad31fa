//! `tokens.users`: the app's own table, in each database that can have it.

mod support;

use oncecode::{Error, Oncecode, Options, SignRequest};
use serde_json::{Value, json};

use support::database::Database;
use support::{server, unique};

const DATABASES: [&str; 4] = ["sqlite", "postgres", "pgbouncer", "mysql"];

async fn database(kind: &str) -> Database {
    match kind {
        "sqlite" => Database::file(&unique()).await,
        kind => Database { url: server(&format!("ONCECODE_TEST_{}", kind.to_uppercase())) },
    }
}

async fn open(users: Value) -> Result<Oncecode, Error> {
    let options = json!({
        "mode": "development", "sender": "none:", "deadlineMs": 10_000, "purge": false,
        "tokens": { "users": users },
    });
    Oncecode::builder("memory:").options(Options::from_json(&options.to_string())?).open().await
}

/// A name that needs its quotes: in PostgreSQL it would be folded without.
fn table() -> String {
    format!("Accounts_{}", unique().replace('-', "_"))
}

/// In each of the databases, with that database's own quotes.
async fn in_each(columns: &str, test: impl AsyncFn(&Database, &str, &str)) {
    for kind in DATABASES {
        let (database, name) = (database(kind).await, table());
        let quoted = if kind == "mysql" { format!("`{name}`") } else { format!("\"{name}\"") };
        let columns = if kind == "mysql" { columns.replace('"', "`") } else { columns.to_owned() };
        database.run(&format!("CREATE TABLE {quoted} ({columns})")).await;
        test(&database, &name, &quoted).await;
        database.run(&format!("DROP TABLE {quoted}")).await;
        database.remove();
    }
}

#[tokio::test]
async fn a_version_is_read_and_raised_by_the_id_as_it_is_written() {
    in_each("\"userId\" bigint PRIMARY KEY, \"Version\" bigint", async |database, name, quoted| {
        let column = |name: &str| if quoted.starts_with('`') { format!("`{name}`") } else { format!("\"{name}\"") };
        database.run(&format!("INSERT INTO {quoted} VALUES (7, 41), (8, NULL), (9007199254740993, 0), (-1, 0)")).await;
        let users = json!({ "url": database.url, "table": name, "idColumn": "userId", "versionColumn": "Version" });
        let tokens = open(users).await.expect("open").tokens();
        let version = async |user: &str| {
            let token = tokens.sign(SignRequest::of(user)).await.expect("sign");
            tokens.verify(token.expose()).await.expect("verify").to_map()["ver"].as_u64().expect("a version")
        };
        assert_eq!(version("7").await, 41);
        tokens.revoke_all("7").await.expect("revoke");
        assert_eq!(version("7").await, 42);
        tokens.revoke_all("8").await.expect("no version counts as 0");
        assert_eq!(version("8").await, 1);
        futures::future::join_all((0..20).map(|_| tokens.revoke_all("9007199254740993"))).await;
        assert_eq!(version("9007199254740993").await, 20);
        assert_eq!(version("-1").await, 0);
        // Whatever a database takes for a 7 or an 8.
        let strange = [
            "07",
            "7 ",
            " 7",
            "+7",
            "7.0",
            "7abc",
            "0x7",
            "7e0",
            "seven",
            "7\0",
            "7'",
            "' OR '1'='1",
            "7; DROP TABLE users",
            "\\'",
            "$1",
            "{user}",
            "99999999999999999999999999",
            "é",
            "9223372036854775807",
        ];
        for user in strange {
            assert_eq!(
                tokens.sign(SignRequest::of(user)).await.expect_err(user).code(),
                "INVALID_ARGUMENT",
                "{user:?}"
            );
            let refused = tokens.revoke_all(user).await.expect_err(user);
            assert_eq!(refused.code(), "INVALID_ARGUMENT", "{user:?}");
            assert!(refused.message().contains("tokens.users"), "{refused}");
        }
        let sum = format!(
            "SELECT CAST(sum({}) AS {}) FROM {quoted}",
            column("Version"),
            if quoted.starts_with('`') { "signed" } else { "bigint" }
        );
        assert_eq!(database.number(&sum).await, 42 + 1 + 20);
    })
    .await;
}

#[tokio::test]
async fn ids_may_be_text_and_are_equal_only_to_themselves() {
    in_each("id varchar(40) PRIMARY KEY, token_version int NOT NULL DEFAULT 0", async |database, name, quoted| {
        database
            .run(&format!(
                "INSERT INTO {quoted} (id) VALUES ('ann'), ('é@x.de'), ('0b7cf2b0-0000-4000-8000-000000000001')"
            ))
            .await;
        let tokens = open(json!({ "url": database.url, "table": name })).await.expect("open").tokens();
        for user in ["ann", "é@x.de", "0b7cf2b0-0000-4000-8000-000000000001"] {
            tokens.revoke_all(user).await.expect(user);
        }
        for user in
            ["Ann", "ann ", "ANN", "an", "e@x.de", "É@x.de", "%", "0B7CF2B0-0000-4000-8000-000000000001", "'", "𝒜"]
        {
            assert_eq!(tokens.revoke_all(user).await.expect_err(user).code(), "INVALID_ARGUMENT", "{user:?}");
        }
        let raised = database.number(&format!("SELECT count(*) FROM {quoted} WHERE token_version = 1")).await;
        assert_eq!(raised, 3);
    })
    .await;
}

#[tokio::test]
async fn ids_may_be_uuids_where_there_are_such() {
    for kind in ["postgres", "pgbouncer", "mysql"] {
        let (database, name) = (database(kind).await, table());
        let quoted = if kind == "mysql" { format!("`{name}`") } else { format!("\"{name}\"") };
        database
            .run(&format!("CREATE TABLE {quoted} (id uuid PRIMARY KEY, token_version bigint NOT NULL DEFAULT 0)"))
            .await;
        let id = "0b7cf2b0-0000-4000-8000-000000000001";
        database.run(&format!("INSERT INTO {quoted} (id) VALUES ('{id}')")).await;
        let tokens = open(json!({ "url": database.url, "table": name })).await.expect("open").tokens();
        tokens.revoke_all(id).await.expect(kind);
        for user in ["0B7CF2B0-0000-4000-8000-000000000001", "0b7cf2b0000040008000000000000001", "no uuid", ""] {
            assert_eq!(tokens.revoke_all(user).await.expect_err(user).code(), "INVALID_ARGUMENT", "{kind} {user:?}");
        }
        assert_eq!(database.number(&format!("SELECT token_version FROM {quoted}")).await, 1);
        database.run(&format!("DROP TABLE {quoted}")).await;
    }
}

#[tokio::test]
async fn what_is_missing_is_told_with_what_to_do() {
    in_each("id bigint PRIMARY KEY, name varchar(40)", async |database, name, _| {
        let refused = async |users: Value| {
            let error = open(users).await.expect_err("it cannot work");
            assert_eq!(error.code(), "CONFIG");
            error.message().to_owned()
        };
        let said = refused(json!({ "url": database.url, "table": "no_such_table" })).await;
        assert!(said.contains("no table \"no_such_table\""), "{said}");
        let said = refused(json!({ "url": database.url, "table": name })).await;
        assert!(said.contains("ADD COLUMN token_version bigint"), "{said}");
        let said = refused(json!({ "url": database.url, "table": name, "idColumn": "user_id" })).await;
        assert!(said.contains("no column \"user_id\"") && said.contains("idColumn"), "{said}");
        if !database.url.starts_with("sqlite") {
            let said = refused(json!({ "url": database.url, "table": name, "versionColumn": "name" })).await;
            assert!(said.contains("must be integer or bigint"), "{said}");
        }
    })
    .await;
    for url in ["redis://127.0.0.1:1", "memory:", "sqlite::memory:", "sqlite:/no/such/file", "postgres://[", "users"] {
        assert_eq!(open(json!({ "url": url })).await.expect_err(url).code(), "CONFIG", "{url}");
    }
    let said = open(json!({})).await.expect_err("the store has no tables").message().to_owned();
    assert!(said.contains("tokens.users.url"), "{said}");
}

#[tokio::test]
async fn the_stores_own_database_needs_no_url_and_may_have_a_schema() {
    let database = database("postgres").await;
    let schema = format!("s_{}", unique().replace('-', "_"));
    database.run(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.users (id int PRIMARY KEY, token_version int DEFAULT 0); INSERT INTO {schema}.users VALUES (1)")).await;
    let options = json!({
        "mode": "development", "sender": "none:", "deadlineMs": 10_000, "purge": false, "keyPrefix": unique(),
        "tokens": { "users": { "table": format!("{schema}.users") } },
    });
    let options = Options::from_json(&options.to_string()).expect("options");
    let once = Oncecode::builder(&*database.url).options(options).open().await.expect("open");
    let token = once.tokens().sign(SignRequest::of("1")).await.expect("sign");
    once.tokens().revoke_all("1").await.expect("revoke");
    assert_eq!(once.tokens().verify(token.expose()).await.expect_err("revoked").code(), "TOKEN_REVOKED");
    once.close().await;
    assert_eq!(once.tokens().revoke_all("1").await.expect_err("closed").code(), "CLOSED");
    database.run(&format!("DROP SCHEMA {schema} CASCADE")).await;
}
