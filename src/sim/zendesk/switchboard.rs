//! The switchboard: who is in it, and who has control (sunshine reference §2.6, §2.7).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::Shared;
use super::api::{Answer, Key};
use super::bodies::Fields;
use super::ledger::Control;
use super::memory::Memory;
use super::refusal::Refusal;
use super::switches::{DefaultResponder, MultiConversations, Switchboard, UnknownTarget};
use super::users::At;

/// Zendesk's bot.
pub(super) const BOT: &str = "zd-answerBot";
const SWITCHBOARD: &str = "5ef21b86e933b7355c11c600";

pub(super) async fn app(State(shared): State<Arc<Shared>>, _: Key) -> Answer {
    let memory = shared.memory();
    let multi = memory.switches.multi_conversations == MultiConversations::On;
    let body = json!({ "app": {
        "id": memory.options.app_id, "displayName": "Acme", "settings": { "multiConvoEnabled": multi },
    }});
    Ok(Json(body).into_response())
}

pub(super) async fn all(State(shared): State<Arc<Shared>>, _: Key) -> Answer {
    let one = |enabled: bool| vec![json!({ "id": SWITCHBOARD, "enabled": enabled })];
    let there = match shared.memory().switches.switchboard {
        Switchboard::On | Switchboard::WithoutWorkspace => one(true),
        Switchboard::Disabled => one(false),
        Switchboard::Absent => vec![],
    };
    Ok(Json(json!({ "switchboards": there })).into_response())
}

pub(super) async fn integrations(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
) -> Answer {
    if id != SWITCHBOARD {
        return Err(Refusal::not_found("switchboard_not_found"));
    }
    let members = shared.memory().members();
    Ok(Json(json!({ "switchboardIntegrations": members })).into_response())
}

pub(super) async fn pass(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
    body: Fields,
) -> Answer {
    shared.change(|memory| {
        body.known(&["switchboardIntegration", "metadata"], memory.switches.unknown_fields)?;
        let position = memory.conversation(&id)?;
        let target = body.required("switchboardIntegration")?;
        let metadata = body.metadata()?;
        if let Some(name) = memory.member(&target) {
            memory.pass_control(position, &name, metadata);
            return Ok(Json(json!({})).into_response());
        }
        match memory.switches.unknown_target {
            UnknownTarget::NotFound => Err(Refusal::not_found("switchboard_integration_not_found")),
            UnknownTarget::BadRequest => Err(Refusal::bad_request("Switchboard invalid target")),
            UnknownTarget::FailsLater => {
                let error = json!({ "code": "switchboard_invalid_target", "message": "Switchboard invalid target" });
                memory.emit("switchboard:passControl:failure", position, json!({ "error": error }));
                Ok(Json(json!({})).into_response())
            }
        }
    })
}

pub(super) async fn release(
    State(shared): State<Arc<Shared>>,
    _: Key,
    Path(At { id }): Path<At>,
    body: Fields,
) -> Answer {
    shared.change(|memory| {
        body.known(&["metadata"], memory.switches.unknown_fields)?;
        let position = memory.conversation(&id)?;
        body.metadata()?;
        memory.release_control(position, None);
        Ok(Json(json!({})).into_response())
    })
}

impl Memory {
    /// The members of the switchboard as the vendor writes them.
    fn members(&self) -> Vec<Value> {
        let workspace = json!({
            "id": "5ef21b86e933b7355c11c604", "name": self.options.workspace, "deliverStandbyEvents": false,
            "integrationId": "5ef21b86e933b7355c11c605", "integrationType": "zd:agentWorkspace",
        });
        let bot = json!({
            "id": "5ef21b86e933b7355c11c606", "name": BOT, "deliverStandbyEvents": false,
            "integrationId": "5ef21b86e933b7355c11c607", "integrationType": "zd:answerBot",
        });
        match self.switches.switchboard {
            Switchboard::On => vec![workspace, bot],
            Switchboard::WithoutWorkspace => vec![bot],
            Switchboard::Disabled | Switchboard::Absent => vec![],
        }
    }

    /// The name of the member that somebody means: by id, name or type, in that precedence.
    fn member(&self, target: &str) -> Option<String> {
        let members = self.members();
        let named = |part: &str| members.iter().find(|it| it[part] == target);
        let found = named("id")
            .or_else(|| named("name"))
            .or_else(|| named("integrationType"));
        found.and_then(|it| it["name"].as_str()).map(str::to_owned)
    }

    /// Who has control of a conversation, as the vendor writes them.
    pub fn active(&self, position: usize) -> Option<Value> {
        let active = self.at(position).active.clone()?;
        let mut found = self.members().into_iter().find(|it| it["name"] == active)?;
        if let Some(found) = found.as_object_mut() {
            found.remove("deliverStandbyEvents");
        }
        Some(found)
    }

    pub fn is_with_workspace(&self, position: usize) -> bool {
        self.at(position).active.as_ref() == Some(&self.options.workspace)
    }

    /// Gives control to a member; to the workspace, with a ticket.
    pub fn pass_control(&mut self, position: usize, to: &str, metadata: Map<String, Value>) {
        let at = self.moment();
        let conversation = self.at_mut(position);
        conversation.active = Some(to.to_owned());
        conversation.controls.push(Control {
            to: Some(to.to_owned()),
            metadata: metadata.clone(),
            at,
        });
        self.emit(
            "switchboard:passControl",
            position,
            json!({ "metadata": metadata }),
        );
        if self.is_with_workspace(position) {
            self.ticket(position, &metadata);
        }
    }

    /// Takes control from whoever has it.
    pub fn release_control(&mut self, position: usize, reason: Option<&str>) {
        self.forget_control(position);
        let payload = match reason {
            Some(reason) => json!({ "reason": reason }),
            None => json!({}),
        };
        self.emit("switchboard:releaseControl", position, payload);
    }

    /// The same, without a word.
    pub fn forget_control(&mut self, position: usize) {
        let at = self.moment();
        let conversation = self.at_mut(position);
        conversation.active = None;
        conversation.controls.push(Control {
            to: None,
            metadata: Map::new(),
            at,
        });
        let id = conversation.id.clone();
        self.dismiss(&id);
    }

    /// Gives control to the default responder, if nobody has it. No event tells of it.
    pub fn assign_default(&mut self, position: usize) {
        let responder = match self.switches.default_responder {
            DefaultResponder::Nobody => return,
            DefaultResponder::AgentWorkspace => self.options.workspace.clone(),
            DefaultResponder::AnswerBot => BOT.to_owned(),
        };
        self.at_mut(position).active.get_or_insert(responder);
    }
}
