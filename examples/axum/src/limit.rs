//! Limits of `once.limits()` before any handler.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use oncecode::{HitRequest, Oncecode};

use crate::answer::{Failure, put};
use crate::caller::Caller;

/// What [`limited`] takes from, for each request: by IP address, and by `key` where it is known.
#[derive(Clone)]
pub struct Limit {
    once: Oncecode,
    name: &'static str,
    key: fn(&Parts) -> Option<String>,
    skip_successful: bool,
}

impl Limit {
    /// One of the limit of this name for each request, by IP address.
    pub fn new(once: &Oncecode, name: &'static str) -> Self {
        Self { once: once.clone(), name, key: |_| None, skip_successful: false }
    }

    /// Whom to count beside the IP address.
    pub fn key(self, key: fn(&Parts) -> Option<String>) -> Self {
        Self { key, ..self }
    }

    /// Gives back what requests took that were answered with less than 400: for limits on what fails.
    pub fn skip_successful(self) -> Self {
        Self { skip_successful: true, ..self }
    }
}

/// Answers 429 when nothing is left, with `Retry-After`. All answers have `RateLimit` headers.
///
/// ```ignore
/// route_layer(from_fn_with_state(Limit::new(&once, "search"), limited))
/// ```
pub async fn limited(State(limit): State<Limit>, request: Request, next: Next) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    let mut hit = HitRequest::ip(limit.name, Caller::from_request_parts(&mut parts, &limit.once).await?.ip);
    hit.key = (limit.key)(&parts);
    let quota = limit.once.limits().hit(hit.clone()).await?;
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if limit.skip_successful && response.status().as_u16() < 400 {
        // What can't be given back is over with the window.
        let _ = limit.once.limits().refund(hit).await;
    }
    put(response.headers_mut(), quota.headers(false));
    Ok(response)
}
