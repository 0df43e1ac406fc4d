//! What travels: a message on its way out, and the properties that go with it in both directions.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, MAX_SHORT_STRING_LENGTH, ShortString};

use super::error::PublishError;

/// AMQP's "survives a restart of the broker".
const PERSISTENT: u8 = 2;

/// A message to be published, always persistent.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Where to. The empty string is the default exchange, which takes a queue's name as routing key.
    pub exchange: String,
    /// For which bindings.
    pub routing_key: String,
    /// Unique in its batch, and the same in every attempt: the consumer drops repetitions by it, and we attribute
    /// returned messages by it.
    pub message_id: String,
    /// Whether it is a failure that no queue takes it.
    pub mandatory: Mandatory,
    /// What goes with it.
    pub properties: Properties,
    /// The content, unchanged.
    pub body: Vec<u8>,
}

/// Whether a message that no queue takes is a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mandatory {
    /// It is: replies and dead letters.
    Yes,
    /// Nobody needs to listen: lifecycle events.
    No,
}

/// What goes with a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// The media type.
    pub content_type: Option<String>,
    /// For us the session id.
    pub correlation_id: Option<String>,
    /// AMQP's `type`: for us the event's type.
    pub kind: Option<String>,
    /// In seconds since 1970.
    pub timestamp: Option<u64>,
    /// Who wrote it.
    pub app_id: Option<String>,
    /// Everything else, by name. All together should stay under 8 KiB: they must fit in one frame.
    pub headers: BTreeMap<String, Header>,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq)]
pub enum Header {
    /// UTF-8 text.
    Text(String),
    /// An integer of any width.
    Number(i64),
    /// A floating-point number.
    Real(f64),
    /// True or false.
    Flag(bool),
    /// In seconds since 1970.
    Time(u64),
    /// Bytes, or a text that is not UTF-8.
    Bytes(Vec<u8>),
    /// Several values, as in `x-death`.
    List(Vec<Header>),
    /// Named values, as in `x-death`.
    Table(BTreeMap<String, Header>),
    /// No value, or one of a kind that nobody uses (decimals).
    Nothing,
}

impl Header {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Header::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_number(&self) -> Option<i64> {
        match self {
            Header::Number(number) => Some(*number),
            _ => None,
        }
    }
}

impl From<&str> for Header {
    fn from(text: &str) -> Self {
        Header::Text(text.to_owned())
    }
}

impl From<String> for Header {
    fn from(text: String) -> Self {
        Header::Text(text)
    }
}

impl From<i64> for Header {
    fn from(number: i64) -> Self {
        Header::Number(number)
    }
}

/// A message as lapin wants it.
pub(super) struct Wire {
    pub exchange: ShortString,
    pub routing_key: ShortString,
    pub properties: BasicProperties,
}

impl Message {
    /// Everything but the body, as lapin wants it. lapin would panic at a text that is too long for AMQP.
    pub(super) fn to_wire(&self) -> Result<Wire, PublishError> {
        let given = &self.properties;
        let mut properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_message_id(short("the message id", &self.message_id)?)
            .with_headers(table("the name of a header", &given.headers)?);
        if let Some(text) = &given.content_type {
            properties = properties.with_content_type(short("the content type", text)?);
        }
        if let Some(text) = &given.correlation_id {
            properties = properties.with_correlation_id(short("the correlation id", text)?);
        }
        if let Some(text) = &given.kind {
            properties = properties.with_type(short("the type", text)?);
        }
        if let Some(text) = &given.app_id {
            properties = properties.with_app_id(short("the app id", text)?);
        }
        if let Some(seconds) = given.timestamp {
            properties = properties.with_timestamp(seconds);
        }
        Ok(Wire {
            exchange: short("the exchange", &self.exchange)?,
            routing_key: short("the routing key", &self.routing_key)?,
            properties,
        })
    }
}

impl Properties {
    /// Reads what lapin received. The message id is kept apart, because ours is required on the way out.
    pub(super) fn from_wire(wire: &BasicProperties) -> Self {
        let text = |value: &Option<ShortString>| value.as_ref().map(ToString::to_string);
        Properties {
            content_type: text(wire.content_type()),
            correlation_id: text(wire.correlation_id()),
            kind: text(wire.kind()),
            timestamp: *wire.timestamp(),
            app_id: text(wire.app_id()),
            headers: wire.headers().as_ref().map(headers).unwrap_or_default(),
        }
    }
}

fn short(field: &'static str, text: &str) -> Result<ShortString, PublishError> {
    if text.len() > MAX_SHORT_STRING_LENGTH {
        return Err(PublishError::Unsendable { field });
    }
    Ok(ShortString::from(text))
}

fn table(
    field: &'static str,
    headers: &BTreeMap<String, Header>,
) -> Result<FieldTable, PublishError> {
    let mut table = FieldTable::default();
    for (name, header) in headers {
        table.insert(short(field, name)?, value(field, header)?);
    }
    Ok(table)
}

fn value(field: &'static str, header: &Header) -> Result<AMQPValue, PublishError> {
    Ok(match header {
        Header::Text(text) => AMQPValue::LongString(text.as_str().into()),
        Header::Number(number) => AMQPValue::LongLongInt(*number),
        Header::Real(number) => AMQPValue::Double(*number),
        Header::Flag(flag) => AMQPValue::Boolean(*flag),
        Header::Time(seconds) => AMQPValue::Timestamp(*seconds),
        Header::Bytes(bytes) => AMQPValue::ByteArray(bytes.as_slice().into()),
        Header::List(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| value(field, item)).collect();
            AMQPValue::FieldArray(items?.into())
        }
        Header::Table(entries) => AMQPValue::FieldTable(table(field, entries)?),
        Header::Nothing => AMQPValue::Void,
    })
}

fn headers(table: &FieldTable) -> BTreeMap<String, Header> {
    table
        .inner()
        .iter()
        .map(|(name, value)| (name.to_string(), header(value)))
        .collect()
}

fn header(value: &AMQPValue) -> Header {
    match value {
        AMQPValue::Boolean(flag) => Header::Flag(*flag),
        AMQPValue::ShortShortInt(number) => Header::Number((*number).into()),
        AMQPValue::ShortShortUInt(number) => Header::Number((*number).into()),
        AMQPValue::ShortInt(number) => Header::Number((*number).into()),
        AMQPValue::ShortUInt(number) => Header::Number((*number).into()),
        AMQPValue::LongInt(number) => Header::Number((*number).into()),
        AMQPValue::LongUInt(number) => Header::Number((*number).into()),
        AMQPValue::LongLongInt(number) => Header::Number(*number),
        AMQPValue::Float(number) => Header::Real((*number).into()),
        AMQPValue::Double(number) => Header::Real(*number),
        AMQPValue::ShortString(text) => Header::Text(text.to_string()),
        AMQPValue::LongString(text) => match std::str::from_utf8(text.as_bytes()) {
            Ok(text) => Header::Text(text.to_owned()),
            Err(_) => Header::Bytes(text.as_bytes().to_vec()),
        },
        AMQPValue::FieldArray(items) => Header::List(items.as_slice().iter().map(header).collect()),
        AMQPValue::Timestamp(seconds) => Header::Time(*seconds),
        AMQPValue::FieldTable(table) => Header::Table(headers(table)),
        AMQPValue::ByteArray(bytes) => Header::Bytes(bytes.as_slice().to_vec()),
        AMQPValue::DecimalValue(_) | AMQPValue::Void => Header::Nothing,
    }
}
