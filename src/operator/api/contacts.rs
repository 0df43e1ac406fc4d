//! `/api/v1/contacts`. Who is meant stands in the body, because addresses are logged on their way.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};

use super::body::Body;
use super::query::NoQuery;
use super::{Answer, WHO};
use crate::operator::verbs::{Meant, Operator};

/// The routes of contacts. Both are for operators only: one deletes, and the other shows words.
pub fn routes() -> Router<Operator> {
    Router::new()
        .route("/api/v1/contacts/erase", post(erase))
        .route("/api/v1/contacts/export", post(export))
}

async fn erase(State(operator): State<Operator>, _: NoQuery, Body(meant): Body<Meant>) -> Answer {
    if meant.dry_run {
        operator.contact(&meant).await.map(Json)
    } else {
        operator.erase_contact(&meant, WHO).await.map(Json)
    }
}

async fn export(State(operator): State<Operator>, _: NoQuery, Body(meant): Body<Meant>) -> Answer {
    operator.export_contact(&meant, WHO).await.map(Json)
}
