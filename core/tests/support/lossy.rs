//! A TCP proxy that can lose answers: what was asked is done, and nobody hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Between a client and a server on this machine.
pub struct Lossy {
    pub port: u16,
    losing: Arc<AtomicBool>,
}

impl Lossy {
    /// Listens on a free port and passes everything on to `server`.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let losing = Arc::new(AtomicBool::new(false));
        let proxy = Self { port, losing: Arc::clone(&losing) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                tokio::spawn(pass(client, server, Arc::clone(&losing)));
            }
        });
        proxy
    }

    /// From now on answers are lost, or no longer.
    pub fn lose(&self, losing: bool) {
        self.losing.store(losing, Ordering::SeqCst);
    }
}

async fn pass(client: TcpStream, server: TcpStream, losing: Arc<AtomicBool>) {
    let ((mut asks, mut hears), (mut answers, mut does)) = (client.into_split(), server.into_split());
    tokio::spawn(async move { tokio::io::copy(&mut asks, &mut does).await });
    let mut buffer = vec![0; 65536];
    while let Ok(length @ 1..) = answers.read(&mut buffer).await {
        // Half an answer would be worse than none.
        if losing.load(Ordering::SeqCst) {
            break;
        }
        if hears.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}
