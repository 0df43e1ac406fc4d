//! One contact across the store: found by what they are known as, shown, and erased.

use super::Row;
use crate::domain::clock::Timestamp;
use crate::domain::escalation::e164;
use crate::domain::ids::HandoffId;

/// What a contact is known as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownAs {
    /// A phone number, on whichever channel.
    Phone(String),
    /// An email address, verified or not.
    Email(String),
    /// The producer's id of the contact.
    Id(String),
    /// A session of theirs.
    Session(String),
}

impl KnownAs {
    /// The word for what it is; never what it says.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Phone(_) => "phone",
            Self::Email(_) => "email",
            Self::Id(_) => "id",
            Self::Session(_) => "session",
        }
    }

    /// As it is compared: a phone number in E.164, an email address in lower case.
    pub fn value(&self) -> String {
        match self {
            Self::Phone(phone) => e164(phone).unwrap_or_else(|| phone.trim().to_owned()),
            Self::Email(email) => email.trim().to_lowercase(),
            Self::Id(value) | Self::Session(value) => value.clone(),
        }
    }
}

/// How much there is of a contact.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    /// Their handoffs.
    pub handoffs: Vec<(Row, HandoffId)>,
    /// Their sessions.
    pub sessions: Vec<String>,
    /// Handoffs that are not over: with a rep, on their way to one, or not closed at the desk yet.
    pub not_over: Vec<HandoffId>,
    /// Events of theirs that the broker has not confirmed.
    pub unpublished: u64,
    /// Events they sent.
    pub messages: u64,
    /// Events about them that were published.
    pub events: u64,
    /// Dead letters about them, and deliveries that nobody can read and that name them.
    pub dead_letters: Vec<i64>,
}

/// Something a contact did, as it came.
#[derive(Debug, Clone)]
pub struct FromContact {
    /// What it is.
    pub routing_key: String,
    /// When it came.
    pub received_at: Timestamp,
    /// When it was dealt with.
    pub applied_at: Option<Timestamp>,
    /// How often it was tried.
    pub tries: u32,
    /// The bytes; empty when they were deleted.
    pub body: Vec<u8>,
}

/// How long what is kept.
#[derive(Debug, Clone, Copy)]
pub struct Horizons {
    /// Words and identities of what is over, and what was published, until then.
    pub content: Timestamp,
    /// Handoffs that are over, their attempts and their events' ids.
    pub metadata: Timestamp,
    /// Dead letters.
    pub dead: Timestamp,
    /// Our copies of files.
    pub attachments: Timestamp,
}

/// What a sweep has come to.
#[derive(Debug, Clone, Default)]
pub struct Swept {
    /// Rows that were deleted or emptied.
    pub rows: usize,
    /// Handoffs whose files have to go.
    pub files: Vec<(Row, HandoffId)>,
}
