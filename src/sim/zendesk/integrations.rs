//! Custom integrations and their webhooks (sunshine reference §3.1).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::api::{Answer, Key};
use super::bodies::{Fields, missing};
use super::ledger::Webhook;
use super::memory::Memory;
use super::pages::Wanted;
use super::refusal::Refusal;
use super::users::At;

/// Per app (§1.7).
const WEBHOOKS_MAX: usize = 10;
/// All that there are (§3.2).
const TRIGGERS: [&str; 26] = [
    "client:add",
    "client:remove",
    "client:update",
    "conversation:create",
    "conversation:join",
    "conversation:leave",
    "conversation:remove",
    "conversation:message",
    "conversation:postback",
    "conversation:read",
    "conversation:referral",
    "conversation:typing",
    "conversation:message:delivery:channel",
    "conversation:message:delivery:failure",
    "conversation:message:delivery:user",
    "passthrough:messaging",
    "switchboard:acceptControl",
    "switchboard:acceptControl:failure",
    "switchboard:offerControl",
    "switchboard:offerControl:failure",
    "switchboard:passControl",
    "switchboard:passControl:failure",
    "switchboard:releaseControl",
    "user:merge",
    "user:update",
    "user:remove",
];

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let memory = shared.memory();
    let builtin = json!({ "id": "5ef21b86e933b7355c11c605", "type": "zd:agentWorkspace", "status": "active" });
    let custom = memory.integrations.iter().map(
        |(id, name)| json!({ "id": id, "type": "custom", "status": "active", "displayName": name }),
    );
    let items: Vec<Value> = [builtin].into_iter().chain(custom).collect();
    let page = wanted.forwards("integrations", items, memory.switches.meta)?;
    Ok(Json(page).into_response())
}

pub(super) async fn create(State(shared): State<Arc<Shared>>, _: Key, body: Fields) -> Answer {
    shared.change(|memory| {
        let unknown = memory.switches.unknown_fields;
        body.known(&["type", "status", "displayName", "webhooks"], unknown)?;
        if body.required("type")? != "custom" {
            return Err(Refusal::bad_request("Invalid integration type"));
        }
        let name = body.text("displayName", 1..=100)?.unwrap_or_default();
        let webhooks = body.get("webhooks").as_array().cloned().unwrap_or_default();
        let [webhook] = webhooks.as_slice() else {
            return Err(missing("webhooks"));
        };
        let id = memory.id();
        let webhook = memory.make_webhook(&id, &name, &Fields::of(webhook, "webhooks[0]")?)?;
        memory.integrations.push((id.clone(), name.clone()));
        let body = json!({ "integration": {
            "id": id, "type": "custom", "status": "active", "displayName": name,
            "webhooks": [on_the_wire(&webhook)],
        }});
        Ok((StatusCode::CREATED, Json(body)).into_response())
    })
}

pub(super) async fn webhooks(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
) -> Answer {
    let memory = shared.memory();
    memory.integration(&id)?;
    let theirs = memory
        .ledger
        .webhooks
        .iter()
        .filter(|it| it.integration == id);
    let webhooks: Vec<Value> = theirs.map(on_the_wire).collect();
    Ok(Json(json!({ "webhooks": webhooks })).into_response())
}

pub(super) async fn create_webhook(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
    body: Fields,
) -> Answer {
    shared.change(|memory| {
        let name = memory.integration(&id)?;
        let webhook = memory.make_webhook(&id, &name, &body)?;
        let body = json!({ "webhook": on_the_wire(&webhook) });
        Ok((StatusCode::CREATED, Json(body)).into_response())
    })
}

#[derive(Deserialize)]
pub(super) struct AtWebhook {
    id: String,
    webhook: String,
}

pub(super) async fn update_webhook(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(AtWebhook { id, webhook }): Path<AtWebhook>,
    body: Fields,
) -> Answer {
    shared.change(|memory| {
        let (target, triggers) = (body.text("target", 1..=2048)?, triggers(&body)?);
        let mut all = memory.ledger.webhooks.iter_mut();
        let found = all.find(|it| it.id == webhook && it.integration == id);
        let found = found.ok_or_else(|| Refusal::not_found("not_found"))?;
        found.target = target.unwrap_or_else(|| found.target.clone());
        found.triggers = triggers.unwrap_or_else(|| found.triggers.clone());
        Ok(Json(json!({ "webhook": on_the_wire(found) })).into_response())
    })
}

pub(super) async fn delete_webhook(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(AtWebhook { id, webhook }): Path<AtWebhook>,
) -> Answer {
    shared.change(|memory| {
        let all = &mut memory.ledger.webhooks;
        let found = all
            .iter()
            .position(|it| it.id == webhook && it.integration == id);
        all.remove(found.ok_or_else(|| Refusal::not_found("not_found"))?);
        Ok(Json(json!({})).into_response())
    })
}

fn triggers(body: &Fields) -> Result<Option<Vec<String>>, Refusal> {
    let Some(given) = body.get("triggers").as_array() else {
        return Ok(None);
    };
    let known = |it: &Value| it.as_str().is_some_and(|it| TRIGGERS.contains(&it));
    if !given.iter().all(known) {
        return Err(Refusal::bad_request(
            "triggers should be equal to one of the allowed values",
        ));
    }
    Ok(Some(
        given
            .iter()
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect(),
    ))
}

fn on_the_wire(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id, "version": "v2", "target": webhook.target, "triggers": webhook.triggers,
        "secret": webhook.secret, "includeFullUser": false, "includeFullSource": false,
    })
}

impl Memory {
    fn integration(&self, id: &str) -> Result<String, Refusal> {
        let found = self.integrations.iter().find(|(known, _)| known == id);
        found
            .map(|(_, name)| name.clone())
            .ok_or_else(|| Refusal::not_found("integration_not_found"))
    }

    fn make_webhook(
        &mut self,
        integration: &str,
        name: &str,
        body: &Fields,
    ) -> Result<Webhook, Refusal> {
        body.known(
            &["target", "triggers", "includeFullUser", "includeFullSource"],
            self.switches.unknown_fields,
        )?;
        if self.ledger.webhooks.len() >= WEBHOOKS_MAX {
            return Err(Refusal::bad_request("Webhook limit reached"));
        }
        let target = body.required("target")?;
        let triggers = triggers(body)?.ok_or_else(|| missing("triggers"))?;
        let webhook = Webhook {
            id: self.id(),
            integration: integration.to_owned(),
            name: name.to_owned(),
            target,
            triggers,
            secret: uuid::Uuid::new_v4().simple().to_string(),
        };
        self.ledger.webhooks.push(webhook.clone());
        Ok(webhook)
    }
}
