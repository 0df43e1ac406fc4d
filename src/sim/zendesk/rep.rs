//! The rep in the Agent Workspace: what they do, and exactly the events that follow (sunshine reference §3.4 to §3.7).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Shared;
use super::ledger::TicketStatus;
use super::memory::Memory;
use super::switchboard::BOT;
use super::switches::{AgentId, EndOfSession, EndSignal, Shown};

/// What the workspace posts under.
const WORKSPACE: &str = "zd:agentWorkspace";

/// A rep's hands on one conversation. Whatever they do has happened, and is on its way, on return.
///
/// Methods that write something return the message's id.
#[derive(Clone)]
pub struct Rep {
    pub(super) shared: Arc<Shared>,
    pub(super) conversation: String,
    pub(super) name: String,
}

impl Rep {
    /// The same conversation, in the hands of another rep.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// Writes to the contact.
    pub fn says(&self, text: &str) -> String {
        self.sends(json!({ "type": "text", "text": text }))
    }

    /// Sends content of any form, as with `{"type":"location","coordinates":{…}}`.
    pub fn sends(&self, content: Value) -> String {
        let author = json!({ "type": "business", "displayName": self.name });
        self.post(author, content, Some(&self.agent()))
    }

    /// Sends a file, in a message of its own.
    pub fn sends_file(&self, name: &str, media_type: &str, content: impl Into<Bytes>) -> String {
        let content = content.into();
        let file = self.act(|memory, position| {
            let id = memory.at(position).id.clone();
            memory.keep_file(name, media_type, content, Some(id))
        });
        let kind = if media_type.starts_with("image/") {
            "image"
        } else {
            "file"
        };
        self.sends(json!({
            "type": kind, "mediaUrl": file.url, "mediaType": file.media_type, "mediaSize": file.bytes,
            "altText": file.name, "attachmentId": file.id,
        }))
    }

    /// Lets a trigger write in the rep's stead.
    pub fn trigger_says(&self, text: &str) -> String {
        let author = json!({ "type": "business", "displayName": "Acme Support" });
        self.post(
            author,
            json!({ "type": "text", "text": text }),
            Some("__trigger"),
        )
    }

    /// Begins to type.
    pub fn types(&self) {
        self.indicate("typing:start");
    }

    /// Stops typing.
    pub fn stops_typing(&self) {
        self.indicate("typing:stop");
    }

    /// Holds the ticket for done. The contact notices nothing, and the conversation stays with the reps (§3.6).
    pub fn solves(&self) {
        self.act(|memory, position| memory.move_ticket(position, TicketStatus::Solved));
    }

    /// Closes the ticket for good.
    pub fn closes_ticket(&self) {
        self.finish("ticketClosed", "ticket:closed");
    }

    /// Goes on by email.
    pub fn moves_to_email(&self) {
        self.finish("transferToEmail", "ticket:transfer:email");
    }

    /// Ends the session; the ticket stays as it is (§3.6).
    pub fn ends_session(&self) {
        self.act(|memory, position| match memory.switches.end_of_session {
            EndOfSession::Release => memory.release_control(position, None),
            EndOfSession::Silence => memory.forget_control(position),
        });
    }

    /// Gives the conversation to the bot, as the macro `%((switchboard:passControl:<name>))%` does (§3.6).
    pub fn passes_to_bot(&self) {
        self.act(|memory, position| memory.pass_control(position, BOT, Map::new()));
    }

    /// Removes the whole conversation.
    pub fn removes_conversation(&self) {
        self.act(|memory, position| {
            memory.emit("conversation:remove", position, json!({}));
            memory.at_mut(position).removed = true;
        });
    }

    fn agent(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        (382_411_000_000 + hasher.finish() % 1_000_000).to_string()
    }

    fn post(&self, mut author: Value, content: Value, agent: Option<&str>) -> String {
        self.act(|memory, position| {
            let mut metadata = Map::new();
            let id = agent.unwrap_or_default();
            match (memory.switches.agent_id, id.parse::<u64>()) {
                (AgentId::Missing, Ok(_)) => {}
                (AgentId::Number, Ok(number)) => {
                    metadata.insert("__zendesk_msg.agent.id".into(), number.into());
                }
                (AgentId::Text, _) | (AgentId::Number | AgentId::Missing, Err(_)) => {
                    metadata.insert("__zendesk_msg.agent.id".into(), id.into());
                }
            }
            metadata.insert("__zendesk_msg.source_type".into(), "sunco_api".into());
            if memory.switches.agent_subtypes == Shown::Yes {
                author["subtypes"] = json!(["agent"]);
            }
            if memory.open_ticket(position).is_some() {
                memory.move_ticket(position, TicketStatus::Open);
            }
            memory
                .say(position, author, content, metadata, WORKSPACE, None)
                .id
                .clone()
        })
    }

    fn indicate(&self, kind: &str) {
        self.act(|memory, position| {
            if memory.switches.agent_typing == Shown::No {
                return;
            }
            let activity = json!({
                "type": kind, "author": { "type": "business" }, "source": { "type": WORKSPACE },
            });
            memory.emit(
                "conversation:typing",
                position,
                json!({ "activity": activity }),
            );
        });
    }

    fn finish(&self, reason: &str, notice: &str) {
        self.act(|memory, position| {
            memory.move_ticket(position, TicketStatus::Closed);
            let signal = memory.switches.end_signal;
            if matches!(signal, EndSignal::Notice | EndSignal::NoticeThenRelease) {
                let author = json!({ "type": "business", "subtypes": ["activity"] });
                let content = json!({ "type": "text", "text": notice });
                let activity = json!({ "type": notice, "data": {} });
                memory.say(
                    position,
                    author,
                    content,
                    Map::new(),
                    WORKSPACE,
                    Some(activity),
                );
            }
            match signal {
                EndSignal::Release | EndSignal::NoticeThenRelease => {
                    memory.release_control(position, Some(reason));
                }
                EndSignal::PassToBot => memory.pass_control(position, BOT, Map::new()),
                EndSignal::Notice => {}
            }
        });
    }

    fn act<T>(&self, act: impl FnOnce(&mut Memory, usize) -> T) -> T {
        self.shared.change(|memory| {
            let position = memory.ledger.positions[&self.conversation];
            act(memory, position)
        })
    }
}

impl Memory {
    fn move_ticket(&mut self, position: usize, status: TicketStatus) {
        if let Some(ticket) = self.open_ticket(position) {
            self.ledger.tickets[ticket].status = status;
        }
    }
}

impl Shared {
    /// The default rep, on this conversation.
    pub(super) fn rep(self: &Arc<Self>, conversation: &str) -> Option<Rep> {
        self.memory().ledger.conversation(conversation)?;
        let name = self.options.routine.clone().unwrap_or_default().name;
        Some(Rep {
            shared: Arc::clone(self),
            conversation: conversation.to_owned(),
            name,
        })
    }
}
