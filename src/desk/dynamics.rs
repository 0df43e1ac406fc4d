//! Dynamics 365 Customer Service: live work items in Dataverse, one function per call of the journey.
//!
//! A handoff goes one way: nothing that a rep writes leaves Dynamics over this API (dynamics reference §4). So there is
//! no stream to open and no entry to read, and the handoff ends as handed over. Nothing public shows that a work item
//! made this way is offered to a rep (dynamics reference §0); the routing of the org decides.
//!
//! Section marks (§) are those of the dynamics reference.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::examination::Ours;
use super::http::Http;
use super::{Desk, Entry, File, FileRules, Heard, Receipt, ReplySource, Standing, Typing};
use crate::domain::clock::{self, Clock, Timestamp};
use crate::domain::connection::{Connection, Problem};
use crate::domain::error::DeskError;
use crate::domain::escalation::Escalation;
use crate::domain::finding::Finding;
use crate::domain::handoff::{AccessToken, Effect, IdentityToken, Step};
use crate::domain::ids::{ConversationId, Cursor, EntryId};
use crate::domain::transcript::OpeningMessage;

mod calls;
mod certificate;
mod contact;
mod context;
mod entra;
mod examine;
mod notes;
mod probe;
mod refusals;
mod rest;
mod schema;
mod settings;
mod tidy;
mod tokens;
mod transcript;
mod work_item;

use rest::Rest;
pub use settings::SETTINGS;
use settings::Settings;
use tokens::Tokens;

/// Checks a connection, tidies it in place, and reports all problems at once.
pub fn check(connection: &mut Connection) -> Result<Vec<String>, Vec<Problem>> {
    settings::read(connection).map(|(_, notes)| notes)
}

/// One environment, as one application user.
#[derive(Debug)]
pub struct Dynamics {
    settings: Arc<Settings>,
    tokens: Tokens,
    rest: Rest,
    http: Http,
    clock: Clock,
}

impl Dynamics {
    /// The desk of a connection whose settings are in order.
    pub fn open(connection: &Connection, http: Http, clock: Clock) -> Result<Self, Vec<Problem>> {
        let (settings, _) = settings::read(&mut connection.clone())?;
        let settings = Arc::new(settings);
        Ok(Self {
            tokens: Tokens::new(settings.clone(), http.clone(), clock.clone()),
            rest: Rest::default(),
            settings,
            http,
            clock,
        })
    }
}

#[async_trait]
impl Desk for Dynamics {
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

    /// As many as wanted: all handoffs share one.
    fn access_tokens_per_minute(&self) -> Option<u32> {
        None
    }

    fn rests_until(&self) -> Option<Timestamp> {
        self.rest.until()
    }

    /// There is none: the app speaks for itself, and the contact is a link on the work item.
    async fn identity_token(&self, _: &Escalation) -> Result<IdentityToken, DeskError> {
        Ok(IdentityToken {
            token: "".into(),
            expires_at: clock::after(self.clock.now(), IDENTITY_LIFETIME),
        })
    }

    async fn access_token(&self, _: &IdentityToken) -> Result<AccessToken, DeskError> {
        self.tokens.get().await
    }

    /// Keyed: the work item and each of its context items gets an id that we choose, so a second time is the first
    /// (§2.2).
    async fn create_conversation(
        &self,
        access: &AccessToken,
        effect: Effect,
        about: &Escalation,
    ) -> Result<ConversationId, DeskError> {
        let contact = self.contact_of(access, effect, about).await?;
        self.create_work_item(access, effect.key, about, contact)
            .await?;
        self.create_context(access, effect.key, about).await?;
        Ok(ConversationId(effect.key.to_string()))
    }

    /// Keyed: the note, the transcript and its file get ids that we choose. Where the right to make them is missing, the
    /// work item has only the summary, and a warning says so (§3.6).
    async fn send_opening(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        opening: &OpeningMessage,
        about: &Escalation,
    ) -> Result<(), DeskError> {
        self.note_opening(access, to, effect.key, opening).await?;
        self.keep_transcript(access, to, effect.key, about).await
    }

    /// None that is known; the limits of the application user bound all calls together (§2.5).
    fn messages_per_minute(&self) -> Option<u32> {
        None
    }

    fn file_rules(&self) -> FileRules {
        notes::FILES
    }

    fn reply_source(&self) -> ReplySource {
        ReplySource::None
    }

    /// As a note on the work item, keyed. The rep finds it there; it is not a message in their chat.
    async fn send_message(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        text: &str,
    ) -> Result<(), DeskError> {
        self.note_message(access, to, effect.key, text).await
    }

    /// As a note with a file on the work item, keyed.
    async fn send_file(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        file: &File,
    ) -> Result<(), DeskError> {
        self.note_file(access, to, effect.key, file).await
    }

    /// There is nobody to show it to.
    async fn show_typing(
        &self,
        _: &AccessToken,
        _: &ConversationId,
        _: Typing,
    ) -> Result<(), DeskError> {
        Ok(())
    }

    /// There are no entries to acknowledge.
    async fn acknowledge(
        &self,
        _: &AccessToken,
        _: &ConversationId,
        _: &EntryId,
        _: Receipt,
    ) -> Result<(), DeskError> {
        Ok(())
    }

    /// Natural: a closed work item is closed again (§3.1). A handoff that was handed over is not closed by us.
    async fn close(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
    ) -> Result<(), DeskError> {
        self.close_work_item(access, conversation).await
    }

    async fn listen(
        &self,
        _: &AccessToken,
        _: &ConversationId,
        _: Option<&Cursor>,
    ) -> Result<BoxStream<'static, Result<Heard, DeskError>>, DeskError> {
        Err(DeskError::Refused {
            status: 501,
            message: format!(
                "Dynamics does not give out what reps write, so there is nothing to listen to on connection `{}`; its handoffs end as handed over",
                self.settings.connection
            ),
        })
    }

    /// Never any, for the same reason.
    async fn entries_since(
        &self,
        _: &AccessToken,
        _: &ConversationId,
        _: Option<Timestamp>,
    ) -> Result<Vec<Entry>, DeskError> {
        Ok(vec![])
    }

    /// Nobody waits for an end here: the handoff ended as handed over.
    async fn standing(&self, _: &AccessToken, _: &ConversationId) -> Result<Standing, DeskError> {
        Ok(Standing::Open)
    }

    async fn examine(&self, _: Ours<'_>) -> Vec<Finding> {
        self.examine_environment().await
    }

    async fn verify(&self) -> Result<String, DeskError> {
        self.probe().await
    }
}

/// As long as it takes to use it.
const IDENTITY_LIFETIME: std::time::Duration = std::time::Duration::from_secs(5 * 60);
