//! A JSON body; whatever is wrong with it is said by the name of the field.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::refused::{refused, wrong};
use crate::domain::connection::Problem;
use crate::operator::verbs::Refusal;

/// The longest body: the longest event that `limits.event` can allow, with what stands around it when it is edited.
pub const BODY_BYTES_MAX: usize = 17 << 20;

/// The name of the body as a whole.
const WHOLE: &str = "body";

/// What was read of a body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => wrong(WHOLE, "did not come whole; send it again").into_response(),
        })?;
        read(&bytes).map(Self).map_err(IntoResponse::into_response)
    }
}

fn too_large() -> Response {
    let what = format!("is too large; send at most {} MiB", BODY_BYTES_MAX >> 20);
    let problem = Problem {
        setting: WHOLE.to_owned(),
        what,
    };
    let said = problem.to_string();
    refused(StatusCode::PAYLOAD_TOO_LARGE, &said, &[problem])
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| mistake(&error.path().to_string(), error.inner()))?;
    json.end().map_err(|error| mistake("", &error))?;
    Ok(read)
}

/// What the reader says, as the field and what to write there.
fn mistake(path: &str, error: &serde_json::Error) -> Refusal {
    let said = error.to_string();
    if !error.is_data() {
        return wrong(
            WHOLE,
            format!("cannot be read: {said}; write a JSON object"),
        );
    }
    let place = match path {
        "" | "." => WHOLE,
        path => path,
    };
    let said = said.split(" at line ").next().unwrap_or_default();
    if let Some(field) = named(said, "missing field `") {
        let field = match place {
            WHOLE => field.to_owned(),
            parent => format!("{parent}.{field}"),
        };
        return wrong(&field, "is missing");
    }
    match said.split_once(", expected ") {
        Some((found, known)) if named(found, "unknown field `").is_some() => {
            wrong(place, format!("is no field here; write {known}"))
        }
        Some((found, wanted)) => wrong(place, format!("has an {found}; write {}", kind(wanted))),
        None => wrong(place, format!("cannot be read: {said}")),
    }
}

/// The name behind these words.
fn named<'a>(said: &'a str, words: &str) -> Option<&'a str> {
    said.strip_prefix(words)?.strip_suffix('`')
}

/// What the reader calls the kinds of value, as a caller would.
fn kind(wanted: &str) -> &str {
    match wanted {
        "a boolean" => "true or false",
        "u32" => "a whole number of 0 or more",
        "a map" => "an object",
        wanted if wanted.starts_with("struct ") => "an object",
        wanted => wanted,
    }
}
