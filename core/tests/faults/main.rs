//! What servers, networks, disks and clocks do besides failing altogether: no code is accepted twice, no budget
//! exceeded, no call lasts beyond its deadline, and the client needs no restart when it is over.

#[path = "../support/admin.rs"]
mod admin;
#[path = "../support/caller.rs"]
mod caller;
mod clocks;
mod disk;
mod names;
mod network;
mod pooler;
mod refusals;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;
mod users;
#[path = "../support/weather.rs"]
mod weather;

use libtest_mimic::{Arguments, Trial};
use oncecode::BoxFuture;

type Case = fn() -> BoxFuture<'static, ()>;
type CaseOn = fn(&'static str) -> BoxFuture<'static, ()>;

macro_rules! cases {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), || Box::pin($module::$name()))),+]
    };
}
macro_rules! cases_on {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), |kind| Box::pin($module::$name(kind)))),+]
    };
}

const STORES: [&str; 5] = ["redis", "postgres", "pgbouncer", "mysql", "memcached"];

const ON_EACH: &[(&str, CaseOn)] = cases_on![
    network::delays_are_waited_for_within_the_deadline_only,
    network::a_lost_answer_is_no_way_to_use_a_code_twice,
    network::an_answer_cut_in_the_middle_is_no_answer,
    network::what_vanishes_costs_no_more_than_the_deadline,
    network::connections_that_break_all_the_time_bend_no_rule,
    clocks::a_process_whose_clock_is_a_day_off_changes_nothing,
];

const ONCE: &[(&str, Case)] = cases![
    disk::a_full_disk_is_told_and_recovered_from,
    disk::a_file_that_may_only_be_read_is_told_at_open,
    disk::a_postgres_on_a_full_disk_serves_what_is_there,
    refusals::a_redis_that_becomes_a_replica_is_told_until_it_is_a_master_again,
    refusals::a_redis_6_that_becomes_a_replica_is_told_until_it_is_a_master_again,
    refusals::a_full_redis_is_told_until_there_is_room,
    refusals::a_redis_without_a_free_connection_is_told,
    refusals::a_postgres_that_may_only_be_read_is_told_until_it_may_be_written,
    refusals::a_postgres_without_a_free_connection_is_told,
    pooler::a_pooler_is_noticed_and_nothing_is_prepared_behind_it,
    pooler::a_strict_database_behind_a_pooler_stays_strict_for_others,
    pooler::many_may_open_a_new_database_through_a_pooler,
    pooler::names_behind_a_pooler_are_told_about,
    pooler::a_pooler_that_loses_its_server_finds_it_again,
    pooler::wrong_credentials_for_a_pooler_are_a_config_error,
    users::a_missing_command_or_key_pattern_is_told,
    users::a_unix_socket_serves_a_limited_user_of_any_database,
    names::a_postgres_certificate_for_another_name_is_refused,
    names::a_redis_database_that_does_not_exist_is_told,
    names::foreign_values_under_our_names_are_neither_trusted_nor_hung_upon,
    names::a_key_that_lost_its_expiry_refuses_nobody_and_gets_a_new_one,
];

/// One case at a time: a deadline means little on a machine that starts servers meanwhile.
fn main() {
    if clocks::is_asked_to_be_somebody_else() || disk::is_asked_to_be_somebody_else() {
        return;
    }
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let mut trials = Vec::new();
    for &(name, case) in ON_EACH {
        for kind in STORES {
            trials.push(Trial::test(format!("{kind}::{name}"), move || {
                support::runtime().block_on(case(kind));
                Ok(())
            }));
        }
    }
    for &(name, case) in ONCE {
        trials.push(Trial::test(name, move || {
            support::runtime().block_on(case());
            Ok(())
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
