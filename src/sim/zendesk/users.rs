//! The calls about users (sunshine reference §2.1).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::api::{Answer, Key};
use super::bodies::Fields;
use super::ledger::User;
use super::memory::{Memory, written};
use super::refusal::Refusal;
use super::switches::UnknownFields;

/// Which thing of the app a call is about.
#[derive(Deserialize)]
pub(super) struct At {
    pub id: String,
}

pub(super) async fn create(State(shared): State<Arc<Shared>>, _: Key, body: Fields) -> Answer {
    shared.change(|memory| {
        let unknown = memory.switches.unknown_fields;
        body.known(
            &[
                "externalId",
                "brandId",
                "signedUpAt",
                "toBeRetained",
                "profile",
                "metadata",
            ],
            unknown,
        )?;
        let external_id = body.text("externalId", 1..=1024)?;
        let (profile, metadata) = (profile(&body, unknown)?, body.metadata()?);
        let exists = external_id
            .as_deref()
            .is_some_and(|id| memory.users_by_external_id.contains_key(id));
        if exists {
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "conflict",
                "User already exists",
            ));
        }
        let (id, at) = (memory.id(), memory.moment());
        let at = memory.add_user(User {
            id,
            external_id,
            profile,
            metadata,
            at,
            merged: false,
        });
        let body = json!({ "user": on_the_wire(&memory.ledger.users[at]) });
        Ok((StatusCode::CREATED, Json(body)).into_response())
    })
}

pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
) -> Answer {
    let memory = shared.memory();
    let user = &memory.ledger.users[memory.user(&id)?];
    Ok(Json(json!({ "user": on_the_wire(user) })).into_response())
}

pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
    body: Fields,
) -> Answer {
    shared.change(|memory| {
        let unknown = memory.switches.unknown_fields;
        body.known(
            &["signedUpAt", "toBeRetained", "profile", "metadata"],
            unknown,
        )?;
        let at = memory.user(&id)?;
        let (profile, metadata) = (profile(&body, unknown)?, body.metadata()?);
        let user = &mut memory.ledger.users[at];
        user.profile.extend(profile);
        if !body.get("metadata").is_null() {
            // Whether it merges is not known, so callers must send all of it (§2.2).
            user.metadata = metadata;
        }
        Ok(Json(json!({ "user": on_the_wire(user) })).into_response())
    })
}

fn profile(body: &Fields, unknown: UnknownFields) -> Result<Map<String, Value>, Refusal> {
    if body.get("profile").is_null() {
        return Ok(Map::new());
    }
    let profile = Fields::of(body.get("profile"), "profile")?;
    profile.known(
        &["givenName", "surname", "email", "avatarUrl", "locale"],
        unknown,
    )?;
    let bounds = [
        ("givenName", 128),
        ("surname", 128),
        ("email", 128),
        ("avatarUrl", 2048),
        ("locale", 64),
    ];
    let mut checked = Map::new();
    for (name, chars_max) in bounds {
        if let Some(text) = profile.text(name, 1..=chars_max)? {
            checked.insert(name.to_owned(), text.into());
        }
    }
    Ok(checked)
}

/// With what the vendor adds, of which not everything is documented.
fn on_the_wire(user: &User) -> Value {
    let mut wire = json!({
        "id": user.id, "authenticated": false, "signedUpAt": written(user.at), "hasPaymentInfo": false,
        "identities": [], "profile": user.profile, "metadata": user.metadata,
    });
    wire["profile"]["localeOrigin"] = "api".into();
    if let Some(external_id) = &user.external_id {
        wire["externalId"] = external_id.as_str().into();
    }
    wire
}

impl Memory {
    /// The user of a conversation becomes another, who knows nothing of the external id (§3.7).
    pub fn merge_user_of(&mut self, conversation: &str) {
        let Ok(position) = self.conversation(conversation) else {
            return;
        };
        let discarded = self.at(position).user.clone();
        let (id, at) = (self.id(), self.moment());
        let survivor = User {
            external_id: Some(format!("crm-{id}")),
            profile: Map::new(),
            metadata: Map::new(),
            merged: false,
            id,
            at,
        };
        let surviving = survivor.id.clone();
        self.add_user(survivor);
        if let Ok(at) = self.user(&discarded) {
            self.ledger.users[at].merged = true;
            let gone = self.ledger.users[at].external_id.clone();
            self.users_by_external_id.remove(&gone.unwrap_or_default());
        }
        self.at_mut(position).user = surviving.clone();
        let merged = json!({
            "surviving": { "id": surviving, "authenticated": false },
            "discarded": { "id": discarded, "authenticated": false },
        });
        self.emit(
            "user:merge",
            position,
            json!({ "mergedUsers": merged, "reason": "api" }),
        );
    }
}
