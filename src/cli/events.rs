//! `baton events`: the contract of each event, as it belongs to this release.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::Failure;
use super::page::{Form, cell, items, print, table};

/// What can be asked about events.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the events that Baton takes and publishes.
    List(Form),
    /// Print an event's JSON Schema.
    Schema {
        /// Its type.
        #[arg(value_parser = names(), hide_possible_values = true)]
        name: String,
    },
    /// Print an example of an event; an escalation can go to `baton publish -` as it is.
    Example {
        /// Its type.
        #[arg(value_parser = names(), hide_possible_values = true)]
        name: String,
    },
}

struct Event {
    name: &'static str,
    schema: &'static str,
    example: &'static str,
}

macro_rules! events {
    ($($name:literal)*) => {
        &[$(Event {
            name: $name,
            schema: include_str!(concat!("../../docs/events/", $name, ".schema.json")),
            example: include_str!(concat!("../../docs/events/", $name, ".example.json")),
        }),*]
    };
}

/// In the order in which a handoff meets them.
const EVENTS: &[Event] = events! {
    "handoff.escalation.requested.v1"
    "handoff.accepted.v1"
    "handoff.duplicate.v1"
    "handoff.retrying.v1"
    "handoff.live.v1"
    "handoff.queue.v1"
    "handoff.routing_failed.v1"
    "handoff.no_rep.v1"
    "handoff.rep_joined.v1"
    "handoff.reply.v1"
    "handoff.held.v1"
    "handoff.withheld.v1"
    "handoff.reply.delivery.v1"
    "handoff.contact.typing.v1"
    "handoff.contact.message.v1"
    "handoff.contact_message_delivered.v1"
    "handoff.contact_message_failed.v1"
    "handoff.transferred.v1"
    "handoff.typing.v1"
    "handoff.rep_left.v1"
    "handoff.contact.left.v1"
    "handoff.ended.v1"
    "handoff.failed.v1"
};

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(EVENTS.iter().map(|event| event.name))
}

/// Runs a verb.
pub fn run(verb: Verb) -> Result<(), Failure> {
    let part = |name: &str, part: fn(&Event) -> &'static str| {
        let event = EVENTS.iter().find(|event| event.name == name);
        print(event.map_or("", part))
    };
    match verb {
        Verb::Schema { name } => part(&name, |event| event.schema),
        Verb::Example { name } => part(&name, |event| event.example),
        Verb::List(form) => {
            let all = EVENTS
                .iter()
                .map(|event| {
                    let schema: Value = serde_json::from_str(event.schema)?;
                    Ok(json!({ "name": event.name, "what": schema["description"] }))
                })
                .collect::<Result<_, serde_json::Error>>()?;
            form.print(&all, |all| {
                let row = |it: &Value| [cell(&it["name"]), first_sentence(&cell(&it["what"]))];
                table(["name", "what"], items(all).map(row))
            })
        }
    }
}

fn first_sentence(text: &str) -> String {
    text.split_once(". ")
        .map_or(text, |(first, _)| first)
        .to_owned()
}
