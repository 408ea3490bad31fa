//! The endpoints: `/otp/request`, `/otp/verify`, `/otp/resend`, `/session`, `/logout`, and with the options for them
//! `/email/request`, `/email/verify`, `/signup/send-otp`, `/signup/verify-otp`. docs/http.md says what they take and answer.

mod codes;
mod links;
mod login;
mod options;
mod session;
mod signup;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::FromRef;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use oncecode::{Error, ErrorKind, Oncecode, Result};

pub use self::options::{AuthOptions, By, LinkMail, LinkRoutes, Login, Proven, SendLink, User, Users};
use crate::answer::Failure;

/// The endpoints, to be nested where the app wants them.
///
/// # Errors
/// `CONFIG` for options that cannot work.
pub fn router<S>(once: &Oncecode, options: AuthOptions) -> Result<Router<S>>
where
    S: Clone + Send + Sync + 'static,
{
    options.check()?;
    let mut routes = Router::new()
        .route("/otp/request", post(codes::request))
        .route("/otp/resend", post(codes::resend))
        .route("/otp/verify", post(codes::verify));
    if !options.user_types.is_empty() {
        routes =
            routes.route("/signup/send-otp", post(signup::send_code)).route("/signup/verify-otp", post(signup::verify));
    }
    if options.links.is_some() {
        routes = routes
            .route("/email/request", post(links::request))
            .route("/email/verify", get(links::look).post(links::verify));
    }
    if options.login != Login::None {
        routes = routes.route("/session", get(session::show)).route("/logout", post(session::log_out));
    }
    let auth = Auth { once: once.clone(), options: Arc::new(options) };
    Ok(routes.layer(map_response(never_cached)).with_state(auth))
}

/// What the handlers work with.
#[derive(Clone)]
struct Auth {
    once: Oncecode,
    options: Arc<AuthOptions>,
}

impl FromRef<Auth> for Oncecode {
    fn from_ref(auth: &Auth) -> Self {
        auth.once.clone()
    }
}

async fn never_cached(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The address, if it is of the kind that its field says.
fn address(field: &str, to: &str) -> Result<String, Failure> {
    let is_email = to.contains('@');
    match field {
        "email" if !is_email => Err(Error::new(ErrorKind::InvalidEmail, "not an email address").into()),
        "phone" | "phoneNumber" if is_email => Err(Error::new(ErrorKind::InvalidPhone, "not a phone number").into()),
        _ => Ok(to.to_owned()),
    }
}

/// Whole seconds from now to a moment, rounded up.
fn seconds_to(moment_ms: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(moment_ms).saturating_sub(now).as_millis().div_ceil(1000) as u64
}
