//! What a real account does where no public source says so for sure: one switch per unknown.
//!
//! The default of each is the likeliest behaviour (sunshine reference §7).

use serde::{Deserialize, Serialize};

/// The switches of an account. In JSON, one that is left out has its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// A second conversation of a user: whether multi-conversations are on (§0).
    pub multi_conversations: MultiConversations,
    /// Whether there is a switchboard, and a workspace in it (§2.7).
    pub switchboard: Switchboard,
    /// Who has control of what nobody was passed (§2.2).
    pub default_responder: DefaultResponder,
    /// When the default responder gets it (§2.2).
    pub assigned: Assigned,
    /// `passControl` to somebody who is not there (§1.8).
    pub unknown_target: UnknownTarget,
    /// What tells that a ticket was closed or went to email (§3.6).
    pub end_signal: EndSignal,
    /// What tells that a rep ended the session (§3.6).
    pub end_of_session: EndOfSession,
    /// How the workspace writes the agent's id (§3.4).
    pub agent_id: AgentId,
    /// Whether `author.subtypes` says `agent` in webhooks (§3.4).
    pub agent_subtypes: Shown,
    /// Whether a page has `meta` when there is no other (§1.5).
    pub meta: Shown,
    /// How messages lie within a page (§1.5).
    pub page_order: PageOrder,
    /// How long lists are behind, in milliseconds: nothing promises that one reads one's writes.
    pub list_lag_millis: u64,
    /// A JSON property that the reference does not have.
    pub unknown_fields: UnknownFields,
    /// The `Retry-After` of a 429 (§1.6).
    pub retry_after: Option<String>,
    /// Whether files of reps need an `Authorization` (§2.5).
    pub private_attachments: Shown,
    /// Which searches Support understands (§2.1).
    pub support_search: SupportSearch,
    /// Whether agents' typing is told (§3.7).
    pub agent_typing: Shown,
    /// In what order events are delivered (§3.3).
    pub delivery_order: DeliveryOrder,
    /// How often each event is delivered though it was taken; 1 is once.
    pub deliveries: u32,
    /// How many events one delivery may have (§3.3).
    pub events_per_delivery: usize,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            multi_conversations: MultiConversations::On,
            switchboard: Switchboard::On,
            default_responder: DefaultResponder::Nobody,
            assigned: Assigned::AtFirstMessage,
            unknown_target: UnknownTarget::NotFound,
            end_signal: EndSignal::Release,
            end_of_session: EndOfSession::Release,
            agent_id: AgentId::Text,
            agent_subtypes: Shown::No,
            meta: Shown::Yes,
            page_order: PageOrder::OldestFirst,
            list_lag_millis: 0,
            unknown_fields: UnknownFields::Refused,
            retry_after: None,
            private_attachments: Shown::No,
            support_search: SupportSearch::ByField,
            agent_typing: Shown::Yes,
            delivery_order: DeliveryOrder::InOrder,
            deliveries: 1,
            events_per_delivery: 1,
        }
    }
}

/// Whether a user may have several conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MultiConversations {
    /// They may.
    On,
    /// A second one gets 400.
    Off,
}

/// Whether there is a switchboard, and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switchboard {
    /// There is, with the workspace and the bot.
    On,
    /// There is, with the bot alone.
    WithoutWorkspace,
    /// It is disabled.
    Disabled,
    /// There is none: messaging was never turned on.
    Absent,
}

/// Who has control by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultResponder {
    /// Nobody.
    Nobody,
    /// The reps.
    AgentWorkspace,
    /// Zendesk's bot, which answers every message of a user.
    AnswerBot,
}

/// When the default responder gets control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assigned {
    /// With the conversation.
    AtCreation,
    /// With its first message.
    AtFirstMessage,
}

/// What `passControl` to somebody unknown gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownTarget {
    /// 404.
    NotFound,
    /// 400.
    BadRequest,
    /// 200, and then an event that says it failed.
    FailsLater,
}

/// What follows when a ticket is closed or goes to email.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndSignal {
    /// `switchboard:releaseControl` with the reason.
    Release,
    /// A notice in the conversation, then the release.
    NoticeThenRelease,
    /// A notice in the conversation; control stays.
    Notice,
    /// `switchboard:passControl` to the bot.
    PassToBot,
}

/// What follows when a rep ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndOfSession {
    /// `switchboard:releaseControl` without a reason.
    Release,
    /// Nothing but that control is gone.
    Silence,
}

/// How an agent's id is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentId {
    /// A string.
    Text,
    /// A number.
    Number,
    /// Not at all.
    Missing,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// How messages lie within a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageOrder {
    /// The oldest first.
    OldestFirst,
    /// The newest first.
    NewestFirst,
}

/// What an unknown JSON property gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownFields {
    /// 400.
    Refused,
    /// Nothing.
    Ignored,
}

/// Which searches Support understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupportSearch {
    /// `phone:"…"` and `email:"…"`.
    ByField,
    /// Words alone.
    ByWord,
}

/// In what order events are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryOrder {
    /// One after the other; what fails comes again later.
    InOrder,
    /// All at once.
    AtOnce,
}
