//! Random schedules: every store's own operations answer as the default implementations do.

mod support;

use std::time::Duration;

use oncecode::store::{
    Algorithm, Amend, Attempt, Attempted, Gate, Hit, Issue, Issued, Limit, MemoryStore, Peeked, Rate, Rates, Refused,
};
use oncecode::testkit::{FakeClock, Fixture, Primitives, inputs, key};
use oncecode::{Key, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use support::{Kind, runtime};

/// One step of a schedule. Durations are whole minutes, so that a real clock's own seconds change no decision.
#[derive(Clone, Debug)]
enum Step {
    Issue { code: u8, keep: bool, life: u64, cooldown: u64, limited: bool, gated: bool },
    Attempt { code: u8, id: Option<u8>, foreign: bool, limited: bool, gated: bool },
    Cancel { id: Option<u8> },
    Refund { id: u8, kept: bool },
    Hit { cost: u32 },
    Hits { cost: u32, limits: usize },
    Peek,
    Wait { minutes: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3u8, any::<bool>(), 1..40u64, 0..4u64, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
            |(code, keep, life, cooldown, limited, gated)| Step::Issue { code, keep, life: life * 2, cooldown, limited, gated }
        ),
        8 => (0..3u8, prop::option::weighted(0.3, 0..3u8), prop::bool::weighted(0.1), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(code, id, foreign, limited, gated)| Step::Attempt { code, id, foreign, limited, gated }),
        1 => prop::option::of(0..3u8).prop_map(|id| Step::Cancel { id }),
        1 => (0..3u8, any::<bool>()).prop_map(|(id, kept)| Step::Refund { id, kept }),
        1 => (1..4u32).prop_map(|cost| Step::Hit { cost }),
        2 => (0..3u32, 1..4usize).prop_map(|(cost, limits)| Step::Hits { cost, limits }),
        1 => Just(Step::Peek),
        3 => (1..50u64).prop_map(|minutes| Step::Wait { minutes }),
    ];
    prop::collection::vec(step, 1..40)
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// What a step answered, times rounded to what a schedule can tell apart.
#[derive(Debug, PartialEq)]
enum Answer {
    Issued(String),
    Attempted(String),
    Changed(bool),
    Hit(bool, u32, u64),
    Hits(bool, Vec<(u64, u64)>),
    Peeked(Option<(u8, Vec<u8>, u64, u64, u32, u32)>),
    Nothing,
}

async fn run(store: &dyn Store, name: &Key, gate: &Gate, step: &Step) -> Answer {
    let limit = |on: &bool, max, window| if *on { Limit::new(max, minutes(window)) } else { Limit::OFF };
    let code = |n: &u8| ["a", "b", "c"][usize::from(*n)];
    match step {
        Step::Issue { code: n, keep, life, cooldown, limited, gated } => {
            let input = Issue {
                id: inputs::id(*n),
                life: minutes(*life) + Duration::from_secs(30),
                cooldown: if *cooldown == 0 { Duration::ZERO } else { minutes(*cooldown) + Duration::from_secs(30) },
                issues: limit(limited, 4, 61),
                failures: limit(limited, 6, 121),
                keep: *keep,
                max_attempts: 3,
                ..inputs::issue(code(n))
            };
            issued(store.issue(name, &input, gated.then_some(gate)).await.expect("issue"))
        }
        Step::Attempt { code: n, id, foreign, limited, gated } => {
            let mut input = Attempt {
                id: id.map(inputs::id),
                verifies: limit(limited, 5, 31),
                failures: limit(limited, 6, 121),
                ..inputs::attempt(code(n))
            };
            if *foreign {
                input.candidates[0].key = 9;
            }
            attempted(store.attempt(name, &input, gated.then_some(gate)).await.expect("attempt"))
        }
        Step::Cancel { id } => {
            Answer::Changed(store.amend(name, &Amend::Cancel(id.map(inputs::id))).await.expect("amend"))
        }
        Step::Refund { id, kept } => {
            let refund = Amend::Refund { id: inputs::id(*id), kept: *kept };
            Answer::Changed(store.amend(name, &refund).await.expect("amend"))
        }
        Step::Hit { cost } => {
            let Hit { allowed, remaining, resets_in } = store.hit(gate, *cost).await.expect("hit");
            Answer::Hit(allowed, remaining, round(resets_in))
        }
        Step::Hits { cost, limits } => {
            let rate = |algorithm, max, window| Rate { algorithm, max, window: minutes(window) };
            let all =
                [rate(Algorithm::Fixed, 7, 61), rate(Algorithm::Sliding, 9, 120), rate(Algorithm::Bucket, 8, 240)];
            let rates = Rates { key: key(name.as_str(), "rates"), rates: all[..*limits].to_vec() };
            let hits = store.hits(&rates, *cost).await.expect("hits");
            // Where time flows by itself, a share of a window may be over between one store and the other.
            let rooms = hits.rooms.iter().map(|room| (round(room.resets_in), round(room.retry_in)));
            Answer::Hits(hits.allowed, rooms.collect())
        }
        Step::Peek => Answer::Peeked(store.peek(name).await.expect("peek").map(|live| {
            let Peeked { id, sealed, expires_in, resend_in, attempts_left, failures } = live;
            (id[0], sealed, round(expires_in), round(resend_in), attempts_left, failures)
        })),
        Step::Wait { .. } => Answer::Nothing,
    }
}

/// Half minutes, rounded up: a real clock has moved on by a few seconds at most.
fn round(left: Duration) -> u64 {
    left.as_millis().div_ceil(30_000) as u64
}

fn refused(why: Refused) -> String {
    match why {
        Refused::Gated(left) => format!("gated {}", round(left)),
        Refused::Locked(left) => format!("locked {}", round(left)),
        Refused::Limited(left) => format!("limited {}", round(left)),
        Refused::Cooldown(left) => format!("cooldown {}", round(left)),
        Refused::NotFound => "not found".into(),
        Refused::Spent(left) => format!("spent {}", round(left)),
    }
}

fn issued(answer: Issued) -> Answer {
    Answer::Issued(match answer {
        Issued::New { attempts_left } => format!("new {attempts_left}"),
        Issued::Kept { id, sealed, expires_in, attempts_left } => {
            format!("kept {} {sealed:?} {} {attempts_left}", id[0], round(expires_in))
        }
        Issued::Refused(why) => refused(why),
    })
}

fn attempted(answer: Attempted) -> Answer {
    Answer::Attempted(match answer {
        Attempted::Right { sealed } => format!("right {sealed:?}"),
        Attempted::Wrong { attempts_left } => format!("wrong {attempts_left}"),
        Attempted::Refused(why) => refused(why),
    })
}

fn agrees(kind: Kind, schedules: u32) {
    let runtime = runtime();
    let config = Config { cases: schedules, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let corner = runtime.block_on(kind.open());
    TestRunner::new(config)
        .run(&steps(), |schedule| {
            runtime.block_on(async {
                let clock = FakeClock::default();
                let reference = Primitives(MemoryStore::new(std::sync::Arc::new(clock.clone())));
                let unique = support::unique();
                let (name, gate) = (key(corner.prefix(), &unique), key(corner.prefix(), &format!("{unique}-gate")));
                let gate = Gate { key: gate, limit: Limit::new(8, minutes(45)) };
                let store = corner.store();
                for (at, step) in schedule.iter().enumerate() {
                    if let Step::Wait { minutes: n } = step {
                        clock.advance(minutes(*n));
                        corner.advance(minutes(*n)).await;
                    }
                    let expected = run(&reference, &name, &gate, step).await;
                    let actual = run(&*store, &name, &gate, step).await;
                    prop_assert_eq!(actual, expected, "step {} of {:?}", at, schedule);
                }
                Ok(())
            })
        })
        .unwrap_or_else(|e| panic!("{}: {e}", kind.name()));
    runtime.block_on(corner.check());
}

#[test]
fn memory_answers_as_the_reference_does() {
    agrees(Kind::Memory, 1000);
}

#[test]
fn sqlite_answers_as_the_reference_does() {
    agrees(Kind::Sqlite, 150);
}

#[test]
fn postgres_answers_as_the_reference_does() {
    agrees(Kind::Postgres, 100);
}

#[test]
fn mysql_answers_as_the_reference_does() {
    agrees(Kind::Mysql, 100);
}

#[test]
fn redis_answers_as_the_reference_does() {
    agrees(Kind::Redis, 150);
}

#[test]
fn redis_cluster_answers_as_the_reference_does() {
    agrees(Kind::RedisCluster, 60);
}

#[test]
fn upstash_answers_as_the_reference_does() {
    agrees(Kind::Upstash, 60);
}

#[test]
fn memcached_answers_as_the_reference_does() {
    agrees(Kind::Memcached, 60);
}

#[test]
fn a_fallback_answers_as_the_reference_does() {
    agrees(Kind::Fallback, 60);
}
