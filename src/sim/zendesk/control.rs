//! The account's backstage at `/_sim/`, for those who drive it over HTTP; no real account has it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::ledger::SupportUser;
use super::switches::Switches;
use crate::sim::faults::{Fault, Fired, Nth};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/ledger", get(ledger))
        .route("/faults", get(fired).post(plan).delete(heal))
        .route("/switches", get(switches).post(switch))
        .route("/support-users", post(add_support_user))
        .route("/conversations/{id}/rep", post(rep))
}

async fn ledger(State(shared): State<Arc<Shared>>) -> Response {
    let ledger = shared.memory().ledger.clone();
    Json(ledger).into_response()
}

/// `{"call":"message","nth":{"only":2},"when":"after-effect","what":"cut"}`, or `{"seed":7,"rate":0.1}`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Plan {
    Answer {
        call: String,
        nth: Nth,
        #[serde(flatten)]
        fault: Fault,
    },
    Random {
        seed: u64,
        rate: f64,
    },
}

async fn plan(State(shared): State<Arc<Shared>>, Json(plan): Json<Plan>) -> StatusCode {
    match plan {
        Plan::Answer { call, nth, fault } => shared.faults.fail(&call, nth, fault),
        Plan::Random { seed, rate } => shared.faults.random(seed, rate),
    }
    StatusCode::NO_CONTENT
}

async fn fired(State(shared): State<Arc<Shared>>) -> Json<Vec<Fired>> {
    Json(shared.faults.fired())
}

async fn heal(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.heal();
    StatusCode::NO_CONTENT
}

async fn switches(State(shared): State<Arc<Shared>>) -> Json<Switches> {
    Json(shared.memory().switches.clone())
}

/// Changes the switches that are named, and answers with all.
async fn switch(
    State(shared): State<Arc<Shared>>,
    Json(named): Json<Map<String, Value>>,
) -> Response {
    shared.change(|memory| {
        let mut all = json!(memory.switches);
        for (name, value) in named {
            all[name] = value;
        }
        match serde_json::from_value::<Switches>(all) {
            Ok(switches) => {
                memory.switches = switches.clone();
                Json(switches).into_response()
            }
            Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        }
    })
}

async fn add_support_user(
    State(shared): State<Arc<Shared>>,
    Json(user): Json<SupportUser>,
) -> Json<Value> {
    let id = shared.change(|memory| memory.add_support_user(user));
    Json(json!({ "id": id }))
}

#[derive(Deserialize)]
struct Order {
    /// Who acts, if not the default rep.
    name: Option<String>,
    #[serde(flatten)]
    action: Action,
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
enum Action {
    Type,
    StopTyping,
    Say {
        text: String,
    },
    SendFile {
        file_name: String,
        mime_type: String,
        base64: String,
    },
    Trigger {
        text: String,
    },
    Solve,
    CloseTicket,
    MoveToEmail,
    EndSession,
    PassToBot,
    Remove,
}

/// Lets a rep act, and answers with the id of what they wrote.
async fn rep(
    State(shared): State<Arc<Shared>>,
    Path(conversation): Path<String>,
    Json(order): Json<Order>,
) -> Response {
    let Some(rep) = shared.rep(&conversation) else {
        return (StatusCode::NOT_FOUND, "no such conversation").into_response();
    };
    let rep = order
        .name
        .map_or_else(|| rep.clone(), |name| rep.named(&name));
    let mut written = None;
    match order.action {
        Action::Type => rep.types(),
        Action::StopTyping => rep.stops_typing(),
        Action::Say { text } => written = Some(rep.says(&text)),
        Action::SendFile {
            file_name,
            mime_type,
            base64,
        } => {
            let Ok(content) = BASE64_STANDARD.decode(base64) else {
                return (StatusCode::BAD_REQUEST, "`base64` is not base64").into_response();
            };
            written = Some(rep.sends_file(&file_name, &mime_type, content));
        }
        Action::Trigger { text } => written = Some(rep.trigger_says(&text)),
        Action::Solve => rep.solves(),
        Action::CloseTicket => rep.closes_ticket(),
        Action::MoveToEmail => rep.moves_to_email(),
        Action::EndSession => rep.ends_session(),
        Action::PassToBot => rep.passes_to_bot(),
        Action::Remove => rep.removes_conversation(),
    }
    Json(json!({ "id": written })).into_response()
}
