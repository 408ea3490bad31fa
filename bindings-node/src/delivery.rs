//! `once.sender`. Nothing here waits.

use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use oncecode::StatusRequest;

use crate::client::Client;
use crate::convert::Text;
use crate::reply::Reply;

#[napi]
impl Client {
    /// `once.sender.status`. Headers are a name, a value, a name and so on.
    #[napi]
    pub fn delivery_status(&self, url: Text, headers: Vec<Text>, body: Uint8Array) -> Reply {
        self.now(|once| {
            let mut request = StatusRequest::default();
            request.url = url.0;
            request.headers = headers.chunks_exact(2).map(|pair| (pair[0].0.clone(), pair[1].0.clone())).collect();
            request.body = body.to_vec();
            once.sender().status(&request).map(|status| status.to_json().to_string())
        })
    }
}
