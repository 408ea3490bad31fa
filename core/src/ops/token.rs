//! `once.tokens`: sign, verify, revoke, revoke all.

mod claims;
mod state;
mod types;
mod users;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use self::claims::Registered;
pub(crate) use self::state::Cache;
use self::state::State;
pub use self::types::{Claims, SignRequest};
use self::users::Column;
use crate::client::Core;
use crate::config::LONGEST_TOKEN;
use crate::error::{Error, ErrorKind, Result};
use crate::jws::Keys;
use crate::secret::{Secret, Tag};
use crate::store::{BoxFuture, When};

/// JSON Web Tokens that can be revoked. From [`Oncecode::tokens`](crate::Oncecode::tokens).
///
/// A token carries its user's version (`ver`, and everybody's as `gen`) of the moment it was signed. Revoking all of a
/// user's tokens raises the version, which never falls. A process asks the store for a user's version and revoked
/// tokens at most once in `cacheSeconds` (5 by default): another process's revocation is seen within that time, its own
/// at once.
///
/// With `tokens.users` the version is the one in the app's own table: that is the truth, which the store remembers for
/// `tokens.users.cacheSeconds` (60 by default).
#[derive(Clone, Debug)]
pub struct Tokens {
    pub(crate) core: Arc<Core>,
}

/// Lost races before giving up. Each loss means that somebody else went forward.
const ROUNDS: u32 = 1000;
/// The record of a user is kept for as long as a token may live and a day, which no leeway exceeds.
const KEPT: Duration = Duration::from_secs(LONGEST_TOKEN.as_secs() + 86_400);
/// Claims that are ours to write.
const RESERVED: [&str; 4] = ["iat", "exp", "ver", "gen"];

impl Tokens {
    /// A token with these claims; `iat`, `exp`, `jti`, and `iss` and `aud` where options name them, are added. With a `sub`
    /// claim it is bound to the user's version, which is one round trip, and one to the table of `tokens.users`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for claims or a life that cannot be, and for a user who is not in that table; `CONFIG` when all keys are public; `STORE_UNAVAILABLE`.
    pub fn sign(&self, request: SignRequest) -> BoxFuture<'static, Result<Secret>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let core = core.open()?;
            let mut claims = core.claims(&request)?;
            if let Some(user) = claims.get("sub").and_then(Value::as_str) {
                // Not from the cache: a token of a version that was just raised would be dead at birth.
                let tag = core.user_tag(user);
                let asked = async { futures::try_join!(core.learn_states(&tag), core.ask_column(user)) };
                let ((own, everybody), column) = core.within(asked).await?;
                let version = if let Column::Version(version) = column.present()? { version } else { own.version };
                claims.insert("ver".into(), json!(version));
                if everybody.version > 0 {
                    claims.insert("gen".into(), json!(everybody.version));
                }
            }
            core.sign_claims(claims)
        })
    }

    /// The claims of a token that is signed by one of the keys, for us, now, and not revoked. No round trip where the
    /// revocations of its user are known since less than `cacheSeconds`, otherwise one; and one more to the table of
    /// `tokens.users` where the store does not remember the user's version.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED`, `TOKEN_REVOKED` (also when its user is no longer in that table), `TOKEN_INVALID` for all else that is
    /// wrong with it; `STORE_UNAVAILABLE`.
    pub fn verify(&self, token: &str) -> BoxFuture<'static, Result<Claims>> {
        let (core, opened) = (Arc::clone(&self.core), self.core.open().and_then(|core| core.open_token(token)));
        Box::pin(async move {
            let opened = opened?;
            let mut known = match core.cached(&opened) {
                Some(known) => known,
                None => core.within(core.learn(&opened)).await?,
            };
            if known.is_behind(&opened)
                && let Some(user) = &opened.user
            {
                known.column = core.within(core.ask_column(user)).await?;
            }
            match known.revokes(&opened) {
                true => Err(Error::new(ErrorKind::TokenRevoked, "the token was revoked")),
                false => Ok(opened.claims),
            }
        })
    }

    /// [`Tokens::sign`] without the user's version: pure computation, no store. Such a token is revoked with its user's by
    /// the second in which it was signed.
    ///
    /// # Errors
    /// As [`Tokens::sign`], without `STORE_UNAVAILABLE`.
    pub fn sign_stateless(&self, request: &SignRequest) -> Result<Secret> {
        let core = self.core.open()?;
        core.sign_claims(core.claims(request)?)
    }

    /// [`Tokens::verify`] without regard to revocations: pure computation, no store.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED`, `TOKEN_INVALID`.
    pub fn verify_stateless(&self, token: &str) -> Result<Claims> {
        self.core.open()?.open_claims(token)
    }

    /// Revokes one token until it expires. `false`: it has expired, which is as good. Two round trips.
    ///
    /// # Errors
    /// `TOKEN_INVALID`; `STORE_UNAVAILABLE`.
    pub fn revoke(&self, token: &str) -> BoxFuture<'static, Result<bool>> {
        let (core, opened) = (Arc::clone(&self.core), self.core.open().and_then(|core| core.open_token(token)));
        Box::pin(async move {
            let opened = match opened {
                Err(e) if e.kind() == ErrorKind::TokenExpired => return Ok(false),
                opened => opened?,
            };
            let until = opened.until_ms;
            core.within(core.change_state(&opened.tag, |state, now| state.revoke(opened.id, until, now))).await?;
            Ok(true)
        })
    }

    /// Revokes all tokens of a user (`sub`) that are signed by now. Two round trips, and one to the table of `tokens.users`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, also for a user who is not in that table; `STORE_UNAVAILABLE`: of the table's database, nothing
    /// was done; of the store, it is done, and seen when `tokens.users.cacheSeconds` are over.
    pub fn revoke_all(&self, user_id: &str) -> BoxFuture<'static, Result<()>> {
        let (core, user) = (Arc::clone(&self.core), user_id.to_owned());
        Box::pin(async move {
            let core = core.open()?;
            check_user(&user)?;
            if core.users.is_some() {
                return core.within(core.raise_column(&user)).await?.present().map(|_| ());
            }
            core.within(core.change_state(&core.user_tag(&user), State::bump)).await
        })
    }

    /// Revokes everybody's tokens that are signed by now. Two round trips.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    pub fn revoke_everybody(&self) -> BoxFuture<'static, Result<()>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let core = core.open()?;
            core.within(core.change_state(&core.everybody_tag(), State::bump)).await
        })
    }

    /// The public keys as a JWK Set (RFC 7517), to be served as `/.well-known/jwks.json`. Shared secrets are not in it.
    pub fn jwks(&self) -> Value {
        self.core.token_keys().jwks()
    }
}

/// A token that is right by itself.
struct Opened {
    claims: Claims,
    user: Option<String>,
    /// Whose state decides: the user's, or its own.
    tag: Tag,
    id: [u8; 16],
    versions: (u64, u64),
    /// The version that it names itself.
    named: Option<u64>,
    /// In milliseconds since the Unix epoch; 0 where it does not say.
    issued_ms: u64,
    until_ms: u64,
}

/// What decides whether a token was revoked.
struct Known {
    own: Arc<State>,
    everybody: Arc<State>,
    column: Column,
}

impl Known {
    fn revokes(&self, token: &Opened) -> bool {
        // The table counts its versions by one, the store by time.
        let by_column = |version| token.named.unwrap_or(0) != version || self.own.revokes(token.issued_ms, &token.id);
        let own = match self.column {
            Column::Unused => self.own.revokes(token.versions.0, &token.id),
            Column::Absent => true,
            Column::Version(version) => by_column(version),
        };
        own || self.everybody.revokes(token.versions.1, &token.id)
    }

    /// Whether the token names a version that is higher than what is remembered: the table was raised meanwhile, or the token
    /// is of a time before there was a table.
    fn is_behind(&self, token: &Opened) -> bool {
        matches!(self.column, Column::Version(version) if token.named.is_some_and(|named| named > version))
    }
}

impl Core {
    fn token_keys(&self) -> &Keys {
        self.settings.tokens.keys.as_ref().unwrap_or_else(|| self.ring.token_keys())
    }

    fn claims(&self, request: &SignRequest) -> Result<Map<String, Value>> {
        let policy = &self.settings.tokens;
        let mut claims = request.claims.clone();
        if let Some(name) = RESERVED.iter().find(|name| claims.contains_key(**name)) {
            return Err(Error::argument(format!(
                "the claim {name} is written by oncecode; set ttlSeconds for the end"
            )));
        }
        for name in ["sub", "jti", "iss"] {
            if claims.get(name).is_some_and(|claim| !claim.is_string()) {
                return Err(Error::argument(format!("the claim {name} must be a string")));
            }
        }
        if let Some(user) = claims.get("sub").and_then(Value::as_str) {
            check_user(user)?;
        }
        let ttl = request.ttl.unwrap_or(policy.ttl);
        if ttl < Duration::from_secs(1) || ttl > LONGEST_TOKEN {
            return Err(Error::argument(format!("ttlSeconds must be from 1 to {}", LONGEST_TOKEN.as_secs())));
        }
        let now = self.clock.now_ms() / 1000;
        claims.insert("iat".into(), json!(now));
        claims.insert("exp".into(), json!(now + ttl.as_secs()));
        for (name, value) in [("iss", &policy.issuer), ("aud", &policy.audience)] {
            if let Some(value) = value {
                claims.entry(name).or_insert_with(|| json!(value));
            }
        }
        if !claims.contains_key("jti") {
            let mut id = [0; 16];
            self.random.fill(&mut id)?;
            claims.insert("jti".into(), json!(URL_SAFE_NO_PAD.encode(id)));
        }
        Ok(claims)
    }

    fn sign_claims(&self, claims: Map<String, Value>) -> Result<Secret> {
        self.token_keys().sign(Value::Object(claims).to_string().as_bytes()).map(Secret::from)
    }

    fn open_claims(&self, token: &str) -> Result<Claims> {
        let payload = self.token_keys().open(token)?;
        Registered::read(&payload)?.check(&self.settings.tokens, self.clock.now_ms())?;
        Claims::new(payload)
    }

    fn open_token(&self, token: &str) -> Result<Opened> {
        let payload = self.token_keys().open(token)?;
        let registered = Registered::read(&payload)?;
        registered.check(&self.settings.tokens, self.clock.now_ms())?;
        // Without an id, what was signed names the token: signatures may have several forms, this has one.
        let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
        let id = registered.jti.as_deref().map_or_else(|| sha256(&["signed", signed]), |jti| sha256(&["jti", jti]));
        let tag = match registered.sub.as_deref() {
            Some(user) => self.user_tag(user),
            None => self.ring.tag(&["token-id", &URL_SAFE_NO_PAD.encode(id)]),
        };
        let end = registered.exp.unwrap_or(0.0) + self.settings.tokens.leeway.as_secs_f64();
        let (versions, until_ms) = (registered.versions(), (end * 1000.0) as u64);
        let (named, issued_ms) = (registered.ver, registered.issued_ms());
        let user = self.users.as_ref().and(registered.sub.as_deref()).map(str::to_owned);
        Ok(Opened { user, tag, id, versions, named, issued_ms, until_ms, claims: Claims::new(payload)? })
    }

    fn user_tag(&self, user: &str) -> Tag {
        self.ring.tag(&["token", user])
    }

    fn everybody_tag(&self) -> Tag {
        self.ring.tag(&["token"])
    }

    fn cached(&self, token: &Opened) -> Option<Known> {
        let (now, fresh) = (self.clock.elapsed(), self.settings.tokens.cache);
        let get = |tag: &Tag| self.token_cache.get(&tag.0, now, fresh);
        let column = self.known_column(token.user.as_deref())?;
        Some(Known { own: get(&token.tag)?, everybody: get(&self.everybody_tag())?, column })
    }

    /// All at once.
    async fn learn(&self, token: &Opened) -> Result<Known> {
        let column = self.learn_column(token.user.as_deref());
        let ((own, everybody), column) = futures::try_join!(self.learn_states(&token.tag), column)?;
        Ok(Known { own, everybody, column })
    }

    /// What the store says of a user and of everybody.
    async fn learn_states(&self, tag: &Tag) -> Result<(Arc<State>, Arc<State>)> {
        let (all, asked) = (self.everybody_tag(), self.clock.elapsed());
        let (own, everybody) = futures::try_join!(self.read_state(tag), self.read_state(&all))?;
        Ok((self.know(tag, own.0, asked), self.know(&all, everybody.0, asked)))
    }

    /// What the store was `asked` then.
    fn know(&self, tag: &Tag, state: State, asked: Duration) -> Arc<State> {
        let policy = &self.settings.tokens;
        self.token_cache.put(tag.0, state, asked, policy.cache, policy.cache_entries)
    }

    async fn read_state(&self, tag: &Tag) -> Result<(State, When)> {
        Ok(self.find_state(tag).await?.unwrap_or((State::default(), When::Absent)))
    }

    async fn find_state(&self, tag: &Tag) -> Result<Option<(State, When)>> {
        let Some(entry) = self.store.get(&self.keys.tagged("token", tag)).await? else { return Ok(None) };
        let state = State::decode(&entry.value);
        // What can't be read may have revoked something.
        let state = state.ok_or_else(|| Error::new(ErrorKind::Internal, "a record of revocations of unknown form"))?;
        Ok(Some((state, When::Version(entry.version))))
    }

    async fn change_state(&self, tag: &Tag, change: impl Fn(&mut State, u64)) -> Result<()> {
        for _ in 0..ROUNDS {
            let asked = self.clock.elapsed();
            let (mut state, when) = self.read_state(tag).await?;
            let now = self.clock.now_ms();
            change(&mut state, now);
            let key = self.keys.tagged("token", tag);
            if self.store.put(&key, &state.encode(), state.life(KEPT, now), when).await? {
                self.know(tag, state, asked);
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::StoreUnavailable, "too many revocations of one user at once"))
    }
}

fn check_user(user: &str) -> Result<()> {
    match (1..=255).contains(&user.len()) {
        true => Ok(()),
        false => Err(Error::argument("userId (the claim sub) must be 1 to 255 bytes")),
    }
}

fn sha256(parts: &[&str]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&digest(&SHA256, parts.join(":").as_bytes()).as_ref()[..16]);
    id
}
