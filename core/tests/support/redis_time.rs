//! Redis cannot be given a clock; its keys can be brought nearer to their end, which is the same to us.

use std::time::Duration;

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

pub async fn connect(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).expect("a redis url");
    client.get_multiplexed_async_connection().await.expect("redis answers")
}

pub async fn keys(connection: &mut MultiplexedConnection, prefix: &str) -> Vec<Vec<u8>> {
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
    let mut connection = connect(url).await;
    let by = by.as_millis() as i64;
    for key in keys(&mut connection, prefix).await {
        let left: i64 = connection.pttl(&key).await.expect("pttl");
        let _: () = match left > by {
            true => connection.pexpire(&key, left - by).await.expect("pexpire"),
            false => connection.del(&key).await.expect("del"),
        };
    }
}

pub async fn assert_all_expire(url: &str, prefix: &str) {
    let mut connection = connect(url).await;
    for key in keys(&mut connection, prefix).await {
        let left: i64 = connection.pttl(&key).await.expect("pttl");
        assert!(left != -1, "a key without expiry");
    }
}
