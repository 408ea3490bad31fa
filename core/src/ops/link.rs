//! `once.links`: issue, send, verify, peek.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Position, Url};

use super::check_purpose;
use crate::client::Core;
use crate::deliver::{About, Message};
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::identifier::Identifier;
use crate::key::Key;
use crate::secret::Secret;
use crate::store::{BoxFuture, When};

/// Links that prove an address: a JSON Web Token for an email. From [`Oncecode::links`](crate::Oncecode::links).
///
/// They are signed with keys of their own, derived from `secret`: no access token passes for a link.
#[derive(Clone, Debug)]
pub struct Links {
    pub(crate) core: Arc<Core>,
}

/// What [`Links::issue`] needs.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct LinkRequest {
    /// An email address or a phone number, in any usual spelling.
    pub to: String,
    /// What the link is for, such as `verify-email`: 1 to 64 letters, digits, `_`, `-`, `.` or `:`.
    pub purpose: String,
    /// Anything to get back from `verify`, at most 2048 bytes of JSON. Whoever has the link can read it.
    pub data: Option<Value>,
    /// The page that the link leads to. The token takes the place of `{token}`, or else is added to the query as `token`.
    pub url: Option<String>,
    /// A life of its own. Default: `links.ttlSeconds`.
    pub ttl: Option<Duration>,
    /// The message's BCP 47 locale, for [`Links::send`].
    pub locale: Option<String>,
}

/// What [`Links::verify`] needs.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct LinkTarget {
    /// The token of the link.
    pub token: String,
    /// The purpose given at issue.
    pub purpose: String,
    /// The address it must be for, where that is known.
    pub to: Option<String>,
}

/// A link to be sent.
#[derive(Clone)]
#[non_exhaustive]
pub struct Link {
    /// What `verify` takes.
    pub token: Secret,
    /// The page with the token in its query, where a page was given.
    pub url: Option<Secret>,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
}

/// The link was right.
#[derive(Clone)]
#[non_exhaustive]
pub struct Followed {
    /// The address that is now proven, normalised.
    pub identifier: Identifier,
    /// The purpose.
    pub purpose: String,
    /// What was given at issue.
    pub data: Option<Value>,
}

/// A link with more would not survive all mail programs.
const MOST_DATA: usize = 2048;
/// The mark of a used link outlives it by what clocks may differ: a process whose clock is behind accepts it for longer.
const MARGIN: Duration = Duration::from_secs(86_400);
const LONGEST_MS: u64 = 7 * 86_400 * 1000;

impl LinkRequest {
    /// A request with the two arguments that are always needed; set the rest on its public fields.
    pub fn new(to: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self { to: to.into(), purpose: purpose.into(), ..Self::default() }
    }
}

impl LinkTarget {
    /// Any address that the link is for.
    pub fn new(token: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self { token: token.into(), purpose: purpose.into(), to: None }
    }
}

impl Links {
    /// A new link. Pure computation: nothing is stored or sent.
    ///
    /// # Errors
    /// `INVALID_EMAIL`, `INVALID_PHONE`, `INVALID_ARGUMENT`.
    pub fn issue(&self, request: &LinkRequest) -> Result<Link> {
        Ok(self.core.open()?.issue_link(request)?.link)
    }

    /// Sends a new link by the client's sender, in the words of the option `messages`. Nothing is stored; limit it by
    /// `once.limits`, as the adapters do.
    ///
    /// # Errors
    /// As [`Links::issue`]; `INVALID_ARGUMENT` without `url`; `DELIVERY_FAILED`.
    pub fn send(&self, request: LinkRequest) -> BoxFuture<'static, Result<Link>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            core.open()?;
            core.send_link(request).await
        })
    }

    /// Accepts a link, once (as often as it comes where `links.stateless` says so). One round trip, or none.
    ///
    /// Call it from a POST: mail scanners follow links, and a GET that used them up would leave the reader with none.
    ///
    /// # Errors
    /// `LINK_EXPIRED`; `LINK_INVALID` (used, altered, for another address or purpose, or not ours); `INVALID_EMAIL`,
    /// `INVALID_PHONE`, `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn verify(&self, target: LinkTarget) -> BoxFuture<'static, Result<Followed>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let core = core.open()?;
            let opened = core.open_link(&target)?;
            if core.settings.links.stateless {
                return Ok(opened.followed);
            }
            let life = Duration::from_millis(opened.left_ms) + MARGIN;
            match core.store.put(&opened.key, b"1", life, When::Absent).await? {
                true => Ok(opened.followed),
                false => Err(used()),
            }
        })
    }

    /// Whether [`Links::verify`] would accept it, without using it up: for a GET. One round trip, or none.
    ///
    /// # Errors
    /// As [`Links::verify`].
    pub fn peek(&self, target: LinkTarget) -> BoxFuture<'static, Result<Followed>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let core = core.open()?;
            let opened = core.open_link(&target)?;
            if core.settings.links.stateless || core.store.get(&opened.key).await?.is_none() {
                return Ok(opened.followed);
            }
            Err(used())
        })
    }
}

/// A link that nobody has yet.
struct New {
    link: Link,
    id: String,
    to: Identifier,
    life: Duration,
}

/// A link that is right by itself.
struct Opened {
    followed: Followed,
    key: Key,
    left_ms: u64,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    purpose: String,
    jti: String,
    exp: u64,
    data: Option<Value>,
}

impl Core {
    async fn send_link(self: &Arc<Self>, request: LinkRequest) -> Result<Link> {
        let New { link, id, to, life } = self.issue_link(&request)?;
        let Some(url) = link.url.clone() else {
            return Err(Error::argument("url, the page that the link leads to, is needed to send one"));
        };
        let about = About { to: &to, purpose: &request.purpose, locale: request.locale.as_deref(), life };
        let said = self.texts.link(about, &url)?;
        let message = Message {
            to,
            purpose: request.purpose,
            code: Secret::from(""),
            link: Some(url),
            subject: said.subject,
            text: said.text,
            html: said.html,
            id,
            locale: request.locale,
            expires_in: life,
        };
        let Some(background) = &self.background else {
            return self.deliver(&message).await.map(|()| link);
        };
        let (place, core) = (background.reserve()?, Arc::clone(self));
        background.start(place, async move {
            if let Err(e) = core.deliver(&message).await {
                core.tell(EventKind::DeliveryFailed(e.kind()), &message.purpose, Some(&message.to), None);
            }
        });
        Ok(link)
    }

    fn issue_link(&self, request: &LinkRequest) -> Result<New> {
        check_purpose(&request.purpose)?;
        let to = Identifier::parse(&request.to, self.settings.region)?;
        let ttl = request.ttl.unwrap_or(self.settings.links.ttl);
        if ttl < Duration::from_secs(1) || ttl.as_millis() as u64 > LONGEST_MS {
            return Err(Error::argument(format!("ttlSeconds must be from 1 to {}", LONGEST_MS / 1000)));
        }
        if request.data.as_ref().is_some_and(|data| data.to_string().len() > MOST_DATA) {
            return Err(Error::argument(format!("data must be at most {MOST_DATA} bytes of JSON")));
        }
        let now = self.clock.now_ms() / 1000;
        let mut id = [0; 16];
        self.random.fill(&mut id)?;
        let id = URL_SAFE_NO_PAD.encode(id);
        let mut claims = json!({
            "sub": to.as_str(), "purpose": request.purpose, "jti": id,
            "iat": now, "exp": now + ttl.as_secs(),
        });
        if let Some(data) = &request.data {
            claims["data"] = data.clone();
        }
        let token = self.ring.link_keys().sign(claims.to_string().as_bytes())?;
        let url = request.url.as_deref().map(|url| with_token(url, &token)).transpose()?;
        let link =
            Link { token: token.into(), url: url.map(Secret::from), expires_at_ms: (now + ttl.as_secs()) * 1000 };
        Ok(New { link, id, to, life: ttl })
    }

    fn open_link(&self, target: &LinkTarget) -> Result<Opened> {
        let invalid = || Error::new(ErrorKind::LinkInvalid, "the link is invalid");
        check_purpose(&target.purpose)?;
        let to = target.to.as_deref().map(|to| Identifier::parse(to, self.settings.region)).transpose()?;
        let payload = self.ring.link_keys().open(&target.token).map_err(|_| invalid())?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| invalid())?;
        // What it is not for is told before its age: an expired link to somebody else says nothing about them.
        if claims.purpose != target.purpose || to.is_some_and(|to| to.as_str() != claims.sub) {
            return Err(invalid());
        }
        let left_ms = claims.exp.saturating_mul(1000).saturating_sub(self.clock.now_ms());
        if left_ms == 0 {
            return Err(Error::new(ErrorKind::LinkExpired, "the link has expired"));
        }
        let key = self.keys.key(&self.ring, "link", &["link", &claims.jti]);
        let identifier = Identifier::from_normalised(&claims.sub);
        Ok(Opened { followed: Followed { identifier, purpose: claims.purpose, data: claims.data }, key, left_ms })
    }
}

/// `{token}` may stand anywhere but in the host: in a path, or behind a `#`, where no server's log sees it.
fn with_token(url: &str, token: &str) -> Result<String> {
    let has_place = url.contains("{token}");
    let parsed =
        Url::parse(&url.replace("{token}", token)).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    let mut url = parsed.ok_or_else(|| Error::argument("url must be an absolute http or https URL"))?;
    if !has_place {
        url.query_pairs_mut().append_pair("token", token);
    } else if !url[Position::BeforePath..].contains(token) {
        return Err(Error::argument("url must have {token} behind the host"));
    }
    Ok(url.into())
}

fn used() -> Error {
    Error::new(ErrorKind::LinkInvalid, "the link was used already")
}

impl fmt::Debug for LinkRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkRequest").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

impl fmt::Debug for LinkTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkTarget").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("expires_at_ms", &self.expires_at_ms).finish_non_exhaustive()
    }
}

impl fmt::Debug for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Followed").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}
