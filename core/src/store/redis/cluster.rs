//! Commands to a Cluster. The library repeats nothing; what a node has refused unread is sent where the node says.

use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Arg, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, cmd};

/// How long to wait before following a redirection: the second time, nodes have not yet told each other.
const REDIRECTIONS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(30)];

pub(super) async fn send(cluster: &mut ClusterConnection, command: &Cmd) -> RedisResult<Value> {
    let mut answer = cluster.req_packed_command(command).await;
    for pause in REDIRECTIONS {
        answer = match answer {
            Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::Moved) => {
                tokio::time::sleep(pause).await;
                // The library asks where slots are now, before it sends anything else.
                cluster.req_packed_command(command).await
            }
            Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::Ask) => ask(cluster, command, e).await,
            other => return other,
        };
    }
    answer
}

/// The slot is being moved, and the key is not where it was.
async fn ask(cluster: &mut ClusterConnection, command: &Cmd, error: RedisError) -> RedisResult<Value> {
    let target = error.redirect_node().and_then(|(address, _)| address.rsplit_once(':'));
    let Some((host, Ok(port))) = target.map(|(host, port)| (host, port.parse())) else { return Err(error) };
    let mut asking = redis::pipe();
    asking.cmd("ASKING").add_command(command.clone());
    let there = SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port };
    let mut answers = cluster.route_pipeline(asking, 0, 2, there).await?;
    answers.pop().ok_or(error)
}

/// How many slots a Cluster has.
pub(super) const SLOTS: u16 = 16384;

/// The slot of a key: CRC-16/XMODEM of what stands in braces. The library computes it, but does not tell.
pub(super) fn slot(key: &str) -> u16 {
    let named = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or(key, |(name, _)| name);
    let step = |crc: u16, _| (crc << 1) ^ ((crc >> 15) * 0x1021);
    let crc = named.bytes().fold(0u16, |crc, byte| (0..8).fold(crc ^ (u16::from(byte) << 8), step));
    crc % SLOTS
}

/// The servers that hold keys, in the order of their slots.
pub(super) async fn masters(cluster: &mut ClusterConnection) -> RedisResult<Vec<String>> {
    let mut ask = cmd("CLUSTER");
    ask.arg("SLOTS");
    let answer = cluster.route_command(ask, RoutingInfo::SingleNode(SingleNodeRoutingInfo::RandomPrimary)).await?;
    let Value::Array(ranges) = answer else { return Ok(Vec::new()) };
    let mut found: Vec<(i64, String)> = Vec::new();
    for range in &ranges {
        let Value::Array(range) = range else { continue };
        let [Value::Int(first), _, Value::Array(master), ..] = &range[..] else { continue };
        let [Value::BulkString(host), Value::Int(port), ..] = &master[..] else { continue };
        found.push((*first, format!("{}:{port}", String::from_utf8_lossy(host))));
    }
    found.sort_unstable();
    let mut masters: Vec<String> = Vec::new();
    for (_, address) in found {
        if !masters.contains(&address) {
            masters.push(address);
        }
    }
    Ok(masters)
}

/// Sends a command to one server.
pub(super) async fn send_to(cluster: &mut ClusterConnection, address: &str, command: Cmd) -> RedisResult<Value> {
    let Some((host, Ok(port))) = address.rsplit_once(':').map(|(host, port)| (host, port.parse())) else {
        return Err((ErrorKind::Client, "an address without a port").into());
    };
    let there = SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port };
    cluster.route_command(command, RoutingInfo::SingleNode(there)).await
}

/// Whether somebody answers for the command's key.
pub(super) async fn answers_for(cluster: &mut ClusterConnection, command: &Cmd) -> bool {
    let words: Vec<_> = command.args_iter().collect();
    let key = match &words[..] {
        [Arg::Simple(b"EVALSHA" | b"EVAL"), _script, _count, Arg::Simple(key), ..] => key,
        [Arg::Simple(b"SET"), Arg::Simple(key), ..] => key,
        _ => return false,
    };
    send(cluster, cmd("GET").arg(key)).await.is_ok_and(|answer| !matches!(answer, Value::ServerError(_)))
}

#[cfg(test)]
mod tests {
    use redis::cluster_routing::Slot;

    use super::slot;

    #[test]
    fn slots_are_the_librarys() {
        for key in
            ["oncecode:code:{AAAAAAAAAAAAAAAAAAAAAA}", "oncecode:ip:{x}", "a", "oncecode:code:{login/ann@example.com}"]
        {
            assert_eq!(Slot::new(slot(key)), Some(Slot::for_key(key)), "{key}");
        }
    }
}
