//! The calls about conversations (sunshine reference §2.2).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::api::{Answer, Key};
use super::bodies::{Fields, missing};
use super::ledger::Conversation;
use super::memory::{Memory, written};
use super::pages::Wanted;
use super::refusal::Refusal;
use super::switches::{Assigned, MultiConversations};
use super::users::At;

pub(super) async fn create(State(shared): State<Arc<Shared>>, _: Key, body: Fields) -> Answer {
    shared.change(|memory| {
        let unknown = memory.switches.unknown_fields;
        body.known(
            &[
                "type",
                "participants",
                "displayName",
                "description",
                "iconUrl",
                "metadata",
            ],
            unknown,
        )?;
        if body.required("type")? != "personal" {
            return Err(Refusal::bad_request(
                "only personal conversations are simulated",
            ));
        }
        let participants = body.get("participants").as_array();
        let participants = participants.ok_or_else(|| missing("participants"))?;
        let [participant] = participants.as_slice() else {
            return Err(Refusal::bad_request("Too many participants"));
        };
        let participant = Fields::of(participant, "participants[0]")?;
        participant.known(&["userId", "userExternalId", "subscribeSDKClient"], unknown)?;
        let user = memory.user_named_in(&participant)?;
        for name in ["displayName", "description"] {
            body.text(name, 1..=100)?;
        }
        let metadata = body.metadata()?;
        let user = memory.ledger.users[user].id.clone();
        let is_default = memory.ledger.conversations.iter().all(|it| it.user != user);
        if !is_default && memory.switches.multi_conversations == MultiConversations::Off {
            return Err(Refusal::bad_request(
                "Multiple conversations are not enabled",
            ));
        }
        let (id, at) = (memory.id(), memory.moment());
        let position = memory.ledger.conversations.len();
        memory.ledger.positions.insert(id.clone(), position);
        memory.ledger.conversations.push(Conversation {
            id,
            user,
            is_default,
            metadata,
            active: None,
            messages: Vec::new(),
            controls: Vec::new(),
            reads: 0,
            at,
            removed: false,
        });
        memory.emit(
            "conversation:create",
            position,
            json!({ "creationReason": "none" }),
        );
        if memory.switches.assigned == Assigned::AtCreation {
            memory.assign_default(position);
        }
        let body = json!({ "conversation": memory.shown(position) });
        Ok((StatusCode::CREATED, Json(body)).into_response())
    })
}

#[derive(Deserialize)]
pub(super) struct Whose {
    #[serde(rename = "filter[userId]")]
    user_id: Option<String>,
    #[serde(rename = "filter[userExternalId]")]
    external_id: Option<String>,
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Query(whose): Query<Whose>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let memory = shared.memory();
    let user = match (whose.user_id, whose.external_id) {
        (Some(id), None) | (None, Some(id)) => memory.user(&id)?,
        (None, None) | (Some(_), Some(_)) => {
            return Err(Refusal::bad_request(
                "should match exactly one schema in oneOf",
            ));
        }
    };
    let user = &memory.ledger.users[user].id;
    let all = memory.ledger.conversations.iter().enumerate();
    let theirs = all.filter(|(_, it)| it.user == *user && !it.removed && memory.shows(it.at));
    let items: Vec<Value> = theirs.map(|(position, _)| memory.shown(position)).collect();
    let page = wanted.forwards("conversations", items, memory.switches.meta)?;
    Ok(Json(page).into_response())
}

pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
) -> Answer {
    let memory = shared.memory();
    let position = memory.conversation(&id)?;
    Ok(Json(json!({ "conversation": memory.shown(position) })).into_response())
}

pub(super) async fn participants(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
) -> Answer {
    let memory = shared.memory();
    let user = &memory.at(memory.conversation(&id)?).user;
    let participant = json!({ "id": format!("{user:0>24}"), "userId": user, "unreadCount": 0 });
    let body = json!({ "participants": [participant], "meta": { "hasMore": false } });
    Ok(Json(body).into_response())
}

impl Memory {
    /// The one user that an author or participant is named by.
    pub fn user_named_in(&self, fields: &Fields) -> Result<usize, Refusal> {
        let named = [
            fields.text("userId", 1..=1024)?,
            fields.text("userExternalId", 1..=1024)?,
        ];
        match named {
            [Some(id), None] | [None, Some(id)] => self.user(&id),
            [None, None] | [Some(_), Some(_)] => Err(Refusal::bad_request(
                "should match exactly one schema in oneOf",
            )),
        }
    }

    /// A conversation as the vendor writes it.
    pub fn shown(&self, position: usize) -> Value {
        let conversation = self.at(position);
        let last = conversation
            .messages
            .last()
            .map_or(conversation.at, |it| it.received);
        let mut shown = json!({
            "id": conversation.id, "type": "personal", "metadata": conversation.metadata,
            "isDefault": conversation.is_default, "createdAt": written(conversation.at), "lastUpdatedAt": written(last),
        });
        if let Some(active) = self.active(position) {
            shown["activeSwitchboardIntegration"] = active;
        }
        shown
    }
}
