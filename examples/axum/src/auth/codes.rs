//! `/otp/request`, `/otp/resend` and `/otp/verify`.

use axum::extract::State;
use axum::response::Response;
use oncecode::{IssueRequest, ResendRequest, Sent, VerifyRequest};
use serde_json::{Value, json};

use super::login::log_in;
use super::{Auth, By, Proven, address, seconds_to};
use crate::answer::{Failure, json};
use crate::body::Said;
use crate::caller::Caller;

const ADDRESSES: [&str; 4] = ["to", "phoneNumber", "phone", "email"];
pub(super) const CODES: [&str; 3] = ["otp", "code", "otp_code"];

pub(super) async fn request(State(auth): State<Auth>, caller: Caller, said: Said) -> Result<Response, Failure> {
    said.only(&[&ADDRESSES, &["purpose", "locale"]], &auth.options.fields)?;
    let (to, purpose) = target(&auth, &said)?;
    let to = to.ok_or_else(|| Failure::invalid(format!("one of {} is needed", ADDRESSES.join(", "))))?;
    send(&auth, caller, &said, to, purpose).await
}

/// Also for sign-up.
pub(super) async fn send(
    auth: &Auth,
    caller: Caller,
    said: &Said,
    to: String,
    purpose: String,
) -> Result<Response, Failure> {
    let mut request = IssueRequest::new(to, purpose);
    request.ip = Some(caller.ip);
    request.locale = said.optional_text("locale")?.map(str::to_owned);
    request.data = said.own(&auth.options.fields).map(Value::Object);
    Ok(answer(&auth.once.codes().issue(request).await?, "OTP sent successfully"))
}

pub(super) async fn resend(State(auth): State<Auth>, caller: Caller, said: Said) -> Result<Response, Failure> {
    said.only(&[&ADDRESSES, &["id", "purpose", "locale", "type"]], &auth.options.fields)?;
    let mut request = ResendRequest::default();
    (request.to, request.purpose) = target(&auth, &said)?;
    request.id = said.optional_text("id")?.map(str::to_owned);
    request.ip = Some(caller.ip);
    request.locale = said.optional_text("locale")?.map(str::to_owned);
    Ok(answer(&auth.once.codes().resend(request).await?, "OTP resent successfully"))
}

pub(super) async fn verify(State(auth): State<Auth>, caller: Caller, said: Said) -> Result<Response, Failure> {
    said.only(&[&ADDRESSES, &CODES, &["id", "purpose"]], &auth.options.fields)?;
    let mut request = VerifyRequest::default();
    (request.to, request.purpose) = target(&auth, &said)?;
    request.id = said.optional_text("id")?.map(str::to_owned);
    prove(&auth, caller, &said, request).await
}

/// Also for sign-up.
pub(super) async fn prove(
    auth: &Auth,
    caller: Caller,
    said: &Said,
    mut request: VerifyRequest,
) -> Result<Response, Failure> {
    let code = said.one_of(&CODES)?.map(|(_, code)| code.to_owned());
    request.code = code.ok_or_else(|| Failure::invalid(format!("one of {} is needed", CODES.join(", "))))?;
    request.ip = Some(caller.ip.clone());
    let done = auth.once.codes().verify(request).await?;
    let proven = Proven {
        identifier: done.identifier.as_str().to_owned(),
        purpose: done.purpose,
        data: done.data.and_then(|data| data.as_object().cloned()).unwrap_or_default(),
        fields: said.own(&auth.options.fields).unwrap_or_default(),
        by: By::Code,
    };
    let body = json!({ "success": true, "verified": true, "message": "OTP verified successfully" });
    log_in(auth, auth.options.login, proven, &caller, body).await
}

/// The address, where one is named, and the purpose.
fn target(auth: &Auth, said: &Said) -> Result<(Option<String>, String), Failure> {
    let purposes = &auth.options.purposes;
    let to = said.one_of(&ADDRESSES)?.map(|(field, to)| address(field, to)).transpose()?;
    let purpose = said.optional_text("purpose")?.or(purposes.first().map(String::as_str)).unwrap_or_default();
    match purposes.iter().any(|known| known == purpose) {
        true => Ok((to, purpose.to_owned())),
        false => Err(Failure::invalid(format!("purpose must be one of {}", purposes.join(", ")))),
    }
}

fn answer(sent: &Sent, message: &str) -> Response {
    let mut body = json!({
        "success": true,
        "message": message,
        "id": sent.id,
        "expiresIn": seconds_to(sent.expires_at_ms),
        "retryAfter": seconds_to(sent.resend_at_ms),
        "attemptsLeft": sent.attempts_left,
    });
    // In development mode alone.
    if let Some(code) = &sent.code {
        body["otp"] = json!(code.expose());
    }
    json(body)
}
