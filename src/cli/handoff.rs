//! `baton handoff`: what became of escalations.

use axum::http::Method;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::Value;

use super::Failure;
use super::consent::Consent;
use super::door::{Door, path, segment};
use super::page::{Form, cell, fields, items, print, table};
use crate::config::Config;
use crate::domain::handoff::Status;

/// What can be asked about handoffs, and done to them.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List handoffs, the newest first.
    List {
        /// Only those of this status.
        #[arg(long, value_parser = PossibleValuesParser::new(Status::WORDS))]
        status: Option<String>,
        /// Only those of this connection.
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
        /// At most so many, up to 10000.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        form: Form,
    },
    /// Show all that was tried and told of a handoff.
    Show {
        /// The id of a handoff, of a session, or of the desk's conversation.
        #[arg(value_parser = segment)]
        id: String,
        /// Show what contact and rep wrote, too.
        #[arg(long)]
        content: bool,
        #[command(flatten)]
        form: Form,
    },
    /// End a live handoff: the contact's side is told (operator), and the desk's side is closed.
    End {
        /// The id of a handoff, of a session, or of the desk's conversation.
        #[arg(value_parser = segment)]
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Runs a verb.
pub async fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    let door = Door::open(config)?;
    match verb {
        Verb::List {
            status,
            connection,
            limit,
            form,
        } => {
            let mut path = path(&["handoffs"]);
            path.query_pairs_mut()
                .append_pair("limit", &limit.to_string())
                .extend_pairs(status.map(|status| ("status", status)))
                .extend_pairs(connection.map(|connection| ("connection", connection)));
            let found = door.ask(Method::GET, path, None).await?;
            form.print_list(&found, "there are no such handoffs", list)
        }
        Verb::Show { id, content, form } => {
            let mut path = path(&["handoffs", &id]);
            if content {
                path.query_pairs_mut().append_pair("content", "true");
            }
            let found = door.ask(Method::GET, path, None).await?;
            form.print(&found, |found| {
                items(found).map(timeline).collect::<Vec<_>>().join("\n")
            })
        }
        Verb::End { id, consent } => {
            door.ask(Method::GET, path(&["handoffs", &id]), None)
                .await?;
            consent.to(&format!("ends the live conversation of {id} with its rep"))?;
            let ended = door
                .ask(Method::POST, path(&["handoffs", &id, "end"]), None)
                .await?;
            print(&format!("{}: ended\n", cell(&ended["ended"])))
        }
    }
}

fn list(handoffs: &Value) -> String {
    let columns = [
        "id",
        "accepted_at",
        "status",
        "why",
        "progress",
        "generation",
        "replies",
        "channel",
        "connection",
        "session",
    ];
    fields(columns, items(handoffs))
}

/// One handoff: what it is, what was tried, what was told.
fn timeline(handoff: &Value) -> String {
    let field = |name: &str| cell(&handoff[name]);
    let status = match (&handoff["why"], &handoff["next_step"]) {
        (Value::Null, Value::Null) => field("status"),
        (Value::Null, step) => {
            format!("{}: {} at {}", field("status"), cell(step), field("due_at"))
        }
        (why, _) => format!("{}: {}", field("status"), cell(why)),
    };
    let head = [
        ("handoff", field("id")),
        ("event", field("event")),
        ("session", field("session")),
        ("channel", field("channel")),
        (
            "connection",
            format!("{} ({})", field("connection"), field("desk")),
        ),
        ("conversation", field("conversation")),
        ("status", status),
        ("progress", field("progress")),
        (
            "generation",
            format!("{}, {} failures", field("generation"), field("failures")),
        ),
        ("deadline", field("deadline")),
        ("replies", field("replies")),
    ];
    let head: String = head
        .map(|(name, value)| format!("{name:<14}{value}\n"))
        .concat();
    format!("{head}\n{}", happened(&handoff["timeline"]))
}

/// All that happened, in the order of time; columns are empty where they do not apply.
fn happened(timeline: &Value) -> String {
    let row = |it: &Value| {
        let first = |names: &[&str]| {
            let found = names
                .iter()
                .map(|name| &it[*name])
                .find(|found| !found.is_null());
            found.map_or_else(|| "-".to_owned(), cell)
        };
        let (name, how) = match it["what"].as_str().unwrap_or_default() {
            "attempt" => {
                let (generation, number) = (cell(&it["generation"]), cell(&it["number"]));
                let outcome = match &it["outcome"] {
                    Value::Null => "out".to_owned(),
                    outcome => cell(outcome),
                };
                (
                    first(&["step"]),
                    format!("{outcome} (try {generation}.{number})"),
                )
            }
            "contact" => (first(&["name"]), passed("dealt with", &it["applied_at"])),
            "operator" => (first(&["action"]), format!("by {}", cell(&it["who"]))),
            _ => (
                first(&["routing_key"]),
                passed("published", &it["confirmed_at"]),
            ),
        };
        let took = match &it["took_ms"] {
            Value::Null => "-".to_owned(),
            ms => format!("{ms} ms"),
        };
        let said = match &it["event"]["data"]["message"]["text"] {
            Value::Null => first(&["error", "problem", "text", "about", "sequence"]),
            text => cell(text),
        };
        [
            cell(&it["at"]),
            cell(&it["what"]),
            name,
            how,
            took,
            first(&["code"]),
            first(&["http_status"]),
            first(&["request_id", "id"]),
            said,
        ]
    };
    let headings = [
        "at", "what", "name", "outcome", "took", "code", "http", "id", "detail",
    ];
    table(headings, items(timeline).map(row))
}

fn passed(word: &str, at: &Value) -> String {
    match at {
        Value::Null => format!("not {word} yet"),
        at => format!("{word} {}", cell(at)),
    }
}

/// The tries at each step, in their order.
pub fn attempts(attempts: &Value) -> String {
    let row = |it: &Value| {
        let took = match &it["took_ms"] {
            Value::Null => "out".to_owned(),
            ms => format!("{ms} ms"),
        };
        let [
            started,
            generation,
            step,
            number,
            outcome,
            code,
            status,
            error,
        ] = [
            "started_at",
            "generation",
            "step",
            "number",
            "outcome",
            "code",
            "http_status",
            "error",
        ]
        .map(|name| cell(&it[name]));
        [
            started, generation, step, number, took, outcome, code, status, error,
        ]
    };
    let headings = [
        "started at",
        "generation",
        "step",
        "try",
        "took",
        "outcome",
        "code",
        "http",
        "error",
    ];
    table(headings, items(attempts).map(row))
}
