//! A first store that is absent, killed, frozen, or loses its answers.

use std::time::{Duration, Instant};

use futures::future::join_all;
use oncecode::ErrorKind;

use crate::RETURN;
use crate::client::{Client, address, in_time, wrong};
use crate::lossy::Lossy;
use crate::pair::Pair;

pub async fn a_first_store_that_is_absent_at_open_joins_later(pair: &mut Pair) {
    pair.first.kill();
    let client = Client::open_when_possible(pair, &pair.url()).await;
    let during = client.issue_when_possible(&address()).await;
    client.is_right(&client.issue_when_possible(&address()).await).await;
    pair.restart().await;
    // With the second's server out of the way, only the first can know a code: so some new code must be the first's.
    let alone = Client::open_when_possible(pair, &pair.first.url).await;
    let begin = Instant::now();
    loop {
        let code = client.issue_when_possible(&address()).await;
        match alone.verify(&code).await {
            Ok(()) => break,
            Err(e) => assert_eq!(e.kind(), ErrorKind::CodeNotFound, "{e:?}"),
        }
        assert!(begin.elapsed() < RETURN, "the first never joins");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.is_right(&during).await;
    client.refuses(&during).await;
}

pub async fn a_second_store_that_is_absent_at_open_is_no_hindrance(pair: &mut Pair) {
    let url = format!("fallback:{}|{}", pair.first.url, pair.absent_second());
    let client = Client::open_when_possible(pair, &url).await;
    for _ in 0..20 {
        let code = client.issue_when_possible(&address()).await;
        client.is_right(&code).await;
        client.refuses(&code).await;
    }
}

pub async fn both_absent_at_open_is_told(pair: &mut Pair) {
    pair.first.kill();
    let url = format!("fallback:{}|{}", pair.first.url, pair.absent_second());
    let error = in_time(Client::open(pair, &url)).await.err().expect("nobody is there");
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{error:?}");
    // What is wrong with one of them is told even so.
    let url = format!("fallback:{}|sqlite:/no/such/folder/codes.db", pair.first.url);
    assert_eq!(Client::open(pair, &url).await.err().map(|e| e.kind()), Some(ErrorKind::Config));
}

pub async fn a_code_from_before_a_kill_is_verified_after_it_and_newer_ones_go_on(pair: &mut Pair) {
    let client = Client::open_when_possible(pair, &pair.url()).await;
    let (before, used) = (client.issue_when_possible(&address()).await, client.issue_when_possible(&address()).await);
    client.is_right(&used).await;
    pair.first.kill();
    let lost = client.verify(&before).await.map_err(|e| e.kind());
    assert_eq!(lost, Err(ErrorKind::StoreUnavailable), "not `not found`: it is where it was issued");
    let during = client.issue_when_possible(&address()).await;
    client.refuses(&wrong(&during)).await;
    client.is_right(&during).await;
    client.refuses(&during).await;
    let kept = client.issue_when_possible(&address()).await;
    pair.restart().await;
    client.is_right(&before).await;
    client.is_right(&kept).await;
    for code in [&before, &used, &during, &kept] {
        client.refuses(code).await;
    }
}

pub async fn a_newer_code_kills_the_older_one_whichever_store_has_it(pair: &mut Pair) {
    let client = Client::open_when_possible(pair, &pair.url()).await;
    let (to, other) = (address(), address());
    let old = client.issue_when_possible(&to).await;
    let old_other = client.issue_when_possible(&other).await;
    pair.first.kill();
    let new = client.issue_when_possible(&to).await;
    let new_other = client.issue_when_possible(&other).await;
    client.refuses(&old).await;
    pair.restart().await;
    // Another process, which has seen nothing of it.
    let fresh = Client::open_when_possible(pair, &pair.url()).await;
    fresh.refuses(&old).await;
    client.refuses(&old).await;
    fresh.is_right(&new).await;
    // The newer one is used up, and the older one does not come back.
    fresh.refuses(&old).await;
    client.refuses(&old).await;
    // Asked for again: the newest is live, alone.
    let newest = fresh.issue_when_possible(&other).await;
    for code in [&old_other, &new_other] {
        client.refuses(code).await;
    }
    client.is_right(&newest).await;
    let back = fresh.issue_when_possible(&to).await;
    client.refuses(&old).await;
    client.is_right(&back).await;
}

pub async fn a_frozen_first_store_is_replaced_within_the_deadline(pair: &mut Pair) {
    let client = Client::open_when_possible(pair, &pair.url()).await;
    let before = client.issue_when_possible(&address()).await;
    let to = address();
    let old = client.issue_when_possible(&to).await;
    pair.first.freeze();
    // What was on its way when it froze may have been done, so nobody else does it.
    let asked = join_all((0..5).map(|_| client.issue_to(&to))).await;
    for answer in asked.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(answer.kind(), ErrorKind::StoreUnavailable, "{answer:?}");
    }
    let new = client.issue_when_possible(&to).await;
    let others: Vec<String> = (0..5).map(|_| address()).collect();
    let codes = join_all(others.iter().map(|to| client.issue_when_possible(to))).await;
    client.is_right(&codes[0]).await;
    pair.first.thaw();
    pair.first_answers().await;
    client.refuses(&old).await;
    client.is_right(&new).await;
    client.is_right(&before).await;
    for code in &codes[1..] {
        client.is_right(code).await;
    }
    client.refuses(&old).await;
    client.refuses(&new).await;
}

pub async fn answers_that_are_lost_are_not_asked_for_again(pair: &mut Pair) {
    let proxy = Lossy::to(pair.first.port).await;
    let url = format!("fallback:{}|{}", pair.first.url_at(proxy.port), pair.second());
    let client = Client::open_when_possible(pair, &url).await;
    let (used, guessed) = (client.issue_when_possible(&address()).await, client.issue_when_possible(&address()).await);
    let unavailable = Err(ErrorKind::StoreUnavailable);
    client.is_connected(&used).await;
    proxy.lose(true);
    assert_eq!(client.verify(&used).await.map_err(|e| e.kind()), unavailable);
    proxy.lose(false);
    client.refuses(&used).await;
    for _ in 0..3 {
        client.is_connected(&guessed).await;
        proxy.lose(true);
        assert_eq!(client.verify(&wrong(&guessed)).await.map_err(|e| e.kind()), unavailable);
        proxy.lose(false);
    }
    client.is_connected(&guessed).await;
    let error = client.verify(&wrong(&guessed)).await.expect_err("a wrong code");
    assert_eq!((error.kind(), error.attempts_left()), (ErrorKind::WrongCode, Some(1)), "three were counted, once each");
    // An issue that may have been done is not done again elsewhere.
    proxy.lose(true);
    let to = address();
    assert_eq!(client.issue_to(&to).await.map(|_| ()).map_err(|e| e.kind()), unavailable);
    proxy.lose(false);
    let second = Client::open_when_possible(pair, &pair.second()).await;
    let target = oncecode::Target::new(&*to, "login");
    assert!(second.once.codes().peek(target).await.expect("peek").is_none(), "the second was asked as well");
    client.is_right(&client.issue_when_possible(&to).await).await;
}

pub async fn clients_agree_on_where_a_code_is(pair: &mut Pair) {
    let (one, two) =
        (Client::open_when_possible(pair, &pair.url()).await, Client::open_when_possible(pair, &pair.url()).await);
    let code = one.issue_when_possible(&address()).await;
    two.is_right(&code).await;
    pair.first.kill();
    let code = one.issue_when_possible(&address()).await;
    two.is_right(&code).await;
    let code = two.issue_when_possible(&address()).await;
    pair.restart().await;
    one.is_right(&code).await;
    for client in [&one, &two] {
        client.refuses(&code).await;
    }
    let code = one.issue_when_possible(&address()).await;
    two.is_right(&code).await;
}
