//! The store contract as a table of cases. Run every one of them on a store of your own:
//!
//! ```no_run
//! # use oncecode::testkit::{CASES, Fixture};
//! # async fn run(fixture: impl Fixture) {
//! for (name, case) in CASES {
//!     println!("{name}");
//!     case(&fixture).await; // panics where the contract is broken
//! }
//! # }
//! ```

mod codes;
pub mod inputs;
mod limits;
mod primitives;
mod races;
mod rates;

use std::time::Duration;

use crate::key::Key;
use crate::store::{BoxFuture, Store};

/// A store under test. Cases use keys of their own, so that they may run side by side.
pub trait Fixture: Send + Sync {
    /// Another handle on the same data, as another process would have.
    fn store(&self) -> Box<dyn Store>;

    /// What all keys of the case begin with.
    fn prefix(&self) -> &str;

    /// Lets time pass for everything under the prefix.
    fn advance(&self, by: Duration) -> BoxFuture<'_, ()>;
}

/// One case. It panics where the contract is broken.
pub type Case = for<'a> fn(&'a dyn Fixture) -> BoxFuture<'a, ()>;

macro_rules! cases {
    ($($module:ident: $($name:ident)+;)+) => {
        /// Every case, by name.
        pub const CASES: &[(&str, Case)] = &[$($((stringify!($name), |fixture| Box::pin($module::$name(fixture))),)+)+];
    };
}

cases! {
    primitives:
        a_value_lives_until_its_time
        an_absent_put_succeeds_once
        a_versioned_put_loses_against_a_change
        of_many_takers_one_gets_it
        a_counter_has_one_life
        odd_bytes_survive;
    codes:
        the_right_code_is_accepted_once
        a_code_expires
        wrong_codes_use_up_the_attempts
        a_second_issue_waits_for_the_cooldown
        a_new_code_replaces_the_old
        success_ends_the_cooldown
        issues_are_limited
        comparisons_are_limited
        the_failure_budget_survives_new_codes
        success_resets_the_failure_budget
        a_failure_budget_below_the_attempts_shows_in_attempts_left
        another_id_is_not_found_and_not_counted
        a_code_under_an_unknown_key_is_not_found
        any_key_of_the_ring_may_match
        keep_returns_the_live_challenge_in_its_first_half
        a_refund_gives_cooldown_and_quota_back
        a_refund_of_a_kept_challenge_leaves_it_alive
        a_cancelled_code_is_dead_and_its_cooldown_stays
        peek_shows_without_touching
        limits_can_be_off;
    limits:
        a_hit_counts_up_to_the_limit
        a_hit_takes_all_of_its_cost_or_nothing
        a_window_starts_anew
        a_closed_gate_ends_an_issue
        a_closed_gate_ends_an_attempt_without_comparing
        a_gate_counts_refused_calls;
    rates:
        several_limits_pass_together_or_not_at_all
        a_sliding_window_remembers_the_one_before
        a_bucket_refills_evenly
        a_look_takes_nothing
        a_limit_defined_anew_begins_anew
        many_hits_at_once_never_exceed_any_limit;
    races:
        of_many_right_codes_one_wins
        of_many_wrong_codes_exactly_the_budget_is_compared
        a_right_code_among_wrong_ones_wins
        of_two_issues_one_waits
        hits_never_exceed_the_limit
        counters_lose_nothing;
}

fn key(fixture: &dyn Fixture, name: &str) -> Key {
    Key::named(fixture.prefix(), name)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Real servers do not stand still: a remaining time is right within a few seconds.
#[track_caller]
fn assert_about(actual: Duration, expected: Duration) {
    assert!(actual <= expected && expected - actual < secs(10), "{actual:?} is not about {expected:?}");
}
