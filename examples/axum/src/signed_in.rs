//! Who is logged in: arguments of handlers that only they reach.

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use oncecode::{Error, ErrorKind, Oncecode, Session};
use serde_json::{Map, Value};

use crate::answer::Failure;
use crate::caller::Caller;

/// A live session, of the cookie or of `Authorization: Bearer`; without one the answer is 401. As `Option<SignedIn>` it is `None`
/// then; a store that is down is a 503 either way.
///
/// ```ignore
/// async fn me(SignedIn(session): SignedIn) -> Response {
///     json(json!({ "userId": session.user_id }))
/// }
/// ```
pub struct SignedIn(pub Session);

/// A live token (JWT) of `once.tokens()`, of `Authorization: Bearer`.
pub struct ByToken {
    /// Its user: the claim `sub`.
    pub user_id: String,
    /// All of its claims.
    pub claims: Map<String, Value>,
}

impl<S> FromRequestParts<S> for SignedIn
where
    Oncecode: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Self::find(&Oncecode::from_ref(state), &caller).await
    }
}

impl<S> OptionalFromRequestParts<S> for SignedIn
where
    Oncecode: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Failure> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Err(failure) if failure.status() == StatusCode::UNAUTHORIZED => Ok(None),
            found => found.map(Some),
        }
    }
}

impl<S> FromRequestParts<S> for ByToken
where
    Oncecode: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Self::find(&Oncecode::from_ref(state), &caller).await
    }
}

impl SignedIn {
    pub(crate) async fn find(once: &Oncecode, caller: &Caller) -> Result<Self, Failure> {
        let token = caller.session_token().ok_or_else(|| required(ErrorKind::SessionNotFound))?;
        Ok(Self(once.sessions().validate(token.expose(), Some(&caller.ip)).await?))
    }
}

impl ByToken {
    pub(crate) async fn find(once: &Oncecode, caller: &Caller) -> Result<Self, Failure> {
        let token = caller.bearer.as_ref().ok_or_else(|| required(ErrorKind::TokenInvalid))?;
        let claims = once.tokens().verify(token.expose()).await?;
        let nobody = || Error::new(ErrorKind::TokenInvalid, "the token names no user");
        Ok(Self { user_id: claims.subject().ok_or_else(nobody)?, claims: claims.to_map() })
    }
}

fn required(kind: ErrorKind) -> Failure {
    Error::new(kind, "Authentication required").into()
}
