//! `baton demo`: the whole job on a real broker, told as it happens, with everything that usually goes wrong.
//!
//! [`play`] is the script. A chapter is a function in `chapters`; to add one, write it and call it there.
//! At the end the desk's ledger is held against what the channels got, and nothing of the demo is left behind.

pub mod account;
mod chapters;
mod customers;
pub mod desk;
mod gallery;
mod heard;
pub mod narrator;
mod operator;
pub mod page;
mod place;
mod stage;
mod worker;

use std::io;

use anyhow::{Context, anyhow};
use serde_json::json;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use self::account::Summary;
use self::customers::{AIKO, DANA, LENA, MATEO, PRIYA, RUTH, TOM};
use self::narrator::{Actor, Narrator};
use self::place::Place;
use self::stage::connection;
use self::worker::Log;
use crate::domain::connection::DeskKind;
use crate::domain::seal::SecretString;

/// What this is, to somebody who has never seen it.
fn introduction(desk: DeskKind) -> String {
    let (carries, simulated) = match desk {
        DeskKind::Salesforce => (
            ", and carries words and files both ways",
            "The customers, the reps and the Salesforce org of this demo are",
        ),
        DeskKind::Zendesk => (
            ", and carries words and files both ways",
            "The customers, the reps and the Zendesk account of this demo are",
        ),
        DeskKind::Dynamics => (
            ". To Dynamics it goes one way: nothing public lets a rep's answers out of it",
            "The customers and the Dynamics environment of this demo are",
        ),
    };
    format!(
        "Baton hands conversations from an AI agent over to human reps{carries}. {simulated} simulated; RabbitMQ and \
         Baton are real. Ctrl-C ends it and leaves nothing behind."
    )
}

/// What has to be cleared away, however far the demo came.
struct Backstage {
    folder: TempDir,
    place: Option<Place>,
    log: Log,
}

impl Backstage {
    /// Leaves nothing behind; says in words what was done.
    async fn clear(self) -> anyhow::Result<&'static str> {
        let cleared = match self.place {
            Some(place) => place.clear().await,
            None => Ok("There was nothing to clear away."),
        };
        let removed = self.folder.close();
        removed.context("cannot remove the temporary folder")?;
        cleared.context("cannot clear the broker")
    }
}

/// Somebody wanted it to end early.
#[derive(Debug, thiserror::Error)]
#[error("stopped before the end; nothing is left behind")]
struct Stopped;

/// Plays the demo with a desk of this kind, on the given broker or on one that it finds; leaves nothing behind, even if it is stopped.
///
/// An error says what went wrong; losses and duplicates are an error too.
pub async fn run(
    desk: DeskKind,
    broker: Option<SecretString>,
    mut narrator: Narrator,
) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("baton-demo-").tempdir();
    let mut backstage = Backstage {
        folder: folder.context("cannot make a temporary folder")?,
        place: None,
        log: Log::default(),
    };
    let played = tokio::select! {
        played = play(desk, broker, &mut backstage, &mut narrator) => played,
        stopped = told_to_stop() => Err(stopped.map_or_else(Into::into, |()| Stopped.into())),
    };
    let log = backstage.log.clone();
    let cleared = backstage.clear().await;
    let summary = match played {
        Ok(summary) => summary,
        Err(error) if is_unread(&error) => return Err(error),
        Err(error) => {
            narrator.erase()?;
            if error.is::<Stopped>() {
                cleared?;
                return Err(error);
            }
            return Err(explained(error, &log));
        }
    };
    narrator
        .tell(Actor::Demo, "cleared", json!({}), cleared?)
        .await?;
    narrator.end(desk, &summary).await?;
    let problems = summary.problems();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(anyhow!("this should not be: {}", problems.join(", ")))
    }
}

/// The script.
async fn play(
    desk: DeskKind,
    broker: Option<SecretString>,
    backstage: &mut Backstage,
    narrator: &mut Narrator,
) -> anyhow::Result<Summary> {
    let main = connection(desk);
    let four = [&PRIYA, &DANA, &MATEO, &RUTH].map(|persona| persona.asks(main));
    let [_, dana, mateo, _] = &four;
    let (lena, tom) = (LENA.asks(main), TOM.asks(main));
    let aiko = AIKO.asks("acme-japan");

    narrator.explain(&introduction(desk)).await?;
    let stage = &mut chapters::set_up::play(desk, broker, backstage, narrator).await?;
    chapters::handoffs::play(stage, &four).await?;
    if desk.stays_live() {
        chapters::answers::play(stage, &four).await?;
        chapters::writes_back::play(stage, mateo).await?;
        chapters::lost_answer::play(stage, &lena).await?;
        chapters::killed::play(stage, dana, &tom).await?;
        chapters::dead_letter::play(stage, &aiko).await?;
        return chapters::ending::play(stage).await;
    }
    chapters::handed_over::play(stage, &four).await?;
    chapters::lost_answer::play(stage, &lena).await?;
    chapters::killed_in_call::play(stage, &tom).await?;
    chapters::dead_letter::play(stage, &aiko).await?;
    chapters::ending::without_goodbyes(stage).await
}

/// Returns when there is a SIGINT or a SIGTERM, or the terminal is gone.
pub async fn told_to_stop() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// The error, with what the worker said last.
fn explained(error: anyhow::Error, log: &Log) -> anyhow::Error {
    let words = log.last_words();
    if words.is_empty() {
        return error;
    }
    anyhow!("{error:#}\nThe worker said last:\n  {}", words.join("\n  "))
}

/// Whether an error only means that nobody reads the tale any more.
pub fn is_unread(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
