//! `/email/request`, and `/email/verify`, of which the GET only looks: mail scanners follow links.

use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::REFERRER_POLICY;
use axum::response::Response;
use oncecode::{Error, ErrorKind, HitRequest, Link, LinkRequest, LinkTarget, Mode, Secret};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::login::log_in;
use super::{Auth, By, LinkMail, LinkRoutes, Login, Proven, address, seconds_to};
use crate::answer::{Failure, json, put};
use crate::body::Said;
use crate::caller::Caller;

pub(super) async fn request(State(auth): State<Auth>, caller: Caller, said: Said) -> Result<Response, Failure> {
    let (once, links) = (&auth.once, routes(&auth)?);
    said.only(&[&["email", "locale"]], &auth.options.fields)?;
    let mut request = LinkRequest::new(address("email", said.text("email")?)?, &links.purpose);
    request.locale = said.optional_text("locale")?.map(str::to_owned);
    request.data = said.own(&auth.options.fields).map(Value::Object);
    request.url = Some(links.url.clone());

    let link = once.links().issue(&request)?;
    // The address in the one spelling that all of its spellings have.
    let whose = once.links().peek(LinkTarget::new(link.token.expose(), &links.purpose)).await?;
    let mut hit = HitRequest::ip(&links.limit, caller.ip);
    hit.key = Some(whose.identifier.as_str().to_owned());
    let quota = once.limits().hit(hit.clone()).await?;
    let link = match sent(&auth, links, request, link, whose.identifier.as_str()).await {
        Ok(link) => link,
        Err(error) => {
            // What can't be given back is over with the window.
            let _ = once.limits().refund(hit).await;
            return Err(error.into());
        }
    };
    let mut body = json!({
        "success": true,
        "message": "Verification email sent",
        "expiresIn": seconds_to(link.expires_at_ms),
    });
    if once.mode() == Mode::Development {
        body["link"] = json!(link.url.as_ref().map(Secret::expose));
    }
    let mut response = json(body);
    put(response.headers_mut(), quota.headers(false));
    Ok(response)
}

/// Sends `link` by the app's function, or else another one by the client's sender.
async fn sent(auth: &Auth, links: &LinkRoutes, request: LinkRequest, link: Link, to: &str) -> Result<Link, Error> {
    let Some(send) = &links.send else { return auth.once.links().send(request).await };
    let mail = LinkMail {
        to: to.to_owned(),
        url: link.url.clone().unwrap_or_else(|| Secret::from("")),
        data: request.data.and_then(|data| data.as_object().cloned()).unwrap_or_default(),
        expires_at_ms: link.expires_at_ms,
    };
    match send(mail).await {
        Ok(()) => Ok(link),
        Err(cause) => Err(Error::new(ErrorKind::DeliveryFailed, "the email could not be sent").with_source(cause)),
    }
}

pub(super) async fn look(State(auth): State<Auth>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let query = query.unwrap_or_default();
    let token = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
    let (_, token) = token.ok_or_else(|| Failure::invalid("token must be a string"))?;
    auth.once.links().peek(LinkTarget::new(token, &routes(&auth)?.purpose)).await?;
    let mut response = json(json!({ "success": true, "verified": false, "message": "The link is valid" }));
    // The token is in this page's address.
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

pub(super) async fn verify(State(auth): State<Auth>, caller: Caller, said: Said) -> Result<Response, Failure> {
    let links = routes(&auth)?;
    said.only(&[&["token", "email"]], &auth.options.fields)?;
    let mut target = LinkTarget::new(said.text("token")?, &links.purpose);
    target.to = said.optional_text("email")?.map(|to| address("email", to)).transpose()?;
    let followed = auth.once.links().verify(target).await?;
    let proven = Proven {
        identifier: followed.identifier.as_str().to_owned(),
        purpose: followed.purpose,
        data: followed.data.and_then(|data| data.as_object().cloned()).unwrap_or_default(),
        fields: said.own(&auth.options.fields).unwrap_or_default(),
        by: By::Link,
    };
    let login = if links.login { auth.options.login } else { Login::None };
    let body = json!({ "success": true, "verified": true, "message": "Email verified successfully" });
    log_in(&auth, login, proven, &caller, body).await
}

/// These endpoints are mounted with the option alone.
fn routes(auth: &Auth) -> Result<&LinkRoutes, Failure> {
    auth.options.links.as_ref().ok_or_else(|| Error::new(ErrorKind::Config, "there are no links").into())
}
