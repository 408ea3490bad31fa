//! `memcached://host:port,host:port`: the contract's primitives by meta commands; every operation by the defaults.
//!
//! Memcached runs no code of ours, so issue and verify take two round trips: a read, and a write that succeeds only if nobody
//! else wrote in between (`cas`). Lives are whole seconds here.

mod node;
mod protocol;

use std::time::Duration;

use self::node::Node;
use self::protocol::{Meta, Request};
use super::*;
use crate::error::{Error, ErrorKind};

/// The port when none is given.
const PORT: u16 = 11211;

/// Some memcached servers, each holding the keys that hash to it.
#[derive(Debug)]
pub(crate) struct MemcachedStore {
    nodes: Vec<Node>,
    deadline: Duration,
}

impl MemcachedStore {
    /// Asks every server for its version, so that an absent or ancient one is told at the start.
    pub(crate) async fn open(url: &str, options: StoreOptions) -> Result<Self> {
        let nodes = addresses(url)?.into_iter().map(Node::new).collect();
        let store = Self { nodes, deadline: options.deadline };
        let asked = futures::future::try_join_all(store.nodes.iter().map(Node::check));
        match tokio::time::timeout(options.deadline, asked).await {
            Ok(answers) => answers.map(|_| store),
            Err(_) => Err(deadline::late(options.deadline)),
        }
    }

    async fn ask(&self, key: &Key, request: Request<'_>) -> Result<Meta> {
        self.node(key)?.ask(key, &request).await
    }

    /// Rendezvous hashing: a key stays where it is when other servers come and go. A server that is out of reach keeps its
    /// keys; moving them elsewhere would forget spent attempts.
    fn node(&self, key: &Key) -> Result<&Node> {
        self.nodes.get(self.place(key)).ok_or_else(|| Error::new(ErrorKind::Internal, "no memcached server"))
    }

    fn place(&self, key: &Key) -> usize {
        // Of one, without hashing.
        let places = 0..self.nodes.len();
        if places.len() < 2 {
            return 0;
        }
        places.max_by_key(|place| self.nodes[*place].weight(key.as_str())).unwrap_or_default()
    }
}

impl Store for MemcachedStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { Ok(entry(self.ask(key, Request::Get).await?)) })
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let answer = self.ask(key, Request::Set { value, seconds: seconds(ttl)?, when: &when }).await?;
            match answer {
                Meta::Done => Ok(true),
                Meta::NotStored | Meta::Exists | Meta::Missing => Ok(false),
                _ => Err(protocol::strange()),
            }
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            loop {
                let Some(found) = entry(self.ask(key, Request::Get).await?) else { return Ok(None) };
                match self.ask(key, Request::Delete { version: &found.version }).await? {
                    Meta::Done => return Ok(Some(found)),
                    Meta::Missing => return Ok(None),
                    // Somebody changed it in between: what is there now is what we take.
                    Meta::Exists => {}
                    _ => return Err(protocol::strange()),
                }
            }
        })
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        // Memcached's own counters stop at zero; ours do not.
        Box::pin(defaults::count(self, key, by, ttl))
    }

    fn inspect<'a>(&'a self, probe: &'a Key) -> BoxFuture<'a, Result<Inspection>> {
        Box::pin(async move {
            // One that hangs must not keep the others' answers from being told.
            let stats = |node: &'a Node| tokio::time::timeout(self.deadline / 2, node.stats());
            let others = futures::future::join_all(self.nodes.iter().map(stats));
            let (answer, stats) = futures::join!(self.ask(probe, Request::Get), others);
            answer?;
            let stats: Vec<_> = stats.into_iter().map(|found| found.ok().and_then(Result::ok)).collect();
            let mut found =
                Inspection::new(stats.iter().flatten().find_map(|stats| stats.time).map(|time| time * 1000));
            let lost = stats.iter().filter(|stats| stats.is_none()).count();
            if lost > 0 {
                found.warn(format!("{lost} of {} memcached servers cannot be reached", stats.len()));
            }
            let evictions: u64 = stats.iter().flatten().map(|stats| stats.evictions).sum();
            if evictions > 0 {
                found.warn(format!(
                    "memcached forgot {evictions} items before their time, and with them perhaps spent attempts and \
                     limits: give it more memory, or servers of its own"
                ));
            }
            Ok(found)
        })
    }

    fn partition(&self, key: &Key) -> usize {
        self.place(key)
    }

    fn restore<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<Restored>> {
        Box::pin(item::restore(self, item))
    }

    fn reissue<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Issue,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Option<Issued>>> {
        Box::pin(defaults::reissue(self, key, input, gate))
    }

    fn scan<'a>(&'a self, _prefix: &'a str, _cursor: &'a str, _limit: u32) -> BoxFuture<'a, Result<Page>> {
        Box::pin(std::future::ready(Err(no_source())))
    }

    fn detach<'a>(&'a self, _key: &'a Key, detached_only: bool) -> BoxFuture<'a, Result<Option<Item>>> {
        // Nothing ever left, so nothing waits.
        Box::pin(std::future::ready(if detached_only { Ok(None) } else { Err(no_source()) }))
    }

    fn forget<'a>(&'a self, _item: &'a Item) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn granularity(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.nodes.iter().for_each(Node::close);
        Box::pin(std::future::ready(()))
    }
}

fn no_source() -> Error {
    Error::config(
        "memcached cannot be moved from: it lists no keys reliably and changes no two keys at once; let what is in it expire",
    )
}

fn entry(answer: Meta) -> Option<Entry> {
    let Meta::Value { value, cas, seconds } = answer else { return None };
    let ttl = u64::try_from(seconds).ok().map(Duration::from_secs);
    Some(Entry { value, version: Version(cas.to_le_bytes().to_vec()), ttl })
}

/// Whole seconds, rounded up. Above 30 days memcached would read them as a date.
fn seconds(ttl: Duration) -> Result<u64> {
    let seconds = ttl.as_millis().div_ceil(1000).max(1) as u64;
    match seconds <= 30 * 86_400 {
        true => Ok(seconds),
        false => Err(Error::argument("memcached keeps nothing longer than 30 days")),
    }
}

/// `memcached://a:1,b:2` as addresses; a path or query is refused rather than ignored.
fn addresses(url: &str) -> Result<Vec<String>> {
    let rest = url.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
    let hosts = rest.filter(|rest| !rest.is_empty() && !rest.contains(['/', '?', '@', ' ']));
    let hosts = hosts.ok_or_else(|| Error::config("a memcached URL is memcached://host:port,host:port"))?;
    let mut found: Vec<String> = Vec::new();
    for host in hosts.split(',') {
        let port = host
            .rsplit_once(':')
            .filter(|(name, _)| !name.ends_with(':') && (!name.contains(':') || name.ends_with(']')));
        let address = match port {
            Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0) => host.to_owned(),
            None if !host.is_empty() => format!("{host}:{PORT}"),
            _ => return Err(Error::config("a memcached URL is memcached://host:port,host:port")),
        };
        if !found.contains(&address) {
            found.push(address);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_odd_ones_refused() {
        let read = |url| addresses(url).map_err(|e| e.code());
        assert_eq!(read("memcached://a,b:1,[::1]:2,a"), Ok(vec!["a:11211".into(), "b:1".into(), "[::1]:2".into()]));
        for bad in
            ["memcached://", "memcached:", "memcached://a,,b", "memcached://a:x", "memcached://a/0", "memcached://u@a"]
        {
            assert_eq!(read(bad), Err("CONFIG"), "{bad}");
        }
    }

    #[test]
    fn a_key_stays_where_it_is_when_a_server_is_added() {
        let nodes = |names: &[&str]| MemcachedStore {
            nodes: names.iter().map(|n| Node::new((*n).to_owned())).collect(),
            deadline: Duration::MAX,
        };
        let (two, three) = (nodes(&["a:1", "b:1"]), nodes(&["a:1", "b:1", "c:1"]));
        let mut moved = 0;
        for n in 0..1000u32 {
            let key = Key::named("p", &n.to_string());
            let (before, after) = (two.node(&key).expect("a node"), three.node(&key).expect("a node"));
            if before.address() != after.address() {
                assert_eq!(after.address(), "c:1");
                moved += 1;
            }
        }
        assert!((250..420).contains(&moved), "{moved} of 1000 moved");
    }
}
