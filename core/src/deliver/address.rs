//! `scheme://user:password@host:port/path?name=value`, where each part may be missing. Generic URL parsers want a host as
//! soon as there is a user; `twilio://SID:TOKEN@?from=+1555…` has none.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};
use crate::secret::Secret;

#[cfg_attr(not(feature = "full"), allow(dead_code))]
pub(super) struct Address {
    pub(super) scheme: String,
    pub(super) user: Option<Secret>,
    pub(super) password: Option<Secret>,
    /// With its port.
    pub(super) host: Option<String>,
    query: Vec<(String, String)>,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text.trim().split_once(':').ok_or_else(|| malformed("it has no scheme"))?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('#') {
            return Err(malformed("it has a #; percent-encode it"));
        }
        let (credentials, host) = place.rsplit_once('@').map_or((None, place), |(who, host)| (Some(who), host));
        if host.trim_end_matches('/').contains('/') {
            return Err(malformed("it has a path; percent-encode a / in its credentials"));
        }
        let (user, password) = match credentials.map(|who| who.split_once(':').unwrap_or((who, ""))) {
            Some((user, password)) => (some(decoded(user)?), some(decoded(password)?)),
            None => (None, None),
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query = pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decoded(name)?, decoded(value)?))
            })
            .collect::<Result<_>>()?;
        let host = host.trim_end_matches('/').to_owned();
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user: user.map(Secret::from),
            password: password.map(Secret::from),
            host: some(host),
            query,
        })
    }

    /// Takes a value of the query; empty is none.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.query.iter().position(|(known, _)| known == name)?;
        some(self.query.remove(at).1)
    }

    /// Refuses what nobody took.
    pub(super) fn finish(&self, known: &str) -> Result<()> {
        match self.query.first() {
            // A name that is not ours may be half of a password with a & in it.
            Some(_) => Err(malformed(&format!("its query has a name that is unknown, or twice; known are {known}"))),
            None => Ok(()),
        }
    }
}

/// `+` stands for itself: phone numbers begin with it.
fn decoded(text: &str) -> Result<String> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| malformed("it holds bytes that are no text"))?;
    Ok(text.into_owned())
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The URL may hold a password, so no message repeats it.
pub(super) fn malformed(why: &str) -> Error {
    Error::config(format!("the sender's URL cannot be used: {why}"))
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_may_be_missing() {
        let read = |text: &str| {
            let address = Address::parse(text).expect(text);
            let shown = |secret: Option<Secret>| secret.map_or("-".to_owned(), |secret| secret.expose().to_owned());
            (address.scheme, shown(address.user), shown(address.password), address.host.unwrap_or("-".into()))
        };
        let parts = |a: &str, b: &str, c: &str, d: &str| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned());
        assert_eq!(read("twilio:"), parts("twilio", "-", "-", "-"));
        assert_eq!(read("twilio://AC1:t%2Fk@?from=+1555"), parts("twilio", "AC1", "t/k", "-"));
        assert_eq!(
            read("SMTP://ann%40x.org:p@ss@mail.x.org:587/"),
            parts("smtp", "ann@x.org", "p@ss", "mail.x.org:587")
        );
        assert_eq!(read("smtp://localhost"), parts("smtp", "-", "-", "localhost"));
    }

    #[test]
    fn a_plus_is_a_plus_and_what_nobody_knows_is_refused() {
        let mut address = Address::parse("twilio:?from=+15551234567&hunter2=1").expect("an address");
        assert_eq!(address.take("from").as_deref(), Some("+15551234567"));
        let error = address.finish("from").expect_err("unknown");
        assert!(!format!("{error:?}").contains("hunter2"), "{error}");
        for bad in ["twilio", "x:?a=%ff", "x:?a=b#c"] {
            assert_eq!(Address::parse(bad).expect_err(bad).code(), "CONFIG");
        }
    }
}
