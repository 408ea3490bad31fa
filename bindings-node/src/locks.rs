//! `once.locks`: acquire, tryAcquire, extend, release.

use napi::Env;
use napi_derive::napi;
use oncecode::LockRequest;

use crate::client::Client;
use crate::convert::Text;
use crate::held::span;
use crate::reply::Reply;

#[napi]
impl Client {
    /// `once.locks.acquire`.
    #[napi]
    pub fn acquire(
        &self,
        env: Env,
        call: u32,
        name: Text,
        ttl_seconds: f64,
        wait_seconds: Option<f64>,
        renew: bool,
    ) -> Option<Reply> {
        let mut request = LockRequest::new(name, span(ttl_seconds));
        request.wait = wait_seconds.map_or(request.wait, span);
        request.renew = renew;
        self.run(&env, call, |once| once.locks().acquire(request))
    }

    /// `once.locks.tryAcquire`.
    #[napi]
    pub fn try_acquire(&self, env: Env, call: u32, name: Text, ttl_seconds: f64, renew: bool) -> Option<Reply> {
        let mut request = LockRequest::new(name, span(ttl_seconds));
        request.renew = renew;
        self.run(&env, call, |once| once.locks().try_acquire(request))
    }

    /// `once.locks.extend`.
    #[napi]
    pub fn extend(&self, env: Env, call: u32, name: Text, token: Text, ttl_seconds: f64) -> Option<Reply> {
        self.run(&env, call, |once| once.locks().extend(&name.0, &token.0, span(ttl_seconds)))
    }

    /// `once.locks.release`.
    #[napi]
    pub fn release(&self, env: Env, call: u32, name: Text, token: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.locks().release(&name.0, &token.0))
    }
}
