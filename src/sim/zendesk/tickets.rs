//! Tickets: when one is made, and what is on it (sunshine reference §4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::ledger::{SupportUser, Ticket, TicketStatus};
use super::memory::Memory;
use super::switchboard::BOT;

/// How many messages a ticket gets that nobody said more about (§0).
const MESSAGES: usize = 10;

impl Memory {
    /// What follows from the newest message of a conversation.
    pub fn hear(&mut self, position: usize, is_users: bool) {
        self.assign_default(position);
        if self.at(position).active.as_deref() == Some(BOT) && is_users {
            let author = json!({ "type": "business", "displayName": "Answer Bot" });
            let content = json!({ "type": "text", "text": "Hello! Here are some articles." });
            self.say(position, author, content, Map::new(), "zd:answerBot", None);
            return;
        }
        if !self.is_with_workspace(position) {
            return;
        }
        let newest = self.at(position).messages.last().map(|it| it.id.clone());
        match (self.open_ticket(position), newest) {
            (Some(ticket), Some(newest)) => self.ledger.tickets[ticket].messages.push(newest),
            (None, Some(_)) if is_users => self.ticket(position, &Map::new()),
            (_, _) => {}
        }
    }

    /// The ticket of a conversation that is not closed for good.
    pub fn open_ticket(&self, position: usize) -> Option<usize> {
        let id = &self.at(position).id;
        let mut tickets = self.ledger.tickets.iter();
        tickets.rposition(|it| it.conversation == *id && it.status != TicketStatus::Closed)
    }

    /// A ticket for a conversation that has none, with the labels of both mechanisms.
    pub fn ticket(&mut self, position: usize, passed: &Map<String, Value>) {
        if self.open_ticket(position).is_some() {
            return;
        }
        let conversation = self.at(position).clone();
        let first = passed.get("first_message_id").and_then(Value::as_str);
        let ids: Vec<String> = conversation
            .messages
            .iter()
            .map(|it| it.id.clone())
            .collect();
        let begin = first.and_then(|first| ids.iter().position(|id| id == first));
        let begin = begin.unwrap_or(ids.len().saturating_sub(MESSAGES));
        let mut labels = Labels::default();
        for (name, value) in conversation.metadata.iter().chain(passed) {
            labels.take(name, value);
        }
        let (requester, at) = (self.requester(&conversation.user), self.moment());
        let requester_name = labels.system.remove("requester.name");
        self.ledger.tickets.push(Ticket {
            id: self.ledger.tickets.len() as u64 + 1,
            conversation: conversation.id.clone(),
            requester,
            requester_name: requester_name.and_then(|it| it.as_str().map(str::to_owned)),
            status: TicketStatus::New,
            tags: labels.tags.into_iter().collect(),
            fields: labels.fields,
            system: labels.system,
            messages: ids[begin..].to_vec(),
            at,
        });
        self.call_routine(&conversation.id);
        let heard = conversation.messages.last().map(|it| it.text().to_owned());
        self.cue(&conversation.id, &heard.unwrap_or_default());
    }

    /// The support user with the same external id, or a new one: nothing else links them (§2.1).
    fn requester(&mut self, user: &str) -> u64 {
        let Some(user) = self.ledger.user(user).cloned() else {
            return 0;
        };
        let mut known = self.ledger.support_users.iter();
        let known = known.find(|it| it.external_id.is_some() && it.external_id == user.external_id);
        if let Some(known) = known {
            return known.id;
        }
        let part = |name: &str| {
            user.profile
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        self.add_support_user(SupportUser {
            id: 0,
            name: format!("{} {}", part("givenName"), part("surname"))
                .trim()
                .to_owned(),
            role: "end-user".to_owned(),
            external_id: user.external_id,
            phone: None,
            email: None,
        })
    }
}

/// What metadata makes of a ticket (§2.6).
#[derive(Default)]
struct Labels {
    tags: BTreeSet<String>,
    fields: BTreeMap<String, Value>,
    system: BTreeMap<String, Value>,
}

impl Labels {
    fn take(&mut self, name: &str, value: &Value) {
        let fields = ["zen:ticket_field:", "dataCapture.ticketField."];
        let field = fields.iter().find_map(|prefix| name.strip_prefix(prefix));
        if matches!(name, "zen:ticket:tags" | "dataCapture.systemField.tags") {
            let tags = value.as_str().unwrap_or_default().split([',', ' ']);
            self.tags
                .extend(tags.filter(|tag| !tag.is_empty()).map(str::to_owned));
        } else if let Some(field) = field {
            self.fields.insert(field.to_owned(), value.clone());
        } else if let Some(system) = name.strip_prefix("dataCapture.systemField.") {
            self.system.insert(system.to_owned(), value.clone());
        }
    }
}
