//! What leaves by the outbox, and how its publishers share it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::clock::Timestamp;

/// One of several publishers that share the outbox; a handoff always falls into the same one.
#[derive(Debug, Clone, Copy)]
pub struct Lane {
    /// From 0.
    pub number: i64,
    /// How many there are.
    pub of: i64,
}

/// An outbox row on its way to the broker.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The outbox's own number.
    pub seq: i64,
    /// Unique, and stable however often it is published.
    pub message_id: String,
    /// Which of our exchanges.
    pub to: Destination,
    /// Routing key.
    pub routing_key: String,
    /// CloudEvents type; empty for a dead letter, whose body says it.
    pub kind: String,
    /// The session, as correlation id.
    pub correlation: String,
    /// AMQP headers.
    pub headers: BTreeMap<String, Value>,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// The bytes.
    pub body: Vec<u8>,
    /// How often it was tried before.
    pub tries: u32,
}

/// Which of our exchanges a row goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// A reply: somebody must take it.
    Reply,
    /// A lifecycle event: nobody has to.
    Lifecycle,
    /// A dead letter: somebody must take it.
    Dead,
}

impl Destination {
    /// The word of the store and of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Lifecycle => "lifecycle",
            Self::Dead => "dead",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Reply, Self::Lifecycle, Self::Dead]
            .into_iter()
            .find(|to| to.as_str() == word)
    }
}
