//! Salesforce Messaging for In-App and Web: its calls, one function each.
//!
//! Section marks (§) are those of the MIAW reference.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::examination::Ours;
use super::http::{Answer, Http, repeats};
use super::{Desk, Entry, File, FileRules, Heard, Receipt, ReplySource, Standing, Typing};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::connection::{Connection, Problem};
use crate::domain::error::DeskError;
use crate::domain::escalation::{Escalation, Identity};
use crate::domain::finding::Finding;
use crate::domain::handoff::{AccessToken, Effect, IdentityToken, Step};
use crate::domain::ids::{ConversationId, Cursor, EntryId, SessionId};
use crate::domain::seal::ExposeSecret;
use crate::domain::transcript::OpeningMessage;

mod access;
mod address;
mod attributes;
mod contact;
mod conversations;
mod entries;
mod examine;
mod history;
mod identity;
mod message;
mod settings;
mod stream;
mod tidy;

use settings::Settings;
pub use settings::{SETTINGS, rotate};

/// Checks a connection, tidies it in place, and reports all problems at once.
pub fn check(connection: &mut Connection) -> Result<Vec<String>, Vec<Problem>> {
    settings::read(connection).map(|(_, notes)| notes)
}

/// One deployment of one org.
#[derive(Debug)]
pub struct Salesforce {
    settings: Settings,
    http: Http,
    clock: Clock,
}

impl Salesforce {
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
impl Desk for Salesforce {
    fn is_local(&self, step: Step) -> bool {
        match step {
            Step::IdentityToken | Step::Transcript => true,
            Step::Intake
            | Step::AccessToken
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
        Some(self.settings.access_tokens_per_minute)
    }

    async fn identity_token(&self, about: &Escalation) -> Result<IdentityToken, DeskError> {
        let identity = Identity::of(&about.contact, &about.session);
        identity::sign(
            &self.settings,
            &self.settings.key,
            &identity.subject(),
            self.clock.now(),
        )
    }

    async fn access_token(&self, identity: &IdentityToken) -> Result<AccessToken, DeskError> {
        Ok(self.grant(identity).await?.access)
    }

    /// Keyed: the conversation gets the id we choose, so a second time is the first (§2.6).
    async fn create_conversation(
        &self,
        access: &AccessToken,
        effect: Effect,
        about: &Escalation,
    ) -> Result<ConversationId, DeskError> {
        let ours = ConversationId(effect.key.to_string());
        let request = self.http.calls.post(self.api("conversation"));
        let body = self.routed(about, json!({ "conversationId": ours.as_str() }));
        let answer = self.call(access, request.json(&body)).await?;
        match answer.status.as_u16() {
            409 | 412 => self.existing_conversation(access, ours, &answer).await,
            _ => accepted(answer).map(|_| ours),
        }
    }

    /// Keyed: the message gets the id we choose. What Salesforce says to a second one is not known, so a refusal
    /// stands only if the message is not there (§2.7).
    async fn send_opening(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        opening: &OpeningMessage,
        about: &Escalation,
    ) -> Result<(), DeskError> {
        let id = effect.key.to_string();
        // The attributes go along because an adopted conversation needs them for its new session (§5).
        let mut body = self.routed(
            about,
            json!({
                "message": {
                    "id": id,
                    "messageType": "StaticContentMessage",
                    "staticContent": { "formatType": "Text", "text": opening.text },
                },
                "isNewMessagingSession": false,
            }),
        );
        let mut answer = self.post_message(access, to, &body).await?;
        if answer.status == 417 {
            // There is no session, and this is how to ask for one: with the same message (§2.7).
            body["isNewMessagingSession"] = true.into();
            answer = self.post_message(access, to, &body).await?;
        }
        if answer.status == 413 {
            return Err(self.refused(
                &answer,
                "the opening message is too long; lower `opening_chars_max`",
            ));
        }
        self.taken(access, to, &id, answer).await
    }

    fn messages_per_minute(&self) -> Option<u32> {
        Some(contact::MESSAGES_PER_MINUTE)
    }

    fn file_rules(&self) -> FileRules {
        contact::FILES
    }

    fn reply_source(&self) -> ReplySource {
        ReplySource::Stream
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

    async fn show_typing(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
        typing: Typing,
    ) -> Result<(), DeskError> {
        self.type_for(access, conversation, typing).await
    }

    async fn acknowledge(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
        entry: &EntryId,
        receipt: Receipt,
    ) -> Result<(), DeskError> {
        self.receipt(access, conversation, entry, receipt).await
    }

    async fn close(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
    ) -> Result<(), DeskError> {
        let request = self
            .http
            .calls
            .delete(self.conversation(conversation, ""))
            .query(&[("esDeveloperName", &self.settings.es_developer_name)]);
        let answer = self.call(access, request).await?;
        match answer.status.as_u16() {
            // It is closed already; nobody knows which of them Salesforce says then (§2.14).
            403 | 404 | 409 => {}
            400 if self.is_not_open(access, conversation).await => {}
            _ => {
                accepted(answer)?;
            }
        }
        self.revoke(access).await;
        Ok(())
    }

    async fn listen(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
        cursor: Option<&Cursor>,
    ) -> Result<BoxStream<'static, Result<Heard, DeskError>>, DeskError> {
        let url = format!("{}/eventrouter/v1/sse", self.settings.scrt.url);
        let request = self
            .http
            .streams
            .get(url)
            .bearer_auth(access.token.expose_secret())
            // No more than 15 characters, or it does not match the token (§1).
            .header("X-Org-Id", &self.settings.org_id)
            .header("Accept", "text/event-stream")
            .header("Cache-Control", "no-cache");
        let request = match cursor.or(access.cursor.as_ref()) {
            Some(cursor) => request.header("Last-Event-Id", cursor.as_str()),
            None => request,
        };
        let bytes = self.http.stream(request).await;
        let bytes = bytes.map_err(|error| self.located(error))?;
        Ok(stream::heard(
            bytes,
            conversation.clone(),
            self.settings.automated_responses,
        ))
    }

    async fn entries_since(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
        since: Option<Timestamp>,
    ) -> Result<Vec<Entry>, DeskError> {
        let history = self.history(access, conversation, since).await?;
        let automated = self.settings.automated_responses;
        let shown = history.iter();
        Ok(shown
            .flat_map(|entry| stream::readable(entry, automated))
            .collect())
    }

    async fn standing(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
    ) -> Result<Standing, DeskError> {
        self.look_for(access, conversation).await
    }

    async fn examine(&self, _: Ours<'_>) -> Vec<Finding> {
        self.examine_org().await
    }

    /// Mints and revokes a token for a contact that does not exist; no conversation is made.
    async fn verify(&self) -> Result<String, DeskError> {
        let probe = Identity::Anonymous(SessionId::from("baton-verify")).subject();
        let Settings { key, .. } = &self.settings;
        let identity = identity::sign(&self.settings, key, &probe, self.clock.now())?;
        let grant = self.grant(&identity).await?;
        self.revoke(&grant.access).await;
        let Settings {
            es_developer_name,
            org_id,
            ..
        } = &self.settings;
        Ok(format!(
            "org {org_id} knows the deployment `{es_developer_name}` and verifies contacts with the key `{}`",
            key.id
        ))
    }
}

/// What the calls are made of.
impl Salesforce {
    fn api(&self, path: &str) -> String {
        format!("{}/iamessage/api/v2/{path}", self.settings.scrt.url)
    }

    fn conversation(&self, id: &ConversationId, rest: &str) -> String {
        self.api(&format!("conversation/{id}{rest}"))
    }

    async fn call(
        &self,
        access: &AccessToken,
        request: RequestBuilder,
    ) -> Result<Answer, DeskError> {
        let request = request.bearer_auth(access.token.expose_secret());
        self.ask(request).await
    }

    /// A call with nothing but what it says.
    async fn ask(&self, request: RequestBuilder) -> Result<Answer, DeskError> {
        let answer = self.http.call(request).await;
        answer.map_err(|error| self.located(error))
    }

    /// An error that can be the address's fault names its setting.
    fn located(&self, error: DeskError) -> DeskError {
        let Settings {
            scrt, connection, ..
        } = &self.settings;
        scrt.blamed_for(error, connection)
    }

    /// A body with what Salesforce decides by when it routes: deployment, attributes, language.
    fn routed(&self, about: &Escalation, mut body: Value) -> Value {
        let language = about.language.as_deref();
        let language = language.and_then(attributes::salesforce_language);
        body["esDeveloperName"] = json!(self.settings.es_developer_name);
        body["routingAttributes"] = json!(attributes::routing(about, &self.settings.attributes));
        body["language"] = json!(language.as_ref().unwrap_or(&self.settings.language_default));
        body
    }

    fn refused(&self, answer: &Answer, what: &str) -> DeskError {
        DeskError::Refused {
            status: answer.status.as_u16(),
            message: format!(
                "{what} (connection `{}`): {}",
                self.settings.connection,
                answer.explanation()
            ),
        }
    }

    async fn post_message(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        body: &Value,
    ) -> Result<Answer, DeskError> {
        let request = self.http.calls.post(self.conversation(to, "/message"));
        let mut answer = self.call(access, request.json(body)).await?;
        let said = body.pointer("/message/staticContent/text");
        if let Some(said) = said.and_then(Value::as_str)
            && repeats(&answer.explanation(), said)
        {
            answer.body = b"an answer that repeats the message".to_vec();
        }
        Ok(answer)
    }
}

/// The answer, if its status is a good one.
fn accepted(answer: Answer) -> Result<Answer, DeskError> {
    if answer.status.is_success() {
        Ok(answer)
    } else {
        Err(meaning(&answer))
    }
}

/// What a status means at Salesforce where it differs from other desks: "Conversation precondition failed. Please
/// retry." (§2.6).
fn meaning(answer: &Answer) -> DeskError {
    match answer.status.as_u16() {
        412 => DeskError::Unavailable {
            status: 412,
            retry_after: None,
            message: answer.explanation(),
        },
        _ => answer.meaning(),
    }
}
