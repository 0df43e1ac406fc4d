//! What the contact does after the escalation, and what became of the replies on their channel.

use super::clock::Timestamp;
use super::event::{Field, Kind, Poison, Received};
use super::ids::SessionId;

/// As in an escalation.
const SESSION_BYTES_MAX: usize = 128;
/// The longest text of one message; more than any channel carries.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Files in one message.
const FILES_MAX: usize = 20;

/// Something that happened on the contact's side.
#[derive(Debug, Clone, PartialEq)]
pub struct ContactEvent {
    /// Whose.
    pub session: SessionId,
    /// When the producer says it happened.
    pub at: Option<Timestamp>,
    /// What.
    pub what: Happening,
}

/// What happened on the contact's side.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// They wrote.
    Wrote(ContactMessage),
    /// They are typing, or stopped. Best effort, never stored.
    Typing {
        /// Whether they are.
        typing: bool,
    },
    /// They left: the desk's side ends.
    Left {
        /// Why, as far as upstream says.
        reason: Option<String>,
    },
    /// A reply reached them, or did not.
    Delivery(Delivery),
}

/// What the contact wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactMessage {
    /// The producer's id of it; the same message has the same id.
    pub id: String,
    /// Its place among the contact's messages, where the producer counts them.
    pub sequence: Option<u64>,
    /// When it was written.
    pub at: Option<Timestamp>,
    /// The words; empty when it is only files.
    pub text: String,
    /// Files that came with it.
    pub files: Vec<ContactFile>,
}

/// A file the contact sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactFile {
    /// The producer's id of it.
    pub id: String,
    /// File name.
    pub name: String,
    /// MIME type, as the producer says.
    pub content_type: Option<String>,
    /// Bytes, as the producer says.
    pub size: Option<u64>,
    /// Where it is.
    pub url: String,
}

/// What became of a reply on the contact's channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The id of the reply's event.
    pub reply: String,
    /// How it went.
    pub status: DeliveryStatus,
    /// Why, when it failed.
    pub reason: Option<String>,
}

/// How a reply fared on the contact's channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It reached their device.
    Delivered,
    /// They have seen it.
    Read,
    /// It did not reach them.
    Failed,
}

impl DeliveryStatus {
    /// The word of the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }
}

impl ContactEvent {
    /// Reads the data of an event of any kind but [`Kind::Escalation`].
    pub fn read(event: &Received) -> Result<Self, Poison> {
        let data = event.data();
        let what = match event.kind {
            Kind::Escalation => unreachable!("an escalation is no contact event"),
            Kind::ContactMessage => Happening::Wrote(message(&data.get("message"))?),
            Kind::ContactTyping => Happening::Typing {
                typing: data.get("typing").flag()?,
            },
            Kind::ContactLeft => Happening::Left {
                reason: data.get("reason").some_text()?,
            },
            Kind::ReplyDelivery => Happening::Delivery(delivery(&data)?),
        };
        Ok(Self {
            session: session(event, &data)?,
            at: event.time,
            what,
        })
    }
}

/// A delivery names its session in the envelope, all others in the data too.
fn session(event: &Received, data: &Field<'_>) -> Result<SessionId, Poison> {
    let field = data.get("session_id");
    match (field.text()?, &event.subject) {
        (Some(named), Some(subject)) if named != subject => {
            Err(field.wrong("must be the event's `subject`"))
        }
        (None, Some(subject)) => match subject.len() {
            0 => Err(field.missing()),
            bytes if bytes > SESSION_BYTES_MAX => Err(Poison::TooLong {
                field: "subject".into(),
                bytes,
                max: SESSION_BYTES_MAX,
            }),
            _ => Ok(SessionId(subject.clone())),
        },
        (Some(_) | None, _) => Ok(SessionId::from(field.required_text(SESSION_BYTES_MAX)?)),
    }
}

fn message(field: &Field<'_>) -> Result<ContactMessage, Poison> {
    field.object()?.ok_or_else(|| field.missing())?;
    let text = field.get("text").text()?.unwrap_or_default();
    if text.len() > TEXT_BYTES_MAX {
        let field = field.get("text").path().to_owned();
        return Err(Poison::TooLong {
            field,
            bytes: text.len(),
            max: TEXT_BYTES_MAX,
        });
    }
    let attachments = field.get("attachments");
    let files = attachments.list()?.unwrap_or_default();
    if files.len() > FILES_MAX {
        return Err(attachments.wrong(format!(
            "has {} files; {FILES_MAX} are allowed",
            files.len()
        )));
    }
    if text.trim().is_empty() && files.is_empty() {
        return Err(field.get("text").missing());
    }
    Ok(ContactMessage {
        id: field.get("id").required_text(256)?.to_owned(),
        sequence: field.get("sequence").number()?,
        at: field.get("at").timestamp()?,
        text: text.to_owned(),
        files: files
            .iter()
            .enumerate()
            .map(|(at, file)| contact_file(at, file))
            .collect::<Result<_, _>>()?,
    })
}

fn contact_file(at: usize, field: &Field<'_>) -> Result<ContactFile, Poison> {
    Ok(ContactFile {
        id: field
            .get("id")
            .some_text()?
            .unwrap_or_else(|| at.to_string()),
        name: field
            .get("name")
            .some_text()?
            .unwrap_or_else(|| "file".to_owned()),
        content_type: field.get("content_type").some_text()?,
        size: field.get("size").number()?,
        url: field.get("url").required_text(4096)?.to_owned(),
    })
}

fn delivery(data: &Field<'_>) -> Result<Delivery, Poison> {
    let field = data.get("status");
    let status = match field.required_text(32)? {
        "delivered" => DeliveryStatus::Delivered,
        "read" => DeliveryStatus::Read,
        "failed" => DeliveryStatus::Failed,
        _ => return Err(field.wrong("must be one of delivered, read, failed")),
    };
    Ok(Delivery {
        reply: data.get("reply_id").required_text(256)?.to_owned(),
        status,
        reason: data.get("reason").some_text()?,
    })
}
