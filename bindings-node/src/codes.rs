//! `once.codes`: issue, verify, resend, cancel, peek.

use napi::Env;
use napi_derive::napi;
use oncecode::{IssueRequest, ResendRequest, Target, VerifyRequest};

use crate::client::Client;
use crate::convert::{Text, json};
use crate::reply::Reply;

#[napi]
impl Client {
    /// `once.codes.issue`.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn issue(
        &self,
        env: Env,
        call: u32,
        to: Text,
        purpose: Text,
        ip: Option<Text>,
        locale: Option<Text>,
        data: Option<Text>,
    ) -> Option<Reply> {
        let mut request = IssueRequest::new(to, purpose);
        request.ip = ip.map(String::from);
        request.locale = locale.map(String::from);
        request.data = match data.map(|data| json("data", &data)).transpose() {
            Ok(data) => data,
            Err(e) => return Some(Reply::Refused(e)),
        };
        self.run(&env, call, |once| once.codes().issue(request))
    }

    /// `once.codes.verify`.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn verify(
        &self,
        env: Env,
        call: u32,
        to: Option<Text>,
        id: Option<Text>,
        purpose: Text,
        code: Text,
        ip: Option<Text>,
    ) -> Option<Reply> {
        let mut request = VerifyRequest::default();
        request.to = to.map(String::from);
        request.id = id.map(String::from);
        request.purpose = purpose.into();
        request.code = code.into();
        request.ip = ip.map(String::from);
        self.run(&env, call, |once| once.codes().verify(request))
    }

    /// `once.codes.resend`.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn resend(
        &self,
        env: Env,
        call: u32,
        to: Option<Text>,
        id: Option<Text>,
        purpose: Text,
        ip: Option<Text>,
        locale: Option<Text>,
    ) -> Option<Reply> {
        let mut request = ResendRequest::default();
        request.to = to.map(String::from);
        request.id = id.map(String::from);
        request.purpose = purpose.into();
        request.ip = ip.map(String::from);
        request.locale = locale.map(String::from);
        self.run(&env, call, |once| once.codes().resend(request))
    }

    /// `once.codes.cancel`.
    #[napi]
    pub fn cancel(&self, env: Env, call: u32, to: Option<Text>, id: Option<Text>, purpose: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.codes().cancel(target(to, id, purpose)))
    }

    /// `once.codes.peek`.
    #[napi]
    pub fn peek(&self, env: Env, call: u32, to: Option<Text>, id: Option<Text>, purpose: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.codes().peek(target(to, id, purpose)))
    }
}

fn target(to: Option<Text>, id: Option<Text>, purpose: Text) -> Target {
    let mut target = Target::default();
    target.to = to.map(String::from);
    target.id = id.map(String::from);
    target.purpose = purpose.into();
    target
}
