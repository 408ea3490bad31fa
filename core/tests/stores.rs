//! The conformance table: every case of the contract on every store, and on the reference implementation over it.

mod support;

use libtest_mimic::{Arguments, Trial};
use oncecode::testkit::CASES;

use support::{Kind, runtime};

fn main() {
    let trials = Kind::ALL.iter().flat_map(|kind| {
        CASES.iter().map(move |(name, case)| {
            Trial::test(format!("{}::{name}", kind.name()), move || {
                runtime().block_on(async {
                    let fixture = kind.open().await;
                    case(&fixture).await;
                    fixture.check().await;
                });
                Ok(())
            })
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
