//! Two stores, of which one is absent, killed, frozen, or loses its answers, in the middle of whatever is going on.

mod client;
mod load;
#[path = "../support/lossy.rs"]
mod lossy;
mod outages;
mod pair;
mod parts;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use oncecode::BoxFuture;

use pair::Pair;

/// What a caller may wait at most: the default deadline, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long until a store that is back must be noticed.
const RETURN: Duration = Duration::from_secs(20);

type Case = for<'a> fn(&'a mut Pair) -> BoxFuture<'a, ()>;

macro_rules! cases {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), |pair| Box::pin($module::$name(pair)))),+]
    };
}

const CASES: &[(&str, Case)] = cases![
    outages::a_first_store_that_is_absent_at_open_joins_later,
    outages::a_second_store_that_is_absent_at_open_is_no_hindrance,
    outages::both_absent_at_open_is_told,
    outages::a_code_from_before_a_kill_is_verified_after_it_and_newer_ones_go_on,
    outages::a_newer_code_kills_the_older_one_whichever_store_has_it,
    outages::a_frozen_first_store_is_replaced_within_the_deadline,
    outages::answers_that_are_lost_are_not_asked_for_again,
    outages::clients_agree_on_where_a_code_is,
    parts::an_outage_of_the_first_costs_a_probe_per_interval,
    parts::health_says_which_store_is_out_of_reach,
    parts::limits_fall_back_and_values_do_not,
    parts::a_second_store_that_is_lost_after_its_use_is_done_without,
    parts::a_client_without_breakers_is_refused,
    load::codes_survive_a_first_store_that_flaps_under_load,
    load::wrong_codes_are_counted_once_while_the_first_store_flaps,
];

fn main() {
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let mut trials = Vec::new();
    for second in ["postgres", "sqlite"] {
        let shared = Arc::new(Mutex::new(None));
        for &(name, case) in CASES {
            let shared = Arc::clone(&shared);
            trials.push(Trial::test(format!("redis_and_{second}::{name}"), move || {
                let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let pair = shared.get_or_insert_with(|| Pair::start(second));
                pair.first.heal();
                pair.prefix = support::unique();
                support::runtime().block_on(async {
                    pair.first_answers().await;
                    case(pair).await;
                });
                Ok(())
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
