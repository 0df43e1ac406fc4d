//! `/api/v1/dead-letters`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::body::Body;
use super::path::Named;
use super::query::{NoQuery, Query};
use super::{Answer, WHO, content};
use crate::operator::verbs::{Edit, Operator};
use crate::operator::wanted::{self, WORDS};
use crate::store::GroupBy;

/// The routes of dead letters.
pub fn routes() -> Router<Operator> {
    Router::new()
        .route("/api/v1/dead-letters", get(list))
        .route("/api/v1/dead-letter-groups", get(groups))
        .route("/api/v1/dead-letters/{id}", get(one))
        .route("/api/v1/dead-letters/{id}/replay", post(replay))
        .route("/api/v1/dead-letters/{id}/edit", post(edit))
        .route("/api/v1/dead-letters/{id}/discard", post(discard))
        .route("/api/v1/dead-letters/{id}/restore", post(restore))
}

/// Which are meant, in words. They are looked through here too, so that all mistakes of a query are told at once.
fn wanted(operator: &Operator, query: &mut Query) -> BTreeMap<String, String> {
    let given = query.texts(&WORDS);
    if let Err(problems) = wanted::filter(&given, operator.clock.now()) {
        query.also(problems);
    }
    given
}

async fn list(State(operator): State<Operator>, mut query: Query) -> Answer {
    let (limit, before) = (query.limit(), query.number("before"));
    let wanted = wanted(&operator, &mut query);
    query.done()?;
    operator
        .dead_letters(&wanted, before, limit)
        .await
        .map(Json)
}

async fn groups(State(operator): State<Operator>, mut query: Query) -> Answer {
    let by = query.word("by", &GroupBy::ALL.map(GroupBy::as_str));
    let wanted = wanted(&operator, &mut query);
    query.done()?;
    let by = by.as_deref().and_then(GroupBy::parse).unwrap_or_default();
    operator.dead_groups(&wanted, by).await.map(Json)
}

async fn one(State(operator): State<Operator>, Named(id): Named, query: Query) -> Answer {
    let content = content(query)?;
    operator.dead_letter(&id, content).await.map(Json)
}

async fn replay(State(operator): State<Operator>, Named(id): Named, _: NoQuery) -> Answer {
    operator.replay(&id, WHO).await.map(Json)
}

async fn edit(
    State(operator): State<Operator>,
    Named(id): Named,
    _: NoQuery,
    Body(edit): Body<Edit>,
) -> Answer {
    operator.edit(&id, &edit, WHO).await.map(Json)
}

async fn discard(State(operator): State<Operator>, Named(id): Named, _: NoQuery) -> Answer {
    operator.discard(&id, WHO).await.map(Json)
}

async fn restore(State(operator): State<Operator>, Named(id): Named, _: NoQuery) -> Answer {
    operator.restore(&id, WHO).await.map(Json)
}
