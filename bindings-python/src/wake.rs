//! Ways to tell a Python thread that there is news, without needing Python oneself.

use std::sync::{Mutex, OnceLock, PoisonError, Weak};
use std::thread::Thread;

use crate::bridge::Calls;
use crate::event_loop::call_soon;

#[cfg(unix)]
pub(crate) use descriptor::Descriptor;

/// How the reader of a queue is woken.
pub(crate) enum Waker {
    /// An event loop that watches a descriptor.
    #[cfg(unix)]
    Descriptor(Descriptor),
    /// An event loop that can't (the default one of Windows).
    Loop(OnceLock<Weak<Calls>>),
    /// A thread that parks; another may take its place.
    Thread(Mutex<Thread>),
}

impl Waker {
    /// Makes the reader look, now or very soon.
    pub(crate) fn wake(&self) {
        match self {
            #[cfg(unix)]
            Waker::Descriptor(descriptor) => descriptor.raise(),
            Waker::Loop(calls) => calls.get().into_iter().for_each(call_soon),
            Waker::Thread(thread) => thread.lock().unwrap_or_else(PoisonError::into_inner).unpark(),
        }
    }

    /// From now on, this thread is the reader.
    pub(crate) fn take_over(&self) {
        if let Waker::Thread(thread) = self {
            *thread.lock().unwrap_or_else(PoisonError::into_inner) = std::thread::current();
        }
    }

    /// Takes note that the reader is looking.
    pub(crate) fn calm(&self) {
        #[cfg(unix)]
        if let Waker::Descriptor(descriptor) = self {
            descriptor.lower();
        }
    }
}

#[cfg(target_os = "linux")]
mod descriptor {
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::os::fd::{AsRawFd, FromRawFd};

    /// An eventfd.
    pub(crate) struct Descriptor(File);

    impl Descriptor {
        pub(crate) fn new() -> io::Result<Self> {
            // SAFETY: a plain system call.
            let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: it was made above and is nobody else's.
            Ok(Self(unsafe { File::from_raw_fd(fd) }))
        }

        /// What the event loop is to watch.
        pub(crate) fn number(&self) -> i32 {
            self.0.as_raw_fd()
        }

        pub(crate) fn raise(&self) {
            // It can only fail by being raised 2^64 times.
            let _ = (&self.0).write(&1_u64.to_ne_bytes());
        }

        pub(crate) fn lower(&self) {
            // Fails when it is not raised, which is just as well.
            let _ = (&self.0).read(&mut [0; 8]);
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod descriptor {
    use std::io::{self, Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    /// The two ends of a pipe (a pair of sockets, which needs no unsafe code).
    pub(crate) struct Descriptor {
        far: UnixStream,
        near: UnixStream,
    }

    impl Descriptor {
        pub(crate) fn new() -> io::Result<Self> {
            let (far, near) = UnixStream::pair()?;
            far.set_nonblocking(true)?;
            near.set_nonblocking(true)?;
            Ok(Self { far, near })
        }

        /// What the event loop is to watch.
        pub(crate) fn number(&self) -> i32 {
            self.near.as_raw_fd()
        }

        pub(crate) fn raise(&self) {
            // A pipe that is full has been raised often enough.
            let _ = (&self.far).write(&[1]);
        }

        pub(crate) fn lower(&self) {
            // Fails when it is not raised, which is just as well.
            let _ = (&self.near).read(&mut [0; 64]);
        }
    }
}
