//! What an org remembers of everything that was done to it, for whoever judges a run.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Map, Value};

/// Everything that happened, in the order in which it happened.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ledger {
    /// Every conversation that was created.
    pub conversations: Vec<Conversation>,
    /// Every access token that was issued.
    pub tokens: Vec<Issued>,
    /// Every id that was used again.
    pub repeats: Vec<Repeat>,
    /// Every call that the org refused. Planned faults are no refusals.
    pub refusals: Vec<Refused>,
    /// How often each call was made, refused and faulty ones included.
    pub calls: BTreeMap<String, u32>,
    /// How many streams each end user has open.
    pub streams: BTreeMap<String, usize>,
    /// How often the last stream of each end user ended, so that nobody listened to them until the next was open.
    pub unheard: BTreeMap<String, u32>,
    #[serde(skip)]
    pub(super) positions: HashMap<String, usize>,
}

/// A conversation, closed or not.
#[derive(Clone, Debug, Serialize)]
pub struct Conversation {
    /// The id its creator chose.
    pub id: String,
    /// The end user it belongs to, as in `v2/iamessage/AUTH/<keyset>/uid:<sub>`.
    pub subject: String,
    /// As given on creation.
    pub language: Option<String>,
    /// Whether it takes messages.
    pub state: ConversationState,
    /// What `GET conversation` says.
    pub routing: RoutingStatus,
    /// Its messaging sessions; each of them paged a rep. There is at least one.
    pub sessions: Vec<Session>,
    /// Everything that was said and done in it, as it went to the stream.
    pub entries: Vec<Entry>,
    /// The receipts its end user gave.
    pub receipts: Vec<Receipt>,
    /// How often its end user began to type.
    pub typing: u32,
}

/// Whether a conversation takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConversationState {
    /// It does.
    Open,
    /// Its end user or an admin closed it, for good.
    Closed,
    /// An admin deleted it: to everybody outside it never was.
    Deleted,
}

/// The vendor's routing status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RoutingStatus {
    /// Nobody has it yet.
    Initial,
    /// A rep has it.
    Routed,
    /// It is on its way to another rep.
    Transfer,
    /// The rep is done with it.
    NeedsRouting,
}

/// A messaging session of a conversation.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// The vendor's record id, beginning `0Mw`.
    pub id: String,
    /// The vendor's session status.
    pub status: SessionStatus,
    /// The routing attributes that its creator sent.
    pub sent: Map<String, Value>,
    /// Those of them that the channel knows; the others are dropped without a word.
    pub accepted: Map<String, Value>,
    /// When it began, in epoch milliseconds.
    pub started_at: u64,
    /// The reps in it now.
    pub reps: Vec<String>,
}

/// The vendor's session status, as far as the simulator goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SessionStatus {
    /// Just made.
    New,
    /// Waiting for a rep.
    Waiting,
    /// With a rep.
    Active,
    /// Asleep until the next message.
    Inactive,
    /// Over.
    Ended,
}

/// One entry of a conversation.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its identifier; a message's is the id its sender chose.
    pub identifier: String,
    /// Its id on the stream.
    pub event_id: u64,
    /// The vendor's type, like `Message` or `ParticipantChanged`.
    pub entry_type: &'static str,
    /// Who did it.
    pub sender: Sender,
    /// `Default`, or `Internal` for what the end user must not see.
    pub visibility: &'static str,
    /// The text of a message.
    pub text: Option<String>,
    /// The file of a message.
    pub file: Option<File>,
    /// The messaging session it belongs to.
    pub session: String,
    /// When the sender says it was, in epoch milliseconds.
    pub sent_at: u64,
    /// When the org wrote it down, in epoch milliseconds.
    pub transcripted_at: u64,
    /// The vendor's payload.
    pub payload: Value,
    #[serde(skip)]
    pub(super) related: Vec<String>,
}

/// Who did something, in the vendor's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sender {
    /// `EndUser`, `Agent`, `System`, …
    pub role: &'static str,
    /// `iamessage`, `agent`, `conversation`, …
    pub app_type: &'static str,
    /// The vendor's id for them.
    pub subject: String,
    /// The name shown.
    #[serde(skip)]
    pub name: String,
}

/// A file in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub mime_type: String,
    /// Its size.
    pub bytes: usize,
    /// Where anybody may fetch it, unescaped.
    pub url: String,
}

/// A receipt for an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// `Delivery` or `Read`.
    pub kind: String,
    /// The entry's identifier.
    pub entry: String,
}

/// An access token that was issued.
#[derive(Clone, Debug, Serialize)]
pub struct Issued {
    /// Whom it speaks for.
    pub subject: String,
    /// Why an identity JWT was not believed, if the org made its bearer anonymous for that.
    pub downgraded: Option<String>,
    /// When, in epoch milliseconds.
    pub at: u64,
}

/// An id that was used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repeat {
    /// The call.
    pub call: &'static str,
    /// The conversation's or message's id.
    pub id: String,
    /// Whether the repetition said the same as the first time.
    pub same: bool,
}

/// A call that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The call.
    pub call: &'static str,
    /// Its path.
    pub path: String,
    /// The status it got.
    pub status: u16,
    /// The reason it got.
    pub reason: String,
}

impl Ledger {
    /// The conversation with this id.
    pub fn conversation(&self, id: &str) -> Option<&Conversation> {
        self.positions
            .get(id)
            .map(|&position| &self.conversations[position])
    }

    /// The conversation that was routed with this attribute.
    pub fn conversation_with(&self, attribute: &str, value: &str) -> Option<&Conversation> {
        self.conversations.iter().find(|it| {
            it.sessions
                .iter()
                .any(|session| session.sent.get(attribute) == Some(&value.into()))
        })
    }

    /// The conversation whose `OpencxSessionId` is this.
    pub fn conversation_of_session(&self, session: &str) -> Option<&Conversation> {
        self.conversation_with("OpencxSessionId", session)
    }

    /// How often a call was made.
    pub fn calls(&self, call: &str) -> u32 {
        self.calls.get(call).copied().unwrap_or_default()
    }

    /// How many streams are open.
    pub fn open_streams(&self) -> usize {
        self.streams.values().sum()
    }
}

impl Conversation {
    /// What the end user's side sent, in the order in which it was accepted.
    pub fn messages(&self) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(|entry| entry.is_message_of("EndUser"))
    }

    /// What reps said to the end user, in their order; whispers among reps are left out.
    pub fn rep_entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(|entry| entry.is_message_of("Agent") && entry.visibility == "Default")
    }

    /// The session it is in, or was in last.
    pub fn session(&self) -> &Session {
        self.sessions
            .last()
            .expect("a conversation begins with a session")
    }

    pub(super) fn session_mut(&mut self) -> &mut Session {
        self.sessions
            .last_mut()
            .expect("a conversation begins with a session")
    }
}

impl Entry {
    fn is_message_of(&self, role: &str) -> bool {
        self.entry_type == "Message" && self.sender.role == role
    }
}
