//! The customers of the demo: who they are, what they want, and how their AI agent escalates them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::gallery::Photo;
use crate::domain::channel::Channel;
use crate::domain::clock::{self, Timestamp};

use std::time::Duration;

/// Somebody who wants to talk to a human.
#[derive(Clone, Debug)]
pub struct Customer {
    /// The AI conversation.
    pub session: String,
    /// As the rep sees it.
    pub name: &'static str,
    /// Where they are.
    pub channel: Channel,
    /// Which desk is to help them.
    pub connection: &'static str,
    persona: &'static Persona,
}

/// What makes a customer.
#[derive(Debug)]
pub struct Persona {
    name: &'static str,
    channel: Channel,
    phone: &'static str,
    summary: &'static str,
    reason: &'static str,
    /// Customer and AI in turn, from the customer.
    turns: &'static [&'static str],
}

/// On the website.
pub const PRIYA: Persona = Persona {
    name: "Priya Nair",
    channel: Channel::Web,
    phone: "+14155550101",
    summary: "Priya has a new phone and cannot get past the two-step login.",
    reason: "ai_could_not_help",
    turns: &[
        "I have a new phone and now I cannot log in",
        "I can send a reset link to your e-mail. Shall I?",
        "It wants a code from the OLD phone. I need a person please",
    ],
};

/// By text message; the example of the documents.
pub const DANA: Persona = Persona {
    name: "Dana Reyes",
    channel: Channel::Sms,
    phone: "+14155550123",
    summary: "Dana was charged twice for order 5512 and wants a refund.",
    reason: "contact_request",
    turns: &[
        "hi, I was charged twice",
        "I am sorry about that. Which order?",
        "5512. Can I talk to an agent?",
    ],
};

/// On WhatsApp.
pub const MATEO: Persona = Persona {
    name: "Mateo Silva",
    channel: Channel::Whatsapp,
    phone: "+14155550142",
    summary: "Mateo's parcel counts as delivered, and he does not have it.",
    reason: "contact_request",
    turns: &[
        "The app says delivered. Nothing is here!",
        "It was left at the front door at 11:42.",
        "There is nothing at the door. Let me talk to someone",
    ],
};

/// On the phone.
pub const RUTH: Persona = Persona {
    name: "Ruth Adeyemi",
    channel: Channel::Phone,
    phone: "+14155550177",
    summary: "Ruth wants the technician on Thursday instead of today.",
    reason: "contact_request",
    turns: &[
        "The technician comes today and I have to leave",
        "The next free day is Thursday. I may not change it myself.",
        "Then please put me through",
    ],
};

/// On the website, when the desk's answer is lost.
pub const LENA: Persona = Persona {
    name: "Lena Fischer",
    channel: Channel::Web,
    phone: "+14155550158",
    summary: "Lena cannot change the delivery address of order 6120.",
    reason: "ai_could_not_help",
    turns: &[
        "How do I change the address of 6120?",
        "That order is packed already.",
        "Then I need a human, quickly",
    ],
};

/// By text message, while nobody works.
pub const TOM: Persona = Persona {
    name: "Tom Okafor",
    channel: Channel::Sms,
    phone: "+14155550164",
    summary: "Tom's discount code is refused at the checkout.",
    reason: "contact_request",
    turns: &[
        "SPRING10 does not work",
        "It is valid until tonight. Did you type it in capitals?",
        "Yes!! Agent please",
    ],
};

/// On WhatsApp, for a desk that nobody has connected.
pub const AIKO: Persona = Persona {
    name: "Aiko Mori",
    channel: Channel::Whatsapp,
    phone: "+14155550189",
    summary: "Aiko wants an invoice in another company's name.",
    reason: "contact_request",
    turns: &[
        "The invoice needs our other company's name",
        "I may not change invoices.",
        "Who may?",
    ],
};

/// Between two turns of a conversation.
const PAUSE: Duration = Duration::from_secs(6);

impl Persona {
    /// This person, in a conversation of their own with the AI agent.
    pub fn asks(&'static self, connection: &'static str) -> Customer {
        Customer {
            session: Uuid::new_v4().to_string(),
            name: self.name,
            channel: self.channel,
            connection,
            persona: self,
        }
    }
}

impl Customer {
    /// What friends call them.
    pub fn first_name(&self) -> &'static str {
        self.name.split(' ').next().unwrap_or(self.name)
    }

    /// The event with which their channel passes on what they write, and the photos that come with it, each with the
    /// address where it can be fetched.
    pub fn message(
        &self,
        number: usize,
        text: &str,
        photos: &[(Photo, String)],
        now: Timestamp,
    ) -> Value {
        let attachment = |(photo, url): &(Photo, String)| {
            json!({
                "id": photo.name, "name": photo.name, "content_type": photo.content_type,
                "size": photo.content.len(), "url": url,
            })
        };
        let attachments: Vec<Value> = photos.iter().map(attachment).collect();
        let message = json!({
            "id": format!("w{number}"), "sequence": number, "at": now.to_string(), "text": text,
            "attachments": attachments,
        });
        self.event("contact.message", json!({ "message": message }), now)
    }

    /// The event with which their channel says that they have gone.
    pub fn left(&self, reason: &str, now: Timestamp) -> Value {
        self.event("contact.left", json!({ "reason": reason }), now)
    }

    fn event(&self, name: &str, mut data: Value, now: Timestamp) -> Value {
        data["session_id"] = json!(self.session);
        json!({
            "specversion": "1.0",
            "type": format!("handoff.{name}.v1"),
            "source": format!("/channels/{}", self.channel),
            "id": Uuid::new_v4().to_string(),
            "time": now.to_string(),
            "subject": self.session,
            "data": data,
        })
    }

    /// The event with which the AI agent escalates.
    pub fn escalation(&self, now: Timestamp) -> Value {
        let persona = self.persona;
        let turns = u32::try_from(persona.turns.len()).unwrap_or_default();
        let began = now.checked_sub(PAUSE * turns).unwrap_or(now);
        let transcript: Vec<Value> = (1..)
            .zip(persona.turns)
            .map(|(number, text)| {
                let at = clock::after(began, PAUSE * (number - 1)).to_string();
                let id = format!("m{number}");
                if number % 2 == 1 {
                    json!({ "id": id, "at": at, "author": "contact", "text": text })
                } else {
                    json!({ "id": id, "at": at, "author": "ai", "name": "Ava", "text": text })
                }
            })
            .collect();
        json!({
            "specversion": "1.0",
            "type": "handoff.escalation.requested.v1",
            "source": "/ai/support-agent",
            "id": Uuid::new_v4().to_string(),
            "time": now.to_string(),
            "subject": self.session,
            "data": {
                "connection": self.connection,
                "session": {
                    "id": self.session, "channel": self.channel.as_str(), "language": "en",
                    "started_at": began.to_string(),
                },
                "contact": {
                    "id": format!("c-{}", &self.session[..8]), "name": self.name, "phone": persona.phone,
                    "verified": true,
                },
                "reply_to": {
                    "address": persona.phone, "account": "+18005550100", "last_inbound_at": now.to_string(),
                },
                "reason": persona.reason,
                "summary": persona.summary,
                "transcript": transcript,
            },
        })
    }
}
