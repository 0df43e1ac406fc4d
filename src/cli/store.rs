//! `baton store`: copies of the database, made while the worker runs, looked through, and put back.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Subcommand;
use serde_json::json;

use super::Failure;
use super::consent::Consent;
use super::page::{Form, note, print};
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::domain::seal::{ExposeSecret, MasterKey};
use crate::store::sqlite::backup::{self, Health};

/// What can be done with a database.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Copy the database into a new file, as it stands now; a worker may run meanwhile.
    ///
    /// The copy is looked through before it gets its name. The master key is not in it: keep that elsewhere.
    Backup {
        /// The file; one that is there is never overwritten.
        file: PathBuf,
    },
    /// Put a backup in the place of the database, which is kept beside it. No worker may run.
    Restore {
        /// The backup.
        file: PathBuf,
        #[command(flatten)]
        consent: Consent,
    },
    /// Look through the database, or a backup: its pages, and whether every handoff is accounted for.
    Check {
        /// The backup; the database if none is named.
        file: Option<PathBuf>,
        #[command(flatten)]
        form: Form,
    },
}

/// Runs a verb.
pub fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    let database = &config.store.database;
    let there = || match database.exists() {
        true => Ok(()),
        false => Err(anyhow!(
            "there is no database {}; check `store.url` and the working directory",
            database.display()
        )),
    };
    match verb {
        Verb::Backup { file } => {
            there()?;
            let health = backup::backup(database, &file)?;
            note("the master key is not in it; without the key nobody can read the credentials");
            print(&format!("{}: {}\n", file.display(), sound(&health)))
        }
        Verb::Restore { file, consent } => {
            if !file.is_file() {
                return Err(anyhow!(
                    "there is no backup {}; name one that `baton store backup` made",
                    file.display()
                )
                .into());
            }
            let key = config.store.master_key.read();
            let key = key.context("the key that sealed the backup is not there; put it back, or give it as `store.master_key_file`")?;
            let key = MasterKey::parse(key.expose_secret())?;
            let health = backup::check(&file)?;
            consent.to(&format!(
                "puts a backup with {} handoffs in the place of {}; what was accepted since then is not in it",
                health.handoffs,
                database.display(),
            ))?;
            let aside = backup::restore(&file, database, &key, Clock::System.now())?;
            if let Some(aside) = aside {
                note(&format!("what was there is {}", aside.display()));
            }
            print(&format!("{}: {}\n", database.display(), sound(&health)))
        }
        Verb::Check { file, form } => {
            if file.is_none() {
                there()?;
            }
            let file = file.as_ref().unwrap_or(database);
            let health = backup::check(file)?;
            let shown = json!({
                "file": file, "sound": health.problems.is_empty(), "problems": health.problems,
                "schema": health.version, "handoffs": health.handoffs, "unconfirmed": health.unconfirmed,
            });
            form.print(&shown, |_| match health.problems.is_empty() {
                true => format!("{}: {}\n", file.display(), sound(&health)),
                false => health.problems.iter().map(|it| format!("{it}\n")).collect(),
            })?;
            match health.problems.len() {
                0 => Ok(()),
                some => Err(anyhow!("{} is damaged: {some} problems", file.display()).into()),
            }
        }
    }
}

fn sound(health: &Health) -> String {
    format!(
        "sound; schema {}, {} handoffs, {} events to publish",
        health.version, health.handoffs, health.unconfirmed
    )
}
