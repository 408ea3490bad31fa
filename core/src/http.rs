//! The crate's one HTTP client: keeps connections, follows no redirect, asks no proxy, repeats nothing.
//!
//! reqwest with as few features as it has: hyper, TLS and a pool that notices dead connections, by hyper's own authors. With
//! hyper alone the pool would be ours to write. HTTP/1.1 on purpose: a call that is given up takes its connection
//! with it, while over HTTP/2 the next calls would go into one that may be dead.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::tls::is_untrusted;

/// Calls under way at once, each with a connection of its own. Others wait for their turn, within their deadlines.
const CALLS: usize = 64;

/// Shorter than the minute after which load balancers commonly close: a call that meets such a close is lost.
const KEPT: Duration = Duration::from_secs(50);

/// An answer that is longer is not what was asked for.
const LONGEST: usize = 1 << 20;

/// Shared by all calls to one service. The deadline is the caller's: a dropped future leaves nothing behind.
pub(crate) struct Http {
    client: RwLock<Option<Client>>,
    turns: Semaphore,
}

/// What a server answered, whole.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server's certificate is from nobody we know, or for another name.
    Untrusted(reqwest::Error),
    /// No connection was to be had.
    Unsent(reqwest::Error),
    /// The connection ended before the answer did: the server may have done what was asked.
    Lost(reqwest::Error),
    /// The answer has no end, but what was asked may have been done.
    TooLong,
    /// `Http::close` was called.
    Closed,
}

impl Http {
    /// Trusts the public web's authorities as compiled in, as `rediss://` does: small containers have no list of their
    /// own. `authority` (PEM) stands for all of them. `connect` is the part of a deadline that connecting may take.
    ///
    /// # Errors
    /// `CONFIG` when `authority` holds no certificate.
    pub(crate) fn new(authority: Option<&[u8]>, connect: Duration) -> Result<Self> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls(authority)?)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("oncecode/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect)
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(CALLS)
            .build()
            .map_err(|e| Error::new(ErrorKind::Internal, "the HTTP client cannot be made").with_source(e))?;
        Ok(Self { client: RwLock::new(Some(client)), turns: Semaphore::new(CALLS) })
    }

    /// One request, sent at most once.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, Failure> {
        let _turn = self.turns.acquire().await.map_err(|_| Failure::Closed)?;
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Failure::Closed)?;
        let mut answer =
            client.request(method, url.clone()).headers(headers).body(body).send().await.map_err(failure)?;
        let (status, headers) = (answer.status().as_u16(), std::mem::take(answer.headers_mut()));
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(failure)? {
            if body.len() + part.len() > LONGEST {
                return Err(Failure::TooLong);
            }
            body.extend_from_slice(&part);
        }
        Ok(Reply { status, headers, body })
    }

    /// Ends idle connections now and the others with their calls.
    pub(crate) fn close(&self) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn tls(authority: Option<&[u8]>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match authority {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().unwrap_or_default();
            if roots.add_parsable_certificates(certificates).0 == 0 {
                return Err(Error::config("the file of certificate authorities holds no certificate in PEM form"));
            }
        }
    }
    // The provider by name: an app may have installed another for the process, or several without a choice.
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorKind::Internal, "TLS cannot be set up").with_source(e))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Addresses are taken out: a provider's may hold an account, and a user's own service is nobody's business.
fn failure(error: reqwest::Error) -> Failure {
    match &error {
        e if is_untrusted(e) => Failure::Untrusted(error.without_url()),
        e if e.is_connect() => Failure::Unsent(error.without_url()),
        _ => Failure::Lost(error.without_url()),
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}
