//! Log-in by one-time codes with axum: the endpoints of docs/http.md, and an app around them.
//!
//! Copy what you need. [`auth`] has the endpoints; the other modules are useful without them.

pub mod answer;
pub mod app;
pub mod auth;
pub mod body;
pub mod caller;
pub mod idempotent;
pub mod limit;
pub mod signed_in;
