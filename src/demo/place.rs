//! The broker of the demo: the one that was named, or one on this machine, or one of its own.

use std::time::Duration;

use anyhow::Context;
use reqwest::Url;
use serde_json::json;

use super::narrator::{Actor, Narrator};
use crate::broker::node::PrivateNode;
use crate::broker::topology::Topology;
use crate::broker::{Declare, Error, Names};
use crate::domain::seal::{ExposeSecret, SecretString};

/// Where a developer's RabbitMQ usually is, and its usual user.
const LOCAL: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

/// For a broker that is there.
const ANSWERS: Duration = Duration::from_secs(20);

/// A node of our own gives up earlier, and says why.
const BOOTS: Duration = Duration::from_secs(120);

/// A broker, and our corner of it.
pub struct Place {
    /// Where it is.
    pub url: SecretString,
    /// What its exchanges and queues begin with.
    pub prefix: String,
    node: Option<PrivateNode>,
}

impl Place {
    /// Finds a broker that can be used, and declares everything there under a prefix that nobody else has. The place
    /// is in `slot` as soon as there is something to clear away.
    pub async fn find<'a>(
        given: Option<SecretString>,
        slot: &'a mut Option<Self>,
        narrator: &mut Narrator,
    ) -> anyhow::Result<&'a Self> {
        let prefix = format!("demo-{:08x}", fastrand::u32(..));
        let at = |url: SecretString, node| Self {
            url,
            prefix: prefix.clone(),
            node,
        };
        let own = format!("All that the demo makes there begins with `{prefix}.`");
        if let Some(url) = given {
            let place = slot.insert(at(url, None));
            let address = place.address();
            if let Err(error) = place.declare(narrator).await? {
                let error = anyhow::Error::from(error);
                return Err(error.context(format!("cannot use the broker at {address}")));
            }
            let text = format!("At {address}. {own}");
            return place.told("given", text, narrator).await;
        }

        let declared = slot
            .insert(at(LOCAL.into(), None))
            .declare(narrator)
            .await?;
        let why = match declared {
            Ok(()) => {
                let local = slot.insert(at(LOCAL.into(), None));
                let text = format!("One runs at localhost:5672. {own}");
                return local.told("local", text, narrator).await;
            }
            Err(Error::Unreachable { .. }) => "None runs at localhost:5672",
            Err(Error::Refused { .. }) => "The one at localhost:5672 does not take guest/guest",
            Err(_) => "The one at localhost:5672 cannot be used",
        };
        if let Some(place) = slot.take() {
            // Where nobody answers or we may not, there is nothing to clear.
            let _ = place.clear().await;
        }
        let text = format!("{why}; starting one of our own, in a temporary folder.");
        let facts = json!({ "why": why });
        narrator.tell(Actor::Broker, "boot", facts, text).await?;
        let boots = PrivateNode::start(|_| ());
        let node = narrator
            .wait("RabbitMQ to boot, usually 5 s", BOOTS, boots)
            .await?
            .context("there is no broker; give the URL of one as --broker")?;
        let place = slot.insert(at(node.url(), Some(node)));
        place.declare(narrator).await??;
        let text = format!("It runs, at {}.", place.address());
        place.told("private", text, narrator).await
    }

    async fn told(
        &self,
        found: &str,
        text: String,
        narrator: &mut Narrator,
    ) -> anyhow::Result<&Self> {
        let facts = json!({ "found": found, "address": self.address(), "prefix": self.prefix });
        narrator.tell(Actor::Broker, "broker", facts, text).await?;
        Ok(self)
    }

    /// Declares everything.
    async fn declare(&self, narrator: &mut Narrator) -> anyhow::Result<Result<(), Error>> {
        let topology = Topology::new(&self.prefix);
        let declared = topology.apply(&self.url, Declare::Declare);
        narrator.wait("RabbitMQ to answer", ANSWERS, declared).await
    }

    /// Host and port, without what is secret.
    fn address(&self) -> String {
        let parsed = Url::parse(self.url.expose_secret()).ok();
        let host = parsed.as_ref().and_then(Url::host_str).unwrap_or("?");
        let port = parsed.as_ref().and_then(Url::port).unwrap_or(5672);
        format!("{host}:{port}")
    }

    /// The names of what is there.
    pub fn names(&self) -> Names {
        Names::new(&self.prefix)
    }

    /// Leaves nothing behind; says in words what was done.
    pub async fn clear(self) -> anyhow::Result<&'static str> {
        match self.node {
            Some(node) => {
                node.stop().await?;
                Ok("RabbitMQ is stopped, and all temporary files are gone.")
            }
            None => {
                Topology::new(&self.prefix).remove(&self.url).await?;
                Ok(
                    "Queues and exchanges of the demo are deleted, and all temporary files are gone.",
                )
            }
        }
    }
}
