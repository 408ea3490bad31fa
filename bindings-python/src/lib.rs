//! The native part of the Python package `oncecode`. Private: `python/oncecode` is the API.

mod admin;
mod blocking;
mod bridge;
mod cache;
mod caller;
mod client;
mod codes;
mod convert;
mod delivery;
mod desk;
mod errors;
mod event_loop;
mod fork;
mod health;
mod held;
mod hooks;
mod idempotency;
mod limits;
mod links;
mod locks;
mod log;
mod message;
mod queue;
mod results;
mod runtime;
mod sessions;
#[cfg(unix)]
mod socket;
mod tokens;
mod totp;
mod wake;

use pyo3::prelude::*;

/// What a call allocates is freed on the other thread, and some of it is large: 6 % of the CPU of a flow less than with
/// glibc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::cache::Ticket;
    #[pymodule_export]
    use crate::client::Client;
    #[pymodule_export]
    use crate::delivery::DeliveryStatus;
    #[pymodule_export]
    use crate::errors::error_table;
    #[pymodule_export]
    use crate::health::Health;
    #[pymodule_export]
    use crate::held::Held;
    #[pymodule_export]
    use crate::links::{Followed, Link};
    #[pymodule_export]
    use crate::message::{Event, Message, Reply};
    #[pymodule_export]
    use crate::results::{Peek, Quota, Sent, Verified};
    #[pymodule_export]
    use crate::sessions::{NewSession, Session};

    #[pymodule_init]
    fn init() {
        crate::fork::watch();
        crate::log::install();
    }
}
