//! What a rep wrote, as the contact's channel will get it (`handoff.reply.v1`).

use serde_json::{Value, json};

use super::channel::{Channel, Part, SmsShape, WhatsappWindow};
use super::clock::Timestamp;
use super::event::Published;
use super::handoff::Handoff;
use super::ids::EntryId;

/// One thing a rep wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The desk's id of it.
    pub entry: EntryId,
    /// When the desk took it.
    pub sent_at: Timestamp,
    /// Who wrote it.
    pub rep: Rep,
    /// Whether it was a human.
    pub author: Author,
    /// The words; empty when it is only files.
    pub text: String,
    /// Files that came with it.
    pub files: Vec<RepFile>,
    /// What it offers to choose from, numbered from 1 in the text.
    pub choices: Vec<String>,
}

/// Whether a human wrote a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A rep did.
    Rep,
    /// The desk did by itself, as with a greeting.
    Desk,
}

/// A human rep, as the desk names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rep {
    /// The desk's id of the rep.
    pub id: Option<String>,
    /// The name shown to the contact.
    pub name: Option<String>,
}

/// A file that a rep sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepFile {
    /// The desk's id of the file.
    pub id: String,
    /// File name.
    pub name: String,
    /// MIME type, as the desk says.
    pub content_type: Option<String>,
    /// Where the desk keeps it.
    pub url: String,
}

/// Whether a reply was found after a newer one had already been stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// In the desk's order.
    InOrder,
    /// Repaired later: its `sent_at` is before that of a reply with a lower sequence.
    Late,
}

/// What of a reply does not go to the contact's channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The desk's id of what the rep wrote.
    pub entry: EntryId,
    /// Which parts.
    pub parts: Vec<Part>,
    /// The names of files among them.
    pub files: Vec<String>,
}

impl Withheld {
    /// What the rep is told in the conversation.
    pub fn notice(&self) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text => "your message".to_owned(),
            Part::Choices => "your choices".to_owned(),
            Part::Files if self.files.len() == 1 => format!("the file {}", self.files.join("")),
            Part::Files => format!("the files {}", self.files.join(", ")),
        });
        let parts: Vec<String> = parts.collect();
        format!(
            "[Not sent to the contact, who is on the phone: {}.]",
            parts.join(", and ")
        )
    }
}

impl Reply {
    /// The parts of it that are allowed, if there are any, and what was taken away.
    pub fn only(mut self, allowed: &[Part]) -> (Option<Self>, Option<Withheld>) {
        let mut withheld = Withheld {
            entry: self.entry.clone(),
            parts: vec![],
            files: vec![],
        };
        let words = match self.choices.is_empty() {
            true => Part::Text,
            false => Part::Choices,
        };
        if !self.text.is_empty() && !allowed.contains(&words) {
            self.text.clear();
            self.choices.clear();
            withheld.parts.push(words);
        }
        if !self.files.is_empty() && !allowed.contains(&Part::Files) {
            withheld.files = self.files.drain(..).map(|file| file.name).collect();
            withheld.parts.push(Part::Files);
        }
        let is_left = !self.text.is_empty() || !self.files.is_empty();
        let kept = (is_left || withheld.parts.is_empty()).then_some(self);
        (kept, (!withheld.parts.is_empty()).then_some(withheld))
    }

    /// The event for the channel queue. `sequence` counts from 1 per handoff.
    pub fn event(
        &self,
        handoff: &Handoff,
        sequence: u64,
        timing: Timing,
        now: Timestamp,
    ) -> Published {
        let escalation = &handoff.escalation;
        let mut data = json!({
            "handoff_id": handoff.id.to_string(),
            "session_id": escalation.session.as_str(),
            "connection": escalation.connection.as_str(),
            "desk": handoff.desk.map(|desk| desk.as_str()),
            "conversation_id": handoff.progress.conversation().map(|id| id.as_str()),
            "channel": escalation.channel.as_str(),
            "to": { "address": escalation.reply_to.address, "account": escalation.reply_to.account },
            "sequence": sequence,
            "sent_at": self.sent_at.to_string(),
            "rep": { "id": self.rep.id, "name": self.rep.name },
            "text": self.text,
            "attachments": self.files.iter().map(RepFile::json).collect::<Vec<_>>(),
        });
        if timing == Timing::Late {
            data["late"] = Value::Bool(true);
        }
        if self.author == Author::Desk {
            data["automatic"] = Value::Bool(true);
        }
        match escalation.channel {
            Channel::Sms => {
                let shape = SmsShape::of(&self.text);
                data["sms"] = json!({ "encoding": shape.encoding, "segments": shape.segments });
            }
            Channel::Whatsapp => data["whatsapp"] = whatsapp(handoff, now),
            Channel::Web | Channel::Phone => {}
        }
        Published {
            id: handoff.reply_key(&self.entry).to_string(),
            kind: "handoff.reply.v1".into(),
            source: format!("/baton/{}", escalation.connection),
            subject: escalation.session.to_string(),
            time: now,
            data,
            trace: handoff.trace.clone(),
        }
    }
}

/// The state of WhatsApp's window as a reply carries it. An unknown last message opens no window: the sender then has to
/// choose a template.
pub fn whatsapp(handoff: &Handoff, now: Timestamp) -> Value {
    let window = handoff.last_inbound_at.map(WhatsappWindow::opened_by);
    json!({
        "window": if window.is_some_and(|window| window.is_open(now)) { "open" } else { "closed" },
        "expires_at": window.map(|window| window.expires_at.to_string()),
    })
}

impl RepFile {
    fn json(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "content_type": self.content_type, "url": self.url })
    }
}
