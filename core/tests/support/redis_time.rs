//! Redis cannot be given a clock; its keys can be brought nearer to their end, which is the same to us.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, TlsCertificates};

/// One per server that holds keys of its own.
pub async fn connect(url: &str) -> Vec<MultiplexedConnection> {
    let (scheme, rest) = url.split_once("://").expect("a redis url");
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut nodes = Vec::new();
    for host in hosts.split(',') {
        let client = match path.split_once("?ssl_ca_certs=") {
            Some((_, file)) => {
                let root_cert = Some(std::fs::read(file).expect("a certificate"));
                Client::build_with_tls(format!("{scheme}://{host}"), TlsCertificates { client_tls: None, root_cert })
            }
            None => Client::open(format!("redis://{host}")),
        };
        nodes.push(connection(&client.expect("a redis url")).await);
    }
    if scheme != "redis+sentinel" {
        return nodes;
    }
    let service = path.split('/').next();
    let ask = redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(service).query_async(&mut nodes[0]).await;
    let (host, port): (String, u16) = ask.expect("a master");
    vec![connection(&Client::open((host, port)).expect("an address")).await]
}

async fn connection(client: &Client) -> MultiplexedConnection {
    let patient = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&patient).await.expect("redis answers")
}

async fn keys(connection: &mut MultiplexedConnection, prefix: &str) -> Vec<Vec<u8>> {
    let (mut cursor, mut found) = (0u64, Vec::new());
    loop {
        let (next, some): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("{prefix}:*"))
            .arg("COUNT")
            .arg(1000)
            .query_async(connection)
            .await
            .expect("scan");
        found.extend(some);
        cursor = next;
        if cursor == 0 {
            return found;
        }
    }
}

pub async fn advance(url: &str, prefix: &str, by: Duration) {
    let by = by.as_millis() as i64;
    for mut connection in connect(url).await {
        for key in keys(&mut connection, prefix).await {
            let left: i64 = connection.pttl(&key).await.expect("pttl");
            let _: () = match left > by {
                true => connection.pexpire(&key, left - by).await.expect("pexpire"),
                false => connection.del(&key).await.expect("del"),
            };
        }
    }
}

/// Returns how many there are: of none this says nothing.
pub async fn assert_all_expire(url: &str, prefix: &str) -> usize {
    let mut seen = 0;
    for mut connection in connect(url).await {
        for key in keys(&mut connection, prefix).await {
            let left: i64 = connection.pttl(&key).await.expect("pttl");
            assert!(left != -1, "a key without expiry");
            seen += 1;
        }
    }
    seen
}
