//! The native part of the npm package `oncecode`. Private: `lib/` is the API.

#![cfg_attr(test, allow(dead_code, reason = "napi exports nothing in a test build"))]

mod admin;
mod bridge;
mod cache;
mod caller;
mod client;
mod codes;
mod convert;
mod delivery;
mod health;
mod held;
mod hooks;
mod idempotency;
mod limits;
mod links;
mod locks;
mod log;
mod queue;
mod reader;
mod reply;
mod runtime;
mod sessions;
mod tokens;
mod totp;
#[cfg_attr(not(unix), path = "no_watch.rs")]
mod watch;

use napi_derive::napi;
use oncecode::ErrorKind;

/// What one thread allocates another frees here, arguments and results: a tenth less CPU a call than glibc's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A row of the core's table of errors.
#[napi(object, object_from_js = false)]
pub struct ErrorRow {
    /// `WRONG_CODE` and so on.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u32,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

/// The core's table of errors, in its order.
#[napi]
pub fn error_table() -> Vec<ErrorRow> {
    let row =
        |kind: &ErrorKind| ErrorRow { code: kind.code(), status: kind.status().into(), retryable: kind.retryable() };
    ErrorKind::ALL.iter().map(row).collect()
}
