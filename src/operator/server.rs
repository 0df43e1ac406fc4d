//! The one HTTP port: health, metrics, and the API behind its door.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::metrics::Vitals;

/// The routes that need no token and tell nothing about anybody.
pub fn open_routes(vitals: Vitals) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(vitals)
}

/// Ready means: the store answers and deliveries arrive.
async fn ready(State(vitals): State<Vitals>) -> Response {
    let broker = vitals.broker.borrow().clone();
    let store = vitals.store.pressure().await;
    let ready = broker.up && broker.taking && store.is_ok();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "ready": ready,
        "broker": { "up": broker.up, "taking": broker.taking, "blocked": broker.blocked, "error": broker.error },
        "store": { "up": store.is_ok(), "error": store.err().map(|error| error.to_string()) },
    });
    (status, Json(body)).into_response()
}

/// Prometheus' text format.
async fn metrics(State(vitals): State<Vitals>) -> Response {
    match vitals.text().await {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}
