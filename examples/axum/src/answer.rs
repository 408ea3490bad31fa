//! Answers. Which status and headers an error has, it knows itself.

use std::any::Any;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::BoxError;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use oncecode::{Error, ErrorKind, Mode, Oncecode};
use serde_json::{Map, Value, json};

const OURS: &str = "Something went wrong on our side. Please try again later.";

/// An answer of 200.
pub fn json(body: Value) -> Response {
    (HeaderMap::from_iter([(CONTENT_TYPE, JSON)]), body.to_string()).into_response()
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a request has no such answer. Made by `?` of any error; of what is not oncecode's, callers learn nothing.
#[derive(Clone)]
pub struct Failure {
    status: StatusCode,
    error: Arc<Error>,
    /// Of an error that nobody expected: what it says, and what its causes say.
    trace: Option<Arc<str>>,
}

impl<E: StdError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let error: BoxError = Box::new(error);
        match error.downcast::<Error>() {
            Ok(ours) => Self {
                status: StatusCode::from_u16(ours.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                error: Arc::from(ours),
                trace: None,
            },
            Err(other) => Self::unexpected(other),
        }
    }
}

impl Failure {
    /// Something broke that has nothing to do with the request.
    pub fn unexpected(cause: impl Into<BoxError>) -> Self {
        let cause = cause.into();
        let (trace, message) = (chain(&*cause), cause.to_string());
        let error = Error::new(ErrorKind::Internal, message).with_source(cause);
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, error: Arc::new(error), trace: Some(trace.into()) }
    }

    /// The request itself is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidArgument, message).into()
    }

    /// [`Failure::invalid`], with a status that says why it could not even be read.
    pub fn unreadable(status: StatusCode, message: &str) -> Self {
        Self { status, ..Self::invalid(message) }
    }

    /// What answers with this.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// `told`: in development mode callers learn what broke.
    fn body(&self, told: bool) -> String {
        let hidden = self.status.is_server_error() && !told;
        let internal = hidden && self.status == StatusCode::INTERNAL_SERVER_ERROR;
        let mut body = Map::from_iter([
            ("success".to_owned(), json!(false)),
            ("code".to_owned(), json!(if internal { ErrorKind::Internal.code() } else { self.error.code() })),
            ("message".to_owned(), json!(if hidden { OURS } else { self.error.message() })),
        ]);
        let more = [
            ("retryAfter", self.error.retry_after_seconds().map(Value::from)),
            ("attemptsLeft", self.error.attempts_left().map(Value::from)),
            ("stack", self.trace.as_deref().filter(|_| !hidden).map(Value::from)),
        ];
        body.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Value::Object(body).to_string()
    }
}

impl IntoResponse for Failure {
    /// As production says it: only [`explained`] knows the mode.
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body(false)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        put(headers, self.error.headers());
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes headers as oncecode gives them.
pub fn put(headers: &mut HeaderMap, given: Vec<(&'static str, String)>) {
    for (name, value) in given {
        // Limits are named by the app; a name that no header can hold goes without.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
}

/// The outermost layer: logs failures of 500 and more, tells their reason in development mode, and makes one of a panic.
pub async fn explained(State(once): State<Oncecode>, request: Request, next: Next) -> Response {
    let response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => Failure::unexpected(said(&*panic)).into_response(),
    };
    let failure = response.extensions().get::<Failure>().filter(|failure| failure.status.is_server_error()).cloned();
    let Some(failure) = failure else { return response };
    tracing::error!(code = failure.error.code(), "{}", chain(&*failure.error));
    match once.mode() {
        Mode::Development => Response::from_parts(response.into_parts().0, Body::from(failure.body(true))),
        _ => response,
    }
}

/// What an error and its causes say, a line each.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let (mut lines, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        lines.push(error.to_string());
        next = error.source();
    }
    lines.dedup();
    lines.join("\n")
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}
