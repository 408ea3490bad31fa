//! Two clients of two stores in memory, the first of which comes, goes and loses its answers, for each client by itself.
//! The second is always in reach, and before each step the time passes for which a client trusts what it knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::part::Absent;
use super::*;
use crate::random::Random;
use crate::store::forward::forward_store;
use crate::testkit::{FakeClock, SeededRandom, inputs};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Weather {
    Fine,
    /// It cannot be connected to.
    Gone,
    /// It does the work, and the answer never arrives.
    Mute,
}

/// A client's way to a store.
#[derive(Clone, Debug)]
struct Way {
    store: MemoryStore,
    weather: Arc<AtomicU8>,
}

impl Way {
    fn to(store: &MemoryStore) -> Self {
        Self { store: store.clone(), weather: Arc::default() }
    }

    fn set(&self, weather: Weather) {
        self.weather.store(weather as u8, Ordering::Relaxed);
    }

    fn weather(&self) -> Weather {
        [Weather::Fine, Weather::Gone, Weather::Mute][usize::from(self.weather.load(Ordering::Relaxed))]
    }

    fn inner(&self) -> &dyn Store {
        if self.weather() == Weather::Gone { &Absent } else { &self.store }
    }

    fn layer<'a, T: Send + 'a>(&self, _: Option<&Key>, call: BoxFuture<'a, Result<T>>) -> BoxFuture<'a, Result<T>> {
        let mute = self.weather() == Weather::Mute;
        Box::pin(async move {
            let answer = call.await;
            if mute { Err(deadline::late(Duration::ZERO)) } else { answer }
        })
    }
}

impl Store for Way {
    forward_store!();
}

fn options() -> StoreOptions {
    StoreOptions {
        deadline: Duration::from_secs(60),
        connect: Duration::from_secs(60),
        breaker: None,
        events: Default::default(),
        table_prefix: String::new(),
        schema: None,
        max_connections: 1,
        clock: Arc::new(crate::time::SystemClock),
    }
}

struct World {
    clock: FakeClock,
    first: MemoryStore,
    second: MemoryStore,
    clients: Vec<(Fallback, Way)>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new(clients: usize) -> Self {
        let clock = FakeClock::default();
        let store = || MemoryStore::new(Arc::new(clock.clone()));
        let (first, second) = (store(), store());
        let client = |_| {
            let way = Way::to(&first);
            let (one, two) = (Part::given(way.clone(), options()), Part::given(second.clone(), options()));
            let (mark, limit) = (Mark::default(), Duration::from_secs(60));
            (Fallback { first: one, second: two, mark, limit }, way)
        };
        let clients = (0..clients).map(client).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { clock, first, second, clients, runtime }
    }

    fn all(&self, weather: Weather) {
        self.clients.iter().for_each(|(_, way)| way.set(weather));
    }

    fn now<T>(&self, call: BoxFuture<'_, Result<T>>) -> Result<T> {
        self.runtime.block_on(call)
    }
}

fn free(code: &str, number: u8) -> Issue {
    let limit = Limit { max: 0, ..inputs::issue(code).issues };
    let (cooldown, id) = (Duration::ZERO, inputs::id(number));
    Issue { id, max_attempts: 3, cooldown, issues: limit, failures: limit, ..inputs::issue(code) }
}

fn try_code(code: &str) -> Attempt {
    let limit = Limit { max: 0, ..inputs::attempt(code).verifies };
    Attempt { verifies: limit, failures: limit, ..inputs::attempt(code) }
}

/// What a single store would know of one identifier.
#[derive(Default)]
struct Model {
    /// The code that was acknowledged last, the time it ends, and how many wrong codes were compared with it.
    live: Option<(String, u64, u32)>,
    /// An answer was lost, so that `live` may not be.
    doubtful: bool,
    /// Replaced, used or cancelled.
    dead: Vec<String>,
}

impl Model {
    fn end(&mut self) {
        self.dead.extend(self.live.take().map(|(code, ..)| code));
        self.doubtful = false;
    }
}

/// What the two clients do, by chance, each step checked against the model.
fn live_through(seed: u64) {
    let world = World::new(2);
    let random = SeededRandom::new(seed);
    let roll = |sides: u8| {
        let mut byte = [0];
        random.fill(&mut byte).expect("a byte");
        byte[0] % sides
    };
    let keys = [Key::named("p", "ann"), Key::named("p", "bob")];
    let mut models = [Model::default(), Model::default()];
    for step in 0..200u8 {
        let (one, two) = (usize::from(roll(2)), usize::from(roll(2)));
        let ((client, way), key, model) = (&world.clients[one], &keys[two], &mut models[two]);
        let weather = [Weather::Fine, Weather::Fine, Weather::Fine, Weather::Gone, Weather::Gone, Weather::Mute];
        if roll(4) == 0 {
            way.set(weather[usize::from(roll(6))]);
        }
        client.mark.forget();
        let weather = way.weather();
        let now = crate::time::Clock::now_ms(&world.clock);
        if model.live.as_ref().is_some_and(|(_, ends, _)| now >= *ends) {
            // What an unanswered issue left behind may live longer.
            let doubtful = model.doubtful;
            model.end();
            model.doubtful = doubtful;
        }
        let what = format!("seed {seed}, step {step}, {weather:?}");
        let sure = weather == Weather::Fine && !model.doubtful;
        match roll(8) {
            0 | 1 => {
                let code = format!("code{step}");
                match world.now(client.issue(key, &free(&code, step), None)) {
                    Ok(issued) => {
                        assert!(matches!(issued, Issued::New { .. }), "{what}: {issued:?}");
                        model.end();
                        model.live = Some((code, now + 600_000, 0));
                    }
                    Err(e) => {
                        assert!(weather == Weather::Mute && !e.is_undone(), "{what}: {e:?}");
                        // It may have replaced the other one.
                        model.doubtful = true;
                    }
                }
            }
            2 | 3 => {
                let Some((code, ..)) = &model.live else { continue };
                match world.now(client.attempt(key, &try_code(code), None)) {
                    Ok(Attempted::Right { .. }) => model.end(),
                    Ok(other) => assert!(!sure || model.live.as_ref().is_some_and(|l| l.2 == 3), "{what}: {other:?}"),
                    Err(e) => {
                        assert!(weather != Weather::Fine, "{what}: {e:?}");
                        model.doubtful |= weather == Weather::Mute;
                    }
                }
            }
            4 => {
                for code in &model.dead {
                    let answer = world.now(client.attempt(key, &try_code(code), None));
                    let right = matches!(answer, Ok(Attempted::Right { .. }));
                    assert!(!right, "{what}: {code} came back to life");
                    let compared = matches!(answer, Ok(Attempted::Wrong { .. }));
                    model.live.iter_mut().for_each(|live| live.2 += u32::from(compared));
                    model.doubtful |= weather == Weather::Mute;
                }
            }
            5 => {
                let answer = world.now(client.attempt(key, &try_code("wrong"), None));
                let wrong = matches!(answer, Ok(Attempted::Wrong { .. }));
                match &mut model.live {
                    Some((_, _, wrongs)) => {
                        assert!(!sure || wrong == (*wrongs < 3), "{what}: {answer:?} after {wrongs}");
                        *wrongs += u32::from(wrong);
                        assert!(model.doubtful || *wrongs <= 3, "{what}: compared too often");
                    }
                    None => assert!(!sure || !wrong, "{what}: {answer:?}"),
                }
                model.doubtful |= weather == Weather::Mute;
            }
            6 => match world.now(client.peek(key)) {
                Ok(found) => assert!(!sure || found.is_some() == model.live.is_some(), "{what}"),
                Err(e) => assert!(weather != Weather::Fine, "{what}: {e:?}"),
            },
            _ if roll(2) == 0 => world.clock.advance(Duration::from_secs(u64::from(roll(250)))),
            _ => match world.now(client.amend(key, &Amend::Cancel(None))) {
                Ok(cancelled) => {
                    assert!(!sure || cancelled == model.live.is_some(), "{what}");
                    if cancelled {
                        model.end();
                    }
                }
                Err(e) => {
                    assert!(weather != Weather::Fine, "{what}: {e:?}");
                    model.doubtful |= weather == Weather::Mute;
                }
            },
        }
    }
}

#[test]
fn whatever_the_first_store_does_a_code_is_what_it_would_be_in_one_store() {
    (0..300).for_each(live_through);
}

#[test]
fn a_lost_answer_is_not_asked_for_again() {
    let world = World::new(1);
    let (client, way) = &world.clients[0];
    let key = Key::named("p", "ann");
    way.set(Weather::Mute);
    assert!(world.now(client.issue(&key, &free("a", 1), None)).is_err());
    assert!(world.now(world.first.peek(&key)).expect("peek").is_some(), "the first did it");
    assert!(world.now(world.second.peek(&key)).expect("peek").is_none(), "the second was not asked");
    assert!(world.now(client.attempt(&key, &try_code("a"), None)).is_err());
    way.set(Weather::Fine);
    let again = world.now(client.attempt(&key, &try_code("a"), None)).expect("an answer");
    assert_eq!(again, Attempted::Refused(Refused::NotFound), "the first attempt has used it up");
}

#[test]
fn what_does_not_fall_back_fails_and_a_limit_may_count_in_both() {
    let world = World::new(1);
    let client = &world.clients[0].0;
    let key = Key::named("p", "lock");
    let gate = Gate { key: Key::named("p", "gate"), limit: Limit::new(3, Duration::from_secs(60)) };
    let mut allowed = 0;
    for weather in [Weather::Fine, Weather::Gone, Weather::Fine, Weather::Gone] {
        world.all(weather);
        let claimed = world.now(client.put(&key, b"mine", Duration::from_secs(60), When::Always));
        assert_eq!(claimed.is_ok(), weather == Weather::Fine);
        for _ in 0..5 {
            allowed += u32::from(world.now(client.hit(&gate, 1)).expect("an answer").allowed);
        }
    }
    assert_eq!(allowed, 6);
    assert!(world.now(world.second.get(&key)).expect("get").is_none(), "a claim has one place");
}

#[test]
fn the_failure_budget_is_each_stores_own_and_never_set_back() {
    let world = World::new(1);
    let client = &world.clients[0].0;
    let key = Key::named("p", "ann");
    let budget = Limit::new(4, Duration::from_secs(24 * 3600));
    let mut compared = 0;
    for round in 0..40u8 {
        world.all(if round % 3 == 0 { Weather::Gone } else { Weather::Fine });
        // A day's budget, and codes that live for ten minutes.
        world.clock.advance(Duration::from_secs(700));
        client.mark.forget();
        let _ = world.now(client.issue(&key, &Issue { failures: budget, ..free("a", round) }, None));
        for _ in 0..3 {
            let guess = Attempt { failures: budget, ..try_code("wrong") };
            compared += u32::from(matches!(world.now(client.attempt(&key, &guess, None)), Ok(Attempted::Wrong { .. })));
        }
    }
    assert_eq!(compared, 8);
}

#[test]
fn a_healthy_pair_never_asks_the_second_for_a_code() {
    let world = World::new(1);
    let client = &world.clients[0].0;
    for n in 0..100u8 {
        let key = Key::named("p", &n.to_string());
        world.now(client.issue(&key, &free("a", n), None)).expect("issue");
        assert!(matches!(world.now(client.attempt(&key, &try_code("a"), None)), Ok(Attempted::Right { .. })));
        assert!(world.now(world.second.peek(&key)).expect("peek").is_none());
    }
    assert!(!client.mark.known(&Key::named("p", "x"), false).expect("looked a moment ago"));
}
