//! Making a client.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use super::{Core, Oncecode, store_options};
use crate::config::{Mode, Options, SecretOption, Settings};
use crate::deliver::{self, Sender, SenderSettings, Texts};
use crate::error::Result;
use crate::event::{Event, Events, Listener};
use crate::identifier;
use crate::key::Keyspace;
use crate::ops::{self, Background, Flights, Spawn, TokenCache};
use crate::random::{Random, SystemRandom};
use crate::secret::{Keyring, Secret};
use crate::store::{self, BoxFuture, Deadline, MemoryStore, Store, StoreOptions, Users, UsersTable};
use crate::time::{Clock, SystemClock};

/// So many keys are limited locally during an outage; each takes some hundred bytes.
const LOCAL_ENTRIES: usize = 20_000;

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

impl Builder {
    pub(super) fn new(url: String) -> Self {
        Self { url, ..Self::default() }
    }

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

fn warn(settings: &Settings) {
    let own = settings.purposes.iter().map(|(name, policy)| (name.as_str(), policy));
    for (purpose, policy) in [("", &settings.policy)].into_iter().chain(own) {
        for weakness in policy.weaknesses() {
            tracing::warn!(target: "oncecode", purpose, "weak policy: {weakness}");
        }
    }
}
