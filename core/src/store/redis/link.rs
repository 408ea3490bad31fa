//! One multiplexed connection that is replaced when it breaks. Nothing is queued or repeated.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::{Cmd, ProtocolVersion, PushInfo, PushKind, RedisError, ServerErrorKind, Value, cmd};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::cluster;
use super::route::{Connection, Route, malformed, unlimited};
use crate::error::{Error, ErrorKind, Result};
use crate::store::deadline::late;
use crate::store::lua::{OUT, UNDONE};

const FORBIDDEN: &str = "the Redis user may not run EVALSHA, EVAL, GET, SET, DEL, PTTL, INCR or INCRBY on keys of our prefix, \
     or SELECT where the store URL has a database number";

/// How long at least between two looks at where a Cluster's keys are now.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Connects when needed. A call that finds the connection broken opens a new one before it sends anything.
pub(crate) struct Link(Arc<Shared>);

struct Shared {
    route: Route,
    deadline: Duration,
    /// The part of it that connecting may take.
    connect: Duration,
    /// For servers before Redis 6.
    old_protocol: AtomicBool,
    current: RwLock<Option<Live>>,
    connecting: tokio::sync::Mutex<()>,
    looking: AtomicBool,
}

#[derive(Clone)]
struct Live {
    connection: Connection,
    alive: Arc<AtomicBool>,
}

impl Link {
    pub(super) fn new(url: &str, deadline: Duration, connect: Duration) -> Result<Self> {
        Ok(Self(Arc::new(Shared {
            route: Route::parse(url, deadline)?,
            deadline,
            connect,
            old_protocol: AtomicBool::new(false),
            current: RwLock::new(None),
            connecting: tokio::sync::Mutex::new(()),
            looking: AtomicBool::new(false),
        })))
    }

    /// Whether keys of different entities may be on different servers, so that no script can touch both.
    pub(super) fn is_cluster(&self) -> bool {
        self.0.is_cluster()
    }

    /// Connects, so that wrong credentials are told.
    pub(super) async fn greet(&self) -> Result<()> {
        match self.is_cluster() {
            // Each node was greeted on the way; one that is absent now need not be when it is needed.
            true => self.0.live().await.map(|_| ()),
            false => match self.run(&cmd("PING")).await {
                // Only one who has logged in is told what he may not do.
                Err(e) if e.message() == FORBIDDEN => Ok(()),
                answer => answer.map(|_| ()),
            },
        }
    }

    /// Sends one command and waits for its answer. Whoever drops the future in between (a deadline) leaves a
    /// connection of unknown health, which is then not used again.
    pub(super) async fn run(&self, command: &Cmd) -> Result<Value> {
        let live = self.0.live().await?;
        let guard = Suspect { link: &self.0, live: &live, command };
        let answer = live.connection.clone().send(command).await;
        match &answer {
            Err(e) if e.is_unrecoverable_error() || e.is_io_error() || is_demoted(e) => drop(guard),
            _ => std::mem::forget(guard),
        }
        match answer {
            Ok(Value::ServerError(e)) => Err(self.0.failure(e.into())),
            Ok(value) => Ok(value),
            Err(e) => Err(self.0.failure(e)),
        }
    }

    /// Connects if need be.
    pub(super) async fn live(&self) -> Result<()> {
        self.0.live().await.map(|_| ())
    }

    /// What a server may refuse to tell, and a Cluster's node that hangs keep to itself: nothing depends on it, the
    /// connection's health neither.
    pub(super) async fn ask(&self, command: &Cmd) -> Option<Value> {
        let mut connection = self.0.usable()?.connection;
        timeout(self.0.deadline / 2, connection.send(command)).await.ok()?.ok()
    }

    /// The servers that hold keys, for [`Link::run_at`]: of a Cluster all masters, otherwise the one.
    pub(super) async fn masters(&self) -> Result<Vec<Option<String>>> {
        match self.0.live().await?.connection {
            Connection::One(_) => Ok(vec![None]),
            Connection::Cluster(mut cluster) => {
                let masters = cluster::masters(&mut cluster).await.map_err(|e| self.0.failure(e))?;
                Ok(masters.into_iter().map(Some).collect())
            }
        }
    }

    /// Sends a command that is about a server rather than a key.
    pub(super) async fn run_at(&self, address: Option<&str>, command: Cmd) -> Result<Value> {
        let Some(address) = address else { return self.run(&command).await };
        let Connection::Cluster(mut cluster) = self.0.live().await?.connection else {
            return self.run(&command).await;
        };
        match cluster::send_to(&mut cluster, address, command).await {
            Ok(Value::ServerError(e)) => Err(self.0.failure(e.into())),
            answer => answer.map_err(|e| self.0.failure(e)),
        }
    }

    pub(super) fn drop_connection(&self) {
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Shared {
    fn is_cluster(&self) -> bool {
        matches!(self.route, Route::Cluster(_))
    }

    /// What fails here has sent nothing yet.
    async fn live(&self) -> Result<Live> {
        if let Some(live) = self.usable() {
            return Ok(live);
        }
        let connected = timeout(self.connect, self.connected()).await;
        connected.unwrap_or_else(|_| Err(late(self.connect))).map_err(Error::undone)
    }

    async fn connected(&self) -> Result<Live> {
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(live) = self.usable() {
            return Ok(live);
        }
        let live = self.connect().await.map_err(|e| self.failure(e))?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
        Ok(live)
    }

    fn usable(&self) -> Option<Live> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let is_alive = |live: &&Live| {
            live.connection.look();
            live.alive.load(Ordering::Acquire)
        };
        current.as_ref().filter(is_alive).cloned()
    }

    async fn connect(&self) -> Result<Live, RedisError> {
        let alive = Arc::new(AtomicBool::new(true));
        if !self.old_protocol.load(Ordering::Relaxed) {
            let watched = unlimited().set_push_sender(watch(&alive));
            match self.route.connect(&watched, ProtocolVersion::RESP3).await {
                Err(e) if is_old(&e) => self.old_protocol.store(true, Ordering::Relaxed),
                connected => return connected.map(|connection| Live { connection, alive }),
            }
        }
        let connection = self.route.connect(&unlimited(), ProtocolVersion::RESP2).await?;
        Ok(Live { connection, alive })
    }

    /// A Cluster's connection hears of a node's successor from that node; one that hangs tells nothing. Connects anew
    /// beside it, and changes over if somebody then answers for the key that nobody answered for.
    fn look_again(self: &Arc<Self>, old: &Live, command: &Cmd) {
        let Ok(runtime) = Handle::try_current() else { return };
        if self.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (shared, old, command) = (Arc::clone(self), old.clone(), command.clone());
        runtime.spawn(async move {
            let found = async {
                let mut new = shared.connect().await.ok()?;
                let Connection::Cluster(cluster) = &mut new.connection else { return None };
                cluster::answers_for(cluster, &command).await.then_some(new)
            };
            if let Ok(Some(new)) = timeout(3 * shared.deadline, found).await {
                shared.replace(&old, new);
            }
            sleep(LOOK_INTERVAL).await;
            shared.looking.store(false, Ordering::Release);
        });
    }

    /// Unless it was closed or replaced in the meantime.
    fn replace(&self, old: &Live, new: Live) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = current.as_mut().filter(|live| Arc::ptr_eq(&live.alive, &old.alive)) {
            *live = new;
        }
    }

    fn failure(&self, error: RedisError) -> Error {
        use redis::ErrorKind as Kind;
        let code = error.code().unwrap_or_default().to_owned();
        // A Cluster's connection tells the nodes' reasons as text only.
        let said = error.to_string();
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let is_moved = matches!(&*code, "MOVED" | "ASK" | "CROSSSLOT");
        let config = match error.kind() {
            Kind::AuthenticationFailed => Some("Redis refused the credentials in the store URL"),
            _ if says(&["NOAUTH", "WRONGPASS", "AuthenticationFailed"]) => {
                Some("Redis refused the credentials in the store URL")
            }
            _ if says(&["invalid peer certificate"]) => Some(
                "the Redis server's certificate is not trusted, or is for another name than the store URL's: name its \
                 authority's file by ?ssl_ca_certs=, and the server as its certificate does",
            ),
            // Of what a script may not do, some versions tell by words alone.
            Kind::Server(ServerErrorKind::NoPerm) => Some(FORBIDDEN),
            _ if says(&["can't run this command", "no permissions", "NOPERM"]) => Some(FORBIDDEN),
            Kind::MasterNameNotFoundBySentinel => Some("the Sentinels know no master of the name in the store URL"),
            Kind::InvalidClientConfig => return malformed(error.category()),
            _ if error.detail().is_some_and(|d| d.contains("DB index")) => Some("Redis has no database of that number"),
            _ if says(&["cluster support disabled"]) => {
                Some("this Redis is no Cluster: the store URL begins with redis:// or rediss://")
            }
            _ if is_moved && !self.is_cluster() => Some(
                "this Redis is a node of a Cluster: the store URL begins with redis+cluster:// or rediss+cluster://",
            ),
            _ => None,
        };
        let error = match config {
            Some(why) => return Error::config(why).with_source(error),
            None => error,
        };
        let why = match error.is_io_error() || is_moved {
            true => "Redis cannot be reached".to_owned(),
            false if is_demoted(&error) => "this Redis is a replica, which may only be read".to_owned(),
            false if says(&["used memory > 'maxmemory'"]) => "Redis is full: it has reached its maxmemory".to_owned(),
            false => format!("Redis refused: {code}"),
        };
        let is_out = is_moved || code.is_empty() || OUT.contains(&&*code);
        let error = Error::new(ErrorKind::StoreUnavailable, why).with_source(error).answered(!is_out);
        if UNDONE.contains(&&*code) { error.undone() } else { error }
    }
}

/// What is done when dropped about a connection that did not answer.
struct Suspect<'a> {
    link: &'a Arc<Shared>,
    live: &'a Live,
    command: &'a Cmd,
}

impl Drop for Suspect<'_> {
    fn drop(&mut self) {
        match self.link.is_cluster() {
            // One server that hangs is no reason to leave the others.
            true => self.link.look_again(self.live, self.command),
            false => self.live.alive.store(false, Ordering::Release),
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

/// A master that became a replica: another connection may lead to the new master. Of a script, Redis 6 tells so by words.
fn is_demoted(error: &RedisError) -> bool {
    let by_words = || error.detail().is_some_and(|said| said.contains("READONLY"));
    error.kind() == redis::ErrorKind::Server(ServerErrorKind::ReadOnly) || by_words()
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(redis)")
    }
}
