//! How the API says no: one shape for all of it, with the field to blame wherever there is one.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::domain::connection::Problem;
use crate::operator::verbs::Refusal;
use crate::operator::view;

/// A refusal in words, and what to write instead, field by field; no problems where no field is to blame.
pub fn refused(status: StatusCode, error: &str, problems: &[Problem]) -> Response {
    let body = json!({ "error": error, "problems": view::problems(problems) });
    (status, Json(body)).into_response()
}

/// One field is wrong.
pub fn wrong(setting: &str, what: impl Into<String>) -> Refusal {
    let (setting, what) = (setting.to_owned(), what.into());
    Refusal::Wrong(vec![Problem { setting, what }])
}

/// There is no such path.
pub async fn no_such_path(uri: Uri) -> Response {
    let what = format!(
        "there is no path `{}`; docs/openapi.json has all of them",
        uri.path()
    );
    refused(StatusCode::NOT_FOUND, &what, &[])
}

/// There is, and it does not take this method; the header `Allow` lists those that it takes.
pub async fn no_such_method(method: Method, uri: Uri) -> Response {
    let what = format!(
        "`{}` does not take {method}; `Allow` says what it takes",
        uri.path()
    );
    refused(StatusCode::METHOD_NOT_ALLOWED, &what, &[])
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let said = self.to_string();
        match self {
            Self::NotFound(_) => refused(StatusCode::NOT_FOUND, &said, &[]),
            Self::NotNow(_) => refused(StatusCode::CONFLICT, &said, &[]),
            Self::Wrong(problems) => refused(StatusCode::UNPROCESSABLE_ENTITY, &said, &problems),
            Self::Store(_) => refused(StatusCode::SERVICE_UNAVAILABLE, &said, &[]),
        }
    }
}
