//! `once.sessions`: create, validate, rotate, list, revoke, revoke all.

mod cookie;
mod record;
mod token;
mod types;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use self::record::{Record, Stored};
use self::token::Token;
pub use self::types::{NewSession, Session, SessionRequest, SessionTarget};
use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::random::{Handful, Random};
use crate::secret::Tag;
use crate::store::{BoxFuture, When};

/// Sessions: opaque tokens that can be listed and revoked. From [`Oncecode::sessions`](crate::Oncecode::sessions).
///
/// All of a user's sessions are one encrypted value in the store; of a token only the SHA-256 of its secret is kept.
/// Every change is a versioned write, so a late one never revives a revoked session.
#[derive(Clone, Debug)]
pub struct Sessions {
    pub(crate) core: Arc<Core>,
}

/// Larger data belongs into a table of the app's.
const MOST_DATA: usize = 4096;
const LONGEST_USER: usize = 255;
const LONGEST_DEVICE: usize = 256;
/// Lost races before giving up. Each loss means that somebody else went forward.
const ROUNDS: u32 = 1000;

impl Sessions {
    /// Begins a session. The token is shown once, here. Where the user has as many sessions as they may, the one
    /// unused for longest ends. Two round trips.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn create(&self, request: SessionRequest) -> BoxFuture<'static, Result<NewSession>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move { core.open()?.within(core.create_session(request)).await })
    }

    /// The session of a token. One round trip, and at most once per `activitySeconds` a second one that writes the
    /// activity (and `ip`, if given). A lost race there changes nothing.
    ///
    /// # Errors
    /// `SESSION_NOT_FOUND` (expired, idle for too long, revoked, rotated, or no token of ours: one answer for all);
    /// `INVALID_ARGUMENT` for `ip`; `STORE_UNAVAILABLE`.
    pub fn validate(&self, token: &str, ip: Option<&str>) -> BoxFuture<'static, Result<Session>> {
        let (core, token, ip) = (Arc::clone(&self.core), Token::read(token), ip.map(address).transpose());
        Box::pin(async move {
            let (token, ip) = (token.ok_or_else(not_found), ip?);
            core.open()?.within(core.validate_session(token?, ip)).await
        })
    }

    /// A new token for the same session, as after a login or a change of rights. The old one is dead, or good for
    /// `rotationGraceSeconds` more; it can't be rotated again. Two round trips.
    ///
    /// # Errors
    /// `SESSION_NOT_FOUND`; `STORE_UNAVAILABLE`.
    pub fn rotate(&self, token: &str) -> BoxFuture<'static, Result<NewSession>> {
        let (core, token) = (Arc::clone(&self.core), Token::read(token));
        Box::pin(async move {
            let token = token.ok_or_else(not_found)?;
            core.open()?.within(core.rotate_session(token)).await
        })
    }

    /// A user's live sessions, the one used last first. One round trip.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn list(&self, user_id: &str) -> BoxFuture<'static, Result<Vec<Session>>> {
        let (core, user) = (Arc::clone(&self.core), user_id.to_owned());
        Box::pin(async move {
            let core = core.open()?;
            let read = core.read_sessions(&core.session_tag(&user)?).await?;
            let policy = &core.settings.sessions;
            let live = read.record.sessions.iter().filter(|session| session.ends(policy) > read.now);
            let mut sessions: Vec<_> = live.map(|session| core.session(&user, session)).collect();
            sessions.sort_by_key(|session| std::cmp::Reverse((session.last_active_at_ms, session.created_at_ms)));
            Ok(sessions)
        })
    }

    /// Ends one session, by its token or by the user and its id. `false`: there was none. Two round trips.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn revoke(&self, target: SessionTarget) -> BoxFuture<'static, Result<bool>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move { core.open()?.within(core.revoke_session(target)).await })
    }

    /// Ends all sessions of a user, or all but the one that `except` (its token or its id) names. How many ended. Two
    /// round trips.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn revoke_all(&self, user_id: &str, except: Option<&str>) -> BoxFuture<'static, Result<u64>> {
        let (core, user) = (Arc::clone(&self.core), user_id.to_owned());
        let except = except.map(|except| Except::read(except).ok_or_else(Except::strange)).transpose();
        Box::pin(async move {
            let except = except?;
            core.open()?.within(core.revoke_sessions(&user, except)).await
        })
    }

    /// The value of a `Set-Cookie` header for a token: HttpOnly, SameSite=Lax, in production Secure and named
    /// `__Host-…`. It lasts for `max_age`, or as long as a session may.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: not a token.
    pub fn cookie(&self, token: &str, max_age: Option<Duration>) -> Result<String> {
        let settings = &self.core.settings;
        if token.is_empty() {
            return Err(Error::argument("token must not be empty; `clear_cookie` removes a cookie"));
        }
        cookie::set(&settings.sessions, settings.mode, token, max_age.unwrap_or(settings.sessions.ttl))
    }

    /// The value of a `Set-Cookie` header that removes the cookie.
    pub fn clear_cookie(&self) -> String {
        let settings = &self.core.settings;
        cookie::set(&settings.sessions, settings.mode, "", Duration::ZERO).unwrap_or_default()
    }

    /// The token in a `Cookie` header, if there is one.
    pub fn read_cookie(&self, header: &str) -> Option<String> {
        cookie::read(&self.core.settings.sessions, self.core.settings.mode, header)
    }
}

/// A record as it was found, and the condition for writing it back.
struct Read {
    record: Record,
    now: u64,
    when: When,
}

/// The session that stays when all others end.
enum Except {
    Token(Token),
    Id([u8; 16]),
}

impl Except {
    fn read(text: &str) -> Option<Self> {
        Token::read(text).map(Except::Token).or_else(|| token::read_id(text).map(Except::Id))
    }

    fn strange() -> Error {
        Error::argument("except must be a session's token or id")
    }
}

impl Core {
    async fn create_session(&self, request: SessionRequest) -> Result<NewSession> {
        let policy = &self.settings.sessions;
        let tag = self.session_tag(&request.user_id)?;
        let ttl = request.ttl.unwrap_or(policy.ttl);
        if ttl < Duration::from_secs(1) || ttl > policy.ttl {
            return Err(Error::argument(format!("ttlSeconds must be from 1 to {}", policy.ttl.as_secs())));
        }
        let data = request.data.as_ref().map(Value::to_string).unwrap_or_default();
        if data.len() > MOST_DATA {
            return Err(Error::argument(format!("data must be at most {MOST_DATA} bytes of JSON")));
        }
        let random = Handful::of(&*self.random)?;
        let mut id = [0; 16];
        random.fill(&mut id)?;
        let (token, digest) = Token::make(&tag, &id, &random)?;
        let mut stored = Stored {
            id,
            digest,
            previous: [0; 32],
            previous_until: 0,
            created: 0,
            active: 0,
            expires: 0,
            device: request.device.as_deref().map(label).unwrap_or_default(),
            ip: request.ip.as_deref().map(address).transpose()?.unwrap_or_default(),
            data: data.into_bytes(),
        };
        let session = self
            .change_sessions(&tag, |record, now| {
                (stored.created, stored.active) = (now, now);
                stored.expires = now.saturating_add(ttl.as_millis() as u64);
                record.user.clone_from(&request.user_id);
                record.add(stored.clone(), policy);
                Some(self.session(&request.user_id, &stored))
            })
            .await?;
        session.map(|session| NewSession { token, session }).ok_or_else(not_found)
    }

    async fn validate_session(&self, token: Token, ip: Option<String>) -> Result<Session> {
        let policy = &self.settings.sessions;
        let Read { mut record, now, when } = self.read_sessions(&token.tag).await?;
        let at = record.proven(&token.id, &token.digest, policy, now).ok_or_else(not_found)?;
        let found = &mut record.sessions[at];
        if now.saturating_sub(found.active) >= policy.activity.as_millis() as u64 {
            found.active = now;
            if let Some(ip) = ip {
                found.ip = ip;
            }
            let session = self.session(&record.user, &record.sessions[at]);
            record.prune(policy, now);
            // Whoever changed the record meanwhile has the last word: their change may be the end of this session.
            // Nor is a session less valid because its activity could not be written.
            if let Err(e) = self.write_sessions(&token.tag, &mut record, now, when).await {
                tracing::warn!(target: "oncecode", error = e.code(), "could not write the activity of a session");
            }
            return Ok(session);
        }
        Ok(self.session(&record.user, found))
    }

    async fn rotate_session(&self, token: Token) -> Result<NewSession> {
        let policy = &self.settings.sessions;
        let (fresh, digest) = Token::make(&token.tag, &token.id, &*self.random)?;
        let session = self
            .change_sessions(&token.tag, |record, now| {
                let at = record.proven(&token.id, &token.digest, policy, now)?;
                let found = &mut record.sessions[at];
                // A token in its grace was rotated already: whoever did that has the successor.
                if found.digest != token.digest {
                    return None;
                }
                found.previous = std::mem::replace(&mut found.digest, digest);
                found.previous_until = now + policy.grace.as_millis() as u64;
                found.active = now;
                let found = found.clone();
                Some(self.session(&record.user, &found))
            })
            .await?;
        session.map(|session| NewSession { token: fresh, session }).ok_or_else(not_found)
    }

    async fn revoke_session(&self, target: SessionTarget) -> Result<bool> {
        let policy = &self.settings.sessions;
        let (tag, id, digest) = match target {
            SessionTarget::Token(token) => match Token::read(token.expose()) {
                Some(token) => (token.tag, token.id, Some(token.digest)),
                None => return Ok(false),
            },
            SessionTarget::Id { user_id, id } => match token::read_id(&id) {
                Some(id) => (self.session_tag(&user_id)?, id, None),
                None => return Ok(false),
            },
        };
        let revoked = self
            .change_sessions(&tag, |record, now| {
                let at = match &digest {
                    Some(digest) => record.proven(&id, digest, policy, now),
                    None => record.sessions.iter().position(|session| session.id == id),
                };
                at.map(|at| _ = record.sessions.remove(at))
            })
            .await?;
        Ok(revoked.is_some())
    }

    async fn revoke_sessions(&self, user: &str, except: Option<Except>) -> Result<u64> {
        let policy = &self.settings.sessions;
        let tag = self.session_tag(user)?;
        let ended = self
            .change_sessions(&tag, |record, now| {
                let kept = match &except {
                    Some(Except::Token(token)) => {
                        record.proven(&token.id, &token.digest, policy, now).map(|at| record.sessions[at].id)
                    }
                    Some(Except::Id(id)) => Some(*id),
                    None => None,
                };
                let before = record.sessions.len();
                record.sessions.retain(|session| Some(session.id) == kept);
                let ended = (before - record.sessions.len()) as u64;
                (ended > 0).then_some(ended)
            })
            .await?;
        Ok(ended.unwrap_or(0))
    }

    /// Reads, decides, and writes unless somebody else did, until nobody else did. `None` from `decide`: leave it.
    async fn change_sessions<T>(
        &self,
        tag: &Tag,
        mut decide: impl FnMut(&mut Record, u64) -> Option<T>,
    ) -> Result<Option<T>> {
        for _ in 0..ROUNDS {
            let Read { mut record, now, when } = self.read_sessions(tag).await?;
            record.prune(&self.settings.sessions, now);
            let Some(outcome) = decide(&mut record, now) else { return Ok(None) };
            if self.write_sessions(tag, &mut record, now, when).await? {
                return Ok(Some(outcome));
            }
        }
        Err(Error::new(ErrorKind::StoreUnavailable, "too many changes of one user's sessions at once"))
    }

    async fn read_sessions(&self, tag: &Tag) -> Result<Read> {
        let host = self.clock.now_ms();
        let Some(entry) = self.store.get(&self.keys.tagged("session", tag)).await? else {
            return Ok(Read { record: Record::default(), now: host, when: When::Absent });
        };
        let when = When::Version(entry.version);
        let record = self.ring.unseal(tag, &entry.value).and_then(|plain| Record::decode(&plain));
        Ok(match record {
            Some(record) => Read { now: record.now(host, entry.ttl), record, when },
            None => {
                // Nobody can use these any more: a login must not fail because of them.
                tracing::warn!(target: "oncecode", "sessions were written under a secret that is no longer in `secret`");
                Read { record: Record::default(), now: host, when }
            }
        })
    }

    async fn write_sessions(&self, tag: &Tag, record: &mut Record, now: u64, when: When) -> Result<bool> {
        let life = record.life(&self.settings.sessions, now);
        record.end = now.saturating_add(life.as_millis() as u64);
        let sealed = self.ring.seal(tag, &record.encode(), &*self.random)?;
        self.store.put(&self.keys.tagged("session", tag), &sealed, life, when).await
    }

    fn session_tag(&self, user: &str) -> Result<Tag> {
        match (1..=LONGEST_USER).contains(&user.len()) {
            true => Ok(self.ring.tag(&["session", user])),
            false => Err(Error::argument(format!("userId must be 1 to {LONGEST_USER} bytes"))),
        }
    }

    fn session(&self, user: &str, stored: &Stored) -> Session {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Session {
            id: token::write_id(&stored.id),
            user_id: user.to_owned(),
            device: given(&stored.device),
            ip: given(&stored.ip),
            // It was JSON when it was written and is authenticated since.
            data: serde_json::from_slice(&stored.data).ok(),
            created_at_ms: stored.created,
            last_active_at_ms: stored.active,
            expires_at_ms: stored.ends(&self.settings.sessions),
        }
    }
}

/// One spelling per address.
fn address(ip: &str) -> Result<String> {
    let bare = ip.trim().split('%').next().unwrap_or_default();
    let parsed: IpAddr = bare.parse().map_err(|_| Error::argument("ip must be an IPv4 or IPv6 address"))?;
    Ok(parsed.to_canonical().to_string())
}

/// A label is cut rather than refused: it is often a User-Agent, which the user does not choose.
fn label(device: &str) -> String {
    let mut end = device.len().min(LONGEST_DEVICE);
    while !device.is_char_boundary(end) {
        end -= 1;
    }
    device[..end].to_owned()
}

fn not_found() -> Error {
    Error::new(ErrorKind::SessionNotFound, "no such session; it may have expired or been revoked")
}
