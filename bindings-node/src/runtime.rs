//! The process's tokio runtime, shared by all JavaScript environments in it.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// Threads for I/O. One is faster than two: completions then gather by themselves, and nothing is stolen.
const WORKERS: usize = 1;

pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(WORKERS).thread_name("oncecode").enable_all();
    // A process that can't start a thread can't do anything else either.
    builder.build().expect("could not start a thread")
});
