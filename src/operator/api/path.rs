//! The id or the name in a path.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::refused::wrong;
use crate::operator::verbs::Refusal;

/// What a path names; any text will do.
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(match error.kind() {
                ErrorKind::InvalidUtf8InPathParam { key } => {
                    wrong(key, "is no UTF-8; percent-encode it as UTF-8")
                }
                _ => wrong("path", "cannot be read"),
            }),
            Err(_) => Err(wrong("path", "cannot be read")),
        }
    }
}
