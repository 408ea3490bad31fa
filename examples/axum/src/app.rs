//! The app: the endpoints of [`auth`], and some of its own behind them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use oncecode::{BoxFuture, Oncecode, Result};
use serde_json::{Map, json};

use crate::answer::{Failure, explained, json};
use crate::auth::{AuthOptions, LinkRoutes, Proven, User, Users, router};
use crate::idempotent::{Idempotent, idempotent};
use crate::limit::{Limit, limited};
use crate::signed_in::SignedIn;

/// Everything that is served. `link_page` is the page that links in emails lead to, if there is one.
///
/// # Errors
/// `CONFIG` for options that cannot work.
pub fn app(once: &Oncecode, link_page: Option<String>) -> Result<Router> {
    let links = link_page.map(LinkRoutes::new);
    let options = AuthOptions { users: Arc::new(Accounts::default()), links, ..AuthOptions::default() };
    let search = from_fn_with_state(Limit::new(once, "search"), limited);
    let orders = from_fn_with_state(Idempotent { once: once.clone(), scope: whoever_is_signed_in }, idempotent);
    Ok(Router::new()
        .nest("/api/auth", router(once, options)?)
        .route("/api/me", get(me))
        .route("/api/news", get(news))
        .route("/api/search", get(found).route_layer(search))
        .route("/api/orders", post(order).route_layer(orders))
        .with_state(once.clone())
        // Last, which is outermost.
        .layer(from_fn_with_state(once.clone(), explained)))
}

async fn me(SignedIn(session): SignedIn) -> Response {
    json(json!({ "userId": session.user_id, "device": session.device }))
}

async fn news(session: Option<SignedIn>) -> Response {
    json(json!({ "for": session.map_or("everybody".to_owned(), |SignedIn(session)| session.user_id) }))
}

async fn found() -> Response {
    json(json!({ "found": [] }))
}

async fn order(SignedIn(session): SignedIn) -> Response {
    // Stands for a row of the app's database.
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    json(json!({ "order": NUMBER.fetch_add(1, Ordering::Relaxed), "userId": session.user_id }))
}

fn whoever_is_signed_in<'p>(once: &'p Oncecode, parts: &'p mut Parts) -> BoxFuture<'p, Result<String, Failure>> {
    Box::pin(async move {
        let SignedIn(session) = <SignedIn as FromRequestParts<Oncecode>>::from_request_parts(parts, once).await?;
        Ok(session.user_id)
    })
}

/// Users in memory; yours are in a database.
#[derive(Default)]
struct Accounts {
    by_address: Mutex<BTreeMap<String, u64>>,
}

impl Accounts {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Users for Accounts {
    /// Finds or makes the user.
    fn verified(&self, proven: Proven) -> BoxFuture<'_, Result<Option<User>, Failure>> {
        let mut all = self.all();
        let next = all.len() as u64 + 1;
        let id = *all.entry(proven.identifier.clone()).or_insert(next);
        Box::pin(async move { Ok(Some(shown(id, &proven.identifier))) })
    }

    fn load<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, Result<Option<User>, Failure>> {
        let all = self.all();
        let found = all.iter().find(|(_, id)| id.to_string() == user_id);
        let found = found.map(|(address, id)| shown(*id, address));
        Box::pin(async move { Ok(found) })
    }
}

fn shown(id: u64, address: &str) -> User {
    Map::from_iter([("id".to_owned(), json!(id)), ("address".to_owned(), json!(address))])
}
