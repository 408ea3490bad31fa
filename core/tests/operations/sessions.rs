//! `once.sessions`.

use std::sync::Arc;

use futures::future::join_all;
use oncecode::testkit::FakeClock;
use oncecode::{NewSession, SessionRequest, SessionTarget, Sessions};
use serde_json::{Value, json};

use crate::{App, cases, refused, secs};

cases! {
    a_session_is_validated_until_it_is_revoked
    what_is_no_token_is_not_found
    a_session_ends_after_its_life
    an_unused_session_ends_early_and_a_used_one_does_not
    activity_is_written_once_an_interval
    a_rotated_token_is_dead
    a_grace_keeps_the_old_token_for_a_moment
    all_sessions_but_this_end
    one_session_too_many_ends_the_one_unused_for_longest
    bad_input_is_refused_and_writes_nothing
    many_logins_at_once_are_all_there
    of_many_rotations_of_one_token_one_wins
    a_late_write_never_revives_a_revoked_session
    a_client_with_a_wrong_clock_goes_by_the_stores
}

async fn sessions(app: &App, own: Value) -> Sessions {
    app.client(json!({ "sessions": own })).await.sessions()
}

async fn login(sessions: &Sessions, user: &str) -> NewSession {
    sessions.create(SessionRequest::new(user)).await.expect("create")
}

async fn a_session_is_validated_until_it_is_revoked(app: &App) {
    let (here, there) = (sessions(app, json!({})).await, sessions(app, json!({})).await);
    let mut request = SessionRequest::new("user:1");
    (request.device, request.ip) = (Some("phöne".repeat(60)), Some("::ffff:192.0.2.1".into()));
    request.data = Some(json!({ "role": "admin" }));
    let new = here.create(request).await.expect("create");
    let found = there.validate(new.token.expose(), None).await.expect("validate");
    assert_eq!((found.user_id.as_str(), found.id.as_str()), ("user:1", new.session.id.as_str()));
    assert_eq!(found.ip.as_deref(), Some("192.0.2.1"));
    assert!(found.device.expect("a label").len() <= 256);
    assert_eq!(found.data, Some(json!({ "role": "admin" })));
    assert_eq!(found.expires_at_ms - found.created_at_ms, 30 * 86_400_000);
    assert!(there.list("user:2").await.expect("list").is_empty());
    assert!(there.revoke(SessionTarget::token(new.token.clone())).await.expect("revoke"));
    assert_eq!(refused(here.validate(new.token.expose(), None).await), "SESSION_NOT_FOUND");
    assert!(!there.revoke(SessionTarget::token(new.token)).await.expect("revoke"), "it is gone");
    let second = login(&here, "user:1").await;
    assert!(!here.revoke(SessionTarget::id("user:2", &second.session.id)).await.expect("revoke"), "not theirs");
    assert!(here.revoke(SessionTarget::id("user:1", &second.session.id)).await.expect("revoke"));
    assert!(here.list("user:1").await.expect("list").is_empty());
}

async fn what_is_no_token_is_not_found(app: &App) {
    let sessions = sessions(app, json!({})).await;
    let token = login(&sessions, "ann").await.token;
    let (head, last) = token.expose().split_at(85);
    let other_last = if last == "A" { "Q" } else { "A" };
    let other_secret = format!("{}{}", &token.expose()[..43], "A".repeat(43));
    for bad in ["", "x", head, &format!("{head}{other_last}"), &other_secret, &"A".repeat(86), &"A".repeat(100_000)] {
        assert_eq!(refused(sessions.validate(bad, None).await), "SESSION_NOT_FOUND");
        assert_eq!(refused(sessions.rotate(bad).await), "SESSION_NOT_FOUND");
        assert!(!sessions.revoke(SessionTarget::token(bad)).await.expect("revoke"));
    }
    assert!(sessions.validate(token.expose(), None).await.is_ok());
}

async fn a_session_ends_after_its_life(app: &App) {
    let sessions = sessions(app, json!({ "ttlSeconds": 1000 })).await;
    let token = login(&sessions, "ann").await.token;
    let mut short = SessionRequest::new("ann");
    short.ttl = Some(secs(100));
    let short = sessions.create(short).await.expect("create").token;
    app.advance(secs(101)).await;
    assert_eq!(refused(sessions.validate(short.expose(), None).await), "SESSION_NOT_FOUND");
    assert_eq!(sessions.list("ann").await.expect("list").len(), 1);
    app.advance(secs(890)).await;
    assert!(sessions.validate(token.expose(), None).await.is_ok(), "use does not shorten it");
    app.advance(secs(10)).await;
    assert_eq!(refused(sessions.validate(token.expose(), None).await), "SESSION_NOT_FOUND");
}

async fn an_unused_session_ends_early_and_a_used_one_does_not(app: &App) {
    let sessions = sessions(app, json!({ "idleSeconds": 600 })).await;
    let (used, unused) = (login(&sessions, "ann").await.token, login(&sessions, "ann").await.token);
    for _ in 0..3 {
        app.advance(secs(400)).await;
        assert!(sessions.validate(used.expose(), None).await.is_ok());
    }
    assert_eq!(refused(sessions.validate(unused.expose(), None).await), "SESSION_NOT_FOUND");
    app.advance(secs(601)).await;
    assert_eq!(refused(sessions.validate(used.expose(), None).await), "SESSION_NOT_FOUND");
}

async fn activity_is_written_once_an_interval(app: &App) {
    let sessions = sessions(app, json!({ "activitySeconds": 60 })).await;
    let new = login(&sessions, "ann").await;
    let listed = async || sessions.list("ann").await.expect("list").remove(0);
    app.advance(secs(30)).await;
    sessions.validate(new.token.expose(), Some("192.0.2.1")).await.expect("validate");
    assert_eq!((listed().await.last_active_at_ms, listed().await.ip), (new.session.created_at_ms, None));
    app.advance(secs(31)).await;
    sessions.validate(new.token.expose(), Some("192.0.2.2")).await.expect("validate");
    assert_eq!(listed().await.last_active_at_ms - new.session.created_at_ms, 61_000);
    assert_eq!(listed().await.ip.as_deref(), Some("192.0.2.2"));
}

async fn a_rotated_token_is_dead(app: &App) {
    let sessions = sessions(app, json!({})).await;
    let old = login(&sessions, "ann").await;
    let new = sessions.rotate(old.token.expose()).await.expect("rotate");
    assert_eq!(new.session.id, old.session.id);
    assert_eq!(new.session.expires_at_ms, old.session.expires_at_ms, "it lives no longer for it");
    assert_eq!(refused(sessions.validate(old.token.expose(), None).await), "SESSION_NOT_FOUND");
    assert_eq!(refused(sessions.rotate(old.token.expose()).await), "SESSION_NOT_FOUND");
    assert!(sessions.validate(new.token.expose(), None).await.is_ok());
}

async fn a_grace_keeps_the_old_token_for_a_moment(app: &App) {
    let sessions = sessions(app, json!({ "rotationGraceSeconds": 20 })).await;
    let old = login(&sessions, "ann").await.token;
    let new = sessions.rotate(old.expose()).await.expect("rotate").token;
    assert!(sessions.validate(old.expose(), None).await.is_ok());
    assert_eq!(refused(sessions.rotate(old.expose()).await), "SESSION_NOT_FOUND", "it has its successor");
    app.advance(secs(21)).await;
    assert_eq!(refused(sessions.validate(old.expose(), None).await), "SESSION_NOT_FOUND");
    assert!(sessions.validate(new.expose(), None).await.is_ok());
}

async fn all_sessions_but_this_end(app: &App) {
    let sessions = sessions(app, json!({})).await;
    let (mine, other, theirs) =
        (login(&sessions, "ann").await, login(&sessions, "ann").await, login(&sessions, "bob").await);
    assert_eq!(sessions.revoke_all("ann", Some(mine.token.expose())).await.expect("revoke"), 1);
    assert_eq!(refused(sessions.validate(other.token.expose(), None).await), "SESSION_NOT_FOUND");
    assert!(sessions.validate(mine.token.expose(), None).await.is_ok());
    assert_eq!(sessions.revoke_all("ann", Some(&mine.session.id)).await.expect("revoke"), 0);
    assert_eq!(sessions.revoke_all("ann", None).await.expect("revoke"), 1);
    assert_eq!(refused(sessions.validate(mine.token.expose(), None).await), "SESSION_NOT_FOUND");
    assert_eq!(sessions.revoke_all("ann", None).await.expect("revoke"), 0);
    assert!(sessions.validate(theirs.token.expose(), None).await.is_ok());
    assert!(sessions.validate(login(&sessions, "ann").await.token.expose(), None).await.is_ok(), "a new login works");
}

async fn one_session_too_many_ends_the_one_unused_for_longest(app: &App) {
    let sessions = sessions(app, json!({ "maxPerUser": 2, "activitySeconds": 0 })).await;
    let first = login(&sessions, "ann").await.token;
    app.advance(secs(10)).await;
    let second = login(&sessions, "ann").await.token;
    app.advance(secs(10)).await;
    sessions.validate(first.expose(), None).await.expect("validate");
    app.advance(secs(10)).await;
    let third = login(&sessions, "ann").await.token;
    assert_eq!(refused(sessions.validate(second.expose(), None).await), "SESSION_NOT_FOUND");
    assert!(sessions.validate(first.expose(), None).await.is_ok());
    assert!(sessions.validate(third.expose(), None).await.is_ok());
}

async fn bad_input_is_refused_and_writes_nothing(app: &App) {
    let sessions = sessions(app, json!({ "ttlSeconds": 1000 })).await;
    for user in ["", &"x".repeat(256), &"x".repeat(1_000_000)] {
        assert_eq!(refused(sessions.create(SessionRequest::new(user)).await), "INVALID_ARGUMENT");
        assert_eq!(refused(sessions.list(user).await), "INVALID_ARGUMENT");
        assert_eq!(refused(sessions.revoke_all(user, None).await), "INVALID_ARGUMENT");
    }
    let with = |change: fn(&mut SessionRequest)| {
        let mut request = SessionRequest::new("ann");
        change(&mut request);
        sessions.create(request)
    };
    assert_eq!(refused(with(|r| r.ip = Some("1.2.3".into())).await), "INVALID_ARGUMENT");
    assert_eq!(refused(with(|r| r.data = Some(json!("x".repeat(5000)))).await), "INVALID_ARGUMENT");
    assert_eq!(refused(with(|r| r.ttl = Some(secs(0))).await), "INVALID_ARGUMENT");
    assert_eq!(refused(with(|r| r.ttl = Some(secs(u64::MAX))).await), "INVALID_ARGUMENT");
    assert_eq!(refused(sessions.revoke_all("ann", Some("nonsense")).await), "INVALID_ARGUMENT");
    assert!(sessions.list("ann").await.expect("list").is_empty());
    let token = login(&sessions, "ann").await.token;
    assert_eq!(refused(sessions.validate(token.expose(), Some("not an address")).await), "INVALID_ARGUMENT");
    for odd in ["a:b", "{a}", "a\r\nb", "ann ", "Ann", "ä\0"] {
        login(&sessions, odd).await;
        assert_eq!(sessions.list(odd).await.expect("list").len(), 1, "{odd:?} is somebody of their own");
    }
}

async fn many_logins_at_once_are_all_there(app: &App) {
    let mut clients = Vec::new();
    for _ in 0..12 {
        clients.push(sessions(app, json!({})).await);
    }
    let new = join_all(clients.iter().map(|sessions| login(sessions, "ann"))).await;
    assert_eq!(clients[0].list("ann").await.expect("list").len(), 12);
    for (sessions, new) in clients.iter().zip(&new) {
        assert!(sessions.validate(new.token.expose(), None).await.is_ok());
    }
}

async fn of_many_rotations_of_one_token_one_wins(app: &App) {
    let sessions = sessions(app, json!({ "rotationGraceSeconds": 20 })).await;
    let token = login(&sessions, "ann").await.token;
    let rotated = join_all((0..10).map(|_| sessions.rotate(token.expose()))).await;
    let winners: Vec<_> = rotated.into_iter().filter_map(Result::ok).collect();
    assert_eq!(winners.len(), 1);
    assert!(sessions.validate(winners[0].token.expose(), None).await.is_ok());
}

async fn a_late_write_never_revives_a_revoked_session(app: &App) {
    // Every validation writes, and so do rotations; all of it races with the revocation.
    let client = Arc::new(sessions(app, json!({ "activitySeconds": 0, "rotationGraceSeconds": 100 })).await);
    for round in 0..5 {
        let user = format!("user-{round}");
        let mine = login(&client, &user).await.token;
        let other = login(&client, &user).await.token;
        let mut writers = Vec::new();
        for number in 0..8 {
            let (client, mine, other) = (Arc::clone(&client), mine.clone(), other.clone());
            writers.push(tokio::spawn(async move {
                for _ in 0..5 {
                    let _ = client.validate(mine.expose(), Some("192.0.2.1")).await;
                    let _ = client.validate(other.expose(), None).await;
                }
                if number == 0 {
                    let _ = client.rotate(mine.expose()).await;
                }
            }));
        }
        let revoked = client.revoke(SessionTarget::token(mine.clone())).await.expect("revoke");
        assert!(revoked, "it was there, under this token or in its grace");
        assert_eq!(refused(client.validate(mine.expose(), None).await), "SESSION_NOT_FOUND", "at once");
        for writer in writers {
            writer.await.expect("a writer");
        }
        assert_eq!(refused(client.validate(mine.expose(), None).await), "SESSION_NOT_FOUND", "and for good");
        assert_eq!(client.list(&user).await.expect("list").len(), 1, "the other one lives");
    }
}

async fn a_client_with_a_wrong_clock_goes_by_the_stores(app: &App) {
    let options = json!({ "sessions": { "idleSeconds": 600, "ttlSeconds": 1000 } });
    let right = app.client(options.clone()).await.sessions();
    let ahead = FakeClock::default();
    ahead.advance(secs(86_400));
    let ahead = app.client_at(options, ahead).await.sessions();
    let token = login(&right, "ann").await.token;
    assert!(ahead.validate(token.expose(), None).await.is_ok(), "a day ahead");
    app.advance(secs(590)).await;
    assert!(ahead.validate(token.expose(), None).await.is_ok());
    app.advance(secs(601)).await;
    assert_eq!(refused(ahead.validate(token.expose(), None).await), "SESSION_NOT_FOUND");
}
