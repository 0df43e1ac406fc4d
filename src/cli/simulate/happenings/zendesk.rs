//! What happens in a Zendesk account: conversations, control, tickets, and the webhooks that tell of them.

use serde_json::json;

use super::{Happening, refused, short, struck_since};
use crate::sim::zendesk::App;
use crate::sim::zendesk::ledger::{Control, Conversation, Delivery, Message, Ticket};

/// How much of an account's memory was seen.
#[derive(Default)]
pub struct Seen {
    /// Of each conversation, how many messages and how many changes of control.
    conversations: Vec<(usize, usize)>,
    tickets: usize,
    /// Of each delivery that is not over, how many attempts.
    attempts: Vec<usize>,
    refusals: usize,
    faults: usize,
}

impl Seen {
    /// What is new since the last look.
    pub fn look(&mut self, app: &App) -> Vec<Happening> {
        let mut happenings = app.look(|ledger| {
            let mut new = vec![];
            for (position, conversation) in ledger.conversations.iter().enumerate() {
                if position == self.conversations.len() {
                    self.conversations.push((0, 0));
                    new.push(began(conversation));
                }
                let (messages, controls) = &mut self.conversations[position];
                let said = conversation.messages.iter().skip(*messages);
                new.extend(said.map(|message| wrote(conversation, message)));
                *messages = conversation.messages.len();
                let went = conversation.controls.iter().skip(*controls);
                new.extend(went.map(|control| passed(conversation, control)));
                *controls = conversation.controls.len();
            }
            new.extend(ledger.tickets.iter().skip(self.tickets).map(ticketed));
            self.tickets = ledger.tickets.len();
            for (position, delivery) in ledger.deliveries.iter().enumerate() {
                if position == self.attempts.len() {
                    self.attempts.push(0);
                }
                let seen = &mut self.attempts[position];
                let attempts = delivery.attempts.iter().skip(*seen);
                new.extend(attempts.filter_map(|status| called(delivery, *status)));
                *seen = delivery.attempts.len();
            }
            let refusals = ledger.refusals.iter().skip(self.refusals);
            new.extend(refusals.map(|it| refused(it.call, it.status, &it.reason, json!(it))));
            self.refusals = ledger.refusals.len();
            new
        });
        happenings.extend(struck_since(app.faults(), &mut self.faults));
        happenings
    }
}

fn name(conversation: &Conversation) -> &str {
    // The first half of an id is the time, which conversations share.
    let id = &conversation.id;
    id.get(id.len().saturating_sub(8)..).unwrap_or(id)
}

fn began(conversation: &Conversation) -> Happening {
    let session = conversation.metadata.get("opencx_session_id");
    let of = session.and_then(|it| it.as_str()).unwrap_or("?");
    Happening {
        what: "conversation",
        words: format!("{}  begins, of session {of}", name(conversation)),
        facts: json!({ "conversation": conversation.id, "session": session }),
    }
}

fn wrote(conversation: &Conversation, message: &Message) -> Happening {
    let shown = message.author["displayName"].as_str();
    let who = match message.author["type"].as_str() {
        Some("user") => "contact",
        _ => shown.unwrap_or("notice"),
    };
    let file = message.content["mediaUrl"].as_str().map(|_| {
        let name = message.content["altText"].as_str().unwrap_or_default();
        format!("[file {name}] ")
    });
    Happening {
        what: "message",
        words: format!(
            "{}  {who}: {}{}",
            name(conversation),
            file.unwrap_or_default(),
            message.text()
        ),
        facts: json!({
            "conversation": conversation.id, "message": message.id, "author": message.author["type"], "name": shown,
            "source": message.source, "text": message.text(),
        }),
    }
}

fn passed(conversation: &Conversation, control: &Control) -> Happening {
    let words = match &control.to {
        Some(to) => format!("control goes to {to}"),
        None => "control is released".to_owned(),
    };
    Happening {
        what: "control",
        words: format!("{}  {words}", name(conversation)),
        facts: json!({ "conversation": conversation.id, "to": control.to }),
    }
}

fn ticketed(ticket: &Ticket) -> Happening {
    let tags = ticket.tags.join(", ");
    Happening {
        what: "ticket",
        words: format!("ticket #{} is made, with the tags {tags}", ticket.id),
        facts: json!({ "ticket": ticket.id, "conversation": ticket.conversation, "tags": ticket.tags }),
    }
}

/// Only what went wrong is news.
fn called(delivery: &Delivery, status: Option<u16>) -> Option<Happening> {
    let said = match status {
        Some(200..=299) => return None,
        Some(status) => format!("answered {status}"),
        None => "did not answer".to_owned(),
    };
    let types = delivery.types.join(", ");
    Some(Happening {
        what: "webhook",
        words: format!("webhook {} of {types} {said}", short(&delivery.webhook)),
        facts: json!({ "webhook": delivery.webhook, "types": delivery.types, "status": status }),
    })
}
