//! The conversations a contact has already.

use tracing::debug;
use uuid::Uuid;

use super::{Salesforce, meaning};
use crate::desk::Standing;
use crate::desk::http::Answer;
use crate::domain::error::DeskError;
use crate::domain::handoff::AccessToken;
use crate::domain::ids::ConversationId;

/// As many as one list holds (miaw reference §2.9).
const LISTED_MAX: usize = 50;

/// Which conversations are listed.
#[derive(Debug, Clone, Copy)]
enum Listed {
    Open,
    All,
}

impl Salesforce {
    /// What became of a creation that Salesforce did not take: ours is there already, or the contact has an open
    /// conversation, which then gets a new session (miaw reference §2.6, §5).
    pub(super) async fn existing_conversation(
        &self,
        access: &AccessToken,
        ours: ConversationId,
        answer: &Answer,
    ) -> Result<ConversationId, DeskError> {
        let request = self.http.calls.get(self.conversation(&ours, ""));
        match self.call(access, request).await?.accepted() {
            Ok(_) => return Ok(ours),
            Err(DeskError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut open = self.open_conversations(access).await?;
        if open.contains(&ours) {
            return Ok(ours);
        }
        if let Some(newest) = open.pop() {
            debug!(conversation = %newest, "goes on in the contact's open conversation");
            return Ok(newest);
        }
        Err(meaning(answer))
    }

    /// The contact's open conversations, the newest last (miaw reference §2.9).
    async fn open_conversations(
        &self,
        access: &AccessToken,
    ) -> Result<Vec<ConversationId>, DeskError> {
        self.conversations(access, Listed::Open).await
    }

    async fn conversations(
        &self,
        access: &AccessToken,
        listed: Listed,
    ) -> Result<Vec<ConversationId>, DeskError> {
        let closed_too = match listed {
            Listed::Open => "false",
            Listed::All => "true",
        };
        let request = self
            .http
            .calls
            .get(self.api("conversation/list"))
            .query(&[("inclClosedConvs", closed_too), ("limit", "50")]);
        let list = self.call(access, request).await?.accepted()?.json()?;
        let listed = list["conversations"].as_array().into_iter().flatten();
        let mut open: Vec<(i64, ConversationId)> = listed
            .filter_map(|one| {
                let id = Uuid::parse_str(one["conversationId"].as_str()?).ok()?;
                let started = one["startTimestamp"].as_i64().unwrap_or_default();
                Some((started, ConversationId(id.to_string())))
            })
            .collect();
        open.sort_by_key(|(started, _)| *started);
        Ok(open.into_iter().map(|(_, id)| id).collect())
    }

    /// Over is only what two answers say: it is not among the open ones, and it is among the closed ones or not there
    /// at all. A full list says nothing about what it leaves out.
    pub(super) async fn look_for(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
    ) -> Result<Standing, DeskError> {
        let open = self.open_conversations(access).await?;
        if open.contains(conversation) || open.len() >= LISTED_MAX {
            return Ok(Standing::Open);
        }
        let all = self.conversations(access, Listed::All).await?;
        if all.contains(conversation) {
            return Ok(Standing::Over);
        }
        if all.len() >= LISTED_MAX {
            return Ok(Standing::Open);
        }
        let request = self.http.calls.get(self.conversation(conversation, ""));
        match self.call(access, request).await?.accepted() {
            Ok(_) => Ok(Standing::Open),
            Err(DeskError::Refused {
                status: 404 | 410, ..
            }) => Ok(Standing::Over),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn is_not_open(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
    ) -> bool {
        let open = self.open_conversations(access).await;
        open.is_ok_and(|open| !open.contains(conversation))
    }
}
