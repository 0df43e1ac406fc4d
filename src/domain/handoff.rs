//! Our durable process from escalation to close: how far it has come, and what the worker owes it.
//!
//! [`Progress`] says what is already true and moves forward. [`Status`] says what the worker owes it.
//! A dead letter keeps its progress, so a replay goes on where it stopped.

use std::collections::BTreeSet;
use std::fmt;

use super::clock::Timestamp;
use super::connection::DeskKind;
use super::error::Code;
use super::escalation::Escalation;
use super::ids::{ConversationId, Cursor, EntryId, HandoffId, IdShape, Key, Namespace};
use super::seal::SecretString;
use super::trace::TraceContext;
use super::transcript::OpeningMessage;

/// One handoff, as the worker holds it.
#[derive(Debug, Clone)]
pub struct Handoff {
    /// Chosen at intake.
    pub id: HandoffId,
    /// Which desk takes it; unknown while the connection is.
    pub desk: Option<DeskKind>,
    /// What started it.
    pub escalation: Escalation,
    /// Chosen once, at receipt, and never again.
    pub keys: Keys,
    /// Where it is in which trace: as its escalation says, or else a trace of its own.
    pub trace: TraceContext,
    /// How far it has come.
    pub progress: Progress,
    /// What the worker owes it.
    pub status: Status,
    /// Whether a call is out.
    pub phase: Phase,
    /// Steps with an attempt on record in any generation: what was tried may have happened.
    pub tried: BTreeSet<Step>,
    /// What this generation has used of its budget.
    pub spent: Spent,
    /// 1, and one more with each replay.
    pub generation: u32,
    /// When it was stored.
    pub accepted_at: Timestamp,
    /// When it must be live at the latest.
    pub deadline: Timestamp,
    /// Where the desk's stream is resumed.
    pub cursor: Option<Cursor>,
    /// `sequence` of the last reply; 0 when there was none.
    pub sequence: u64,
    /// The desk's time of the last reply.
    pub last_reply_at: Option<Timestamp>,
    /// When the contact last wrote; WhatsApp's window is open for a day from then.
    pub last_inbound_at: Option<Timestamp>,
    /// What the rep last offered to choose from; a contact on a text channel answers with a number.
    pub choices: Vec<String>,
}

/// How far it has come. Each name says what is already true.
#[derive(Debug, Clone)]
pub enum Progress {
    /// It is stored.
    Received,
    /// The contact has an identity token.
    Identified {
        /// The token.
        identity: IdentityToken,
    },
    /// The desk gave us access.
    Authorized {
        /// Its token.
        access: AccessToken,
    },
    /// What the rep will read is fixed.
    Prepared {
        /// The desk's token.
        access: AccessToken,
        /// What the rep will read.
        opening: OpeningMessage,
    },
    /// The conversation exists, and routing has begun.
    Opened {
        /// The desk's token.
        access: AccessToken,
        /// What the rep will read.
        opening: OpeningMessage,
        /// The thread at the desk.
        conversation: ConversationId,
    },
    /// The rep has the story.
    Connected {
        /// The desk's token.
        access: AccessToken,
        /// The thread at the desk.
        conversation: ConversationId,
    },
}

impl Progress {
    /// The word of the store and of `handoff show`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Identified { .. } => "identified",
            Self::Authorized { .. } => "authorized",
            Self::Prepared { .. } => "prepared",
            Self::Opened { .. } => "opened",
            Self::Connected { .. } => "connected",
        }
    }

    /// The step that comes next; `None` when all five are done.
    pub fn next_step(&self) -> Option<Step> {
        match self {
            Self::Received => Some(Step::IdentityToken),
            Self::Identified { .. } => Some(Step::AccessToken),
            Self::Authorized { .. } => Some(Step::Transcript),
            Self::Prepared { .. } => Some(Step::CreateConversation),
            Self::Opened { .. } => Some(Step::OpeningMessage),
            Self::Connected { .. } => None,
        }
    }

    /// The thread at the desk, once there is one.
    pub fn conversation(&self) -> Option<&ConversationId> {
        match self {
            Self::Opened { conversation, .. } | Self::Connected { conversation, .. } => {
                Some(conversation)
            }
            Self::Received
            | Self::Identified { .. }
            | Self::Authorized { .. }
            | Self::Prepared { .. } => None,
        }
    }

    /// The desk's token, once there is one.
    pub fn access(&self) -> Option<&AccessToken> {
        match self {
            Self::Authorized { access }
            | Self::Prepared { access, .. }
            | Self::Opened { access, .. }
            | Self::Connected { access, .. } => Some(access),
            Self::Received | Self::Identified { .. } => None,
        }
    }
}

/// What the worker owes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The next step, at this time.
    Due {
        /// When.
        at: Timestamp,
    },
    /// Nothing but to carry words both ways.
    Live,
    /// At most to close the desk's side, at this time.
    Closed {
        /// Why it ended.
        why: Ending,
        /// When the desk's side is to be closed; `None` once it is.
        close_at: Option<Timestamp>,
    },
    /// Nothing until a human has looked.
    DeadLettered {
        /// Why.
        code: Code,
    },
}

impl Status {
    /// The words of all of them.
    pub const WORDS: [&str; 4] = ["due", "live", "closed", "dead"];

    /// The word of the store, the listings and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Due { .. } => "due",
            Self::Live => "live",
            Self::Closed { .. } => "closed",
            Self::DeadLettered { .. } => "dead",
        }
    }
}

/// Why a handoff ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The desk has it whole, and the rep's words do not come back: the work goes on there, without us.
    /// An addition to the reasons of the interface (`handed_over`).
    HandedOver,
    /// The rep ended it.
    RepEnded,
    /// The contact left.
    ContactLeft,
    /// Nobody wrote for too long.
    Inactivity,
    /// The ticket was closed.
    TicketClosed,
    /// It goes on by email.
    MovedToEmail,
    /// The desk could not route it to anybody.
    RoutingFailed,
    /// The desk ended it with an error.
    DeskError,
    /// The connection was removed.
    ConnectionRemoved,
    /// An operator ended it.
    Operator,
}

impl Ending {
    /// All of them.
    pub const ALL: &[Ending] = &[
        Self::HandedOver,
        Self::RepEnded,
        Self::ContactLeft,
        Self::Inactivity,
        Self::TicketClosed,
        Self::MovedToEmail,
        Self::RoutingFailed,
        Self::DeskError,
        Self::ConnectionRemoved,
        Self::Operator,
    ];

    /// The word of the `ended` event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HandedOver => "handed_over",
            Self::RepEnded => "rep_ended",
            Self::ContactLeft => "contact_left",
            Self::Inactivity => "inactivity",
            Self::TicketClosed => "ticket_closed",
            Self::MovedToEmail => "moved_to_email",
            Self::RoutingFailed => "routing_failed",
            Self::DeskError => "desk_error",
            Self::ConnectionRemoved => "connection_removed",
            Self::Operator => "operator",
        }
    }

    /// The ending of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|ending| ending.as_str() == word)
    }
}

/// Whether a call is out. `Calling` found after a crash is an attempt without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No call is out.
    Ready,
    /// A call was begun, and its outcome is not recorded.
    Calling,
}

/// What a generation has used of its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Failures over all steps; progress does not reset them.
    pub failures: u32,
    /// Tokens renewed because the desk refused them.
    pub renewals: u32,
}

/// The names of the steps, as operators know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Before there is a handoff.
    Intake,
    /// Sign an identity token for the contact.
    IdentityToken,
    /// Get the desk's access token.
    AccessToken,
    /// Build what the rep will read.
    Transcript,
    /// Create the conversation with its routing attributes.
    CreateConversation,
    /// Send the transcript as the opening message.
    OpeningMessage,
    /// Carry a message of the contact to the rep.
    ContactMessage,
    /// Close the desk's side.
    Close,
}

impl Step {
    /// The five of a handoff, in order.
    pub const JOURNEY: [Step; 5] = [
        Self::IdentityToken,
        Self::AccessToken,
        Self::Transcript,
        Self::CreateConversation,
        Self::OpeningMessage,
    ];

    /// All that something can stop at.
    pub const ALL: [Step; 8] = [
        Self::Intake,
        Self::IdentityToken,
        Self::AccessToken,
        Self::Transcript,
        Self::CreateConversation,
        Self::OpeningMessage,
        Self::ContactMessage,
        Self::Close,
    ];

    /// The word of headers, logs and the console.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::IdentityToken => "identity-token",
            Self::AccessToken => "access-token",
            Self::Transcript => "transcript",
            Self::CreateConversation => "create-conversation",
            Self::OpeningMessage => "opening-message",
            Self::ContactMessage => "contact-message",
            Self::Close => "close",
        }
    }

    /// The step of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == word)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What makes desk calls repeatable: chosen in the intake transaction, before anything is said to a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// The conversation's id, or our mark on it.
    pub conversation: Key,
    /// The opening message's id, or our mark on it.
    pub opening: Key,
}

impl Keys {
    /// The keys of an escalation: derived from ids alone, so that a lost database comes back to the same.
    ///
    /// In the shape of v4, because Salesforce takes no other (miaw reference, section 1) and the rest do not mind.
    pub fn of(namespace: Namespace, escalation: &Escalation) -> Self {
        let about = [
            escalation.connection.as_str(),
            escalation.session.as_str(),
            escalation.id.as_str(),
        ];
        let conversation =
            namespace.key(&["conversation", about[0], about[1], about[2]], IdShape::V4);
        let opening = namespace.key(&["opening", &conversation.to_string()], IdShape::V4);
        Self {
            conversation,
            opening,
        }
    }
}

/// One effect on the desk: our key for it, and whether an earlier attempt may already have caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// The same however often it is tried.
    pub key: Key,
    /// Whether to look before acting.
    pub earlier: Earlier,
}

/// Whether an earlier attempt may have had the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// No attempt is on record.
    Never,
    /// One is, whatever became of it.
    Perhaps,
}

/// Who the contact is, signed; valid for minutes.
#[derive(Debug, Clone)]
pub struct IdentityToken {
    /// The token itself.
    pub token: SecretString,
    /// When it stops being good.
    pub expires_at: Timestamp,
}

/// The desk's permission to speak as the contact.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token itself.
    pub token: SecretString,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// Where the stream begins that belongs to it, where the desk says so.
    pub cursor: Option<Cursor>,
}

impl Handoff {
    /// The effect of a step under a key of ours.
    pub fn effect(&self, step: Step, key: Key) -> Effect {
        let earlier = if self.tried.contains(&step) {
            Earlier::Perhaps
        } else {
            Earlier::Never
        };
        Effect { key, earlier }
    }

    /// The effect of the nth part of something that the contact did, or that the rep is told: the text is 0, files follow.
    pub fn message_effect(&self, kind: &str, id: &str, part: usize, earlier: Earlier) -> Effect {
        let root = Namespace::of(self.keys.conversation);
        let key = root.key(&["contact", kind, id, &part.to_string()], IdShape::V4);
        Effect { key, earlier }
    }

    /// The id of the event for a reply: stable for a desk entry however often it arrives.
    pub fn reply_key(&self, entry: &EntryId) -> Key {
        self.derived(&["reply", entry.as_str()])
    }

    /// The id of a lifecycle event: one per generation, name and what it is about.
    pub fn event_key(&self, name: &str, about: &str) -> Key {
        self.derived(&["lifecycle", &self.generation.to_string(), name, about])
    }

    /// The id of this generation's dead letter.
    pub fn dead_letter_key(&self) -> Key {
        self.derived(&["dead", &self.generation.to_string()])
    }

    /// Ids hang on the conversation key, which comes out the same from a lost database; the handoff's own id does not.
    fn derived(&self, name: &[&str]) -> Key {
        let root = Namespace::of(self.keys.conversation);
        root.key(name, IdShape::V5)
    }
}
