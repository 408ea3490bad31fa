use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use oncecode::{Error, ErrorKind, SessionRequest, SessionTarget, SignRequest};
use serde_json::{Value, json};

use super::{Auth, Login, Proven, User};
use crate::answer::{Failure, json};
use crate::caller::Caller;

/// Asks the app who that is, and logs them in: always with a new token, never with one that the browser brought. Answers with
/// `body`, the token and the user.
pub(super) async fn log_in(
    auth: &Auth,
    login: Login,
    proven: Proven,
    caller: &Caller,
    mut body: Value,
) -> Result<Response, Failure> {
    let Some(user) = auth.options.users.verified(proven).await? else { return Ok(json(body)) };
    let user_id = id_of(&user)?;
    body["user"] = Value::Object(user);
    match login {
        Login::None => Ok(json(body)),
        Login::Token => {
            body["token"] = json!(auth.once.tokens().sign(SignRequest::of(user_id)).await?.expose());
            Ok(json(body))
        }
        Login::Session => {
            let sessions = auth.once.sessions();
            let mut request = SessionRequest::new(user_id);
            (request.device, request.ip) = (caller.device.clone(), Some(caller.ip.clone()));
            let token = sessions.create(request).await?.token;
            if let Some(before) = caller.session_token() {
                // The session that the browser had ends; should that fail, it is the one the user knew, and expires.
                let _ = sessions.revoke(SessionTarget::token(before.expose())).await;
            }
            let cookie = HeaderValue::try_from(sessions.cookie(token.expose(), None)?)?;
            if auth.options.token_in_body {
                body["token"] = json!(token.expose());
            }
            let mut response = json(body);
            response.headers_mut().append(SET_COOKIE, cookie);
            Ok(response)
        }
    }
}

fn id_of(user: &User) -> Result<String, Failure> {
    match user.get("id") {
        Some(Value::String(id)) if !id.is_empty() => Ok(id.clone()),
        Some(Value::Number(id)) if id.is_i64() || id.is_u64() => Ok(id.to_string()),
        _ => Err(Error::new(ErrorKind::Config, "a user needs an `id`, a text or a whole number").into()),
    }
}
