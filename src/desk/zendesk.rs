//! Zendesk Messaging through Sunshine Conversations: its calls, one function each.
//!
//! Zendesk takes no ids of ours, so every message and conversation carries its key in the metadata, and whoever repeats
//! a call looks for the key first. Section marks (§) are those of the sunshine reference.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use reqwest::Url;
use reqwest::header::HeaderValue;

use super::examination::Ours;
use super::http::Http;
use super::{
    Desk, Entry, File, FileRules, Heard, Notice, Receipt, ReplySource, SetUp, Standing, Typing,
    WebhookError,
};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::connection::{Connection, Problem};
use crate::domain::error::DeskError;
use crate::domain::escalation::Escalation;
use crate::domain::finding::Finding;
use crate::domain::handoff::{AccessToken, Effect, IdentityToken, Step};
use crate::domain::ids::{ConversationId, Cursor, EntryId};
use crate::domain::transcript::OpeningMessage;

mod calls;
mod content;
mod conversations;
mod entries;
mod examine;
mod files;
mod history;
mod labels;
mod messages;
mod opening;
mod parts;
mod settings;
mod support;
mod tidy;
mod users;
mod verify;
mod webhook;
mod webhooks;

pub use settings::SETTINGS;
use settings::Settings;

/// Checks a connection, tidies it in place, and reports all problems at once.
pub fn check(connection: &mut Connection) -> Result<Vec<String>, Vec<Problem>> {
    settings::read(connection).map(|(_, notes)| notes)
}

/// One app of one Zendesk account.
#[derive(Debug)]
pub struct Zendesk {
    settings: Settings,
    http: Http,
    clock: Clock,
}

impl Zendesk {
    /// The desk of a connection whose settings are in order.
    pub fn open(connection: &Connection, http: Http, clock: Clock) -> Result<Self, Vec<Problem>> {
        let (settings, _) = settings::read(&mut connection.clone())?;
        Ok(Self {
            settings,
            http,
            clock,
        })
    }
}

#[async_trait]
impl Desk for Zendesk {
    fn is_local(&self, step: Step) -> bool {
        match step {
            Step::AccessToken | Step::Transcript => true,
            Step::Intake
            | Step::IdentityToken
            | Step::CreateConversation
            | Step::OpeningMessage
            | Step::ContactMessage
            | Step::Close => false,
        }
    }

    fn opening_chars_max(&self) -> usize {
        self.settings.opening_chars_max
    }

    fn access_tokens_per_minute(&self) -> Option<u32> {
        None
    }

    /// The contact's user plays the part of the identity token. Keyed by its external id (§2.1).
    async fn identity_token(&self, about: &Escalation) -> Result<IdentityToken, DeskError> {
        Ok(IdentityToken {
            token: self.user_of(about).await?.into(),
            expires_at: Timestamp::MAX,
        })
    }

    /// There is none: calls carry the key of the app, and messages name the user.
    async fn access_token(&self, identity: &IdentityToken) -> Result<AccessToken, DeskError> {
        Ok(AccessToken {
            token: identity.token.clone(),
            expires_at: identity.expires_at,
            cursor: None,
        })
    }

    /// Checkable: the key is in the metadata. Nobody is routed to it before control is passed (§2.2).
    async fn create_conversation(
        &self,
        access: &AccessToken,
        effect: Effect,
        about: &Escalation,
    ) -> Result<ConversationId, DeskError> {
        self.converse(access, effect, about).await
    }

    /// Checkable: each part has its key in the metadata. Then control is passed to a named target, which is harmless to
    /// repeat unless a rep has closed it meanwhile (§2.6, §2.8).
    async fn send_opening(
        &self,
        _access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        opening: &OpeningMessage,
        about: &Escalation,
    ) -> Result<(), DeskError> {
        self.open_with(to, effect, &opening.text, about).await
    }

    fn messages_per_minute(&self) -> Option<u32> {
        self.settings.messages_per_minute
    }

    fn file_rules(&self) -> FileRules {
        files::RULES
    }

    fn file_keys(&self, at: &Url) -> Vec<HeaderValue> {
        self.keys_to(at)
    }

    fn reply_source(&self) -> ReplySource {
        ReplySource::Webhook
    }

    async fn send_message(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        text: &str,
    ) -> Result<(), DeskError> {
        self.say(access, to, effect, text).await
    }

    async fn send_file(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        file: &File,
    ) -> Result<(), DeskError> {
        self.hand_over(access, to, effect, file).await
    }

    /// Zendesk takes typing from businesses only (§2.4).
    async fn show_typing(
        &self,
        _access: &AccessToken,
        _conversation: &ConversationId,
        _typing: Typing,
    ) -> Result<(), DeskError> {
        Ok(())
    }

    /// There is a receipt for the whole conversation, and only for having read it (§2.4).
    async fn acknowledge(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
        _entry: &EntryId,
        receipt: Receipt,
    ) -> Result<(), DeskError> {
        match receipt {
            Receipt::Delivered => Ok(()),
            Receipt::Read => self.has_read(access, conversation).await,
        }
    }

    async fn close(
        &self,
        _access: &AccessToken,
        conversation: &ConversationId,
    ) -> Result<(), DeskError> {
        self.release(conversation).await
    }

    async fn listen(
        &self,
        _access: &AccessToken,
        _conversation: &ConversationId,
        _cursor: Option<&Cursor>,
    ) -> Result<BoxStream<'static, Result<Heard, DeskError>>, DeskError> {
        Err(DeskError::Refused {
            status: 501,
            message: "Zendesk has no stream to listen to; its replies come by webhook".into(),
        })
    }

    async fn entries_since(
        &self,
        _access: &AccessToken,
        conversation: &ConversationId,
        since: Option<Timestamp>,
    ) -> Result<Vec<Entry>, DeskError> {
        self.shown_since(conversation, since).await
    }

    /// A rep's closing is told by a webhook; this finds a conversation that was deleted.
    async fn standing(
        &self,
        _access: &AccessToken,
        conversation: &ConversationId,
    ) -> Result<Standing, DeskError> {
        match self.state(conversation).await? {
            Some(_) => Ok(Standing::Open),
            None => Ok(Standing::Over),
        }
    }

    async fn verify(&self) -> Result<String, DeskError> {
        self.check_up().await
    }

    async fn examine(&self, ours: Ours<'_>) -> Vec<Finding> {
        self.examine_app(ours).await
    }

    async fn set_up(&self, public_url: &str) -> Result<SetUp, DeskError> {
        self.register_webhook(public_url).await
    }

    fn read_webhook(
        &self,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Vec<Notice>, WebhookError> {
        webhook::read(&self.settings, headers, body)
    }
}
