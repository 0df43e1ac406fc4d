//! The event that starts it: the AI asks for a human (`handoff.escalation.requested.v1`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::channel::Channel;
use super::clock::Timestamp;
use super::event::{Field, Kind, Poison, Received};
use super::ids::{ConnectionName, EventId, SessionId};

/// What the AI side tells us.
#[derive(Debug, Clone)]
pub struct Escalation {
    /// The deduplication key.
    pub id: EventId,
    /// The AI conversation.
    pub session: SessionId,
    /// Which configured desk shall take it.
    pub connection: ConnectionName,
    /// Where the contact is.
    pub channel: Channel,
    /// Language code of the contact, if it was detected.
    pub language: Option<String>,
    /// When the AI conversation began.
    pub started_at: Option<Timestamp>,
    /// When the AI asked for a human.
    pub escalated_at: Option<Timestamp>,
    /// The customer.
    pub contact: Contact,
    /// Where replies go.
    pub reply_to: ReplyTo,
    /// Why the AI asked for a human.
    pub reason: Option<String>,
    /// What the AI says it is about.
    pub summary: Option<String>,
    /// How the contact seems to feel.
    pub sentiment: Option<String>,
    /// Baseline routing priority, `Low` unless the event says otherwise.
    pub priority: String,
    /// What was said so far.
    pub transcript: Transcript,
    /// Routing attributes that the event itself brings.
    pub attributes: BTreeMap<String, String>,
    /// `data` as it came, from which configured attributes are taken.
    pub data: Map<String, Value>,
}

/// The customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// The producer's id.
    pub id: Option<String>,
    /// How they are called.
    pub name: Option<String>,
    /// Phone number as it came.
    pub phone: Option<String>,
    /// Email address; an identity only if `verified`.
    pub email: Option<String>,
    /// Whether the producer has verified who it is.
    pub verified: bool,
}

/// Who a contact is to a desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A phone number in E.164.
    Phone(String),
    /// A verified email address, in lower case.
    Email(String),
    /// The producer's id of the contact.
    Id(String),
    /// Nobody we know: good for this session only.
    Anonymous(SessionId),
}

impl Identity {
    /// Phone number first, verified email next, then the producer's id; else the session.
    /// An unverified email never becomes an identity: it could be somebody else's.
    pub fn of(contact: &Contact, session: &SessionId) -> Self {
        if let Some(phone) = contact.phone.as_deref().and_then(e164) {
            return Self::Phone(phone);
        }
        match (&contact.email, &contact.id) {
            // Without an `@` it could pass for a phone number or for one of our prefixes.
            (Some(email), _) if contact.verified && email.contains('@') => {
                Self::Email(email.to_lowercase())
            }
            (_, Some(id)) => Self::Id(id.clone()),
            _ => Self::Anonymous(session.clone()),
        }
    }

    /// The subject of an identity token. Prefixes keep an id from passing for a phone number or an email address.
    pub fn subject(&self) -> String {
        match self {
            Self::Phone(phone) => phone.clone(),
            Self::Email(email) => email.clone(),
            Self::Id(id) => format!("contact:{id}"),
            Self::Anonymous(session) => format!("session:{session}"),
        }
    }

    /// Whether it outlives the session.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Anonymous(_))
    }
}

/// The number in E.164, if it is one: a plus, then 7 to 15 digits of which the first is not 0.
/// Spaces, dots, hyphens and brackets between the digits are how people write numbers, so they are taken out.
pub fn e164(phone: &str) -> Option<String> {
    let digits = phone.trim().strip_prefix('+')?;
    let digits: String = digits
        .chars()
        .filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')'))
        .collect();
    let well_formed = (7..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    well_formed.then(|| format!("+{digits}"))
}

/// Where replies to the contact go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyTo {
    /// The contact's address on the channel.
    pub address: Option<String>,
    /// Our address on the channel.
    pub account: Option<String>,
    /// When the contact last wrote; opens WhatsApp's window.
    pub last_inbound_at: Option<Timestamp>,
}

/// What was said before the escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transcript {
    /// The turns themselves, oldest first.
    Turns(Vec<Turn>),
    /// The https address of the turns.
    Link(String),
}

/// One entry of the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// When it was said.
    pub at: Option<Timestamp>,
    /// Who said it.
    pub author: Author,
    /// What the speaker is called.
    pub name: Option<String>,
    /// The words.
    pub text: String,
    /// The names of files that came with it.
    pub files: Vec<String>,
}

/// Who said a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// The customer.
    Contact,
    /// The AI.
    Ai,
    /// A human rep, earlier.
    Rep,
    /// Anything else the producer names.
    Other(String),
}

impl Author {
    fn parse(word: &str) -> Self {
        match word {
            "contact" => Self::Contact,
            "ai" => Self::Ai,
            "rep" => Self::Rep,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl Escalation {
    /// Reads the data of an event of kind [`Kind::Escalation`].
    pub fn read(event: &Received) -> Result<Self, Poison> {
        debug_assert_eq!(event.kind, Kind::Escalation);
        let data = event.data();
        let (session, contact, reply_to) = (
            data.get("session"),
            data.get("contact"),
            data.get("reply_to"),
        );
        if !session.is_present() {
            return Err(session.missing());
        }
        let session_id = session.get("id").required_text(128)?;
        if event
            .subject
            .as_deref()
            .is_some_and(|subject| subject != session_id)
        {
            return Err(session.get("id").wrong("must be the event's `subject`"));
        }
        contact.object()?.ok_or_else(|| contact.missing())?;
        session.object()?;
        reply_to.object()?;
        Ok(Self {
            id: event.id.clone(),
            session: SessionId::from(session_id),
            connection: ConnectionName::from(data.get("connection").required_text(64)?),
            channel: channel(&session.get("channel"))?,
            language: session.get("language").some_text()?,
            started_at: session.get("started_at").timestamp()?,
            escalated_at: event.time,
            contact: Contact {
                id: contact.get("id").some_text()?,
                name: contact.get("name").some_text()?,
                phone: contact.get("phone").some_text()?,
                email: contact.get("email").some_text()?,
                verified: contact.get("verified").flag()?,
            },
            reply_to: ReplyTo {
                address: reply_to.get("address").some_text()?,
                account: reply_to.get("account").some_text()?,
                last_inbound_at: reply_to.get("last_inbound_at").timestamp()?,
            },
            reason: data.get("reason").some_text()?,
            summary: data.get("summary").some_text()?,
            sentiment: data.get("sentiment").some_text()?,
            priority: data
                .get("priority")
                .some_text()?
                .unwrap_or_else(|| "Low".to_owned()),
            transcript: transcript(&data)?,
            attributes: attributes(&data.get("attributes"))?,
            data: data.object()?.cloned().unwrap_or_default(),
        })
    }
}

impl Escalation {
    /// The event without words and identity, as it is kept when those were deleted: where it went, and nothing of whom.
    pub fn skeleton(&self, id: &str, session: &str) -> Vec<u8> {
        let event = json!({
            "specversion": "1.0", "type": "handoff.escalation.requested.v1", "source": "/baton", "id": id, "subject": session,
            "data": {
                "connection": self.connection.as_str(),
                "session": { "id": session, "channel": self.channel.as_str() },
                "contact": {}, "transcript": [],
            },
        });
        event.to_string().into_bytes()
    }
}

fn channel(field: &Field<'_>) -> Result<Channel, Poison> {
    let word = field.required_text(32)?;
    Channel::parse(word).ok_or_else(|| field.wrong("must be one of web, sms, whatsapp, phone"))
}

fn transcript(data: &Field<'_>) -> Result<Transcript, Poison> {
    let (inline, link) = (data.get("transcript"), data.get("transcript_url"));
    if let Some(turns) = inline.list()? {
        return turns
            .iter()
            .map(turn)
            .collect::<Result<_, _>>()
            .map(Transcript::Turns);
    }
    match link.text()? {
        Some(url) if url.starts_with("https://") => Ok(Transcript::Link(url.to_owned())),
        Some(_) => Err(link.wrong("must be an https address")),
        None => Err(inline.missing()),
    }
}

/// The turns of a transcript that came by its address: the same list as in an event.
pub fn turns(bytes: &[u8]) -> Result<Vec<Turn>, Poison> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| Poison::NotJson(error.to_string()))?;
    let list = Field::named("transcript", &value);
    let turns = list.list()?.ok_or_else(|| list.missing())?;
    turns.iter().map(turn).collect()
}

fn turn(field: &Field<'_>) -> Result<Turn, Poison> {
    field.object()?;
    let files = field.get("attachments").list()?.unwrap_or_default();
    Ok(Turn {
        at: field.get("at").timestamp()?,
        author: Author::parse(field.get("author").required_text(64)?),
        name: field.get("name").some_text()?,
        text: field.get("text").text()?.unwrap_or_default().to_owned(),
        files: files
            .iter()
            .map(|file| {
                Ok(file
                    .get("name")
                    .some_text()?
                    .unwrap_or_else(|| "file".to_owned()))
            })
            .collect::<Result<_, Poison>>()?,
    })
}

fn attributes(field: &Field<'_>) -> Result<BTreeMap<String, String>, Poison> {
    let members = field.object()?.into_iter().flatten();
    members
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match as_text(value) {
            Some(text) => Ok((name.clone(), text)),
            None => Err(field
                .get(name)
                .wrong("must be text, a number, or true or false")),
        })
        .collect()
}

/// The text of a scalar: desks route by strings.
pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
