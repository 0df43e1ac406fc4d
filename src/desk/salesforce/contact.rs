//! What the contact does while a rep is there: writes, sends files, types, reads.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Salesforce, accepted, entries};
use crate::desk::http::Answer;
use crate::desk::{File, FileRules, Receipt, Typing};
use crate::domain::error::DeskError;
use crate::domain::handoff::{AccessToken, Effect};
use crate::domain::ids::{ConversationId, EntryId, IdShape, Namespace};
use crate::domain::transcript::pieces_of;

/// 22 a minute is what Salesforce publishes (miaw reference §6); the rest is room for what we tell the rep ourselves.
pub const MESSAGES_PER_MINUTE: u32 = 20;

/// 5 MB, and the types that a public client is known to send (miaw reference §2.8). The org may take fewer.
pub const FILES: FileRules = FileRules {
    bytes_max: 5 * 1024 * 1024,
    types: &[
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/bmp",
        "image/tiff",
        "application/pdf",
        "text/plain",
        "text/csv",
        "text/xml",
        "application/xml",
        "application/msword",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ],
};

/// No source says how long a text may be; this is held to be safe (miaw reference §2.7).
const TEXT_CHARS_MAX: usize = 4000;

impl Salesforce {
    /// In as many messages as it needs, each under an id of its own, so that any of them can be sent again.
    pub(super) async fn say(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        text: &str,
    ) -> Result<(), DeskError> {
        for (number, part) in pieces_of(text, TEXT_CHARS_MAX).into_iter().enumerate() {
            let id = match number {
                0 => effect.key,
                more => Namespace::of(effect.key).key(&["part", &more.to_string()], IdShape::V4),
            };
            let body = json!({
                "message": {
                    "id": id.to_string(),
                    "messageType": "StaticContentMessage",
                    "staticContent": { "formatType": "Text", "text": part },
                },
                "esDeveloperName": self.settings.es_developer_name,
            });
            let answer = self.post_message(access, to, &body).await?;
            self.taken(access, to, &id.to_string(), answer).await?;
        }
        Ok(())
    }

    /// As multipart; the file gets an id of its own that hangs on the message's (§2.8).
    pub(super) async fn hand_over(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        file: &File,
    ) -> Result<(), DeskError> {
        let id = effect.key.to_string();
        let file_id = Namespace::of(effect.key).key(&["file"], IdShape::V4);
        let entry = json!({
            "esDeveloperName": self.settings.es_developer_name,
            "message": { "id": id, "fileId": file_id.to_string() },
        });
        let unsendable = |error: reqwest::Error| DeskError::Refused {
            status: 415,
            message: format!("the file cannot be sent as what it is: {error}"),
        };
        let entry = Part::text(entry.to_string())
            .mime_str("application/json")
            .map_err(unsendable)?;
        let bytes = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
        let data = Part::stream_with_length(file.bytes.clone(), bytes)
            .file_name(file.name.clone())
            .mime_str(&file.content_type)
            .map_err(unsendable)?;
        let form = Form::new()
            .part("messageEntry", entry)
            .part("fileData", data);
        let request = self
            .http
            .calls
            .post(self.conversation(to, "/file"))
            .multipart(form);
        let answer = self.call(access, request).await?;
        self.taken(access, to, &id, answer).await
    }

    /// Typing is best effort and has no life beyond its moment (§2.13).
    pub(super) async fn type_for(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        typing: Typing,
    ) -> Result<(), DeskError> {
        let kind = match typing {
            Typing::Started => "TypingStartedIndicator",
            Typing::Stopped => "TypingStoppedIndicator",
        };
        let body = json!({ "entryType": kind, "id": Uuid::new_v4().to_string() });
        self.post(access, to, "/entry", &body).await
    }

    /// A second acknowledgement of the same entry changes nothing (§2.12).
    pub(super) async fn receipt(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        entry: &EntryId,
        receipt: Receipt,
    ) -> Result<(), DeskError> {
        let kind = match receipt {
            Receipt::Delivered => "Delivery",
            Receipt::Read => "Read",
        };
        let ack = json!({
            "id": Uuid::new_v4().to_string(), "entryType": kind, "conversationEntryId": entry.as_str(),
        });
        self.post(
            access,
            to,
            "/acknowledge-entries",
            &json!({ "acks": [ack] }),
        )
        .await
    }

    async fn post(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        path: &str,
        body: &Value,
    ) -> Result<(), DeskError> {
        let request = self.http.calls.post(self.conversation(to, path)).json(body);
        accepted(self.call(access, request).await?).map(drop)
    }

    /// What Salesforce says to an id it has seen is not known, so a refusal stands only if the message is not there.
    pub(super) async fn taken(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        id: &str,
        answer: Answer,
    ) -> Result<(), DeskError> {
        let status = answer.status.as_u16();
        let refused = match status {
            403 => self.refused(&answer, "the conversation is closed"),
            417 => self.refused(&answer, "the session with the rep has ended"),
            413 => self.refused(&answer, "it is too large for Salesforce"),
            415 => self.refused(&answer, "Salesforce does not take files of this type"),
            _ => match accepted(answer) {
                Ok(_) => return Ok(()),
                Err(refused @ DeskError::Refused { .. }) => refused,
                Err(error) => return Err(error),
            },
        };
        if !matches!(status, 400 | 403 | 409) {
            return Err(refused);
        }
        let history = match self.history(access, to, None).await {
            Ok(history) => history,
            Err(DeskError::Refused { .. }) => return Err(refused),
            Err(error) => return Err(error),
        };
        match history.iter().any(|entry| entries::id(entry) == Some(id)) {
            true => Ok(()),
            false => Err(refused),
        }
    }
}
