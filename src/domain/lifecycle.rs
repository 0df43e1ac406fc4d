//! What Baton tells the world about a handoff (`lifecycle.<name>`, type `handoff.<name>.v1`).

use std::time::Duration;

use serde_json::{Value, json};

use super::channel::Part;
use super::clock::Timestamp;
use super::connection::DeskKind;
use super::error::Code;
use super::event::Published;
use super::handoff::{Ending, Handoff, Step};
use super::ids::EntryId;
use super::reply::Rep;

/// Something that happened to a handoff.
#[derive(Debug, Clone, PartialEq)]
pub enum Lifecycle {
    /// It is stored and will be done.
    Accepted,
    /// The same escalation came again, for the nth time.
    Duplicate {
        /// How many times it has come, the first not counted.
        count: u64,
    },
    /// The rep's side is open, and the rep has the story.
    Live,
    /// A step failed and will be tried again.
    Retrying {
        /// The step that failed.
        step: Step,
        /// Failures so far in this generation.
        failures: u32,
        /// What went wrong.
        code: Code,
        /// When it will be tried again.
        at: Timestamp,
    },
    /// How far the contact is from a rep.
    Queue {
        /// The entry that said so.
        entry: EntryId,
        /// Place in the queue, where the desk gives it.
        position: Option<u64>,
        /// Estimated wait in seconds, where the desk gives it.
        wait_seconds: Option<u64>,
    },
    /// A rep joined.
    RepJoined {
        /// The entry that said so.
        entry: EntryId,
        /// Who.
        rep: Rep,
    },
    /// A rep left; the handoff goes on until `ended`.
    RepLeft {
        /// The entry that said so.
        entry: EntryId,
        /// Who.
        rep: Rep,
    },
    /// The conversation went to another queue or rep.
    Transferred {
        /// The entry that said so.
        entry: EntryId,
    },
    /// The desk could not route it; nobody is coming unless somebody acts at the desk.
    RoutingFailed {
        /// The entry that said so.
        entry: EntryId,
        /// What the desk says.
        reason: String,
    },
    /// No rep has come to the contact for as long as is promised.
    NoRep {
        /// How long the contact has waited.
        waited: Duration,
    },
    /// The rep is typing, or stopped.
    Typing {
        /// Whether they are.
        typing: bool,
    },
    /// A message of the contact reached the rep.
    ContactMessageDelivered {
        /// The producer's id of the message.
        message: String,
    },
    /// A message of the contact did not reach a rep, and will not: upstream may go on with the AI.
    ContactMessageFailed {
        /// The producer's id of the message.
        message: String,
        /// Why.
        code: Code,
        /// In words.
        reason: String,
    },
    /// A reply waits for the contact to write: WhatsApp's window is closed.
    Held {
        /// The reply's entry.
        entry: EntryId,
        /// The id that the reply's event will have.
        reply: String,
    },
    /// A reply, or a part of one, does not go to the contact's channel, because it is set so.
    Withheld {
        /// The reply's entry.
        entry: EntryId,
        /// The id that the reply's event has, or would have.
        reply: String,
        /// What does not go.
        parts: Vec<Part>,
    },
    /// It is over.
    Ended {
        /// Why.
        why: Ending,
        /// `sequence` of the last reply; 0 when there was none.
        last_sequence: u64,
    },
    /// It was set aside as a dead letter.
    Failed {
        /// Why.
        code: Code,
        /// Where it stopped.
        step: Step,
        /// In words.
        reason: String,
    },
}

impl Lifecycle {
    /// All names there are, for documents and schemas.
    pub const NAMES: &[&str] = &[
        "accepted",
        "duplicate",
        "live",
        "retrying",
        "queue",
        "rep_joined",
        "rep_left",
        "transferred",
        "routing_failed",
        "no_rep",
        "typing",
        "contact_message_delivered",
        "contact_message_failed",
        "held",
        "withheld",
        "ended",
        "failed",
    ];

    /// The name, as in the routing key.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate { .. } => "duplicate",
            Self::Live => "live",
            Self::Retrying { .. } => "retrying",
            Self::Queue { .. } => "queue",
            Self::RepJoined { .. } => "rep_joined",
            Self::RepLeft { .. } => "rep_left",
            Self::Transferred { .. } => "transferred",
            Self::RoutingFailed { .. } => "routing_failed",
            Self::NoRep { .. } => "no_rep",
            Self::Typing { .. } => "typing",
            Self::ContactMessageDelivered { .. } => "contact_message_delivered",
            Self::ContactMessageFailed { .. } => "contact_message_failed",
            Self::Held { .. } => "held",
            Self::Withheld { .. } => "withheld",
            Self::Ended { .. } => "ended",
            Self::Failed { .. } => "failed",
        }
    }

    /// What tells two events of the same name and generation apart: the id is derived from it.
    fn about(&self) -> String {
        match self {
            Self::Accepted
            | Self::Live
            | Self::NoRep { .. }
            | Self::Ended { .. }
            | Self::Failed { .. } => String::new(),
            Self::Duplicate { count } => count.to_string(),
            Self::Retrying { failures, .. } => failures.to_string(),
            Self::Queue { entry, .. }
            | Self::RepJoined { entry, .. }
            | Self::RepLeft { entry, .. }
            | Self::Transferred { entry }
            | Self::RoutingFailed { entry, .. }
            | Self::Held { entry, .. }
            | Self::Withheld { entry, .. } => entry.to_string(),
            Self::ContactMessageDelivered { message }
            | Self::ContactMessageFailed { message, .. } => message.clone(),
            Self::Typing { .. } => unreachable!("typing is never stored and has an id of its own"),
        }
    }

    /// The event as it is published.
    pub fn event(&self, handoff: &Handoff, now: Timestamp) -> Published {
        let id = match self {
            Self::Typing { .. } => uuid::Uuid::now_v7().to_string(),
            _ => handoff.event_key(self.name(), &self.about()).to_string(),
        };
        Published {
            id,
            kind: format!("handoff.{}.v1", self.name()),
            source: format!("/baton/{}", handoff.escalation.connection),
            subject: handoff.escalation.session.to_string(),
            time: now,
            data: self.data(handoff),
            trace: handoff.trace.clone(),
        }
    }

    fn data(&self, handoff: &Handoff) -> Value {
        let mut data = json!({
            "handoff_id": handoff.id.to_string(),
            "generation": handoff.generation,
            "session_id": handoff.escalation.session.as_str(),
            "connection": handoff.escalation.connection.as_str(),
            "desk": handoff.desk.map(|desk| desk.as_str()),
            "channel": handoff.escalation.channel.as_str(),
            "conversation_id": handoff.progress.conversation().map(|id| id.as_str()),
        });
        let more = match self {
            Self::Accepted => json!({ "event_id": handoff.escalation.id.as_str() }),
            Self::Duplicate { count } => {
                json!({ "event_id": handoff.escalation.id.as_str(), "count": count })
            }
            Self::Live => live(handoff),
            Self::Retrying {
                step,
                failures,
                code,
                at,
            } => json!({
                "step": step.as_str(), "failures": failures, "code": code.as_str(),
                "class": code.class().as_str(), "next_attempt_at": at.to_string(),
            }),
            Self::Queue {
                position,
                wait_seconds,
                ..
            } => {
                json!({ "position": position, "wait_seconds": wait_seconds })
            }
            Self::RepJoined { rep, .. } | Self::RepLeft { rep, .. } => {
                json!({ "rep": { "id": rep.id, "name": rep.name } })
            }
            Self::Transferred { .. } => json!({}),
            Self::RoutingFailed { reason, .. } => json!({ "reason": reason }),
            Self::NoRep { waited } => json!({ "waited_seconds": waited.as_secs() }),
            Self::Typing { typing } => json!({ "typing": typing }),
            Self::ContactMessageDelivered { message } => json!({ "message_id": message }),
            Self::ContactMessageFailed {
                message,
                code,
                reason,
            } => json!({
                "message_id": message, "code": code.as_str(), "class": code.class().as_str(), "reason": reason,
            }),
            Self::Held { reply, .. } => json!({ "reply_id": reply, "why": "whatsapp_window" }),
            Self::Withheld { reply, parts, .. } => {
                let parts: Vec<&str> = parts.iter().map(|part| part.as_str()).collect();
                json!({ "reply_id": reply, "parts": parts, "why": "channel_setting" })
            }
            Self::Ended { why, last_sequence } => {
                json!({ "reason": why.as_str(), "last_sequence": last_sequence })
            }
            Self::Failed { code, step, reason } => json!({
                "code": code.as_str(), "class": code.class().as_str(), "step": step.as_str(), "reason": reason,
            }),
        };
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more);
        }
        data
    }
}

/// How replies come back, and the conversation's id under the name that the desk's own integrations give it.
fn live(handoff: &Handoff) -> Value {
    let mut data = json!({ "replies": handoff.desk.map(|desk| desk.replies()) });
    if let Some(field) = handoff.desk.and_then(DeskKind::id_field) {
        data[field] = json!(handoff.progress.conversation().map(|id| id.as_str()));
    }
    data
}
