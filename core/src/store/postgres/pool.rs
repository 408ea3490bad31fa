//! Connections to one server.
//!
//! Not the driver's own pool: that one asks the server whether a connection is well each time it is given back, which
//! makes two round trips of every call.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::rows::failed;
use crate::error::{Error, ErrorKind, Result};
use crate::store::sql;

/// A connection that rested for longer is asked whether it still works before it is used.
const DOUBTFUL: Duration = Duration::from_millis(100);

/// A connection that rested for longer is not even asked: firewalls forget such without a word.
const STALE: Duration = Duration::from_secs(60);

pub(super) struct Pool {
    options: PgConnectOptions,
    /// For a connection to be had.
    deadline: Duration,
    /// Sent on each new connection.
    setup: Option<&'static str>,
    permits: Semaphore,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one used last is at the back and is the next to be used.
    connections: VecDeque<(PgConnection, Instant)>,
    /// Raised when the server was lost: whatever was connected before is of no use.
    generation: u64,
}

impl Pool {
    pub(super) fn new(options: PgConnectOptions, deadline: Duration, setup: Option<&'static str>, max: u32) -> Self {
        let permits = Semaphore::new(max as usize);
        Self { options, deadline, setup, permits, idle: Mutex::default() }
    }

    /// A connection that works, as far as one can tell without asking the server. What fails here has sent nothing yet.
    pub(super) async fn lease(&self) -> Result<Lease<'_>> {
        let leased = timeout(self.deadline, self.leased()).await;
        leased.unwrap_or_else(|_| Err(late())).map_err(Error::undone)
    }

    async fn leased(&self) -> Result<Lease<'_>> {
        let permit = self.permits.acquire().await.map_err(|_| Error::new(ErrorKind::Closed, "the store was closed"))?;
        let (rested, generation) = self.rested();
        let rested = match rested {
            Some((connection, since)) if since.elapsed() < DOUBTFUL => Some(connection),
            // A third of the deadline leaves time to connect anew.
            Some((mut connection, _)) => match timeout(self.deadline / 3, connection.ping()).await {
                Ok(Ok(())) => Some(connection),
                _ => {
                    self.lost(generation);
                    None
                }
            },
            None => None,
        };
        let reused = rested.is_some();
        let (connection, generation) = match rested {
            Some(connection) => (connection, generation),
            None => {
                let generation = self.idle().generation;
                (self.connect().await?, generation)
            }
        };
        Ok(Lease { pool: self, connection: Some(connection), generation, reused, _permit: permit })
    }

    /// Gives a connection made elsewhere to the pool.
    pub(super) fn adopt(&self, connection: PgConnection) {
        self.idle().connections.push_back((connection, Instant::now()));
    }

    /// Drops every connection of `generation`, the ones in use when they come back.
    fn lost(&self, generation: u64) {
        let mut idle = self.idle();
        if idle.generation == generation {
            idle.generation += 1;
            idle.connections.clear();
        }
    }

    pub(super) async fn close(&self) {
        self.permits.close();
        let connections = std::mem::take(&mut self.idle().connections);
        futures::future::join_all(connections.into_iter().map(|(connection, _)| connection.close())).await;
    }

    fn rested(&self) -> (Option<(PgConnection, Instant)>, u64) {
        let mut idle = self.idle();
        let rested = idle.connections.pop_back().filter(|(_, since)| since.elapsed() < STALE);
        (rested, idle.generation)
    }

    async fn connect(&self) -> Result<PgConnection> {
        connect(&self.options, self.setup, self.deadline).await?.map_err(failed)
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects within the deadline; the inner error is the driver's, for the caller to judge.
pub(super) async fn connect(
    options: &PgConnectOptions,
    setup: Option<&'static str>,
    deadline: Duration,
) -> Result<sqlx::Result<PgConnection>> {
    let connecting = async {
        let mut connection = options.connect().await?;
        if let Some(setup) = setup {
            sqlx::raw_sql(setup).execute(&mut connection).await?;
        }
        Ok(connection)
    };
    timeout(deadline, connecting).await.map_err(|_| late())
}

fn late() -> Error {
    sql::unavailable("PostgreSQL did not answer in time")
}

/// A connection in use. It goes back to the pool only by [`Lease::done`]: one whose call was dropped half way would
/// give its answer to the next.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<PgConnection>,
    generation: u64,
    reused: bool,
    _permit: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// Whether somebody had it before, and the server may have ended it since.
    pub(super) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Gives the connection back.
    pub(super) fn done(mut self) {
        let mut idle = self.pool.idle();
        // Those at the front have been superfluous for long.
        while idle.connections.front().is_some_and(|(_, since)| since.elapsed() > STALE) {
            idle.connections.pop_front();
        }
        if let Some(connection) = self.connection.take().filter(|_| idle.generation == self.generation) {
            idle.connections.push_back((connection, Instant::now()));
        }
    }

    /// Drops the connection, and with `lost` all others that were made before now.
    pub(super) fn broken(self, lost: bool) {
        if lost {
            self.pool.lost(self.generation);
        }
    }

    /// The connection, which is there until the lease ends.
    pub(super) fn driver(&mut self) -> Result<&mut PgConnection> {
        self.connection.as_mut().ok_or_else(|| Error::new(ErrorKind::Internal, "a lease has ended"))
    }
}
