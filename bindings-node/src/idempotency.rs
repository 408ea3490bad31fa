//! `once.idempotency`: begin, complete, abandon. What runs between them is JavaScript.

use napi::Env;
use napi_derive::napi;
use oncecode::IdempotencyRequest;

use crate::client::Client;
use crate::convert::{Text, json};
use crate::held::span;
use crate::reply::Reply;

#[napi]
impl Client {
    /// `once.idempotency.begin`.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn begin(
        &self,
        env: Env,
        call: u32,
        scope: Text,
        key: Text,
        fingerprint: Option<Text>,
        lease_seconds: Option<f64>,
        retention_seconds: Option<f64>,
        wait_seconds: Option<f64>,
        renew: bool,
    ) -> Option<Reply> {
        let mut request = IdempotencyRequest::new(scope, key);
        request.lease = lease_seconds.map_or(request.lease, span);
        request.retention = retention_seconds.map_or(request.retention, span);
        request.wait = wait_seconds.map_or(request.wait, span);
        request.renew = renew;
        match fingerprint.map_or(Ok(request.fingerprint), |given| json("fingerprint", &given)) {
            Ok(given) => request.fingerprint = given,
            Err(e) => return Some(Reply::Refused(e)),
        }
        self.run(&env, call, |once| once.idempotency().begin(request))
    }

    /// `once.idempotency.complete`.
    #[napi]
    pub fn complete(&self, env: Env, call: u32, scope: Text, key: Text, token: Text, reply: Text) -> Option<Reply> {
        match json("the reply", &reply) {
            Ok(reply) => self.run(&env, call, |once| once.idempotency().complete(&scope.0, &key.0, &token.0, reply)),
            Err(e) => Some(Reply::Refused(e)),
        }
    }

    /// `once.idempotency.abandon`.
    #[napi]
    pub fn abandon(&self, env: Env, call: u32, scope: Text, key: Text, token: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.idempotency().abandon(&scope.0, &key.0, &token.0))
    }
}
