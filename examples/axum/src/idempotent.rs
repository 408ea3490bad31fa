//! Requests that run once for each `Idempotency-Key`.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use oncecode::{Begun, BoxFuture, Claim, IdempotencyRequest, Oncecode};
use serde_json::{Value, json};

use crate::answer::Failure;

/// Larger bodies, and answers, are not for this.
const MOST_BYTES: usize = 1024 * 1024;

/// Whose key it is, such as the id of the user who is logged in: nobody is shown the answer of another.
pub type Scope = for<'p> fn(&'p Oncecode, &'p mut Parts) -> BoxFuture<'p, Result<String, Failure>>;

/// What [`idempotent`] needs.
#[derive(Clone)]
pub struct Idempotent {
    /// The client.
    pub once: Oncecode,
    /// Whose key it is.
    pub scope: Scope,
}

/// Runs what follows once for each key, and gives its answer (of text, such as JSON) again to whoever repeats the request, with
/// `Idempotency-Replayed: true`. Another body under the same key is 422, a repetition while the first is under way 409.
/// Answers of 500 and more are not kept: the request may be repeated. A request without a key simply runs.
pub async fn idempotent(
    State(Idempotent { once, scope }): State<Idempotent>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    let Some(key) = parts.headers.get("idempotency-key").cloned() else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let key = key.to_str().map_err(|_| Failure::invalid("Idempotency-Key must be of visible ASCII characters"))?;
    let too_large = |_| Failure::unreadable(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    let body = to_bytes(body, MOST_BYTES).await.map_err(too_large)?;

    let mut claim = IdempotencyRequest::new(scope(&once, &mut parts).await?, key);
    // JSON is the same in any order of its fields.
    let said = serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body)));
    claim.fingerprint = json!([parts.method.as_str(), parts.uri.to_string(), said]);
    match once.idempotency().begin(claim).await? {
        Begun::Replayed(reply) => Ok(again(&reply.value)),
        Begun::Claimed(claim) => {
            // In a task of its own: a caller who hangs up must not stop what has begun halfway.
            tokio::spawn(async move { kept(claim, next.run(Request::from_parts(parts, body.into())).await).await })
                .await?
        }
        _ => Err(Failure::unexpected("an outcome that this app does not know")),
    }
}

/// Completes the claim with the answer before it goes out.
async fn kept(claim: Claim, response: Response) -> Result<Response, Failure> {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, MOST_BYTES).await.map_err(Failure::unexpected)?;
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let reply =
        json!({ "status": parts.status.as_u16(), "type": content_type, "text": String::from_utf8_lossy(&bytes) });
    // The work is done either way, and its answer is due.
    let _ = match parts.status.is_server_error() {
        true => claim.abandon().await.map(drop),
        false => claim.complete(&reply).await,
    };
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn again(reply: &Value) -> Response {
    let status = reply["status"].as_u64().and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let text = reply["text"].as_str().unwrap_or_default().to_owned();
    let mut response = (status.unwrap_or(StatusCode::OK), text).into_response();
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    if let Some(kind) = reply["type"].as_str().and_then(|kind| HeaderValue::try_from(kind).ok()) {
        headers.insert(CONTENT_TYPE, kind);
    }
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}
