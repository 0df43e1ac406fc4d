//! `/api/v1/dead-letter-jobs`.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::body::Body;
use super::path::Named;
use super::query::{NoQuery, Query};
use super::{Answer, WHO};
use crate::operator::verbs::{Asked, Operator};

/// The routes of jobs over dead letters.
pub fn routes() -> Router<Operator> {
    Router::new()
        .route("/api/v1/dead-letter-jobs", get(list).post(make))
        .route("/api/v1/dead-letter-jobs/{id}", get(one))
        .route("/api/v1/dead-letter-jobs/{id}/cancel", post(cancel))
}

async fn list(State(operator): State<Operator>, _: NoQuery) -> Answer {
    operator.jobs().await.map(Json)
}

async fn make(State(operator): State<Operator>, _: NoQuery, Body(asked): Body<Asked>) -> Answer {
    if asked.dry_run {
        operator.try_job(&asked).await.map(Json)
    } else {
        operator.make_job(&asked, WHO).await.map(Json)
    }
}

async fn one(State(operator): State<Operator>, Named(id): Named, mut query: Query) -> Answer {
    let after = query.number("after").unwrap_or_default();
    query.done()?;
    operator.job(&id, after).await.map(Json)
}

async fn cancel(State(operator): State<Operator>, Named(id): Named, _: NoQuery) -> Answer {
    operator.cancel_job(&id, WHO).await.map(Json)
}
