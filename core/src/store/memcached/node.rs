//! One server and its idle connections.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::protocol::{self, Meta, Request, Stats, lost};
use crate::error::{Error, Result};
use crate::key::Key;

/// Idle connections kept; more are opened while more are needed.
const KEPT: usize = 32;

pub(super) struct Node {
    address: String,
    idle: Mutex<Vec<BufReader<TcpStream>>>,
}

impl Node {
    pub(super) fn new(address: String) -> Self {
        Self { address, idle: Mutex::new(Vec::new()) }
    }

    #[cfg(test)]
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The key's affinity to this server. The hash must never change: another would lose every key.
    pub(super) fn weight(&self, key: &str) -> u64 {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        digest.update(self.address.as_bytes());
        digest.update(&[0]);
        digest.update(key.as_bytes());
        digest.finish().as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// One command and its answer. A dropped future takes its connection with it, so that no later call reads its answer.
    pub(super) async fn ask(&self, key: &Key, request: &Request<'_>) -> Result<Meta> {
        let mut connection = self.connection().await.map_err(Error::undone)?;
        connection.write_all(&request.encode(key)).await.map_err(lost)?;
        let answer = protocol::read(&mut connection).await?;
        self.give_back(connection);
        Ok(answer)
    }

    pub(super) async fn check(&self) -> Result<()> {
        let mut connection = self.connection().await?;
        connection.write_all(b"version\r\n").await.map_err(lost)?;
        let line = protocol::line(&mut connection).await?;
        let version = line.strip_prefix("VERSION ").ok_or_else(protocol::strange)?;
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        if (parts.next(), parts.next()) < (Some(1), Some(6)) {
            return Err(Error::config("memcached 1.6 or newer is needed, for its meta commands"));
        }
        self.give_back(connection);
        Ok(())
    }

    pub(super) async fn stats(&self) -> Result<Stats> {
        let mut connection = self.connection().await?;
        connection.write_all(b"stats\r\n").await.map_err(lost)?;
        let stats = protocol::stats(&mut connection).await?;
        self.give_back(connection);
        Ok(stats)
    }

    pub(super) fn close(&self) {
        self.idle().clear();
    }

    async fn connection(&self) -> Result<BufReader<TcpStream>> {
        loop {
            let Some(idle) = self.idle().pop() else { break };
            if is_quiet(idle.get_ref()) {
                return Ok(idle);
            }
        }
        let stream = TcpStream::connect(&self.address).await.map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        Ok(BufReader::new(stream))
    }

    fn give_back(&self, connection: BufReader<TcpStream>) {
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<BufReader<TcpStream>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing to read and no end: the server has not closed it while it was idle.
fn is_quiet(stream: &TcpStream) -> bool {
    let mut byte = [0];
    matches!(stream.try_read(&mut byte), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock)
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Node(memcached)")
    }
}
