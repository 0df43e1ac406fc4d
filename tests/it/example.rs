//! The example escalation of `docs/events/`: as JSON to change, as an escalation, and as a handoff of it.

use std::collections::BTreeSet;

use baton::domain::clock::Timestamp;
use baton::domain::connection::DeskKind;
use baton::domain::contact::ContactEvent;
use baton::domain::escalation::Escalation;
use baton::domain::event::{Bounds, Poison, Received};
use baton::domain::handoff::{
    AccessToken, Handoff, IdentityToken, Keys, Phase, Progress, Spent, Status,
};
use baton::domain::ids::{ConversationId, HandoffId, Namespace};
use baton::domain::trace::TraceContext;
use baton::domain::transcript::OpeningMessage;
use serde_json::Value;

/// The event as it is documented.
pub const ESCALATION: &str =
    include_str!("../../docs/events/handoff.escalation.requested.v1.example.json");

/// Enough for every example.
pub const BOUNDS: Bounds = Bounds {
    event_bytes_max: 256 << 10,
};

/// The example, changed.
pub fn event(change: impl FnOnce(&mut Value)) -> Value {
    let mut event = serde_json::from_str(ESCALATION).expect("JSON");
    change(&mut event);
    event
}

/// What is read of an event.
pub fn read(event: &Value) -> Result<Escalation, Poison> {
    Received::decode(event.to_string().as_bytes(), BOUNDS)
        .and_then(|event| Escalation::read(&event))
}

/// What is read of an event of the contact's side.
pub fn read_contact(event: &Value) -> Result<ContactEvent, Poison> {
    Received::decode(event.to_string().as_bytes(), BOUNDS)
        .and_then(|event| ContactEvent::read(&event))
}

/// The example with other data, as an escalation.
pub fn escalation(change: impl FnOnce(&mut Value)) -> Escalation {
    read(&event(|event| change(&mut event["data"]))).expect("an escalation")
}

/// A time of day on the day of the example.
pub fn at(time: &str) -> Timestamp {
    format!("2026-11-20T{time}Z").parse().expect("a time")
}

/// A handoff that has just been taken in.
pub fn handoff(escalation: Escalation) -> Handoff {
    let keys = Keys::of(Namespace::new("test"), &escalation);
    Handoff {
        last_inbound_at: escalation.reply_to.last_inbound_at,
        choices: vec![],
        id: HandoffId::new(),
        desk: Some(DeskKind::Salesforce),
        keys,
        trace: TraceContext::own(keys.conversation),
        escalation,
        progress: Progress::Received,
        status: Status::Due { at: at("14:03:22") },
        phase: Phase::Ready,
        tried: BTreeSet::new(),
        spent: Spent::default(),
        generation: 1,
        accepted_at: at("14:03:22"),
        deadline: at("14:18:22"),
        cursor: None,
        sequence: 0,
        last_reply_at: None,
    }
}

/// An identity token that is good until then.
pub fn identity(expires_at: Timestamp) -> IdentityToken {
    IdentityToken {
        token: "identity".to_owned().into(),
        expires_at,
    }
}

/// An access token that is good until then.
pub fn access(expires_at: Timestamp) -> AccessToken {
    AccessToken {
        token: "access".to_owned().into(),
        expires_at,
        cursor: None,
    }
}

/// The conversation of all examples.
pub fn conversation() -> ConversationId {
    ConversationId::from("cebf41a4-f8a5-48ab-a628-7283c794c71c")
}

/// All stages of progress, in order, with tokens that are good until then.
pub fn stages(expires_at: Timestamp) -> [Progress; 6] {
    let (access, conversation) = (access(expires_at), conversation());
    let opening = OpeningMessage {
        text: "AI summary".to_owned(),
        whole: None,
    };
    [
        Progress::Received,
        Progress::Identified {
            identity: identity(expires_at),
        },
        Progress::Authorized {
            access: access.clone(),
        },
        Progress::Prepared {
            access: access.clone(),
            opening: opening.clone(),
        },
        Progress::Opened {
            access: access.clone(),
            opening,
            conversation: conversation.clone(),
        },
        Progress::Connected {
            access,
            conversation,
        },
    ]
}
