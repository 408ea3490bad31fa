//! What a request says, checked: a JSON object of known fields.

use std::time::Duration;

use axum::body::{HttpBody, to_bytes};
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::answer::Failure;

/// Room for everything the endpoints take, and no more.
const MOST_BYTES: usize = 16 * 1024;
/// Whoever sends so little more slowly wants to keep the connection busy.
const SLOWEST: Duration = Duration::from_secs(10);

/// The body: a JSON object. As `Option<Said>`, it may be missing.
pub struct Said(Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Said {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        read(request).await?.ok_or_else(no_object)
    }
}

impl<S: Send + Sync> OptionalFromRequest<S> for Said {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Option<Self>, Failure> {
        read(request).await
    }
}

async fn read(request: Request) -> Result<Option<Said>, Failure> {
    if request.body().is_end_stream() {
        return Ok(None);
    }
    // A form of another site, which a browser sends without asking, must not log anybody in.
    if !is_json(request.headers()) {
        let wrong = "the body must be JSON in UTF-8, not compressed: Content-Type: application/json";
        return Err(Failure::unreadable(StatusCode::UNSUPPORTED_MEDIA_TYPE, wrong));
    }
    let too_large = || Failure::unreadable(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    let announced = text(request.headers(), CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MOST_BYTES) {
        return Err(too_large());
    }
    let too_slow = |_| Failure::unreadable(StatusCode::REQUEST_TIMEOUT, "the body came too slowly");
    let bytes = timeout(SLOWEST, to_bytes(request.into_body(), MOST_BYTES)).await.map_err(too_slow)?;
    // What the parser says would quote the body, which may hold a code.
    serde_json::from_slice(&bytes.map_err(|_| too_large())?).map(|said| Some(Said(said))).map_err(|_| no_object())
}

fn no_object() -> Failure {
    Failure::unreadable(StatusCode::BAD_REQUEST, "the body must be a JSON object")
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next() == Some("application/json");
    let charset = parts.find_map(|part| part.strip_prefix("charset=")).unwrap_or("utf-8").trim_matches('"');
    let coding = text(headers, CONTENT_ENCODING.as_str()).unwrap_or("identity");
    is_json && coding == "identity" && ["utf-8", "utf8"].contains(&charset)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

impl Said {
    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<&str, Failure> {
        let value = self.0.get(name).and_then(Value::as_str);
        value.ok_or_else(|| Failure::invalid(format!("{name} must be a string")))
    }

    /// A text that may be there.
    pub fn optional_text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.text(name).map(Some),
        }
    }

    /// The one text, with its name, among fields of which one may be given.
    pub fn one_of<'n>(&self, names: &[&'n str]) -> Result<Option<(&'n str, &str)>, Failure> {
        let mut given = None;
        for name in names {
            let Some(text) = self.optional_text(name)? else { continue };
            if given.replace((*name, text)).is_some() {
                return Err(Failure::invalid(format!("only one of {} can be given", names.join(", "))));
            }
        }
        Ok(given)
    }

    /// Refuses fields that are neither ours nor the app's own, without repeating them.
    pub fn only(&self, ours: &[&[&str]], own: &[String]) -> Result<(), Failure> {
        let known: Vec<_> = ours.iter().copied().flatten().copied().chain(own.iter().map(String::as_str)).collect();
        match self.0.keys().all(|name| known.contains(&name.as_str())) {
            true => Ok(()),
            false => Err(Failure::invalid(format!("there is an unknown field; known are {}", known.join(", ")))),
        }
    }

    /// The app's own fields, where there are any.
    pub fn own(&self, fields: &[String]) -> Option<Map<String, Value>> {
        let given = |name: &String| Some((name.clone(), self.0.get(name)?.clone()));
        Some(fields.iter().filter_map(given).collect()).filter(|own: &Map<_, _>| !own.is_empty())
    }
}
