//! A help desk, as the journey sees it.
//!
//! A desk knows no store: it is told what to do, under which key, and says what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::connection::{Connection, DeskKind, Problem};
use crate::domain::error::DeskError;
use crate::domain::escalation::Escalation;
use crate::domain::finding::Finding;
use crate::domain::handoff::{AccessToken, Effect, Ending, IdentityToken, Step};
use crate::domain::ids::{ConversationId, Cursor, EntryId};
use crate::domain::reply::{Author, Rep, RepFile};
use crate::domain::seal::SecretString;
use crate::domain::transcript::OpeningMessage;

use examination::Ours;

mod address;
mod attributes;
pub mod dynamics;
pub mod examination;
pub mod http;
mod key;
mod reader;
pub mod salesforce;
pub mod sse;
mod tidy;
pub mod zendesk;

/// A configured desk.
///
/// Every call may be repeated. With the same key the desk must end up with one conversation or one message,
/// whether it takes our ids (Salesforce, Dynamics) or the adapter looks first (Zendesk) when the effect says that an
/// earlier attempt may have acted.
#[async_trait]
pub trait Desk: Send + Sync {
    /// Steps this desk takes without a call; they need no commit of their own.
    fn is_local(&self, step: Step) -> bool;

    /// How many characters of opening message the desk takes.
    fn opening_chars_max(&self) -> usize;

    /// How many access tokens the desk gives out in a minute, for all conversations of the connection together.
    fn access_tokens_per_minute(&self) -> Option<u32>;

    /// Until when the desk wants no call for any conversation of the connection: it has asked us to slow down.
    fn rests_until(&self) -> Option<Timestamp> {
        None
    }

    /// Who the contact is, in the form in which the desk wants to be told.
    async fn identity_token(&self, about: &Escalation) -> Result<IdentityToken, DeskError>;

    /// The desk's permission to speak as the contact.
    async fn access_token(&self, identity: &IdentityToken) -> Result<AccessToken, DeskError>;

    /// One conversation under the effect's key, with its routing attributes; routing begins at once.
    async fn create_conversation(
        &self,
        access: &AccessToken,
        effect: Effect,
        about: &Escalation,
    ) -> Result<ConversationId, DeskError>;

    /// The opening message, once, under the effect's key.
    async fn send_opening(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        opening: &OpeningMessage,
        about: &Escalation,
    ) -> Result<(), DeskError>;

    /// How many messages of the contact the desk takes in a minute, in one conversation.
    fn messages_per_minute(&self) -> Option<u32>;

    /// Which files the desk takes from a contact.
    fn file_rules(&self) -> FileRules;

    /// What opens a rep's file at this address, in the order in which it is to be tried. The address comes from outside:
    /// only the desk's own hosts are shown a key.
    fn file_keys(&self, _at: &Url) -> Vec<HeaderValue> {
        vec![]
    }

    /// How the rep's words come back.
    fn reply_source(&self) -> ReplySource;

    /// What the contact wrote, once, under the effect's key. Longer than the desk takes in one piece is sent in several,
    /// each under a key derived from it.
    async fn send_message(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        text: &str,
    ) -> Result<(), DeskError>;

    /// A file of the contact, once, under the effect's key.
    async fn send_file(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        file: &File,
    ) -> Result<(), DeskError>;

    /// Shows the rep that the contact is typing, or has stopped; a desk that cannot does nothing.
    async fn show_typing(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
        typing: Typing,
    ) -> Result<(), DeskError>;

    /// Tells the desk that an entry reached the contact, or was read; a desk without receipts does nothing.
    async fn acknowledge(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
        entry: &EntryId,
        receipt: Receipt,
    ) -> Result<(), DeskError>;

    /// Closes the contact's side; one that is closed already is a success.
    async fn close(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
    ) -> Result<(), DeskError>;

    /// Opens the stream of what happens in the conversation, from the cursor on. Ends when the desk ends it;
    /// an item of the stream that is an error is its last.
    async fn listen(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
        cursor: Option<&Cursor>,
    ) -> Result<BoxStream<'static, Result<Heard, DeskError>>, DeskError>;

    /// What the desk shows in the conversation since then, oldest first: fills what a stream has missed.
    async fn entries_since(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
        since: Option<Timestamp>,
    ) -> Result<Vec<Entry>, DeskError>;

    /// Whether the conversation still is one, for what no stream tells: an error if the desk gives no clear answer.
    async fn standing(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
    ) -> Result<Standing, DeskError>;

    /// Tries the credentials, changing nothing that a rep could see.
    async fn verify(&self) -> Result<String, DeskError>;

    /// Looks at everything that a handoff needs, one thing after the other, and names the first that is wrong of those
    /// that hang together. Changes nothing that a rep could see.
    async fn examine(&self, ours: Ours<'_>) -> Vec<Finding>;

    /// Prepares the desk to call us below this address of ours, as often as it is asked; a desk that does not call
    /// has nothing to prepare.
    async fn set_up(&self, _public_url: &str) -> Result<SetUp, DeskError> {
        Ok(SetUp::default())
    }

    /// What a webhook of the desk says, once its secret is known to be right.
    fn read_webhook(
        &self,
        _headers: &[(&str, &str)],
        _body: &[u8],
    ) -> Result<Vec<Notice>, WebhookError> {
        Err(WebhookError::NoSuchDesk)
    }
}

/// What [`Desk::set_up`] did.
#[derive(Debug, Default)]
pub struct SetUp {
    /// Sealed settings that the desk chose; the connection has to keep them.
    pub secrets: BTreeMap<String, SecretString>,
    /// What there is to say about it, one line each.
    pub says: Vec<String>,
}

/// One thing a desk called about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// In which conversation.
    pub conversation: ConversationId,
    /// What happened; with none, something did that only a look at the conversation can tell.
    pub entry: Option<Entry>,
}

/// Why a webhook was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// This desk does not call.
    #[error("this desk sends no webhooks")]
    NoSuchDesk,
    /// The connection has no secret to compare with.
    #[error("{0}")]
    NotSetUp(String),
    /// It is not signed with the secret of the connection.
    #[error("{0}")]
    WrongSecret(String),
    /// It is not built as webhooks of this desk are.
    #[error("the body of the webhook has {0}")]
    Unreadable(&'static str),
}

/// Whether a conversation still is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As far as anybody knows.
    Open,
    /// The desk has closed or deleted it.
    Over,
}

/// How the rep's words come back from a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplySource {
    /// On a stream that we hold open.
    Stream,
    /// By webhooks that the desk calls.
    Webhook,
    /// Not at all: the handoff ends as handed over.
    None,
}

/// Which files a desk takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRules {
    /// The largest.
    pub bytes_max: u64,
    /// MIME types, or `image/*` for a whole family; empty when the desk takes none.
    pub types: &'static [&'static str],
}

impl FileRules {
    /// Why a file is not taken, in words; `None` if it is.
    pub fn refusal(&self, content_type: &str, bytes: u64) -> Option<String> {
        let family = |pattern: &str| {
            pattern
                .strip_suffix("/*")
                .is_some_and(|family| content_type.starts_with(family))
        };
        if !self
            .types
            .iter()
            .any(|known| *known == content_type || family(known))
        {
            return Some(format!("the desk takes no files of type {content_type}"));
        }
        let mb = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
        (bytes > self.bytes_max).then(|| {
            format!(
                "{:.1} MB; the desk takes {:.0} MB",
                mb(bytes),
                mb(self.bytes_max)
            )
        })
    }
}

/// A file on its way to a desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// File name.
    pub name: String,
    /// MIME type, as its bytes say.
    pub content_type: String,
    /// The bytes.
    pub bytes: bytes::Bytes,
}

/// Whether the contact is typing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// They began.
    Started,
    /// They stopped.
    Stopped,
}

/// What became of an entry on the contact's channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It reached them.
    Delivered,
    /// They read it.
    Read,
}

/// One thing read from a desk's stream. A sign of life without news has neither part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Where to resume after it; stored together with the entry.
    pub cursor: Option<Cursor>,
    /// What it says, if that is of use to anybody here.
    pub entry: Option<Entry>,
}

/// One thing the desk shows in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The desk's id; the same however often it arrives.
    pub id: EntryId,
    /// The desk's time.
    pub at: Timestamp,
    /// What it is.
    pub what: Seen,
}

/// What an entry says. Echoes of our own messages, internal notes, system lines and receipts are not entries here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A rep wrote to the contact.
    Reply {
        /// Who.
        rep: Rep,
        /// Whether a human wrote it.
        author: Author,
        /// The words; empty when it is only files.
        text: String,
        /// Files that came with it.
        files: Vec<RepFile>,
        /// What it offers to choose from, numbered from 1 in the text.
        choices: Vec<String>,
    },
    /// A rep joined.
    RepJoined(Rep),
    /// A rep left. Not an end: a transfer begins the same way.
    RepLeft(Rep),
    /// It goes to another queue or rep.
    Transferred,
    /// How far the contact is from a rep.
    Queue {
        /// Place in the queue.
        position: Option<u64>,
        /// Estimated wait in seconds.
        wait_seconds: Option<u64>,
    },
    /// The desk could not route it.
    RoutingFailed {
        /// What the desk says.
        reason: String,
    },
    /// A rep is typing, or stopped. Best effort; never stored.
    Typing {
        /// Whether they are.
        typing: bool,
    },
    /// It is over.
    Ended(Ending),
}

/// One setting of a desk, for forms, flags and redaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name, as in files and the API.
    pub name: &'static str,
    /// Whether a connection needs it.
    pub need: Need,
    /// Whether it may be shown again.
    pub privacy: Privacy,
    /// One line for people: what it is and where to find it.
    pub help: &'static str,
}

/// Whether a connection needs a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It does.
    Required,
    /// It has a default.
    Optional,
}

/// Whether a setting may be shown again after it was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// It may.
    Shown,
    /// It is sealed at rest and only ever shown redacted.
    Sealed,
}

/// The settings of a kind of desk, in the order in which a form asks for them.
pub fn settings(kind: DeskKind) -> &'static [Setting] {
    match kind {
        DeskKind::Salesforce => salesforce::SETTINGS,
        DeskKind::Dynamics => dynamics::SETTINGS,
        DeskKind::Zendesk => zendesk::SETTINGS,
    }
}

/// Checks a connection before it is saved, without a call: puts right what can be put right and says so
/// (the notes), and reports all problems at once.
pub fn check(connection: &mut Connection) -> Result<Vec<String>, Vec<Problem>> {
    match connection.desk {
        DeskKind::Salesforce => salesforce::check(connection),
        DeskKind::Dynamics => dynamics::check(connection),
        DeskKind::Zendesk => zendesk::check(connection),
    }
}

/// The check of [`Desk::examine`] that has to be good before keys are rotated.
pub const NEXT_KEY: &str = "next key";

/// Puts the next key of a connection in the place of the present one; `None` if it has no next one.
pub fn rotate(connection: &Connection) -> Option<Connection> {
    match connection.desk {
        DeskKind::Salesforce => salesforce::rotate(connection),
        DeskKind::Dynamics | DeskKind::Zendesk => None,
    }
}

/// The desk of a connection.
pub fn open(
    connection: &Connection,
    http: &http::Http,
    clock: &Clock,
) -> Result<Arc<dyn Desk>, Vec<Problem>> {
    match connection.desk {
        DeskKind::Salesforce => Ok(Arc::new(salesforce::Salesforce::open(
            connection,
            http.clone(),
            clock.clone(),
        )?)),
        DeskKind::Dynamics => Ok(Arc::new(dynamics::Dynamics::open(
            connection,
            http.clone(),
            clock.clone(),
        )?)),
        DeskKind::Zendesk => Ok(Arc::new(zendesk::Zendesk::open(
            connection,
            http.clone(),
            clock.clone(),
        )?)),
    }
}
