//! The org's backstage at `/_sim/`, for those who drive it over HTTP; no real org has it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::protection::Limit;
use super::switches::Switches;
use crate::sim::faults::{Fault, Fired, Nth};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/ledger", get(ledger))
        .route("/faults", get(fired).post(plan).delete(heal))
        .route("/switches", get(switches).post(switch))
        .route("/exceed", post(exceed))
}

async fn ledger(State(shared): State<Arc<Shared>>) -> Response {
    let ledger = shared.memory().ledger.clone();
    Json(ledger).into_response()
}

/// `{"call":"create-note","nth":{"only":2},"when":"after-effect","what":"cut"}`, or `{"seed":7,"rate":0.1}`.
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

/// `{"limit":"requests","seconds":30}`.
#[derive(Deserialize)]
struct Exceed {
    limit: Limit,
    seconds: u64,
}

async fn exceed(State(shared): State<Arc<Shared>>, Json(exceed): Json<Exceed>) -> StatusCode {
    shared.change(|memory| {
        let now = memory.clock.now();
        let rest = Duration::from_secs(exceed.seconds);
        memory.protection.exceed(exceed.limit, now, rest);
    });
    StatusCode::NO_CONTENT
}
