//! The calls about messages and activities (sunshine reference §2.3, §2.4).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::Shared;
use super::api::{Answer, Key};
use super::bodies::{Fields, missing};
use super::ledger::Message;
use super::memory::{Memory, written};
use super::pages::Wanted;
use super::refusal::Refusal;
use super::switches::PageOrder;
use super::users::At;

pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
    body: Fields,
) -> Answer {
    shared.change(|memory| {
        let unknown = memory.switches.unknown_fields;
        body.known(
            &["author", "content", "metadata", "destination", "override"],
            unknown,
        )?;
        let position = memory.conversation(&id)?;
        if body.get("author").is_null() {
            return Err(missing("author"));
        }
        let author = Fields::of(body.get("author"), "author")?;
        author.known(
            &[
                "type",
                "userId",
                "userExternalId",
                "displayName",
                "avatarUrl",
                "subtypes",
            ],
            unknown,
        )?;
        let author = memory.author(position, &author)?;
        let content = memory.content(position, &body)?;
        let metadata = body.metadata()?;
        let limit = memory.options.limits.messages_per_conversation;
        if memory.at(position).messages.len() >= limit {
            let reason = format!("Message limit of {limit} per conversation reached.");
            return Err(Refusal::new(StatusCode::LOCKED, "locked", reason));
        }
        let message = memory.say(
            position,
            author,
            content,
            metadata,
            "api:conversations",
            None,
        );
        let shown = on_the_wire(message);
        Ok((StatusCode::CREATED, Json(json!({ "messages": [shown] }))).into_response())
    })
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let memory = shared.memory();
    let conversation = memory.at(memory.conversation(&id)?);
    let messages = conversation
        .messages
        .iter()
        .filter(|it| memory.shows(it.received));
    let items: Vec<Value> = messages.map(on_the_wire).collect();
    let mut page = wanted.backwards("messages", items, memory.switches.meta)?;
    if let (PageOrder::NewestFirst, Some(messages)) =
        (memory.switches.page_order, page["messages"].as_array_mut())
    {
        messages.reverse();
    }
    Ok(Json(page).into_response())
}

pub(super) async fn activity(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
    body: Fields,
) -> Answer {
    shared.change(|memory| {
        body.known(&["author", "type"], memory.switches.unknown_fields)?;
        let position = memory.conversation(&id)?;
        let author = Fields::of(body.get("author"), "author")?;
        let is_user = author.required("type")? == "user";
        match body.required("type")?.as_str() {
            "conversation:read" => {
                memory.author(position, &author)?;
                memory.at_mut(position).reads += u32::from(is_user);
            }
            "typing:start" | "typing:stop" if !is_user => {}
            _ => {
                return Err(Refusal::bad_request(
                    "type should be equal to one of the allowed values",
                ));
            }
        }
        Ok(Json(json!({})).into_response())
    })
}

impl Memory {
    /// The author of a message as the vendor writes it, if they may write here.
    fn author(&self, position: usize, author: &Fields) -> Result<Value, Refusal> {
        match author.required("type")?.as_str() {
            "user" => {
                let user = &self.ledger.users[self.user_named_in(author)?];
                if user.id != self.at(position).user {
                    let reason = "User is not a member of the conversation";
                    return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", reason));
                }
                Ok(json!({ "type": "user", "userId": user.id }))
            }
            "business" => {
                Ok(json!({ "type": "business", "displayName": author.get("displayName") }))
            }
            _ => Err(Refusal::bad_request(
                "author.type should be equal to one of the allowed values",
            )),
        }
    }

    /// The content of a message, if it may be sent.
    fn content(&self, position: usize, body: &Fields) -> Result<Value, Refusal> {
        if body.get("content").is_null() {
            return Err(missing("content"));
        }
        let content = Fields::of(body.get("content"), "content")?;
        match content.required("type")?.as_str() {
            "text" => {
                let text = content.required("text")?;
                if text.trim().is_empty()
                    || text.encode_utf16().count() > self.options.limits.text_units
                {
                    return Err(Refusal::bad_request(
                        "text should NOT be longer than 4096 characters",
                    ));
                }
                Ok(body.get("content").clone())
            }
            "image" | "file" => {
                content.text("altText", 1..=128)?;
                let url = content.required("mediaUrl")?;
                let mut known = self.ledger.attachments.iter();
                let Some(file) = known.find(|it| it.url == url) else {
                    return Err(Refusal::bad_request("Invalid media url"));
                };
                if file
                    .conversation
                    .as_ref()
                    .is_some_and(|it| *it != self.at(position).id)
                {
                    return Err(Refusal::bad_request(
                        "Invalid media url for this conversation",
                    ));
                }
                let mut shown = body.get("content").clone();
                shown["mediaType"] = file.media_type.as_str().into();
                shown["mediaSize"] = file.bytes.into();
                shown["attachmentId"] = file.id.as_str().into();
                Ok(shown)
            }
            _ => Err(Refusal::bad_request("content.type is not simulated")),
        }
    }

    /// Puts a message into a conversation, with all that follows from it.
    pub fn say(
        &mut self,
        position: usize,
        author: Value,
        content: Value,
        metadata: Map<String, Value>,
        source: &str,
        activity: Option<Value>,
    ) -> &Message {
        let (id, received) = (self.id(), self.moment());
        let message = Message {
            id,
            received,
            author,
            content,
            metadata,
            source: source.to_owned(),
            activity,
        };
        let is_users = message.author["type"] == "user";
        let text = message.text().to_owned();
        let event = json!({ "message": on_the_wire(&message) });
        let conversation = self.at_mut(position);
        conversation.messages.push(message);
        let (number, id) = (conversation.messages.len() - 1, conversation.id.clone());
        self.emit("conversation:message", position, event);
        self.hear(position, is_users);
        if is_users {
            self.cue(&id, &text);
        }
        &self.at(position).messages[number]
    }
}

/// A message as the vendor writes it.
pub(super) fn on_the_wire(message: &Message) -> Value {
    let mut wire = json!({
        "id": message.id, "received": written(message.received), "author": message.author,
        "content": message.content, "source": { "type": message.source },
    });
    if !message.metadata.is_empty() {
        wire["metadata"] = json!(message.metadata);
    }
    if let Some(activity) = &message.activity {
        wire["activity"] = activity.clone();
    }
    wire
}
