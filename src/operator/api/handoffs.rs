//! `/api/v1/handoffs`.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::path::Named;
use super::query::{NoQuery, Query};
use super::{Answer, WHO, content};
use crate::domain::channel::Channel;
use crate::domain::connection::DeskKind;
use crate::domain::handoff::Status;
use crate::operator::verbs::Operator;
use crate::store::Filter;

/// The routes of handoffs.
pub fn routes() -> Router<Operator> {
    Router::new()
        .route("/api/v1/handoffs", get(list))
        .route("/api/v1/handoffs/{id}", get(one))
        .route("/api/v1/handoffs/{id}/end", post(end))
}

async fn list(State(operator): State<Operator>, mut query: Query) -> Answer {
    let desks: Vec<&str> = DeskKind::ALL.iter().map(|desk| desk.as_str()).collect();
    let filter = Filter {
        status: query.word("status", &Status::WORDS),
        connection: query.text("connection"),
        desk: query.word("desk", &desks),
        channel: query.word("channel", &Channel::ALL.map(Channel::as_str)),
        before: None,
        limit: query.limit(),
    };
    query.done()?;
    operator.handoffs(&filter).await.map(Json)
}

async fn one(State(operator): State<Operator>, Named(id): Named, query: Query) -> Answer {
    let content = content(query)?;
    operator.handoff(&id, content).await.map(Json)
}

async fn end(State(operator): State<Operator>, Named(id): Named, _: NoQuery) -> Answer {
    operator.end(&id, WHO).await.map(Json)
}
