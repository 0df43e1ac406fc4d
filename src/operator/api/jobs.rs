//! `/api/v1/dead-letter-jobs`.

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use super::{Answer, Body, WHO};
use crate::operator::verbs::{Asked, Operator};

/// The routes of jobs over dead letters.
pub fn routes() -> Router<Operator> {
    Router::new()
        .route("/api/v1/dead-letter-jobs", get(list).post(make))
        .route("/api/v1/dead-letter-jobs/{id}", get(one))
        .route("/api/v1/dead-letter-jobs/{id}/cancel", post(cancel))
}

async fn list(State(operator): State<Operator>) -> Answer {
    operator.jobs().await.map(Json)
}

async fn make(State(operator): State<Operator>, Body(asked): Body<Asked>) -> Answer {
    if asked.dry_run {
        operator.try_job(&asked).await.map(Json)
    } else {
        operator.make_job(&asked, WHO).await.map(Json)
    }
}

#[derive(Deserialize)]
struct Beyond {
    after: Option<i64>,
}

async fn one(
    State(operator): State<Operator>,
    Path(id): Path<String>,
    Query(beyond): Query<Beyond>,
) -> Answer {
    operator
        .job(&id, beyond.after.unwrap_or_default())
        .await
        .map(Json)
}

async fn cancel(State(operator): State<Operator>, Path(id): Path<String>) -> Answer {
    operator.cancel_job(&id, WHO).await.map(Json)
}
