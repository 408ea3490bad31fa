//! A fixture per store: a private corner of it, and a way to let time pass there.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod database;
pub mod memcached_time;
mod mysql_time;
pub mod redis_time;
pub mod sql_time;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use oncecode::store::MemoryStore;
use oncecode::testkit::{FakeClock, Fixture, Primitives, open_store};
use oncecode::{BoxFuture, Store};

/// A store of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Memory,
    MemoryReference,
    Sqlite,
    SqliteReference,
    Postgres,
    PostgresReference,
    PgBouncer,
    Mysql,
    MysqlReference,
    Redis,
    RedisReference,
    RedisTls,
    RedisCluster,
    RedisSentinel,
    Upstash,
    UpstashReference,
    UpstashTls,
    Redis6,
    Valkey,
    Memcached,
    Fallback,
}

impl Kind {
    pub const ALL: [Kind; 21] = [
        Kind::Memory,
        Kind::MemoryReference,
        Kind::Sqlite,
        Kind::SqliteReference,
        Kind::Postgres,
        Kind::PostgresReference,
        Kind::PgBouncer,
        Kind::Mysql,
        Kind::MysqlReference,
        Kind::Redis,
        Kind::RedisReference,
        Kind::RedisTls,
        Kind::RedisCluster,
        Kind::RedisSentinel,
        Kind::Upstash,
        Kind::UpstashReference,
        Kind::UpstashTls,
        Kind::Redis6,
        Kind::Valkey,
        Kind::Memcached,
        Kind::Fallback,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Memory => "memory",
            Kind::MemoryReference => "memory_reference",
            Kind::Sqlite => "sqlite",
            Kind::SqliteReference => "sqlite_reference",
            Kind::Postgres => "postgres",
            Kind::PostgresReference => "postgres_reference",
            Kind::PgBouncer => "postgres_pgbouncer",
            Kind::Mysql => "mysql",
            Kind::MysqlReference => "mysql_reference",
            Kind::Redis => "redis",
            Kind::RedisReference => "redis_reference",
            Kind::RedisTls => "redis_tls",
            Kind::RedisCluster => "redis_cluster",
            Kind::RedisSentinel => "redis_sentinel",
            Kind::Upstash => "upstash",
            Kind::UpstashReference => "upstash_reference",
            Kind::UpstashTls => "upstash_tls",
            Kind::Redis6 => "redis_6",
            Kind::Valkey => "redis_valkey",
            Kind::Memcached => "memcached",
            Kind::Fallback => "fallback",
        }
    }

    /// Where its keys are, for a store that is a Redis server, or first of all one.
    fn redis(self, url: &str) -> Option<String> {
        match self.name().split('_').next() {
            Some("redis") => Some(url.to_owned()),
            Some("upstash" | "fallback") => Some(server("ONCECODE_TEST_REDIS")),
            _ => None,
        }
    }

    fn is_postgres(self) -> bool {
        self.name().starts_with("postgres")
    }

    fn is_reference(self) -> bool {
        self.name().ends_with("_reference")
    }

    /// The store itself, and a second one of it for as long as callers are wanted.
    pub async fn open(self) -> Corner {
        let prefix = unique();
        let clock = FakeClock::default();
        let url = match self {
            Kind::Memory | Kind::MemoryReference => String::new(),
            Kind::Sqlite | Kind::SqliteReference => {
                format!("sqlite:{}", std::env::temp_dir().join(format!("oncecode-{prefix}.db")).display())
            }
            Kind::Postgres | Kind::PostgresReference => server("ONCECODE_TEST_POSTGRES"),
            Kind::PgBouncer => server("ONCECODE_TEST_PGBOUNCER"),
            Kind::Mysql | Kind::MysqlReference => server("ONCECODE_TEST_MYSQL"),
            Kind::Redis | Kind::RedisReference => server("ONCECODE_TEST_REDIS"),
            Kind::RedisTls => server("ONCECODE_TEST_REDISTLS"),
            Kind::RedisCluster => server("ONCECODE_TEST_CLUSTER"),
            Kind::RedisSentinel => server("ONCECODE_TEST_SENTINEL"),
            Kind::Upstash | Kind::UpstashReference => server("ONCECODE_TEST_UPSTASH"),
            Kind::UpstashTls => server("ONCECODE_TEST_UPSTASHTLS"),
            Kind::Redis6 => server("ONCECODE_TEST_REDIS6"),
            Kind::Valkey => server("ONCECODE_TEST_VALKEY"),
            Kind::Memcached => memcached_time::url(),
            Kind::Fallback => {
                format!("fallback:{}|{}", server("ONCECODE_TEST_REDIS"), server("ONCECODE_TEST_POSTGRES"))
            }
        };
        let memory = MemoryStore::new(std::sync::Arc::new(clock.clone()));
        let mut handles: Vec<Box<dyn Store>> = Vec::new();
        // Several clients, as several processes would have; cases share them out in turn.
        for _ in 0..3 {
            let store: Box<dyn Store> = match url.is_empty() {
                true => Box::new(memory.clone()),
                false => open_store(&url, clock.clone(), LONG).await.expect("the test server answers"),
            };
            handles.push(if self.is_reference() { Box::new(Primitives(store)) } else { store });
        }
        let handles = handles.into_iter().map(std::sync::Arc::from).collect();
        Corner { kind: self, url, prefix, clock, handles, next: AtomicU32::new(0) }
    }
}

/// Tests share two cores with the servers: a deadline is no part of what they check here.
pub const LONG: Duration = Duration::from_secs(30);

/// What a user of Redis may do at least, as docs/stores.md has it.
pub const REDIS_COMMANDS: &str = "+evalsha +eval +get +set +del +pttl +incr +incrby +select";

/// A private part of a store.
pub struct Corner {
    pub kind: Kind,
    pub url: String,
    prefix: String,
    clock: FakeClock,
    handles: Vec<std::sync::Arc<dyn Store>>,
    next: AtomicU32,
}

impl Fixture for Corner {
    fn store(&self) -> Box<dyn Store> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) as usize % self.handles.len();
        Box::new(std::sync::Arc::clone(&self.handles[turn]))
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn advance(&self, by: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(redis) = self.kind.redis(&self.url) {
                return redis_time::advance(&redis, &self.prefix, by).await;
            }
            match self.kind {
                kind if kind.is_postgres() => sql_time::advance(&self.url, &self.prefix, by).await,
                Kind::Mysql | Kind::MysqlReference => mysql_time::advance(&self.url, &self.prefix, by).await,
                Kind::Memcached => memcached_time::advance(&self.url, &self.prefix, by).await,
                _ => self.clock.advance(by),
            }
        })
    }
}

impl Corner {
    /// What embedded stores live by.
    pub fn clock(&self) -> FakeClock {
        self.clock.clone()
    }

    /// What must hold after any case: nothing lives for ever.
    pub async fn check(&self) {
        if let Some(redis) = self.kind.redis(&self.url) {
            // A case may have taken away all that it put.
            redis_time::assert_all_expire(&redis, &self.prefix).await;
            return;
        }
        match self.kind {
            kind if kind.is_postgres() => sql_time::assert_all_expire(&self.url, &self.prefix).await,
            Kind::Mysql | Kind::MysqlReference => mysql_time::assert_all_expire(&self.url, &self.prefix).await,
            _ => {}
        }
    }
}

impl Drop for Corner {
    fn drop(&mut self) {
        if let Some(path) = self.url.strip_prefix("sqlite:") {
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{path}{suffix}"));
            }
        }
    }
}

/// The URL of a test server. A store whose server is absent fails its tests.
pub fn server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set; run: scripts/services.py run -- cargo test"))
}

/// A name that no other test of this or another process has.
pub fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    format!("t{nanos:x}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
