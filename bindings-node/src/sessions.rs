//! `once.sessions`: create, validate, rotate, list, revoke, and the cookie.

use napi::Env;
use napi_derive::napi;
use oncecode::{Session, SessionRequest, SessionTarget};
use serde_json::Value;

use crate::client::Client;
use crate::convert::{Text, json};
use crate::held::span;
use crate::reply::Reply;

#[napi]
impl Client {
    /// `once.sessions.create`.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn create_session(
        &self,
        env: Env,
        call: u32,
        user_id: Text,
        device: Option<Text>,
        ip: Option<Text>,
        data: Option<Text>,
        ttl_seconds: Option<f64>,
    ) -> Option<Reply> {
        let mut request = SessionRequest::new(user_id);
        request.device = device.map(String::from);
        request.ip = ip.map(String::from);
        request.ttl = ttl_seconds.map(span);
        request.data = match data.map(|data| json("data", &data)).transpose() {
            Ok(data) => data,
            Err(e) => return Some(Reply::Refused(e)),
        };
        self.run(&env, call, |once| once.sessions().create(request))
    }

    /// `once.sessions.validate`.
    #[napi]
    pub fn validate_session(&self, env: Env, call: u32, token: Text, ip: Option<Text>) -> Option<Reply> {
        self.run(&env, call, |once| once.sessions().validate(&token.0, ip.as_ref().map(|ip| ip.0.as_str())))
    }

    /// `once.sessions.rotate`.
    #[napi]
    pub fn rotate_session(&self, env: Env, call: u32, token: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.sessions().rotate(&token.0))
    }

    /// `once.sessions.list`.
    #[napi]
    pub fn list_sessions(&self, env: Env, call: u32, user_id: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.sessions().list(&user_id.0))
    }

    /// `once.sessions.revoke` by token.
    #[napi]
    pub fn revoke_session(&self, env: Env, call: u32, token: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.sessions().revoke(SessionTarget::token(token)))
    }

    /// `once.sessions.revoke` by id.
    #[napi]
    pub fn revoke_session_by_id(&self, env: Env, call: u32, user_id: Text, id: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.sessions().revoke(SessionTarget::id(user_id, id)))
    }

    /// `once.sessions.revokeAll`.
    #[napi]
    pub fn revoke_sessions(&self, env: Env, call: u32, user_id: Text, except: Option<Text>) -> Option<Reply> {
        let except = except.map(String::from);
        self.run(&env, call, |once| once.sessions().revoke_all(&user_id.0, except.as_deref()))
    }

    /// `once.sessions.cookie`.
    #[napi]
    pub fn session_cookie(&self, token: Text, max_age_seconds: Option<f64>) -> Reply {
        self.now(|once| once.sessions().cookie(&token.0, max_age_seconds.map(span)))
    }

    /// `once.sessions.clearCookie`.
    #[napi]
    pub fn clear_session_cookie(&self) -> Reply {
        self.now(|once| Ok(once.sessions().clear_cookie()))
    }

    /// `once.sessions.readCookie`.
    #[napi]
    pub fn read_session_cookie(&self, header: Text) -> Reply {
        self.now(|once| Ok(once.sessions().read_cookie(&header.0)))
    }
}

/// As `lib/sessions.cts` reads it.
pub(crate) fn shown(session: &Session) -> Value {
    serde_json::json!({
        "id": session.id, "userId": session.user_id, "device": session.device, "ip": session.ip, "data": session.data,
        "createdAt": session.created_at_ms, "lastActiveAt": session.last_active_at_ms, "expiresAt": session.expires_at_ms,
    })
}
