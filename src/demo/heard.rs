//! Everything that comes out of Baton, heard by consumers that know nothing of it but the broker's queues.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::broker::tap::{Hold, Tap};
use crate::broker::topology::REPLY_CHANNELS;
use crate::broker::{Delivery, Error, Header, Names};
use crate::domain::seal::SecretString;

/// One message out of Baton.
#[derive(Clone, Debug)]
pub struct Told {
    /// `reply.sms`, `lifecycle.live`; of a dead letter, what it was published with.
    pub routing_key: String,
    /// The same however often the same thing is told.
    pub message_id: String,
    /// The session it is about.
    pub session: String,
    /// The event, as JSON.
    pub event: Value,
    /// Of a dead letter: why.
    pub reason: Option<Reason>,
}

/// Why a dead letter is one, from its headers.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The stable code.
    pub code: String,
    /// The step that failed.
    pub step: String,
    /// In words.
    pub words: String,
}

/// The consumers, and what they have heard so far.
pub struct Heard {
    told: Arc<Mutex<Vec<Told>>>,
    changed: watch::Receiver<Option<String>>,
    consumers: JoinSet<()>,
    stop: CancellationToken,
}

impl Heard {
    /// Consumes from the four reply queues and the dead letters, and listens to the lifecycle.
    pub async fn start(url: &SecretString, names: &Names) -> Result<Self, Error> {
        let mut taps = vec![
            Tap::listen(url, &names.outbound(), "lifecycle.#").await?,
            Tap::open(url, &names.dead_letters()).await?,
        ];
        for channel in REPLY_CHANNELS {
            taps.push(Tap::open(url, &names.replies(channel)).await?);
        }
        let (told, stop) = (Arc::default(), CancellationToken::new());
        let (change, changed) = watch::channel(None);
        let mut consumers = JoinSet::new();
        for tap in taps {
            consumers.spawn(consume(
                tap,
                Arc::clone(&told),
                change.clone(),
                stop.clone(),
            ));
        }
        Ok(Self {
            told,
            changed,
            consumers,
            stop,
        })
    }

    /// Hangs up.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        while self.consumers.join_next().await.is_some() {}
    }

    /// Everything so far, as it came: what was told twice is here twice.
    pub fn all(&self) -> Vec<Told> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone()
    }

    /// Everything so far, each once: consumers drop what they have seen, by its message id.
    pub fn once(&self) -> Vec<Told> {
        let mut seen = HashSet::new();
        let mut all = self.all();
        all.retain(|told| seen.insert(told.message_id.clone()));
        all
    }

    /// What was told about a session under a routing key, in order.
    pub fn of(&self, session: &str, routing_key: &str) -> Vec<Told> {
        let mut told = self.once();
        told.retain(|told| told.session == session && told.routing_key == routing_key);
        told
    }

    /// Waits until so many are told about a session under a routing key; all of them.
    pub async fn count(
        &self,
        session: &str,
        routing_key: &str,
        count: usize,
    ) -> anyhow::Result<Vec<Told>> {
        self.until(|heard| {
            let told = heard.of(session, routing_key);
            (told.len() >= count).then_some(told)
        })
        .await
    }

    /// Waits for the first to be told about a session under a routing key.
    pub async fn first(&self, session: &str, routing_key: &str) -> anyhow::Result<Told> {
        self.until(|heard| heard.of(session, routing_key).into_iter().next())
            .await
    }

    /// Waits for the dead letter of a session.
    pub async fn dead(&self, session: &str) -> anyhow::Result<(Told, Reason)> {
        self.until(|heard| {
            let mut told = heard.once().into_iter();
            let with_reason = |told: Told| {
                let reason = told.reason.clone()?;
                (told.session == session).then_some((told, reason))
            };
            told.find_map(with_reason)
        })
        .await
    }

    /// Waits for something to be there; fails if a consumer has.
    async fn until<T>(&self, find: impl Fn(&Self) -> Option<T>) -> anyhow::Result<T> {
        let mut changed = self.changed.clone();
        loop {
            if let Some(failure) = &*changed.borrow_and_update() {
                return Err(anyhow!("a consumer of the demo failed: {failure}"));
            }
            if let Some(found) = find(self) {
                return Ok(found);
            }
            changed.changed().await?;
        }
    }
}

/// Consumes until it is stopped, or fails.
async fn consume(
    tap: Tap,
    told: Arc<Mutex<Vec<Told>>>,
    change: watch::Sender<Option<String>>,
    stop: CancellationToken,
) {
    if let Err(error) = take(tap, &told, &change, &stop).await {
        change.send_replace(Some(error.to_string()));
    }
}

/// Takes, remembers and acks.
async fn take(
    mut tap: Tap,
    told: &Mutex<Vec<Told>>,
    change: &watch::Sender<Option<String>>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    while let Some(next) = stop.run_until_cancelled(tap.next()).await {
        let (heard, hold) = read(next?);
        told.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(heard);
        change.send_modify(|_| ());
        hold.ack().await?;
    }
    tap.close().await;
    Ok(())
}

fn read(delivery: Delivery<Hold>) -> (Told, Hold) {
    let header = |name: &str| {
        let header = delivery.properties.headers.get(name);
        header.and_then(Header::as_text).map(str::to_owned)
    };
    let reason = header("x-handoff-code").map(|code| Reason {
        code,
        step: header("x-handoff-step").unwrap_or_default(),
        words: header("x-handoff-reason").unwrap_or_default(),
    });
    let event: Value = serde_json::from_slice(&delivery.body).unwrap_or_default();
    let told = Told {
        message_id: delivery.message_id.unwrap_or_default(),
        session: event["subject"].as_str().unwrap_or_default().to_owned(),
        routing_key: delivery.routing_key,
        event,
        reason,
    };
    (told, delivery.receipt)
}
