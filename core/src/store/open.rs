//! From a URL to a store: the one table of schemes.

use std::sync::Arc;
use std::time::Duration;

use super::moving::Moving;
use super::{BoxFuture, Deadline, Layer, MemoryStore, Store, Teller, Users, UsersTable};
use crate::config;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::time::Clock;

/// What a store may need besides its URL.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "full"), allow(dead_code))]
pub(crate) struct StoreOptions {
    /// The bound of every call, connecting included.
    pub(crate) deadline: Duration,
    /// The part of it that connecting may take; what fails then is known to be undone.
    pub(crate) connect: Duration,
    /// `None`: no breaker.
    pub(crate) breaker: Option<config::Breaker>,
    /// Told when the store is lost and found.
    pub(crate) events: Events,
    /// SQL: what tables are called before `challenges` and so on.
    pub(crate) table_prefix: String,
    /// PostgreSQL: the schema; `None` for the connection's default.
    pub(crate) schema: Option<String>,
    /// SQL: connections at most.
    pub(crate) max_connections: u32,
    /// Embedded stores: the clock.
    pub(crate) clock: Arc<dyn Clock>,
}

impl StoreOptions {
    /// What is put around the store of this URL, or of none.
    pub(crate) fn layer(&self, url: Option<&str>) -> Layer {
        let store = url.and_then(scheme).unwrap_or_else(|| "custom".into());
        let teller = Teller { store, events: self.events.clone(), clock: Arc::clone(&self.clock) };
        Layer { deadline: self.deadline, breaker: self.breaker, teller }
    }
}

/// Opens a store, as a boxed future of the result.
pub(super) type Opener = fn(String, StoreOptions) -> BoxFuture<'static, Result<Box<dyn Store>>>;

macro_rules! stores {
    ($([$own:literal] $always:expr;)+ $(feature $feature:literal [$($scheme:literal),+] $opener:expr;)+) => {
        fn opener(scheme: &str) -> Option<Opener> {
            match scheme {
                $($own => Some($always),)+
                $(#[cfg(feature = $feature)] $($scheme)|+ => Some($opener),)+
                _ => None,
            }
        }

        /// The schemes that this build can open.
        fn schemes() -> Vec<&'static str> {
            let mut all = vec![$($own),+];
            $(#[cfg(feature = $feature)] all.extend([$($scheme),+]);)+
            all
        }

        /// The cargo feature that a scheme needs, whether this build has it or not.
        fn feature(scheme: &str) -> Option<&'static str> {
            match scheme {
                $($($scheme)|+ => Some($feature),)+
                _ => None,
            }
        }
    };
}

stores! {
    ["moving"] |url, options| Box::pin(moving(url, options));
    ["memory"] |_, options| Box::pin(async move { Ok(Box::new(MemoryStore::new(options.clock)) as Box<dyn Store>) });
    ["fallback"] |url, options| Box::pin(async move {
        let both = super::fallback::Fallback::open(&url, options, |url, options| Box::pin(async move { open(&url, options).await }));
        both.await.map(|both| Box::new(both) as Box<dyn Store>)
    });
    feature "sqlite"
    ["sqlite"] |url, options| Box::pin(async move { within(options.layer(Some(&url)), super::sqlite::SqliteStore::open(&url, options).await) });
    feature "mysql"
    ["mysql", "mariadb"] |url, options| Box::pin(async move { within(options.layer(Some(&url)), super::mysql::MysqlStore::open(&url, options).await) });
    feature "postgres"
    ["postgres", "postgresql"] |url, options| Box::pin(async move { within(options.layer(Some(&url)), super::postgres::PostgresStore::open(&url, options).await) });
    feature "memcached"
    ["memcached"] |url, options| Box::pin(async move {
        within(options.layer(Some(&url)), super::memcached::MemcachedStore::open(&url, options).await)
    });
    feature "redis"
    ["redis", "rediss", "redis+unix", "unix", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel"] |url, options| Box::pin(async move { within(options.layer(Some(&url)), super::redis::RedisStore::open(&url, options).await) });
    feature "upstash"
    ["upstash+https", "upstash+http"] |url, options| Box::pin(async move {
        within(options.layer(Some(&url)), super::upstash::UpstashStore::open(&url, options).await)
    });
}

/// Opens the store that `url` names.
///
/// # Errors
/// `CONFIG` for an unknown scheme, a malformed URL or refused credentials; `STORE_UNAVAILABLE` when the server is
/// absent or does not answer.
pub(crate) async fn open(url: &str, options: StoreOptions) -> Result<Box<dyn Store>> {
    let url = url.trim();
    let known = || schemes().iter().map(|s| format!("{s}:")).collect::<Vec<_>>().join(", ");
    // The URL may hold a password, so messages never repeat it.
    let Some(scheme) = scheme(url) else {
        return Err(Error::config(format!("the store URL has no scheme; one of {} is expected", known())));
    };
    if url.len() > 4096 || url.contains('\0') {
        return Err(Error::config("the store URL is too long or holds a NUL byte"));
    }
    let Some(open) = opener(&scheme) else {
        if let Some(feature) = feature(&scheme) {
            return Err(Error::without_feature(&scheme, feature));
        }
        return Err(Error::config(format!("no store for this URL's scheme; this build knows {}", known())));
    };
    open(url.to_owned(), options).await
}

/// Opens the database that has the app's own table of users.
///
/// # Errors
/// As [`open`]; `CONFIG` also when table or columns are missing, or of other types.
pub(crate) async fn open_users(url: &str, table: &UsersTable, options: &StoreOptions) -> Result<Box<dyn Users>> {
    let url = url.trim();
    let users: Box<dyn Users> = match scheme(url).as_deref() {
        #[cfg(feature = "sqlite")]
        Some("sqlite") => Box::new(super::sqlite::SqliteUsers::open(url, table, options).await?),
        #[cfg(feature = "mysql")]
        Some("mysql" | "mariadb") => Box::new(super::mysql::MysqlUsers::open(url, table, options).await?),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => Box::new(super::postgres::PostgresUsers::open(url, table, options).await?),
        _ => {
            let (known, _) = ("postgres:, mysql: or sqlite:", (table, options));
            return Err(Error::config(format!(
                "tokens.users.url must be the {known} URL of the database that has the table of users"
            )));
        }
    };
    Ok(users)
}

/// What stands before the colon: says which store it is, and holds no secret.
fn scheme(url: &str) -> Option<String> {
    url.trim().split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase())
}

/// `moving:NEW|OLD`. A `|` within a URL is written `%7C`.
async fn moving(url: String, options: StoreOptions) -> Result<Box<dyn Store>> {
    let malformed = || {
        Error::config(
            "a moving URL is moving:NEW|OLD: two different stores, neither of them fallback: or moving:, with | between them",
        )
    };
    let both = url.split_once(':').and_then(|(_, both)| both.split_once('|')).ok_or_else(malformed)?;
    let (new, old) = (both.0.trim(), both.1.trim());
    let nested = |url: &str| matches!(scheme(url).as_deref(), Some("moving" | "fallback"));
    if new.is_empty() || old.is_empty() || old.contains('|') || new == old || nested(new) || nested(old) {
        return Err(malformed());
    }
    if scheme(old).as_deref() == Some("memcached") {
        return Err(Error::config("memcached cannot be moved from: let what is in it expire"));
    }
    let (new, old) = (open(new, options.clone()).await?, open(old, options.clone()).await?);
    // Each has a breaker of its own.
    let layer = Layer { breaker: None, ..options.layer(Some(&url)) };
    within(layer, Ok(Moving::new(new, old)))
}

/// Memory answers at once; everything else gets the deadline and the breaker.
fn within<S: Store>(layer: Layer, store: Result<S>) -> Result<Box<dyn Store>> {
    store.map(|store| Box::new(Deadline::new(Box::new(store), layer)) as Box<dyn Store>)
}
