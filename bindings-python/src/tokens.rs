//! `once.tokens`: sign, verify, revoke.

use oncecode::{Claims, SignRequest};
use pyo3::prelude::*;
use serde_json::Value;

use crate::client::Client;
use crate::convert::{from_json, json, optional_seconds, text};
use crate::errors::invalid_argument;
use crate::results::Answer;

type Given<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl Client {
    /// A token with these claims.
    fn sign_token(&self, claims: Given<'_, '_>, ttl_seconds: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let request = request(claims, ttl_seconds)?;
        self.perform(claims.py(), move |once| once.tokens().sign(request))
    }

    /// The claims of a good token.
    fn verify_token(&self, token: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let given = text("token", token)?;
        self.perform_at_once(token.py(), move |once| once.tokens().verify(&given))
    }

    /// The same without the user's version.
    fn sign_token_stateless(&self, claims: Given<'_, '_>, ttl_seconds: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let request = request(claims, ttl_seconds)?;
        self.now(claims.py(), move |once| once.tokens().sign_stateless(&request))
    }

    /// The same without regard to revocations.
    fn verify_token_stateless(&self, token: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let given = text("token", token)?;
        self.now(token.py(), move |once| once.tokens().verify_stateless(&given))
    }

    /// Revokes one token.
    fn revoke_token(&self, token: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let given = text("token", token)?;
        self.perform(token.py(), move |once| once.tokens().revoke(&given))
    }

    /// Revokes all tokens of a user.
    fn revoke_tokens(&self, user_id: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let user = text("user_id", user_id)?;
        self.perform(user_id.py(), move |once| once.tokens().revoke_all(&user))
    }

    /// Revokes everybody's tokens.
    fn revoke_everybodys_tokens(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.perform(py, |once| once.tokens().revoke_everybody())
    }

    /// The public keys.
    fn token_jwks(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.now(py, |once| Ok(once.tokens().jwks()))
    }
}

fn request(claims: Given<'_, '_>, ttl_seconds: Given<'_, '_>) -> PyResult<SignRequest> {
    let Some(Value::Object(given)) = json("claims", claims)? else {
        return Err(invalid_argument(claims.py(), "claims must be a dict"));
    };
    let mut request = SignRequest::new(given);
    request.ttl = optional_seconds("ttl_seconds", ttl_seconds)?;
    Ok(request)
}

impl Answer for Claims {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        from_json(py, &Value::Object(self.to_map()))
    }
}

impl Answer for Value {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        from_json(py, &self)
    }
}
