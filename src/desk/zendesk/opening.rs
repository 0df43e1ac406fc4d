//! The opening message in its parts, and the control that is passed to the reps once all of them are there.

use serde_json::json;

use super::Zendesk;
use super::calls::code;
use super::entries;
use super::history::{Reach, marked};
use super::labels;
use super::messages::mark;
use super::parts::parts_of;
use crate::domain::error::{Code, DeskError};
use crate::domain::escalation::Escalation;
use crate::domain::handoff::{Earlier, Effect};
use crate::domain::ids::ConversationId;

/// The name over the opening message. A text of the business wakes no bot, and passes for nobody's turn
/// (sunshine reference §4, T1).
const AUTHOR: &str = "AI transcript";

impl Zendesk {
    /// Posts what is not there yet, one after the other because nothing else keeps their order, then passes control.
    pub(super) async fn open_with(
        &self,
        to: &ConversationId,
        effect: Effect,
        text: &str,
        about: &Escalation,
    ) -> Result<(), DeskError> {
        let history = match effect.earlier {
            Earlier::Never => Vec::new(),
            Earlier::Perhaps => self.history(to, Reach::Since(None)).await?,
        };
        // A rep has been there, so control was passed; to pass it again could open what they have closed (§2.8).
        if history.iter().any(entries::is_of_workspace) {
            return Ok(());
        }
        let sent = marked(&history);
        let mut first = None;
        for (number, part) in parts_of(text).into_iter().enumerate() {
            let mark = mark(effect.key, number);
            let id = match sent.get(&mark) {
                Some(id) => id.clone(),
                None => {
                    let content = json!({ "type": "text", "text": part });
                    self.post_as_business(to, AUTHOR, &content, &mark).await?
                }
            };
            first.get_or_insert(id);
        }
        self.pass_control(to, first.as_deref(), about).await
    }

    /// To a named target, with all that the ticket is to have: it is made now. A second time changes nothing (§2.6);
    /// that the reps have control already is no reason to leave it out, for where they are the default they have it
    /// before there is a ticket.
    async fn pass_control(
        &self,
        of: &ConversationId,
        first_message: Option<&str>,
        about: &Escalation,
    ) -> Result<(), DeskError> {
        let workspace = &self.settings.workspace;
        let body = json!({
            "switchboardIntegration": workspace,
            "metadata": labels::of_ticket(about, first_message, &self.settings.attributes),
        });
        let request = self
            .http
            .calls
            .post(self.conversation(of, &["passControl"]));
        let answer = self.call(request.json(&body)).await?;
        let is_gone = code(&answer).as_deref() == Some("conversation_not_found");
        match answer.status.as_u16() {
            404 if is_gone => Err(self.refused(&answer, "the conversation is gone")),
            // What an unknown target gets is not known (§1.8), but the switchboard knows its members.
            400 | 404 => match self.check_switchboard().await {
                Err(known @ DeskError::Misconfigured { .. }) => Err(known),
                Ok(()) | Err(_) => Err(self.misconfigured(
                    Code::BadDeployment,
                    "switchboard_integration",
                    &format!(
                        "Zendesk does not pass control to `{workspace}`: {}; write the name of the Agent Workspace in the switchboard, and check the attributes",
                        answer.explanation()
                    ),
                )),
            },
            _ => self.accepted(answer).map(drop),
        }
    }
}
