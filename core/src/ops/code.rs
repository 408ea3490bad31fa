//! `once.codes`: issue, verify, resend, cancel, peek.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::background::Background;
use super::check_purpose;
use super::payload::Payload;
use super::types::{IssueRequest, Peek, ResendRequest, Sent, Target, Verified, VerifyRequest};
use crate::client::Core;
use crate::config::{Fixed, Mode, Policy, Resend};
use crate::deliver::{About, Message};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventKind};
use crate::identifier::Identifier;
use crate::key::{Entity, Key};
use crate::random::{Handful, Random};
use crate::secret::Secret;
use crate::store::{Amend, Attempt, Attempted, BoxFuture, Issue, Issued, Refused};

/// One-time codes. From [`Oncecode::codes`](crate::Oncecode::codes).
#[derive(Clone, Debug)]
pub struct Codes {
    pub(crate) core: Arc<Core>,
}

impl Codes {
    /// Sends a new code. An older one of the same identifier and purpose is dead from then on.
    ///
    /// # Errors
    /// `INVALID_PHONE`, `INVALID_EMAIL`, `INVALID_ARGUMENT`; `COOLDOWN`, `RATE_LIMITED` and `TOO_MANY_ATTEMPTS` (the failure
    /// budget is spent) with `retry_after`; `STORE_UNAVAILABLE`. Where nothing was sent, nothing was counted: `DELIVERY_FAILED`,
    /// `DELIVERY_LIMITED`, `UNREACHABLE`, `REGION_BLOCKED`, and `CONFIG` where the provider refuses the credentials.
    pub fn issue(&self, request: IssueRequest) -> BoxFuture<'static, Result<Sent>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            core.open()?;
            let to = core.identifier(&request.to)?;
            let entity = core.entity(&request.purpose, &to)?;
            let order =
                Order { purpose: &request.purpose, ip: request.ip.as_deref(), locale: request.locale, resend: false };
            core.send(&entity, order, to, request.data).await
        })
    }

    /// Accepts the right code, once.
    ///
    /// # Errors
    /// `WRONG_CODE` with `attempts_left`; `CODE_NOT_FOUND` (never issued, expired, cancelled, used, or another `id`);
    /// `TOO_MANY_ATTEMPTS` and `RATE_LIMITED` with `retry_after`, nothing compared; `INVALID_CODE` (not a code's length and
    /// alphabet, nothing counted); `INVALID_PHONE`, `INVALID_EMAIL`, `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn verify(&self, request: VerifyRequest) -> BoxFuture<'static, Result<Verified>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move { core.open()?.verify(request).await })
    }

    /// Sends again: a new code, or the same where the policy says `keep`. Data given at issue is carried over.
    ///
    /// With `to`, it works without a live code as well, like [`Codes::issue`]. Two round trips.
    ///
    /// # Errors
    /// As [`Codes::issue`], and `CODE_NOT_FOUND` when `id` names no live challenge.
    pub fn resend(&self, request: ResendRequest) -> BoxFuture<'static, Result<Sent>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            core.open()?;
            core.resend(request).await
        })
    }

    /// Kills the live code. Cooldown and quota stay as they are. `false`: there was none.
    ///
    /// # Errors
    /// `INVALID_PHONE`, `INVALID_EMAIL`, `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn cancel(&self, target: Target) -> BoxFuture<'static, Result<bool>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let core = core.open()?;
            let Some(found) = core.find(target.to.as_deref(), target.id.as_deref(), &target.purpose)? else {
                return Ok(false);
            };
            let cancelled = core.store.amend(&found.entity.key, &Amend::Cancel(found.id)).await?;
            if cancelled {
                core.tell(EventKind::Cancelled, &target.purpose, found.to.as_ref(), None);
            }
            Ok(cancelled)
        })
    }

    /// What is live, or `None`. Reads only.
    ///
    /// # Errors
    /// `INVALID_PHONE`, `INVALID_EMAIL`, `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn peek(&self, target: Target) -> BoxFuture<'static, Result<Option<Peek>>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let core = core.open()?;
            let Some(found) = core.find(target.to.as_deref(), target.id.as_deref(), &target.purpose)? else {
                return Ok(None);
            };
            let live = core.store.peek(&found.entity.key).await?;
            // The failure budget may end before the attempts do.
            let budget = core.policy(&target.purpose).failure_budget;
            let budget = |failures| if budget.max > 0 { budget.max.saturating_sub(failures) } else { u32::MAX };
            Ok(live.filter(|live| found.id.is_none_or(|id| id == live.id)).map(|live| Peek {
                id: core.keys.public_id(&found.entity, &live.id),
                expires_at_ms: core.after(live.expires_in),
                resend_at_ms: core.after(live.resend_in),
                attempts_left: live.attempts_left.min(budget(live.failures)),
            }))
        })
    }
}

/// How a code is to be sent.
struct Order<'a> {
    purpose: &'a str,
    ip: Option<&'a str>,
    locale: Option<String>,
    resend: bool,
}

/// The entity that `to` and `id` agree on.
struct Found {
    entity: Entity,
    id: Option<[u8; 16]>,
    to: Option<Identifier>,
}

impl Core {
    fn identifier(&self, typed: &str) -> Result<Identifier> {
        Identifier::parse(typed, self.settings.region)
    }

    fn entity(&self, purpose: &str, to: &Identifier) -> Result<Entity> {
        check_purpose(purpose)?;
        Ok(self.keys.entity(&self.ring, purpose, to))
    }

    /// `None`: the id is not one of ours or belongs to another identifier or purpose.
    fn find(&self, to: Option<&str>, id: Option<&str>, purpose: &str) -> Result<Option<Found>> {
        check_purpose(purpose)?;
        let to = to.map(|to| self.identifier(to)).transpose()?;
        let named = to.as_ref().map(|to| self.keys.entity(&self.ring, purpose, to));
        let Some(id) = id else {
            let entity = named.ok_or_else(|| Error::argument("either `to` or `id` is needed"))?;
            return Ok(Some(Found { entity, id: None, to }));
        };
        let Some((entity, id)) = self.keys.read_id(&self.ring, id) else { return Ok(None) };
        let agree = named.is_none_or(|named| named.tag == entity.tag);
        Ok(agree.then_some(Found { entity, id: Some(id), to }))
    }

    async fn verify(&self, request: VerifyRequest) -> Result<Verified> {
        let policy = self.policy(&request.purpose);
        let found = self.find(request.to.as_deref(), request.id.as_deref(), &request.purpose)?;
        let to = found.as_ref().and_then(|f| f.to.clone());
        let outcome = self.compare(policy, found, &request).await;
        match &outcome {
            Ok(done) => self.tell(EventKind::Verified, &request.purpose, Some(&done.identifier), None),
            Err(e) => {
                self.tell(EventKind::VerificationFailed(e.kind()), &request.purpose, to.as_ref(), e.attempts_left());
            }
        }
        outcome
    }

    async fn compare(&self, policy: &Policy, found: Option<Found>, request: &VerifyRequest) -> Result<Verified> {
        let code = policy.code_alphabet.read(&request.code, policy.code_length).ok_or_else(|| {
            Error::new(ErrorKind::InvalidCode, format!("a code has {} characters", policy.code_length))
        })?;
        let gate = self.gate("verify", &request.purpose, request.ip.as_deref(), policy.ip_verify_limit)?;
        let Found { entity, id, .. } = found.ok_or_else(not_found)?;
        let attempt = Attempt {
            id,
            candidates: self.ring.candidates(&entity.tag, &request.purpose, &code),
            verifies: policy.verify_limit,
            failures: policy.failure_budget,
        };
        match self.store.attempt(&entity.key, &attempt, gate.as_ref()).await? {
            Attempted::Right { sealed } => {
                let payload = Payload::open(self, &entity, &sealed)?;
                Ok(Verified { identifier: payload.to, purpose: request.purpose.clone(), data: payload.data })
            }
            Attempted::Wrong { attempts_left } => {
                Err(Error::new(ErrorKind::WrongCode, "the code is wrong").with_attempts_left(attempts_left))
            }
            Attempted::Refused(why) => Err(refusal(why)),
        }
    }

    async fn resend(self: &Arc<Self>, request: ResendRequest) -> Result<Sent> {
        let found = self.find(request.to.as_deref(), request.id.as_deref(), &request.purpose)?;
        let Found { entity, id, to } = found.ok_or_else(not_found)?;
        let live = self.store.peek(&entity.key).await?.filter(|live| id.is_none_or(|id| id == live.id));
        let (to, data) = match (live, to) {
            (Some(live), _) => {
                let payload = Payload::open(self, &entity, &live.sealed)?;
                (payload.to, payload.data)
            }
            (None, Some(to)) if id.is_none() => (to, None),
            _ => return Err(not_found()),
        };
        // An id proves its own entity only; digests bind the purpose, so a wrong one must not be written.
        if self.entity(&request.purpose, &to)?.tag != entity.tag {
            return Err(not_found());
        }
        let order =
            Order { purpose: &request.purpose, ip: request.ip.as_deref(), locale: request.locale, resend: true };
        self.send(&entity, order, to, data).await
    }

    /// Stores a new code (or keeps the live one) and sends it, or has it sent.
    async fn send(
        self: &Arc<Self>,
        entity: &Entity,
        order: Order<'_>,
        to: Identifier,
        data: Option<Value>,
    ) -> Result<Sent> {
        let (purpose, policy) = (order.purpose, self.policy(order.purpose));
        let refused = |e: &Error| self.tell(EventKind::IssueRefused(e.kind()), purpose, Some(&to), None);
        // Where no message can be taken, nothing is stored for one.
        let place = self.background.as_ref().map(Background::reserve).transpose().inspect_err(refused)?;
        let stored = self.store_code(entity, &order, policy, &to, data).await.inspect_err(refused)?;
        let id = self.keys.public_id(entity, &stored.id);
        let about = About { to: &to, purpose, locale: order.locale.as_deref(), life: stored.expires_in };
        let said = self.texts.code(about, &stored.code)?;
        let message = Message {
            to,
            purpose: purpose.to_owned(),
            code: stored.code,
            link: None,
            subject: said.subject,
            text: said.text,
            html: said.html,
            id: id.clone(),
            locale: order.locale,
            expires_in: stored.expires_in,
        };
        let sent = Sent {
            id,
            expires_at_ms: self.after(stored.expires_in),
            resend_at_ms: self.after(policy.cooldown),
            attempts_left: stored.attempts_left,
            code: (self.settings.mode == Mode::Development).then(|| message.code.clone()),
        };
        let outgoing = Outgoing { key: entity.key.clone(), message, id: stored.id, kept: stored.kept };
        if stored.fixed {
            self.tell(EventKind::Created, purpose, Some(&outgoing.message.to), Some(sent.attempts_left));
        } else if let (Some(background), Some(place)) = (&self.background, place) {
            let core = Arc::clone(self);
            let attempts_left = sent.attempts_left;
            // What comes of it, events tell.
            background.start(place, async move { drop(core.send_out(&outgoing, attempts_left).await) });
        } else {
            self.send_out(&outgoing, sent.attempts_left).await?;
        }
        Ok(sent)
    }

    /// Sends what is stored, and takes it back where that fails.
    async fn send_out(&self, outgoing: &Outgoing, attempts_left: u32) -> Result<()> {
        let Outgoing { key, message, id, kept } = outgoing;
        let failure = match self.deliver(message).await {
            Ok(()) => {
                self.tell(EventKind::Created, &message.purpose, Some(&message.to), Some(attempts_left));
                return Ok(());
            }
            Err(failure) => failure,
        };
        if let Err(e) = self.store.amend(key, &Amend::Refund { id: *id, kept: *kept }).await {
            tracing::warn!(target: "oncecode", error = e.code(), "could not give back the cooldown of an undelivered code");
        }
        self.tell(EventKind::DeliveryFailed(failure.kind()), &message.purpose, Some(&message.to), None);
        Err(failure)
    }

    async fn store_code(
        &self,
        entity: &Entity,
        order: &Order<'_>,
        policy: &Policy,
        to: &Identifier,
        data: Option<Value>,
    ) -> Result<Stored> {
        let gate = self.gate("issue", order.purpose, order.ip, policy.ip_issue_limit)?;
        let random = Handful::of(&*self.random)?;
        let fixed = self.settings.test_codes.as_ref().and_then(|codes| codes.of(to, policy, self.clock.now_ms()));
        let (code, life) = match &fixed {
            Some(Fixed { code, left }) => (code.clone(), policy.ttl.min(*left)),
            None => (policy.code_alphabet.draw(policy.code_length, &random)?, policy.ttl),
        };
        let mut id = [0; 16];
        random.fill(&mut id)?;
        let keeps = policy.resend == Resend::Keep;
        let payload = Payload { to: to.clone(), data, code: keeps.then(|| code.clone()) };
        let issue = Issue {
            id,
            digest: self.ring.digest(&entity.tag, order.purpose, &code),
            sealed: payload.seal(self, entity, &random)?,
            purpose: order.purpose.to_owned(),
            life,
            max_attempts: policy.max_attempts,
            cooldown: policy.cooldown,
            issues: policy.issue_limit,
            failures: policy.failure_budget,
            keep: keeps && order.resend,
        };
        match self.store.issue(&entity.key, &issue, gate.as_ref()).await? {
            Issued::New { attempts_left } => {
                Ok(Stored { id, code, expires_in: life, attempts_left, kept: false, fixed: fixed.is_some() })
            }
            Issued::Kept { id, sealed, expires_in, attempts_left } => {
                // A code from before the policy said `keep` is not there to be sent again.
                let code = Payload::open(self, entity, &sealed)?.code.ok_or_else(not_found)?;
                let fixed = fixed.is_some_and(|fixed| fixed.code == code);
                Ok(Stored { id, code, expires_in, attempts_left, kept: true, fixed })
            }
            Issued::Refused(why) => Err(refusal(why)),
        }
    }

    fn after(&self, wait: Duration) -> u64 {
        self.clock.now_ms() + wait.as_millis() as u64
    }

    pub(super) fn tell(&self, kind: EventKind, purpose: &str, to: Option<&Identifier>, attempts_left: Option<u32>) {
        self.events.emit(|| Event {
            kind,
            purpose: Some(purpose.to_owned()),
            store: None,
            identifier: to.map(Identifier::masked),
            at_ms: self.clock.now_ms(),
            attempts_left,
        });
    }
}

/// A message, and what to take back where it can't be sent.
struct Outgoing {
    key: Key,
    message: Message,
    id: [u8; 16],
    kept: bool,
}

/// A code that is stored and not yet sent.
struct Stored {
    id: [u8; 16],
    code: Secret,
    expires_in: Duration,
    attempts_left: u32,
    kept: bool,
    /// One of `test_codes`: whoever needs it knows it already.
    fixed: bool,
}

fn not_found() -> Error {
    Error::new(ErrorKind::CodeNotFound, "no live code; it may have expired or been used")
}

fn refusal(why: Refused) -> Error {
    let (kind, message, wait) = match why {
        Refused::NotFound => return not_found(),
        Refused::Gated(wait) => (ErrorKind::RateLimited, "too many requests from this IP address", wait),
        Refused::Limited(wait) => (ErrorKind::RateLimited, "too many requests for this identifier", wait),
        Refused::Cooldown(wait) => (ErrorKind::Cooldown, "a code was sent a moment ago", wait),
        Refused::Locked(wait) => (ErrorKind::TooManyAttempts, "too many wrong codes for this identifier", wait),
        Refused::Spent(wait) => (ErrorKind::TooManyAttempts, "too many wrong codes; ask for a new one", wait),
    };
    let error = Error::new(kind, message);
    let error = if kind == ErrorKind::TooManyAttempts { error.with_attempts_left(0) } else { error };
    // Nothing to wait for is no time at all, not zero seconds.
    if wait.is_zero() { error } else { error.with_retry_after(wait) }
}
