//! `once.limits`: define, hit, peek, refund, reset, clientIp.

use napi::Env;
use napi_derive::napi;
use oncecode::{Error, ErrorKind, HitRequest, LimitDefinition};

use crate::client::Client;
use crate::convert::Text;
use crate::reply::Reply;

#[napi]
impl Client {
    /// `once.limits.define`.
    #[napi]
    pub fn define_limit(&self, name: Text, definition: Text) -> Reply {
        self.now(|once| {
            let definition: LimitDefinition = serde_json::from_str(&definition.0)
                .map_err(|e| Error::new(ErrorKind::Config, format!("the limit's definition: {e}")))?;
            once.limits().define(&name.0, &definition)
        })
    }

    /// `once.limits.clientIp`.
    #[napi]
    pub fn client_ip(&self, remote: Text, forwarded_for: Option<Text>) -> Reply {
        self.now(|once| once.limits().client_ip(&remote.0, forwarded_for.as_ref().map(|text| text.0.as_str())))
    }

    /// `once.limits.hit`.
    #[napi]
    pub fn hit(
        &self,
        env: Env,
        call: u32,
        limit: Text,
        key: Option<Text>,
        ip: Option<Text>,
        cost: Option<u32>,
    ) -> Option<Reply> {
        self.run(&env, call, |once| once.limits().hit(request(limit, key, ip, cost)))
    }

    /// `once.limits.peek`.
    #[napi]
    pub fn peek_limit(&self, env: Env, call: u32, limit: Text, key: Option<Text>, ip: Option<Text>) -> Option<Reply> {
        self.run(&env, call, |once| once.limits().peek(request(limit, key, ip, None)))
    }

    /// `once.limits.refund`.
    #[napi]
    pub fn refund(
        &self,
        env: Env,
        call: u32,
        limit: Text,
        key: Option<Text>,
        ip: Option<Text>,
        cost: Option<u32>,
    ) -> Option<Reply> {
        self.run(&env, call, |once| once.limits().refund(request(limit, key, ip, cost)))
    }

    /// `once.limits.reset`.
    #[napi]
    pub fn reset_limit(&self, env: Env, call: u32, limit: Text, key: Option<Text>, ip: Option<Text>) -> Option<Reply> {
        self.run(&env, call, |once| once.limits().reset(request(limit, key, ip, None)))
    }
}

fn request(limit: Text, key: Option<Text>, ip: Option<Text>, cost: Option<u32>) -> HitRequest {
    let mut request = HitRequest::default();
    request.limit = limit.into();
    request.key = key.map(String::from);
    request.ip = ip.map(String::from);
    request.cost = cost;
    request
}
