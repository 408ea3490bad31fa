//! `once.tokens` with versions in the app's own table of users.

use futures::future::join_all;
use oncecode::{SignRequest, Tokens};
use serde_json::json;

use crate::support::database::Database;
use crate::support::unique;
use crate::{App, cases, refused, secs};

cases! {
    the_version_in_the_table_decides
    a_version_raised_in_one_process_is_seen_in_another
    a_raised_version_is_never_lowered_by_who_read_the_old_one
    tokens_of_a_time_before_the_table_are_revoked_with_the_rest
    without_the_stores_memory_the_table_is_asked
}

/// The app's table, in a file of its own.
struct Table(Database);

impl Table {
    async fn new() -> Self {
        let database = Database::file(&unique()).await;
        database.run("CREATE TABLE users (id INTEGER PRIMARY KEY, token_version INTEGER DEFAULT 0)").await;
        database.run("INSERT INTO users (id) VALUES (7), (8)").await;
        Self(database)
    }

    async fn tokens(&self, app: &App) -> Tokens {
        let users = json!({ "url": self.0.url });
        app.client(json!({ "tokens": { "cacheSeconds": 5, "users": users } })).await.tokens()
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.0.remove();
    }
}

async fn sign(tokens: &Tokens, user: &str) -> String {
    tokens.sign(SignRequest::of(user)).await.expect("sign").expose().to_owned()
}

async fn the_version_in_the_table_decides(app: &App) {
    let table = Table::new().await;
    let (here, there) = (table.tokens(app).await, table.tokens(app).await);
    let (old, theirs) = (sign(&here, "7").await, sign(&here, "8").await);
    assert!(here.verify(&old).await.is_ok() && there.verify(&old).await.is_ok() && there.verify(&theirs).await.is_ok());
    // By the app's own SQL: seen when what is remembered is too old.
    table
        .0
        .run("UPDATE users SET token_version = token_version + 1 WHERE id = 7; DELETE FROM users WHERE id = 8")
        .await;
    let new = sign(&here, "7").await;
    assert!(here.verify(&new).await.is_ok() && there.verify(&new).await.is_ok(), "signed by the table, not by memory");
    app.advance(secs(66)).await;
    for tokens in [&here, &there] {
        assert_eq!(refused(tokens.verify(&old).await), "TOKEN_REVOKED");
        assert_eq!(refused(tokens.verify(&theirs).await), "TOKEN_REVOKED", "there is no such user any more");
        assert!(tokens.verify(&new).await.is_ok());
        assert_eq!(refused(tokens.sign(SignRequest::of("8")).await), "INVALID_ARGUMENT");
        assert_eq!(refused(tokens.revoke_all("8").await), "INVALID_ARGUMENT");
    }
    let without_user = here.sign(SignRequest::default()).await.expect("sign");
    assert!(here.verify(without_user.expose()).await.is_ok());
    assert!(here.revoke(&new).await.expect("revoke one"));
    assert_eq!(refused(here.verify(&new).await), "TOKEN_REVOKED");
}

async fn a_version_raised_in_one_process_is_seen_in_another(app: &App) {
    let table = Table::new().await;
    let (here, there) = (table.tokens(app).await, table.tokens(app).await);
    let old = sign(&here, "7").await;
    assert!(here.verify(&old).await.is_ok() && there.verify(&old).await.is_ok());
    here.revoke_all("7").await.expect("revoke");
    assert_eq!(table.0.number("SELECT token_version FROM users WHERE id = 7").await, 1);
    assert_eq!(refused(here.verify(&old).await), "TOKEN_REVOKED", "here at once");
    app.advance(secs(5)).await;
    // The store was told as well: nobody waits for what it remembers to be forgotten.
    assert_eq!(refused(there.verify(&old).await), "TOKEN_REVOKED");
    let new = sign(&there, "7").await;
    assert!(there.verify(&new).await.is_ok() && here.verify(&new).await.is_ok());
    there.revoke_everybody().await.expect("revoke");
    assert_eq!(refused(there.verify(&new).await), "TOKEN_REVOKED");
}

async fn a_raised_version_is_never_lowered_by_who_read_the_old_one(app: &App) {
    let table = Table::new().await;
    let clients = [table.tokens(app).await, table.tokens(app).await, table.tokens(app).await];
    let old = sign(&clients[0], "7").await;
    let calls = clients.iter().cycle().take(12).enumerate().map(|(number, tokens)| {
        let old = &old;
        async move {
            if number % 3 == 0 {
                tokens.revoke_all("7").await.expect("revoke");
                assert_eq!(refused(tokens.verify(old).await), "TOKEN_REVOKED", "from its own bump on");
            } else {
                let _ = tokens.verify(old).await;
            }
        }
    });
    join_all(calls).await;
    assert_eq!(table.0.number("SELECT token_version FROM users WHERE id = 7").await, 4);
    app.advance(secs(5)).await;
    let new = sign(&clients[1], "7").await;
    // Even if the table forgets, nobody who knew better does.
    table.0.run("UPDATE users SET token_version = 0").await;
    for tokens in &clients {
        assert_eq!(refused(tokens.verify(&old).await), "TOKEN_REVOKED");
        assert!(tokens.verify(&new).await.is_ok());
    }
}

async fn tokens_of_a_time_before_the_table_are_revoked_with_the_rest(app: &App) {
    let (table, before) = (Table::new().await, app.client(json!({})).await.tokens());
    before.revoke_all("7").await.expect("revoke");
    app.advance(secs(2)).await;
    // Its version is a time, far above what any table counts to.
    let (timed, stateless) = (sign(&before, "7").await, before.sign_stateless(&SignRequest::of("7")).expect("sign"));
    let tokens = table.tokens(app).await;
    assert_eq!(refused(tokens.verify(&timed).await), "TOKEN_REVOKED");
    assert!(tokens.verify(stateless.expose()).await.is_ok(), "none is version 0");
    tokens.revoke_all("7").await.expect("revoke");
    assert_eq!(refused(tokens.verify(stateless.expose()).await), "TOKEN_REVOKED");
}

async fn without_the_stores_memory_the_table_is_asked(app: &App) {
    let table = Table::new().await;
    let users = json!({ "url": table.0.url, "cacheSeconds": 0 });
    let tokens = app.client(json!({ "tokens": { "cacheSeconds": 0, "users": users } })).await.tokens();
    let old = sign(&tokens, "7").await;
    assert!(tokens.verify(&old).await.is_ok());
    table.0.run("UPDATE users SET token_version = token_version + 1").await;
    assert_eq!(refused(tokens.verify(&old).await), "TOKEN_REVOKED", "at once");
}
