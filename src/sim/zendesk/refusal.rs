//! A refused call, and how the account says so (sunshine reference §1.8).

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::switches::Switches;

/// Why a call is refused.
///
/// As a response it is still without a body: the layer around all calls puts it down in the ledger and
/// [words](Refusal::worded) it.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub reason: String,
    code: &'static str,
}

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            code,
        }
    }

    pub fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", reason)
    }

    pub fn not_found(code: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, "Resource not found")
    }

    pub fn unauthorized() -> Self {
        let reason = "Authorization is required";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", reason)
    }

    /// The answer as its caller reads it.
    pub fn worded(self, switches: &Switches) -> Response {
        let Self {
            status,
            reason,
            code,
        } = self;
        let body = json!({ "errors": [{ "code": code, "title": reason }] });
        let mut answer = (status, Json(body)).into_response();
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
