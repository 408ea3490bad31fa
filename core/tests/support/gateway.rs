//! A provider's server: keeps what it is asked, and answers as it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a request gets.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status, headers and a body.
    Http(u16, BTreeMap<String, String>, String),
    /// These bytes, which may be no HTTP.
    Raw(Vec<u8>),
    /// The connection ends instead of an answer.
    Drop,
    /// No answer ever comes.
    Hang,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

pub struct Gateway {
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    asked: Vec<Asked>,
}

impl Gateway {
    /// Listens on a free port.
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    /// Answers the next requests with these, one each.
    pub fn next(&self, answers: impl IntoIterator<Item = Answer>) {
        look(&self.state).answers.extend(answers);
    }

    /// What was asked since the last look.
    pub fn take(&self) -> Vec<Asked> {
        let mut state = look(&self.state);
        assert!(state.answers.is_empty(), "an answer that met no request: {:?}", state.answers);
        std::mem::take(&mut state.asked)
    }
}

fn look(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request, then the end: nothing else happens on a connection.
async fn serve(mut client: TcpStream, state: Arc<Mutex<State>>) {
    let Some(asked) = read(&mut client).await else { return };
    let answer = {
        let mut state = look(&state);
        state.asked.push(asked);
        state.answers.pop_front().expect("an answer for every request")
    };
    let bytes = match answer {
        Answer::Http(status, headers, body) => {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
                .into_bytes()
        }
        Answer::Raw(bytes) => bytes,
        Answer::Drop => return,
        Answer::Hang => {
            // Until the other side has had enough.
            while client.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
            return;
        }
    };
    // Whoever has left needs no answer.
    let _ = client.write_all(&bytes).await;
    let _ = client.shutdown().await;
}

async fn read(client: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().expect("a number"));
    while bytes.len() < end + 4 + length {
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[end + 4..end + 4 + length].to_vec()).expect("a body in UTF-8");
    Some(Asked { method, path, headers, body })
}
