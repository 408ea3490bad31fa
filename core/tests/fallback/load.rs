//! A first store that flaps in the middle of a load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use oncecode::ErrorKind;
use serde_json::json;

use crate::client::{Client, address, wrong};
use crate::pair::Pair;

/// Kills and freezes the first store by turns until told to stop.
async fn flap(pair: &mut Pair, turns: u32) {
    for turn in 0..turns {
        tokio::time::sleep(Duration::from_millis(300)).await;
        match turn % 2 {
            0 => pair.first.kill(),
            _ => pair.first.freeze(),
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        match turn % 2 {
            0 => pair.first.restart(),
            _ => pair.first.thaw(),
        }
        pair.first_answers().await;
    }
}

pub async fn codes_survive_a_first_store_that_flaps_under_load(pair: &mut Pair) {
    let client = Arc::new(Client::open_when_possible(pair, &pair.url()).await);
    let (ended, issued) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let caller = |client: Arc<Client>, ended: Arc<AtomicBool>, issued: Arc<AtomicU32>| async move {
        // Acknowledged and not touched; and those of which a right code was sent.
        let (mut untouched, mut touched) = (Vec::new(), Vec::new());
        while !ended.load(Ordering::Relaxed) {
            // Some are asked for twice, with the first store there or not: the second message counts.
            let to = address();
            let first = client.issue_to(&to).await;
            let last = match &first {
                Ok(_) if issued.load(Ordering::Relaxed).is_multiple_of(3) => client.issue_to(&to).await,
                _ => first,
            };
            issued.fetch_add(1, Ordering::Relaxed);
            if let Err(e) = &last {
                assert_eq!(e.kind(), ErrorKind::StoreUnavailable, "{e:?}");
            }
            let Ok(code) = last else { continue };
            if issued.load(Ordering::Relaxed).is_multiple_of(2) {
                untouched.push(code);
                continue;
            }
            let answers = join_all([client.verify(&code), client.verify(&code)]).await;
            let kinds: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|e| e.kind())).collect();
            let known = [Ok(()), Err(ErrorKind::CodeNotFound), Err(ErrorKind::StoreUnavailable)];
            assert!(kinds.iter().all(|kind| known.contains(kind)), "{kinds:?}");
            touched.push(code);
        }
        (untouched, touched)
    };
    let callers: Vec<_> =
        (0..6).map(|_| tokio::spawn(caller(Arc::clone(&client), Arc::clone(&ended), Arc::clone(&issued)))).collect();
    flap(pair, 6).await;
    ended.store(true, Ordering::Relaxed);
    let (mut right, mut all) = (0, 0);
    for caller in callers {
        let (untouched, touched) = caller.await.expect("a caller");
        for code in &untouched {
            client.is_right(code).await;
        }
        for code in &touched {
            // It may have been used by a call that was never answered; `verify` counts how often it is accepted.
            let answer = client.verify_patiently(code).await.map_err(|e| e.kind());
            assert!(matches!(answer, Ok(()) | Err(ErrorKind::CodeNotFound)), "{answer:?}");
        }
        for code in untouched.iter().chain(&touched) {
            client.refuses(code).await;
        }
        right += untouched.len();
        all += untouched.len() + touched.len();
    }
    println!("{right} of {all} codes were held back and verified at the end");
    assert!(right > 10, "{right} of {all} is no load");
}

pub async fn wrong_codes_are_counted_once_while_the_first_store_flaps(pair: &mut Pair) {
    const BUDGET: u32 = 12;
    let off = json!(false);
    let policy = json!({
        "failureBudget": { "max": BUDGET, "windowSeconds": 86400 }, "issueLimit": off, "verifyLimit": off,
    });
    let client = Arc::new(Client::with(pair, &pair.url(), json!({ "policy": policy })).await.expect("open"));
    let ended = Arc::new(AtomicBool::new(false));
    let guesser = |client: Arc<Client>, ended: Arc<AtomicBool>| async move {
        let (to, mut compared) = (address(), 0);
        while !ended.load(Ordering::Relaxed) {
            let Ok(code) = client.issue_to(&to).await else { continue };
            let guess = wrong(&code);
            let answers = join_all((0..12).map(|_| client.verify(&guess))).await;
            let wrongs = answers.iter().filter(|a| a.as_ref().is_err_and(|e| e.kind() == ErrorKind::WrongCode)).count();
            assert!(answers.iter().all(Result::is_err), "a wrong code was accepted");
            assert!(wrongs <= 5, "{wrongs} were compared with one code");
            compared += wrongs as u32;
        }
        compared
    };
    let guessers: Vec<_> = (0..6).map(|_| tokio::spawn(guesser(Arc::clone(&client), Arc::clone(&ended)))).collect();
    flap(pair, 5).await;
    ended.store(true, Ordering::Relaxed);
    for compared in join_all(guessers).await {
        let compared = compared.expect("a guesser");
        assert!((BUDGET / 2..=2 * BUDGET).contains(&compared), "{compared} were compared");
    }
}
