//! `tests/cases/http/*.json` against axum, by requests over a socket, as its README describes them.

mod app;
mod compare;
mod wire;
mod world;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use tokio::net::TcpListener;

use self::world::World;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/http");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the cases").map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "json"));
    files.sort();
    let mut trials = Vec::new();
    for file in files {
        let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let cases: Vec<Value> = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("cases");
        for case in cases {
            let name = format!("{stem}: {}", case["name"].as_str().expect("a name"));
            trials.push(Trial::test(name, move || run(&case)));
        }
    }
    let count = trials.len();
    trials.push(Trial::test("the cases are all there", move || match count >= 80 {
        true => Ok(()),
        false => Err(Failed::from(format!("there are {count}"))),
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn run(case: &Value) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(hold(case)).map_err(Failed::from)
}

async fn hold(case: &Value) -> Result<(), String> {
    let world = World::default();
    let once = world.open(&case["options"]).await;
    let app = app::app(&once, &case["router"], &world).into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    for (at, step) in case["steps"].as_array().expect("steps").iter().enumerate() {
        let request = world.filled(&step["request"]);
        let place = format!("step {at}: {} {}", request["method"], request["path"]);
        let jar = step["anonymous"] != true;
        let answer = wire::ask(port, &request, jar.then(|| world.cookies())).await;
        if jar {
            world.keep(&answer);
        }
        compare::answer(&answer, &world.filled(step)).map_err(|why| format!("{place}: {why}\n{}", answer.body))?;
        if let Some(name) = step["save"].as_str() {
            world.save(name, answer.body);
        }
    }
    serving.abort();
    once.close().await;
    Ok(())
}
