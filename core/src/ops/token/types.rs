//! What the operations on tokens take and give.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};

/// What [`Tokens::sign`](super::Tokens::sign) needs.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct SignRequest {
    /// The claims. `sub` is the user whose tokens are revoked together; `iat`, `exp`, `ver` and `gen` are not yours to write.
    /// Anybody who has the token can read them.
    pub claims: Map<String, Value>,
    /// A life of its own, in whole seconds, at most 29 days. Default: `tokens.ttlSeconds`.
    pub ttl: Option<Duration>,
}

impl SignRequest {
    /// A request for claims of one's own.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self { claims, ttl: None }
    }

    /// A request for a user.
    pub fn of(user_id: impl Into<String>) -> Self {
        Self::new(Map::from_iter([("sub".to_owned(), Value::String(user_id.into()))]))
    }
}

/// The claims of a token that was verified: a JSON object.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims(String);

impl Claims {
    pub(super) fn new(payload: Vec<u8>) -> Result<Self> {
        let strange = |_| Error::new(ErrorKind::TokenInvalid, "the token's claims are malformed");
        String::from_utf8(payload).map(Self).map_err(strange)
    }

    /// As the token has them.
    pub fn json(&self) -> &str {
        &self.0
    }

    /// The same, without a copy.
    pub fn into_json(self) -> String {
        self.0
    }

    /// Read into values.
    pub fn to_map(&self) -> Map<String, Value> {
        // They were read once already.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The user: the claim `sub`.
    pub fn subject(&self) -> Option<String> {
        self.to_map().get("sub").and_then(Value::as_str).map(str::to_owned)
    }
}

impl fmt::Debug for SignRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignRequest").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims(…)")
    }
}
