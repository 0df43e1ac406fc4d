//! `baton publish`: an event from a file to the exchange that upstream publishes to.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::Failure;
use super::page::{note, print, tame};
use super::topology::diagnosed;
use crate::broker::tap::{PublishOnceError, publish_once};
use crate::broker::{Mandatory, Message, Names, Properties, PublishError};
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::domain::contact::ContactEvent;
use crate::domain::escalation::Escalation;
use crate::domain::event::{Bounds, Kind, Poison, Received};

/// What is published, and how carefully.
#[derive(Debug, Args)]
pub struct Publish {
    /// The event, a CloudEvent in JSON; - for stdin.
    file: PathBuf,
    /// Publish it even if Baton could not process it; what is no event at all goes where escalations go.
    #[arg(long)]
    force: bool,
}

/// Publishes, and waits until the broker has it.
pub async fn run(publish: Publish, config: &Config) -> Result<(), Failure> {
    let body = read(&publish.file)?;
    let bounds = Bounds {
        event_bytes_max: config.limits.event,
    };
    let routing_key = match (kind(&body, bounds), publish.force) {
        (Ok(kind), _) => kind.routing_key(),
        (Err(poison), true) => {
            note(&format!(
                "baton: this becomes a dead letter: {}",
                tame(&poison.to_string())
            ));
            Kind::Escalation.routing_key()
        }
        (Err(poison), false) => {
            return Err(Failure::Usage(format!(
                "nothing was published, because it would become a dead letter: {}; put that right, or publish it all the same with --force",
                tame(&poison.to_string())
            )));
        }
    };
    let exchange = Names::new(&config.broker.prefix).inbound();
    let message = message(exchange, routing_key, body);
    let session = match &message.properties.correlation_id {
        Some(session) => format!(" of session {}", tame(session)),
        None => String::new(),
    };
    let said = format!(
        "published {}{session} to {} as {routing_key}\n",
        tame(&message.message_id),
        message.exchange
    );
    match publish_once(&config.broker.url, message).await {
        Ok(()) => print(&said),
        Err(error @ PublishOnceError::Message(PublishError::Disconnected)) => {
            Err(diagnosed(error, config).await)
        }
        Err(error) => Err(error.into()),
    }
}

fn read(file: &PathBuf) -> Result<Vec<u8>, Failure> {
    let read = if file.as_os_str() == "-" {
        let mut body = vec![];
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut body).map(|_| body)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
}

/// What the worker will make of it.
fn kind(body: &[u8], bounds: Bounds) -> Result<Kind, Poison> {
    let event = Received::decode(body, bounds)?;
    match event.kind {
        Kind::Escalation => drop(Escalation::read(&event)?),
        Kind::ContactMessage | Kind::ContactTyping | Kind::ContactLeft | Kind::ReplyDelivery => {
            drop(ContactEvent::read(&event)?);
        }
    }
    Ok(event.kind)
}

/// The message, with as many properties as the body has to give.
fn message(exchange: String, routing_key: &str, body: Vec<u8>) -> Message {
    let event = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let text = |place: &str| {
        let text = event.pointer(place).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    Message {
        exchange,
        routing_key: routing_key.to_owned(),
        message_id: text("/id").unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
        mandatory: Mandatory::Yes,
        properties: Properties {
            content_type: Some("application/cloudevents+json".to_owned()),
            correlation_id: ["/subject", "/data/session/id", "/data/session_id"]
                .into_iter()
                .find_map(text),
            kind: text("/type"),
            timestamp: u64::try_from(Clock::System.now().as_second()).ok(),
            app_id: Some("baton".to_owned()),
            ..Properties::default()
        },
        body,
    }
}
