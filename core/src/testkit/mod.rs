//! For testing an app or a store: a clock that is set by hand, seeded randomness, a sender that remembers, the store
//! contract's cases, and the reference implementation to compare a store with.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use oncecode::testkit::{FakeClock, Recorder};
//! use oncecode::{IssueRequest, Oncecode, VerifyRequest};
//! use std::time::Duration;
//!
//! let (clock, sender) = (FakeClock::default(), Recorder::default());
//! let once = Oncecode::builder("memory:")
//!     .secret("a secret of thirty-two bytes or more")
//!     .clock(clock.clone())
//!     .sender(sender.clone())
//!     .open()
//!     .await?;
//! once.codes().issue(IssueRequest::new("ann@example.com", "login")).await?;
//! let code = sender.last_code().expect("one message");
//! clock.advance(Duration::from_secs(601));
//! let late = once.codes().verify(VerifyRequest::new("ann@example.com", "login", code)).await;
//! assert_eq!(late.unwrap_err().code(), "CODE_NOT_FOUND");
//! # Ok::<(), oncecode::Error>(()) }).unwrap();
//! ```

mod cases;
mod fakes;
mod reference;

pub use cases::{CASES, Case, Fixture, inputs};
pub use fakes::{FakeClock, Recorder, SeededRandom};
pub use reference::Primitives;

use std::sync::Arc;
use std::time::Duration;

use crate::config;
use crate::error::Result;
use crate::event::Events;
use crate::key::Key;
use crate::store::{self, Store, StoreOptions};
use crate::time::Clock;

/// Opens a store by URL, for calling the contract's methods directly. `clock` serves the embedded stores.
///
/// # Errors
/// As [`Oncecode::builder`](crate::Oncecode::builder)`.open()`.
pub async fn open_store(url: &str, clock: impl Clock, deadline: Duration) -> Result<Box<dyn Store>> {
    let options = StoreOptions {
        deadline,
        connect: deadline,
        breaker: Some(config::Breaker::default()),
        events: Events::default(),
        table_prefix: "oncecode_".into(),
        schema: None,
        max_connections: 10,
        clock: Arc::new(clock),
    };
    store::open(url, options).await
}

/// A key for calling the contract's methods directly.
pub fn key(prefix: &str, name: &str) -> Key {
    Key::named(prefix, name)
}

/// The key of a challenge that can be moved between stores, for calling the contract's methods directly.
pub fn challenge_key(prefix: &str, name: &str) -> Key {
    Key::challenge(prefix, name)
}
