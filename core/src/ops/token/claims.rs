//! The claims that decide, read without building the rest.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use crate::config::TokenPolicy;
use crate::error::{Error, ErrorKind, Result};

/// RFC 7519's registered claims and our two.
#[derive(Deserialize)]
pub(super) struct Registered<'a> {
    #[serde(borrow)]
    iss: Option<Cow<'a, str>>,
    #[serde(default)]
    aud: Option<Audience>,
    #[serde(borrow)]
    pub(super) sub: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) jti: Option<Cow<'a, str>>,
    pub(super) exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    pub(super) ver: Option<u64>,
    #[serde(rename = "gen")]
    everybody: Option<u64>,
}

/// `aud`: one, or a list.
struct Audience(Vec<String>);

impl<'a> Registered<'a> {
    /// The claims of a payload that is signed by a key of ours.
    pub(super) fn read(payload: &'a [u8]) -> Result<Self> {
        let strange = || Error::new(ErrorKind::TokenInvalid, "the token's claims are malformed");
        // A list would be read as well, by position.
        if payload.trim_ascii_start().first() != Some(&b'{') {
            return Err(strange());
        }
        serde_json::from_slice(payload).map_err(|_| strange())
    }

    /// Whether it is for us and now.
    pub(super) fn check(&self, policy: &TokenPolicy, now_ms: u64) -> Result<()> {
        let (now, leeway) = (now_ms as f64 / 1000.0, policy.leeway.as_secs_f64());
        let invalid = |why: &str| Err(Error::new(ErrorKind::TokenInvalid, why));
        let Some(exp) = self.exp else { return invalid("the token has no end (`exp`)") };
        if self.nbf.is_some_and(|nbf| now + leeway < nbf) {
            return invalid("the token is not valid yet");
        }
        if policy.issuer.is_some() && self.iss.as_deref() != policy.issuer.as_deref() {
            return invalid("the token is not by the issuer in tokens.issuer");
        }
        match (&policy.audience, &self.aud) {
            (None, None) => {}
            (Some(wanted), Some(Audience(named))) if named.contains(wanted) => {}
            (None, Some(_)) => return invalid("the token is for an audience and tokens.audience is not set"),
            _ => return invalid("the token is not for the audience in tokens.audience"),
        }
        match now >= exp + leeway {
            true => Err(Error::new(ErrorKind::TokenExpired, "the token has expired")),
            false => Ok(()),
        }
    }

    /// The user's and everybody's version at the time of signing. Another issuer's token has none: its time says it.
    pub(super) fn versions(&self) -> (u64, u64) {
        match self.ver {
            Some(own) => (own, self.everybody.unwrap_or(0)),
            None => (self.issued_ms(), self.issued_ms()),
        }
    }

    /// When it was signed, in milliseconds since the Unix epoch.
    pub(super) fn issued_ms(&self) -> u64 {
        self.iat.filter(|iat| *iat > 0.0).map_or(0, |iat| (iat * 1000.0) as u64)
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Audience;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Audience, E> {
                Ok(Audience(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Audience, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element()? {
                    all.push(name);
                }
                Ok(Audience(all))
            }
        }

        deserializer.deserialize_any(Names)
    }
}
