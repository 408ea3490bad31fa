//! `once.limits`: define, hit, peek, refund, reset.

use std::sync::Arc;
use std::time::Duration;

use crate::client::Core;
use crate::config::{LimitDefinition, LimitRule, Outage};
use crate::error::{Error, ErrorKind, Result};
use crate::ip;
use crate::key::Key;
use crate::ops::quota::Quota;
use crate::store::{self, Algorithm, BoxFuture, Gate, Hits, Limit, Rate, Rates, Room, Store};

/// Rate limits. From [`Oncecode::limits`](crate::Oncecode::limits).
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) core: Arc<Core>,
}

/// What [`Limits::hit`] needs: `key`, `ip` or both, which then are counted each for itself.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct HitRequest {
    /// The limit's name: one of the presets `auth` (10 per 15 min), `email` (5 per h), `search` (60 per min), `purchase`
    /// (10 per h), `api` (300 per min), or one that was defined.
    pub limit: String,
    /// Who is limited, such as a user id: 1 to 1024 bytes.
    pub key: Option<String>,
    /// An IP address that is limited (IPv6: its /64).
    pub ip: Option<String>,
    /// How much it takes, from 1. Default 1.
    pub cost: Option<u32>,
}

impl HitRequest {
    /// A hit of cost 1 by `key`.
    pub fn new(limit: impl Into<String>, key: impl Into<String>) -> Self {
        Self { limit: limit.into(), key: Some(key.into()), ..Self::default() }
    }

    /// A hit of cost 1 by an IP address.
    pub fn ip(limit: impl Into<String>, ip: impl Into<String>) -> Self {
        Self { limit: limit.into(), ip: Some(ip.into()), ..Self::default() }
    }
}

impl std::fmt::Debug for HitRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HitRequest").field("limit", &self.limit).field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Limits {
    /// Defines a limit, or defines it anew for this process. Limits in the options need no call.
    ///
    /// # Errors
    /// `CONFIG` for one that cannot work.
    pub fn define(&self, name: &str, definition: &LimitDefinition) -> Result<()> {
        let rule = definition.check(name)?;
        self.core.rules().insert(name.to_owned(), Arc::new(rule));
        Ok(())
    }

    /// Takes the cost from every limit of that name, or nothing from any. One round trip, with `key` and `ip` two that
    /// are under way together.
    ///
    /// # Errors
    /// `RATE_LIMITED` with `retry_after` and [`Error::headers`]; `INVALID_ARGUMENT` for an unknown name, a cost above the
    /// maximum, a key that is none; `STORE_UNAVAILABLE` where the limit is `closed` during an outage.
    pub fn hit(&self, request: HitRequest) -> BoxFuture<'static, Result<Quota>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let quota = core.open()?.ask(&request, request.cost.unwrap_or(1)).await?;
            match quota.allowed {
                true => Ok(quota),
                false => Err(refusal(&quota)),
            }
        })
    }

    /// What a hit of cost 1 would find. Takes nothing.
    ///
    /// # Errors
    /// As [`Limits::hit`], without `RATE_LIMITED`.
    pub fn peek(&self, request: HitRequest) -> BoxFuture<'static, Result<Quota>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move { Ok(core.open()?.ask(&request, 0).await?.seen()) })
    }

    /// Gives back what a hit took, for what then came to nothing: a message that was not sent, a request that failed.
    /// What is over by now stays as it is. During an outage, what this process counted for itself is given back.
    ///
    /// # Errors
    /// As [`Limits::hit`], without `RATE_LIMITED`.
    pub fn refund(&self, request: HitRequest) -> BoxFuture<'static, Result<()>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move { core.open()?.give_back(&request, request.cost.unwrap_or(1)).await })
    }

    /// Forgets what was taken by exactly this `key` or `ip`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for an unknown name or a key that is none; `STORE_UNAVAILABLE`.
    pub fn reset(&self, request: HitRequest) -> BoxFuture<'static, Result<()>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let core = core.open()?;
            for key in core.subjects(&request, &*core.rule(&request.limit)?)? {
                core.store.take(&key).await?;
                core.local.take(&key).await?;
            }
            Ok(())
        })
    }

    /// The address of whoever sent a request: the connection's own, or what the proxies in `trustedProxies` say in
    /// `X-Forwarded-For`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when `remote` is no address.
    pub fn client_ip(&self, remote: &str, forwarded_for: Option<&str>) -> Result<String> {
        self.core.settings.trusted_proxies.client(remote, forwarded_for).map(|ip| ip.to_string())
    }
}

impl Core {
    async fn ask(&self, request: &HitRequest, cost: u32) -> Result<Quota> {
        let rule = self.rule(&request.limit)?;
        let subjects = self.subjects(request, &rule)?;
        let least = rule.rates.iter().map(|rate| rate.max).min().unwrap_or(0);
        if cost > least || request.cost == Some(0) {
            return Err(Error::argument("cost must be from 1 to the limit's maximum"));
        }
        if self.settings.limits_off {
            let whole = |rate: &Rate| Room { remaining: rate.max, resets_in: Duration::ZERO, retry_in: Duration::ZERO };
            let rooms = rule.rates.iter().map(whole).collect();
            return Ok(Quota::new(&request.limit, &rule.rates, Hits { allowed: true, rooms }, false));
        }
        let subjects = match <[Key; 1]>::try_from(subjects) {
            Ok([key]) => return self.decide(&request.limit, &rule, key, cost).await,
            Err(several) => several,
        };
        let answers = subjects.into_iter().map(|key| self.decide(&request.limit, &rule, key, cost));
        let quotas = futures::future::try_join_all(answers).await?;
        // The strictest speaks for all.
        quotas.into_iter().reduce(Quota::stricter).ok_or_else(|| Error::argument("key or ip is required"))
    }

    async fn decide(&self, name: &str, rule: &LimitRule, key: Key, cost: u32) -> Result<Quota> {
        let quota = |hits, degraded| Quota::new(name, &rule.rates, hits, degraded);
        let counted = Counted::new(&rule.rates, key);
        match (hit(&*self.store, &counted, cost).await, rule.outage) {
            (Ok(hits), _) => Ok(quota(hits, false)),
            (Err(e), outage) if e.kind() != ErrorKind::StoreUnavailable || outage == Outage::Closed => Err(e),
            (Err(_), Outage::Open) => {
                let whole =
                    |rate: &Rate| Room { remaining: rate.max, resets_in: rate.window, retry_in: Duration::ZERO };
                Ok(quota(Hits { allowed: true, rooms: rule.rates.iter().map(whole).collect() }, true))
            }
            (Err(_), _) => Ok(quota(hit(&*self.local, &counted, cost).await?, true)),
        }
    }

    async fn give_back(&self, request: &HitRequest, cost: u32) -> Result<()> {
        let rule = self.rule(&request.limit)?;
        let subjects = self.subjects(request, &rule)?;
        if self.settings.limits_off {
            return Ok(());
        }
        for key in subjects {
            let counted = Counted::new(&rule.rates, key);
            match (give_back(&*self.store, &counted, cost).await, rule.outage) {
                (Err(e), Outage::Local) if e.kind() == ErrorKind::StoreUnavailable => {
                    give_back(&*self.local, &counted, cost).await?;
                }
                (Err(e), Outage::Open) if e.kind() == ErrorKind::StoreUnavailable => {}
                (outcome, _) => outcome?,
            }
        }
        Ok(())
    }

    fn rule(&self, name: &str) -> Result<Arc<LimitRule>> {
        let unknown = || Error::argument("no limit of that name is defined");
        self.rules().get(name).cloned().ok_or_else(unknown)
    }

    /// The keys that are counted: of `ip`, of `key`, or of both.
    fn subjects(&self, request: &HitRequest, rule: &LimitRule) -> Result<Vec<Key>> {
        let kind = if rule.is_single() { "limit" } else { "limits" };
        let key = |how: &str, who: &str| self.keys.key(&self.ring, kind, &[&request.limit, how, who]);
        let mut keys = Vec::with_capacity(2);
        if let Some(ip) = &request.ip {
            keys.push(key("ip", &ip::network(ip)?));
        }
        if let Some(who) = &request.key {
            if who.is_empty() || who.len() > 1024 {
                return Err(Error::argument("key must be 1 to 1024 bytes"));
            }
            keys.push(key("key", who));
        }
        if keys.is_empty() {
            return Err(Error::argument("key or ip is required"));
        }
        Ok(keys)
    }
}

impl LimitRule {
    /// One fixed window is a plain counter.
    fn is_single(&self) -> bool {
        matches!(self.rates[..], [Rate { algorithm: Algorithm::Fixed, .. }])
    }
}

/// What a store counts: one fixed window is a plain counter.
enum Counted {
    One(Gate),
    Several(Rates),
}

impl Counted {
    fn new(rates: &[Rate], key: Key) -> Self {
        match *rates {
            [Rate { algorithm: Algorithm::Fixed, max, window }] => {
                Self::One(Gate { key, limit: Limit::new(max, window) })
            }
            _ => Self::Several(Rates { key, rates: rates.to_vec() }),
        }
    }
}

async fn hit(store: &dyn Store, counted: &Counted, cost: u32) -> Result<Hits> {
    let gate = match counted {
        Counted::One(gate) => gate,
        Counted::Several(rates) => return store.hits(rates, cost).await,
    };
    let zero = Duration::ZERO;
    // A look must not begin a window.
    if cost == 0 && store.get(&gate.key).await?.is_none() {
        let room = Room { remaining: gate.limit.max, resets_in: zero, retry_in: zero };
        return Ok(Hits { allowed: true, rooms: vec![room] });
    }
    let hit = store.hit(gate, cost).await?;
    let retry_in = if hit.allowed { zero } else { hit.resets_in };
    let room = Room { remaining: hit.remaining, resets_in: hit.resets_in, retry_in };
    Ok(Hits { allowed: hit.allowed, rooms: vec![room] })
}

async fn give_back(store: &dyn Store, counted: &Counted, cost: u32) -> Result<()> {
    match counted {
        Counted::One(gate) => store::give_back_count(store, gate, cost).await,
        Counted::Several(rates) => store::give_back(store, rates, cost).await,
    }
}

fn refusal(quota: &Quota) -> Error {
    Error::new(ErrorKind::RateLimited, "too many requests")
        .with_retry_after(quota.retry_in)
        .with_headers(quota.headers(false))
}
