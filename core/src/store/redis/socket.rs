//! A socket that either the runtime watches or a host's event loop: who watches need wake nobody to read.

use std::fmt;
use std::io::{self, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;

use crate::host::{Watched, Watcher};

/// What others than its driver have to do with a socket.
pub(super) struct Control {
    /// The same socket, whose number stays its own as long as a loop watches it.
    descriptor: OwnedFd,
    watcher: Watcher,
    /// There may be something to read; what the driver goes by while a loop watches.
    more: AtomicBool,
}

impl Control {
    pub(super) fn expect_more(&self) {
        self.more.store(true, Ordering::Release);
    }
}

impl Watched for Control {
    fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A kind of socket, without a runtime.
pub(super) trait Plain: Send + Sized + Unpin + 'static {
    /// The same with one.
    type Watched: AsyncRead + AsyncWrite + AsFd + Send + Unpin + 'static;

    fn watch(self) -> io::Result<Self::Watched>;
    fn unwatch(watched: Self::Watched) -> io::Result<Self>;
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;
    fn shut_down(&self, how: Shutdown) -> io::Result<()>;
}

macro_rules! plain {
    ($plain:ty, $watched:ty) => {
        impl Plain for $plain {
            type Watched = $watched;

            fn watch(self) -> io::Result<$watched> {
                <$watched>::from_std(self)
            }

            fn unwatch(watched: $watched) -> io::Result<Self> {
                watched.into_std()
            }

            fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
                let mut socket = self;
                socket.read(buffer)
            }

            fn send(&self, bytes: &[u8]) -> io::Result<usize> {
                let mut socket = self;
                socket.write(bytes)
            }

            fn shut_down(&self, how: Shutdown) -> io::Result<()> {
                self.shutdown(how)
            }
        }
    };
}

plain!(std::net::TcpStream, tokio::net::TcpStream);
plain!(UnixStream, tokio::net::UnixStream);

pub(super) struct Socket<T: Plain> {
    state: State<T>,
    control: Arc<Control>,
    /// There was no room for more to send, which only the runtime tells the end of.
    congested: bool,
    runtime: Handle,
    process: u32,
}

enum State<T: Plain> {
    Watched(T::Watched),
    Plain(T),
    /// It failed on the way from one to the other.
    Lost,
}

impl<T: Plain> Socket<T> {
    /// In the runtime that watches it for now.
    pub(super) fn new(watched: T::Watched) -> io::Result<Self> {
        let control = Control {
            descriptor: watched.as_fd().try_clone_to_owned()?,
            watcher: Watcher::default(),
            more: AtomicBool::new(false),
        };
        Ok(Self {
            state: State::Watched(watched),
            control: Arc::new(control),
            congested: false,
            runtime: Handle::current(),
            process: process::id(),
        })
    }

    pub(super) fn control(&self) -> Arc<Control> {
        Arc::clone(&self.control)
    }

    /// Has the one watch it who is to.
    fn settle(&mut self) -> io::Result<()> {
        let by_host = !self.congested && self.control.watcher.is_host();
        if by_host == matches!(self.state, State::Plain(_)) {
            return Ok(());
        }
        let _inside = self.runtime.enter();
        self.state = match mem::replace(&mut self.state, State::Lost) {
            // What arrived meanwhile was told the runtime alone.
            State::Watched(socket) => {
                self.control.expect_more();
                State::Plain(T::unwatch(socket)?)
            }
            State::Plain(socket) => State::Watched(socket.watch()?),
            State::Lost => return Err(io::ErrorKind::NotConnected.into()),
        };
        Ok(())
    }
}

impl<T: Plain> AsyncRead for Socket<T> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.settle()?;
        let socket = match &mut this.state {
            State::Watched(socket) => return Pin::new(socket).poll_read(context, buffer),
            State::Plain(socket) => socket,
            State::Lost => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        if !this.control.more.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let room = buffer.initialize_unfilled();
        let all = room.len();
        loop {
            match socket.receive(room) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(e) => return Poll::Ready(Err(e)),
                Ok(received) => {
                    // Less than there was room for is all there is, and the host tells if more comes.
                    if received == all {
                        this.control.expect_more();
                    }
                    buffer.advance(received);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<T: Plain> AsyncWrite for Socket<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.settle()?;
        if let State::Plain(socket) = &self.state {
            loop {
                match socket.send(bytes) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    sent => return Poll::Ready(sent),
                }
            }
            self.congested = true;
            self.settle()?;
        }
        let State::Watched(socket) = &mut self.state else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let sent = ready!(Pin::new(socket).poll_write(context, bytes));
        self.congested = false;
        Poll::Ready(sent)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().state {
            State::Watched(socket) => Pin::new(socket).poll_shutdown(context),
            State::Plain(socket) => Poll::Ready(socket.shut_down(Shutdown::Write)),
            State::Lost => Poll::Ready(Ok(())),
        }
    }
}

impl<T: Plain> Drop for Socket<T> {
    /// Who watches it has it open, too, and learns by this that it has ended.
    fn drop(&mut self) {
        let plain = match mem::replace(&mut self.state, State::Lost) {
            State::Watched(socket) => T::unwatch(socket).ok(),
            State::Plain(socket) => Some(socket),
            State::Lost => None,
        };
        // In a forked child it is the parent's, who goes on using it.
        if let Some(socket) = plain.filter(|_| self.process == process::id()) {
            // It may have ended already.
            let _ = socket.shut_down(Shutdown::Both);
        }
    }
}

impl<T: Plain> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}
