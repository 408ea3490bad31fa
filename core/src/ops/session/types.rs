//! What the operations on sessions take and give.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::secret::Secret;

/// What [`Sessions::create`](super::Sessions::create) needs.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct SessionRequest {
    /// Whose session: any text of 1 to 255 bytes.
    pub user_id: String,
    /// A label for the user to know it by, such as a User-Agent; cut at 256 bytes.
    pub device: Option<String>,
    /// The address it begins from.
    pub ip: Option<String>,
    /// Anything to get back from `validate`, at most 4096 bytes of JSON. Stored encrypted.
    pub data: Option<Value>,
    /// A shorter absolute life than the policy's.
    pub ttl: Option<Duration>,
}

impl SessionRequest {
    /// A request with the argument that is always needed; set the rest on its public fields.
    pub fn new(user_id: impl Into<String>) -> Self {
        Self { user_id: user_id.into(), ..Self::default() }
    }
}

/// Names a session for [`Sessions::revoke`](super::Sessions::revoke).
#[derive(Clone)]
#[non_exhaustive]
pub enum SessionTarget {
    /// By its token: logging out.
    Token(Secret),
    /// By its user and id, as listed.
    Id {
        /// The user.
        user_id: String,
        /// The session's id.
        id: String,
    },
}

impl SessionTarget {
    /// By its token.
    pub fn token(token: impl Into<Secret>) -> Self {
        Self::Token(token.into())
    }

    /// By its user and id.
    pub fn id(user_id: impl Into<String>, id: impl Into<String>) -> Self {
        Self::Id { user_id: user_id.into(), id: id.into() }
    }
}

/// A session that began, or goes on under another token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewSession {
    /// 86 characters, safe in a cookie or header. It can't be had again.
    pub token: Secret,
    /// The session.
    pub session: Session,
}

/// A live session, without its token.
#[derive(Clone)]
#[non_exhaustive]
pub struct Session {
    /// Names it for listing and revoking; proves nothing.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// The label given at its begin.
    pub device: Option<String>,
    /// The address of its begin, or of the last activity that was written with one.
    pub ip: Option<String>,
    /// What was given at its begin.
    pub data: Option<Value>,
    /// When it began, in milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// When it was last used, exact to `activitySeconds`, in milliseconds since the Unix epoch.
    pub last_active_at_ms: u64,
    /// When it ends if it is not used any more, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
}

impl fmt::Debug for SessionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Users, addresses and the app's data.
        f.debug_struct("SessionRequest").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SessionTarget::Token(_) => "Token(…)",
            SessionTarget::Id { .. } => "Id(…)",
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}
