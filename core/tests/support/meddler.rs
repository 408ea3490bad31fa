//! An HTTP server between a client and a bridge that does to requests and answers what networks and proxies do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is passed on, and so is the answer.
    Pass,
    /// It is not passed on; the connection ends.
    Cut,
    /// It is passed on and done; the connection ends instead of an answer.
    Lose,
    /// It is passed on and done; no answer ever comes.
    Hang,
    /// It is not passed on; this is the answer, and the connection ends.
    Answer(Vec<u8>),
    /// As `Answer`, but one byte each 20 ms.
    Drip(Vec<u8>),
    /// As `Answer`, over and over without an end.
    Flood(Vec<u8>),
}

pub struct Meddler {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// For the next requests, one each; all others pass.
    fates: VecDeque<Fate>,
    requests: Vec<String>,
    answers: Vec<String>,
}

impl Meddler {
    /// Listens on a free port and passes on to `bridge`.
    pub async fn to(bridge: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, bridge, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// Decides about the next requests.
    pub fn next(&self, fates: impl IntoIterator<Item = Fate>) {
        look(&self.state).fates.extend(fates);
    }

    /// What was asked since the last look, head and body; and what was answered.
    pub fn take(&self) -> (Vec<String>, Vec<String>) {
        let mut state = look(&self.state);
        assert!(state.fates.is_empty(), "a fate that met no request: {:?}", state.fates);
        (std::mem::take(&mut state.requests), std::mem::take(&mut state.answers))
    }
}

/// One request, then the end: nothing else happens on a connection.
async fn serve(mut client: TcpStream, bridge: u16, state: Arc<Mutex<State>>) {
    let Some(request) = request(&mut client).await else { return };
    let fate = {
        let mut state = look(&state);
        state.requests.push(request.clone());
        state.fates.pop_front().unwrap_or(Fate::Pass)
    };
    match fate {
        Fate::Cut => {}
        Fate::Pass => {
            let answer = pass(&request, bridge).await;
            look(&state).answers.push(String::from_utf8_lossy(&answer).into_owned());
            let _ = client.write_all(&answer).await;
        }
        Fate::Lose => _ = pass(&request, bridge).await,
        Fate::Hang => {
            pass(&request, bridge).await;
            // Until the client has had enough.
            let _ = client.read(&mut [0]).await;
        }
        Fate::Answer(bytes) => _ = client.write_all(&bytes).await,
        Fate::Drip(bytes) => {
            for byte in bytes {
                if client.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Fate::Flood(bytes) => while client.write_all(&bytes).await.is_ok() {},
    }
}

/// Head and body, as they came.
async fn request(client: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.to_ascii_lowercase().lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut part = [0; 4096];
        match client.read(&mut part).await {
            Ok(length @ 1..) => bytes.extend_from_slice(&part[..length]),
            _ => return None,
        }
    }
}

/// The bridge's answer, whole.
async fn pass(request: &str, bridge: u16) -> Vec<u8> {
    let mut server = TcpStream::connect(("127.0.0.1", bridge)).await.expect("the bridge listens");
    let last = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    server.write_all(last.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.expect("an answer");
    answer
}

fn look(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
