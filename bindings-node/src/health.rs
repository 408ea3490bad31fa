//! `once.health()`.

use napi::Env;
use napi_derive::napi;

use crate::client::Client;
use crate::reply::Reply;

#[napi]
impl Client {
    /// `once.health`.
    #[napi]
    pub fn health(&self, env: Env, call: u32) -> Option<Reply> {
        self.run(&env, call, oncecode::Oncecode::health)
    }
}

/// How the store is.
#[napi(object, object_from_js = false)]
pub struct Health {
    /// Whether it answered.
    pub ok: bool,
    /// The scheme of its URL.
    pub store: String,
    /// What the circuit breaker does.
    pub breaker: Option<&'static str>,
    /// Since when, in milliseconds since the Unix epoch.
    pub since_ms: Option<f64>,
    /// How long it took to answer.
    pub latency_ms: Option<f64>,
    /// Why it is not ok: an error code.
    pub error: Option<&'static str>,
    /// By how much this machine's clock is ahead.
    pub clock_skew_ms: Option<f64>,
    /// What endangers the codes.
    pub warnings: Vec<String>,
}

impl From<oncecode::Health> for Health {
    fn from(health: oncecode::Health) -> Self {
        Self {
            ok: health.ok,
            store: health.store,
            breaker: health.breaker.map(|state| state.code()),
            since_ms: health.since_ms.map(|ms| ms as f64),
            latency_ms: health.latency.map(|latency| latency.as_secs_f64() * 1000.0),
            error: health.error.map(|kind| kind.code()),
            clock_skew_ms: health.clock_skew_ms.map(|ms| ms as f64),
            warnings: health.warnings,
        }
    }
}
