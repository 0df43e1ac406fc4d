//! `/api/v1`: the operator's verbs as JSON, behind a bearer token. `docs/openapi.json` describes all of it.

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::Value;
use url::form_urlencoded;

use self::body::BODY_BYTES_MAX;
use self::query::Query;
use self::refused::{no_such_method, no_such_path, refused};
use super::role::{Role, Tokens};
use super::verbs::{Operator, Refusal};
use super::view::Content;

mod body;
mod connections;
mod contacts;
mod dead;
mod handoffs;
mod jobs;
mod path;
mod query;
mod refused;

/// Who an audit row names when the API was used.
const WHO: &str = "api";

/// The routes, without a door: whoever holds this may do everything.
pub fn routes(operator: Operator) -> Router {
    Router::new()
        .merge(connections::routes())
        .merge(handoffs::routes())
        .merge(contacts::routes())
        .merge(dead::routes())
        .merge(jobs::routes())
        .method_not_allowed_fallback(no_such_method)
        .route("/api/v1", any(no_such_path))
        .route("/api/v1/", any(no_such_path))
        .route("/api/v1/{*rest}", any(no_such_path))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(operator)
}

/// Puts a door before routes: who has no token is not let in, and who may only look cannot change anything.
pub fn behind_tokens(routes: Router, tokens: Tokens) -> Router {
    routes.layer(middleware::from_fn_with_state(tokens, door))
}

async fn door(State(tokens): State<Tokens>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(role) = given.and_then(|given| tokens.role_of(given)) else {
        let what = "send `Authorization: Bearer` with the token of `http.token`, or of the file `baton.token` beside the database";
        let refused = refused(StatusCode::UNAUTHORIZED, what, &[]);
        return ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response();
    };
    let forbidden = match role {
        Role::Operator => None,
        Role::Reader if !request.method().is_safe() => {
            Some("the token of `http.read_token` may only look; use the one of `http.token`")
        }
        Role::Reader if asks_for_content(request.uri()) => {
            Some("contacts' words are shown only to the token of `http.token`")
        }
        Role::Reader => None,
    };
    match forbidden {
        Some(what) => refused(StatusCode::FORBIDDEN, what, &[]),
        None => next.run(request).await,
    }
}

/// Whether a query names `content`, whatever it says of it.
fn asks_for_content(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default().as_bytes();
    form_urlencoded::parse(query).any(|(name, _)| name == "content")
}

type Answer = Result<Json<Value>, Refusal>;

/// Whether contacts' words are asked for; nothing else can be.
fn content(mut query: Query) -> Result<Content, Refusal> {
    let shown = query.yes("content");
    query.done()?;
    Ok(if shown {
        Content::Shown
    } else {
        Content::Redacted
    })
}
