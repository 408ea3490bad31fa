use std::sync::Arc;

use axum::BoxError;
use oncecode::{BoxFuture, Error, ErrorKind, Result, Secret};
use serde_json::{Map, Value, json};

use crate::answer::Failure;

/// A user as the answer shows them: everything in it goes to the browser. Its `id`, a text or a whole number, logs in.
pub type User = Map<String, Value>;

/// The app's users. The default: an address is its own user.
pub trait Users: Send + Sync + 'static {
    /// Finds or makes the user of a proven address. `None`: the address is proven, and nobody is logged in.
    fn verified(&self, proven: Proven) -> BoxFuture<'_, Result<Option<User>, Failure>> {
        let field = if proven.identifier.contains('@') { "email" } else { "phoneNumber" };
        let address = json!(proven.identifier);
        let user = Map::from_iter([("id".to_owned(), address.clone()), (field.to_owned(), address)]);
        Box::pin(async { Ok(Some(user)) })
    }

    /// The user of a session, for `/session`.
    fn load<'a>(&'a self, _user_id: &'a str) -> BoxFuture<'a, Result<Option<User>, Failure>> {
        Box::pin(async { Ok(None) })
    }
}

struct Addresses;

impl Users for Addresses {}

/// An address that somebody has just proven to be theirs.
pub struct Proven {
    /// The phone number or email address, normalised.
    pub identifier: String,
    /// What the code or link was for.
    pub purpose: String,
    /// The app's own fields of the request for the code or link.
    pub data: Map<String, Value>,
    /// The app's own fields of this request.
    pub fields: Map<String, Value>,
    /// How.
    pub by: By,
}

/// How an address was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By a code.
    Code,
    /// By a link in an email.
    Link,
}

/// What a log-in is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// A session and its cookie.
    Session,
    /// A token (JWT) of `once.tokens()`.
    Token,
    /// Nothing: addresses are proven, and the app does the rest.
    None,
}

/// What [`router`](super::router) can be told.
pub struct AuthOptions {
    /// Default: an address is its own user.
    pub users: Arc<dyn Users>,
    /// Default: a session.
    pub login: Login,
    /// Whether the answer names the session's token beside the cookie, for clients without cookies. Default true.
    pub token_in_body: bool,
    /// What codes may be asked for; the first where a request does not say. Default `login`.
    pub purposes: Vec<String>,
    /// `user_type` of `/signup/send-otp`, which makes the purpose `signup-TYPE`. Default: none, and no such endpoints.
    pub user_types: Vec<String>,
    /// Fields of the app's own that requests may have beside ours.
    pub fields: Vec<String>,
    /// Links in emails. Default: no such endpoints.
    pub links: Option<LinkRoutes>,
}

/// How links reach people.
pub struct LinkRoutes {
    /// The page that links lead to, with `token` in its query, or with the token for `{token}`; it posts it to `/email/verify`.
    pub url: String,
    /// Default: the client's sender sends them.
    pub send: Option<SendLink>,
    /// What links are for. Default `verify-email`.
    pub purpose: String,
    /// Whether a link logs in. Default false: it proves an address only.
    pub login: bool,
    /// The limit of `once.limits()` per address and per IP address. Default `email`.
    pub limit: String,
}

/// Sends a link. Its error is answered with `DELIVERY_FAILED`, and the limit gives back what it took.
pub type SendLink = Arc<dyn Fn(LinkMail) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// An email with a link.
pub struct LinkMail {
    /// Whom to send to.
    pub to: String,
    /// The link.
    pub url: Secret,
    /// The app's own fields of the request.
    pub data: Map<String, Value>,
    /// When the link expires, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self {
            users: Arc::new(Addresses),
            login: Login::Session,
            token_in_body: true,
            purposes: vec!["login".to_owned()],
            user_types: Vec::new(),
            fields: Vec::new(),
            links: None,
        }
    }
}

impl LinkRoutes {
    /// Links to a page, with the defaults.
    pub fn new(url: impl Into<String>) -> Self {
        let (purpose, limit) = ("verify-email".to_owned(), "email".to_owned());
        Self { url: url.into(), send: None, purpose, login: false, limit }
    }
}

const RESERVED: [&str; 13] = [
    "to",
    "phoneNumber",
    "phone",
    "email",
    "otp",
    "code",
    "otp_code",
    "id",
    "purpose",
    "locale",
    "type",
    "token",
    "user_type",
];

impl AuthOptions {
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |message| Err(Error::new(ErrorKind::Config, message));
        if self.purposes.is_empty() {
            return wrong("purposes must not be empty".to_owned());
        }
        match self.fields.iter().any(|name| RESERVED.contains(&name.as_str())) {
            true => wrong(format!("fields must not be of {}", RESERVED.join(", "))),
            false => Ok(()),
        }
    }
}
