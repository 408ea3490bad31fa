//! A TCP proxy that is the network between a client and a server on this machine, in any weather.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// What happens to everything that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Fine,
    /// Each way takes so long.
    Slow(Duration),
    /// Nothing arrives; nobody is told.
    Stall,
    /// The server gets its requests and does them; the connection ends instead of the answer.
    LoseReplies,
    /// Half of an answer arrives, then the connection ends.
    CutReplies,
    /// One in so many pieces, either way, is the last of its connection.
    Lossy(u64),
}

/// The network.
#[derive(Clone)]
pub struct Network {
    pub port: u16,
    weather: Arc<Mutex<Weather>>,
    pieces: Arc<AtomicU64>,
    /// Answers that were lost, in part or whole.
    pub lost: Arc<AtomicU64>,
}

impl Network {
    /// Listens on a free port, in fine weather.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let network =
            Self { port, weather: Arc::new(Mutex::new(Weather::Fine)), pieces: Arc::default(), lost: Arc::default() };
        let there = network.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                tokio::spawn(there.clone().connection(client, server));
            }
        });
        network
    }

    pub fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until either way ends; both sides notice.
    async fn connection(self, client: TcpStream, server: TcpStream) {
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = self.pass(from_client, to_server, false) => {}
            () = self.pass(from_server, to_client, true) => {}
        }
    }

    async fn pass(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_reply: bool) {
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let mut rest = &buffer[..length];
            let piece = self.pieces.fetch_add(1, Ordering::Relaxed);
            let mut last = false;
            match self.weather() {
                Weather::Slow(delay) => sleep(delay).await,
                // What was on its way when it began is never seen again.
                Weather::Stall => continue,
                Weather::LoseReplies if is_reply => (rest, last) = (&[], true),
                Weather::CutReplies if is_reply => (rest, last) = (&rest[..length / 2], true),
                // No multiple of what a call sends, or it would hit the same message always.
                Weather::Lossy(one_in) => {
                    last = (piece.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33).is_multiple_of(one_in)
                }
                _ => {}
            }
            if last && is_reply {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
            if to.write_all(rest).await.is_err() || last {
                return;
            }
        }
    }
}
