//! `once.links`: issue, send, verify, peek.

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
            let request = request(to, purpose, data, url, ttl_seconds)?;
            once.links().issue(&request)
        })
    }

    /// `once.links.send`.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn send_link(
        &self,
        env: Env,
        call: u32,
        to: Text,
        purpose: Text,
        data: Option<Text>,
        url: Option<Text>,
        ttl_seconds: Option<f64>,
        locale: Option<Text>,
    ) -> Option<Reply> {
        match request(to, purpose, data, url, ttl_seconds) {
            Ok(mut request) => {
                request.locale = locale.map(String::from);
                self.run(&env, call, |once| once.links().send(request))
            }
            Err(e) => Some(Reply::Refused(e)),
        }
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

fn request(
    to: Text,
    purpose: Text,
    data: Option<Text>,
    url: Option<Text>,
    ttl_seconds: Option<f64>,
) -> oncecode::Result<LinkRequest> {
    let mut request = LinkRequest::new(to, purpose);
    request.data = data.map(|data| json("data", &data)).transpose()?;
    request.url = url.map(String::from);
    request.ttl = ttl_seconds.map(span);
    Ok(request)
}

fn target(token: Text, purpose: Text, to: Option<Text>) -> LinkTarget {
    let mut target = LinkTarget::new(token, purpose);
    target.to = to.map(String::from);
    target
}
