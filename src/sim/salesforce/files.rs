//! Files: what an end user uploads, and what anybody with the link may fetch (miaw reference §2.8, §4.5).

use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;

use super::api::Answer;
use super::calls::accepted;
use super::conversations::Post;
use super::event::Draft;
use super::identity::Access;
use super::ledger::Sender;
use super::memory::StoredFile;
use super::refusal::Refusal;
use super::request::{MessageRequest, check_uuid, message_id, read};
use super::{Shared, call};
use crate::sim::multipart::{self, Part};

/// 5 MB (§6).
const FILE_BYTES_MAX: usize = 5_242_880;

/// What surrounds a file in a form.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// The types one client found to work (§2.8).
const TYPES: [&str; 15] = [
    "pdf", "png", "jpg", "jpeg", "gif", "bmp", "tiff", "txt", "csv", "xml", "doc", "docx", "xls",
    "xlsx", "json",
];

pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    Path(conversation): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = body.map_err(|_| too_large())?;
    if body.len() > FILE_BYTES_MAX + FORM_BYTES_MAX {
        return Err(too_large());
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    let parts = multipart::parts(content_type, &body)
        .ok_or_else(|| Refusal::bad_request("The body is no form."))?;
    let (entry, stored) = form(parts)?;
    shared.change(|memory| {
        let request: MessageRequest = read(&entry, memory.switches.unknown_fields)?;
        let position = memory.find(&caller, &conversation)?;
        memory.check_deployment(&request.es_developer_name)?;
        let id = message_id(&request.message)?;
        check_uuid(
            "message.fileId",
            request.message["fileId"].as_str().unwrap_or_default(),
        )?;
        let text = request.message["text"].as_str();
        let post = Post {
            call: call::FILE,
            id,
            text,
            opens_session: request.is_new_messaging_session,
            attributes: request.routing_attributes,
        };
        let sent_at = memory.post(position, post, |memory| {
            let (file, link) = memory.store_file(stored);
            Draft::file(Sender::end_user(&caller.sub), file, &link, text)
        })?;
        Ok(accepted(id, sent_at))
    })
}

/// The entry and the file of a form, if the file may be sent.
fn form(parts: Vec<Part>) -> Result<(Bytes, StoredFile), Refusal> {
    let (mut entry, mut file) = (None, None);
    for part in parts {
        match part.name.as_str() {
            "messageEntry" => entry = Some(part.content),
            "fileData" => file = Some(part),
            other => {
                return Err(Refusal::bad_request(format!(
                    "The form has an unknown part {other}."
                )));
            }
        }
    }
    let entry = entry.ok_or_else(|| Refusal::bad_request("The form has no part messageEntry."))?;
    let file = file.ok_or_else(|| Refusal::bad_request("The form has no part fileData."))?;
    let name = file
        .file_name
        .ok_or_else(|| Refusal::bad_request("The part fileData has no filename."))?;
    if file.content.len() > FILE_BYTES_MAX {
        return Err(too_large());
    }
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .unwrap_or_default();
    if !TYPES.contains(&extension.as_str()) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("Files of type {extension} can't be sent."),
        ));
    }
    let mime_type = file
        .mime_type
        .unwrap_or_else(|| "application/octet-stream".to_owned());
    Ok((
        entry,
        StoredFile {
            name,
            mime_type,
            content: file.content,
        },
    ))
}

/// Clients read the limit from between the brackets (§2.0).
fn too_large() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("The file exceeds the maximum size of <{FILE_BYTES_MAX}> bytes."),
    )
}

#[derive(Deserialize)]
pub(super) struct Download {
    ids: String,
}

/// A link that was not unescaped has no `ids`, and finds nothing.
pub(super) async fn download(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Download>, QueryRejection>,
) -> Response {
    let stored = query
        .ok()
        .and_then(|Query(Download { ids })| shared.memory().files.get(&ids).cloned());
    match stored {
        Some(StoredFile {
            mime_type, content, ..
        }) => ([(CONTENT_TYPE, mime_type)], content).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
