//! `/session` and `/logout`.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use oncecode::SessionTarget;
use serde_json::{Value, json};

use super::{Auth, Login};
use crate::answer::{Failure, json};
use crate::body::Said;
use crate::caller::Caller;
use crate::signed_in::{ByToken, SignedIn};

pub(super) async fn show(State(auth): State<Auth>, caller: Caller) -> Result<Response, Failure> {
    let (user_id, shown) = match auth.options.login {
        Login::Token => {
            let ByToken { user_id, claims } = ByToken::find(&auth.once, &caller).await?;
            let ends = claims.get("exp").and_then(Value::as_f64).map(|seconds| (seconds * 1000.0) as u64);
            let shown = json!({ "userId": user_id, "expiresAt": ends.and_then(moment) });
            (user_id, shown)
        }
        _ => {
            let SignedIn(session) = SignedIn::find(&auth.once, &caller).await?;
            let shown = json!({
                "id": session.id,
                "userId": session.user_id,
                "createdAt": moment(session.created_at_ms),
                "lastActiveAt": moment(session.last_active_at_ms),
                "expiresAt": moment(session.expires_at_ms),
            });
            (session.user_id, shown)
        }
    };
    let mut body = json!({ "success": true, "session": shown });
    if let Some(user) = auth.options.users.load(&user_id).await? {
        body["user"] = Value::Object(user);
    }
    Ok(json(body))
}

/// Whoever is logged out already is so.
pub(super) async fn log_out(
    State(auth): State<Auth>,
    caller: Caller,
    // No form of another site logs anybody out.
    _: Option<Said>,
) -> Result<Response, Failure> {
    let mut response = json(json!({ "success": true, "message": "Logged out" }));
    if auth.options.login == Login::Token {
        let revoked = match &caller.bearer {
            Some(token) => auth.once.tokens().revoke(token.expose()).await,
            None => Ok(false),
        };
        return match revoked {
            Err(error) if error.status() != 401 => Err(error.into()),
            _ => Ok(response),
        };
    }
    if let Some(token) = caller.session_token() {
        auth.once.sessions().revoke(SessionTarget::token(token.expose())).await?;
    }
    let cookie = HeaderValue::try_from(auth.once.sessions().clear_cookie())?;
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// As ISO 8601 has it, in UTC, unless it is later than that can say.
fn moment(ms: u64) -> Option<String> {
    let mut text = String::new();
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(ms))?;
    write!(text, "{}", humantime::format_rfc3339_millis(at)).ok().map(|()| text)
}
