//! The command line: `baton serve` and what people do around it.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::{broker, telemetry};

mod connection;
mod consent;
mod contact;
mod dead;
mod demo;
mod doctor;
mod door;
mod duration;
mod events;
mod handoff;
mod health;
mod keygen;
mod page;
mod publish;
mod replies;
mod serve;
mod simulate;
mod store;
mod topology;

/// The durable handoff worker: from an AI agent to a human rep, nothing lost, doubled or reordered.
#[derive(Debug, Parser)]
#[command(name = "baton", version)]
struct Cli {
    /// The configuration file; `./baton.toml` if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the worker.
    Serve,
    /// Show what Baton does, on a real broker: simulated desk, scripted customers and reps, and trouble.
    Demo(demo::Demo),
    /// Run a simulated desk alone, with a rep that answers, for your own tests.
    Simulate(simulate::Simulate),
    /// Look for what is wrong before a contact does: store, broker, keys, each desk's credentials, the machine.
    Doctor(doctor::Doctor),
    /// Ask the worker on this machine whether it is well; exit code 1 if it is not.
    Health(health::Health),
    /// Desks and their credentials.
    #[command(subcommand)]
    Connection(connection::Verb),
    /// What became of escalations.
    #[command(subcommand)]
    Handoff(handoff::Verb),
    /// What was set aside for a human.
    #[command(subcommand)]
    Dead(dead::Verb),
    /// What is kept of one contact.
    #[command(subcommand)]
    Contact(contact::Verb),
    /// Publish an event from a file, as upstream does.
    Publish(publish::Publish),
    /// Print what reps wrote, from a channel's queue.
    Replies(replies::Replies),
    /// The contract of each event.
    #[command(subcommand)]
    Events(events::Verb),
    /// Copies of the database.
    #[command(subcommand)]
    Store(store::Verb),
    /// Exchanges, queues and bindings.
    #[command(subcommand)]
    Topology(topology::Verb),
    /// Show the effective configuration and where each value comes from; secrets as ***.
    Config(page::Form),
    /// Make an RSA key pair for a desk, and a master key.
    Keygen(keygen::Keygen),
}

/// Why a verb ended badly, and with which exit code.
#[derive(Debug)]
pub enum Failure {
    /// It was tried and failed: 1.
    Failed(anyhow::Error),
    /// It was asked for in a way that cannot be: 2.
    Usage(String),
    /// Nobody reads any more what it prints: 0, because whoever went has seen enough.
    Unread,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Parses the arguments, runs the verb, and says what went wrong in one place.
pub fn run() -> ExitCode {
    broker::install_panic_hook();
    match dispatch(Cli::parse()) {
        Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(Failure::Failed(error)) => {
            page::note(&format!("baton: {error:#}"));
            ExitCode::from(1)
        }
        Err(Failure::Usage(what)) => {
            page::note(&format!("baton: {what}"));
            ExitCode::from(2)
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let load = || Config::load(cli.config.as_deref(), crate::config::environment());
    let config = || {
        load().map_err(|mistakes| {
            Failure::Usage(format!("the configuration has mistakes:\n{mistakes}"))
        })
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match cli.verb {
        Verb::Serve => {
            let config = config()?;
            telemetry::start(&config.log)?;
            runtime.block_on(serve::run(&config))
        }
        Verb::Demo(demo) => runtime.block_on(demo::run(demo)),
        Verb::Simulate(simulate) => runtime.block_on(simulate::run(simulate)),
        Verb::Doctor(doctor) => match load() {
            Ok(config) => runtime.block_on(doctor::run(doctor, &config)),
            Err(mistakes) => Err(doctor::misconfigured(&doctor, &mistakes)),
        },
        Verb::Health(health) => runtime.block_on(health::run(health, &config()?)),
        Verb::Connection(verb) => runtime.block_on(connection::run(verb, &config()?)),
        Verb::Handoff(verb) => runtime.block_on(handoff::run(verb, &config()?)),
        Verb::Dead(verb) => runtime.block_on(dead::run(verb, &config()?)),
        Verb::Contact(verb) => runtime.block_on(contact::run(verb, &config()?)),
        Verb::Publish(publish) => runtime.block_on(publish::run(publish, &config()?)),
        Verb::Replies(replies) => runtime.block_on(replies::run(replies, &config()?)),
        Verb::Events(verb) => events::run(verb),
        Verb::Topology(verb) => runtime.block_on(topology::run(verb, &config()?)),
        Verb::Store(verb) => store::run(verb, &config()?),
        Verb::Config(form) => {
            let config = config()?;
            let origins = config.origins();
            form.print(&serde_json::to_value(origins)?, |_| origins.to_string())
        }
        Verb::Keygen(keygen) => keygen::run(&keygen),
    }
}
