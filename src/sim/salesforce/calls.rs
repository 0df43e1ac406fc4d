//! The calls about conversations, from HTTP to the rules and back (miaw reference §2.6, §2.7, §2.9 to §2.14).

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::api::{Answer, bare};
use super::conversations::Post;
use super::event::Draft;
use super::identity::Access;
use super::ledger::{ConversationState, Entry, Sender};
use super::refusal::Refusal;
use super::request::{
    AcknowledgeRequest, CreateRequest, MessageRequest, TypingRequest, check_content, check_uuid,
    message_id, read,
};
use super::switches::Done;
use super::{Shared, call};

/// How much a list shows unless it is told (§2.9, §2.11).
const PAGE: usize = 20;

/// How much it shows at most.
const PAGE_MAX: usize = 50;

/// What comes and goes without a trace in `entries`.
const FLEETING: [&str; 2] = ["TypingStartedIndicator", "TypingStoppedIndicator"];

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    body: Bytes,
) -> Answer {
    shared.change(|memory| {
        let request: CreateRequest = read(&body, memory.switches.unknown_fields)?;
        memory.create(&caller, request)?;
        Ok(bare(StatusCode::CREATED))
    })
}

pub(super) async fn message(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    Path(conversation): Path<String>,
    body: Bytes,
) -> Answer {
    shared.change(|memory| {
        let request: MessageRequest = read(&body, memory.switches.unknown_fields)?;
        let position = memory.find(&caller, &conversation)?;
        memory.check_deployment(&request.es_developer_name)?;
        let id = message_id(&request.message)?;
        check_content(&request.message, memory.options.limits.text_characters)?;
        let post = Post {
            call: call::MESSAGE,
            id,
            text: request.message["staticContent"]["text"].as_str(),
            opens_session: request.is_new_messaging_session,
            attributes: request.routing_attributes,
        };
        let sender = Sender::end_user(&caller.sub);
        let sent_at = memory.post(position, post, |_| {
            Draft::message(sender, request.message.clone())
        })?;
        Ok(accepted(id, sent_at))
    })
}

/// 202 for a message or file.
pub(super) fn accepted(id: &str, sent_at: u64) -> axum::response::Response {
    let body = json!({ "conversationEntries": [{ "id": id, "clientTimestamp": sent_at }] });
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListQuery {
    #[serde(default)]
    incl_closed_convs: bool,
    limit: Option<usize>,
    conversation_id: Option<String>,
    start_timestamp: Option<u64>,
    end_timestamp: Option<u64>,
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Answer {
    let query = understood(query)?;
    let page = page(query.limit)?;
    let times = query.start_timestamp.unwrap_or(0)..=query.end_timestamp.unwrap_or(u64::MAX);
    let memory = shared.memory();
    let mut found = memory.of_end_user(&caller.sub).collect::<Vec<_>>();
    found.reverse();
    found.retain(|it| {
        query.conversation_id.as_ref().is_none_or(|id| *id == it.id)
            && times.contains(&it.sessions[0].started_at)
            && it.state != ConversationState::Deleted
    });
    let (open, closed): (Vec<_>, Vec<_>) = found
        .iter()
        .partition(|it| it.state == ConversationState::Open);
    let shown = if query.incl_closed_convs {
        &found
    } else {
        &open
    };
    let conversations: Vec<_> = (shown.iter().take(page))
        .map(|it| json!({ "conversationId": it.id, "startTimestamp": it.sessions[0].started_at }))
        .collect();
    let body = json!({
        "openConversationsFound": open.len(),
        "closedConversationsFound": closed.len(),
        "conversations": conversations,
    });
    Ok(Json(body).into_response())
}

pub(super) async fn routing_status(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    Path(id): Path<String>,
) -> Answer {
    let memory = shared.memory();
    let conversation = memory.at(memory.find(&caller, &id)?);
    Ok(
        Json(json!({ "conversationId": id, "routingStatus": conversation.routing }))
            .into_response(),
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntriesQuery {
    limit: Option<usize>,
    start_timestamp: Option<u64>,
    end_timestamp: Option<u64>,
    direction: Option<Direction>,
    entry_type_filter: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
enum Direction {
    FromStart,
    FromEnd,
}

pub(super) async fn entries(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    Path(id): Path<String>,
    query: Result<Query<EntriesQuery>, QueryRejection>,
) -> Answer {
    let query = understood(query)?;
    let page = page(query.limit)?;
    let times = query.start_timestamp.unwrap_or(0)..=query.end_timestamp.unwrap_or(u64::MAX);
    let wanted = |entry: &&Entry| {
        let types = query.entry_type_filter.as_deref();
        times.contains(&entry.transcripted_at)
            && types.is_none_or(|types| types.split(',').any(|it| it == entry.entry_type))
            && !FLEETING.contains(&entry.entry_type)
    };
    let memory = shared.memory();
    let matching = memory
        .at(memory.find(&caller, &id)?)
        .entries
        .iter()
        .filter(wanted);
    let written = |entry: &Entry| entry.on_the_wire(entry.payload.clone());
    let entries: Vec<_> = match query.direction.unwrap_or(Direction::FromEnd) {
        Direction::FromStart => matching.take(page).map(written).collect(),
        Direction::FromEnd => matching.rev().take(page).map(written).collect(),
    };
    Ok(Json(json!({ "conversationEntries": entries })).into_response())
}

pub(super) async fn acknowledge(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    shared.change(|memory| {
        let request: AcknowledgeRequest = read(&body, memory.switches.unknown_fields)?;
        let position = memory.find(&caller, &id)?;
        memory.acknowledge(position, request)?;
        Ok(done(memory.switches.acknowledgements))
    })
}

pub(super) async fn typing(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    shared.change(|memory| {
        let request: TypingRequest = read(&body, memory.switches.unknown_fields)?;
        let position = memory.find(&caller, &id)?;
        check_uuid("id", &request.id)?;
        match request.entry_type.as_str() {
            "TypingStartedIndicator" => memory.at_mut(position).typing += 1,
            "TypingStoppedIndicator" => {}
            other => {
                return Err(Refusal::bad_request(format!(
                    "End users can't send entries of type {other}."
                )));
            }
        }
        Ok(bare(StatusCode::OK))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteQuery {
    es_developer_name: String,
}

pub(super) async fn end_session(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    Path(id): Path<String>,
    query: Result<Query<DeleteQuery>, QueryRejection>,
    body: Bytes,
) -> Answer {
    let query = understood(query)?;
    check_empty(&body)?;
    shared.change(|memory| {
        memory.check_deployment(&query.es_developer_name)?;
        let position = memory.find(&caller, &id)?;
        memory.end_session(position);
        Ok(done(memory.switches.deletes))
    })
}

pub(super) async fn close(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    Path(id): Path<String>,
    query: Result<Query<DeleteQuery>, QueryRejection>,
    body: Bytes,
) -> Answer {
    let query = understood(query)?;
    check_empty(&body)?;
    shared.change(|memory| {
        memory.check_deployment(&query.es_developer_name)?;
        let position = memory.find(&caller, &id)?;
        memory.close(position)?;
        Ok(done(memory.switches.deletes))
    })
}

/// A success that the switches decide the status of.
pub(super) fn done(status: Done) -> axum::response::Response {
    match status {
        Done::NoContent => bare(StatusCode::NO_CONTENT),
        Done::Ok => bare(StatusCode::OK),
    }
}

fn understood<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    query
        .map(|Query(query)| query)
        .map_err(|rejection| Refusal::bad_request(rejection.body_text()))
}

fn page(limit: Option<usize>) -> Result<usize, Refusal> {
    match limit {
        None => Ok(PAGE),
        Some(limit @ 1..=PAGE_MAX) => Ok(limit),
        Some(_) => Err(Refusal::bad_request(format!(
            "Specify a limit from 1 to {PAGE_MAX}."
        ))),
    }
}

fn check_empty(body: &[u8]) -> Result<(), Refusal> {
    if body.is_empty() {
        Ok(())
    } else {
        Err(Refusal::bad_request("The request must not have a body."))
    }
}
