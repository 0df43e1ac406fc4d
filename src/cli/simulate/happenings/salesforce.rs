//! What happens in a Salesforce org.

use serde_json::json;

use super::{Happening, refused, short, struck_since};
use crate::sim::salesforce::Org;
use crate::sim::salesforce::ledger::{Conversation, Entry};

/// How much of an org's memory was seen.
#[derive(Default)]
pub struct Seen {
    entries: Vec<usize>,
    refusals: usize,
    faults: usize,
}

impl Seen {
    /// What is new since the last look.
    pub fn look(&mut self, org: &Org) -> Vec<Happening> {
        let mut happenings = org.look(|ledger| {
            let mut new = vec![];
            for (position, conversation) in ledger.conversations.iter().enumerate() {
                if position == self.entries.len() {
                    self.entries.push(0);
                    new.push(began(conversation));
                }
                if let Some(seen) = self.entries.get_mut(position) {
                    let entries = conversation.entries.iter().skip(*seen);
                    new.extend(entries.filter_map(|entry| entered(conversation, entry)));
                    *seen = conversation.entries.len();
                }
            }
            let refusals = ledger.refusals.iter().skip(self.refusals);
            new.extend(refusals.map(|it| refused(it.call, it.status, &it.reason, json!(it))));
            self.refusals = ledger.refusals.len();
            new
        });
        happenings.extend(struck_since(org.faults(), &mut self.faults));
        happenings
    }
}

fn began(conversation: &Conversation) -> Happening {
    let session = &conversation.session().sent["OpencxSessionId"];
    Happening {
        what: "conversation",
        words: format!(
            "{}  begins, of session {}",
            short(&conversation.id),
            session.as_str().unwrap_or("?")
        ),
        facts: json!({ "conversation": conversation.id, "session": session }),
    }
}

fn entered(conversation: &Conversation, entry: &Entry) -> Option<Happening> {
    let id = short(&conversation.id);
    let (what, words) = match entry.entry_type {
        "Message" => {
            let who = match (entry.sender.role, entry.visibility) {
                ("EndUser", _) => "contact".to_owned(),
                (_, "Internal") => format!("{} (to reps only)", entry.sender.name),
                (_, _) => entry.sender.name.clone(),
            };
            let file = entry
                .file
                .as_ref()
                .map(|file| format!("[file {}] ", file.name));
            let text = entry.text.as_deref().unwrap_or_default();
            let words = format!("{id}  {who}: {}{text}", file.unwrap_or_default());
            ("message", words)
        }
        "ParticipantChanged" => {
            let change = &entry.payload["entries"][0];
            let name = change["displayName"].as_str().unwrap_or_default();
            let did = match change["operation"].as_str() {
                Some("add") => "joins",
                _ => "leaves",
            };
            ("participant", format!("{id}  {name} {did}"))
        }
        "SessionStatusChanged" => {
            let status = entry.payload["sessionStatus"].as_str().unwrap_or_default();
            ("session", format!("{id}  session is {status}"))
        }
        "CloseConversation" => ("closed", format!("{id}  is closed")),
        _ => return None,
    };
    Some(Happening {
        what,
        words,
        facts: json!({
            "conversation": conversation.id, "entry": entry.identifier, "role": entry.sender.role,
            "name": entry.sender.name, "text": entry.text, "visibility": entry.visibility,
        }),
    })
}
