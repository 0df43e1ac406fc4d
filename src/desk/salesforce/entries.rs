//! Conversation entries: what Salesforce shows in a conversation, read from the stream or from the list.
//!
//! Whatever is unknown is read over, for new kinds of entry appear at any time (miaw reference §4.2).

use serde_json::Value;

use crate::desk::http::fit_for_logs;
use crate::desk::{Entry, Seen};
use crate::domain::clock::{self, Timestamp};
use crate::domain::handoff::Ending;
use crate::domain::ids::EntryId;
use crate::domain::reply::{Author, Rep};

use super::message;
use super::settings::AutomatedResponses;

/// An entry that is not built as entries are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has {0}")]
pub struct Unreadable(&'static str);

/// The id under which Salesforce knows an entry; for a message of ours it is the one we gave it
/// (miaw reference §2.7).
pub fn id(entry: &Value) -> Option<&str> {
    entry["identifier"].as_str()
}

/// When Salesforce took it.
pub fn at(entry: &Value) -> Timestamp {
    let times = ["transcriptedTimestamp", "clientTimestamp"];
    let ms = times.iter().find_map(|name| entry[name].as_i64());
    clock::from_ms(ms.unwrap_or_default())
}

/// What a `conversationEntry` says, as far as it concerns the contact: one that tells of several people becomes
/// several, each with an id of its own.
pub fn read(entry: &Value, automated: AutomatedResponses) -> Result<Vec<Entry>, Unreadable> {
    let id = id(entry).ok_or(Unreadable("no identifier"))?;
    // A JSON string on the stream, an object in the list (miaw reference §2.11, §4.3).
    let parsed: Value;
    let payload = match &entry["entryPayload"] {
        Value::String(text) => {
            parsed = serde_json::from_str(text)
                .map_err(|_| Unreadable("an entryPayload that is not JSON"))?;
            &parsed
        }
        object @ Value::Object(_) => object,
        _ => return Err(Unreadable("no entryPayload")),
    };
    let seen = what(entry, payload, automated)
        .into_iter()
        .map(|(place, what)| Entry {
            id: match place {
                0 => EntryId::from(id),
                _ => EntryId(format!("{id}#{place}")),
            },
            at: at(entry),
            what,
        })
        .collect();
    Ok(seen)
}

/// Each thing an entry says, with its place in the entry.
fn what(entry: &Value, payload: &Value, automated: AutomatedResponses) -> Vec<(usize, Seen)> {
    let of_rep = entry["sender"]["role"] == "Agent" && is_shown(entry);
    let kind = entry["entryType"]
        .as_str()
        .or(payload["entryType"].as_str());
    match kind.unwrap_or_default() {
        "Message" if message::is_automatic(payload) => {
            let forwarded = automated == AutomatedResponses::Forward && is_of_desk(entry);
            alone(forwarded.then(|| message::reply(Rep::default(), Author::Desk, payload)))
        }
        "Message" if of_rep => alone(Some(message::reply(sender(entry), Author::Rep, payload))),
        "TypingStartedIndicator" if of_rep => alone(Some(Seen::Typing { typing: true })),
        "TypingStoppedIndicator" if of_rep => alone(Some(Seen::Typing { typing: false })),
        "ParticipantChanged" if is_shown(entry) => participants(payload),
        "SessionStatusChanged" => alone(session_status(payload)),
        // Only the end user closes a conversation (miaw reference §4.4).
        "CloseConversation" => alone(Some(Seen::Ended(Ending::ContactLeft))),
        "RoutingResult" => routing_result(payload),
        "RoutingWorkResult" if payload["workType"] == "Transferred" => {
            alone(Some(Seen::Transferred))
        }
        "QueuePosition" => alone(payload["position"].as_u64().map(|position| Seen::Queue {
            position: Some(position),
            wait_seconds: None,
        })),
        _ => Vec::new(),
    }
}

fn alone(seen: Option<Seen>) -> Vec<(usize, Seen)> {
    seen.into_iter().map(|seen| (0, seen)).collect()
}

/// Not for reps' eyes only (miaw reference §4.3).
fn is_shown(entry: &Value) -> bool {
    entry["visibilityStrategy"] != "Internal"
}

/// Shown to the end user, and not written by them.
fn is_of_desk(entry: &Value) -> bool {
    let role = &entry["sender"]["role"];
    is_shown(entry) && ["Agent", "System", "Chatbot"].iter().any(|it| role == it)
}

fn sender(entry: &Value) -> Rep {
    Rep {
        id: text(&entry["sender"]["subject"]),
        name: text(&entry["senderDisplayName"]),
    }
}

/// The sender is a machine; who came or left stands inside (miaw reference §4.5).
fn participants(payload: &Value) -> Vec<(usize, Seen)> {
    let changes = payload["entries"].as_array().into_iter().flatten();
    changes
        .enumerate()
        .filter(|(_, change)| change["participant"]["role"] == "Agent")
        .filter_map(|(place, change)| {
            let rep = Rep {
                id: text(&change["participant"]["subject"]),
                name: text(&change["displayName"]),
            };
            match change["operation"].as_str()? {
                "add" => Some((place, Seen::RepJoined(rep))),
                "remove" => Some((place, Seen::RepLeft(rep))),
                _ => None,
            }
        })
        .collect()
}

/// `sessionEndedByRole` is not to be relied on, so the status before the end decides (miaw reference §4.5, §5).
fn session_status(payload: &Value) -> Option<Seen> {
    let before = payload["sessionStatusPrev"].as_str();
    match payload["sessionStatus"].as_str()? {
        "Ended" if before == Some("Inactive") => Some(Seen::Ended(Ending::Inactivity)),
        "Ended" => Some(Seen::Ended(Ending::RepEnded)),
        "Error" => Some(Seen::Ended(Ending::DeskError)),
        _ => None,
    }
}

/// `failureType` None is success; an estimate counts if it was asked for (miaw reference §4.5).
fn routing_result(payload: &Value) -> Vec<(usize, Seen)> {
    let failure = payload["failureType"].as_str().unwrap_or("None");
    if failure != "None" {
        let messages = payload["errorMessages"].as_array().into_iter().flatten();
        let said = messages
            .filter_map(Value::as_str)
            .chain(payload["failureReason"].as_str())
            .collect::<Vec<_>>()
            .join("; ");
        let reason = match said.as_str() {
            "" => failure.to_owned(),
            said => format!("{failure}: {}", fit_for_logs(said)),
        };
        return alone(Some(Seen::RoutingFailed { reason }));
    }
    let transferred = (payload["routingType"] == "Transfer").then_some(Seen::Transferred);
    let wait = &payload["estimatedWaitTime"];
    let wait_seconds = wait["estimatedWaitTimeInSeconds"]
        .as_u64()
        .filter(|_| wait["isEWTRequested"] == true);
    let queue = wait_seconds.map(|seconds| Seen::Queue {
        position: None,
        wait_seconds: Some(seconds),
    });
    transferred.into_iter().chain(queue).enumerate().collect()
}

/// The text of a field that has one.
pub fn text(field: &Value) -> Option<String> {
    field
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}
