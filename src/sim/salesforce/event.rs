//! What goes over the stream: drafts of conversation entries, with the vendor's payloads (miaw reference §4.4, §4.5).

use serde_json::{Value, json};

use super::ledger::{File, Sender};

/// An entry before the org has given it ids and times.
pub(super) struct Draft {
    pub entry_type: &'static str,
    pub sender: Sender,
    /// Chosen by the sender, or else by the org.
    pub identifier: Option<String>,
    pub visibility: &'static str,
    pub file: Option<File>,
    /// Record ids; the org adds the session's to messages.
    pub related: Vec<String>,
    /// All but `entryType` and `id`.
    pub payload: Value,
}

impl Draft {
    pub fn new(entry_type: &'static str, sender: Sender, payload: Value) -> Self {
        Self {
            entry_type,
            sender,
            identifier: None,
            visibility: "Default",
            file: None,
            related: Vec::new(),
            payload,
        }
    }

    /// A message whose `abstractMessage` is this.
    pub fn message(sender: Sender, abstract_message: Value) -> Self {
        Self::new(
            "Message",
            sender,
            json!({ "abstractMessage": abstract_message, "messageReason": null }),
        )
    }

    /// A text message.
    pub fn text(sender: Sender, text: &str) -> Self {
        Self::message(
            sender,
            static_content(json!({ "formatType": "Text", "text": text })),
        )
    }

    /// A message with a file; `link` is the URL as the org writes it.
    pub fn file(sender: Sender, file: File, link: &str, text: Option<&str>) -> Self {
        let reference = uuid();
        let mut message = static_content(json!({
            "formatType": "Attachments",
            "text": text,
            "attachments": [{
                "name": file.name, "mimeType": file.mime_type, "url": link,
                "id": uuid(), "referenceId": reference, "attachmentUploadResult": null,
            }],
        }));
        message["references"] = json!([{ "recordId": "068RM0000002ACb", "id": reference }]);
        Self {
            file: Some(file),
            ..Self::message(sender, message)
        }
    }

    /// A rep comes or goes; `operation` is `add` or `remove`.
    pub fn participant(operation: &str, rep: &Sender) -> Self {
        let entry = json!({
            "operation": operation, "displayName": rep.name, "menuMetadata": null, "participant": rep.participant(),
        });
        Self::new(
            "ParticipantChanged",
            Sender::system(),
            json!({ "entries": [entry] }),
        )
    }
}

impl Sender {
    /// An end user.
    pub(super) fn end_user(subject: &str) -> Self {
        Self {
            role: "EndUser",
            app_type: "iamessage",
            subject: subject.to_owned(),
            name: "Guest".to_owned(),
        }
    }

    /// The org itself.
    pub(super) fn system() -> Self {
        Self {
            role: "System",
            app_type: "conversation",
            subject: "005xx0000000001".to_owned(),
            name: "Automated Process".to_owned(),
        }
    }

    /// As in an envelope's `sender`.
    pub(super) fn participant(&self) -> Value {
        json!({
            "role": self.role, "appType": self.app_type, "subject": self.subject, "clientIdentifier": self.subject,
        })
    }
}

/// An `abstractMessage` with this `staticContent`; the org puts its id in.
pub(super) fn static_content(content: Value) -> Value {
    json!({
        "messageType": "StaticContentMessage", "inReplyToMessageId": null, "references": [], "staticContent": content,
    })
}

/// The name on the stream of an entry of this type: `RoutingResult` is `CONVERSATION_ROUTING_RESULT`.
pub(super) fn name_on_stream(entry_type: &str) -> String {
    entry_type
        .chars()
        .fold("CONVERSATION".to_owned(), |mut name, letter| {
            if letter.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
            name
        })
}

pub(super) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}
