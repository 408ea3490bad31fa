//! Who sent a request, and with which token.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::header::{AUTHORIZATION, COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use oncecode::{Error, ErrorKind, Oncecode, Secret};

use crate::answer::Failure;

/// Whoever sent a request.
pub struct Caller {
    /// Their address. Proxies are believed only where the client's option `trustedProxies` names them.
    pub ip: String,
    /// Their `User-Agent`.
    pub device: Option<String>,
    /// The token of the `Authorization` header.
    pub bearer: Option<Secret>,
    cookie: Option<Secret>,
}

impl Caller {
    /// The session's token: of the `Authorization` header, or else of the cookie.
    pub fn session_token(&self) -> Option<&Secret> {
        self.bearer.as_ref().or(self.cookie.as_ref())
    }
}

impl<S> FromRequestParts<S> for Caller
where
    Oncecode: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let once = Oncecode::from_ref(state);
        let Some(ConnectInfo(remote)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
            // Everybody would be limited as one.
            let how = "serve the app with into_make_service_with_connect_info::<SocketAddr>()";
            return Err(Error::new(ErrorKind::Config, how).into());
        };
        let forwarded = joined(&parts.headers, &HeaderName::from_static("x-forwarded-for"), ",");
        let cookies = joined(&parts.headers, &COOKIE, "; ");
        Ok(Self {
            ip: once.limits().client_ip(&remote.ip().to_string(), forwarded.as_deref())?,
            device: joined(&parts.headers, &USER_AGENT, " "),
            bearer: joined(&parts.headers, &AUTHORIZATION, ",").as_deref().and_then(bearer).map(Secret::from),
            cookie: cookies.and_then(|cookies| once.sessions().read_cookie(&cookies)).map(Secret::from),
        })
    }
}

/// A header that may come in several lines.
fn joined(headers: &HeaderMap, name: &HeaderName, between: &str) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(between))
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim_end().split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(char::is_whitespace))
        .then_some(token)
}
