//! Messages of a conversation, read from a webhook or from the list: who wrote them, and what they mean.

use std::time::Duration;

use serde_json::Value;

use super::conversations::WORKSPACE;
use super::history::Reach;
use super::labels::MARK;
use super::settings::Triggers;
use super::{Zendesk, content};
use crate::desk::{Entry, Seen};
use crate::domain::clock::{self, Timestamp};
use crate::domain::error::DeskError;
use crate::domain::handoff::Ending;
use crate::domain::ids::{ConversationId, EntryId};
use crate::domain::reply::{Author, Rep};

/// Where the workspace says which of its agents wrote (sunshine reference §3.4).
const AGENT_ID: &str = "__zendesk_msg.agent.id";
/// The agent that is none: a business rule.
const TRIGGER: &str = "__trigger";
/// How old a conversation is before its state counts: control is passed at the desk's leisure, and until then it looks
/// like a conversation that is over.
const SETTLED: Duration = Duration::from_secs(120);

impl Zendesk {
    /// What the conversation shows since then, and its end if control has left the reps.
    pub(super) async fn shown_since(
        &self,
        conversation: &ConversationId,
        since: Option<Timestamp>,
    ) -> Result<Vec<Entry>, DeskError> {
        // The state first: what is written between the two calls is then in the list.
        let state = self.state(conversation).await?;
        let now = self.clock.now();
        let Some(state) = state else {
            return Ok(vec![ended(conversation, now, Ending::DeskError)]);
        };
        let messages = self.history(conversation, Reach::Since(since)).await?;
        let mut entries: Vec<Entry> = messages
            .iter()
            .filter(|message| since.is_none_or(|since| received(message) >= since))
            .flat_map(|message| read(message, self.settings.triggers))
            .collect();
        let is_settled = state
            .created_at
            .is_none_or(|at| clock::after(at, SETTLED) <= now);
        let has_ended = entries
            .iter()
            .any(|entry| matches!(entry.what, Seen::Ended(_)));
        if !state.is_with_reps && is_settled && !has_ended {
            entries.push(ended(conversation, now, Ending::RepEnded));
        }
        Ok(entries)
    }
}

fn ended(conversation: &ConversationId, at: Timestamp, why: Ending) -> Entry {
    Entry {
        id: EntryId(format!("{conversation}:ended")),
        at,
        what: Seen::Ended(why),
    }
}

/// When Zendesk received a message: the one order that it promises (§1.4, §3.3).
pub fn received(message: &Value) -> Timestamp {
    let at = message["received"].as_str().and_then(|at| at.parse().ok());
    at.unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Whether the Agent Workspace posted it.
pub fn is_of_workspace(message: &Value) -> bool {
    message["source"]["type"] == WORKSPACE || agent(message).is_some()
}

/// What a message means to the contact; nothing if it is theirs, ours, or a bot's (§3.4).
pub fn read(message: &Value, triggers: Triggers) -> Vec<Entry> {
    let Some(id) = message["id"].as_str() else {
        return Vec::new();
    };
    let is_of_rep = message["author"]["type"] == "business"
        && is_of_workspace(message)
        && message["metadata"][MARK].is_null();
    if !is_of_rep {
        return Vec::new();
    }
    let at = received(message);
    let entry = |id: &str, what: Seen| Entry {
        id: EntryId::from(id),
        at,
        what,
    };
    if is_activity(message) {
        let ending = activity_ending(message);
        return ending
            .map(|why| entry(id, Seen::Ended(why)))
            .into_iter()
            .collect();
    }
    let agent = agent(message);
    let is_trigger = agent.as_deref() == Some(TRIGGER);
    if is_trigger && triggers == Triggers::Ignore {
        return Vec::new();
    }
    let rep = Rep {
        id: agent.filter(|_| !is_trigger),
        name: message["author"]["displayName"].as_str().map(str::to_owned),
    };
    // Nothing tells that a rep joined but their first message; the id makes the rest of them say it in vain.
    let joined = rep.id.as_ref().map(|agent| format!("{agent}:joined"));
    let joined = joined.map(|id| entry(&id, Seen::RepJoined(rep.clone())));
    let content::Said {
        text,
        files,
        choices,
    } = content::of(message);
    let author = if is_trigger {
        Author::Desk
    } else {
        Author::Rep
    };
    let reply = Seen::Reply {
        rep,
        author,
        text,
        files,
        choices,
    };
    joined.into_iter().chain([entry(id, reply)]).collect()
}

/// A number in a string, as far as anybody has seen.
fn agent(message: &Value) -> Option<String> {
    match &message["metadata"][AGENT_ID] {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// Whether it is a notice of the workspace and no words of a rep.
fn is_activity(message: &Value) -> bool {
    let mut subtypes = message["author"]["subtypes"]
        .as_array()
        .into_iter()
        .flatten();
    message["activity"]["type"].is_string() || subtypes.any(|subtype| subtype == "activity")
}

fn activity_ending(message: &Value) -> Option<Ending> {
    match message["activity"]["type"].as_str()? {
        "ticket:closed" => Some(Ending::TicketClosed),
        "ticket:transfer:email" => Some(Ending::MovedToEmail),
        "conversation:endedByUser" => Some(Ending::ContactLeft),
        _ => None,
    }
}
