//! A TCP proxy that counts turns: something was asked, then something was answered.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Between a client and a server on this machine.
pub struct Proxy {
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
}

/// What went through since the last look.
#[derive(Debug, Default)]
pub struct Seen {
    /// Times that the server answered after the client had asked.
    pub turns: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// All that the clients sent.
    pub requests: Vec<u8>,
}

impl Proxy {
    /// Listens on a free port and passes everything on to `server`.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let proxy = Self { port, seen: Arc::clone(&seen) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.expect("the server listens");
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                look(&seen).connections += 1;
                let asked = Arc::new(Mutex::new(false));
                let (requests, question) = (Arc::clone(&seen), Arc::clone(&asked));
                tokio::spawn(pass(from_client, to_server, move |bytes| {
                    look(&requests).requests.extend_from_slice(bytes);
                    *look(&question) = true;
                }));
                let answers = Arc::clone(&seen);
                tokio::spawn(pass(from_server, to_client, move |_| {
                    look(&answers).turns += u64::from(std::mem::take(&mut *look(&asked)));
                }));
            }
        });
        proxy
    }

    /// What went through, and forgets it.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut look(&self.seen))
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, note: impl Fn(&[u8])) {
    let mut buffer = vec![0; 65536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        // Noted before it is passed on, so that no answer is seen before its question.
        note(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}

fn look<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
