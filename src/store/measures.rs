//! How much there is of everything, for metrics and for health.

use std::collections::BTreeMap;
use std::time::Duration;

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pressure {
    /// Handoffs that wait for a step.
    pub due: usize,
    /// Events that the broker has not confirmed.
    pub unconfirmed: usize,
}

/// How much there is of everything.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Handoffs by status.
    pub handoffs: BTreeMap<String, u64>,
    /// Outbox rows without a confirm.
    pub unconfirmed: u64,
    /// Age of the oldest of them.
    pub unconfirmed_oldest: Duration,
    /// How long the oldest due handoff has waited.
    pub due_oldest: Duration,
    /// Dead letters other than handoffs that nobody has dealt with.
    pub quarantined: u64,
}

/// What `/metrics` tells of the store.
#[derive(Debug, Clone, Default)]
pub struct Measures {
    /// Escalations that became handoffs, ever: as many as were told to be accepted.
    pub accepted: u64,
    /// Handoffs that have ended, ever, by reason: as many as were told to have ended.
    pub ended: BTreeMap<String, u64>,
    /// Handoffs on their way.
    pub due: u64,
    /// Handoffs with a rep.
    pub live: u64,
    /// Handoffs set aside.
    pub dead: u64,
    /// Those on their way, by the step that comes next.
    pub at_step: BTreeMap<String, u64>,
    /// How long the oldest due handoff has waited.
    pub due_oldest: Duration,
    /// Dead letters that nobody has dealt with.
    pub dead_open: u64,
    /// Outbox rows that may go out and are not confirmed, by destination.
    pub unconfirmed: BTreeMap<String, u64>,
    /// Age of the oldest of them.
    pub unconfirmed_oldest: Duration,
    /// Outbox rows that may not go out yet.
    pub held: u64,
    /// Connections and the state of their gates.
    pub gates: Vec<(String, String)>,
}

impl Measures {
    /// What was accepted and is neither ended nor anywhere to be found, or is there twice. Both sides are kept by
    /// different means: what was told, and what is there.
    pub fn difference(&self) -> i64 {
        let told = self.accepted as i64 - self.ended.values().sum::<u64>() as i64;
        told - (self.due + self.live + self.dead) as i64
    }
}

/// How a dead handoff ends without a word to the world: what it was told last is that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOfDead {
    /// Retention has deleted it.
    Expired,
    /// Its contact was erased.
    Erased,
}

impl EndOfDead {
    /// All of them.
    pub const ALL: [EndOfDead; 2] = [Self::Expired, Self::Erased];

    /// The word in metrics, beside the reasons of endings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "dead_expired",
            Self::Erased => "dead_erased",
        }
    }
}
