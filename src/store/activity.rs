//! What waits and what was done lately: the figures of an operator's first page.

use std::collections::BTreeMap;
use std::time::Duration;

/// What waits now, and what was done in a stretch of time that ends now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activity {
    /// Handoffs that are due, by how far they have come.
    pub waiting: BTreeMap<String, u64>,
    /// What was tried, by step.
    pub steps: BTreeMap<String, Tries>,
    /// The stretch in slots of the same length, the oldest first.
    pub slots: Vec<Slot>,
}

/// The tries at one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Those that went well.
    pub done: u64,
    /// Those that did not, and those whose end nobody saw.
    pub failed: u64,
    /// How long those that went well took, together.
    pub took: Duration,
}

/// What was done in one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    /// Handoffs that were stored.
    pub accepted: u64,
    /// Handoffs that reached a rep.
    pub live: u64,
    /// Tries that failed.
    pub failed: u64,
}
