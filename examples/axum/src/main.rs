//! Starts the app, and stops it when it is told to.

use std::env::var;
use std::net::SocketAddr;
use std::time::Duration;

use oncecode::{CancellationToken, Oncecode};
use oncecode_axum_example::app::app;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::net::TcpListener;
use tokio::time::sleep;

/// What is under way when the app is told to stop may take so long to end.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    // `cargo run` is development on a store in memory; a release build is production, unless ONCECODE_MODE says otherwise.
    let told = |name: &str| var(name).ok();
    let assumed = |name: &str| (cfg!(debug_assertions) && name == "ONCECODE_MODE").then(|| "development".to_owned());
    let proxies = var("TRUSTED_PROXIES").unwrap_or_default();
    let proxies = proxies.split(',').map(str::trim).filter(|proxy| !proxy.is_empty());
    let once = Oncecode::from_vars(|name| told(name).or_else(|| assumed(name)))?
        .configure(|options| options.trusted_proxies.extend(proxies.map(str::to_owned)))
        .open()
        .await?;

    let routes = app(&once, told("LINK_PAGE"))?;
    let host = told("HOST").unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = told("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let listener = TcpListener::bind((host, port)).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let stop = stop_signal()?;
    // The connection's address is what limits count.
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    let too_long = async {
        stop.cancelled().await;
        sleep(PATIENCE).await;
    };
    tokio::select! {
        served = serving => served?,
        () = too_long => tracing::warn!("some requests did not end in time"),
    }
    once.close().await;
    println!("stopped");
    Ok(())
}

/// Cancelled by Ctrl-C and by SIGTERM. (`tokio::signal` does this too, where an app has that feature of tokio's.)
fn stop_signal() -> std::io::Result<CancellationToken> {
    let (stop, mut signals) = (CancellationToken::new(), Signals::new([SIGINT, SIGTERM])?);
    let told = stop.clone();
    std::thread::spawn(move || {
        signals.forever().next();
        told.cancel();
    });
    Ok(stop)
}
