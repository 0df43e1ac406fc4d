//! `/api/v1/dead-letters`.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Answer, Body, LIMIT_DEFAULT, Show, WHO};
use crate::domain::connection::Problem;
use crate::operator::verbs::{Edit, Operator, Refusal};

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

type Words = BTreeMap<String, String>;

async fn list(State(operator): State<Operator>, Query(mut words): Query<Words>) -> Answer {
    let limit = number(&mut words, "limit")?.unwrap_or(LIMIT_DEFAULT);
    let before = number(&mut words, "before")?;
    operator.dead_letters(&words, before, limit).await.map(Json)
}

async fn groups(State(operator): State<Operator>, Query(mut words): Query<Words>) -> Answer {
    let by = words.remove("by").unwrap_or_else(|| "cause".to_owned());
    operator.dead_groups(&words, &by).await.map(Json)
}

async fn one(
    State(operator): State<Operator>,
    Path(id): Path<String>,
    Query(show): Query<Show>,
) -> Answer {
    operator.dead_letter(&id, show.content()).await.map(Json)
}

async fn replay(State(operator): State<Operator>, Path(id): Path<String>) -> Answer {
    operator.replay(&id, WHO).await.map(Json)
}

async fn edit(
    State(operator): State<Operator>,
    Path(id): Path<String>,
    Body(edit): Body<Edit>,
) -> Answer {
    operator.edit(&id, &edit, WHO).await.map(Json)
}

async fn discard(State(operator): State<Operator>, Path(id): Path<String>) -> Answer {
    operator.discard(&id, WHO).await.map(Json)
}

async fn restore(State(operator): State<Operator>, Path(id): Path<String>) -> Answer {
    operator.restore(&id, WHO).await.map(Json)
}

/// Takes a number out of the words of a query.
fn number<T: std::str::FromStr>(words: &mut Words, name: &str) -> Result<Option<T>, Refusal> {
    let Some(given) = words.remove(name).filter(|given| !given.is_empty()) else {
        return Ok(None);
    };
    given.parse().map(Some).map_err(|_| {
        Refusal::Wrong(vec![Problem {
            setting: name.to_owned(),
            what: format!("`{given}` is no number; write one such as 100"),
        }])
    })
}
