//! What the operations on codes take and give.

use std::fmt;

use serde_json::Value;

use crate::identifier::Identifier;
use crate::secret::Secret;

/// What [`Codes::issue`] needs.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct IssueRequest {
    /// A phone number or an email address, in any usual spelling.
    pub to: String,
    /// What the code is for, such as `login`: 1 to 64 letters, digits, `_`, `-`, `.` or `:`. Purposes are separate.
    pub purpose: String,
    /// The caller's IP address, for the limits per address.
    pub ip: Option<String>,
    /// The message's BCP 47 locale.
    pub locale: Option<String>,
    /// Anything to get back from `verify`, at most 8192 bytes of JSON. Stored encrypted.
    pub data: Option<Value>,
}

/// What [`Codes::verify`] needs: `to`, `id` or both.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct VerifyRequest {
    /// The address the code was sent to.
    pub to: Option<String>,
    /// The challenge id from `issue`: binds the code to whoever asked for it.
    pub id: Option<String>,
    /// The purpose given at issue.
    pub purpose: String,
    /// What the user typed. Spaces, dashes and other scripts' digits are understood.
    pub code: String,
    /// The caller's IP address, for the limits per address.
    pub ip: Option<String>,
}

/// What [`Codes::resend`] needs: `to`, `id` or both.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ResendRequest {
    /// The address.
    pub to: Option<String>,
    /// The challenge id from `issue`.
    pub id: Option<String>,
    /// The purpose given at issue.
    pub purpose: String,
    /// The caller's IP address, for the limits per address.
    pub ip: Option<String>,
    /// The message's BCP 47 locale.
    pub locale: Option<String>,
}

/// Names a challenge for [`Codes::cancel`] and [`Codes::peek`]: `to`, `id` or both.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Target {
    /// The address.
    pub to: Option<String>,
    /// The challenge id from `issue`.
    pub id: Option<String>,
    /// The purpose given at issue.
    pub purpose: String,
}

/// A code is on its way.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// The challenge id: give it to the browser to bind the code to it.
    pub id: String,
    /// When the code expires, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    /// When the next code may be asked for, in milliseconds since the Unix epoch.
    pub resend_at_ms: u64,
    /// Wrong codes that may still be tried.
    pub attempts_left: u32,
    /// The code, in development mode only.
    pub code: Option<Secret>,
}

/// The code was right.
#[derive(Clone)]
#[non_exhaustive]
pub struct Verified {
    /// The address that is now proven, normalised.
    pub identifier: Identifier,
    /// The purpose.
    pub purpose: String,
    /// What was given at issue.
    pub data: Option<Value>,
}

/// A live challenge, without its code.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Peek {
    /// The challenge id.
    pub id: String,
    /// When the code expires, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    /// When the next code may be asked for, in milliseconds since the Unix epoch.
    pub resend_at_ms: u64,
    /// Wrong codes that may still be tried.
    pub attempts_left: u32,
}

impl IssueRequest {
    /// A request with the two arguments that are always needed; set the rest on its public fields.
    pub fn new(to: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self { to: to.into(), purpose: purpose.into(), ..Self::default() }
    }
}

impl VerifyRequest {
    /// Verifies by address.
    pub fn new(to: impl Into<String>, purpose: impl Into<String>, code: impl Into<String>) -> Self {
        Self { to: Some(to.into()), purpose: purpose.into(), code: code.into(), ..Self::default() }
    }

    /// Verifies by challenge id.
    pub fn by_id(id: impl Into<String>, purpose: impl Into<String>, code: impl Into<String>) -> Self {
        Self { id: Some(id.into()), purpose: purpose.into(), code: code.into(), ..Self::default() }
    }
}

impl ResendRequest {
    /// Resends by address.
    pub fn new(to: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self { to: Some(to.into()), purpose: purpose.into(), ..Self::default() }
    }
}

impl Target {
    /// The challenge of an address.
    pub fn new(to: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self { to: Some(to.into()), purpose: purpose.into(), ..Self::default() }
    }

    /// The challenge with this id.
    pub fn by_id(id: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self { id: Some(id.into()), purpose: purpose.into(), ..Self::default() }
    }
}

macro_rules! purpose_only {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("purpose", &self.purpose).finish_non_exhaustive()
            }
        }
    )+};
}

// These hold addresses, codes and the app's data, which `Debug` must not show.
purpose_only!(IssueRequest, VerifyRequest, ResendRequest, Target, Verified);
