//! A request by hand, for any headers and bodies.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Answer {
    pub status: u16,
    /// In lower case; several lines of one name with `\n` between them.
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

pub async fn ask(port: u16, request: &Value, cookies: Option<String>) -> Answer {
    let (head, body) = written(request, cookies);
    let (mut reader, mut writer) = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection").into_split();
    let sending = tokio::spawn(async move {
        // A server may answer, and hang up, before it has read all of a large body.
        if writer.write_all(head.as_bytes()).await.is_ok() {
            let _ = writer.write_all(body.as_bytes()).await;
        }
        // Dropped, it would say that nobody waits for an answer.
        std::future::pending::<()>().await;
        drop(writer);
    });
    let mut answer = Vec::new();
    // Reset by the server, when it has hung up so.
    let read = reader.read_to_end(&mut answer).await;
    sending.abort();
    let split = answer.windows(4).position(|end| end == b"\r\n\r\n");
    let split = split.unwrap_or_else(|| panic!("no answer: {read:?}"));
    let head = std::str::from_utf8(&answer[..split]).expect("text");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let mut headers = BTreeMap::<String, String>::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        let all = headers.entry(name.to_ascii_lowercase()).or_default();
        *all = if all.is_empty() { value.to_owned() } else { format!("{all}\n{value}") };
    }
    let body = &answer[split + 4..];
    let is_json = headers.get("content-type").is_some_and(|kind| kind.contains("json"));
    let text = || Value::String(String::from_utf8_lossy(body).into_owned());
    let body = if is_json { serde_json::from_slice(body).expect("JSON") } else { text() };
    Answer { status: status.expect("a status"), headers, body }
}

fn written(request: &Value, cookies: Option<String>) -> (String, String) {
    let said = match (&request["bytes"], &request["raw"], &request["body"]) {
        (Value::Number(bytes), ..) => {
            let rest = bytes.as_u64().expect("a number") as usize - 18;
            Some(format!("{{\"phoneNumber\":\"{}\"}}", "1".repeat(rest)))
        }
        (_, Value::String(raw), _) => Some(raw.clone()),
        (_, _, Value::Null) => None,
        (_, _, body) => Some(body.to_string()),
    };
    let mut headers = BTreeMap::from([("host", "localhost".to_owned()), ("connection", "close".to_owned())]);
    if let Some(said) = &said {
        headers.extend([("content-type", "application/json".to_owned()), ("content-length", said.len().to_string())]);
    } else if request["method"] == "POST" {
        headers.insert("content-length", "0".to_owned());
    }
    headers.extend(cookies.filter(|cookies| !cookies.is_empty()).map(|cookies| ("cookie", cookies)));
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        headers.insert(name, value.as_str().expect("a text").to_owned());
    }
    let method = request["method"].as_str().expect("a method");
    let mut head = format!("{method} {} HTTP/1.1\r\n", request["path"].as_str().expect("a path"));
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        head += &format!("{name}: {value}\r\n");
    }
    (head + "\r\n", said.unwrap_or_default())
}
