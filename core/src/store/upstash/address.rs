//! `upstash+https://[:TOKEN@]host[:port][/path][?ssl_ca_certs=file]`

use percent_encoding::percent_decode_str;
use reqwest::header::HeaderValue;
use url::Url;

use crate::error::{Error, Result};

/// Where the REST endpoint is and what it asks for.
pub(super) struct Address {
    /// Where commands go: without credentials, its path ending in a slash.
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
    /// The certificate authority to trust, as PEM.
    pub(super) authority: Option<Vec<u8>>,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (_, rest) = text.split_once('+').ok_or_else(|| malformed("it does not begin with upstash+"))?;
        let mut url = Url::parse(rest).map_err(|e| malformed(&e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(malformed("it begins with upstash+https://, or upstash+http:// for a bridge nearby"));
        }
        if url.fragment().is_some() {
            return Err(malformed("it has a #; percent-encode it in a token"));
        }
        let authorization = authorization(&url)?;
        let authority = authority(&url)?;
        // Neither can fail on an http URL, which has a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
        Ok(Self { url, authorization, authority })
    }
}

fn authorization(url: &Url) -> Result<Option<HeaderValue>> {
    // As in Upstash's own redis:// addresses; nobody else has a token here.
    if !matches!(url.username(), "" | "default") {
        return Err(malformed("it has a user name; a token goes behind a colon, as in :TOKEN@host"));
    }
    let Some(token) = url.password() else { return Ok(None) };
    let token = percent_decode_str(token).decode_utf8().map_err(|_| malformed("its token is not text"))?;
    let mut value =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| malformed("its token has a control character"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn authority(url: &Url) -> Result<Option<Vec<u8>>> {
    let mut found = None;
    for (name, path) in url.query_pairs() {
        if name != "ssl_ca_certs" || url.scheme() != "https" {
            return Err(malformed("it has a query; only ?ssl_ca_certs= is known, with upstash+https://"));
        }
        let file = std::fs::read(path.as_ref());
        found = Some(file.map_err(|e| malformed("the file of ?ssl_ca_certs= cannot be read").with_source(e))?);
    }
    Ok(found)
}

/// The URL holds a token, so no message repeats it.
fn malformed(why: &str) -> Error {
    Error::config(format!("the Upstash URL cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_and_a_path_are_found() {
        let read = |text| {
            let Address { url, authorization, .. } = Address::parse(text).expect(text);
            (url.to_string(), authorization.map(|value| value.to_str().expect("text").to_owned()))
        };
        let bearer = |token: &str| Some(format!("Bearer {token}"));
        assert_eq!(
            read("upstash+https://:t0k%3D%2B%2F@h.upstash.io"),
            ("https://h.upstash.io/".into(), bearer("t0k=+/"))
        );
        assert_eq!(
            read("upstash+http://default:t@[::1]:8079/redis/a"),
            ("http://[::1]:8079/redis/a/".into(), bearer("t"))
        );
        assert_eq!(read("UPSTASH+HTTPS://h/"), ("https://h/".into(), None));
    }

    #[test]
    fn odd_addresses_are_refused_and_not_repeated() {
        for bad in [
            "upstash+https://",
            "upstash+ftp://:hunter2@h",
            "upstash+https://hunter2@h",
            "upstash+https://user:hunter2@h",
            "upstash+https://:hunter2@h?x=1",
            "upstash+https://:hunter2@h#x",
            "upstash+https://:hunter2%00@h",
            "upstash+https://:hunter2%ff@h",
            "upstash+https://:hunter2@h:x",
            "upstash+http://:hunter2@h?ssl_ca_certs=/dev/null",
            "upstash+https://:hunter2@h?ssl_ca_certs=/nowhere",
        ] {
            let error = Address::parse(bad).err().unwrap_or_else(|| panic!("{bad} must be refused"));
            assert_eq!(error.code(), "CONFIG", "{bad}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(
            !format!("{:?}", Address::parse("upstash+https://:hunter2@h").expect("a URL").authorization)
                .contains("hunter2")
        );
    }
}
