//! A configured desk of one customer: its name, kind, settings and credentials.

use std::collections::BTreeMap;
use std::fmt;

use super::ids::ConnectionName;
use super::seal::{ExposeSecret, SecretString};

/// The kinds of desk there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeskKind {
    /// Salesforce Messaging for In-App and Web.
    Salesforce,
    /// Zendesk Messaging through Sunshine Conversations.
    Zendesk,
    /// Dynamics 365 Customer Service, by live work items in Dataverse.
    Dynamics,
}

impl DeskKind {
    /// All of them.
    pub const ALL: &[DeskKind] = &[Self::Salesforce, Self::Zendesk, Self::Dynamics];

    /// The word of events, settings and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Salesforce => "salesforce",
            Self::Zendesk => "zendesk",
            Self::Dynamics => "dynamics",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }

    /// How the rep's replies come back, as the `live` event says it.
    pub fn replies(self) -> &'static str {
        match self {
            Self::Salesforce => "stream",
            Self::Zendesk => "webhook",
            Self::Dynamics => "none",
        }
    }

    /// Whether the desk calls us, and so has to know where.
    pub fn calls_us(self) -> bool {
        match self {
            Self::Zendesk => true,
            Self::Salesforce | Self::Dynamics => false,
        }
    }

    /// Whether there is anything to carry once the rep has the story. Where a rep's words do not come back, the handoff
    /// is handed over then, and ends.
    pub fn stays_live(self) -> bool {
        match self {
            Self::Salesforce | Self::Zendesk => true,
            Self::Dynamics => false,
        }
    }

    /// Under which name `live` repeats the desk's id of the conversation, where the desk's integrations have one for it.
    pub fn id_field(self) -> Option<&'static str> {
        match self {
            Self::Salesforce | Self::Zendesk => None,
            Self::Dynamics => Some("dynamics365_chat_id"),
        }
    }
}

impl fmt::Display for DeskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A configured desk. Its settings are read by the desk of its kind, which also says which of them are secret.
#[derive(Debug, Clone)]
pub struct Connection {
    /// What escalations call it.
    pub name: ConnectionName,
    /// Which desk it is.
    pub desk: DeskKind,
    /// What everybody may see.
    pub settings: BTreeMap<String, String>,
    /// What nobody sees again after it was saved.
    pub secrets: BTreeMap<String, SecretString>,
    /// Rises with every change, so that a worker notices.
    pub version: u64,
}

impl Connection {
    /// Whether both are the same desk with the same settings and credentials.
    pub fn says_the_same_as(&self, other: &Connection) -> bool {
        self.desk == other.desk
            && self.settings == other.settings
            && self.exposed().eq(other.exposed())
    }

    fn exposed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.secrets
            .iter()
            .map(|(name, secret)| (name.as_str(), secret.expose_secret()))
    }
}

/// Whether a connection may be called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Open,
    /// No: something must be put right first.
    Suspended {
        /// What.
        why: String,
    },
    /// No: an operator said so.
    Paused {
        /// Who.
        by: String,
    },
    /// Only for what a rep knows of already: it is being removed.
    Draining(Removal),
}

/// How a connection is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Live handoffs go on until they end by themselves.
    Drain,
    /// Live handoffs are ended.
    Force,
}

impl Removal {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Drain, Self::Force];

    /// The word of the store, the API and the console.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Force => "force",
        }
    }

    /// The removal of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|removal| removal.as_str() == word)
    }
}

impl Gate {
    /// The word of the store, the console and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Suspended { .. } => "suspended",
            Self::Paused { .. } => "paused",
            Self::Draining(_) => "draining",
        }
    }
}

/// One thing wrong with a connection's settings, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {what}")]
pub struct Problem {
    /// The setting's name.
    pub setting: String,
    /// What is wrong and what to write instead.
    pub what: String,
}
