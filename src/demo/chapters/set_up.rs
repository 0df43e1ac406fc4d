//! Broker, desk, keys, worker, connection, and those who listen at the other end.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::Context;
use serde_json::json;

use crate::demo::Backstage;
use crate::demo::desk;
use crate::demo::gallery::Gallery;
use crate::demo::heard::Heard;
use crate::demo::narrator::{Actor, Narrator};
use crate::demo::operator::Operator;
use crate::demo::place::Place;
use crate::demo::stage::{SOON, Stage, connection};
use crate::demo::worker::Worker;
use crate::domain::connection::DeskKind;
use crate::domain::seal::{ExposeSecret, SecretString};

/// Sets everything up, and tells what.
pub async fn play<'a>(
    kind: DeskKind,
    broker: Option<SecretString>,
    backstage: &mut Backstage,
    narrator: &'a mut Narrator,
) -> anyhow::Result<Stage<'a>> {
    narrator.chapter("set-up", "Setting up").await?;
    let place = Place::find(broker, &mut backstage.place, narrator).await?;
    let (url, names) = (place.url.clone(), place.names());

    let starting = desk::start(kind);
    let desk = narrator.wait("the desk to start", SOON, starting).await??;
    let mut facts = json!({ "desk": kind.as_str(), "url": desk.url() });
    for (name, value) in desk.marks() {
        facts[name] = value.into();
    }
    let words = desk.words();
    let text = format!(
        "{}, simulated at {}. {}",
        words.desk,
        desk.url(),
        words.trusts
    );
    narrator.tell(Actor::Desk, "org", facts, text).await?;

    let gallery = Gallery::open()
        .await
        .context("cannot open a port for the photos")?;
    let config = backstage.folder.path().join("baton.toml");
    std::fs::write(
        &config,
        configuration(place, free_port()?, &gallery, backstage.folder.path()),
    )
    .with_context(|| format!("cannot write {}", config.display()))?;
    let log = backstage.log.clone();
    let starting = async {
        let worker = Worker::start(&config, &log).await?;
        let operator = Operator::of(&worker.url, backstage.folder.path())?;
        operator.until_ready().await;
        anyhow::Ok((worker, operator))
    };
    let (worker, operator) = narrator
        .wait("the worker to start", SOON, starting)
        .await??;
    let text = format!(
        "`baton serve` runs as process {}, with health and API at {}.",
        worker.id, worker.url
    );
    let facts = json!({ "process": worker.id, "url": worker.url });
    narrator.tell(Actor::Baton, "worker", facts, text).await?;

    let name = connection(kind);
    let connecting = operator.connect(name, &*desk);
    let says = narrator
        .wait("the connection to be verified", SOON, connecting)
        .await??;
    let text = format!("Adds the connection `{name}`, and has it verified: {says}.");
    let facts = json!({ "connection": name, "says": says });
    narrator
        .tell(Actor::Operator, "connection", facts, text)
        .await?;

    let heard = Heard::start(&url, &names).await?;
    Ok(Stage {
        narrator,
        broker: url,
        names,
        desk,
        gallery,
        heard,
        customers: vec![],
        sent: vec![],
        operator,
        worker: Some(worker),
        config,
        log,
    })
}

/// A port that the worker can have again after it was killed: desks call it there. Systems give out none of these by
/// themselves.
fn free_port() -> anyhow::Result<u16> {
    const OURS: std::ops::Range<u16> = 20_000..32_000;
    const TRIES: usize = 100;
    let mut ports = std::iter::repeat_with(|| fastrand::u16(OURS)).take(TRIES);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports
        .find(is_free)
        .context("found no free port for the worker")
}

/// What a developer would write: shorter waits, so that nobody gets bored, and files from a server of this machine.
fn configuration(place: &Place, port: u16, gallery: &Gallery, folder: &Path) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let database = format!("sqlite:{}", folder.join("baton.db").display());
    format!(
        "[broker]\nurl = {}\nprefix = {}\n\n\
         [store]\nurl = {}\n\n\
         [http]\nlisten = \"127.0.0.1:{port}\"\n\n\
         [retry]\nwaits = [\"500ms\", \"1s\", \"2s\"]\n\n\
         [streams]\nreconnect_min = \"50ms\"\nreconnect_max = \"1s\"\n\n\
         [media]\nallow = [{}]\n",
        quoted(place.url.expose_secret()),
        quoted(&place.prefix),
        quoted(&database),
        quoted(&gallery.origin),
    )
}
