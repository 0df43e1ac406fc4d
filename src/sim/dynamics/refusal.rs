//! A refused call, and how Entra and Dataverse say so (§1.3, §2.4).

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

/// Why a call is refused.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    /// `0x…` of Dataverse, `AADSTS…` of Entra; empty for a refusal without a body.
    pub code: String,
    pub message: String,
    speaker: Speaker,
    retry_after: Option<u64>,
}

/// Who refuses.
#[derive(Clone, Copy, Debug)]
enum Speaker {
    Dataverse,
    Entra { error: &'static str, number: u64 },
    Silence,
}

impl Refusal {
    /// By Dataverse.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            speaker: Speaker::Dataverse,
            retry_after: None,
        }
    }

    pub fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A row that does not exist.
    pub fn no_row(entity: &str, id: &str) -> Self {
        let message = format!("{entity} With Id = {id} Does Not Exist");
        Self::new(StatusCode::NOT_FOUND, "0x80040217", message)
    }

    /// By Entra, with the number of an AADSTS error.
    pub fn entra(status: StatusCode, error: &'static str, number: u64, text: &str) -> Self {
        Self {
            status,
            code: format!("AADSTS{number}"),
            message: text.to_owned(),
            speaker: Speaker::Entra { error, number },
            retry_after: None,
        }
    }

    /// Without a body.
    pub fn unauthorized(message: &str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: String::new(),
            message: message.to_owned(),
            speaker: Speaker::Silence,
            retry_after: None,
        }
    }

    /// With a wait in seconds.
    pub fn after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// The answer as its caller reads it.
    pub fn answer(&self) -> Response {
        let message = &self.message;
        let mut answer = match self.speaker {
            Speaker::Dataverse => {
                let body = json!({ "error": { "code": self.code, "message": message } });
                (self.status, Json(body)).into_response()
            }
            Speaker::Entra { error, number } => {
                let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
                let body = json!({
                    "error": error,
                    "error_description": format!("AADSTS{number}: {message}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: 2026-11-20 14:03:22Z"),
                    "error_codes": [number],
                    "timestamp": "2026-11-20 14:03:22Z",
                    "trace_id": trace.to_string(),
                    "correlation_id": correlation.to_string(),
                    "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
                });
                (self.status, Json(body)).into_response()
            }
            Speaker::Silence => {
                let challenge = "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize";
                let mut answer = self.status.into_response();
                let value = HeaderValue::from_static(challenge);
                answer.headers_mut().insert(WWW_AUTHENTICATE, value);
                answer
            }
        };
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        answer
    }
}
