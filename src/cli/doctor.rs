//! `baton doctor`: everything that must be in order before the first contact comes, one line each.
//!
//! What needs the credentials of a connection is done where the store is open: in the running worker, or here.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::anyhow;
use axum::http::Method;
use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::door::{Door, path, segment};
use super::page::{Form, cell, items, verdict};
use crate::config::{Config, Mistakes, OwnSecret};
use crate::domain::finding::{Finding, Verdict};
use crate::domain::seal::{ExposeSecret, MasterKey};
use crate::operator::machine::{self, Load};
use crate::operator::view;
use crate::store::sqlite::SqliteStore;
use crate::store::sqlite::examine;

mod broker;

/// What is looked at.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Look at this connection alone, besides what all of them share.
    #[arg(value_parser = segment)]
    connection: Option<String>,
    /// How many conversations you expect at once; as many as are live now unless you say more.
    #[arg(long, value_name = "N")]
    conversations: Option<u64>,
    #[command(flatten)]
    form: Form,
}

/// All that was found, to be printed at the end.
#[derive(Debug, Default)]
struct Findings(Vec<Value>);

impl Findings {
    fn add(&mut self, about: &str, found: &[Finding]) {
        self.join(&view::findings(about, found));
    }

    fn join(&mut self, found: &Value) {
        self.0.extend(items(found).cloned());
    }

    fn count(&self, verdict: Verdict) -> usize {
        let is_so = |it: &&Value| it["verdict"] == verdict.as_str();
        self.0.iter().filter(is_so).count()
    }

    fn print(self, form: &Form) -> Result<(), Failure> {
        form.print(&Value::Array(self.0), |all| items(all).map(line).collect())
    }
}

/// What a configuration with mistakes comes to: nothing else can be looked at.
pub fn misconfigured(doctor: &Doctor, mistakes: &Mistakes) -> Failure {
    let mut findings = Findings::default();
    for mistake in mistakes.iter() {
        findings.add(
            "configuration",
            &[Finding::wrong("options", mistake.to_string())],
        );
    }
    let wrong = findings.count(Verdict::Wrong);
    match findings.print(&doctor.form) {
        Ok(()) => Failure::Usage(format!(
            "mistakes in the configuration: {wrong}; nothing else was looked at"
        )),
        Err(failure) => failure,
    }
}

/// Looks at everything.
pub async fn run(doctor: Doctor, config: &Config) -> Result<(), Failure> {
    let mut findings = Findings::default();
    findings.add("configuration", &[Finding::good("options", "no mistakes")]);
    let store = store(config);
    let store_is_right = store.iter().all(|it| it.verdict != Verdict::Wrong);
    findings.add("store", &store);
    broker::examine(config, &mut findings).await;
    beyond(&doctor, config, store_is_right, &mut findings).await?;

    let wrong = findings.count(Verdict::Wrong);
    findings.print(&doctor.form)?;
    match wrong {
        0 => Ok(()),
        1 => Err(anyhow!("1 check found something wrong").into()),
        wrong => Err(anyhow!("{wrong} checks found something wrong").into()),
    }
}

/// The store, and whether its key is there.
fn store(config: &Config) -> Vec<Finding> {
    let database = &config.store.database;
    let key = config.store.master_key.read();
    let mut findings = vec![];
    let key = match key {
        Ok(key) => {
            if let OwnSecret::Kept(path) = &config.store.master_key {
                findings.extend(open_to_others(path));
            }
            match MasterKey::parse(key.expose_secret()) {
                Ok(key) => Some(key),
                Err(error) => {
                    findings.push(Finding::wrong(
                        "master key",
                        format!("`store.master_key`: {error}"),
                    ));
                    None
                }
            }
        }
        Err(error) if database.exists() => {
            findings.push(Finding::wrong(
                "master key",
                format!("the database is there and its key is not ({error}); put the key back from where you keep it, or give it as `store.master_key_file`"),
            ));
            None
        }
        Err(_) => None,
    };
    let mut all = examine::examine(database, key.as_ref());
    all.append(&mut findings);
    all
}

/// Who can read the key can read every credential.
fn open_to_others(path: &Path) -> Option<Finding> {
    let mode = path.metadata().ok()?.permissions().mode();
    let says = format!(
        "others may read {}, and with it every credential in the database",
        path.display()
    );
    let fix = format!("chmod 600 {}", path.display());
    (mode & 0o077 != 0).then(|| Finding::wrong("master key file", says).fixed_by(fix))
}

/// What the worker knows, or else we who have the store open: machine and connections.
async fn beyond(
    doctor: &Doctor,
    config: &Config,
    store_is_right: bool,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let database = &config.store.database;
    let serving = database.exists() && SqliteStore::is_in_use(database);
    let door = match (database.exists(), store_is_right) {
        (true, true) => Door::open(config),
        _ => {
            let says = "nobody looked: they are in the store, which is not there or not in order";
            findings.add("connections", &[Finding::unsure("credentials", says)]);
            let load = Load {
                conversations: doctor.conversations.unwrap_or_default(),
                calls: 0,
            };
            findings.add("machine", &machine::examine(load));
            return Ok(());
        }
    };
    let mut expected = path(&["machine"]);
    if let Some(conversations) = doctor.conversations {
        let pair = ("conversations", conversations.to_string());
        expected.query_pairs_mut().append_pair(pair.0, &pair.1);
    }
    let machine = match &door {
        Ok(door) => door.ask(Method::GET, expected, None).await,
        Err(_) => Ok(Value::Null),
    };
    let (door, machine) = match (door, machine) {
        (Ok(door), Ok(machine)) => (door, machine),
        (Err(Failure::Failed(error)), _) | (_, Err(Failure::Failed(error))) => {
            let says = format!("{error:#}");
            findings.add("worker", &[Finding::wrong("answer", says)]);
            return Ok(());
        }
        (Err(failure), _) | (_, Err(failure)) => return Err(failure),
    };
    findings.add(
        "worker",
        &[match serving {
            true => Finding::good(
                "answer",
                format!("runs, and takes our token at {}", config.http.listen),
            ),
            false => Finding::good("answer", "does not run here; start it with `baton serve`"),
        }],
    );
    findings.join(&machine);
    connections(doctor, config, &door, serving, findings).await
}

async fn connections(
    doctor: &Doctor,
    config: &Config,
    door: &Door,
    serving: bool,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let names: Vec<String> = match &doctor.connection {
        Some(name) => vec![name.clone()],
        None => {
            let all = door.ask(Method::GET, path(&["connections"]), None).await?;
            items(&all).map(|it| cell(&it["name"])).collect()
        }
    };
    if names.is_empty() {
        let none = Finding::unsure(
            "credentials",
            "there are none, so every escalation becomes a dead letter",
        )
        .fixed_by("baton connection add --help");
        findings.add("connections", &[none]);
    }
    for name in names {
        let ours = json!({ "public_url": config.http.public_url, "serving": serving });
        let examine = path(&["connections", &name, "examine"]);
        findings.join(&door.ask(Method::POST, examine, Some(ours)).await?);
    }
    Ok(())
}

/// One finding in one line.
fn line(finding: &Value) -> String {
    let word = finding["verdict"].as_str().unwrap_or_default();
    let padded = format!("{word:<6}");
    let shown = match word {
        "ok" => verdict(Ok(&padded)),
        "wrong" => verdict(Err(&padded)),
        _ => padded,
    };
    let fix = match &finding["fix"] {
        Value::Null => String::new(),
        fix => format!("; run: {}", cell(fix)),
    };
    let [about, check, says] = ["about", "check", "says"].map(|name| cell(&finding[name]));
    format!("{shown} {about}, {check}: {says}{fix}\n")
}
