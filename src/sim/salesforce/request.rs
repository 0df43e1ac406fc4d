//! What the org reads: the bodies of its calls, and the checks of their form (miaw reference §2).

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::{Uuid, Variant};

use super::refusal::Refusal;
use super::switches::UnknownFields;

/// A JSON body whose properties are all known.
pub(super) trait Request: DeserializeOwned {
    /// The names of all properties in the reference.
    const FIELDS: &'static [&'static str];
}

/// Reads a body.
pub(super) fn read<T: Request>(body: &[u8], unknown_fields: UnknownFields) -> Result<T, Refusal> {
    let body: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("The body is no JSON object: {error}")))?;
    let unknown = body.keys().find(|name| !T::FIELDS.contains(&name.as_str()));
    if let (UnknownFields::Refused, Some(name)) = (unknown_fields, unknown) {
        return Err(Refusal::bad_request(format!(
            "Unrecognized field \"{name}\""
        )));
    }
    serde_json::from_value(Value::Object(body))
        .map_err(|error| Refusal::bad_request(error.to_string()))
}

/// §2.1 and §2.2.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenRequest {
    pub org_id: String,
    pub es_developer_name: String,
    pub capabilities_version: String,
    pub platform: String,
    pub device_id: Option<String>,
    pub authorization_type: Option<String>,
    pub customer_identity_token: Option<String>,
}

impl Request for TokenRequest {
    const FIELDS: &'static [&'static str] = &[
        "orgId",
        "esDeveloperName",
        "capabilitiesVersion",
        "platform",
        "deviceId",
        "context",
        "authorizationType",
        "customerIdentityToken",
    ];
}

/// §2.6.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRequest {
    pub conversation_id: String,
    pub es_developer_name: String,
    #[serde(default)]
    pub routing_attributes: Map<String, Value>,
    pub language: Option<String>,
}

impl Request for CreateRequest {
    const FIELDS: &'static [&'static str] = &[
        "conversationId",
        "esDeveloperName",
        "routingAttributes",
        "language",
    ];
}

/// §2.7 and the `messageEntry` part of §2.8.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageRequest {
    pub message: Value,
    pub es_developer_name: String,
    #[serde(default)]
    pub is_new_messaging_session: bool,
    #[serde(default)]
    pub routing_attributes: Map<String, Value>,
}

impl Request for MessageRequest {
    const FIELDS: &'static [&'static str] = &[
        "message",
        "esDeveloperName",
        "isNewMessagingSession",
        "routingAttributes",
        "language",
    ];
}

/// §2.13.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypingRequest {
    pub entry_type: String,
    pub id: String,
}

impl Request for TypingRequest {
    const FIELDS: &'static [&'static str] = &["entryType", "id"];
}

/// §2.12.
#[derive(Deserialize)]
pub(super) struct AcknowledgeRequest {
    pub acks: Vec<Acknowledgement>,
}

/// One receipt; clients differ in what they call its own id.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Acknowledgement {
    #[serde(alias = "messageId")]
    pub id: String,
    pub entry_type: String,
    pub conversation_entry_id: String,
}

impl Request for AcknowledgeRequest {
    const FIELDS: &'static [&'static str] = &["acks"];
}

/// Refuses what is no lower-case UUID of version 4 (§1).
pub(super) fn check_uuid(field: &str, id: &str) -> Result<(), Refusal> {
    let is_v4 = Uuid::try_parse(id).is_ok_and(|uuid| {
        uuid.get_version_num() == 4
            && uuid.get_variant() == Variant::RFC4122
            && uuid.hyphenated().to_string() == id
    });
    if is_v4 {
        return Ok(());
    }
    Err(Refusal::bad_request(format!(
        "Specify the {field} in UUID format. The UUID must be in lowercase."
    )))
}

/// The id of a message or file.
pub(super) fn message_id(message: &Value) -> Result<&str, Refusal> {
    let id = message["id"]
        .as_str()
        .ok_or_else(|| Refusal::bad_request("Specify the message.id."))?;
    check_uuid("message.id", id)?;
    Ok(id)
}

/// Refuses messages that end users may not send, and text of a wrong size (§2.7).
pub(super) fn check_content(message: &Value, characters_max: usize) -> Result<(), Refusal> {
    match message["messageType"].as_str() {
        Some("StaticContentMessage") => {}
        Some("ChoicesResponseMessage" | "FormResponseMessage") => return Ok(()),
        Some(other) => {
            let reason = format!("End users can't send messages of type {other}.");
            return Err(Refusal::coded(StatusCode::BAD_REQUEST, 10_062, reason));
        }
        None => return Err(Refusal::bad_request("Specify the message.messageType.")),
    }
    let content = &message["staticContent"];
    match (content["formatType"].as_str(), content["text"].as_str()) {
        (Some("Text"), Some("") | None) => Err(Refusal::bad_request(
            "Specify the message.staticContent.text.",
        )),
        (Some("Text"), Some(text)) if text.chars().count() > characters_max => {
            Err(Refusal::bad_request(format!(
                "The message text is longer than {characters_max} characters."
            )))
        }
        (Some("Text"), Some(_)) => Ok(()),
        (_, _) => Err(Refusal::bad_request(
            "Specify the message.staticContent.formatType as Text.",
        )),
    }
}

/// Refuses attributes that are no strings, or longer than the channel allows (§2.6.1).
pub(super) fn check_attributes(
    attributes: &Map<String, Value>,
    characters_max: usize,
) -> Result<(), Refusal> {
    for (name, value) in attributes {
        let Some(value) = value.as_str() else {
            return Err(Refusal::bad_request(format!(
                "The routing attribute {name} is no string."
            )));
        };
        if value.chars().count() > characters_max {
            let reason = "The channel variable value length in routing attribute payload is larger than the maximum length \
                          configured in Messaging Channel setup page";
            return Err(Refusal::coded(StatusCode::BAD_REQUEST, 10_096, reason));
        }
    }
    Ok(())
}
