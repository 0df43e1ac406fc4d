//! `baton dead`: what was set aside for a human, and how it goes on.

use std::path::Path;

use anyhow::Context;
use axum::http::Method;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::Failure;
use super::consent::Consent;
use super::door::{Door, path, segment};
use super::handoff::attempts;
use super::page::{Form, cell, fields, items, print, tame};
use crate::config::Config;
use crate::store::GroupBy;
use batch::Batch;
use which::Which;

mod batch;
mod which;

const NONE: &str = "there are no such dead letters";

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List dead letters, the newest first.
    List {
        #[command(flatten)]
        which: Which,
        /// Count them by what they have in common instead; by cause if nothing else is named.
        #[arg(long, value_name = "BY", num_args = 0..=1, default_missing_value = "cause", value_parser = groups())]
        group: Option<String>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// Only those with a lower number than this: the next page after the last one's number.
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
        #[command(flatten)]
        form: Form,
    },
    /// Show a dead letter and how it came to it.
    Show {
        /// Its id, or that of its session.
        #[arg(value_parser = segment)]
        id: String,
        /// Show the body too, which holds a contact's words.
        #[arg(long)]
        content: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Send dead letters on from where they stopped, with the same keys: nothing that was done is done twice.
    Replay {
        /// So many first; the rest only when they are with a rep.
        #[arg(long, value_name = "N", default_value_t = 0)]
        canary: u32,
        #[command(flatten)]
        batch: Batch,
    },
    /// Replay a dead letter with another event in its place; off unless `operator.edit` is on.
    Edit {
        /// Its id, or that of its session.
        #[arg(value_parser = segment)]
        id: String,
        /// A file with the whole event, as it should have come.
        file: std::path::PathBuf,
        /// Only say which fields differ.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        consent: Consent,
    },
    /// Decide against dead letters. They stay in the database until their retention ends, and can be restored.
    Discard(Batch),
    /// Take back that dead letters were discarded.
    Restore(Batch),
    /// List the newest jobs over dead letters.
    Jobs(Form),
    /// One job over dead letters.
    #[command(subcommand)]
    Job(batch::Job),
}

fn groups() -> PossibleValuesParser {
    PossibleValuesParser::new(GroupBy::ALL.map(GroupBy::as_str))
}

/// Runs a verb.
pub async fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    if let Verb::Replay { batch, .. } | Verb::Discard(batch) | Verb::Restore(batch) = &verb {
        batch.check()?;
    }
    let door = Door::open(config)?;
    match verb {
        Verb::List {
            which,
            group: Some(by),
            form,
            ..
        } => {
            let found = which.groups(&door, &by).await?;
            form.print_list(&found, NONE, group_list)
        }
        Verb::List {
            which,
            limit,
            before,
            form,
            ..
        } => {
            let found = which.find(&door, limit, before).await?;
            form.print_list(&found, NONE, list)
        }
        Verb::Show { id, content, form } => {
            let mut path = path(&["dead-letters", &id]);
            if content {
                path.query_pairs_mut().append_pair("content", "true");
            }
            let letter = door.ask(Method::GET, path, None).await?;
            form.print(&letter, text)
        }
        Verb::Replay { canary, batch } => batch::run(&door, "replay", canary, batch).await,
        Verb::Edit {
            id,
            file,
            dry_run,
            consent,
        } => edit(&door, &id, &file, dry_run, &consent).await,
        Verb::Discard(batch) => batch::run(&door, "discard", 0, batch).await,
        Verb::Restore(batch) => batch::run(&door, "restore", 0, batch).await,
        Verb::Jobs(form) => batch::list_jobs(&door, &form).await,
        Verb::Job(verb) => batch::job(&door, verb).await,
    }
}

async fn edit(
    door: &Door,
    id: &str,
    file: &Path,
    dry_run: bool,
    consent: &Consent,
) -> Result<(), Failure> {
    let text = std::fs::read(file).with_context(|| file.display().to_string())?;
    let event: Value = serde_json::from_slice(&text)
        .map_err(|error| Failure::Usage(format!("{} is not JSON: {error}", file.display())))?;
    let mut asked = json!({ "event": event, "dry_run": true });
    let place = || path(&["dead-letters", id, "edit"]);
    let found = door.ask(Method::POST, place(), Some(asked.clone())).await?;
    let changed = items(&found["changed"]).map(cell).collect::<Vec<_>>();
    let changed = changed.join(", ");
    if dry_run {
        return print(&format!("{id}: differs in {changed}\n"));
    }
    consent.to(&format!("sends {id} on with other values of {changed}"))?;
    asked["dry_run"] = json!(false);
    let said = door.ask(Method::POST, place(), Some(asked)).await?;
    let generation = cell(&said["generation"]);
    print(&format!("{id}: goes on as generation {generation}\n"))
}

fn group_list(groups: &Value) -> String {
    let columns = [
        "count",
        "of",
        "class",
        "code",
        "step",
        "connection",
        "first_seen",
        "last_seen",
        "reason",
    ];
    fields(columns, items(groups))
}

fn list(letters: &Value) -> String {
    let columns = [
        "id",
        "number",
        "at",
        "class",
        "code",
        "step",
        "connection",
        "session",
        "reason",
    ];
    fields(columns, items(letters))
}

/// A dead letter for people: why, how it came, what was tried, and its body if that was asked for.
fn text(letter: &Value) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &Value| {
        if !value.is_null() {
            text.push_str(&format!("{name:<14}{}\n", cell(value)));
        }
    };
    for name in [
        "id",
        "about",
        "state",
        "state_at",
        "state_by",
        "class",
        "code",
        "step",
        "reason",
        "connection",
        "session",
        "generation",
        "cause",
        "http_status",
        "first_failed_at",
        "at",
    ] {
        row(name, &letter[name]);
    }
    let original = &letter["original"];
    for name in ["exchange", "routing_key", "headers"] {
        row(name, &original[name]);
    }
    if !letter["tried"].is_null() {
        text.push_str(&format!("\n{}", attempts(&letter["tried"])));
    }
    if let Some(body) = original["body"].as_str() {
        let lines = body.lines().map(|line| format!("{}\n", tame(line)));
        text.push_str(&format!("\n{}", lines.collect::<String>()));
    }
    text
}
