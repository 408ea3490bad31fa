//! `Oncecode`, and what its operations share.

mod builder;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::task::AbortHandle;

pub use self::builder::Builder;
use crate::config::{LimitRule, Mode, Policy, Settings, from_env};
use crate::deliver::{Sender, Texts};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::ip::network;
use crate::key::Keyspace;
use crate::ops::{
    Admin, Background, Cache, Cached, Codes, Delivery, Flights, Health, Idempotency, Limits, Links, Locks, Sessions,
    TokenCache, Tokens, Totp,
};
use crate::random::Random;
use crate::secret::Keyring;
use crate::store::{self, BoxFuture, Gate, Limit, Store, StoreOptions, Users};
use crate::time::Clock;

/// A client: one store, one sender, one set of rules. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Oncecode {
    core: Arc<Core>,
}

/// What the operations work with.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Box<dyn Store>,
    pub(crate) sender: Box<dyn Sender>,
    pub(crate) texts: Texts,
    pub(crate) ring: Keyring,
    pub(crate) keys: Keyspace,
    pub(crate) settings: Settings,
    pub(crate) events: Events,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) flights: Flights<Cached>,
    /// Where limits are counted while the store is out of reach.
    pub(crate) local: Box<dyn Store>,
    rules: Mutex<BTreeMap<String, Arc<LimitRule>>>,
    pub(crate) token_cache: TokenCache,
    /// The app's own table of users, where tokens have their versions from it.
    pub(crate) users: Option<Box<dyn Users>>,
    /// The scheme of the store's URL.
    pub(crate) store_name: String,
    closed: AtomicBool,
    upkeep: OnceLock<AbortHandle>,
    pub(crate) background: Option<Background>,
}

impl Oncecode {
    /// Begins a client on the store that `url` names: `memory:`, `sqlite:PATH`, `postgres://…`, `mysql://…` or `redis://…`.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use oncecode::{IssueRequest, Mode, Oncecode, VerifyRequest};
    ///
    /// let once = Oncecode::builder("memory:").mode(Mode::Development).open().await?;
    /// let sent = once.codes().issue(IssueRequest::new("+1 415 867 5309", "login")).await?;
    /// let code = sent.code.expect("development mode returns the code");
    /// let verified = once.codes().verify(VerifyRequest::new("+14158675309", "login", code.expose())).await?;
    /// assert_eq!(verified.identifier.as_str(), "+14158675309");
    /// # Ok::<(), oncecode::Error>(()) }).unwrap();
    /// ```
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }

    /// A builder as the environment says: `ONCECODE_STORE`, `ONCECODE_SECRET`, `ONCECODE_SENDER`, `ONCECODE_MODE`, and the
    /// names that apps already have (`REDIS_URL`, `UPSTASH_REDIS_REST_URL` and `_TOKEN`, `DATABASE_URL`, `SESSION_SECRET`,
    /// `JWT_SECRET`, `SMS_PROVIDER`, `NODE_ENV`, `USE_DATABASE`, `ENABLE_REAL_OTP`, `ENABLE_RATE_LIMIT`).
    ///
    /// # Errors
    /// `CONFIG` when no store is named in production.
    pub fn from_env() -> Result<Builder> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// [`Oncecode::from_env`] with another environment: `var` looks a variable up. For apps that keep their settings
    /// elsewhere, or have defaults of their own. What a sender's URL leaves out, such as `TWILIO_AUTH_TOKEN`, is read from the
    /// process's environment all the same.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let settings = |name: &str| (name == "ONCECODE_MODE").then(|| "development".to_owned());
    /// let once = oncecode::Oncecode::from_vars(settings)?.open().await?;
    /// assert_eq!(once.mode(), oncecode::Mode::Development);
    /// # Ok::<(), oncecode::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`Oncecode::from_env`].
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Builder> {
        let (url, options) = from_env(var)?;
        Ok(Self::builder(url).options(options))
    }

    /// One-time codes: issue, verify, resend, cancel, peek.
    pub fn codes(&self) -> Codes {
        Codes { core: Arc::clone(&self.core) }
    }

    /// Work that is done once for each key, and its reply replayed: run, begin, complete, abandon.
    pub fn idempotency(&self) -> Idempotency {
        Idempotency { core: Arc::clone(&self.core) }
    }

    /// Values that are costly to make: get, set, get_or_load, invalidate.
    pub fn cache(&self) -> Cache {
        Cache { core: Arc::clone(&self.core) }
    }

    /// Locks across processes: acquire, extend, release, each with a fencing number.
    pub fn locks(&self) -> Locks {
        Locks { core: Arc::clone(&self.core) }
    }

    /// Rate limits: define, hit, peek, reset.
    pub fn limits(&self) -> Limits {
        Limits { core: Arc::clone(&self.core) }
    }

    /// Codes of authenticator apps: enrol, verify, recovery codes.
    pub fn totp(&self) -> Totp {
        Totp { core: Arc::clone(&self.core) }
    }

    /// Sessions: create, validate, rotate, list, revoke.
    pub fn sessions(&self) -> Sessions {
        Sessions { core: Arc::clone(&self.core) }
    }

    /// Tokens (JWT) that can be revoked: sign, verify, revoke.
    pub fn tokens(&self) -> Tokens {
        Tokens { core: Arc::clone(&self.core) }
    }

    /// Links for email: issue, send, verify, peek.
    pub fn links(&self) -> Links {
        Links { core: Arc::clone(&self.core) }
    }

    /// What becomes of messages: status callbacks.
    pub fn sender(&self) -> Delivery {
        Delivery { core: Arc::clone(&self.core) }
    }

    /// Whether messages are sent beside the operations: the option `sendInBackground`.
    pub fn sends_in_background(&self) -> bool {
        self.core.background.is_some()
    }

    /// Production or development, as it was opened.
    pub fn mode(&self) -> Mode {
        self.core.settings.mode
    }

    /// How the store is, now: one question to it, bounded by the deadline. A store that is down is an answer, not an error.
    ///
    /// While the circuit breaker is open, this is answered without asking until the next probe is due, and is then the
    /// probe: asking often costs a broken store nothing, and finds it as soon as any call would.
    ///
    /// # Errors
    /// `CLOSED`.
    pub fn health(&self) -> BoxFuture<'static, Result<Health>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move { Ok(core.open()?.health().await) })
    }

    /// Moving to another store.
    pub fn admin(&self) -> Admin {
        Admin { core: Arc::clone(&self.core) }
    }

    /// Deletes up to `limit` expired rows from stores that do not do so by themselves (SQL). Returns how many.
    pub fn purge(&self, limit: u32) -> BoxFuture<'static, Result<u64>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move { core.open()?.store.purge(limit).await })
    }

    /// Releases connections. Every later call fails with `CLOSED`; closing twice is fine.
    ///
    /// With `sendInBackground` it first waits for messages that are not sent yet, as long as one may take
    /// (`sendDeadlineMs`); those left over are given up as failed.
    pub fn close(&self) -> BoxFuture<'static, ()> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            if !core.closed.swap(true, Ordering::SeqCst) {
                if let Some(background) = &core.background {
                    background.flush(core.settings.send_deadline, 2 * core.settings.deadline).await;
                }
                core.upkeep.get().inspect(|task| task.abort());
                core.store.close().await;
                if let Some(users) = &core.users {
                    users.close().await;
                }
            }
        })
    }
}

impl Core {
    /// This client, unless it was closed.
    pub(crate) fn open(&self) -> Result<&Self> {
        match self.closed.load(Ordering::Relaxed) {
            true => Err(Error::new(ErrorKind::Closed, "the client was closed")),
            false => Ok(self),
        }
    }

    /// The limits that are defined.
    pub(crate) fn rules(&self) -> MutexGuard<'_, BTreeMap<String, Arc<LimitRule>>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bounds an operation of several round trips as one.
    pub(crate) async fn within<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.settings.deadline;
        tokio::time::timeout(limit, operation).await.unwrap_or_else(|_| Err(store::late(limit)))
    }

    /// Another store, with this client's options.
    pub(crate) async fn open_other(&self, url: &str) -> Result<Box<dyn Store>> {
        store::open(url, store_options(&self.settings, &self.clock, &self.events)).await
    }

    /// The rules for a purpose.
    pub(crate) fn policy(&self, purpose: &str) -> &Policy {
        self.settings.purposes.get(purpose).unwrap_or(&self.settings.policy)
    }

    /// The per-IP limit of an operation, where an address is given and the limit is on.
    pub(crate) fn gate(&self, operation: &str, purpose: &str, ip: Option<&str>, limit: Limit) -> Result<Option<Gate>> {
        let Some(ip) = ip else { return Ok(None) };
        let network = network(ip)?;
        let key = || self.keys.key(&self.ring, "ip", &[operation, purpose, &network]);
        Ok((limit.max > 0).then(|| Gate { key: key(), limit }))
    }
}

fn store_options(settings: &Settings, clock: &Arc<dyn Clock>, events: &Events) -> StoreOptions {
    StoreOptions {
        deadline: settings.deadline,
        connect: settings.deadline,
        breaker: settings.breaker,
        events: events.clone(),
        table_prefix: settings.table_prefix.clone(),
        schema: settings.schema.clone(),
        max_connections: settings.max_connections,
        clock: Arc::clone(clock),
    }
}
