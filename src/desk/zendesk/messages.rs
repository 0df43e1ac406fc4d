//! What is posted into a conversation: each message once, under a mark in its metadata.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Zendesk;
use super::calls::{code, text_at};
use super::history::{Reach, marked};
use super::labels::MARK;
use super::parts::parts_of;
use crate::desk::http::{Answer, repeats};
use crate::domain::error::DeskError;
use crate::domain::handoff::{AccessToken, Earlier, Effect};
use crate::domain::ids::{ConversationId, Key};
use crate::domain::seal::ExposeSecret;

/// The mark of one of the messages that an effect consists of.
pub fn mark(key: Key, number: usize) -> String {
    format!("{key}#{number}")
}

impl Zendesk {
    /// What the contact wrote, in as many messages as it needs. Checkable: those whose mark is there are not sent again.
    pub(super) async fn say(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        text: &str,
    ) -> Result<(), DeskError> {
        let sent = self.sent(to, effect, Reach::LastPage).await?;
        for (number, part) in parts_of(text).into_iter().enumerate() {
            let mark = mark(effect.key, number);
            if !sent.contains_key(&mark) {
                let content = json!({ "type": "text", "text": part });
                self.post_as_contact(access, to, &content, &mark).await?;
            }
        }
        Ok(())
    }

    /// The marks that earlier attempts may have left.
    pub(super) async fn sent(
        &self,
        to: &ConversationId,
        effect: Effect,
        reach: Reach,
    ) -> Result<HashMap<String, String>, DeskError> {
        match effect.earlier {
            Earlier::Never => Ok(HashMap::new()),
            Earlier::Perhaps => Ok(marked(&self.history(to, reach).await?)),
        }
    }

    /// As the contact's user. A user who was merged into another is looked up among the participants.
    pub(super) async fn post_as_contact(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        content: &Value,
        mark: &str,
    ) -> Result<(), DeskError> {
        let user = access.token.expose_secret();
        let author = |user: &str| json!({ "type": "user", "userId": user });
        let answer = self.post(to, &author(user), content, mark).await?;
        let is_unknown_here = answer.status == 404
            && !matches!(
                code(&answer).as_deref(),
                Some("conversation_not_found" | "app_not_found")
            );
        if is_unknown_here
            && let Some(other) = self.participant(to).await?.filter(|other| other != user)
        {
            let answer = self.post(to, &author(&other), content, mark).await?;
            return self.taken(answer, content).map(drop);
        }
        self.taken(answer, content).map(drop)
    }

    /// Posts a message, whatever Zendesk says to it.
    async fn post(
        &self,
        to: &ConversationId,
        author: &Value,
        content: &Value,
        mark: &str,
    ) -> Result<Answer, DeskError> {
        let body = json!({ "author": author, "content": content, "metadata": { MARK: mark } });
        let request = self.http.calls.post(self.conversation(to, &["messages"]));
        self.call(request.json(&body)).await
    }

    /// Posts a message of ours; its id.
    pub(super) async fn post_as_business(
        &self,
        to: &ConversationId,
        name: &str,
        content: &Value,
        mark: &str,
    ) -> Result<String, DeskError> {
        let author = json!({ "type": "business", "displayName": name });
        let answer = self.post(to, &author, content, mark).await?;
        self.taken(answer, content)
    }

    /// The id of a message that was taken, or why it was not, without the words of it.
    fn taken(&self, mut answer: Answer, content: &Value) -> Result<String, DeskError> {
        let said = content["text"].as_str().unwrap_or_default();
        if !answer.status.is_success() && repeats(&answer.explanation(), said) {
            answer.body = b"an answer that repeats the message".to_vec();
        }
        match answer.status.as_u16() {
            404 => Err(self.refused(&answer, "the conversation or the contact's user is gone")),
            413 => Err(self.refused(&answer, "it is too large for Zendesk")),
            423 => Err(self.refused(
                &answer,
                "the conversation has all the messages that Zendesk allows in one",
            )),
            _ => text_at(&self.accepted(answer)?, "/messages/0/id"),
        }
    }

    /// The user of a conversation, who is its only participant (§2.2).
    async fn participant(&self, of: &ConversationId) -> Result<Option<String>, DeskError> {
        let request = self
            .http
            .calls
            .get(self.conversation(of, &["participants"]));
        let answer = self.call(request).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let found = self.accepted(answer)?.json()?;
        let user = found.pointer("/participants/0/userId");
        Ok(user.and_then(Value::as_str).map(str::to_owned))
    }

    /// Marks the conversation as read by the contact.
    pub(super) async fn has_read(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
    ) -> Result<(), DeskError> {
        let body = json!({
            "author": { "type": "user", "userId": access.token.expose_secret() },
            "type": "conversation:read",
        });
        let request = self
            .http
            .calls
            .post(self.conversation(conversation, &["activity"]));
        self.accepted(self.call(request.json(&body)).await?)
            .map(drop)
    }
}
