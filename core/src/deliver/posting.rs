//! One try at a provider that is asked by HTTP.

use std::fmt;
use std::time::Duration;

use super::carrier::{Receipt, Wire};
use super::provider::{Provider, Request};
use super::{DeliveryStatus, Message, StatusRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Failure, Http};
use crate::identifier::Identifier;
use crate::store::BoxFuture;

pub(super) struct Posting<P> {
    provider: P,
    http: Http,
}

impl<P: Provider> Posting<P> {
    pub(super) fn new(provider: P, connect: Duration) -> Result<Self> {
        Ok(Self { provider, http: Http::new(None, connect)? })
    }

    async fn post(&self, message: &Message, key: &str) -> Result<Receipt> {
        let Request { method, url, headers, body } =
            self.provider.request(message, key).map_err(|e| e.undone().answered(true))?;
        let reply = self.http.send(method, &url, headers, body).await.map_err(|e| failed(self.provider.name(), e))?;
        self.provider.receipt(&reply)
    }
}

impl<P: Provider> Wire for Posting<P> {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn serves(&self, to: &Identifier) -> bool {
        self.provider.serves(to)
    }

    fn is_idempotent(&self) -> bool {
        self.provider.is_idempotent()
    }

    fn attempt<'a>(&'a self, message: &'a Message, key: &'a str) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(self.post(message, key))
    }

    fn status(&self, request: &StatusRequest) -> Option<Result<DeliveryStatus>> {
        self.provider.status(request)
    }
}

impl<P: Provider> fmt::Debug for Posting<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.provider.fmt(f)
    }
}

fn failed(name: &str, failure: Failure) -> Error {
    let failed = |why| Error::new(ErrorKind::DeliveryFailed, format!("{name} {why}"));
    match failure {
        Failure::Untrusted(e) => Error::config(format!("the certificate of {name}'s server is not trusted"))
            .with_source(e)
            .undone()
            .answered(true),
        Failure::Unsent(e) => failed("cannot be reached").with_source(e).undone(),
        Failure::Lost(e) => failed("was asked, and its answer was lost").with_source(e),
        Failure::TooLong => failed("answered with something too long to be an answer"),
        Failure::Closed => Error::new(ErrorKind::Closed, "the client was closed").undone().answered(true),
    }
}
