//! `baton serve`: the worker, until it is told to stop.

use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::Failure;
use crate::app::App;
use crate::config::Config;

/// Works until SIGTERM or SIGINT, then drains; a second signal ends it at once, which loses nothing either.
pub async fn run(config: &Config) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let app = App::start(config).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!("stopping; a second signal ends it at once");
    tokio::select! {
        () = app.stop() => {}
        _ = terminate.recv() => warn!("ended at once"),
        _ = interrupt.recv() => warn!("ended at once"),
    }
    Ok(())
}
