//! A webhook of Sunshine Conversations: whether it is theirs, and what it tells.

use serde_json::Value;

use super::conversations::is_workspace;
use super::entries;
use super::labels::MARK;
use super::settings::Settings;
use crate::desk::http::fit_for_logs;
use crate::desk::{Entry, Notice, Seen, WebhookError};
use crate::domain::clock::Timestamp;
use crate::domain::handoff::Ending;
use crate::domain::ids::{ConversationId, EntryId};
use crate::domain::seal::{ExposeSecret, SecretString};

/// The header that carries the secret (sunshine reference §3.3).
pub const SECRET: &str = "x-api-key";

/// What a webhook tells, oldest first: deliveries come in any order, and one of them holds events of any conversation.
pub fn read(
    settings: &Settings,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Vec<Notice>, WebhookError> {
    let connection = &settings.connection;
    let Some(secret) = &settings.webhook_secret else {
        return Err(WebhookError::NotSetUp(format!(
            "connection `{connection}` has no `webhook_secret`; save it again so that its webhook is registered"
        )));
    };
    let mut named = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(SECRET));
    if !named
        .next()
        .is_some_and(|(_, given)| is_same(given, secret))
    {
        return Err(WebhookError::WrongSecret(format!(
            "`X-API-Key` is not the `webhook_secret` of connection `{connection}`; save the connection again so that both agree"
        )));
    }
    let body: Value =
        serde_json::from_slice(body).map_err(|_| WebhookError::Unreadable("no JSON"))?;
    let events = body["events"].as_array();
    let events = events.ok_or(WebhookError::Unreadable("no `events`"))?;
    let mut notices: Vec<Notice> = events
        .iter()
        .flat_map(|event| tells(settings, event))
        .collect();
    notices.sort_by_key(|notice| notice.entry.as_ref().map(|entry| entry.at));
    Ok(notices)
}

/// In a time that does not tell how much of it was right.
fn is_same(given: &str, known: &SecretString) -> bool {
    let known = known.expose_secret().as_bytes();
    aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), known).is_ok()
}

fn tells(settings: &Settings, event: &Value) -> Vec<Notice> {
    let payload = &event["payload"];
    let conversation = &payload["conversation"];
    let Some(id) = conversation["id"].as_str() else {
        return Vec::new();
    };
    // The app's webhook gets all that happens in the app (§2.7).
    let metadata = &conversation["metadata"];
    if metadata.is_object() && metadata[MARK].is_null() {
        return Vec::new();
    }
    what(settings, event, payload)
        .into_iter()
        .map(|entry| Notice {
            conversation: ConversationId::from(id),
            entry,
        })
        .collect()
}

/// Each thing an event says; with no entry, it says that one has to look.
fn what(settings: &Settings, event: &Value, payload: &Value) -> Vec<Option<Entry>> {
    let alone = |what: Seen| {
        let id = event["id"].as_str().map(EntryId::from);
        let at = event["createdAt"].as_str().and_then(|at| at.parse().ok());
        let at = at.unwrap_or(Timestamp::UNIX_EPOCH);
        id.map(|id| Some(Entry { id, at, what }))
            .into_iter()
            .collect()
    };
    match event["type"].as_str().unwrap_or_default() {
        "conversation:message" => entries::read(&payload["message"], settings.triggers)
            .into_iter()
            .map(Some)
            .collect(),
        "conversation:typing" if payload["activity"]["author"]["type"] == "business" => {
            match payload["activity"]["type"].as_str() {
                Some("typing:start") => alone(Seen::Typing { typing: true }),
                Some("typing:stop") => alone(Seen::Typing { typing: false }),
                Some(_) | None => Vec::new(),
            }
        }
        "switchboard:releaseControl" => alone(Seen::Ended(release_reason(payload))),
        // It went to somebody else: a rep has handed it back (§3.6). An event from before it was ours looks the same,
        // and nothing orders the two, so the conversation itself has to say how it stands.
        "switchboard:passControl" => {
            let active = &payload["conversation"]["activeSwitchboardIntegration"];
            match active.is_object() && !is_workspace(active, &settings.workspace) {
                true => vec![None],
                false => Vec::new(),
            }
        }
        "switchboard:passControl:failure" => {
            let said = |name: &str| payload["error"][name].as_str().unwrap_or("unknown");
            let reason = fit_for_logs(&format!("{}: {}", said("code"), said("message")));
            alone(Seen::RoutingFailed { reason })
        }
        "conversation:remove" => alone(Seen::Ended(Ending::DeskError)),
        _ => Vec::new(),
    }
}

/// Why control was released; without a reason, a rep has ended the session (§3.6).
fn release_reason(payload: &Value) -> Ending {
    match payload["reason"].as_str() {
        Some("ticketClosed") => Ending::TicketClosed,
        Some("transferToEmail") => Ending::MovedToEmail,
        Some(_) | None => Ending::RepEnded,
    }
}
