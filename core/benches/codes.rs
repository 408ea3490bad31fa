//! What the core costs without a network: `cargo bench -p oncecode --features testkit`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use oncecode::{HitRequest, Identifier, IssueRequest, LimitDefinition, Oncecode, Options, VerifyRequest};

fn client(runtime: &tokio::runtime::Runtime) -> Oncecode {
    let options = r#"{"mode":"development","sender":"none:","policy":{"cooldownSeconds":0,"issueLimit":false,"verifyLimit":false}}"#;
    let options = Options::from_json(options).expect("options");
    runtime.block_on(Oncecode::builder("memory:").options(options).open()).expect("memory opens")
}

fn identifiers(c: &mut Criterion) {
    for (name, typed) in [("E.164", "+919876543210"), ("pretty", "+91 98765-43210"), ("email", "Ann@Example.com")] {
        c.bench_function(&format!("normalise {name}"), |b| b.iter(|| Identifier::parse(black_box(typed), None)));
    }
}

fn flows(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let once = client(&runtime);
    c.bench_function("issue, in memory", |b| {
        b.iter(|| runtime.block_on(once.codes().issue(IssueRequest::new("+919876543210", "login"))).expect("issued"));
    });
    c.bench_function("verify, in memory", |b| {
        b.iter_batched(
            || {
                let sent = runtime.block_on(once.codes().issue(IssueRequest::new("+919876543210", "login")));
                sent.expect("issued").code.expect("development")
            },
            |code| {
                let request = VerifyRequest::new("+919876543210", "login", code.expose());
                runtime.block_on(once.codes().verify(request)).expect("verified")
            },
            // One at a time: a code takes the place of the one before.
            BatchSize::PerIteration,
        );
    });
}

fn limits(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let limits = client(&runtime).limits();
    // Never full: what a hit costs, not what a refusal does.
    let wide = LimitDefinition::new(1_000_000, 0.5);
    limits.define("wide", &wide).expect("defined");
    c.bench_function("limit hit, in memory", |b| {
        b.iter(|| runtime.block_on(limits.hit(HitRequest::new("wide", black_box("ann")))).expect("let through"));
    });
}

criterion_group!(benches, identifiers, flows, limits);
criterion_main!(benches);
