//! CloudEvents in structured JSON mode: the envelope of all that comes in and goes out.

use serde_json::{Map, Value, json};

use super::clock::Timestamp;
use super::error::Code;
use super::ids::EventId;
use super::trace::TraceContext;

/// A delivery nobody can process. Its code and text go into the dead letter's headers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Poison {
    /// Not JSON at all.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// JSON, but no CloudEvent 1.0.
    #[error("the body is not a CloudEvent 1.0: {0}")]
    NotAnEvent(String),
    /// A type nobody here knows.
    #[error("nobody here knows the event type `{0}`")]
    UnknownType(String),
    /// A type we know in a major version we do not.
    #[error("the event type `{0}` has a major version that this release does not know")]
    UnknownVersion(String),
    /// A required field is missing.
    #[error("the field `{0}` is missing")]
    Missing(String),
    /// A field has a value it cannot have.
    #[error("the field `{field}` {why}")]
    Wrong {
        /// Path of the field, with dots.
        field: String,
        /// What is wrong and what it should be.
        why: String,
    },
    /// The event, or a field of it, is larger than allowed.
    #[error("the field `{field}` has {bytes} bytes; {max} are allowed")]
    TooLong {
        /// Path of the field, with dots; `body` for the whole event.
        field: String,
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// The id came before, with another body.
    #[error("the event id `{0}` is known, with another body; the first one stands")]
    IdConflict(String),
    /// Workers died when they had it in hand, and never came to its end.
    #[error("{0} workers died while they read it")]
    WorkerLost(u32),
}

impl Poison {
    /// The code of its dead letter.
    pub fn code(&self) -> Code {
        match self {
            Self::NotJson(_) | Self::NotAnEvent(_) => Code::Undecodable,
            Self::UnknownType(_) => Code::UnknownType,
            Self::UnknownVersion(_) => Code::UnknownVersion,
            Self::Missing(_) => Code::MissingField,
            Self::Wrong { .. } => Code::BadField,
            Self::TooLong { .. } => Code::TooLong,
            Self::IdConflict(_) => Code::IdConflict,
            Self::WorkerLost(_) => Code::WorkerLost,
        }
    }
}

/// What the events from upstream are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `handoff.escalation.requested.v1`
    Escalation,
    /// `handoff.contact.message.v1`
    ContactMessage,
    /// `handoff.contact.typing.v1`
    ContactTyping,
    /// `handoff.contact.left.v1`
    ContactLeft,
    /// `handoff.reply.delivery.v1`
    ReplyDelivery,
}

impl Kind {
    const ALL: &[(Kind, &str)] = &[
        (Kind::Escalation, "handoff.escalation.requested"),
        (Kind::ContactMessage, "handoff.contact.message"),
        (Kind::ContactTyping, "handoff.contact.typing"),
        (Kind::ContactLeft, "handoff.contact.left"),
        (Kind::ReplyDelivery, "handoff.reply.delivery"),
    ];

    /// With which routing key upstream publishes it.
    pub fn routing_key(self) -> &'static str {
        match self {
            Self::Escalation => "escalation.requested",
            Self::ContactMessage => "contact.message",
            Self::ContactTyping => "contact.typing",
            Self::ContactLeft => "contact.left",
            Self::ReplyDelivery => "delivery.status",
        }
    }

    fn parse(text: &str) -> Result<Self, Poison> {
        let (name, version) = text.rsplit_once(".v").unwrap_or((text, ""));
        let (kind, _) = Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .ok_or_else(|| Poison::UnknownType(text.to_owned()))?;
        match version {
            "1" => Ok(*kind),
            _ => Err(Poison::UnknownVersion(text.to_owned())),
        }
    }
}

/// The bounds of what is taken in.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of a whole event.
    pub event_bytes_max: usize,
}

/// An event from upstream whose envelope is in order; its data is read by the module of its kind.
#[derive(Debug, Clone)]
pub struct Received {
    /// The deduplication key.
    pub id: EventId,
    /// What it is.
    pub kind: Kind,
    /// When it happened, as the producer says.
    pub time: Option<Timestamp>,
    /// The session it is about, as far as the envelope says.
    pub subject: Option<String>,
    data: Value,
}

impl Received {
    /// Reads the envelope.
    pub fn decode(body: &[u8], bounds: Bounds) -> Result<Self, Poison> {
        if body.len() > bounds.event_bytes_max {
            return Err(Poison::TooLong {
                field: "body".into(),
                bytes: body.len(),
                max: bounds.event_bytes_max,
            });
        }
        let value: Value =
            serde_json::from_slice(body).map_err(|error| Poison::NotJson(error.to_string()))?;
        if !value.is_object() {
            return Err(Poison::NotAnEvent("it is not a JSON object".into()));
        }
        let envelope = Field::root(&value);
        match envelope.get("specversion").text()? {
            Some("1.0") => {}
            Some(other) => {
                return Err(Poison::NotAnEvent(format!(
                    "`specversion` is `{other}`, not `1.0`"
                )));
            }
            None => return Err(Poison::Missing("specversion".into())),
        }
        let kind = Kind::parse(envelope.get("type").required_text(200)?)?;
        let id = EventId(envelope.get("id").required_text(256)?.to_owned());
        let time = envelope.get("time").timestamp()?;
        let subject = envelope.get("subject").text()?.map(str::to_owned);
        if !envelope.get("data").is_object() {
            return Err(Poison::Missing("data".into()));
        }
        let Value::Object(mut members) = value else {
            unreachable!("checked above")
        };
        let data = members.remove("data").unwrap_or_default();
        Ok(Self {
            id,
            kind,
            time,
            subject,
            data,
        })
    }

    /// The event's data, to be read field by field.
    pub fn data(&self) -> Field<'_> {
        Field {
            path: "data".into(),
            value: Some(&self.data),
        }
    }
}

/// One field of an event, with its path, so that what is wrong with it can be said exactly.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    path: String,
    value: Option<&'a Value>,
}

impl<'a> Field<'a> {
    fn root(value: &'a Value) -> Self {
        Self {
            path: String::new(),
            value: Some(value),
        }
    }

    /// A value that stands alone, under a name of its own.
    pub fn named(name: &str, value: &'a Value) -> Self {
        Self {
            path: name.to_owned(),
            value: Some(value).filter(|value| !value.is_null()),
        }
    }

    /// A member of this object; absent if this is none.
    pub fn get(&self, name: &str) -> Field<'a> {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        Field {
            path,
            value: self
                .value
                .and_then(|value| value.get(name))
                .filter(|value| !value.is_null()),
        }
    }

    /// The path, with dots.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is there and not null.
    pub fn is_present(&self) -> bool {
        self.value.is_some()
    }

    fn is_object(&self) -> bool {
        self.value.is_some_and(Value::is_object)
    }

    /// An error about this field.
    pub fn wrong(&self, why: impl Into<String>) -> Poison {
        Poison::Wrong {
            field: self.path.clone(),
            why: why.into(),
        }
    }

    /// The error that this field is missing.
    pub fn missing(&self) -> Poison {
        Poison::Missing(self.path.clone())
    }

    /// The text of it, if it is there.
    pub fn text(&self) -> Result<Option<&'a str>, Poison> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong("must be text")),
        }
    }

    /// The text of it, owned; empty text counts as absent.
    pub fn some_text(&self) -> Result<Option<String>, Poison> {
        Ok(self
            .text()?
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned))
    }

    /// The text of a field that must be there, of one to `bytes_max` bytes.
    pub fn required_text(&self, bytes_max: usize) -> Result<&'a str, Poison> {
        let text = self.text()?.ok_or_else(|| self.missing())?;
        match text.len() {
            0 => Err(self.wrong("must not be empty")),
            bytes if bytes > bytes_max => Err(Poison::TooLong {
                field: self.path.clone(),
                bytes,
                max: bytes_max,
            }),
            _ => Ok(text),
        }
    }

    /// The RFC 3339 timestamp of it, if it is there.
    pub fn timestamp(&self) -> Result<Option<Timestamp>, Poison> {
        let Some(text) = self.text()? else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_| self.wrong("must be an RFC 3339 timestamp such as 2026-11-20T14:03:22Z"))
    }

    /// Whether it says true; absent is false.
    pub fn flag(&self) -> Result<bool, Poison> {
        match self.value {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.wrong("must be true or false")),
        }
    }

    /// The whole number of it, if it is there.
    pub fn number(&self) -> Result<Option<u64>, Poison> {
        match self.value {
            None => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| self.wrong("must be a whole number")),
        }
    }

    /// The object of it, if it is there.
    pub fn object(&self) -> Result<Option<&'a Map<String, Value>>, Poison> {
        match self.value {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => Err(self.wrong("must be an object")),
        }
    }

    /// The elements of the list, if it is there.
    pub fn list(&self) -> Result<Option<Vec<Field<'a>>>, Poison> {
        match self.value {
            None => Ok(None),
            Some(Value::Array(elements)) => Ok(Some(
                elements
                    .iter()
                    .enumerate()
                    .map(|(at, value)| Field {
                        path: format!("{}[{at}]", self.path),
                        value: Some(value),
                    })
                    .collect(),
            )),
            Some(_) => Err(self.wrong("must be a list")),
        }
    }
}

/// An event that Baton publishes.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Stable: the same happening always gives the same id.
    pub id: String,
    /// `handoff.<name>.v1`
    pub kind: String,
    /// `/baton/<connection>`
    pub source: String,
    /// The session.
    pub subject: String,
    /// When it was made.
    pub time: Timestamp,
    /// What happened.
    pub data: Value,
    /// Where its handoff is in which trace; it goes into the headers.
    pub trace: TraceContext,
}

impl Published {
    /// The bytes that go on the wire; they never change for an id once stored.
    pub fn body(&self) -> Vec<u8> {
        json!({
            "specversion": "1.0",
            "type": self.kind,
            "source": self.source,
            "id": self.id,
            "time": self.time.to_string(),
            "subject": self.subject,
            "datacontenttype": "application/json",
            "data": self.data,
        })
        .to_string()
        .into_bytes()
    }
}
