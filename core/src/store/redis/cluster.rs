//! Commands to a Cluster. The library repeats nothing; what a node has refused unread is sent where the node says.

use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::SingleNodeRoutingInfo;
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
