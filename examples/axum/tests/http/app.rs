//! The app of the cases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use oncecode::{BoxFuture, Oncecode};
use oncecode_axum_example::answer::{Failure, explained, json};
use oncecode_axum_example::auth::{
    AuthOptions, By, LinkMail, LinkRoutes, Login, Proven, SendLink, User, Users, router,
};
use oncecode_axum_example::idempotent::{Idempotent, idempotent};
use oncecode_axum_example::limit::{Limit, limited};
use oncecode_axum_example::signed_in::{ByToken, SignedIn};
use serde_json::{Value, json};

use super::world::World;

pub fn app(once: &Oncecode, options: &Value, world: &World) -> Router {
    let ok = || async { json(json!({ "ok": true })) };
    let small = || Limit::new(once, "small");
    let one_each = Idempotent {
        once: once.clone(),
        scope: |_, parts| {
            let user = parts.headers.get("x-user").and_then(|user| user.to_str().ok()).unwrap_or("nobody").to_owned();
            Box::pin(async { Ok(user) })
        },
    };
    let runs = Arc::new(AtomicU64::new(0));
    let me = |SignedIn(session): SignedIn| async move { json(json!({ "userId": session.user_id })) };
    let jwt = |token: ByToken| async move { json(json!({ "userId": token.user_id })) };
    let maybe =
        |session: Option<SignedIn>| async move { json(json!({ "userId": session.map(|found| found.0.user_id) })) };
    let failing = |body: Bytes| async move {
        let status = if fail(&body) == true { StatusCode::IM_A_TEAPOT } else { StatusCode::OK };
        with_status(status, json!({ "ok": true }))
    };
    let once_each = move |body: Bytes| {
        let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
        let status = fail(&body).as_u64().and_then(|status| StatusCode::from_u16(status as u16).ok());
        async move { with_status(status.unwrap_or(StatusCode::OK), json!({ "run": run })) }
    };
    Router::new()
        .nest("/auth", router(once, auth(options, world)).expect("options"))
        .route("/me", get(me))
        .route("/jwt", get(jwt))
        .route("/maybe", get(maybe))
        .route("/limited", get(ok).route_layer(from_fn_with_state(small(), limited)))
        .route("/limited-failures", post(failing).route_layer(from_fn_with_state(small().skip_successful(), limited)))
        .route("/bug", get(bug))
        .route("/once", post(once_each).route_layer(from_fn_with_state(one_each, idempotent)))
        .with_state(once.clone())
        .layer(from_fn_with_state(once.clone(), explained))
}

async fn bug() -> Result<Response, Failure> {
    Err(std::io::Error::other("secret detail"))?
}

/// The field `fail` of a body.
fn fail(body: &[u8]) -> Value {
    serde_json::from_slice::<Value>(body).expect("JSON")["fail"].clone()
}

fn with_status(status: StatusCode, body: Value) -> Response {
    let mut response = json(body);
    *response.status_mut() = status;
    response
}

fn auth(given: &Value, world: &World) -> AuthOptions {
    let mut options = AuthOptions::default();
    for (name, value) in given.as_object().into_iter().flatten() {
        match name.as_str() {
            "onVerified" => options.users = Arc::new(Found(text(value))),
            "login" => {
                options.login = match value.as_str() {
                    Some("session") => Login::Session,
                    Some("token") => Login::Token,
                    _ => Login::None,
                }
            }
            "tokenInBody" => options.token_in_body = value == true,
            "purposes" => options.purposes = texts(value),
            "userTypes" => options.user_types = texts(value),
            "fields" => options.fields = texts(value),
            "links" => options.links = Some(links(value, world)),
            other => panic!("unknown option {other}"),
        }
    }
    options
}

fn links(given: &Value, world: &World) -> LinkRoutes {
    let mut links = LinkRoutes::new(text(&given["url"]));
    for (name, value) in given.as_object().into_iter().flatten() {
        match name.as_str() {
            "url" => {}
            "send" => links.send = Some(sender(&text(value), world.clone())),
            "purpose" => links.purpose = text(value),
            "login" => links.login = value == true,
            other => panic!("unknown option of links: {other}"),
        }
    }
    links
}

fn sender(how: &str, world: World) -> SendLink {
    match how {
        "records" => Arc::new(move |mail: LinkMail| {
            world.sent_link(&mail.to, mail.url.expose());
            Box::pin(async { Ok(()) })
        }),
        "fails" => Arc::new(|_| Box::pin(async { Err("the provider is out".into()) })),
        other => panic!("unknown sender {other}"),
    }
}

/// What `onVerified` does.
struct Found(String);

impl Users for Found {
    fn verified(&self, proven: Proven) -> BoxFuture<'_, Result<Option<User>, Failure>> {
        let user = json!({
            "id": format!("user of {}", proven.identifier),
            "by": match proven.by {
                By::Code => "code",
                By::Link => "link",
            },
            "purpose": proven.purpose,
            "data": proven.data,
            "fields": proven.fields,
        });
        let found = match self.0.as_str() {
            "user" => Ok(user.as_object().cloned()),
            "nobody" => Ok(None),
            "fails" => Err(Failure::unexpected("the database is out")),
            other => panic!("unknown onVerified {other}"),
        };
        Box::pin(async { found })
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().expect("a list").iter().map(text).collect()
}
