//! The conversation: made once under a mark in its metadata, looked at, and let go.

use serde_json::{Value, json};

use super::Zendesk;
use super::calls::{code, text_at};
use super::labels::{self, MARK};
use crate::domain::clock::Timestamp;
use crate::domain::error::DeskError;
use crate::domain::escalation::Escalation;
use crate::domain::handoff::{AccessToken, Earlier, Effect};
use crate::domain::ids::{ConversationId, Key};
use crate::domain::seal::ExposeSecret;

/// The type of the Agent Workspace, whatever it is called (sunshine reference §2.6).
pub const WORKSPACE: &str = "zd:agentWorkspace";
/// The most that Zendesk gives on a page (sunshine reference §1.5).
const PAGE_MAX: &str = "100";
/// Five thousand conversations: more than a contact has, few enough to end.
const PAGES_MAX: usize = 50;

/// How a conversation stands.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// Whether control is with the Agent Workspace.
    pub is_with_reps: bool,
    /// When it was made, where Zendesk says so.
    pub created_at: Option<Timestamp>,
}

impl Zendesk {
    pub(super) async fn converse(
        &self,
        access: &AccessToken,
        effect: Effect,
        about: &Escalation,
    ) -> Result<ConversationId, DeskError> {
        let user = access.token.expose_secret();
        if effect.earlier == Earlier::Perhaps
            && let Some(made) = self.marked_conversation(user, effect.key).await?
        {
            return Ok(made);
        }
        let body = json!({
            "type": "personal",
            "participants": [{ "userId": user, "subscribeSDKClient": false }],
            "metadata": labels::of_conversation(about, effect.key, &self.settings.attributes),
        });
        let request = self
            .http
            .calls
            .post(self.api(&["conversations"]))
            .json(&body);
        let answer = self.call(request).await?;
        if is_user_gone(code(&answer).as_deref()) {
            return Err(user_gone());
        }
        match self.accepted(answer.clone()) {
            Ok(answer) => text_at(&answer, "/conversation/id").map(ConversationId),
            Err(DeskError::Refused { .. }) => Err(self.refused(
                &answer,
                "Zendesk makes no conversation; if the contact has had one before, turn on multi-conversations (Admin Center → Channels → Messaging; it cannot be turned off again)",
            )),
            Err(error) => Err(error),
        }
    }

    /// The user's conversation that carries our mark. There is no search by metadata, so all of them are read (§2.8).
    async fn marked_conversation(
        &self,
        user: &str,
        key: Key,
    ) -> Result<Option<ConversationId>, DeskError> {
        let key = key.to_string();
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let request = self
                .http
                .calls
                .get(self.api(&["conversations"]))
                .query(&[("filter[userId]", user), ("page[size]", PAGE_MAX)]);
            let request = match &after {
                Some(cursor) => request.query(&[("page[after]", cursor)]),
                None => request,
            };
            let answer = self.call(request).await?;
            if is_user_gone(code(&answer).as_deref()) {
                return Err(user_gone());
            }
            let page = self.accepted(answer)?.json()?;
            let mut listed = page["conversations"].as_array().into_iter().flatten();
            let ours = listed.find(|one| one["metadata"][MARK] == key.as_str());
            if let Some(id) = ours.and_then(|one| one["id"].as_str()) {
                return Ok(Some(ConversationId::from(id)));
            }
            match page.pointer("/meta/afterCursor").and_then(Value::as_str) {
                Some(cursor) if page["meta"]["hasMore"] == true => after = Some(cursor.to_owned()),
                Some(_) | None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// How the conversation stands; `None` if it is gone.
    pub(super) async fn state(&self, of: &ConversationId) -> Result<Option<State>, DeskError> {
        let request = self.http.calls.get(self.conversation(of, &[]));
        let answer = self.call(request).await?;
        if answer.status == 404 && code(&answer).as_deref() != Some("app_not_found") {
            return Ok(None);
        }
        let found = self.accepted(answer)?.json()?;
        let found = &found["conversation"];
        if !found.is_object() {
            return Err(DeskError::Broken("200 without `conversation`".into()));
        }
        Ok(Some(State {
            is_with_reps: is_workspace(
                &found["activeSwitchboardIntegration"],
                &self.settings.workspace,
            ),
            created_at: found["createdAt"].as_str().and_then(|at| at.parse().ok()),
        }))
    }

    /// Takes control from the reps, which solves no ticket (§4). What they do not have is not taken from anybody else.
    pub(super) async fn release(&self, conversation: &ConversationId) -> Result<(), DeskError> {
        match self.state(conversation).await? {
            Some(state) if state.is_with_reps => {}
            Some(_) | None => return Ok(()),
        }
        let request = self
            .http
            .calls
            .post(self.conversation(conversation, &["releaseControl"]));
        let answer = self.call(request.json(&json!({}))).await?;
        match answer.status.as_u16() {
            // Somebody else was first.
            403 | 404 | 409 => Ok(()),
            _ => self.accepted(answer).map(drop),
        }
    }
}

/// Whether this is the Agent Workspace: by its type, or else by what the connection calls it.
pub fn is_workspace(integration: &Value, workspace: &str) -> bool {
    match integration["integrationType"].as_str() {
        Some(kind) => kind == WORKSPACE,
        None => integration["name"] == workspace || integration["id"] == workspace,
    }
}

fn is_user_gone(code: Option<&str>) -> bool {
    code == Some("user_not_found")
}

/// As a token that has run out: the contact gets a user again.
fn user_gone() -> DeskError {
    DeskError::Unauthorized("the contact's user is gone".into())
}
