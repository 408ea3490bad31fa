//! `once.admin`: copy, a batch at a time.

use napi::Env;
use napi_derive::napi;
use oncecode::CopyRequest;

use crate::client::Client;
use crate::convert::Text;
use crate::reply::Reply;

#[napi]
impl Client {
    /// `once.admin.copy`, one batch of it.
    #[napi]
    pub fn copy(&self, env: Env, call: u32, to: Text, batch: u32, from: Option<Text>, keep: bool) -> Option<Reply> {
        let mut request = CopyRequest::new(to);
        request.batch = batch;
        request.resume_from = from.map(String::from);
        request.keep = keep;
        self.run(&env, call, |once| once.admin().copy_batch(request))
    }
}
