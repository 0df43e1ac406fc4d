//! What an operator reads: handoffs in a list, and what happened to one.

use std::time::Duration;

use super::Row;
use crate::domain::clock::Timestamp;

/// Which handoffs are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this status.
    pub status: Option<String>,
    /// Only of this connection.
    pub connection: Option<String>,
    /// Only of this kind of desk.
    pub desk: Option<String>,
    /// Only of this channel.
    pub channel: Option<String>,
    /// Only those that are older than this one.
    pub before: Option<Row>,
    /// At most so many.
    pub limit: usize,
}

/// A handoff in a listing.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its number in the store.
    pub row: Row,
    /// Its id.
    pub id: String,
    /// The session.
    pub session: String,
    /// The connection.
    pub connection: String,
    /// The kind of desk; unknown while the connection is.
    pub desk: Option<String>,
    /// The channel.
    pub channel: String,
    /// How far it has come.
    pub progress: String,
    /// What the worker owes it.
    pub status: String,
    /// Which generation runs.
    pub generation: u32,
    /// Replies so far.
    pub replies: u64,
    /// The desk's id.
    pub conversation: Option<String>,
    /// The last code, or why it ended.
    pub why: Option<String>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// One try at one step.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Which generation.
    pub generation: u32,
    /// Which step.
    pub step: String,
    /// From 1 in each generation.
    pub number: u32,
    /// When the intent was committed.
    pub started_at: Timestamp,
    /// How long the call took; `None` while it is out.
    pub took: Option<Duration>,
    /// How it ended; `None` while it is out.
    pub outcome: Option<String>,
    /// The code of a failure.
    pub code: Option<String>,
    /// The HTTP status of a failure.
    pub http_status: Option<u16>,
    /// The words of a failure.
    pub error: Option<String>,
    /// What the desk calls the request.
    pub request_id: Option<String>,
}

/// One event of a handoff in the outbox.
#[derive(Debug, Clone)]
pub struct Told {
    /// The event's id.
    pub message_id: String,
    /// Its routing key.
    pub routing_key: String,
    /// Position among the replies.
    pub sequence: Option<u64>,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// When the broker confirmed it.
    pub confirmed_at: Option<Timestamp>,
    /// Why it could not be published yet.
    pub problem: Option<String>,
    /// The bytes; empty when they were deleted.
    pub body: Vec<u8>,
}

/// Something that an operator did.
#[derive(Debug, Clone)]
pub struct Audit {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// What.
    pub action: String,
    /// To what; names no contact.
    pub about: String,
}
