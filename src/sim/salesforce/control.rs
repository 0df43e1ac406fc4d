//! The org's backstage at `/_sim/`, for those who drive it over HTTP; no real org has it.

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
use super::switches::Switches;
use crate::sim::faults::{Disturbance, Fault, Fired, Nth};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/ledger", get(ledger))
        .route("/faults", get(fired).post(plan).delete(heal))
        .route("/switches", get(switches).post(switch))
        .route("/conversations/{id}/rep", post(rep))
}

async fn ledger(State(shared): State<Arc<Shared>>) -> Response {
    let ledger = shared.memory().ledger.clone();
    Json(ledger).into_response()
}

/// `{"call":"message","nth":{"only":2},"when":"after-effect","what":"cut"}`,
/// `{"nth":"every","disturbance":"cut-after","events":3}`, or `{"seed":7,"rate":0.1}`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Plan {
    Answer {
        call: String,
        nth: Nth,
        #[serde(flatten)]
        fault: Fault,
    },
    Stream {
        nth: Nth,
        #[serde(flatten)]
        disturbance: Disturbance,
    },
    Random {
        seed: u64,
        rate: f64,
    },
}

async fn plan(State(shared): State<Arc<Shared>>, Json(plan): Json<Plan>) -> StatusCode {
    match plan {
        Plan::Answer { call, nth, fault } => shared.faults.fail(&call, nth, fault),
        Plan::Stream { nth, disturbance } => shared.faults.disturb(nth, disturbance),
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
    Join,
    Type,
    StopTyping,
    Say {
        text: String,
    },
    Whisper {
        text: String,
    },
    SendFile {
        file_name: String,
        mime_type: String,
        base64: String,
        caption: Option<String>,
    },
    SystemLine {
        text: String,
    },
    AutoResponse {
        text: String,
    },
    Read {
        message: String,
    },
    Leave,
    Transfer {
        to: String,
    },
    Idle,
    End,
}

/// Lets a rep act, and answers with the identifier of what they wrote.
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
        Action::Join => rep.joins(),
        Action::Type => rep.types(),
        Action::StopTyping => rep.stops_typing(),
        Action::Say { text } => written = Some(rep.says(&text)),
        Action::Whisper { text } => written = Some(rep.whispers(&text)),
        Action::SendFile {
            file_name,
            mime_type,
            base64,
            caption,
        } => {
            let Ok(content) = BASE64_STANDARD.decode(base64) else {
                return (StatusCode::BAD_REQUEST, "`base64` is not base64").into_response();
            };
            written = Some(rep.sends_file(&file_name, &mime_type, content, caption.as_deref()));
        }
        Action::SystemLine { text } => written = Some(rep.system_line(&text)),
        Action::AutoResponse { text } => written = Some(rep.auto_response(&text)),
        Action::Read { message } => rep.reads(&message),
        Action::Leave => rep.leaves(),
        Action::Transfer { to } => drop(rep.transfers_to(&to)),
        Action::Idle => rep.idles(),
        Action::End => rep.ends(),
    }
    Json(json!({ "identifier": written })).into_response()
}
