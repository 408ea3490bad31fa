//! The contract as Lua scripts, for every store that is a Redis server: each operation is one script, each hot one a single
//! round trip. How a script gets to the server is the wire's matter.

mod answer;
mod moving;
mod script;

use std::time::Duration;

pub(super) use self::answer::Answer;
use self::answer::{clock_ms, entry, refused, strange, time};
#[cfg(feature = "upstash")]
pub(super) use self::script::GREET;
use self::script::{ATTEMPT, COUNT, GET, HIT, ISSUE, PROBE, PUT, RATE, REISSUE, REPLACE, TAKE};
pub(super) use self::script::{Script, Source};
use super::challenge::{Record, millis};
use super::*;
use crate::secret::Digest;

/// Refusals of a command before it began, or of a script's first write. Scripts of ours write once, after the gate.
pub(super) const UNDONE: [&str; 8] =
    ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "MISCONF", "OOM", "BUSY"];

/// What a server answers with that would refuse whatever it is asked: it is as good as none.
pub(super) const OUT: [&str; 4] = ["LOADING", "BUSY", "CLUSTERDOWN", "MASTERDOWN"];

/// A way to a server that runs scripts.
pub(super) trait Wire: Debug + Send + Sync + 'static {
    /// Runs a script once. A server that does not know it is given its source; nothing else is repeated.
    fn eval(&self, script: &Script, keys: &[&Key], args: &[&[u8]]) -> impl Future<Output = Result<Answer>> + Send;

    /// How many servers hold keys.
    fn servers(&self) -> impl Future<Output = Result<usize>> + Send {
        std::future::ready(Ok(1))
    }

    /// A command that reads, and is about one of the servers rather than a key.
    fn tell(&self, server: usize, words: &[&str]) -> impl Future<Output = Result<Answer>> + Send;

    /// Whether keys of different entities may be on different servers, so that no script can touch both.
    fn is_cluster(&self) -> bool {
        false
    }

    /// Connects if need be, so that what is sent at once goes out together.
    fn ready(&self) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// What endangers what is kept at the other end, as far as that end may be asked.
    fn warnings(&self) -> impl Future<Output = Vec<String>> + Send {
        std::future::ready(Vec::new())
    }

    /// [`Store::partition`].
    fn partition(&self, key: &Key) -> usize {
        let _ = key;
        0
    }

    /// Releases connections.
    fn hang_up(&self);
}

/// A store at the other end of a wire.
#[derive(Debug)]
pub(crate) struct LuaStore<W>(pub(super) W);

impl<W: Wire> LuaStore<W> {
    /// A hot script on an entity, behind its gate.
    async fn gated(&self, script: &Script, key: &Key, input: [&[u8]; 3], gate: Option<&Gate>) -> Result<Answer> {
        let gate = match gate {
            // Two entities, two slots: the gate is a trip of its own.
            Some(gate) if self.0.is_cluster() => {
                let hit = self.hit(gate, 1).await?;
                if !hit.allowed {
                    return Ok(Answer::Array(vec![Answer::Int(1), Answer::Int(millis(hit.resets_in) as i64)]));
                }
                None
            }
            gate => gate,
        };
        let Some(gate) = gate else { return self.0.eval(script, &[key], &input).await };
        let (max, window) = (gate.limit.max.to_string(), ms(gate.limit.window));
        let args = [&input[..], &[max.as_bytes(), window.as_bytes()]].concat();
        self.0.eval(script, &[key, &gate.key], &args).await
    }
}

impl<W: Wire> Store for LuaStore<W> {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { entry(self.0.eval(&GET, &[key], &[]).await?) })
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let ttl = ms(ttl);
            let answer = match &when {
                When::Always => self.0.eval(&PUT, &[key], &[value, ttl.as_bytes()]).await?,
                When::Absent => self.0.eval(&PUT, &[key], &[value, ttl.as_bytes(), b"NX"]).await?,
                When::Version(Version(old)) => self.0.eval(&REPLACE, &[key], &[old, value, ttl.as_bytes()]).await?,
            };
            Ok(matches!(answer, Answer::Okay | Answer::Int(1)))
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { entry(self.0.eval(&TAKE, &[key], &[]).await?) })
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        Box::pin(async move {
            let answer = self.0.eval(&COUNT, &[key], &[by.to_string().as_bytes(), ms(ttl).as_bytes()]).await?;
            match answer.items()?[..] {
                [Answer::Int(value), Answer::Int(left)] => Ok(Count { value, ttl: time(left) }),
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
                Answer::Okay => Ok(first),
                answer => issued(answer),
            }
        })
    }

    fn reissue<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Issue,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Option<Issued>>> {
        Box::pin(async move {
            // What comes after the head of a new record.
            let mut fresh = Record::default();
            fresh.issue(input, 0);
            let (policy, value) = (pack_issue(input), fresh.encode(0, fresh.life(0)));
            let issued = issued(self.gated(&REISSUE, key, [&policy, &value, b""], gate).await?)?;
            Ok(Some(issued).filter(|issued| *issued != Issued::Refused(Refused::NotFound)))
        })
    }

    fn scan<'a>(&'a self, prefix: &'a str, cursor: &'a str, limit: u32) -> BoxFuture<'a, Result<Page>> {
        Box::pin(moving::scan(self, prefix, cursor, limit))
    }

    fn detach<'a>(&'a self, key: &'a Key, detached_only: bool) -> BoxFuture<'a, Result<Option<Item>>> {
        Box::pin(moving::detach(self, key, detached_only))
    }

    fn forget<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<()>> {
        Box::pin(moving::forget(self, item))
    }

    fn restore<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<Restored>> {
        Box::pin(moving::restore(self, item))
    }

    fn attempt<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Attempt,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Attempted>> {
        Box::pin(async move {
            match self.gated(&ATTEMPT, key, [&pack_attempt(input), b"", b""], gate).await? {
                Answer::Bytes(sealed) => Ok(Attempted::Right { sealed }),
                Answer::Int(left) => Ok(Attempted::Wrong { attempts_left: left as u32 }),
                other => refused(&other.items()?).map(Attempted::Refused),
            }
        })
    }

    fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
        Box::pin(async move {
            let args = [gate.limit.max.to_string(), ms(gate.limit.window), cost.to_string()];
            let answer = self.0.eval(&HIT, &[&gate.key], &args.each_ref().map(String::as_bytes)).await?;
            match answer.items()?[..] {
                [Answer::Int(allowed), Answer::Int(used), Answer::Int(left)] => Ok(Hit {
                    allowed: allowed == 1,
                    remaining: gate.limit.max.saturating_sub(used as u32),
                    resets_in: time(left),
                }),
                _ => Err(strange()),
            }
        })
    }

    fn hits<'a>(&'a self, rates: &'a Rates, cost: u32) -> BoxFuture<'a, Result<Hits>> {
        Box::pin(async move {
            let mut args = vec![cost.to_string()];
            for rate in &rates.rates {
                args.extend([rate.algorithm.letter().to_string(), ms(rate.window), rate.max.to_string()]);
            }
            let args: Vec<&[u8]> = args.iter().map(String::as_bytes).collect();
            read_hits(&self.0.eval(&RATE, &[&rates.key], &args).await?.items()?)
        })
    }

    fn inspect<'a>(&'a self, probe: &'a Key) -> BoxFuture<'a, Result<Inspection>> {
        Box::pin(async move {
            self.0.ready().await?;
            let keys = [probe];
            let (clock, warnings) = futures::join!(self.0.eval(&PROBE, &keys, &[]), self.0.warnings());
            let mut found = Inspection::new(clock_ms(&clock?.items()?));
            found.warnings = warnings;
            Ok(found)
        })
    }

    fn partition(&self, key: &Key) -> usize {
        self.0.partition(key)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.0.hang_up();
        Box::pin(std::future::ready(()))
    }
}

/// The answer of `rate.lua`.
fn read_hits(items: &[Answer]) -> Result<Hits> {
    let numbers: Option<Vec<i64>> =
        items.iter().map(|v| if let Answer::Int(n) = v { Some(*n) } else { None }).collect();
    let numbers = numbers.ok_or_else(strange)?;
    let (allowed, rooms) = numbers.split_first().ok_or_else(strange)?;
    let room = |n: &[i64; 3]| Room { remaining: n[0] as u32, resets_in: time(n[1]), retry_in: time(n[2]) };
    Ok(Hits { allowed: *allowed == 1, rooms: rooms.as_chunks::<3>().0.iter().map(room).collect() })
}

/// What `issue.lua` answers.
fn issued(answer: Answer) -> Result<Issued> {
    match answer {
        Answer::Int(left) => Ok(Issued::New { attempts_left: left as u32 }),
        other => match &other.items()?[..] {
            [Answer::Int(8), Answer::Bytes(id), Answer::Int(life), Answer::Int(left), Answer::Bytes(sealed)] => {
                Ok(Issued::Kept {
                    id: id[..].try_into().map_err(|_| strange())?,
                    sealed: sealed.clone(),
                    expires_in: time(*life),
                    attempts_left: *left as u32,
                })
            }
            why => refused(why).map(Issued::Refused),
        },
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
