//! Locks and claims that JavaScript holds.

use std::sync::Arc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::External;
use napi_derive::napi;
use oncecode::store::BoxFuture;
use oncecode::{Claim, Error, ErrorKind, Lock, Result};
use serde_json::Value;

use crate::bridge;
use crate::client::Client;
use crate::convert::{Text, json};
use crate::reply::Reply;

/// What JavaScript keeps of it.
pub type Handle = Arc<Held>;

/// Let go by the garbage collector it is not released, only not renewed any more: collection comes at no known time.
pub enum Held {
    Lock(Lock),
    Claim(Claim),
}

impl Held {
    pub(crate) fn token(&self) -> &str {
        match self {
            Held::Lock(lock) => lock.token(),
            Held::Claim(claim) => claim.token(),
        }
    }

    pub(crate) fn fence(&self) -> u64 {
        match self {
            Held::Lock(lock) => lock.fence(),
            Held::Claim(claim) => claim.fence(),
        }
    }

    fn ended(&self) -> BoxFuture<'static, bool> {
        match self {
            Held::Lock(lock) => lock.ended(),
            Held::Claim(claim) => claim.ended(),
        }
    }

    fn remaining(&self) -> Duration {
        match self {
            Held::Lock(lock) => lock.remaining(),
            Held::Claim(claim) => claim.remaining(),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Held::Lock(lock) = self {
            lock.detach();
        }
    }
}

/// How much longer it may be relied on, in milliseconds.
#[napi]
pub fn remaining(held: &External<Handle>) -> f64 {
    held.remaining().as_secs_f64() * 1000.0
}

#[napi]
impl Client {
    /// Answers `true` when it is lost, `false` when it is given back. Does not keep the process alive.
    #[napi]
    pub fn ended(&self, call: u32, held: &External<Handle>) {
        let ended = held.ended();
        bridge::start_unawaited(self.queue(), call, Box::pin(async move { Ok(ended.await) }));
    }

    /// `lock.extend`.
    #[napi]
    pub fn extend_held(&self, env: Env, call: u32, held: &External<Handle>, ttl_seconds: f64) -> Option<Reply> {
        let ttl = span(ttl_seconds);
        let extending = match &***held {
            Held::Lock(lock) => lock.extend(ttl),
            Held::Claim(_) => wrong(),
        };
        self.run(&env, call, |_| extending)
    }

    /// `lock.release`, `claim.abandon`.
    #[napi]
    pub fn release_held(&self, env: Env, call: u32, held: &External<Handle>) -> Option<Reply> {
        let releasing = match &***held {
            Held::Lock(lock) => lock.release(),
            Held::Claim(claim) => claim.abandon(),
        };
        self.run(&env, call, |_| releasing)
    }

    /// `claim.complete`.
    #[napi]
    pub fn complete_held(&self, env: Env, call: u32, held: &External<Handle>, reply: Text) -> Option<Reply> {
        let reply: Value = match json("the reply", &reply) {
            Ok(reply) => reply,
            Err(e) => return Some(Reply::Refused(e)),
        };
        let completing = match &***held {
            Held::Claim(claim) => claim.complete(&reply),
            Held::Lock(_) => wrong(),
        };
        self.run(&env, call, |_| completing)
    }
}

/// Only `lib/` could mix them up.
fn wrong() -> BoxFuture<'static, Result<()>> {
    Box::pin(async { Err(Error::new(ErrorKind::Internal, "a lock is no claim")) })
}

/// The core refuses what is too long; `lib/` what is negative or no number.
pub(crate) fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
