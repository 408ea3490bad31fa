//! PgBouncer in transaction mode, which gives each transaction whatever connection is free.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use oncecode::ErrorKind;
use sqlx::{AssertSqlSafe, PgConnection, Row, raw_sql};

use crate::admin::{Admin, wrong};
use crate::caller::{Client, misconfigured, unavailable};
use crate::server::Server;
use crate::support::sql_time::connect;

struct Pooler(Server);

impl Pooler {
    fn start() -> Self {
        Self(Server::start("pgbouncer"))
    }

    /// To the database behind it, past it.
    async fn behind(&self) -> PgConnection {
        connect(&self.0.url_at(self.0.members[0].port)).await
    }

    /// Through it, several times: what whoever comes next finds.
    async fn found(&self, question: &str) -> Vec<String> {
        let mut connection = connect(&self.0.url).await;
        let mut found = Vec::new();
        for _ in 0..50 {
            let row = raw_sql(AssertSqlSafe(question)).fetch_one(&mut connection).await.expect("a row");
            found.push(row.get(0));
        }
        found
    }

    /// Three clients that have used several of its connections at once.
    async fn clients(&self, url: &str) -> Vec<Arc<Client>> {
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(Arc::new(Client::patient(url).await.expect("open")));
        }
        clients
    }
}

/// Every client issues and verifies, all at once.
async fn load(clients: &[Arc<Client>]) -> Vec<Result<(), oncecode::Error>> {
    let calls = clients.iter().flat_map(|client| {
        (0..20).map(|_| {
            let client = Arc::clone(client);
            tokio::spawn(async move {
                let code = client.issue().await?;
                client.verify(&code.wrong()).await.expect_err("wrong");
                client.verify(&code).await
            })
        })
    });
    join_all(calls.collect::<Vec<_>>()).await.into_iter().map(|done| done.expect("a caller")).collect()
}

pub async fn a_pooler_is_noticed_and_nothing_is_prepared_behind_it() {
    let pooler = Pooler::start();
    let clients = pooler.clients(&pooler.0.url).await;
    for outcome in load(&clients).await {
        outcome.expect("it works");
    }
    let sessions = pooler.found("SELECT pg_backend_pid()::text").await;
    assert!(sessions.iter().any(|pid| *pid != sessions[0]), "one connection alone proves nothing");
    let prepared = pooler.found("SELECT count(*)::text FROM pg_prepared_statements").await;
    assert!(prepared.iter().all(|count| count == "0"), "{prepared:?}");
    let told = Client::open(&format!("{}?pgbouncer=true", pooler.0.url)).await.expect("Prisma's URL");
    told.works().await;
    Client::open(&format!("{}?statement-cache-capacity=0", pooler.0.url)).await.expect("sqlx's URL").works().await;
}

pub async fn a_strict_database_behind_a_pooler_stays_strict_for_others() {
    let pooler = Pooler::start();
    let mut admin = Admin::Postgres(pooler.behind().await);
    admin.ask("ALTER DATABASE oncecode SET default_transaction_isolation = 'serializable'").await;
    admin.cut_others().await;
    admin.is_alone().await;
    let clients = pooler.clients(&pooler.0.url).await;
    for _ in 0..5 {
        let code = Arc::new(clients[0].issue().await.expect("issue"));
        let tries = (0..30).map(|n| {
            let (client, code) = (Arc::clone(&clients[n % 3]), Arc::clone(&code));
            tokio::spawn(async move { client.outcome(&code).await })
        });
        let outcomes: Vec<_> =
            join_all(tries.collect::<Vec<_>>()).await.into_iter().map(|o| o.expect("join")).collect();
        assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1, "one wins");
        let lost = outcomes.iter().filter(|o| **o == Err(ErrorKind::CodeNotFound)).count();
        assert_eq!(lost, 29, "nobody is told of conflicts: {outcomes:?}");
    }
    let left = pooler.found("SHOW default_transaction_isolation").await;
    assert!(left.iter().all(|level| level == "serializable"), "{left:?}");
}

pub async fn many_may_open_a_new_database_through_a_pooler() {
    let pooler = Pooler::start();
    let opening = (0..8).map(|_| {
        let url = pooler.0.url.clone();
        tokio::spawn(async move { Client::patient(&url).await })
    });
    for opened in join_all(opening.collect::<Vec<_>>()).await {
        opened.expect("join").expect("the tables are made once").works().await;
    }
    let locks = pooler.found("SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory'").await;
    assert!(locks.iter().all(|count| count == "0"), "{locks:?}");
}

pub async fn names_behind_a_pooler_are_told_about() {
    let pooler = Pooler::start();
    let clients = pooler.clients(&format!("{}?pgbouncer=false", pooler.0.url)).await;
    let mut told = 0;
    for client in &clients {
        for _ in 0..20 {
            match client.issue().await {
                Ok(_) => {}
                Err(e) => {
                    assert_eq!(e.kind(), ErrorKind::Config, "{e:?}");
                    assert!(e.to_string().contains("pgbouncer=false"), "{e}");
                    told += 1;
                }
            }
        }
    }
    assert!(told > 0, "the names of three clients were never in each other's way");
}

pub async fn a_pooler_that_loses_its_server_finds_it_again() {
    let pooler = Pooler::start();
    let client = Client::open(&pooler.0.url).await.expect("open");
    let live = client.issue().await.expect("issue");
    pooler.0.members[1].freeze();
    join_all((0..20).map(|_| unavailable(client.issue()))).await;
    pooler.0.members[1].thaw();
    client.works().await;

    let mut admin = Admin::Postgres(pooler.behind().await);
    let end = Instant::now() + Duration::from_secs(1);
    let calling = join_all((0..4).map(|_| async {
        while Instant::now() < end {
            let outcome = async { client.verify(&client.issue().await?).await }.await;
            assert!(outcome.as_ref().err().is_none_or(|e| e.kind() == ErrorKind::StoreUnavailable), "{outcome:?}");
        }
    }));
    let cutting = async {
        while Instant::now() < end {
            admin.cut_others().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    futures::join!(calling, cutting);
    // The pooler may give away a connection whose end it has not noticed.
    client.recovers().await;
    client.verify(&live).await.expect("the code is still there");
}

pub async fn wrong_credentials_for_a_pooler_are_a_config_error() {
    let pooler = Pooler::start();
    for url in wrong(&pooler.0.url) {
        let said = misconfigured(Client::open(&url)).await;
        assert!(said.contains("PgBouncer") && !said.contains("hunter2"), "{said}");
    }
    misconfigured(Client::open(&format!("{}?options=-c%20work_mem%3D1MB", pooler.0.url))).await;
}
