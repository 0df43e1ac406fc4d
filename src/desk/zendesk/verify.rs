//! What `verify` tries: the key, the switchboard, multi-conversations, the webhook, and the Support API.

use serde_json::Value;

use super::Zendesk;
use super::conversations::WORKSPACE;
use super::settings::Settings;
use crate::domain::error::{Code, DeskError};

impl Zendesk {
    /// Each thing that a handoff needs, in the order in which an admin puts them right. Nothing is changed.
    pub(super) async fn check_up(&self) -> Result<String, DeskError> {
        let Settings {
            app_id, workspace, ..
        } = &self.settings;
        self.check_switchboard().await?;
        self.check_multi_conversations().await?;
        let target = self.check_webhook().await?;
        let linked = match &self.settings.support {
            Some(support) => {
                self.check_support(support).await?;
                "contacts are linked to support users"
            }
            None => {
                "contacts are not linked to support users, for which `support_email` and `support_token` are needed"
            }
        };
        Ok(format!(
            "app {app_id} passes conversations to `{workspace}`, and replies come to {target}; {linked}"
        ))
    }

    /// The switchboard is on, and has a workspace under the name that the connection says (§2.7).
    pub(super) async fn check_switchboard(&self) -> Result<(), DeskError> {
        let workspace = &self.settings.workspace;
        let wrong = |what: String| {
            self.misconfigured(Code::BadDeployment, "switchboard_integration", &what)
        };
        let found = self
            .as_operator(self.http.calls.get(self.api(&["switchboards"])))
            .await?;
        let switchboards = found["switchboards"].as_array().into_iter().flatten();
        let Some(id) = switchboards
            .filter(|it| it["enabled"] != false)
            .find_map(|it| it["id"].as_str())
        else {
            return Err(wrong("the app has no switchboard that is on; turn on messaging (Admin Center → Channels → Messaging)".into()));
        };
        let url = self.api(&["switchboards", id, "switchboardIntegrations"]);
        let found = self.as_operator(self.http.calls.get(url)).await?;
        let there = found["switchboardIntegrations"].as_array();
        let there = there.map(Vec::as_slice).unwrap_or_default();
        let is_meant = |it: &&Value| {
            ["id", "name", "integrationType"]
                .iter()
                .any(|part| it[*part] == workspace.as_str())
        };
        match there.iter().find(is_meant) {
            Some(it) if it["integrationType"] == WORKSPACE => Ok(()),
            Some(_) => Err(wrong(format!(
                "`{workspace}` is not the Agent Workspace; write the one whose type is {WORKSPACE}: {}",
                names(there)
            ))),
            None if !there.iter().any(|it| it["integrationType"] == WORKSPACE) => {
                Err(wrong(format!(
                    "the Agent Workspace is not in the switchboard, which has {}; add the Agent Workspace to it (Admin Center → Channels → Messaging)",
                    names(there)
                )))
            }
            None => Err(wrong(format!(
                "the switchboard has no `{workspace}`; write one of {}",
                names(there)
            ))),
        }
    }

    /// Without them a contact's second handoff fails (§0). An app that does not say is taken to have them.
    pub(super) async fn check_multi_conversations(&self) -> Result<(), DeskError> {
        let app = match self.as_operator(self.http.calls.get(self.api(&[]))).await {
            Ok(app) => app,
            Err(DeskError::Refused { .. } | DeskError::Misconfigured { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        if app.pointer("/app/settings/multiConvoEnabled") != Some(&Value::Bool(false)) {
            return Ok(());
        }
        Err(self.misconfigured(
            Code::BadDeployment,
            "app_id",
            "multi-conversations are off, so a contact's second handoff would fail; turn on multi-conversations (Admin Center → Channels → Messaging; they cannot be turned off again)",
        ))
    }
}

fn names(integrations: &[Value]) -> String {
    let names: Vec<&str> = integrations
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    names.join(", ")
}
