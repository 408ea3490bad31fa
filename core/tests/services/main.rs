//! The services around codes: every case on every store, through clients as several processes would have them.

#[path = "../support/mod.rs"]
mod support;

mod cache;
mod idempotency;
mod lock;
mod totp;

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use libtest_mimic::{Arguments, Trial};
use oncecode::testkit::{Fixture, Primitives};
use oncecode::{Oncecode, Options, Result, SystemClock};
use serde_json::json;

use support::{Corner, Kind, LONG, runtime};

type Case = for<'a> fn(&'a Corner) -> BoxFuture<'a, ()>;

macro_rules! cases {
    ($($module:ident: $($name:ident)+;)+) => {
        &[$($((concat!(stringify!($module), "::", stringify!($name)), |corner| Box::pin($module::$name(corner))),)+)+]
    };
}

const CASES: &[(&str, Case)] = cases! {
    lock:
        of_many_callers_one_gets_the_lock
        the_fencing_number_rises_with_every_holder
        a_lease_that_ran_out_is_free_and_its_holder_is_told
        a_lost_lock_is_neither_extended_nor_released
        an_extended_lock_is_held_longer
        only_the_owner_extends_and_releases
        a_waiter_gets_the_lock_when_it_is_released
        a_waiter_that_waits_too_long_is_told_when_to_come_back
        a_renewed_lock_outlives_its_lease
        a_dropped_lock_is_released_and_a_detached_one_is_not
        other_names_are_other_locks
        what_no_lock_can_have_is_refused;
    idempotency:
        of_many_callers_one_works_and_the_others_are_told
        a_reply_is_replayed_until_its_time
        another_body_is_a_mistake
        another_scope_is_another_key
        a_dead_worker_frees_the_key_and_its_late_completion_is_refused
        a_late_completion_counts_if_nobody_else_has_begun
        an_abandoned_key_is_free_at_once
        a_waiter_gets_the_reply
        a_renewed_claim_outlives_its_lease
        run_works_once_and_replays
        run_frees_the_key_when_the_work_fails
        a_reply_that_is_too_large_is_not_worked_for_twice
        what_no_key_can_have_is_refused;
    cache:
        what_was_set_is_there_until_its_time
        another_version_counts_as_none
        of_many_that_miss_one_loads
        of_many_tasks_of_one_process_one_loads
        that_there_is_none_is_remembered_too
        what_was_loaded_before_an_invalidation_is_not_stored_after_it
        what_was_loaded_before_a_set_does_not_overwrite_it
        what_waited_for_a_load_that_was_invalidated_loads_anew
        a_load_that_fails_or_dies_passes_to_the_next
        who_has_waited_long_enough_loads_as_well
        what_cannot_be_cached_is_refused;
    totp:
        a_code_is_accepted_once_by_any_process
        a_clock_may_drift_and_steps_only_rise
        wrong_codes_are_counted_and_success_forgives
        another_user_or_secret_has_codes_of_its_own
        a_counter_only_rises
        a_recovery_code_is_used_once
        what_cannot_be_is_refused;
};

fn main() {
    let trials = Kind::ALL.iter().filter(|kind| !kind.name().ends_with("_reference")).flat_map(|kind| {
        CASES.iter().map(move |(name, case)| {
            Trial::test(format!("{}::{name}", kind.name()), move || {
                runtime().block_on(async {
                    let corner = kind.open().await;
                    case(&corner).await;
                    corner.check().await;
                });
                Ok(())
            })
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// A client on the corner.
async fn client(corner: &Corner) -> Oncecode {
    let options = json!({
        "mode": "development", "sender": "none:", "secret": "test", "keyPrefix": corner.prefix(),
        "deadlineMs": LONG.as_millis() as u64,
    });
    let builder = Oncecode::builder("").options(Options::from_json(&options.to_string()).expect("options"));
    // Embedded stores live by the clock that `advance` moves, and so must those who hold leases there.
    let builder = match corner.kind {
        Kind::Memory | Kind::Sqlite => builder.clock(corner.clock()),
        _ => builder.clock(SystemClock),
    };
    // Only the primitives: what a service needs of a store.
    builder.store(Primitives(corner.store())).open().await.expect("a client")
}

/// `many` clients that do the same at once.
async fn at_once<T, F: Future<Output = Result<T>>>(
    corner: &Corner,
    many: usize,
    act: impl Fn(Arc<Oncecode>) -> F,
) -> Vec<Result<T>> {
    let clients = join_all((0..many).map(|_| client(corner))).await;
    join_all(clients.into_iter().map(|once| act(Arc::new(once)))).await
}

#[track_caller]
fn code<T>(outcome: Result<T>) -> &'static str {
    outcome.err().expect("a refusal").code()
}
