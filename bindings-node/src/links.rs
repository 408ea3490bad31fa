//! `once.links`: issue, verify, peek.

use napi::Env;
use napi_derive::napi;
use oncecode::{LinkRequest, LinkTarget};

use crate::client::Client;
use crate::convert::{Text, json};
use crate::held::span;
use crate::reply::Reply;

#[napi]
impl Client {
    /// `once.links.issue`.
    #[napi]
    pub fn issue_link(
        &self,
        to: Text,
        purpose: Text,
        data: Option<Text>,
        url: Option<Text>,
        ttl_seconds: Option<f64>,
    ) -> Reply {
        self.now(|once| {
            let mut request = LinkRequest::new(to, purpose);
            request.data = data.map(|data| json("data", &data)).transpose()?;
            request.url = url.map(String::from);
            request.ttl = ttl_seconds.map(span);
            once.links().issue(&request)
        })
    }

    /// `once.links.verify`.
    #[napi]
    pub fn verify_link(&self, env: Env, call: u32, token: Text, purpose: Text, to: Option<Text>) -> Option<Reply> {
        self.run(&env, call, |once| once.links().verify(target(token, purpose, to)))
    }

    /// `once.links.peek`.
    #[napi]
    pub fn peek_link(&self, env: Env, call: u32, token: Text, purpose: Text, to: Option<Text>) -> Option<Reply> {
        self.run(&env, call, |once| once.links().peek(target(token, purpose, to)))
    }
}

fn target(token: Text, purpose: Text, to: Option<Text>) -> LinkTarget {
    let mut target = LinkTarget::new(token, purpose);
    target.to = to.map(String::from);
    target
}
