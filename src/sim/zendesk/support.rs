//! The Support API, as far as linking contacts takes it (sunshine reference §2.1).

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::api::{Answer, basic};
use super::bodies::Fields;
use super::ledger::SupportUser;
use super::refusal::Refusal;
use super::switches::SupportSearch;

/// Whoever shows the API token of an admin.
pub(super) struct Admin;

impl FromRequestParts<Arc<Shared>> for Admin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let name = format!("{}/token", shared.options.support_email);
        let expected = basic(&name, &shared.options.support_token);
        match parts.headers.get(AUTHORIZATION) {
            Some(header) if header.as_bytes() == expected.as_bytes() => Ok(Self),
            Some(_) | None => Err(Refusal::unauthorized()),
        }
    }
}

pub(super) async fn me(State(shared): State<Arc<Shared>>, _: Admin) -> Answer {
    let email = &shared.options.support_email;
    let body = json!({ "user": { "id": 1, "role": "admin", "email": email } });
    Ok(Json(body).into_response())
}

#[derive(Deserialize)]
pub(super) struct Search {
    query: String,
}

/// Finds what is alike, too: a number is found in a longer one.
pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Query(Search { query }): Query<Search>,
) -> Answer {
    let memory = shared.memory();
    let by_field = memory.switches.support_search == SupportSearch::ByField;
    let words: Vec<&str> = query.split_whitespace().collect();
    let meets = |user: &SupportUser, word: &str| {
        let has = |field: &Option<String>, text: &str| {
            let text = text.trim_matches(['"', '+']).to_lowercase();
            let field = field.as_ref().map(|it| it.to_lowercase());
            field.is_some_and(|it| it.contains(&text))
        };
        match word.split_once(':') {
            Some(("role", role)) => user.role == role,
            Some(("phone", phone)) => by_field && has(&user.phone, phone),
            Some(("email", email)) => by_field && has(&user.email, email),
            Some(_) => false,
            None => has(&user.phone, word) || has(&user.email, word) || user.name.contains(word),
        }
    };
    let found = memory.ledger.support_users.iter();
    let found = found.filter(|user| words.iter().all(|word| meets(user, word)));
    let users: Vec<Value> = found.map(on_the_wire).collect();
    Ok(Json(json!({ "count": users.len(), "users": users })).into_response())
}

pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    _: Admin,
    Path(file): Path<String>,
    body: Fields,
) -> Answer {
    shared.change(|memory| {
        let id = file.strip_suffix(".json").and_then(|id| id.parse().ok());
        let change = Fields::of(body.get("user"), "user")?;
        let external_id = change.text("external_id", 1..=255)?;
        let users = &mut memory.ledger.support_users;
        let taken = users
            .iter()
            .any(|it| external_id.is_some() && it.external_id == external_id && Some(it.id) != id);
        if taken {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(Refusal::new(
                status,
                "RecordInvalid",
                "External has already been taken",
            ));
        }
        let user = users.iter_mut().find(|it| Some(it.id) == id);
        let user = user.ok_or_else(|| Refusal::not_found("RecordNotFound"))?;
        user.external_id = external_id;
        Ok(Json(json!({ "user": on_the_wire(user) })).into_response())
    })
}

fn on_the_wire(user: &SupportUser) -> Value {
    json!({
        "id": user.id, "name": user.name, "role": user.role, "external_id": user.external_id,
        "phone": user.phone, "email": user.email,
    })
}
