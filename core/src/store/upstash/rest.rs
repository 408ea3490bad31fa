//! One command, one HTTP request.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::address::Address;
use super::reply;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Failure, Http};
use crate::key::Key;
use crate::store::lua::{Answer, GREET, Wire};

const ENCODING: HeaderName = HeaderName::from_static("upstash-encoding");
const SYNC_TOKEN: HeaderName = HeaderName::from_static("upstash-sync-token");

/// Bytes that a careless decoder would change: NUL, a quote, a line's end, and such as are no UTF-8.
const GREETING: [u8; 7] = [0xff, 0x00, 0x22, 0x0a, 0xc3, 0x28, 0x80];

/// A REST endpoint.
pub(crate) struct Rest {
    url: Url,
    /// Those of every request.
    headers: HeaderMap,
    /// What the last answer said has been written; a replica that has not seen that much must not answer the next call.
    sync_token: RwLock<Option<HeaderValue>>,
    http: Http,
}

impl Rest {
    pub(super) fn new(url: &str, connect: Duration) -> Result<Self> {
        let Address { url, authorization, authority } = Address::parse(url)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ENCODING, HeaderValue::from_static("base64"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        Ok(Self { url, headers, sync_token: RwLock::default(), http: Http::new(authority.as_deref(), connect)? })
    }

    /// Whether the token may run scripts, and these find what they need and get and give bytes as they are.
    pub(super) async fn greet(&self) -> Result<()> {
        match self.eval(&GREET, &[], &[&GREETING]).await? {
            Answer::Bytes(bytes) if bytes == GREETING => Ok(()),
            _ => {
                Err(Error::config("the server in the store URL changes bytes on their way: it cannot hold our records"))
            }
        }
    }

    /// Runs a script by `EVALSHA` or `EVAL`. `None`: the server does not know it, and did nothing.
    pub(super) async fn command(
        &self,
        name: &str,
        script: &str,
        keys: &[&Key],
        args: &[&[u8]],
    ) -> Result<Option<Answer>> {
        let args: Vec<String> = args.iter().map(|bytes| hex(bytes)).collect();
        let count = keys.len().to_string();
        let mut words = vec![name, script, &count];
        words.extend(keys.iter().map(|key| key.as_str()));
        words.extend(args.iter().map(String::as_str));
        self.post(&words).await
    }

    /// One command as it is.
    pub(super) async fn post(&self, words: &[&str]) -> Result<Option<Answer>> {
        let body = serde_json::to_vec(words)
            .map_err(|e| Error::new(ErrorKind::Internal, "a command cannot be written").with_source(e))?;

        let mut headers = self.headers.clone();
        if let Some(token) = self.sync_token.read().unwrap_or_else(PoisonError::into_inner).clone() {
            headers.insert(SYNC_TOKEN, token);
        }
        let mut reply = self.http.send(Method::POST, &self.url, headers, body).await.map_err(failed)?;
        if let Some(token) = reply.headers.remove(SYNC_TOKEN) {
            *self.sync_token.write().unwrap_or_else(PoisonError::into_inner) = Some(token);
        }
        reply::read(reply.status, &reply.body)
    }

    pub(super) fn close(&self) {
        self.http.close();
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn failed(failure: Failure) -> Error {
    let unavailable = |why| Error::new(ErrorKind::StoreUnavailable, why);
    match failure {
        Failure::Untrusted(e) => Error::config(
            "the certificate of the server in the store URL is not trusted, or is for another name: name its authority's \
             file by ?ssl_ca_certs=, and the server as its certificate does",
        )
        .with_source(e),
        Failure::Unsent(e) => unavailable("the REST server cannot be reached").with_source(e).undone(),
        Failure::Lost(e) => unavailable("the REST server's answer was lost").with_source(e),
        Failure::TooLong => unavailable("the REST server's answer is too long to be one to us"),
        Failure::Closed => Error::new(ErrorKind::Closed, "the store was closed"),
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest(upstash)")
    }
}
