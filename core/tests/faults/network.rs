//! Delay, loss, and answers that never come, by a proxy of ours.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::future::join_all;
use oncecode::ErrorKind;

use crate::caller::{Client, Code, DEADLINE, unavailable};
use crate::server::Server;
use crate::support::redis_time;
use crate::weather::{Network, Weather};

/// A server that is reached through the weather.
async fn through_weather(kind: &'static str) -> (Server, Network, Client) {
    let server = Server::start(kind);
    let network = Network::to(server.port).await;
    let client = Client::open(&server.url_at(network.port)).await.expect("fine weather");
    client.works().await;
    (server, network, client)
}

async fn immortal_keys_are_not_there(server: &Server) {
    if server.kind == "redis" {
        assert!(redis_time::assert_all_expire(&server.url, "oncecode").await > 0, "there are keys to look at");
    }
}

pub async fn delays_are_waited_for_within_the_deadline_only(kind: &'static str) {
    let (_server, network, client) = through_weather(kind).await;
    network.set(Weather::Slow(Duration::from_millis(40)));
    let live = client.issue().await.expect("slow, but there");
    client.works().await;

    network.set(Weather::Slow(DEADLINE));
    let begin = Instant::now();
    join_all((0..20).map(|_| unavailable(client.issue()))).await;
    assert!(begin.elapsed() >= DEADLINE, "given up early");

    network.set(Weather::Fine);
    client.works().await;
    client.verify(&live).await.expect("the code is still there");
}

pub async fn a_lost_answer_is_no_way_to_use_a_code_twice(kind: &'static str) {
    answers_go_missing(kind, Weather::LoseReplies).await;
}

pub async fn an_answer_cut_in_the_middle_is_no_answer(kind: &'static str) {
    answers_go_missing(kind, Weather::CutReplies).await;
}

/// The server has done its work, and nobody was told.
async fn answers_go_missing(kind: &'static str, weather: Weather) {
    let (server, network, client) = through_weather(kind).await;
    // How often a verification, a wrong attempt and an issue were done nevertheless.
    let mut done = [0; 3];
    for round in 0..8 {
        let (right, guessed) = (client.issue().await.expect("issue"), client.issue().await.expect("issue"));
        let wanted = format!("lost{round}-{kind}@example.com");
        // What a connection prepares first would be lost instead.
        client.works().await;
        network.set(weather);
        unavailable(client.verify(&right)).await;
        network.set(Weather::Fine);
        // Either nothing was done, or all of it; and then once.
        done[0] += u32::from(client.outcome(&right).await == Err(ErrorKind::CodeNotFound));
        assert_eq!(client.outcome(&right).await, Err(ErrorKind::CodeNotFound));

        client.works().await;
        network.set(weather);
        unavailable(client.verify(&guessed.wrong())).await;
        network.set(Weather::Fine);
        let left = client.verify(&guessed.wrong()).await.expect_err("wrong").attempts_left();
        assert!(matches!(left, Some(3 | 4)), "nothing was counted twice: {left:?}");
        done[1] += u32::from(left == Some(3));
        client.verify(&guessed).await.expect("the right one still works");

        client.works().await;
        network.set(weather);
        unavailable(client.issue_to(wanted.clone())).await;
        network.set(Weather::Fine);
        match client.issue_to(wanted).await {
            Ok(code) => client.verify(&code).await.expect("a code that was told works"),
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Cooldown, "{e:?}");
                done[2] += 1;
            }
        }
    }
    println!("{kind} {weather:?}: {done:?} of 8 were done, {} answers lost", network.lost.load(Ordering::Relaxed));
    // Memcached is asked first and told then; it loses the question. A connection that rested may be asked first, too.
    assert!(kind == "memcached" || done.iter().all(|done| *done > 0), "the proxy did not do what it is for: {done:?}");
    immortal_keys_are_not_there(&server).await;
}

pub async fn what_vanishes_costs_no_more_than_the_deadline(kind: &'static str) {
    let (_server, network, client) = through_weather(kind).await;
    let live = client.issue().await.expect("issue");
    network.set(Weather::Stall);
    let begin = Instant::now();
    let (issues, verifies) = futures::join!(
        join_all((0..25).map(|_| unavailable(client.issue()))),
        join_all((0..25).map(|_| unavailable(client.verify(&live))))
    );
    assert!(begin.elapsed() >= DEADLINE && issues.len() + verifies.len() == 50, "given up early");
    network.set(Weather::Fine);
    client.works().await;
    client.verify(&live).await.expect("nothing of it had arrived");
    assert_eq!(client.outcome(&live).await, Err(ErrorKind::CodeNotFound));
}

pub async fn connections_that_break_all_the_time_bend_no_rule(kind: &'static str) {
    let (server, network, client) = through_weather(kind).await;
    let client = Arc::new(client);
    network.set(Weather::Lossy(20));
    let (begin, enough) = (Instant::now(), Duration::from_secs(2));
    let callers = (0..6).map(|_| {
        let client = Arc::clone(&client);
        tokio::spawn(async move {
            let (mut codes, mut told) = (Vec::<Code>::new(), 0u32);
            while begin.elapsed() < enough || (codes.len() < 5 && begin.elapsed() < 10 * enough) {
                let code = match client.issue().await {
                    Ok(code) => code,
                    Err(e) => {
                        assert_eq!(e.kind(), ErrorKind::StoreUnavailable, "{e:?}");
                        continue;
                    }
                };
                // Some with five wrong guesses too many, the others at once.
                let wrong = code.wrong();
                let guesses = join_all((0..if codes.len() % 3 == 0 { 10 } else { 0 }).map(|_| client.outcome(&wrong)));
                let compared = guesses.await.into_iter().filter(|g| *g == Err(ErrorKind::WrongCode)).count();
                assert!(compared <= 5, "{compared} of 5 attempts");
                let tries = join_all((0..3).map(|_| client.outcome(&code))).await;
                for outcome in &tries {
                    let expected = [ErrorKind::StoreUnavailable, ErrorKind::CodeNotFound, ErrorKind::TooManyAttempts];
                    assert!(outcome.as_ref().err().is_none_or(|kind| expected.contains(kind)), "{outcome:?}");
                }
                told += tries.iter().filter(|t| t.is_ok()).count() as u32;
                codes.push(code);
            }
            (codes, told)
        })
    });
    let all = join_all(callers.collect::<Vec<_>>()).await;
    network.set(Weather::Fine);
    client.recovers().await;
    let (mut count, mut told) = (0, 0);
    for caller in all {
        let (codes, some) = caller.expect("a caller");
        (count, told) = (count + codes.len(), told + some);
        for code in &codes {
            // Accepted now, it was not before; the ledger knows.
            let outcome = client.outcome(code).await;
            let expected = matches!(outcome, Ok(()) | Err(ErrorKind::CodeNotFound | ErrorKind::TooManyAttempts));
            assert!(expected, "{outcome:?}");
        }
    }
    let lost = network.lost.load(Ordering::Relaxed);
    println!("{kind}: {count} codes, {told} accepted, {lost} connections ended with an answer");
    assert!(count >= 30 && told > 5 && lost > 5, "{count} codes, {told} accepted, {lost} lost");
    immortal_keys_are_not_there(&server).await;
}
