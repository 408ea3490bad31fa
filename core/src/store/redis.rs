//! `redis://`, `rediss://`, `redis+unix://`, and with `+cluster` or `+sentinel`: every operation is one script, every hot
//! one a single round trip.

mod cluster;
mod link;
mod route;
mod script;
mod sentinel;

use std::sync::LazyLock;
use std::time::Duration;

use ::redis::{Value, cmd};

use self::link::Link;
use self::script::Script;
use super::challenge::{Record, millis};
use super::*;
use crate::error::{Error, ErrorKind};
use crate::secret::Digest;

macro_rules! script {
    ($name:ident, $($file:literal),+) => {
        static $name: LazyLock<Script> = LazyLock::new(|| Script::new(concat!($(include_str!(concat!("lua/", $file))),+)));
    };
}

script!(ISSUE, "gate.lua", "fresh.lua", "record.lua", "issue.lua");
script!(ATTEMPT, "gate.lua", "read.lua", "record.lua", "attempt.lua");
script!(HIT, "hit.lua");
script!(GET, "get.lua");
script!(TAKE, "take.lua");
script!(REPLACE, "replace.lua");
script!(COUNT, "count.lua");

/// A Redis server by one multiplexed connection, or a Cluster by one to each node.
#[derive(Debug)]
pub(crate) struct RedisStore {
    link: Link,
}

impl RedisStore {
    /// Connects and asks for a reply, so that wrong credentials are told at the start.
    pub(crate) async fn open(url: &str, options: StoreOptions) -> Result<Self> {
        let link = Link::new(url, options.deadline, options.connect)?;
        match tokio::time::timeout(options.deadline, link.greet()).await {
            Ok(answer) => answer.map(|()| Self { link }),
            Err(_) => Err(deadline::late(options.deadline)),
        }
    }

    async fn eval(&self, script: &Script, keys: &[&Key], args: &[&[u8]]) -> Result<Value> {
        match self.link.run(&script.by_digest(keys, args)).await {
            Err(e) if script::is_unknown(&e) => self.link.run(&script.by_source(keys, args)).await,
            answer => answer,
        }
    }

    /// A hot script on an entity, behind its gate.
    async fn gated(&self, script: &Script, key: &Key, input: [&[u8]; 3], gate: Option<&Gate>) -> Result<Value> {
        let gate = match gate {
            // Two entities, two slots: the gate is a trip of its own.
            Some(gate) if self.link.is_cluster() => {
                let hit = self.hit(gate, 1).await?;
                if !hit.allowed {
                    return Ok(Value::Array(vec![Value::Int(1), Value::Int(millis(hit.resets_in) as i64)]));
                }
                None
            }
            gate => gate,
        };
        let Some(gate) = gate else { return self.eval(script, &[key], &input).await };
        let (max, window) = (gate.limit.max.to_string(), ms(gate.limit.window));
        let args = [&input[..], &[max.as_bytes(), window.as_bytes()]].concat();
        self.eval(script, &[key, &gate.key], &args).await
    }
}

impl Store for RedisStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { entry(self.eval(&GET, &[key], &[]).await?) })
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let ttl = ms(ttl);
            let answer = match when {
                When::Version(Version(old)) => self.eval(&REPLACE, &[key], &[&old, value, ttl.as_bytes()]).await?,
                condition => {
                    let mut set = cmd("SET");
                    set.arg(key.as_str()).arg(value).arg("PX").arg(ttl);
                    if matches!(condition, When::Absent) {
                        set.arg("NX");
                    }
                    self.link.run(&set).await?
                }
            };
            Ok(matches!(answer, Value::Okay | Value::Int(1)))
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { entry(self.eval(&TAKE, &[key], &[]).await?) })
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        Box::pin(async move {
            let answer = self.eval(&COUNT, &[key], &[by.to_string().as_bytes(), ms(ttl).as_bytes()]).await?;
            match items(answer)?[..] {
                [Value::Int(value), Value::Int(left)] => Ok(Count { value, ttl: time(left) }),
                _ => Err(strange()),
            }
        })
    }

    fn issue<'a>(&'a self, key: &'a Key, input: &'a Issue, gate: Option<&'a Gate>) -> BoxFuture<'a, Result<Issued>> {
        Box::pin(async move {
            // What the rules make of an unknown entity is computed here, so that the script need not.
            let mut fresh = Record::default();
            let first = fresh.issue(input, 0);
            let life = fresh.life(0);
            let (policy, value, life) = (pack_issue(input), fresh.encode(0, life), ms(life));
            match self.gated(&ISSUE, key, [&policy, &value, life.as_bytes()], gate).await? {
                Value::Okay => Ok(first),
                Value::Int(left) => Ok(Issued::New { attempts_left: left as u32 }),
                other => match &items(other)?[..] {
                    [
                        Value::Int(8),
                        Value::BulkString(id),
                        Value::Int(life),
                        Value::Int(left),
                        Value::BulkString(sealed),
                    ] => Ok(Issued::Kept {
                        id: id[..].try_into().map_err(|_| strange())?,
                        sealed: sealed.clone(),
                        expires_in: time(*life),
                        attempts_left: *left as u32,
                    }),
                    why => refused(why).map(Issued::Refused),
                },
            }
        })
    }

    fn attempt<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Attempt,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Attempted>> {
        Box::pin(async move {
            match self.gated(&ATTEMPT, key, [&pack_attempt(input), b"", b""], gate).await? {
                Value::BulkString(sealed) => Ok(Attempted::Right { sealed }),
                Value::Int(left) => Ok(Attempted::Wrong { attempts_left: left as u32 }),
                other => refused(&items(other)?).map(Attempted::Refused),
            }
        })
    }

    fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
        Box::pin(async move {
            let args = [gate.limit.max.to_string(), ms(gate.limit.window), cost.to_string()];
            let answer = self.eval(&HIT, &[&gate.key], &args.each_ref().map(String::as_bytes)).await?;
            match items(answer)?[..] {
                [Value::Int(allowed), Value::Int(used), Value::Int(left)] => Ok(Hit {
                    allowed: allowed == 1,
                    remaining: gate.limit.max.saturating_sub(used as u32),
                    resets_in: time(left),
                }),
                _ => Err(strange()),
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.link.drop_connection();
        Box::pin(std::future::ready(()))
    }
}

/// The argument of `issue.lua`.
fn pack_issue(input: &Issue) -> Vec<u8> {
    let mut packed = Vec::with_capacity(31);
    push48(&mut packed, input.life);
    push48(&mut packed, input.cooldown);
    packed.extend_from_slice(&input.max_attempts.to_le_bytes());
    push_limit(&mut packed, &input.issues);
    push_limit(&mut packed, &input.failures);
    packed.push(u8::from(input.keep));
    packed
}

/// The argument of `attempt.lua`.
fn pack_attempt(input: &Attempt) -> Vec<u8> {
    let mut packed = Vec::with_capacity(33 + 36 * input.candidates.len());
    push_limit(&mut packed, &input.verifies);
    push_limit(&mut packed, &input.failures);
    packed.push(u8::from(input.id.is_some()));
    packed.extend(input.id.iter().flatten());
    for candidate in &input.candidates {
        push_digest(&mut packed, candidate);
    }
    packed
}

fn push48(packed: &mut Vec<u8>, duration: Duration) {
    packed.extend_from_slice(&millis(duration).to_le_bytes()[..6]);
}

fn push_limit(packed: &mut Vec<u8>, limit: &Limit) {
    push48(packed, limit.window);
    // The packed counts are 16 bits wide; a policy has checked that the maximum is too.
    packed.extend_from_slice(&(limit.max.min(u32::from(u16::MAX)) as u16).to_le_bytes());
}

fn push_digest(packed: &mut Vec<u8>, digest: &Digest) {
    packed.extend_from_slice(&digest.key.to_le_bytes());
    packed.extend_from_slice(&digest.bytes);
}

/// Milliseconds as Redis takes them; it refuses 0.
fn ms(duration: Duration) -> String {
    millis(duration).max(1).to_string()
}

fn time(ms: i64) -> Duration {
    Duration::from_millis(ms.max(0) as u64)
}

fn entry(answer: Value) -> Result<Option<Entry>> {
    if answer == Value::Nil {
        return Ok(None);
    }
    match <[Value; 2]>::try_from(items(answer)?) {
        Ok([Value::BulkString(value), Value::Int(left)]) => {
            let ttl = (left >= 0).then(|| time(left));
            Ok(Some(Entry { version: Version(value.clone()), value, ttl }))
        }
        _ => Err(strange()),
    }
}

fn refused(items: &[Value]) -> Result<Refused> {
    match *items {
        [Value::Int(1), Value::Int(wait)] => Ok(Refused::Gated(time(wait))),
        [Value::Int(2), Value::Int(wait)] => Ok(Refused::Locked(time(wait))),
        [Value::Int(3), Value::Int(wait)] => Ok(Refused::Limited(time(wait))),
        [Value::Int(4), Value::Int(wait)] => Ok(Refused::Cooldown(time(wait))),
        [Value::Int(5), Value::Int(_)] => Ok(Refused::NotFound),
        [Value::Int(6), Value::Int(wait)] => Ok(Refused::Spent(time(wait))),
        _ => Err(strange()),
    }
}

fn items(answer: Value) -> Result<Vec<Value>> {
    match answer {
        Value::Array(items) => Ok(items),
        _ => Err(strange()),
    }
}

fn strange() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "Redis gave an answer of unknown form")
}
