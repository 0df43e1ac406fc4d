//! `baton health`: asks the worker on this machine how it is, for platforms whose image has no other client.

use anyhow::{Context, anyhow};
use clap::Args;

use super::Failure;
use super::door::ask_openly;
use super::page::print;
use crate::config::Config;

/// What is asked.
#[derive(Debug, Args)]
pub struct Health {
    /// Ask whether deliveries arrive and the store answers, not only whether it serves.
    #[arg(long)]
    ready: bool,
}

/// Prints what the worker says; a failure unless it is well.
pub async fn run(health: Health, config: &Config) -> Result<(), Failure> {
    let path = if health.ready { "/readyz" } else { "/healthz" };
    let listen = config.http.listen;
    let (status, said) = ask_openly(listen, path)
        .await
        .with_context(|| format!("no worker answers on {listen}; check `http.listen`"))?;
    match status.is_success() {
        true => print(&said),
        false => Err(anyhow!("the worker is not well ({status}): {}", said.trim_end()).into()),
    }
}
