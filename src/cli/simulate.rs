//! `baton simulate`: simulated desks alone, with a rep that answers, for other people's tests.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use self::files::{Folder, is_sealed};
use self::happenings::Follower;
use super::Failure;
use super::duration::duration;
use super::page::print;
use crate::demo;
use crate::demo::desk::{Desk, Dynamics, Salesforce, Zendesk};
use crate::domain::connection::DeskKind;
use crate::sim::rep::{Finish, Lines, Routine};
use crate::sim::{dynamics, salesforce, zendesk};

mod files;
mod happenings;

/// Between two looks at what has happened.
const LOOK: Duration = Duration::from_millis(200);

/// Which desks, where, and who works there.
#[derive(Debug, Args)]
pub struct Simulate {
    /// The kinds of desk; each has a port of its own.
    #[arg(value_enum, value_name = "DESK", default_value = "salesforce")]
    desks: Vec<Kind>,
    /// Where they listen; port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What escalations call the connection to it; simulated-<DESK> without it.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Where the connections' file and secrets are kept; keys that are there are used again. Without it they are in a
    /// temporary folder, which goes with the desks.
    #[arg(long)]
    folder: Option<PathBuf>,
    #[command(flatten)]
    rep: Rep,
    /// Print JSON, one line per event; the first says where everything is.
    #[arg(long)]
    json: bool,
}

/// The desks that can be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Kind {
    /// Messaging for In-App and Web.
    Salesforce,
    /// Messaging, by Sunshine Conversations.
    Zendesk,
    /// Customer Service, by live work items; its reps' words do not come back.
    Dynamics,
}

impl From<Kind> for DeskKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Salesforce => Self::Salesforce,
            Kind::Zendesk => Self::Zendesk,
            Kind::Dynamics => Self::Dynamics,
        }
    }
}

/// What the rep does.
#[derive(Debug, Args)]
struct Rep {
    /// The name the contact sees.
    #[arg(long, value_name = "NAME", default_value = "Maria R.")]
    rep_name: String,
    /// How long a conversation waits for the rep.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    rep_joins_after: Duration,
    /// How long the rep types before each answer.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    rep_types_for: Duration,
    /// What the rep answers; given several times, these in turn. Without it, a sentence that quotes the contact.
    #[arg(long, value_name = "TEXT")]
    rep_says: Vec<String>,
    /// The rep goes back to the queue after so many answers; the conversation stays.
    #[arg(long, value_name = "N", conflicts_with = "rep_ends_after")]
    rep_leaves_after: Option<u32>,
    /// The rep ends the conversation after so many answers.
    #[arg(long, value_name = "N")]
    rep_ends_after: Option<u32>,
    /// There is no rep; POST /_sim/conversations/{id}/rep acts as one.
    #[arg(
        long,
        conflicts_with_all = [
            "rep_name", "rep_joins_after", "rep_types_for", "rep_says", "rep_leaves_after", "rep_ends_after"
        ]
    )]
    no_rep: bool,
}

impl Rep {
    fn routine(self) -> Option<Routine> {
        if self.no_rep {
            return None;
        }
        let finish = match (self.rep_leaves_after, self.rep_ends_after) {
            (Some(answers), _) => Finish::LeavesAfter(answers),
            (None, Some(answers)) => Finish::EndsAfter(answers),
            (None, None) => Finish::Stays,
        };
        let lines = if self.rep_says.is_empty() {
            Lines::Generated
        } else {
            Lines::Scripted(self.rep_says)
        };
        Some(Routine {
            name: self.rep_name,
            joins_after: self.rep_joins_after,
            types_for: self.rep_types_for,
            lines,
            finish,
        })
    }
}

/// A desk that runs.
struct Running {
    connection: String,
    desk: Box<dyn Desk>,
    follower: Follower,
}

/// Runs the desks until they are told to stop, and prints what happens there.
pub async fn run(simulate: Simulate) -> Result<(), Failure> {
    let Simulate {
        mut desks,
        listen,
        connection,
        folder,
        rep,
        json,
    } = simulate;
    let mut known = HashSet::new();
    desks.retain(|kind| known.insert(*kind));
    let is_one = desks.len() == 1;
    if !is_one && (listen.port() != 0 || connection.is_some()) {
        let what = "--listen with a port and --connection are for one desk; leave them out, or start one `baton simulate` per desk";
        return Err(Failure::Usage(what.to_owned()));
    }
    let folder =
        Folder::open(folder).context("cannot use the folder for the connection's files")?;
    let routine = rep.routine();
    let mut running = vec![];
    for kind in desks {
        let (desk, follower) = start(kind, listen, &routine, &folder).await?;
        let connection = connection
            .clone()
            .unwrap_or_else(|| format!("simulated-{}", desk.kind()));
        running.push(Running {
            connection,
            desk,
            follower,
        });
    }
    let connections: Vec<(&str, &dyn Desk)> = running
        .iter()
        .map(|it| (it.connection.as_str(), &*it.desk))
        .collect();
    let file = folder.write(&connections)?;
    if json {
        for it in &running {
            print(&format!("{}\n", ready(it, &routine, &folder, &file)))?;
        }
    } else {
        print(&greeting(&running, routine.as_ref(), &file))?;
    }
    let told = async {
        loop {
            for it in &mut running {
                let kind = it.desk.kind();
                for happening in it.follower.look() {
                    print(&match (json, is_one) {
                        (true, _) => format!("{}\n", happening.event(kind)),
                        (false, true) => format!("  {}\n", happening.text()),
                        (false, false) => format!("  {kind:<10}  {}\n", happening.text()),
                    })?;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        ended = told => ended,
        stopped = demo::told_to_stop() => Ok(stopped?),
    }
}

/// Starts a desk at this address.
async fn start(
    kind: Kind,
    listen: SocketAddr,
    routine: &Option<Routine>,
    folder: &Folder,
) -> anyhow::Result<(Box<dyn Desk>, Follower)> {
    let routine = routine.clone();
    Ok(match kind {
        Kind::Salesforce => {
            let options = salesforce::Options {
                listen,
                routine,
                ..Default::default()
            };
            let desk = Salesforce::start(options, folder.keys()?).await?;
            let follower = desk.org.clone().into();
            (Box::new(desk), follower)
        }
        Kind::Zendesk => {
            let options = zendesk::Options {
                listen,
                routine,
                ..Default::default()
            };
            let desk = Zendesk::start(options).await?;
            let follower = desk.app.clone().into();
            (Box::new(desk), follower)
        }
        Kind::Dynamics => {
            let options = dynamics::Options {
                listen,
                ..Default::default()
            };
            let desk = Dynamics::start(options).await?;
            let follower = desk.org.clone().into();
            (Box::new(desk), follower)
        }
    })
}

fn ready(running: &Running, routine: &Option<Routine>, folder: &Folder, file: &Path) -> Value {
    let desk = &*running.desk;
    let mut settings = desk.settings();
    settings.retain(|setting, _| !is_sealed(desk, setting));
    let mut secrets = folder.kept_apart(desk);
    secrets.retain(|setting, _| is_sealed(desk, setting));
    let mut ready = json!({
        "what": "ready", "desk": desk.kind().as_str(), "url": desk.url(), "connection": running.connection,
        "connection_file": file, "settings": settings, "secret_files": secrets,
        "routine": routine.as_ref().filter(|_| desk.kind().stays_live()),
    });
    for (name, value) in desk.marks() {
        ready[name] = value.into();
    }
    ready
}

fn greeting(running: &[Running], routine: Option<&Routine>, file: &Path) -> String {
    let mut greeting = String::new();
    for it in running {
        let desk = &*it.desk;
        let what = desk.words().desk;
        greeting.push_str(&format!("{what} that remembers, until Ctrl-C.\n\n"));
        let mut row = |name: &str, value: &str| {
            greeting.push_str(&format!("  {:<12}{value}\n", name.replace('_', " ")));
        };
        row("url", desk.url());
        for (name, value) in desk.marks() {
            row(name, &value);
        }
        row("rep", &habits(desk.kind(), routine));
        greeting.push('\n');
    }
    let file = file.display();
    greeting.push_str(&format!(
        "Connect Baton:\n\x20 baton connection apply {file}\n"
    ));
    for it in running {
        greeting.push_str(&format!("  baton connection verify {}\n", it.connection));
    }
    if running.iter().any(|it| it.desk.kind() == DeskKind::Zendesk) {
        greeting.push_str(
            "Applying it registers the webhook that brings the rep's words, below Baton's `http.public_url`.\n",
        );
    }
    greeting.push_str("\nSee all that is remembered, and let the next conversation fail:\n");
    for it in running {
        let (url, creating) = (it.desk.url(), it.desk.creating());
        greeting.push_str(&format!(
            "  curl {url}/_sim/ledger\n\
             \x20 curl {url}/_sim/faults --json '{{\"call\":\"{creating}\",\"nth\":{{\"next\":1}},\"when\":\"after-effect\",\"what\":\"cut\"}}'\n"
        ));
    }
    greeting.push_str("\nWhat happens there:\n");
    greeting
}

/// What the rep of a desk does, in a line.
fn habits(desk: DeskKind, routine: Option<&Routine>) -> String {
    let Some(Routine {
        name,
        joins_after,
        types_for,
        finish,
        ..
    }) = routine
    else {
        return "nobody; act as one by POST /_sim/conversations/{id}/rep".to_owned();
    };
    if !desk.stays_live() {
        return "nobody answers: what reps write does not leave Dynamics".to_owned();
    }
    let finish = match finish {
        Finish::Stays => "and stays".to_owned(),
        Finish::LeavesAfter(answers) => format!("and leaves after {answers} answers"),
        Finish::EndsAfter(answers) => format!("and ends it after {answers} answers"),
    };
    format!(
        "{name} joins after {joins_after:?}, types for {types_for:?}, answers each message {finish}"
    )
}
