//! `Oncecode`, its builder, and what its operations share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::task::AbortHandle;

use crate::config::{LimitRule, Mode, Options, Policy, SecretOption, Settings, from_env};
use crate::deliver::{self, Sender, SenderSettings, Texts};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Events, Listener};
use crate::identifier;
use crate::ip::network;
use crate::key::Keyspace;
use crate::ops::{
    self, Admin, Background, Cache, Cached, Codes, Delivery, Flights, Health, Idempotency, Limits, Links, Locks,
    Sessions, Spawn, TokenCache, Tokens, Totp,
};
use crate::random::{Random, SystemRandom};
use crate::secret::{Keyring, Secret};
use crate::store::{self, BoxFuture, Deadline, Gate, Limit, MemoryStore, Store, StoreOptions, Users, UsersTable};
use crate::time::{Clock, SystemClock};

/// A client: one store, one sender, one set of rules. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Oncecode {
    core: Arc<Core>,
}

/// So many keys are limited locally during an outage; each takes some hundred bytes.
const LOCAL_ENTRIES: usize = 20_000;

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

/// Collects what a client is made of. See [`Oncecode::builder`].
#[derive(Default)]
#[must_use = "a builder does nothing until it is opened"]
pub struct Builder {
    url: String,
    options: Options,
    store: Option<Box<dyn Store>>,
    senders: Vec<Box<dyn Sender>>,
    events: Option<Listener>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    spawn: Option<Spawn>,
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
        Builder { url: url.into(), ..Builder::default() }
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

impl Builder {
    /// Replaces all options.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Changes options, such as those that [`Oncecode::from_env`] has read.
    ///
    /// ```
    /// # use oncecode::Oncecode;
    /// let builder = Oncecode::builder("memory:").configure(|options| options.trusted_proxies.push("loopback".into()));
    /// ```
    pub fn configure(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// The secret that keys all digests, at least 32 bytes in production.
    pub fn secret(mut self, secret: impl Into<Secret>) -> Self {
        self.options.secret = SecretOption(vec![secret.into()]);
        self
    }

    /// Production (the default) or development.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.options.mode = mode;
        self
    }

    /// A store of your own instead of a URL.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// A sender of your own, such as a [`Callback`](crate::Callback), instead of those that the options name; or, where they
    /// name `callback:0` and so on, in its place. Called again, it adds the next one.
    pub fn sender(mut self, sender: impl Sender) -> Self {
        self.senders.push(Box::new(sender));
        self
    }

    /// Called for every event, on the operation's path: hand over quickly.
    pub fn events(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.events = Some(Arc::new(listener));
        self
    }

    /// Another clock, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Another source of randomness, for tests.
    pub fn random(mut self, random: impl Random + 'static) -> Self {
        self.random = Some(Arc::new(random));
        self
    }

    /// How tasks are started that outlive their operation (`sendInBackground`). It is called while the operation runs,
    /// so that it can hand on what is bound to its task. Default: [`tokio::spawn`].
    pub fn spawner(mut self, spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static) -> Self {
        self.spawn = Some(Arc::new(spawn));
        self
    }

    /// Checks the options, connects, and creates or updates tables where the store has them.
    ///
    /// # Errors
    /// `CONFIG` for options that cannot work; `STORE_UNAVAILABLE` when the store does not answer.
    pub fn open(self) -> BoxFuture<'static, Result<Oncecode>> {
        Box::pin(self.connect())
    }

    async fn connect(self) -> Result<Oncecode> {
        let settings = self.options.check()?;
        warn(&settings);
        identifier::warm_up();
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        if let Some(codes) = &settings.test_codes {
            tracing::warn!(target: "oncecode", "{}", codes.begin(clock.now_ms())?);
        }
        let sender = deliver::open(&self.options.sender, self.senders, &sender_settings(&settings, &clock))?;
        let texts = Texts::new(&settings)?;
        let ring = Keyring::new(&settings.secrets, settings.index_secret.as_ref())?;
        let keys = Keyspace::new(&settings.key_prefix, settings.readable_keys)?;
        let events = Events(self.events);
        let options = store_options(&settings, &clock, &events);
        let url = self.store.is_none().then_some(&*self.url);
        let users = open_users(&settings, url, &options).await?;
        let layer = options.layer(url);
        let store_name = layer.teller.store.clone();
        let store = match self.store {
            Some(store) => Box::new(Deadline::new(store, layer)),
            None => store::open(&self.url, options).await?,
        };
        let rules = settings.limits.iter().map(|(name, rule)| (name.clone(), Arc::new(rule.clone()))).collect();
        let background = settings.background.map(|option| Background::new(option, self.spawn));
        let core = Core {
            local: Box::new(MemoryStore::bounded(Arc::clone(&clock), LOCAL_ENTRIES)),
            rules: Mutex::new(rules),
            store,
            sender,
            texts,
            ring,
            keys,
            settings,
            events,
            clock,
            random: self.random.unwrap_or_else(|| Arc::new(SystemRandom)),
            flights: Flights::default(),
            token_cache: TokenCache::default(),
            users,
            store_name,
            closed: AtomicBool::new(false),
            upkeep: OnceLock::new(),
            background,
        };
        for warning in core.health().await.warnings {
            tracing::warn!(target: "oncecode", "{warning}");
        }
        let core = Arc::new(core);
        if let Some(task) = ops::upkeep::start(&core) {
            // Nobody else sets it.
            let _ = core.upkeep.set(task);
        }
        Ok(Oncecode { core })
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        f.debug_struct("Builder").field("options", &self.options).finish_non_exhaustive()
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

/// The table that `tokens.users` names, in a database of its own or in the store's.
async fn open_users(
    settings: &Settings,
    store: Option<&str>,
    options: &StoreOptions,
) -> Result<Option<Box<dyn Users>>> {
    let Some(users) = &settings.tokens.users else { return Ok(None) };
    let url = users.url.as_ref().map(Secret::expose).or(store).unwrap_or_default();
    let (table, id, version) = (users.table.clone(), users.id.clone(), users.version.clone());
    let table = UsersTable { schema: users.schema.clone(), table, id, version };
    store::open_users(url, &table, options).await.map(Some)
}

fn sender_settings(settings: &Settings, clock: &Arc<dyn Clock>) -> SenderSettings<'static> {
    SenderSettings {
        mode: settings.mode,
        deadline: settings.send_deadline,
        breaker: settings.breaker,
        clock: Arc::clone(clock),
        var: &|name: &str| std::env::var(name).ok(),
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

fn warn(settings: &Settings) {
    let own = settings.purposes.iter().map(|(name, policy)| (name.as_str(), policy));
    for (purpose, policy) in [("", &settings.policy)].into_iter().chain(own) {
        for weakness in policy.weaknesses() {
            tracing::warn!(target: "oncecode", purpose, "weak policy: {weakness}");
        }
    }
}
