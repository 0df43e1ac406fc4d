//! A delivery that wants to be taken in, and what it says.

use super::clock::Timestamp;
use super::contact::ContactEvent;
use super::dead_letter::Origin;
use super::escalation::Escalation;
use super::event::Poison;
use super::ids::EventId;

/// A delivery that wants to be taken in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// How it came.
    pub origin: Origin,
    /// Its bytes.
    pub body: Vec<u8>,
    /// What it says.
    pub what: Inbound,
}

/// What a delivery says.
#[derive(Debug, Clone)]
pub enum Inbound {
    /// An escalation; the deadline is that of a handoff that starts now.
    Escalation(Box<Escalation>, Timestamp),
    /// Something that happened on the contact's side.
    Contact(EventId, Box<ContactEvent>),
    /// Nothing anybody can process.
    Poison(Poison),
}
