//! `once.idempotency`: run, begin, complete, abandon.

mod run;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::run::{Place, Run, State, too_large};
use super::lease::{self, Extend, Lease, Pauses};
use super::record::{self, Now, Step, mark};
use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::store::BoxFuture;

/// Larger replies belong into a table of the app's; the reply then names the row.
const MOST_REPLY: usize = 65_536;

/// Work that is done once for each key, and its reply replayed. From [`Oncecode::idempotency`](crate::Oncecode::idempotency).
///
/// Whoever begins a key first gets a [`Claim`] with a short lease; a process that dies in between frees the key when the
/// lease ends, and the next to begin has a higher fencing number. What was completed is replayed for 24 h.
#[derive(Clone, Debug)]
pub struct Idempotency {
    pub(crate) core: Arc<Core>,
}

/// What [`Idempotency::begin`] and [`Idempotency::run`] need.
#[derive(Clone)]
#[non_exhaustive]
pub struct IdempotencyRequest {
    /// Whose key it is, such as a user's id or `stripe`: 1 to 1024 bytes. Nobody is shown the reply of another scope.
    pub scope: String,
    /// The idempotency key, such as a request's `Idempotency-Key` or a webhook's event id: 1 to 1024 bytes.
    pub key: String,
    /// What was asked, such as the request's body: another one with the same key is a mistake of the caller's. Objects
    /// are equal in any order of their fields. `Null` (the default) is equal to itself only.
    pub fingerprint: Value,
    /// How long a dead process blocks the key: 10 ms to 7 days, 30 s by default.
    pub lease: Duration,
    /// Whether the lease is renewed while the claim is held, which is the default.
    pub renew: bool,
    /// How long the reply is kept, at most 30 days and 24 h by default.
    pub retention: Duration,
    /// How long to wait for the reply while somebody else works on it. Not at all by default.
    pub wait: Duration,
}

/// What became of [`Idempotency::begin`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Begun {
    /// The work is the caller's.
    Claimed(Claim),
    /// It was done before: the reply.
    Replayed(Reply),
}

/// What the work came to, this time or before.
#[derive(Clone)]
#[non_exhaustive]
pub struct Reply {
    /// What was completed.
    pub value: Value,
    /// Whether it was done before.
    pub replayed: bool,
}

/// The right to do the work. Dropped without [`Claim::complete`], the key is free when the lease ends: nobody knows how
/// far the work came.
pub struct Claim {
    held: Arc<Held>,
}

struct Held {
    core: Arc<Core>,
    place: Place,
    token: String,
    fence: u64,
    span: Duration,
    lease: Lease,
}

impl Idempotency {
    /// Begins, runs `work` and completes with its reply, or replays the reply. An error of `work` frees the key at once.
    /// `work` is told of a loss by [`Claim::lost`].
    ///
    /// # Errors
    /// As [`Idempotency::begin`] and [`Claim::complete`]; what `work` fails with.
    pub async fn run<E, Work, Working>(&self, request: IdempotencyRequest, work: Work) -> Result<Reply, E>
    where
        E: From<Error>,
        Work: FnOnce(Arc<Claim>) -> Working,
        Working: Future<Output = Result<Value, E>>,
    {
        let claim = match self.begin(request).await? {
            Begun::Claimed(claim) => Arc::new(claim),
            Begun::Replayed(reply) => return Ok(reply),
        };
        match work(Arc::clone(&claim)).await {
            Ok(value) => {
                claim.complete(&value).await?;
                Ok(Reply { value, replayed: false })
            }
            Err(e) => {
                // The work's own error is what the caller must see; the lease frees the key as well.
                let _ = claim.abandon().await;
                Err(e)
            }
        }
    }

    /// Claims the key, or replays what was completed under it.
    ///
    /// # Errors
    /// `IN_PROGRESS` with `retry_after` while another works on it; `IDEMPOTENCY_MISMATCH` when the fingerprint is another;
    /// `INVALID_ARGUMENT`, also when the reply was too large to be kept; `STORE_UNAVAILABLE`: the work must not be done.
    pub fn begin(&self, request: IdempotencyRequest) -> BoxFuture<'static, Result<Begun>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let (mut waiting, mut pauses) = (pin!(sleep(request.wait)), Pauses::new());
            loop {
                let last = waiting.is_elapsed() || request.wait.is_zero();
                let left = match begin(&core, &request).await? {
                    Found::Ours(claim) => return Ok(Begun::Claimed(claim)),
                    Found::Done(sealed, place) => return place.open(&core, &sealed).map(Begun::Replayed),
                    Found::Running(left) => left,
                };
                if last {
                    let busy = Error::new(ErrorKind::InProgress, "the same request is being worked on");
                    return Err(busy.with_retry_after(left));
                }
                tokio::select! {
                    () = sleep(pauses.next(left, &*core.random)?) => {}
                    () = &mut waiting => {}
                }
            }
        })
    }

    /// Completes a claim that is known by its token, such as one that another process began.
    ///
    /// # Errors
    /// As [`Claim::complete`].
    pub fn complete(&self, scope: &str, key: &str, token: &str, reply: Value) -> BoxFuture<'static, Result<()>> {
        let core = Arc::clone(&self.core);
        let (scope, key, token) = (scope.to_owned(), key.to_owned(), token.to_owned());
        Box::pin(async move { complete(core.open()?, &Place::of(&core, &scope, &key)?, &token, &reply).await })
    }

    /// Abandons a claim that is known by its token. `false`: it was lost or ended before.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn abandon(&self, scope: &str, key: &str, token: &str) -> BoxFuture<'static, Result<bool>> {
        let core = Arc::clone(&self.core);
        let (scope, key, token) = (scope.to_owned(), key.to_owned(), token.to_owned());
        Box::pin(async move { abandon(core.open()?, &Place::of(&core, &scope, &key)?, &token).await })
    }
}

impl IdempotencyRequest {
    /// A request with the defaults; set the rest on its public fields.
    pub fn new(scope: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            scope: scope.into(),
            key: key.into(),
            fingerprint: Value::Null,
            lease: Duration::from_secs(30),
            renew: true,
            retention: Duration::from_secs(86_400),
            wait: Duration::ZERO,
        }
    }
}

impl Claim {
    /// Proves the claim to [`Idempotency::complete`] and [`Idempotency::abandon`], from any process.
    pub fn token(&self) -> &str {
        &self.held.token
    }

    /// The fencing number: higher than that of everybody who began this key before.
    pub fn fence(&self) -> u64 {
        self.held.fence
    }

    /// How much longer nobody else can begin, by the monotonic clock.
    pub fn remaining(&self) -> Duration {
        self.held.lease.left()
    }

    /// Cancelled when the lease is lost: somebody else may have begun.
    pub fn lost(&self) -> CancellationToken {
        self.held.lease.lost()
    }

    /// Waits for the end: `true` when the lease is lost, `false` when the claim is completed, abandoned or dropped.
    pub fn ended(&self) -> BoxFuture<'static, bool> {
        self.held.lease.ended()
    }

    /// Keeps the reply, at most 65 536 bytes of JSON, encrypted. Also after the lease, if nobody else has begun.
    ///
    /// # Errors
    /// `LEASE_LOST` when somebody else has begun or completed: the reply of theirs counts. `INVALID_ARGUMENT` for a reply
    /// that is too large: the key is done all the same, without it. `STORE_UNAVAILABLE`.
    pub fn complete(&self, reply: &Value) -> BoxFuture<'static, Result<()>> {
        let (held, reply) = (Arc::clone(&self.held), reply.clone());
        Box::pin(async move {
            complete(held.core.open()?, &held.place, &held.token, &reply).await?;
            held.lease.finish();
            Ok(())
        })
    }

    /// Frees the key at once, as if it had never begun. `false`: the claim was lost or ended before.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`: the key is free when the lease ends.
    pub fn abandon(&self) -> BoxFuture<'static, Result<bool>> {
        let held = Arc::clone(&self.held);
        Box::pin(async move {
            held.lease.finish();
            abandon(held.core.open()?, &held.place, &held.token).await
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.held.lease.finish();
    }
}

impl Held {
    fn renewal(self: &Arc<Self>) -> Extend {
        let held = Arc::clone(self);
        Box::new(move || {
            let held = Arc::clone(&held);
            Box::pin(async move {
                let ask = async { renew(held.core.open()?, &held.place, &held.token, held.span).await };
                held.lease.extend("the claim", held.span, ask).await
            })
        })
    }
}

enum Found {
    Ours(Claim),
    Done(Vec<u8>, Place),
    Running(Duration),
}

async fn begin(core: &Arc<Core>, request: &IdempotencyRequest) -> Result<Found> {
    core.open()?;
    lease::check("lease", request.lease)?;
    if !(request.lease..=record::LONGEST).contains(&request.retention) {
        return Err(Error::argument("retention must be at least as long as the lease and at most 30 days"));
    }
    let place = Place::of(core, &request.scope, &request.key)?;
    let fingerprint = core.ring.tag(&["fingerprint", &request.scope, &request.key, &request.fingerprint.to_string()]).0;
    let token = lease::token(&*core.random)?;
    let owner = mark(&token);
    let begun = record::update(core, &place.key, |record: &mut Run, now| {
        if record.state != State::Free && record.fingerprint != fingerprint {
            let mismatch = "this idempotency key was used for another request";
            return Step::Keep(Err(Error::new(ErrorKind::IdempotencyMismatch, mismatch)));
        }
        let left = now.left(record.ends);
        match record.state {
            State::Done => return Step::Keep(Ok(Err((std::mem::take(&mut record.sealed), Duration::ZERO)))),
            State::Running if !left.is_zero() && record.owner != owner => {
                return Step::Keep(Ok(Err((Vec::new(), left))));
            }
            _ => {}
        }
        let fence = if record.fence == 0 { record::first_number(core) } else { record.fence + 1 };
        *record = Run {
            state: State::Running,
            fence,
            owner,
            ends: now.lease(request.lease),
            fingerprint,
            retention: record::millis(request.retention),
            sealed: Vec::new(),
        };
        Step::Write(Ok(Ok((fence, now.asked))), request.retention)
    });
    let (fence, asked) = match begun.await?? {
        Ok(claimed) => claimed,
        Err((sealed, left)) if left.is_zero() => return Ok(Found::Done(sealed, place)),
        Err((_, left)) => return Ok(Found::Running(left)),
    };
    let lease = Lease::new(core, asked, request.lease)?;
    let claim =
        Claim { held: Arc::new(Held { core: Arc::clone(core), place, token, fence, span: request.lease, lease }) };
    if claim.remaining().is_zero() {
        return Err(Error::new(ErrorKind::StoreUnavailable, "the store took longer to answer than the lease lasts"));
    }
    claim.held.lease.watch(request.lease, request.renew.then(|| claim.held.renewal()));
    Ok(Found::Ours(claim))
}

async fn complete(core: &Core, place: &Place, token: &str, reply: &Value) -> Result<()> {
    let reply = reply.to_string();
    let fits = reply.len() <= MOST_REPLY;
    let sealed = if fits { core.ring.seal(&place.tag, reply.as_bytes(), &*core.random)? } else { Vec::new() };
    let completed = record::update(core, &place.key, |record: &mut Run, _| {
        // Done by us already, when the reply to the write was lost.
        if record.owner != mark(token) || record.state == State::Free {
            return Step::Keep(false);
        }
        (record.state, record.sealed) = (State::Done, sealed.clone());
        Step::Write(true, Duration::from_millis(record.retention))
    });
    match completed.await? {
        false => Err(lease::lost("the claim")),
        true if fits => Ok(()),
        true => Err(too_large()),
    }
}

async fn abandon(core: &Core, place: &Place, token: &str) -> Result<bool> {
    let abandoned = record::update(core, &place.key, |record: &mut Run, _| {
        if record.owner != mark(token) || record.state != State::Running {
            return Step::Keep(false);
        }
        record.state = State::Free;
        Step::Write(true, Duration::from_millis(record.retention))
    });
    abandoned.await
}

/// When the store was asked.
async fn renew(core: &Core, place: &Place, token: &str, span: Duration) -> Result<Duration> {
    let renewed = record::update(core, &place.key, |record: &mut Run, now: Now| {
        if record.owner != mark(token) || record.state != State::Running || now.left(record.ends).is_zero() {
            return Step::Keep(None);
        }
        record.ends = now.lease(span);
        Step::Write(Some(now.asked), Duration::from_millis(record.retention))
    });
    renewed.await?.ok_or_else(|| lease::lost("the claim"))
}

impl fmt::Debug for IdempotencyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyRequest").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("replayed", &self.replayed).finish_non_exhaustive()
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("fence", &self.held.fence)
            .field("lease", &self.held.lease)
            .finish_non_exhaustive()
    }
}
