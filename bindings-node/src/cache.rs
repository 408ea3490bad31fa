//! `once.cache`: get, set, fetch and fill, invalidate. What loads between fetch and fill is JavaScript.

use std::sync::{Arc, Mutex, PoisonError};

use napi::Env;
use napi::bindgen_prelude::External;
use napi_derive::napi;
use oncecode::{CacheRequest, Error, ErrorKind, Ticket};

use crate::client::Client;
use crate::convert::{Text, json};
use crate::held::span;
use crate::reply::Reply;

/// The duty to load, until it is done or given up.
pub type Duty = Arc<Mutex<Option<Box<Ticket>>>>;

#[napi]
impl Client {
    /// `once.cache.get`.
    #[napi]
    pub fn cache_get(&self, env: Env, call: u32, key: Text, version: Option<u32>) -> Option<Reply> {
        self.run(&env, call, |once| once.cache().get(&key.0, version.unwrap_or(1)))
    }

    /// `once.cache.set`. No value: there is none.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn cache_set(
        &self,
        env: Env,
        call: u32,
        key: Text,
        value: Option<Text>,
        ttl_seconds: Option<f64>,
        negative_ttl_seconds: Option<f64>,
        version: Option<u32>,
    ) -> Option<Reply> {
        let request = request(key, ttl_seconds, negative_ttl_seconds, version);
        match value.map(|value| json("value", &value)).transpose() {
            Ok(value) => self.run(&env, call, |once| once.cache().set(request, value)),
            Err(e) => Some(Reply::Refused(e)),
        }
    }

    /// The first half of `once.cache.getOrLoad`.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn cache_fetch(
        &self,
        env: Env,
        call: u32,
        key: Text,
        ttl_seconds: Option<f64>,
        negative_ttl_seconds: Option<f64>,
        version: Option<u32>,
        lease_seconds: Option<f64>,
        wait_seconds: Option<f64>,
    ) -> Option<Reply> {
        let mut request = request(key, ttl_seconds, negative_ttl_seconds, version);
        request.lease = lease_seconds.map_or(request.lease, span);
        request.wait = wait_seconds.map_or(request.wait, span);
        self.run(&env, call, |once| once.cache().fetch(request))
    }

    /// The second half.
    #[napi]
    pub fn cache_fill(&self, env: Env, call: u32, duty: &External<Duty>, value: Option<Text>) -> Option<Reply> {
        let Some(ticket) = taken(duty) else {
            return Some(Reply::Refused(Error::new(ErrorKind::Internal, "the value was loaded before")));
        };
        match value.map(|value| json("the loaded value", &value)).transpose() {
            Ok(value) => self.run(&env, call, |_| ticket.fill(value)),
            Err(e) => Some(Reply::Refused(e)),
        }
    }

    /// `once.cache.invalidate`.
    #[napi]
    pub fn cache_invalidate(&self, env: Env, call: u32, key: Text) -> Option<Reply> {
        self.run(&env, call, |once| once.cache().invalidate(&key.0))
    }
}

/// The load failed: the next one's turn.
#[napi]
pub fn give_up(duty: &External<Duty>) {
    drop(taken(duty));
}

fn taken(duty: &External<Duty>) -> Option<Box<Ticket>> {
    duty.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn request(key: Text, ttl: Option<f64>, negative_ttl: Option<f64>, version: Option<u32>) -> CacheRequest {
    let mut request = CacheRequest::new(key);
    request.ttl = ttl.map_or(request.ttl, span);
    request.negative_ttl = negative_ttl.map_or(request.negative_ttl, span);
    request.version = version.unwrap_or(request.version);
    request
}
