//! The rules that tokens (JWT) and links live by.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::policy::duration;
use super::users::{UsersOptions, UsersPolicy};
use crate::error::{Error, Result};
use crate::jws::{Key, Keys};
use crate::secret::Secret;

/// Rules for tokens as users write them; what is absent keeps its default. Names in JSON are camelCase; snake_case is
/// understood as well.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TokenOptions {
    /// At most 16. The first that can sign signs, all verify. Default: HS256 keys derived from `secret`.
    pub keys: Vec<TokenKey>,
    /// Written as `iss` and demanded when verifying. Default: none.
    pub issuer: Option<String>,
    /// Written as `aud` and demanded when verifying. Without it, tokens for an audience are refused.
    pub audience: Option<String>,
    /// Life of a token, in seconds. Default 900, at most 29 days.
    #[serde(alias = "ttl_seconds")]
    pub ttl_seconds: Option<f64>,
    /// How far clocks may differ when `exp` and `nbf` are checked, in seconds. Default 0, at most 600.
    #[serde(alias = "leeway_seconds")]
    pub leeway_seconds: Option<f64>,
    /// For how many seconds a process may go on with what it knows of revocations. Default 5, at most 300.
    #[serde(alias = "cache_seconds")]
    pub cache_seconds: Option<f64>,
    /// Of how many users at most. Default 10 000.
    #[serde(alias = "cache_entries")]
    pub cache_entries: Option<usize>,
    /// The app's own table of users, where it has a column of token versions. Default: versions are kept in the store.
    pub users: Option<UsersOptions>,
}

/// A key: a text is an HS256 secret.
#[derive(Clone)]
#[non_exhaustive]
pub enum TokenKey {
    /// HS256: at least 32 bytes.
    Secret {
        /// The secret.
        secret: Secret,
        /// Its name in tokens.
        kid: Option<String>,
    },
    /// PKCS #8 or PKCS #1, private or public: P-256 (ES256), Ed25519 (EdDSA), RSA (RS256).
    Pem {
        /// The block.
        pem: Secret,
        /// Its name in tokens. Default: its RFC 7638 thumbprint.
        kid: Option<String>,
    },
    /// A JSON Web Key, private or public.
    Jwk {
        /// Its members.
        jwk: Map<String, Value>,
        /// Its name in tokens. Default: its own `kid`, or its RFC 7638 thumbprint.
        kid: Option<String>,
    },
}

/// Rules for links as users write them; what is absent keeps its default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LinkOptions {
    /// Life of a link, in seconds. Default 24 hours, at most 7 days (NIST SP 800-63B-4: 24 hours for an address).
    #[serde(alias = "ttl_seconds")]
    pub ttl_seconds: Option<f64>,
    /// Verify needs no store, and accepts a link as often as it comes. Default false.
    pub stateless: bool,
}

/// The rules for tokens, checked.
#[derive(Debug)]
pub(crate) struct TokenPolicy {
    /// `None`: those of the keyring.
    pub(crate) keys: Option<Keys>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) ttl: Duration,
    pub(crate) leeway: Duration,
    pub(crate) cache: Duration,
    pub(crate) cache_entries: usize,
    pub(crate) users: Option<UsersPolicy>,
}

impl TokenPolicy {
    /// How long the store remembers what the table says.
    pub(crate) fn column_life(&self) -> Duration {
        self.users.as_ref().map_or(Duration::ZERO, |users| users.cache)
    }
}

/// The rules for links, checked.
#[derive(Clone, Debug)]
pub(crate) struct LinkPolicy {
    pub(crate) ttl: Duration,
    pub(crate) stateless: bool,
}

/// What revokes a token must outlive it, and memcached keeps nothing for more than 30 days.
pub(crate) const LONGEST_TOKEN: Duration = Duration::from_secs(29 * 86_400);

impl TokenOptions {
    pub(crate) fn check(&self) -> Result<TokenPolicy> {
        if self.keys.len() > 16 {
            return Err(Error::config("tokens.keys must be at most 16: each of them is tried"));
        }
        let read = |(at, key): (usize, &TokenKey)| {
            key.read().map_err(|e| Error::config(format!("tokens.keys[{at}]: {}", e.message())))
        };
        let keys = self.keys.iter().enumerate().map(read).collect::<Result<Vec<_>>>()?;
        let mut kids: Vec<_> = keys.iter().filter_map(|key| key.kid()).collect();
        kids.sort_unstable();
        if kids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::config("tokens.keys: two keys have the same kid"));
        }
        let seconds = |name: &str, given: Option<f64>, default, most| {
            duration(&format!("tokens.{name}"), given.unwrap_or(default), most)
        };
        let ttl = seconds("ttlSeconds", self.ttl_seconds, 900.0, LONGEST_TOKEN.as_secs_f64())?;
        if ttl < Duration::from_secs(1) {
            return Err(Error::config("tokens.ttlSeconds must be at least 1"));
        }
        let cache_entries = self.cache_entries.unwrap_or(10_000);
        if !(1..=10_000_000).contains(&cache_entries) {
            return Err(Error::config("tokens.cacheEntries must be 1 to 10000000"));
        }
        Ok(TokenPolicy {
            keys: (!keys.is_empty()).then(|| Keys::new(keys)),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            ttl,
            leeway: seconds("leewaySeconds", self.leeway_seconds, 0.0, 600.0)?,
            cache: seconds("cacheSeconds", self.cache_seconds, 5.0, 300.0)?,
            cache_entries,
            users: self.users.as_ref().map(UsersOptions::check).transpose()?,
        })
    }
}

impl LinkOptions {
    pub(crate) fn check(&self) -> Result<LinkPolicy> {
        let ttl = duration("links.ttlSeconds", self.ttl_seconds.unwrap_or(86_400.0), 7.0 * 86_400.0)?;
        if ttl < Duration::from_secs(1) {
            return Err(Error::config("links.ttlSeconds must be at least 1"));
        }
        Ok(LinkPolicy { ttl, stateless: self.stateless })
    }
}

impl TokenKey {
    fn read(&self) -> Result<Key> {
        match self {
            TokenKey::Secret { secret, kid } => Key::from_secret(secret.expose().as_bytes(), kid.clone()),
            TokenKey::Pem { pem, kid } => Key::from_pem(pem.expose(), kid.clone()),
            TokenKey::Jwk { jwk, kid } => Key::from_jwk(jwk, kid.clone()),
        }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

impl<'de> Deserialize<'de> for TokenKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            kid: Option<String>,
            secret: Option<String>,
            pem: Option<String>,
            jwk: Option<Map<String, Value>>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Fields(Fields),
        }
        // The stock message would repeat what it could not read.
        let strange = || serde::de::Error::custom("a key is a secret, or an object with one of secret, pem and jwk");
        match Form::deserialize(deserializer).map_err(|_| strange())? {
            Form::Text(secret) => Ok(TokenKey::Secret { secret: secret.into(), kid: None }),
            Form::Fields(Fields { kid, secret: Some(secret), pem: None, jwk: None }) => {
                Ok(TokenKey::Secret { secret: secret.into(), kid })
            }
            Form::Fields(Fields { kid, secret: None, pem: Some(pem), jwk: None }) => {
                Ok(TokenKey::Pem { pem: pem.into(), kid })
            }
            Form::Fields(Fields { kid, secret: None, pem: None, jwk: Some(jwk) }) => Ok(TokenKey::Jwk { jwk, kid }),
            Form::Fields(_) => Err(strange()),
        }
    }
}
