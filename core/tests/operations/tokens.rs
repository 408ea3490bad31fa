//! `once.tokens`.

use futures::future::join_all;
use oncecode::{SignRequest, Tokens};
use serde_json::{Value, json};

use crate::{App, cases, refused, secs};

cases! {
    a_token_is_verified_until_it_expires
    a_revoked_token_is_refused_here_at_once_and_elsewhere_in_time
    all_of_a_users_tokens_are_revoked_and_later_ones_are_not
    everybodys_tokens_are_revoked
    a_bumped_version_is_never_unbumped
    a_token_signed_after_a_bump_elsewhere_is_good
    another_issuers_token_is_revoked_by_its_time
    many_revocations_at_once_are_all_kept
    a_clock_that_is_behind_accepts_nothing_that_was_revoked
    a_clock_that_is_set_back_keeps_nothing_known_for_longer
}

async fn tokens(app: &App) -> Tokens {
    app.client(json!({ "tokens": { "cacheSeconds": 5 } })).await.tokens()
}

async fn sign(tokens: &Tokens, user: &str) -> String {
    tokens.sign(SignRequest::of(user)).await.expect("sign").expose().to_owned()
}

async fn a_token_is_verified_until_it_expires(app: &App) {
    let (here, there) = (tokens(app).await, tokens(app).await);
    let claims = json!({ "sub": "ann", "role": "admin", "deep": [1, { "a": null }] });
    let request = SignRequest::new(claims.as_object().expect("claims").clone());
    let token = here.sign(request).await.expect("sign");
    let read = Value::Object(there.verify(token.expose()).await.expect("verify").to_map());
    assert_eq!((&read["sub"], &read["role"], &read["deep"]), (&claims["sub"], &claims["role"], &claims["deep"]));
    assert_eq!(read["exp"].as_u64().expect("exp") - read["iat"].as_u64().expect("iat"), 900);
    app.advance(secs(899)).await;
    assert!(there.verify(token.expose()).await.is_ok());
    app.advance(secs(1)).await;
    assert_eq!(refused(there.verify(token.expose()).await), "TOKEN_EXPIRED");
    assert!(!there.revoke(token.expose()).await.expect("revoke"), "there is nothing to revoke");
}

async fn a_revoked_token_is_refused_here_at_once_and_elsewhere_in_time(app: &App) {
    let (here, there) = (tokens(app).await, tokens(app).await);
    let (first, second) = (sign(&here, "ann").await, sign(&here, "ann").await);
    let without_user = here.sign(SignRequest::default()).await.expect("sign");
    for token in [first.as_str(), &second, without_user.expose()] {
        assert!(there.verify(token).await.is_ok() && here.verify(token).await.is_ok());
    }
    for token in [first.as_str(), without_user.expose()] {
        assert!(here.revoke(token).await.expect("revoke"));
        assert_eq!(refused(here.verify(token).await), "TOKEN_REVOKED");
    }
    app.advance(secs(5)).await;
    for token in [first.as_str(), without_user.expose()] {
        assert_eq!(refused(there.verify(token).await), "TOKEN_REVOKED");
        assert_eq!(refused(here.verify(token).await), "TOKEN_REVOKED");
        assert!(here.verify_stateless(token).is_ok());
    }
    assert!(there.verify(&second).await.is_ok() && here.verify(&second).await.is_ok());
}

async fn all_of_a_users_tokens_are_revoked_and_later_ones_are_not(app: &App) {
    let (here, there) = (tokens(app).await, tokens(app).await);
    let (old, theirs) = (sign(&here, "ann").await, sign(&here, "bob").await);
    assert!(there.verify(&old).await.is_ok());
    here.revoke_all("ann").await.expect("revoke");
    let new = sign(&here, "ann").await;
    assert_eq!(refused(here.verify(&old).await), "TOKEN_REVOKED");
    assert!(here.verify(&new).await.is_ok() && there.verify(&new).await.is_ok());
    app.advance(secs(5)).await;
    assert_eq!(refused(there.verify(&old).await), "TOKEN_REVOKED");
    assert!(there.verify(&new).await.is_ok() && there.verify(&theirs).await.is_ok());
}

async fn everybodys_tokens_are_revoked(app: &App) {
    let (here, there) = (tokens(app).await, tokens(app).await);
    let old = [sign(&here, "ann").await, sign(&here, "bob").await];
    let without_user = here.sign(SignRequest::default()).await.expect("sign");
    app.advance(secs(1)).await;
    there.revoke_everybody().await.expect("revoke");
    app.advance(secs(5)).await;
    for token in [&old[0], &old[1], without_user.expose()] {
        assert_eq!(refused(here.verify(token).await), "TOKEN_REVOKED");
    }
    assert!(here.verify(&sign(&here, "ann").await).await.is_ok());
}

async fn a_bumped_version_is_never_unbumped(app: &App) {
    let clients = [tokens(app).await, tokens(app).await, tokens(app).await];
    let old = sign(&clients[0], "ann").await;
    let calls = clients.iter().cycle().take(12).enumerate().map(|(number, tokens)| {
        let old = &old;
        async move {
            if number % 3 == 0 {
                tokens.revoke_all("ann").await.expect("revoke");
                assert_eq!(refused(tokens.verify(old).await), "TOKEN_REVOKED", "from its own bump on");
            } else {
                let _ = tokens.verify(old).await;
            }
        }
    });
    join_all(calls).await;
    app.advance(secs(5)).await;
    let new = sign(&clients[1], "ann").await;
    for tokens in &clients {
        assert_eq!(refused(tokens.verify(&old).await), "TOKEN_REVOKED");
        assert!(tokens.verify(&new).await.is_ok());
    }
}

async fn a_token_signed_after_a_bump_elsewhere_is_good(app: &App) {
    let (here, there) = (tokens(app).await, tokens(app).await);
    assert!(there.verify(&sign(&there, "ann").await).await.is_ok(), "and its version is known now");
    here.revoke_all("ann").await.expect("revoke");
    let new = sign(&there, "ann").await;
    assert!(there.verify(&new).await.is_ok() && here.verify(&new).await.is_ok());
}

async fn another_issuers_token_is_revoked_by_its_time(app: &App) {
    let tokens = tokens(app).await;
    let old = tokens.sign_stateless(&SignRequest::of("ann")).expect("sign");
    assert!(tokens.verify(old.expose()).await.is_ok());
    app.advance(secs(2)).await;
    tokens.revoke_all("ann").await.expect("revoke");
    assert_eq!(refused(tokens.verify(old.expose()).await), "TOKEN_REVOKED");
    app.advance(secs(2)).await;
    let new = tokens.sign_stateless(&SignRequest::of("ann")).expect("sign");
    assert!(tokens.verify(new.expose()).await.is_ok());
}

async fn many_revocations_at_once_are_all_kept(app: &App) {
    let (here, there) = (tokens(app).await, tokens(app).await);
    let all = join_all((0..10).map(|_| sign(&here, "ann"))).await;
    let revoked =
        join_all(all.iter().enumerate().map(|(n, t)| if n % 2 == 0 { here.revoke(t) } else { there.revoke(t) }));
    assert!(revoked.await.into_iter().all(|done| done.expect("revoke")));
    app.advance(secs(5)).await;
    for token in &all {
        assert_eq!(refused(here.verify(token).await), "TOKEN_REVOKED");
        assert_eq!(refused(there.verify(token).await), "TOKEN_REVOKED");
    }
}

async fn a_clock_that_is_behind_accepts_nothing_that_was_revoked(app: &App) {
    let behind = app.clock_apart();
    behind.set_back(secs(11 * 3600));
    let options = json!({ "tokens": { "leewaySeconds": 600 } });
    let (here, there) =
        (app.client(options.clone()).await.tokens(), app.client_at(options, behind.clone()).await.tokens());
    let token = sign(&here, "ann").await;
    assert!(here.revoke(&token).await.expect("revoke"));
    for hours in [1, 9] {
        app.advance(secs(hours * 3600)).await;
        behind.advance(secs(hours * 3600));
        // Whoever has the right time writes meanwhile, and forgets nothing.
        assert!(here.revoke(&sign(&here, "ann").await).await.expect("revoke"));
        assert_eq!(refused(here.verify(&token).await), "TOKEN_EXPIRED");
        assert_eq!(refused(there.verify(&token).await), "TOKEN_REVOKED", "after {hours} h");
    }
}

async fn a_clock_that_is_set_back_keeps_nothing_known_for_longer(app: &App) {
    let wrong = app.clock_apart();
    let (here, there) = (tokens(app).await, app.client_at(json!({}), wrong.clone()).await.tokens());
    let token = sign(&here, "ann").await;
    assert!(there.verify(&token).await.is_ok(), "and known to be good");
    here.revoke(&token).await.expect("revoke");
    app.advance(secs(4)).await;
    wrong.advance(secs(4));
    wrong.set_back(secs(3));
    app.advance(secs(1)).await;
    wrong.advance(secs(1));
    assert_eq!(refused(there.verify(&token).await), "TOKEN_REVOKED");
}
