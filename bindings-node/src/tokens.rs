//! `once.tokens`: sign, verify, revoke.

use napi::Env;
use napi_derive::napi;
use oncecode::{Error, ErrorKind, Result, SignRequest};
use serde_json::Value;

use crate::client::Client;
use crate::convert::{Text, json};
use crate::held::span;
use crate::reply::Reply;

#[napi]
impl Client {
    /// `once.tokens.sign`. `claims` are JSON.
    #[napi]
    pub fn sign_token(&self, env: Env, call: u32, claims: Text, ttl_seconds: Option<f64>) -> Option<Reply> {
        match request(claims, ttl_seconds) {
            Ok(request) => self.run(&env, call, |once| once.tokens().sign(request)),
            Err(why) => Some(Reply::Refused(why)),
        }
    }

    /// `once.tokens.verify`. Mostly there at once.
    #[napi]
    pub fn verify_token(&self, env: Env, call: u32, token: Text) -> Option<Reply> {
        self.run_at_once(&env, call, |once| once.tokens().verify(&token.0))
    }

    /// `once.tokens.signStateless`.
    #[napi]
    pub fn sign_token_stateless(&self, claims: Text, ttl_seconds: Option<f64>) -> Reply {
        self.now(|once| once.tokens().sign_stateless(&request(claims, ttl_seconds)?))
    }

    /// `once.tokens.verifyStateless`.
    #[napi]
    pub fn verify_token_stateless(&self, token: Text) -> Reply {
        self.now(|once| once.tokens().verify_stateless(&token.0))
    }

    /// `once.tokens.revoke`.
    #[napi]
    pub fn revoke_token(&self, env: Env, call: u32, token: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.tokens().revoke(&token.0))
    }

    /// `once.tokens.revokeAll`.
    #[napi]
    pub fn revoke_tokens(&self, env: Env, call: u32, user_id: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.tokens().revoke_all(&user_id.0))
    }

    /// `once.tokens.revokeEverybody`.
    #[napi]
    pub fn revoke_everybodys_tokens(&self, env: Env, call: u32) -> Option<Reply> {
        self.run(&env, call, |once| once.tokens().revoke_everybody())
    }

    /// `once.tokens.jwks`.
    #[napi]
    pub fn token_jwks(&self) -> Reply {
        self.now(|once| Ok(once.tokens().jwks().to_string()))
    }
}

fn request(claims: Text, ttl_seconds: Option<f64>) -> Result<SignRequest> {
    let Value::Object(claims) = json("claims", &claims)? else {
        return Err(Error::new(ErrorKind::InvalidArgument, "claims must be an object"));
    };
    let mut request = SignRequest::new(claims);
    request.ttl = ttl_seconds.map(span);
    Ok(request)
}
