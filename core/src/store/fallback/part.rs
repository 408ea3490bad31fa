//! One of the two stores, which is opened when that is possible.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::key::Key;
use crate::store::breaker::Teller;
use crate::store::open::{Opener, StoreOptions};
use crate::store::{BoxFuture, BreakerState, Connection, Count, Entry, Inspection, Store, When, late};

/// How long at least from one vain attempt at opening to the next.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Part(Arc<Shared>);

struct Shared {
    /// Which of the two, and what it is: `first store (redis)`.
    name: String,
    url: String,
    options: StoreOptions,
    open: Opener,
    teller: Teller,
    store: OnceLock<Arc<dyn Store>>,
    absence: Mutex<Absence>,
    closed: AtomicBool,
}

/// Of a store that could not be opened yet.
struct Absence {
    since_ms: u64,
    why: String,
    /// `None` while an attempt is under way.
    next_try: Option<Instant>,
}

impl Part {
    /// Opens it, or leaves that for later when it is out of reach, and says why.
    ///
    /// # Errors
    /// Whatever else is wrong with it.
    pub(super) async fn open(
        which: &'static str,
        url: String,
        options: StoreOptions,
        open: Opener,
    ) -> Result<(Self, Option<Error>)> {
        let part = Self::new(which, url, options, open);
        match part.0.connect().await {
            Ok(()) => Ok((part, None)),
            Err(e) if e.kind() == ErrorKind::StoreUnavailable => {
                let since_ms = part.0.teller.tell(EventKind::StoreDown);
                *part.0.absence() =
                    Absence { since_ms, why: e.message().to_owned(), next_try: Some(Instant::now() + PAUSE) };
                Ok((part, Some(e)))
            }
            Err(e) => Err(part.blame(e)),
        }
    }

    fn new(which: &'static str, url: String, options: StoreOptions, open: Opener) -> Self {
        let teller = options.layer(Some(&url)).teller;
        let absence = Mutex::new(Absence { since_ms: 0, why: String::new(), next_try: None });
        let (name, store) = (format!("{which} store ({})", teller.store), OnceLock::new());
        let closed = AtomicBool::new(false);
        Self(Arc::new(Shared { name, url, options, open, teller, store, absence, closed }))
    }

    #[cfg(all(test, feature = "testkit"))]
    pub(super) fn given(store: impl Store, options: StoreOptions) -> Self {
        let part = Self::new("given", String::new(), options, |_, _| Box::pin(async { Err(Error::config("given")) }));
        part.0.store.get_or_init(|| Arc::new(store));
        part
    }

    /// The store, or one that says that it was not asked. It is opened in the background, so that no call waits for that.
    pub(super) fn store(&self) -> &dyn Store {
        if let Some(store) = self.0.store.get() {
            return &**store;
        }
        if let (Ok(runtime), true) = (Handle::try_current(), self.0.may_try()) {
            runtime.spawn(Arc::clone(&self.0).join());
        }
        &Absent
    }

    /// Asks a question that is not worth waiting for longer than `patience`. It goes on by itself then, so that the store's
    /// breaker hears how it ended.
    pub(super) async fn ask<T, F>(&self, patience: Duration, question: impl FnOnce(Arc<dyn Store>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.store();
        let store = self.0.store.get().cloned().ok_or_else(absent)?;
        match timeout(patience, tokio::spawn(question(store))).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::new(ErrorKind::Internal, "a question to a store ended before its answer")),
            Err(_) => Err(late(patience)),
        }
    }

    /// Whether its breaker says that it is out of reach; before, it may be merely late.
    pub(super) fn is_down(&self) -> bool {
        self.connection().is_some_and(|connection| connection.state != BreakerState::Closed)
    }

    pub(super) fn connection(&self) -> Option<Connection> {
        match self.0.store.get() {
            Some(store) => store.connection(),
            None => Some(Connection { state: BreakerState::Open, since_ms: self.0.absence().since_ms }),
        }
    }

    /// [`Store::inspect`], with the store's name in all that it says.
    pub(super) async fn inspect(&self, probe: &Key) -> Result<Inspection> {
        let store = self.store();
        let found = match self.0.store.get() {
            Some(_) => store.inspect(probe).await,
            None => Err(Error::new(ErrorKind::StoreUnavailable, self.0.absence().why.clone())),
        };
        let mut found = found.map_err(|e| self.blame(e))?;
        found.warnings.iter_mut().for_each(|warning| *warning = format!("{}: {warning}", self.0.name));
        Ok(found)
    }

    pub(super) fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.0.closed.store(true, Ordering::SeqCst);
            if let Some(store) = self.0.store.get() {
                store.close().await;
            }
        })
    }

    fn blame(&self, error: Error) -> Error {
        Error::new(error.kind(), format!("{}: {error}", self.0.name)).with_source(error)
    }
}

impl Shared {
    /// Opens it once more.
    async fn join(self: Arc<Self>) {
        let Err(e) = self.connect().await else {
            self.teller.tell(EventKind::StoreUp);
            return;
        };
        let mut absence = self.absence();
        // What is wrong with it is said once.
        if e.kind() != ErrorKind::StoreUnavailable && absence.why != e.message() {
            tracing::error!(target: "oncecode", code = e.code(), "the {} cannot be opened: {e}", self.name);
        }
        absence.why = e.message().to_owned();
        absence.next_try = Some(Instant::now() + PAUSE);
    }

    async fn connect(&self) -> Result<()> {
        let store = (self.open)(self.url.clone(), self.options.clone()).await?;
        let store = self.store.get_or_init(|| store.into());
        if self.closed.load(Ordering::SeqCst) {
            store.close().await;
        }
        Ok(())
    }

    fn may_try(&self) -> bool {
        let mut absence = self.absence();
        let is_time = absence.next_try.is_some_and(|time| time <= Instant::now());
        let may = is_time && !self.closed.load(Ordering::SeqCst);
        if may {
            absence.next_try = None;
        }
        may
    }

    fn absence(&self) -> MutexGuard<'_, Absence> {
        self.absence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands where a store could not be opened yet: it has done nothing.
#[derive(Debug)]
pub(super) struct Absent;

fn absent() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "the store could not be reached yet").undone()
}

fn refused<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T>> {
    Box::pin(async { Err(absent()) })
}

impl Store for Absent {
    fn get<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        refused()
    }

    fn put<'a>(&'a self, _: &'a Key, _: &'a [u8], _: Duration, _: When) -> BoxFuture<'a, Result<bool>> {
        refused()
    }

    fn take<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        refused()
    }

    fn count<'a>(&'a self, _: &'a Key, _: i64, _: Duration) -> BoxFuture<'a, Result<Count>> {
        refused()
    }

    fn purge(&self, _: u32) -> BoxFuture<'_, Result<u64>> {
        refused()
    }

    /// As far as one knows.
    fn needs_purge(&self) -> bool {
        true
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("Part").field("name", &self.0.name).field("is_open", &self.0.store.get().is_some()).finish()
    }
}
