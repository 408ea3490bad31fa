//! `/signup/send-otp` and `/signup/verify-otp`: an email address, and `user_type` makes the purpose.

use axum::extract::State;
use axum::response::Response;
use oncecode::VerifyRequest;

use super::codes::{CODES, prove, send};
use super::{Auth, address};
use crate::answer::Failure;
use crate::body::Said;
use crate::caller::Caller;

pub(super) async fn send_code(State(auth): State<Auth>, caller: Caller, said: Said) -> Result<Response, Failure> {
    said.only(&[&["email", "user_type", "locale"]], &auth.options.fields)?;
    let (to, purpose) = target(&auth, &said)?;
    send(&auth, caller, &said, to, purpose).await
}

pub(super) async fn verify(State(auth): State<Auth>, caller: Caller, said: Said) -> Result<Response, Failure> {
    said.only(&[&["email", "user_type"], &CODES], &auth.options.fields)?;
    let (to, purpose) = target(&auth, &said)?;
    prove(&auth, caller, &said, VerifyRequest::new(to, purpose, "")).await
}

fn target(auth: &Auth, said: &Said) -> Result<(String, String), Failure> {
    let (types, given) = (&auth.options.user_types, said.text("user_type")?);
    match types.iter().any(|known| known == given) {
        true => Ok((address("email", said.text("email")?)?, format!("signup-{given}"))),
        false => Err(Failure::invalid(format!("user_type must be one of {}", types.join(", ")))),
    }
}
