//! JSON Web Signatures in their compact form (RFC 7515): HS256, ES256, EdDSA and RS256 over ring.
//!
//! Written here rather than taken from `jsonwebtoken` because ring is here already: its back ends would add a second
//! TLS library's C code or a pure-Rust RSA with an open timing advisory, a quarter to the build, and still leave `crit`,
//! `nbf` and the leeway to us. What is refused is refused by form: an algorithm belongs to its key and is never the
//! token's to choose, `none` is nobody's, a `crit` header is understood by nobody, and a token has a largest size.

mod der;
mod key;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

pub(crate) use key::Key;

use crate::error::{Error, ErrorKind, Result};

/// Longer tokens are not looked at: 16 KiB, what servers accept as a header at most.
pub(crate) const LONGEST: usize = 16 * 1024;

/// The keys in use: the first that can signs, all verify.
pub(crate) struct Keys(Vec<Key>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl Keys {
    pub(crate) fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    /// `payload` as a token.
    pub(crate) fn sign(&self, payload: &[u8]) -> Result<String> {
        let key = self.0.iter().find(|key| key.can_sign());
        let key = key.ok_or_else(|| Error::config("no key of tokens.keys can sign: all of them are public"))?;
        let mut token = String::with_capacity(key.header.len() + payload.len() * 4 / 3 + 360);
        token.push_str(&key.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = key.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        if token.len() > LONGEST {
            return Err(Error::argument(format!("claims are too large: a token has at most {LONGEST} bytes")));
        }
        Ok(token)
    }

    /// The payload of a token that one of the keys signed.
    pub(crate) fn open(&self, token: &str) -> Result<Vec<u8>> {
        let invalid = || Error::new(ErrorKind::TokenInvalid, "not a token of a known key");
        if token.len() > LONGEST {
            return Err(invalid());
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(invalid)?;
        let (header, payload) = signed.split_once('.').ok_or_else(invalid)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| invalid())?;
        // Most tokens have the very header that we write.
        let mut foreign = None;
        let mut fits = |key: &Key| {
            key.header == header
                || foreign.get_or_insert_with(|| Header::read(header)).as_ref().is_some_and(|h| h.fits(key))
        };
        let is_right = |key: &&Key| fits(key) && key.verifies(signed.as_bytes(), &signature);
        self.0.iter().find(is_right).ok_or_else(invalid)?;
        URL_SAFE_NO_PAD.decode(payload).map_err(|_| invalid())
    }

    /// The public keys as a JWK Set (RFC 7517). Secrets are not in it.
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": self.0.iter().filter_map(Key::jwk).collect::<Vec<_>>() })
    }
}

/// What another issuer's header says.
struct Header {
    alg: String,
    kid: Option<String>,
}

impl Header {
    fn read(encoded: &str) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
        if fields.contains_key("crit") {
            return None;
        }
        let text = |name: &str| fields.get(name).map(|value| value.as_str().map(str::to_owned));
        // A `kid` that is no text is refused, not ignored.
        Some(Self { alg: text("alg")??, kid: text("kid").map_or(Some(None), |kid| kid.map(Some))? })
    }

    fn fits(&self, key: &Key) -> bool {
        self.alg == key.algorithm() && (self.kid.is_none() || key.kid.is_none() || self.kid == key.kid)
    }
}
