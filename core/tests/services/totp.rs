//! `once.totp`.

use std::time::Duration;

use oncecode::testkit::Fixture;
use oncecode::{Clock, Enrolment, OtpAlgorithm, OtpSettings, SystemClock, Totp, TotpRequest};

use super::support::{Corner, Kind};
use super::{at_once, client, code};

async fn enrolled(corner: &Corner) -> (Totp, Enrolment) {
    let totp = client(corner).await.totp();
    let enrolment = totp.enrol("Acme", "ann@example.com", OtpSettings::default()).expect("enrol");
    (totp, enrolment)
}

/// By the clock of the corner's clients.
fn now_ms(corner: &Corner) -> u64 {
    match corner.kind {
        Kind::Memory | Kind::Sqlite => corner.clock().now_ms(),
        _ => SystemClock.now_ms(),
    }
}

/// What the user's app shows, `steps` from now.
fn request(corner: &Corner, totp: &Totp, enrolment: &Enrolment, steps: i64) -> TotpRequest {
    let at = now_ms(corner).wrapping_add_signed(steps * 30_000);
    let code = totp.code_at(&enrolment.secret, at, OtpSettings::default()).expect("a code");
    TotpRequest::new("ann", enrolment.secret.clone(), code.expose())
}

fn wrong(corner: &Corner, totp: &Totp, enrolment: &Enrolment) -> TotpRequest {
    let mut request = request(corner, totp, enrolment, 0);
    // None of the three that count.
    let live: Vec<_> = (-2..=2).map(|n| self::request(corner, totp, enrolment, n).code).collect();
    let other = |n: &u32| !live.contains(&format!("{n:06}"));
    request.code = format!("{:06}", (0..).find(other).expect("one of a million"));
    request
}

pub async fn a_code_is_accepted_once_by_any_process(corner: &Corner) {
    let (totp, enrolment) = enrolled(corner).await;
    let right = request(corner, &totp, &enrolment, 0);
    let tries = at_once(corner, 20, async |once| once.totp().verify(right.clone()).await).await;
    assert_eq!(tries.iter().filter(|tried| tried.is_ok()).count(), 1);
    for refused in tries.into_iter().filter(|tried| tried.is_err()) {
        assert_eq!(code(refused), "CODE_NOT_FOUND");
    }
}

pub async fn a_clock_may_drift_and_steps_only_rise(corner: &Corner) {
    let (totp, enrolment) = enrolled(corner).await;
    // One more than needed: the next step may begin meanwhile.
    let mut behind = request(corner, &totp, &enrolment, -1);
    behind.window = 2;
    let before = totp.verify(behind).await.expect("a step behind");
    let ahead = totp.verify(request(corner, &totp, &enrolment, 1)).await.expect("a step ahead");
    assert!(ahead.step > before.step && before.drift <= 0 && ahead.drift >= 0);
    for older in [-1, 0, 1] {
        let refused = code(totp.verify(request(corner, &totp, &enrolment, older)).await);
        assert!(["CODE_NOT_FOUND", "WRONG_CODE"].contains(&refused), "{older}: {refused}");
    }
    assert_eq!(code(totp.verify(request(corner, &totp, &enrolment, 5)).await), "WRONG_CODE");
    let mut wide = request(corner, &totp, &enrolment, 5);
    wide.window = 6;
    totp.verify(wide).await.expect("a wider window");
}

pub async fn wrong_codes_are_counted_and_success_forgives(corner: &Corner) {
    let (totp, enrolment) = enrolled(corner).await;
    for left in (20..30).rev() {
        let refused = totp.verify(wrong(corner, &totp, &enrolment)).await.expect_err("wrong");
        assert_eq!((refused.code(), refused.attempts_left()), ("WRONG_CODE", Some(left)));
    }
    totp.verify(request(corner, &totp, &enrolment, 0)).await.expect("right");
    for left in (0..30).rev() {
        let refused = totp.verify(wrong(corner, &totp, &enrolment)).await.expect_err("wrong");
        assert_eq!((refused.code(), refused.attempts_left()), ("WRONG_CODE", Some(left)));
    }
    let locked = totp.verify(request(corner, &totp, &enrolment, 1)).await.expect_err("nothing is compared");
    assert_eq!(locked.code(), "TOO_MANY_ATTEMPTS");
    assert!((80_000..=86_400).contains(&locked.retry_after_seconds().expect("when")));
    assert_eq!(code(totp.verify_recovery("ann", "3333333333", Vec::new()).await), "TOO_MANY_ATTEMPTS");
    corner.advance(Duration::from_secs(86_500)).await;
    totp.verify(request(corner, &totp, &enrolment, 1)).await.expect("another day");
}

pub async fn another_user_or_secret_has_codes_of_its_own(corner: &Corner) {
    let (totp, enrolment) = enrolled(corner).await;
    totp.verify(request(corner, &totp, &enrolment, 0)).await.expect("ann");
    let mut bob = request(corner, &totp, &enrolment, 0);
    bob.user = "bob".into();
    totp.verify(bob).await.expect("bob");
    let (_, again) = enrolled(corner).await;
    totp.verify(request(corner, &totp, &again, 0)).await.expect("a new secret");
}

pub async fn a_counter_only_rises(corner: &Corner) {
    let (totp, enrolment) = enrolled(corner).await;
    let at = |counter: u64, expected: u64| {
        let code = totp.code_of(&enrolment.secret, counter, OtpSettings::default()).expect("a code");
        let mut request = TotpRequest::new("ann", enrolment.secret.clone(), code.expose());
        (request.counter, request.window) = (Some(expected), 5);
        request
    };
    assert_eq!(totp.verify(at(0, 0)).await.expect("the first").step, 0);
    assert_eq!(code(totp.verify(at(0, 0)).await), "CODE_NOT_FOUND");
    let accepted = totp.verify(at(4, 1)).await.expect("ahead");
    assert_eq!((accepted.step, accepted.drift), (4, 3));
    assert_eq!(code(totp.verify(at(2, 1)).await), "CODE_NOT_FOUND");
    assert_eq!(code(totp.verify(at(40, 5)).await), "WRONG_CODE");
    // The greatest that JavaScript can count on from.
    let last = (1 << 53) - 2;
    let mut greatest = at(last, last);
    for window in [1, 10] {
        greatest.window = window;
        assert_eq!(code(totp.verify(greatest.clone()).await), "INVALID_ARGUMENT");
    }
    greatest.window = 0;
    assert_eq!(totp.verify(greatest.clone()).await.expect("accepted").step, last);
    assert_eq!(code(totp.verify(greatest.clone()).await), "CODE_NOT_FOUND");
    for counter in [last + 1, i64::MAX as u64, u64::MAX] {
        greatest.counter = Some(counter);
        assert_eq!(code(totp.verify(greatest.clone()).await), "INVALID_ARGUMENT", "{counter}");
        assert_eq!(code(totp.check(&greatest, 0)), "INVALID_ARGUMENT", "{counter}");
        assert_eq!(code(totp.code_of(&enrolment.secret, counter, OtpSettings::default())), "INVALID_ARGUMENT");
    }
}

pub async fn a_recovery_code_is_used_once(corner: &Corner) {
    let (totp, _) = enrolled(corner).await;
    let made = totp.recovery_codes("ann", 10).expect("codes");
    assert!(made.codes.len() == 10 && made.hashes.len() == 10);
    let typed = made.codes[3].expose().to_lowercase().replace('-', " ");
    let (user, hashes) = ("ann", made.hashes.clone());
    let tries = at_once(corner, 20, async |once| once.totp().verify_recovery(user, &typed, hashes.clone()).await).await;
    let used: Vec<_> = tries.iter().filter_map(|tried| tried.as_ref().ok()).collect();
    assert_eq!(used, [&made.hashes[3]]);
    assert_eq!(code(totp.verify_recovery("ann", made.codes[3].expose(), made.hashes.clone()).await), "CODE_NOT_FOUND");
    assert_eq!(code(totp.verify_recovery("bob", made.codes[4].expose(), made.hashes.clone()).await), "WRONG_CODE");
    assert_eq!(
        totp.verify_recovery("ann", made.codes[4].expose(), made.hashes.clone()).await.expect("ann"),
        made.hashes[4]
    );
    assert_eq!(code(totp.verify_recovery("ann", "123", made.hashes).await), "INVALID_CODE");
}

pub async fn what_cannot_be_is_refused(corner: &Corner) {
    let (totp, enrolment) = enrolled(corner).await;
    let good = request(corner, &totp, &enrolment, 0);
    let bad = |change: &dyn Fn(&mut TotpRequest)| {
        let mut request = good.clone();
        change(&mut request);
        totp.verify(request)
    };
    assert_eq!(code(bad(&|r| r.code = "12345".into()).await), "INVALID_CODE");
    assert_eq!(code(bad(&|r| r.code = String::new()).await), "INVALID_CODE");
    assert_eq!(code(bad(&|r| r.user = String::new()).await), "INVALID_ARGUMENT");
    assert_eq!(code(bad(&|r| r.secret = "not base32!".into()).await), "INVALID_ARGUMENT");
    assert_eq!(code(bad(&|r| r.secret = "AAAA".into()).await), "INVALID_ARGUMENT");
    assert_eq!(code(bad(&|r| r.window = 11).await), "INVALID_ARGUMENT");
    assert_eq!(code(bad(&|r| r.settings.digits = 9).await), "INVALID_ARGUMENT");
    assert_eq!(code(bad(&|r| r.settings.period_seconds = 0).await), "INVALID_ARGUMENT");
    assert_eq!(code(totp.recovery_codes("ann", 0)), "INVALID_ARGUMENT");
    assert_eq!(code(OtpAlgorithm::parse("MD5")), "INVALID_ARGUMENT");
    assert_eq!(code(totp.qr_svg(&"x".repeat(5000))), "INVALID_ARGUMENT");
    assert_eq!(code(totp.qr_png("x", 0)), "INVALID_ARGUMENT");
    totp.verify(good).await.expect("nothing was counted");
}
