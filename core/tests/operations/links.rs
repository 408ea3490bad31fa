//! `once.links`.

use futures::future::join_all;
use oncecode::{LinkRequest, LinkTarget};
use serde_json::json;

use crate::{App, cases, refused, secs};

cases! {
    a_link_is_accepted_once
    of_many_clicks_one_wins
    a_stateless_link_is_accepted_until_it_expires
    expired_and_invalid_are_told_apart
    a_clock_that_is_behind_accepts_no_link_twice
}

async fn a_link_is_accepted_once(app: &App) {
    let (here, there) = (app.client(json!({})).await.links(), app.client(json!({})).await.links());
    let mut request = LinkRequest::new(" Ann@Example.com", "verify-email");
    request.data = Some(json!({ "userId": 7 }));
    request.url = Some("https://app.example/verify?lang=de".into());
    let link = here.issue(&request).expect("issue");
    let url = link.url.expect("a url");
    assert_eq!(url.expose(), format!("https://app.example/verify?lang=de&token={}", link.token.expose()));
    let target = || {
        let mut target = LinkTarget::new(link.token.expose(), "verify-email");
        target.to = Some("ann@example.com".into());
        target
    };
    for _ in 0..3 {
        there.peek(target()).await.expect("a scanner looks");
    }
    let followed = there.verify(target()).await.expect("verify");
    assert_eq!((followed.identifier.as_str(), followed.data), ("ann@example.com", Some(json!({ "userId": 7 }))));
    assert_eq!(refused(here.verify(target()).await), "LINK_INVALID");
    assert_eq!(refused(here.peek(target()).await), "LINK_INVALID");
}

async fn of_many_clicks_one_wins(app: &App) {
    let links = app.client(json!({})).await.links();
    let link = links.issue(&LinkRequest::new("ann@example.com", "login")).expect("issue");
    let clicks = join_all((0..20).map(|_| links.verify(LinkTarget::new(link.token.expose(), "login")))).await;
    assert_eq!(clicks.iter().filter(|click| click.is_ok()).count(), 1);
}

async fn a_stateless_link_is_accepted_until_it_expires(app: &App) {
    let links = app.client(json!({ "links": { "stateless": true, "ttlSeconds": 100 } })).await.links();
    let link = links.issue(&LinkRequest::new("ann@example.com", "login")).expect("issue");
    for _ in 0..2 {
        assert!(links.verify(LinkTarget::new(link.token.expose(), "login")).await.is_ok());
    }
    app.advance(secs(100)).await;
    assert_eq!(refused(links.verify(LinkTarget::new(link.token.expose(), "login")).await), "LINK_EXPIRED");
}

async fn expired_and_invalid_are_told_apart(app: &App) {
    let once = app.client(json!({})).await;
    let links = once.links();
    let token = links.issue(&LinkRequest::new("ann@example.com", "login")).expect("issue").token;
    let verify = |token: &str, purpose: &str, to: Option<&str>| {
        let mut target = LinkTarget::new(token, purpose);
        target.to = to.map(str::to_owned);
        links.verify(target)
    };
    assert_eq!(refused(verify(token.expose(), "signup", None).await), "LINK_INVALID");
    assert_eq!(refused(verify(token.expose(), "login", Some("bob@example.com")).await), "LINK_INVALID");
    assert_eq!(refused(verify(&token.expose()[1..], "login", None).await), "LINK_INVALID");
    assert_eq!(refused(verify("", "login", None).await), "LINK_INVALID");
    let access = once.tokens().sign(oncecode::SignRequest::of("ann@example.com")).await.expect("sign");
    assert_eq!(refused(verify(access.expose(), "login", None).await), "LINK_INVALID", "an access token is no link");
    assert_eq!(refused(once.tokens().verify(token.expose()).await), "TOKEN_INVALID", "a link is no access token");
    assert_eq!(refused(verify(token.expose(), "", None).await), "INVALID_ARGUMENT");
    assert_eq!(refused(verify(token.expose(), "login", Some("nonsense@")).await), "INVALID_EMAIL");
    app.advance(secs(86_400)).await;
    assert_eq!(refused(verify(token.expose(), "login", Some("bob@example.com")).await), "LINK_INVALID");
    assert_eq!(refused(verify(token.expose(), "login", Some("ann@example.com")).await), "LINK_EXPIRED");
    for (url, to) in [("javascript:alert(1)", "ann@example.com"), ("/verify", "ann@example.com")] {
        let mut request = LinkRequest::new(to, "login");
        request.url = Some(url.into());
        assert_eq!(refused(links.issue(&request)), "INVALID_ARGUMENT");
    }
}

async fn a_clock_that_is_behind_accepts_no_link_twice(app: &App) {
    let behind = app.clock_apart();
    behind.set_back(secs(23 * 3600));
    let (here, there) = (app.client(json!({})).await.links(), app.client_at(json!({}), behind.clone()).await.links());
    let mut request = LinkRequest::new("ann@example.com", "login");
    request.ttl = Some(secs(60));
    let token = here.issue(&request).expect("issue").token;
    let target = || LinkTarget::new(token.expose(), "login");
    here.verify(target()).await.expect("verify");
    for hours in [1, 21] {
        app.advance(secs(hours * 3600)).await;
        behind.advance(secs(hours * 3600));
        assert_eq!(refused(here.verify(target()).await), "LINK_EXPIRED");
        assert_eq!(refused(there.verify(target()).await), "LINK_INVALID", "after {hours} h");
    }
}
