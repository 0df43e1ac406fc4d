//! JSON bodies, and the checks of their form (sunshine reference §1.7).

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::Shared;
use super::refusal::Refusal;
use super::switches::UnknownFields;

/// Keys and values of a metadata object together.
const METADATA_BYTES_MAX: usize = 4096;

/// The properties of a body.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

impl FromRequest<Arc<Shared>> for Fields {
    type Rejection = Refusal;

    /// No body at all is an empty one: a client of the vendor's sends that (§6).
    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let is_json = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|it| it.to_str().ok())
            .is_some_and(|it| it.starts_with("application/json"));
        let body = Bytes::from_request(request, shared).await;
        let body = body.map_err(|_| Refusal::bad_request("The body breaks off"))?;
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        if !is_json {
            return Err(Refusal::bad_request(
                "Content-Type must be application/json",
            ));
        }
        if body.len() > shared.options.limits.body_bytes {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(Refusal::new(
                status,
                "payload_too_large",
                "Request entity too large",
            ));
        }
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|_| Refusal::bad_request("should be object"))
    }
}

impl Fields {
    /// An object within a body.
    pub fn of(value: &Value, name: &str) -> Result<Self, Refusal> {
        let object = value.as_object().cloned();
        object
            .map(Self)
            .ok_or_else(|| Refusal::bad_request(format!("{name} should be object")))
    }

    /// Refuses properties that the reference does not have.
    pub fn known(&self, names: &[&str], unknown: UnknownFields) -> Result<(), Refusal> {
        let stranger = self.0.keys().find(|name| !names.contains(&name.as_str()));
        match (unknown, stranger) {
            (UnknownFields::Refused, Some(_)) => Err(Refusal::bad_request(
                "should NOT have additional properties",
            )),
            (UnknownFields::Refused | UnknownFields::Ignored, _) => Ok(()),
        }
    }

    /// A property as it is.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// A text of so many characters, if there is one.
    pub fn text(
        &self,
        name: &str,
        chars: RangeInclusive<usize>,
    ) -> Result<Option<String>, Refusal> {
        match self.get(name) {
            Value::Null => Ok(None),
            Value::String(text) if chars.contains(&text.chars().count()) => Ok(Some(text.clone())),
            Value::String(_) => Err(Refusal::bad_request(format!(
                "{name} should be {} to {} characters",
                chars.start(),
                chars.end()
            ))),
            _ => Err(Refusal::bad_request(format!("{name} should be string"))),
        }
    }

    /// A text that must be there.
    pub fn required(&self, name: &str) -> Result<String, Refusal> {
        let text = self.text(name, 1..=usize::MAX)?;
        text.ok_or_else(|| missing(name))
    }

    /// Flat and small.
    pub fn metadata(&self) -> Result<Map<String, Value>, Refusal> {
        let metadata = match self.get("metadata") {
            Value::Null => return Ok(Map::new()),
            Value::Object(metadata) => metadata,
            _ => return Err(Refusal::bad_request("metadata should be object")),
        };
        let mut bytes = 0;
        for (name, value) in metadata {
            bytes += name.len();
            bytes += match value {
                Value::String(text) => text.len(),
                Value::Number(_) | Value::Bool(_) => value.to_string().len(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(Refusal::bad_request(format!(
                        "metadata.{name} should be string, number or boolean"
                    )));
                }
            };
        }
        if bytes > METADATA_BYTES_MAX {
            return Err(Refusal::bad_request("metadata is larger than 4KB"));
        }
        Ok(metadata.clone())
    }
}

/// As the vendor's validator says it (§1.8).
pub(super) fn missing(name: &str) -> Refusal {
    Refusal::bad_request(format!("should have required property '{name}'"))
}
