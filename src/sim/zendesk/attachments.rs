//! Files: what is uploaded, and what is fetched (sunshine reference §2.5).

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use super::api::{Answer, Key};
use super::ledger::Attachment;
use super::memory::Memory;
use super::refusal::Refusal;
use super::switches::Shown;
use crate::sim::multipart;

/// What the vendor takes, by extension.
const EXTENSIONS: [&str; 58] = [
    "3g2", "3gp", "7z", "aac", "amr", "avi", "bmp", "csv", "doc", "docx", "eml", "gif", "heic",
    "heif", "ics", "jfif", "jpeg", "jpg", "key", "log", "m4a", "m4v", "mov", "mp3", "mp4", "mp4a",
    "mpeg", "mpg", "mpga", "neon", "numbers", "odt", "oga", "ogg", "ogv", "opus", "pages", "pdf",
    "png", "pps", "ppsx", "ppt", "pptx", "qt", "svg", "tif", "tiff", "txt", "vcf", "wav", "webm",
    "webp", "wmv", "xls", "xlsx", "xml", "yaml", "zip",
];

#[derive(Deserialize)]
pub(super) struct Purpose {
    access: Option<String>,
    #[serde(rename = "for")]
    purpose: Option<String>,
    #[serde(rename = "conversationId")]
    conversation: Option<String>,
}

pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Query(purpose): Query<Purpose>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    if purpose.access.as_deref() != Some("public") {
        return Err(Refusal::bad_request(
            "access should be equal to one of the allowed values",
        ));
    }
    let too_large = || {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Refusal::new(status, "payload_too_large", "File is too large")
    };
    let body = body.map_err(|_| too_large())?;
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let parts = multipart::parts(kind.unwrap_or_default(), &body);
    let mut parts = parts.ok_or_else(|| Refusal::bad_request("The body is no form"))?;
    let (Some(part), true) = (parts.pop(), parts.is_empty()) else {
        return Err(Refusal::bad_request(
            "should have required property 'source'",
        ));
    };
    if part.name != "source" {
        return Err(Refusal::bad_request(
            "should have required property 'source'",
        ));
    }
    if part.content.len() > shared.options.limits.file_bytes {
        return Err(too_large());
    }
    let name = part.file_name.unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, it)| it.to_ascii_lowercase());
    if !extension.is_some_and(|it| EXTENSIONS.contains(&it.as_str()) || it == "yml") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let reason = "File rejected. File extension not allowed";
        return Err(Refusal::new(status, "unsupported_media_type", reason));
    }
    let kind = part
        .mime_type
        .unwrap_or_else(|| "application/octet-stream".to_owned());
    shared.change(|memory| {
        let conversation = purpose.conversation.filter(|_| purpose.purpose.is_some());
        if let Some(id) = &conversation {
            memory.conversation(id)?;
        }
        let file = memory.keep_file(&name, &kind, part.content, conversation);
        let body = json!({ "attachment": { "mediaUrl": file.url, "mediaType": file.media_type } });
        Ok((StatusCode::CREATED, Json(body)).into_response())
    })
}

/// Anybody may have it, unless the account keeps its files private; those with the key may then.
pub(super) async fn download(
    State(shared): State<Arc<Shared>>,
    Path((id, _)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let has_key = Key::from_request_parts(&mut parts, &shared).await.is_ok();
    let memory = shared.memory();
    if memory.switches.private_attachments == Shown::Yes && !has_key {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let kind = memory.ledger.attachments.iter().find(|it| it.id == id);
    match (kind, memory.files.get(&id)) {
        (Some(file), Some(content)) => {
            ([(CONTENT_TYPE, file.media_type.clone())], content.clone()).into_response()
        }
        (_, _) => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Memory {
    /// Keeps a file for a conversation, or for all.
    pub fn keep_file(
        &mut self,
        name: &str,
        media_type: &str,
        content: Bytes,
        conversation: Option<String>,
    ) -> Attachment {
        let id = self.id();
        let path: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let file = Attachment {
            url: format!("{}/sc/attachments/v2/{id}/{path}", self.url),
            id: id.clone(),
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            bytes: content.len(),
            conversation,
        };
        self.files.insert(id, content);
        self.ledger.attachments.push(file.clone());
        file
    }
}
