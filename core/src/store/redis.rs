//! `redis://`, `rediss://`, `redis+unix://`, and with `+cluster` or `+sentinel`: the scripts over Redis' own protocol.

mod cluster;
mod driver;
mod inspect;
mod link;
mod route;
mod script;
mod sentinel;
#[cfg_attr(not(unix), path = "redis/no_socket.rs")]
mod socket;

use self::link::Link;
use super::breaker::PARTITIONS;
use super::lua::{Answer, LuaStore, Script, Wire};
use super::*;

/// A Redis server by one multiplexed connection, or a Cluster by one to each node.
pub(crate) type RedisStore = LuaStore<Link>;

impl RedisStore {
    /// Connects and asks for a reply, so that wrong credentials are told at the start.
    pub(crate) async fn open(url: &str, options: StoreOptions) -> Result<Self> {
        let link = Link::new(url, options.deadline, options.connect)?;
        match tokio::time::timeout(options.deadline, link.greet()).await {
            Ok(answer) => answer.map(|()| Self(link)),
            Err(_) => Err(deadline::late(options.deadline)),
        }
    }
}

impl Wire for Link {
    async fn eval(&self, script: &Script, keys: &[&Key], args: &[&[u8]]) -> Result<Answer> {
        let source = &*script.binary;
        let answer = match self.run(&script::by_digest(source, keys, args)).await {
            Err(e) if script::is_unknown(&e) => self.run(&script::by_source(source, keys, args)).await,
            answer => answer,
        };
        answer.map(script::answer)
    }

    async fn servers(&self) -> Result<usize> {
        Ok(self.masters().await?.len())
    }

    async fn tell(&self, server: usize, words: &[&str]) -> Result<Answer> {
        let masters = self.masters().await?;
        let Some(address) = masters.get(server) else { return Ok(Answer::Nil) };
        let mut command = ::redis::Cmd::new();
        command.arg(words);
        self.run_at(address.as_deref(), command).await.map(script::answer)
    }

    fn is_cluster(&self) -> bool {
        Link::is_cluster(self)
    }

    async fn ready(&self) -> Result<()> {
        self.live().await
    }

    async fn warnings(&self) -> Vec<String> {
        let info = self.ask(&::redis::cmd("INFO")).await;
        info.map(inspect::warnings).unwrap_or_default()
    }

    fn partition(&self, key: &Key) -> usize {
        match Link::is_cluster(self) {
            // A node has some runs of slots.
            true => usize::from(cluster::slot(key.as_str())) * PARTITIONS / usize::from(cluster::SLOTS),
            false => 0,
        }
    }

    fn hang_up(&self) {
        self.drop_connection();
    }
}
