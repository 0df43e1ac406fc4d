//! A refused call, and how the org says so (miaw reference §2.0).

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::switches::{ErrorBody, Switches};

/// Why a call is refused.
///
/// As a response it is still without a body: the layer around all calls puts it down in the ledger and [words](Refusal::worded) it.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub reason: String,
    speaker: Speaker,
}

/// Who refuses: the gateway speaks plain text whatever the switches say.
#[derive(Clone, Copy, Debug)]
enum Speaker {
    Application { code: u32 },
    Gateway,
}

impl Refusal {
    /// With the status as code: no source shows the codes of these calls.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self::coded(status, u32::from(status.as_u16()), reason)
    }

    /// With a code of the platform (miaw reference §2.6, §2.7).
    pub fn coded(status: StatusCode, code: u32, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            speaker: Speaker::Application { code },
        }
    }

    /// From the gateway in front of the org.
    pub fn gateway(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            speaker: Speaker::Gateway,
        }
    }

    pub fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub fn unauthorized(reason: impl Into<String>) -> Self {
        Self::gateway(StatusCode::UNAUTHORIZED, reason)
    }

    /// The answer as its caller reads it.
    pub fn worded(self, switches: &Switches) -> Response {
        let Self {
            status,
            reason: message,
            speaker,
        } = self;
        let mut answer = match (speaker, switches.error_body) {
            (Speaker::Gateway, _) | (Speaker::Application { .. }, ErrorBody::Text) => {
                (status, message).into_response()
            }
            (Speaker::Application { code }, ErrorBody::CodeAndMessage) => {
                (status, Json(json!({ "code": code, "message": message }))).into_response()
            }
            (Speaker::Application { .. }, ErrorBody::Message) => {
                (status, Json(json!({ "message": message }))).into_response()
            }
        };
        if status == StatusCode::TOO_MANY_REQUESTS
            && let Some(value) = switches.retry_after.as_ref().and_then(|it| it.parse().ok())
        {
            answer.headers_mut().insert(RETRY_AFTER, value);
        }
        answer
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = self.status.into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}
