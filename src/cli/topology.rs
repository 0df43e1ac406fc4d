//! `baton topology`: the exchanges, queues and bindings on the broker.

use anyhow::anyhow;
use clap::Subcommand;
use serde_json::Value;

use super::Failure;
use super::page::{Form, cell, fields, items, print, table};
use crate::broker::topology::Topology;
use crate::broker::{self, Declare};
use crate::config::Config;

/// What can be done with the topology.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show what Baton needs; with --json as definitions for `rabbitmqctl import_definitions`.
    Show(Form),
    /// Create what is missing, and say what is there in another way.
    Declare,
    /// Look whether everything is there, without creating anything.
    Check,
}

/// Runs a verb.
pub async fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    let topology = Topology::new(&config.broker.prefix);
    let url = &config.broker.url;
    match verb {
        Verb::Show(form) => form.print(&topology.definitions(), text),
        Verb::Declare => {
            topology.apply(url, Declare::Declare).await?;
            print("everything is there, as Baton needs it\n")
        }
        Verb::Check => {
            topology.apply(url, Declare::Check).await.map_err(advised)?;
            print(
                "everything is there; whether it has the right arguments and bindings only `baton topology declare` can tell\n",
            )
        }
    }
}

/// What a failure at the broker comes from: the topology if that is not complete, because a broker says little about
/// what it does not have.
pub async fn diagnosed(error: impl Into<Failure>, config: &Config) -> Failure {
    let topology = Topology::new(&config.broker.prefix);
    match topology.apply(&config.broker.url, Declare::Check).await {
        Err(error @ broker::Error::Topology(_)) => advised(error),
        Ok(()) | Err(_) => error.into(),
    }
}

fn advised(error: broker::Error) -> Failure {
    match error {
        broker::Error::Topology(problems) => anyhow!(
            "the topology is not complete; `baton topology declare` makes what is missing:\n{problems}"
        )
        .into(),
        error => error.into(),
    }
}

fn text(definitions: &Value) -> String {
    let arguments = |of: &Value| {
        let arguments = of["arguments"].as_object();
        let each = |(name, value): (&String, &Value)| format!("{name}={}", cell(value));
        match arguments
            .into_iter()
            .flatten()
            .map(each)
            .collect::<Vec<_>>()
        {
            none if none.is_empty() => "-".to_owned(),
            some => some.join(" "),
        }
    };
    let object = |it: &Value| [cell(&it["name"]), arguments(it)];
    let (exchanges, queues) = (
        items(&definitions["exchanges"]),
        items(&definitions["queues"]),
    );
    let bindings = items(&definitions["bindings"]);
    [
        table(["topic exchange", "arguments"], exchanges.map(object)),
        table(["queue", "arguments"], queues.map(object)),
        fields(["source", "routing_key", "destination"], bindings),
    ]
    .join("\n")
}
