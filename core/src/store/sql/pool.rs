//! Connections to one database server.
//!
//! Not the driver's own pool: that one asks the server whether a connection is well each time it is given back, which
//! makes two round trips of every call.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::unavailable;
use crate::error::{Error, ErrorKind, Result};

/// A connection that rested for longer is asked whether it still works before it is used.
const DOUBTFUL: Duration = Duration::from_millis(100);

/// A connection that rested for longer is not even asked: firewalls forget such without a word.
const STALE: Duration = Duration::from_secs(60);

pub(in crate::store) struct Pool<C: Connection> {
    options: C::Options,
    /// For a connection to be had.
    deadline: Duration,
    /// Sent on each new connection.
    setup: Option<String>,
    /// What the driver's error means.
    failed: fn(sqlx::Error) -> Error,
    permits: Semaphore,
    idle: Mutex<Idle<C>>,
}

struct Idle<C> {
    /// The one used last is at the back and is the next to be used.
    connections: VecDeque<(C, Instant)>,
    /// Raised when the server was lost: whatever was connected before is of no use.
    generation: u64,
}

impl<C: Connection> Pool<C>
where
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    pub(in crate::store) fn new(
        options: C::Options,
        deadline: Duration,
        setup: Option<String>,
        max: u32,
        failed: fn(sqlx::Error) -> Error,
    ) -> Self {
        let idle = Mutex::new(Idle { connections: VecDeque::new(), generation: 0 });
        Self { options, deadline, setup, failed, permits: Semaphore::new(max as usize), idle }
    }

    /// A connection that works, as far as one can tell without asking the server. What fails here has sent nothing yet.
    pub(in crate::store) async fn lease(&self) -> Result<Lease<'_, C>> {
        let leased = timeout(self.deadline, self.leased()).await;
        leased.unwrap_or_else(|_| Err(late())).map_err(Error::undone)
    }

    async fn leased(&self) -> Result<Lease<'_, C>> {
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
    pub(in crate::store) fn adopt(&self, connection: C) {
        self.idle().connections.push_back((connection, Instant::now()));
    }

    pub(in crate::store) async fn close(&self) {
        self.permits.close();
        let connections = std::mem::take(&mut self.idle().connections);
        futures::future::join_all(connections.into_iter().map(|(connection, _)| connection.close())).await;
    }

    fn rested(&self) -> (Option<(C, Instant)>, u64) {
        let mut idle = self.idle();
        let rested = idle.connections.pop_back().filter(|(_, since)| since.elapsed() < STALE);
        (rested, idle.generation)
    }

    async fn connect(&self) -> Result<C> {
        connect(&self.options, self.setup.as_deref(), self.deadline).await?.map_err(self.failed)
    }
}

impl<C: Connection> Pool<C> {
    /// Drops every connection of `generation`, the ones in use when they come back.
    fn lost(&self, generation: u64) {
        let mut idle = self.idle();
        if idle.generation == generation {
            idle.generation += 1;
            idle.connections.clear();
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects within the deadline; the inner error is the driver's, for the caller to judge.
pub(in crate::store) async fn connect<C: Connection>(
    options: &C::Options,
    setup: Option<&str>,
    deadline: Duration,
) -> Result<sqlx::Result<C>>
where
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    let connecting = async {
        let mut connection = options.connect().await?;
        if let Some(setup) = setup {
            connection.execute(sqlx::raw_sql(AssertSqlSafe(setup))).await?;
        }
        Ok(connection)
    };
    timeout(deadline, connecting).await.map_err(|_| late())
}

fn late() -> Error {
    unavailable("the database server did not answer in time")
}

/// A connection in use. It goes back to the pool only by [`Lease::done`]: one whose call was dropped half way would
/// give its answer to the next.
pub(in crate::store) struct Lease<'a, C: Connection> {
    pool: &'a Pool<C>,
    connection: Option<C>,
    generation: u64,
    reused: bool,
    _permit: SemaphorePermit<'a>,
}

impl<C: Connection> Lease<'_, C> {
    /// Whether somebody had it before, and the server may have ended it since.
    pub(in crate::store) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Gives the connection back.
    pub(in crate::store) fn done(mut self) {
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
    pub(in crate::store) fn broken(self, lost: bool) {
        if lost {
            self.pool.lost(self.generation);
        }
    }

    /// The connection, which is there until the lease ends.
    pub(in crate::store) fn driver(&mut self) -> Result<&mut C> {
        self.connection.as_mut().ok_or_else(|| Error::new(ErrorKind::Internal, "a lease has ended"))
    }
}
