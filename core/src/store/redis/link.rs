//! One multiplexed connection that is replaced when it breaks. Nothing is queued or repeated.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redis::{AsyncConnectionConfig, Cmd, PushInfo, PushKind, RedisError, ServerErrorKind, Value};

use super::route::{Connection, Route, malformed};
use crate::error::{Error, ErrorKind, Result};

/// Connects when needed. A call that finds the connection broken opens a new one before it sends anything.
pub(super) struct Link {
    route: Route,
    /// For servers before Redis 6.
    old_protocol: AtomicBool,
    current: RwLock<Option<Live>>,
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Live {
    connection: Connection,
    alive: Arc<AtomicBool>,
}

impl Link {
    pub(super) fn new(url: &str) -> Result<Self> {
        Ok(Self {
            route: Route::parse(url)?,
            old_protocol: AtomicBool::new(false),
            current: RwLock::new(None),
            connecting: tokio::sync::Mutex::new(()),
        })
    }

    /// Whether keys of different entities may be on different servers, so that no script can touch both.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.route, Route::Cluster(_))
    }

    /// Sends one command and waits for its answer. Whoever drops the future in between (a deadline) leaves a
    /// connection of unknown health, which is then not used again.
    pub(super) async fn run(&self, command: &Cmd) -> Result<Value> {
        let mut live = self.live().await?;
        // A Cluster mends its own connections; one server that hangs is no reason to leave the others.
        let guard = Suspect(&live.alive, !self.is_cluster());
        let answer = live.connection.send(command).await;
        match &answer {
            Err(e) if e.is_unrecoverable_error() || e.is_io_error() || is_demoted(e) => drop(guard),
            _ => std::mem::forget(guard),
        }
        match answer {
            Ok(Value::ServerError(e)) => Err(failure(e.into())),
            Ok(value) => Ok(value),
            Err(e) => Err(failure(e)),
        }
    }

    pub(super) fn drop_connection(&self) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn live(&self) -> Result<Live> {
        if let Some(live) = self.usable() {
            return Ok(live);
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(live) = self.usable() {
            return Ok(live);
        }
        let live = self.connect().await.map_err(failure)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
        Ok(live)
    }

    fn usable(&self) -> Option<Live> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|live| live.alive.load(Ordering::Acquire)).cloned()
    }

    async fn connect(&self) -> Result<Live, RedisError> {
        let alive = Arc::new(AtomicBool::new(true));
        // The deadline is counted by the layer above, over connecting and answering together.
        let plain = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        if !self.old_protocol.load(Ordering::Relaxed) {
            let watched = plain.clone().set_push_sender(watch(&alive));
            match self.route.connect(&watched).await {
                Err(e) if is_old(&e) => self.old_protocol.store(true, Ordering::Relaxed),
                connected => return connected.map(|connection| Live { connection, alive }),
            }
        }
        let connection = self.route.connect_old(&plain).await?;
        Ok(Live { connection, alive })
    }
}

/// Marks a connection as unusable when dropped.
struct Suspect<'a>(&'a AtomicBool, bool);

impl Drop for Suspect<'_> {
    fn drop(&mut self) {
        if self.1 {
            self.0.store(false, Ordering::Release);
        }
    }
}

/// Hears of a disconnect at once, so that the next call does not find out by failing.
fn watch(alive: &Arc<AtomicBool>) -> impl Fn(PushInfo) -> Result<(), redis::aio::SendError> + Send + Sync + 'static {
    let alive = Arc::clone(alive);
    move |push| {
        if push.kind == PushKind::Disconnection {
            alive.store(false, Ordering::Release);
        }
        Ok(())
    }
}

fn is_old(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::RESP3NotSupported || error.code() == Some("NOPROTO")
}

/// A master that became a replica: another connection may lead to the new master.
fn is_demoted(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::Server(ServerErrorKind::ReadOnly)
}

fn failure(error: RedisError) -> Error {
    use redis::ErrorKind as Kind;
    let code = error.code().unwrap_or_default().to_owned();
    match error.kind() {
        Kind::AuthenticationFailed => {
            Error::config("Redis refused the credentials in the store URL").with_source(error)
        }
        _ if matches!(&*code, "NOAUTH" | "WRONGPASS") => {
            Error::config("Redis refused the credentials in the store URL").with_source(error)
        }
        Kind::Server(ServerErrorKind::NoPerm) => {
            Error::config("the Redis user may not run EVALSHA, EVAL, GET, SET, DEL, PTTL or INCRBY on these keys")
                .with_source(error)
        }
        Kind::InvalidClientConfig => malformed(error.category()),
        _ if error.detail().is_some_and(|d| d.contains("DB index")) => {
            Error::config("Redis has no database of that number").with_source(error)
        }
        _ if error.is_io_error() => {
            Error::new(ErrorKind::StoreUnavailable, "Redis cannot be reached").with_source(error)
        }
        _ => Error::new(ErrorKind::StoreUnavailable, format!("Redis refused: {code}")).with_source(error),
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(redis)")
    }
}
