//! `baton connection`: desks and their credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::anyhow;
use axum::http::Method;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::Failure;
use super::consent::Consent;
use super::door::{Door, path, segment};
use super::page::{Form, cell, items, note, print, table, verdict};
use crate::config::Config;
use crate::domain::connection::{DeskKind, Removal};
use apply::Wanted;
use flags::Flags;

mod apply;
mod flags;

const NONE: &str = "there are no connections; `baton connection add` makes one";

/// What can be done with connections.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Add a connection, or replace one.
    ///
    /// A value that begins with @ is read from the file of that name, and `-` from stdin. Secrets are taken in no other
    /// way. When a connection is replaced, a secret that is not given stays.
    ///
    ///   baton connection add acme --desk salesforce --instance-url https://acme.my.salesforce.com \
    ///     --es-developer-name Baton --org-id 00D5e000000HEcP --issuer baton --auth-key-id baton-1 \
    ///     --auth-public-key @public.pem --auth-private-key @private.pem
    #[command(verbatim_doc_comment, next_line_help = true)]
    Add {
        /// What escalations call it.
        #[arg(value_parser = segment)]
        name: String,
        /// The kind of desk.
        #[arg(long, value_parser = desks())]
        desk: String,
        #[command(flatten)]
        settings: Flags,
    },
    /// Add or replace connections from a TOML file; nothing is saved unless all of it is right.
    ///
    /// A connection that is not in the file is left alone. `<setting>_file` names a file, relative to this one, that
    /// holds the value.
    ///
    ///   [connection.acme]
    ///   desk = "salesforce"
    ///   instance_url = "https://acme.my.salesforce.com"
    ///   auth_private_key_file = "secrets/acme.pem"
    ///   …
    #[command(verbatim_doc_comment)]
    Apply {
        /// The file.
        file: PathBuf,
    },
    /// List all connections.
    List(Form),
    /// Show one connection; of secrets only a fingerprint.
    Show {
        /// Which.
        #[arg(value_parser = segment)]
        name: String,
        #[command(flatten)]
        form: Form,
    },
    /// Try the credentials of one connection, or of all, without anything that a rep would see.
    Verify {
        /// Which; all when none is named.
        #[arg(value_parser = segment)]
        name: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Put the next key in the place of the present one, once the desk takes it; a running worker goes on with it.
    ///
    /// Give the next key first, as auth_next_key_id, auth_next_public_key and auth_next_private_key. From then on both
    /// are used: where the desk does not take the one, the other. The present key is forgotten here.
    Rotate {
        /// Which.
        #[arg(value_parser = segment)]
        name: String,
    },
    /// Begin nothing new at a connection; its live conversations go on.
    ///
    /// Handoffs wait until it is resumed, or until their deadline: then they become dead letters (deadline-passed).
    Pause {
        /// Which.
        #[arg(value_parser = segment)]
        name: String,
    },
    /// End the pause of a connection; what waited there goes on.
    Resume {
        /// Which.
        #[arg(value_parser = segment)]
        name: String,
    },
    /// Remove a connection and its credentials, once its live handoffs have ended.
    ///
    /// Nothing new is begun there from now on: escalations for it become dead letters (unknown-connection). Live
    /// handoffs go on until they end, and need its credentials until then.
    Remove {
        /// Which.
        #[arg(value_parser = segment)]
        name: String,
        /// End its live handoffs now (connection_removed) instead of waiting for them.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        consent: Consent,
    },
}

fn desks() -> PossibleValuesParser {
    PossibleValuesParser::new(DeskKind::ALL.iter().map(|desk| desk.as_str()))
}

/// Runs a verb.
pub async fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    match verb {
        Verb::Add {
            name,
            desk,
            settings,
        } => {
            let settings = settings.read()?;
            let door = Door::open_or_make(config)?;
            set_up(save(&door, &name, &desk, &settings).await?)
        }
        Verb::Apply { file } => {
            let wanted = apply::read(&file)?;
            let door = Door::open_or_make(config)?;
            apply::check(&door, &file, &wanted).await?;
            let mut problems = vec![];
            for connection in &wanted {
                let Wanted { name, desk, .. } = connection;
                problems.extend(save(&door, name, desk, &connection.values()).await?);
            }
            set_up(problems)
        }
        Verb::List(form) => list(&Door::open(config)?, &form).await,
        Verb::Show { name, form } => {
            let door = Door::open(config)?;
            let shown = door
                .ask(Method::GET, path(&["connections", &name]), None)
                .await?;
            form.print(&shown, text)
        }
        Verb::Verify { name, form } => verify(&Door::open(config)?, name, &form).await,
        Verb::Rotate { name } => {
            let rotate = path(&["connections", &name, "rotate"]);
            let rotated = Door::open(config)?.ask(Method::POST, rotate, None).await?;
            print(&format!(
                "{name}: signs with {} from now on\n",
                cell(&rotated["key"])
            ))
        }
        Verb::Pause { name } => {
            let pause = path(&["connections", &name, "pause"]);
            Door::open(config)?.ask(Method::POST, pause, None).await?;
            print(&format!("{name}: paused; nothing new is begun there\n"))
        }
        Verb::Resume { name } => {
            let resume = path(&["connections", &name, "resume"]);
            Door::open(config)?.ask(Method::POST, resume, None).await?;
            print(&format!("{name}: open; what waited there goes on\n"))
        }
        Verb::Remove {
            name,
            force,
            consent,
        } => {
            let removal = if force {
                Removal::Force
            } else {
                Removal::Drain
            };
            remove(&Door::open(config)?, &name, removal, &consent).await
        }
    }
}

/// Saves a connection; what keeps its desk from calling us, if it is to.
async fn save(
    door: &Door,
    name: &str,
    desk: &str,
    settings: &BTreeMap<String, String>,
) -> Result<Vec<String>, Failure> {
    let body = json!({ "desk": desk, "settings": settings });
    let saved = door
        .ask(Method::PUT, path(&["connections", name]), Some(body))
        .await?;
    let change = match saved["change"].as_str() {
        Some("none") => "unchanged",
        Some(change) => change,
        None => "saved",
    };
    let done = &saved["set_up"];
    let says = cell(&done["says"]);
    let (says, problem) = match done["ok"].as_bool() {
        None => (None, None),
        Some(true) => (Some(says), None),
        Some(false) => (
            None,
            Some(format!(
                "{name}: saved, but its desk is not told where to call us: {says}"
            )),
        ),
    };
    let notes = items(&saved["notes"]).map(cell).chain(says);
    let notes = notes.map(|note| format!("  {note}\n"));
    print(&format!("{name}: {change}\n{}", notes.collect::<String>()))?;
    Ok(problem.into_iter().collect())
}

/// Everything was saved, and this is still to be done.
fn set_up(problems: Vec<String>) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(anyhow!("{}; put it right and save again", problems.join("\n")).into())
}

async fn list(door: &Door, form: &Form) -> Result<(), Failure> {
    let all = door.ask(Method::GET, path(&["connections"]), None).await?;
    form.print_list(&all, NONE, |all| {
        let row = |it: &Value| {
            let gate = match &it["gate_why"] {
                Value::Null => cell(&it["gate"]),
                why => format!("{}: {}", cell(&it["gate"]), cell(why)),
            };
            [
                cell(&it["name"]),
                cell(&it["desk"]),
                cell(&it["replies"]),
                gate,
            ]
        };
        table(["name", "desk", "replies by", "gate"], items(all).map(row))
    })
}

/// A connection for people: its settings one below the other, with those of several lines last.
fn text(connection: &Value) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| text.push_str(&format!("{name:<26}{value}\n"));
    for name in ["name", "desk", "gate", "gate_why", "replies"] {
        if !connection[name].is_null() {
            row(name, cell(&connection[name]));
        }
    }
    let settings = connection["settings"].as_object();
    let (long, short): (Vec<_>, Vec<_>) = settings
        .into_iter()
        .flatten()
        .partition(|(_, value)| value.as_str().is_some_and(|text| text.contains('\n')));
    for (name, value) in short {
        row(name, cell(value));
    }
    for (name, value) in long {
        let lines = value.as_str().into_iter().flat_map(str::lines);
        text.push_str(&format!("{name}\n"));
        lines.for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    text
}

async fn verify(door: &Door, name: Option<String>, form: &Form) -> Result<(), Failure> {
    let names = match name {
        Some(name) => vec![name],
        None => {
            let all = door.ask(Method::GET, path(&["connections"]), None).await?;
            items(&all).map(|it| cell(&it["name"])).collect()
        }
    };
    if names.is_empty() {
        note(NONE);
    }
    let mut failed = 0;
    for name in &names {
        let verified = door
            .ask(Method::POST, path(&["connections", name, "verify"]), None)
            .await?;
        let ok = verified["ok"] == true;
        failed += usize::from(!ok);
        form.print_item(&verified, |it| {
            let says = cell(&it["says"]);
            if ok {
                format!("{} {name}: {says}\n", verdict(Ok("ok    ")))
            } else {
                let code = cell(&it["code"]);
                format!("{} {name}: {code}: {says}\n", verdict(Err("failed")))
            }
        })?;
    }
    match failed {
        0 => Ok(()),
        failed => Err(anyhow!("{failed} of {} connections failed", names.len()).into()),
    }
}

async fn remove(
    door: &Door,
    name: &str,
    removal: Removal,
    consent: &Consent,
) -> Result<(), Failure> {
    door.ask(Method::GET, path(&["connections", name]), None)
        .await?;
    let mut handoffs = path(&["handoffs"]);
    handoffs.query_pairs_mut().extend_pairs([
        ("connection", name),
        ("status", "live"),
        ("limit", "10000"),
    ]);
    let live = items(&door.ask(Method::GET, handoffs, None).await?).count();
    let fate = match (live, removal) {
        (0, _) => "it has no live conversations".to_owned(),
        (live, Removal::Drain) => format!(
            "its live conversations ({live}) go on until they end, and keep the credentials until then"
        ),
        (live, Removal::Force) => format!("its live conversations ({live}) end now"),
    };
    consent.to(&format!(
        "removes the connection {name} with its credentials; {fate}"
    ))?;
    let mut connection = path(&["connections", name]);
    connection
        .query_pairs_mut()
        .append_pair("mode", removal.as_str());
    let removed = door.ask(Method::DELETE, connection, None).await?;
    match removed["handoffs"].as_u64() {
        None => print(&format!("{name}: removed\n")),
        Some(left) => {
            let until = match removal {
                Removal::Drain => "have ended",
                Removal::Force => "are closed at the desk",
            };
            print(&format!(
                "{name}: draining; removed when {left} handoffs {until}\n"
            ))
        }
    }
}
