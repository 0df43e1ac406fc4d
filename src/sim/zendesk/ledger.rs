//! What an account remembers of everything that was done to it, for whoever judges a run.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Everything that happened, in the order in which it happened.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ledger {
    /// Every user of the app.
    pub users: Vec<User>,
    /// Every conversation that was created.
    pub conversations: Vec<Conversation>,
    /// Every ticket.
    pub tickets: Vec<Ticket>,
    /// Every user of Support.
    pub support_users: Vec<SupportUser>,
    /// Every file.
    pub attachments: Vec<Attachment>,
    /// The webhooks as they are.
    pub webhooks: Vec<Webhook>,
    /// Every delivery to a webhook.
    pub deliveries: Vec<Delivery>,
    /// Every call that was refused. Planned faults are no refusals.
    pub refusals: Vec<Refused>,
    /// How often each call was made, refused and faulty ones included.
    pub calls: BTreeMap<String, u32>,
    #[serde(skip)]
    pub(super) positions: HashMap<String, usize>,
}

/// A user of the app.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The vendor's id.
    pub id: String,
    /// The id its creator chose.
    pub external_id: Option<String>,
    /// Name, email address, language.
    pub profile: Map<String, Value>,
    /// What its creator keeps there.
    pub metadata: Map<String, Value>,
    /// When it was made, in epoch milliseconds.
    pub at: u64,
    /// Whether it was merged into another, and is gone.
    pub merged: bool,
}

/// A conversation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// The vendor's id.
    pub id: String,
    /// Whose.
    pub user: String,
    /// Whether it is the first of its user.
    pub is_default: bool,
    /// What its creator keeps there.
    pub metadata: Map<String, Value>,
    /// Who has control: the name of a switchboard integration.
    pub active: Option<String>,
    /// Everything that was said, in the order in which it was accepted.
    pub messages: Vec<Message>,
    /// Every time that control went anywhere.
    pub controls: Vec<Control>,
    /// How often its user has read it.
    pub reads: u32,
    /// When it was made, in epoch milliseconds.
    pub at: u64,
    /// Whether it was removed, and is gone.
    pub removed: bool,
}

/// A message.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The vendor's id.
    pub id: String,
    /// When it was accepted, in epoch milliseconds; no two are the same.
    pub received: u64,
    /// As the vendor writes it.
    pub author: Value,
    /// As the vendor writes it.
    pub content: Value,
    /// What its sender keeps there.
    pub metadata: Map<String, Value>,
    /// `api:conversations`, `zd:agentWorkspace`, …
    pub source: String,
    /// What happened, if it is a notice of that.
    pub activity: Option<Value>,
}

/// Control that went somewhere.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    /// To whom; released, if to nobody.
    pub to: Option<String>,
    /// What went along.
    pub metadata: Map<String, Value>,
    /// When, in epoch milliseconds.
    pub at: u64,
}

/// A ticket of Support.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// Its number.
    pub id: u64,
    /// The conversation it came from.
    pub conversation: String,
    /// The support user who asks.
    pub requester: u64,
    /// How the requester is called on it, if `passControl` said so.
    pub requester_name: Option<String>,
    /// Where it stands.
    pub status: TicketStatus,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Its custom fields by number.
    pub fields: BTreeMap<String, Value>,
    /// Its system fields by name.
    pub system: BTreeMap<String, Value>,
    /// The ids of the messages on it, in their order.
    pub messages: Vec<String>,
    /// When it was made, in epoch milliseconds.
    pub at: u64,
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TicketStatus {
    /// Nobody has written yet.
    New,
    /// A rep has written.
    Open,
    /// A rep holds it for done; the conversation stays theirs.
    Solved,
    /// For good.
    Closed,
}

/// A user of Support.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportUser {
    /// Their number; 0 is replaced by the next.
    pub id: u64,
    /// What they are called.
    pub name: String,
    /// `end-user`, `agent` or `admin`.
    pub role: String,
    /// What messaging looks them up by.
    pub external_id: Option<String>,
    /// In E.164.
    pub phone: Option<String>,
    /// Their address.
    pub email: Option<String>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// The vendor's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size.
    pub bytes: usize,
    /// The conversation it may be used in.
    pub conversation: Option<String>,
    /// Where it is.
    pub url: String,
}

/// A webhook of a custom integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Webhook {
    /// The vendor's id.
    pub id: String,
    /// The integration it belongs to.
    pub integration: String,
    /// What that is called.
    pub name: String,
    /// Where it leads.
    pub target: String,
    /// What it is called for.
    pub triggers: Vec<String>,
    /// What it carries.
    pub secret: String,
}

/// A delivery to a webhook.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// The webhook's id.
    pub webhook: String,
    /// The events' ids.
    pub events: Vec<String>,
    /// The events' types.
    pub types: Vec<String>,
    /// The status that each attempt got; none where there was no answer.
    pub attempts: Vec<Option<u16>>,
    /// Whether it is over, for better or worse.
    pub done: bool,
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
        let found = self.conversations.get(*self.positions.get(id)?);
        found.filter(|it| it.id == id)
    }

    /// The newest conversation whose metadata has this `opencx_session_id`.
    pub fn conversation_of_session(&self, session: &str) -> Option<&Conversation> {
        let mut newest_first = self.conversations.iter().rev();
        newest_first.find(|it| it.metadata.get("opencx_session_id") == Some(&session.into()))
    }

    /// The user with this id.
    pub fn user(&self, id: &str) -> Option<&User> {
        let found = self.users.get(*self.positions.get(id)?);
        found.filter(|it| it.id == id)
    }

    /// The tickets of a conversation, oldest first.
    pub fn tickets_of(&self, conversation: &str) -> impl Iterator<Item = &Ticket> {
        self.tickets
            .iter()
            .filter(move |it| it.conversation == conversation)
    }
}

impl Conversation {
    /// What its user wrote, in their order.
    pub fn of_user(&self) -> impl Iterator<Item = &Message> {
        self.messages
            .iter()
            .filter(|it| it.author["type"] == "user")
    }

    /// What businesses posted through the API, in their order: transcripts.
    pub fn of_business(&self) -> impl Iterator<Item = &Message> {
        let posted = self
            .messages
            .iter()
            .filter(|it| it.source == "api:conversations");
        posted.filter(|it| it.author["type"] == "business")
    }

    /// What the workspace wrote to the user, in its order.
    pub fn of_workspace(&self) -> impl Iterator<Item = &Message> {
        self.messages
            .iter()
            .filter(|it| it.source == "zd:agentWorkspace")
    }
}

impl Message {
    /// Its text, if it has any.
    pub fn text(&self) -> &str {
        self.content["text"].as_str().unwrap_or_default()
    }
}
