//! `/api/v1`: the operator's verbs as JSON, behind a bearer token.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::role::{Role, Tokens};
use super::verbs::{Operator, Refusal};
use super::view::{self, Content};
use crate::desk::examination::Ours;
use crate::domain::connection::{Problem, Removal};
use crate::store::{Filter, Pause};

mod contacts;
mod dead;
mod jobs;

/// Who an audit row names when the API was used.
const WHO: &str = "api";
/// How many rows a listing has when nobody says.
const LIMIT_DEFAULT: usize = 100;
/// How many it has at most.
const LIMIT_MAX: usize = 10_000;

/// The routes, without a door: whoever holds this may do everything.
pub fn routes(operator: Operator) -> Router {
    Router::new()
        .route("/api/v1/connections", get(connections))
        .route(
            "/api/v1/connections/{name}",
            get(connection)
                .put(save_connection)
                .delete(remove_connection),
        )
        .route("/api/v1/connections/{name}/check", post(check_connection))
        .route("/api/v1/connections/{name}/verify", post(verify_connection))
        .route("/api/v1/connections/{name}/pause", post(pause))
        .route("/api/v1/connections/{name}/resume", post(resume))
        .route(
            "/api/v1/connections/{name}/examine",
            post(examine_connection),
        )
        .route("/api/v1/connections/{name}/rotate", post(rotate_connection))
        .route("/api/v1/machine", get(examine_machine))
        .route("/api/v1/handoffs", get(handoffs))
        .route("/api/v1/handoffs/{id}", get(handoff))
        .route("/api/v1/handoffs/{id}/end", post(end))
        .merge(contacts::routes())
        .merge(dead::routes())
        .merge(jobs::routes())
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
        return (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
            Json(json!({ "error": what })),
        )
            .into_response();
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
        Some(what) => (StatusCode::FORBIDDEN, Json(json!({ "error": what }))).into_response(),
        None => next.run(request).await,
    }
}

/// Whether a query names `content`, whatever it says of it.
fn asks_for_content(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default().as_bytes();
    form_urlencoded::parse(query).any(|(name, _)| name == "content")
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = match &self {
            Self::NotFound(what) => (StatusCode::NOT_FOUND, json!({ "error": what })),
            Self::NotNow(what) => (StatusCode::CONFLICT, json!({ "error": what })),
            Self::Wrong(problems) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                json!({ "error": self.to_string(), "problems": view::problems(problems) }),
            ),
            Self::Store(error) => (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({ "error": error.to_string() }),
            ),
        };
        (status, Json(body)).into_response()
    }
}

type Answer = Result<Json<Value>, Refusal>;

/// A JSON body; what is wrong with it is said as for every other field.
struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(IntoResponse::into_response)?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let what = format!("cannot be read: {error}");
            let setting = "body".to_owned();
            Refusal::Wrong(vec![Problem { setting, what }]).into_response()
        })
    }
}

async fn connections(State(operator): State<Operator>) -> Answer {
    operator.connections().await.map(Json)
}

async fn connection(State(operator): State<Operator>, Path(name): Path<String>) -> Answer {
    operator.connection(&name).await.map(Json)
}

#[derive(Deserialize)]
struct Save {
    desk: String,
    settings: BTreeMap<String, String>,
}

async fn save_connection(
    State(operator): State<Operator>,
    Path(name): Path<String>,
    Json(save): Json<Save>,
) -> Answer {
    operator
        .save_connection(&name, &save.desk, save.settings, WHO)
        .await
        .map(Json)
}

async fn check_connection(
    State(operator): State<Operator>,
    Path(name): Path<String>,
    Json(save): Json<Save>,
) -> Answer {
    operator
        .check_connection(&name, &save.desk, save.settings)
        .await
        .map(Json)
}

#[derive(Deserialize)]
struct Remove {
    mode: Option<String>,
}

async fn remove_connection(
    State(operator): State<Operator>,
    Path(name): Path<String>,
    Query(remove): Query<Remove>,
) -> Answer {
    let word = remove
        .mode
        .unwrap_or_else(|| Removal::Drain.as_str().into());
    let removal = Removal::parse(&word).ok_or_else(|| {
        Refusal::Wrong(vec![Problem {
            setting: "mode".into(),
            what: format!("`{word}` is no way to remove a connection; write drain or force"),
        }])
    })?;
    operator
        .remove_connection(&name, removal, WHO)
        .await
        .map(Json)
}

async fn verify_connection(State(operator): State<Operator>, Path(name): Path<String>) -> Answer {
    operator.verify_connection(&name).await.map(Json)
}

async fn pause(State(operator): State<Operator>, Path(name): Path<String>) -> Answer {
    operator
        .pause_connection(&name, Pause::Begin, WHO)
        .await
        .map(Json)
}

async fn resume(State(operator): State<Operator>, Path(name): Path<String>) -> Answer {
    operator
        .pause_connection(&name, Pause::End, WHO)
        .await
        .map(Json)
}

#[derive(Deserialize)]
struct Examine {
    public_url: String,
    serving: bool,
}

async fn examine_connection(
    State(operator): State<Operator>,
    Path(name): Path<String>,
    Json(examine): Json<Examine>,
) -> Answer {
    let ours = Ours {
        public_url: &examine.public_url,
        serving: examine.serving,
    };
    operator.examine_connection(&name, ours).await.map(Json)
}

async fn rotate_connection(State(operator): State<Operator>, Path(name): Path<String>) -> Answer {
    operator.rotate_connection(&name, WHO).await.map(Json)
}

#[derive(Deserialize)]
struct Expected {
    conversations: Option<u64>,
}

async fn examine_machine(
    State(operator): State<Operator>,
    Query(expected): Query<Expected>,
) -> Answer {
    operator
        .examine_machine(expected.conversations)
        .await
        .map(Json)
}

#[derive(Deserialize)]
struct Which {
    status: Option<String>,
    connection: Option<String>,
    desk: Option<String>,
    channel: Option<String>,
    limit: Option<usize>,
}

async fn handoffs(State(operator): State<Operator>, Query(which): Query<Which>) -> Answer {
    let limit = which.limit.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX);
    let filter = Filter {
        status: which.status,
        connection: which.connection,
        desk: which.desk,
        channel: which.channel,
        before: None,
        limit,
    };
    operator.handoffs(&filter).await.map(Json)
}

async fn handoff(
    State(operator): State<Operator>,
    Path(id): Path<String>,
    Query(show): Query<Show>,
) -> Answer {
    operator.handoff(&id, show.content()).await.map(Json)
}

async fn end(State(operator): State<Operator>, Path(id): Path<String>) -> Answer {
    operator.end(&id, WHO).await.map(Json)
}

/// Whether contacts' words are asked for.
#[derive(Deserialize)]
struct Show {
    content: Option<bool>,
}

impl Show {
    fn content(&self) -> Content {
        if self.content == Some(true) {
            Content::Shown
        } else {
            Content::Redacted
        }
    }
}
