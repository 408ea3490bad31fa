//! Sessions, tokens and links on every store: time, races, and what several clients make of each other's changes.

mod links;
mod sessions;
#[path = "../support/mod.rs"]
mod support;
mod tokens;
mod users;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use oncecode::testkit::{FakeClock, Fixture};
use oncecode::{Oncecode, Options};
use serde_json::{Value, json};

use support::{Corner, Kind, LONG, runtime};

type Case = for<'a> fn(&'a App) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Cases by name, of one module.
macro_rules! cases {
    ($($name:ident)+) => {
        pub const CASES: &[(&str, crate::Case)] = &[$((stringify!($name), |app| Box::pin($name(app))),)+];
    };
}
use cases;

fn main() {
    let cases = || sessions::CASES.iter().chain(tokens::CASES).chain(links::CASES).chain(users::CASES);
    let trials = Kind::ALL.iter().filter(|kind| !kind.name().ends_with("_reference")).flat_map(|kind| {
        cases().map(move |(name, case)| {
            Trial::test(format!("{}::{name}", kind.name()), move || {
                runtime().block_on(async {
                    let app = App { corner: kind.open().await, clock: FakeClock::default() };
                    case(&app).await;
                    app.corner.check().await;
                });
                Ok(())
            })
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// An app of several processes: each client has a handle of its own on the store.
struct App {
    corner: Corner,
    clock: FakeClock,
}

impl App {
    async fn client(&self, own: Value) -> Oncecode {
        self.client_at(own, self.clock.clone()).await
    }

    async fn client_at(&self, own: Value, clock: FakeClock) -> Oncecode {
        let mut options = json!({
            "secret": "a secret of thirty-two bytes or more", "sender": "none:", "mode": "development",
            "keyPrefix": self.corner.prefix(), "deadlineMs": LONG.as_millis() as f64,
        });
        options.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
        let options = Options::from_json(&options.to_string()).expect("options");
        let builder = Oncecode::builder("").options(options).store(self.corner.store()).clock(clock);
        builder.open().await.expect("open")
    }

    /// Another clock that shows the same: for a process whose clock goes wrong.
    fn clock_apart(&self) -> FakeClock {
        FakeClock::default()
    }

    /// For the store and for every client.
    async fn advance(&self, by: Duration) {
        self.corner.advance(by).await;
        self.clock.advance(by);
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The code of a refusal.
#[track_caller]
fn refused<T>(outcome: oncecode::Result<T>) -> &'static str {
    match outcome {
        Ok(_) => panic!("must be refused"),
        Err(e) => e.code(),
    }
}
