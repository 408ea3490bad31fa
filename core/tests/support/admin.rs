//! A connection of the test's own to a server under test, for what only an administrator may do.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, MySqlConnection, PgConnection, query_scalar, raw_sql};

use super::server::Server;

const OTHERS: &str = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// A connection beside those of the client under test.
pub enum Admin {
    Redis(redis::aio::MultiplexedConnection),
    Postgres(PgConnection),
    Mysql(MySqlConnection),
    /// It answers; there is nothing that it could be told.
    Memcached,
}

/// Waits until the server answers, at most 10 s.
pub async fn admin(server: &Server) -> Admin {
    let begin = Instant::now();
    loop {
        let late = Duration::from_secs(10).saturating_sub(begin.elapsed());
        match tokio::time::timeout(late, Admin::connect(server)).await.expect("the server answers") {
            Ok(admin) => return admin,
            Err(e) => assert!(!late.is_zero(), "{e}"),
        }
    }
}

impl Admin {
    async fn connect(server: &Server) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        if server.kind == "postgres" {
            return Ok(Admin::Postgres(<PgConnection as sqlx::Connection>::connect(&server.url).await?));
        }
        if server.kind == "mysql" {
            return Ok(Admin::Mysql(<MySqlConnection as sqlx::Connection>::connect(&server.url).await?));
        }
        if server.kind == "memcached" {
            oncecode::testkit::open_store(&server.url, oncecode::SystemClock, super::support::LONG).await?;
            return Ok(Admin::Memcached);
        }
        let patient = redis::AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        if server.kind == "upstash" {
            oncecode::testkit::open_store(&server.url, oncecode::SystemClock, super::support::LONG).await?;
        }
        let client = redis::Client::open(&*server.redis().expect("a Redis").url)?;
        Ok(Admin::Redis(client.get_multiplexed_async_connection_with_config(&patient).await?))
    }

    /// A command or statement whose answer does not matter.
    pub async fn ask(&mut self, what: &str) {
        match self {
            Admin::Redis(connection) => {
                let mut words = what.split(' ');
                let mut command = redis::cmd(words.next().expect("a command"));
                words.for_each(|word| _ = command.arg(word));
                command.exec_async(connection).await.expect(what);
            }
            Admin::Postgres(connection) => {
                raw_sql(AssertSqlSafe(what)).execute(connection).await.expect(what);
            }
            Admin::Mysql(connection) => {
                raw_sql(AssertSqlSafe(what)).execute(connection).await.expect(what);
            }
            Admin::Memcached => panic!("memcached cannot be told: {what}"),
        }
    }

    /// What was answered survives a kill. With `everysec`, the default, Redis may hold writes back for up to two seconds
    /// while the disk is busy: a code that was used then would be live again after a restart.
    pub async fn hold_nothing_back(&mut self) {
        if let Admin::Redis(_) = self {
            self.ask("CONFIG SET appendfsync no").await;
        }
    }

    /// Ends every other connection.
    pub async fn cut_others(&mut self) {
        match self {
            Admin::Redis(_) => self.ask("CLIENT KILL TYPE normal SKIPME yes").await,
            Admin::Postgres(_) => self.ask(&format!("SELECT pg_terminate_backend(pid) {OTHERS}")).await,
            Admin::Mysql(connection) => {
                for id in others(connection).await {
                    // It may have ended by itself.
                    let _ = raw_sql(AssertSqlSafe(format!("KILL {id}"))).execute(&mut *connection).await;
                }
            }
            Admin::Memcached => self.ask("end other connections").await,
        }
    }

    /// Waits until there is no other connection; Redis sees to that before it answers.
    pub async fn is_alone(&mut self) {
        match self {
            Admin::Redis(_) => {}
            Admin::Memcached => self.ask("who else is there").await,
            Admin::Postgres(connection) => {
                let left = || query_scalar::<_, i64>(AssertSqlSafe(format!("SELECT count(*) {OTHERS}")));
                while left().fetch_one(&mut *connection).await.expect("a count") > 0 {}
            }
            Admin::Mysql(connection) => {
                while !others(connection).await.is_empty() {}
                // It ends connections without a word. Only those are asked first that rested for a tenth of a second.
                raw_sql("DO SLEEP(0.1)").execute(connection).await.expect("a rest");
            }
        }
    }

    /// From now on the server listens and does nothing.
    pub async fn hang(&mut self) {
        self.ask(match self {
            Admin::Redis(_) => "CLIENT PAUSE 600000 WRITE",
            Admin::Postgres(_) => "BEGIN; LOCK TABLE oncecode_challenges",
            Admin::Mysql(_) => "LOCK TABLE oncecode_challenges WRITE",
            Admin::Memcached => "hang",
        })
        .await;
    }

    pub async fn go_on(&mut self) {
        self.ask(match self {
            Admin::Redis(_) => "CLIENT UNPAUSE",
            Admin::Postgres(_) => "ROLLBACK",
            Admin::Mysql(_) => "UNLOCK TABLES",
            Admin::Memcached => "go on",
        })
        .await;
    }

    /// Asks for a password from now on; returns the URL with it.
    pub async fn protect(&mut self, url: &str) -> String {
        match self {
            Admin::Redis(_) if url.starts_with("redis") => {
                self.ask("CONFIG SET requirepass correct-horse").await;
                url.replace("://", "://:correct-horse@")
            }
            _ => url.to_owned(),
        }
    }

    pub async fn unprotect(&mut self) {
        if let Admin::Redis(connection) = self {
            let empty = redis::cmd("CONFIG").arg(&["SET", "requirepass", ""]).exec_async(connection).await;
            empty.expect("no password");
        }
    }
}

/// The numbers of MariaDB's other connections.
async fn others(connection: &mut MySqlConnection) -> Vec<i64> {
    let ask = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist
        WHERE id <> CONNECTION_ID() AND user = LEFT(CURRENT_USER(), LOCATE('@', CURRENT_USER()) - 1)";
    query_scalar(ask).fetch_all(connection).await.expect("connections")
}

/// Changes of a URL that no server accepts.
pub fn wrong(url: &str) -> Vec<String> {
    let right = url::Url::parse(url).expect("a URL");
    let changed = |change: &dyn Fn(&mut url::Url)| {
        let mut url = right.clone();
        change(&mut url);
        url.to_string()
    };
    let mut all = vec![
        changed(&|url| _ = url.set_password(Some("hunter2"))),
        changed(&|url| _ = url.set_password(None)),
        changed(&|url| _ = url.set_username("nobody")),
    ];
    if matches!(right.scheme(), "postgres" | "mysql") {
        all.push(changed(&|url| url.set_path("no_such_database")));
    }
    all
}

/// Waits until nobody here holds a connection to the server that the server has ended, at most 10 s.
pub async fn ends_were_noticed(server: &Server) {
    let begin = Instant::now();
    // The columns: number, local address, remote address, state; 08 is CLOSE_WAIT.
    let half_closed = format!(":{:04X} 08 ", server.port);
    while std::fs::read_to_string("/proc/self/net/tcp").is_ok_and(|sockets| sockets.contains(&half_closed)) {
        assert!(begin.elapsed() < Duration::from_secs(10), "a dead connection is kept");
        tokio::task::yield_now().await;
    }
}
