//! `baton contact`: one contact's data, shown whole or erased.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::consent::Consent;
use super::door::{Door, path};
use super::page::{Form, note, print};
use crate::config::Config;

/// What can be done with a contact's data.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Erase all that is kept of a contact: in the database, its log, dead letters and files.
    ///
    /// Only what is over can be erased; live conversations are ended first with `baton handoff end`. What is in queues
    /// of RabbitMQ, at the desk and with upstream is not ours, and stays.
    Erase {
        #[command(flatten)]
        who: Who,
        /// Only say how much there is.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        form: Form,
    },
    /// Print all that is kept of a contact as JSON, words and identity included.
    Export {
        #[command(flatten)]
        who: Who,
    },
}

/// Who is meant.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// By their phone number.
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
    /// By their email address.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// By the id that upstream has for them.
    #[arg(long)]
    id: Option<String>,
    /// By the id of a session of theirs.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

impl Who {
    fn asked(&self, dry_run: bool) -> Value {
        json!({
            "phone": self.phone, "email": self.email, "id": self.id, "session": self.session, "dry_run": dry_run,
        })
    }
}

/// Runs a verb.
pub async fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    let door = Door::open(config)?;
    match verb {
        Verb::Erase {
            who,
            dry_run,
            consent,
            form,
        } => {
            let erase = || path(&["contacts", "erase"]);
            let found = door
                .ask(Method::POST, erase(), Some(who.asked(true)))
                .await?;
            if dry_run {
                return form.print(&found, |found| format!("found {}\n", amounts(found)));
            }
            if ["handoffs", "messages", "dead_letters"]
                .iter()
                .all(|name| found[name] == 0)
            {
                note("there is nothing of that contact");
                return Ok(());
            }
            consent.to(&format!("erases {} for good", amounts(&found)))?;
            let erased = door
                .ask(Method::POST, erase(), Some(who.asked(false)))
                .await?;
            form.print(&erased, |erased| format!("erased {}\n", amounts(erased)))
        }
        Verb::Export { who } => {
            let asked = json!({ "phone": who.phone, "email": who.email, "id": who.id, "session": who.session });
            let found = door
                .ask(Method::POST, path(&["contacts", "export"]), Some(asked))
                .await?;
            print(&format!("{found:#}\n"))
        }
    }
}

fn amounts(found: &Value) -> String {
    format!(
        "{} handoffs, {} messages, {} published events and {} dead letters",
        found["handoffs"], found["messages"], found["events"], found["dead_letters"]
    )
}
