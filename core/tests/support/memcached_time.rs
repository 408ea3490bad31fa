//! Memcached cannot be given a clock; its items can be brought nearer to their end, which is the same to us.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Two nodes, so that keys are spread.
pub fn url() -> String {
    let (one, two) = (super::server("ONCECODE_TEST_MEMCACHED"), super::server("ONCECODE_TEST_MEMCACHED2"));
    format!("{one},{}", two.trim_start_matches("memcached://"))
}

pub async fn advance(url: &str, prefix: &str, by: Duration) {
    for address in url.trim_start_matches("memcached://").split(',') {
        let mut node = BufReader::new(TcpStream::connect(address).await.expect("memcached answers"));
        for key in keys(&mut node, prefix).await {
            let answer = ask(&mut node, &format!("mg {key} t")).await;
            let Some(left) = answer.split(' ').find_map(|word| word.strip_prefix('t')?.parse::<u64>().ok()) else {
                continue;
            };
            // Whole seconds: a rest of one begins a second of its own.
            let by = by.as_millis().div_ceil(1000) as u64;
            let change = if left > by { format!("mg {key} T{}", left - by) } else { format!("md {key}") };
            ask(&mut node, &change).await;
        }
    }
}

/// Every key and value under the prefix. None lives for ever.
pub async fn dump(url: &str, prefix: &str) -> Vec<u8> {
    let (mut dump, mut count) = (Vec::new(), 0);
    for address in url.trim_start_matches("memcached://").split(',') {
        let mut node = BufReader::new(TcpStream::connect(address).await.expect("memcached answers"));
        for key in keys(&mut node, prefix).await {
            let answer = ask(&mut node, &format!("mg {key} t v")).await;
            // What has expired since is gone.
            let Some(head) = answer.strip_prefix("VA ") else { continue };
            assert!(!head.ends_with("t-1"), "a key without expiry");
            let length: usize = head.split(' ').next().and_then(|n| n.parse().ok()).expect("a length");
            let mut value = vec![0; length + 2];
            node.read_exact(&mut value).await.expect("a value");
            dump.extend([key.as_bytes(), &value].concat());
            count += 1;
        }
    }
    assert!(count >= 6, "entities and counters: {count}");
    dump
}

async fn ask(node: &mut BufReader<TcpStream>, command: &str) -> String {
    node.write_all(format!("{command}\r\n").as_bytes()).await.expect("written");
    line(node).await
}

async fn line(node: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    node.read_line(&mut line).await.expect("an answer");
    line.trim_end().to_owned()
}

/// The crawler serves one at a time, and itself now and then.
async fn keys(node: &mut BufReader<TcpStream>, prefix: &str) -> Vec<String> {
    for _ in 0..1000 {
        if let Some(found) = crawl(node, prefix).await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the crawler is always busy");
}

/// Names come percent-escaped.
async fn crawl(node: &mut BufReader<TcpStream>, prefix: &str) -> Option<Vec<String>> {
    node.write_all(b"lru_crawler metadump hash\r\n").await.expect("written");
    let mut found = Vec::new();
    loop {
        let line = line(node).await;
        if line.starts_with("BUSY") {
            return None;
        }
        if line == "END" {
            return Some(found);
        }
        assert!(line.starts_with("key="), "{line}");
        let name = line.trim_start_matches("key=").split(' ').next().unwrap_or_default();
        let name =
            name.replace("%3A", ":").replace("%7B", "{").replace("%7D", "}").replace("%2D", "-").replace("%5F", "_");
        if name.starts_with(&format!("{prefix}:")) {
            found.push(name);
        }
    }
}
