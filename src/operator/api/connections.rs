//! `/api/v1/connections`, and `/api/v1/machine` beneath them.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use super::body::Body;
use super::path::Named;
use super::query::{NoQuery, Query};
use super::{Answer, WHO};
use crate::desk::examination::Ours;
use crate::domain::connection::Removal;
use crate::operator::verbs::Operator;
use crate::store::Pause;

/// The routes of connections.
pub fn routes() -> Router<Operator> {
    Router::new()
        .route("/api/v1/connections", get(list))
        .route(
            "/api/v1/connections/{name}",
            get(one).put(save).delete(remove),
        )
        .route("/api/v1/connections/{name}/check", post(check))
        .route("/api/v1/connections/{name}/verify", post(verify))
        .route("/api/v1/connections/{name}/pause", post(pause))
        .route("/api/v1/connections/{name}/resume", post(resume))
        .route("/api/v1/connections/{name}/examine", post(examine))
        .route("/api/v1/connections/{name}/rotate", post(rotate))
        .route("/api/v1/machine", get(machine))
}

async fn list(State(operator): State<Operator>, _: NoQuery) -> Answer {
    operator.connections().await.map(Json)
}

async fn one(State(operator): State<Operator>, Named(name): Named, _: NoQuery) -> Answer {
    operator.connection(&name).await.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Save {
    desk: String,
    settings: BTreeMap<String, String>,
}

async fn save(
    State(operator): State<Operator>,
    Named(name): Named,
    _: NoQuery,
    Body(save): Body<Save>,
) -> Answer {
    operator
        .save_connection(&name, &save.desk, save.settings, WHO)
        .await
        .map(Json)
}

async fn check(
    State(operator): State<Operator>,
    Named(name): Named,
    _: NoQuery,
    Body(save): Body<Save>,
) -> Answer {
    operator
        .check_connection(&name, &save.desk, save.settings)
        .await
        .map(Json)
}

async fn remove(State(operator): State<Operator>, Named(name): Named, mut query: Query) -> Answer {
    let mode = query.word("mode", &Removal::ALL.map(Removal::as_str));
    query.done()?;
    let removal = mode.as_deref().and_then(Removal::parse);
    operator
        .remove_connection(&name, removal.unwrap_or(Removal::Drain), WHO)
        .await
        .map(Json)
}

async fn verify(State(operator): State<Operator>, Named(name): Named, _: NoQuery) -> Answer {
    operator.verify_connection(&name).await.map(Json)
}

async fn pause(State(operator): State<Operator>, Named(name): Named, _: NoQuery) -> Answer {
    operator
        .pause_connection(&name, Pause::Begin, WHO)
        .await
        .map(Json)
}

async fn resume(State(operator): State<Operator>, Named(name): Named, _: NoQuery) -> Answer {
    operator
        .pause_connection(&name, Pause::End, WHO)
        .await
        .map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examine {
    public_url: String,
    serving: bool,
}

async fn examine(
    State(operator): State<Operator>,
    Named(name): Named,
    _: NoQuery,
    Body(examine): Body<Examine>,
) -> Answer {
    let ours = Ours {
        public_url: &examine.public_url,
        serving: examine.serving,
    };
    operator.examine_connection(&name, ours).await.map(Json)
}

async fn rotate(State(operator): State<Operator>, Named(name): Named, _: NoQuery) -> Answer {
    operator.rotate_connection(&name, WHO).await.map(Json)
}

async fn machine(State(operator): State<Operator>, mut query: Query) -> Answer {
    let conversations = query.number("conversations");
    query.done()?;
    operator.examine_machine(conversations).await.map(Json)
}
