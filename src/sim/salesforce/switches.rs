//! What a real org does where no public source says so for sure: one switch per unknown.
//!
//! The default of each is the likeliest behaviour (miaw reference §7).

use serde::{Deserialize, Serialize};

/// The switches of an org. In JSON, one that is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// `POST conversation` with an id that exists, by the same end user (§2.6).
    pub repeated_conversation: RepeatedConversation,
    /// `POST conversation` with a new id while a verified user has one open (§5).
    pub second_conversation: SecondConversation,
    /// Whether the org has room for a new messaging session (§2.6).
    pub storage: Storage,
    /// `POST message` or `file` with an id that the conversation has (§2.7).
    pub repeated_message: RepeatedMessage,
    /// A message after the session has ended, without `isNewMessagingSession` (§2.7, §5).
    pub sessionless_message: SessionlessMessage,
    /// Whether the channel verifies users with the keyset (§3.3).
    pub user_verification: UserVerification,
    /// An identity JWT that does not verify (§2.2).
    pub bad_identity: BadIdentity,
    /// A JSON property that the reference does not have (§1).
    pub unknown_fields: UnknownFields,
    /// A second `DELETE conversation` (§2.14).
    pub repeated_close: RepeatedClose,
    /// The status of `DELETE` (§2.14).
    pub deletes: Done,
    /// The status of `acknowledge-entries` (§2.12).
    pub acknowledgements: Done,
    /// The body of an error (§2.0).
    pub error_body: ErrorBody,
    /// The `Retry-After` of a 429 (§2.0).
    pub retry_after: Option<String>,
    /// The type of `lastEventId` in a token's answer (§2.1).
    pub last_event_id: LastEventId,
    /// An open stream when its token expires (§4.1).
    pub stream_at_expiry: StreamAtExpiry,
    /// A cursor from before the token was issued (§5).
    pub older_cursor: OlderCursor,
    /// How many events per end user are kept for replay; 0 is no replay (§4.2).
    pub replay_events: usize,
    /// What the stream says when a rep ends the conversation (§5).
    pub rep_end: RepEnd,
    /// Which comes first when a rep hands over to another (§4.2).
    pub transfer: Transfer,
    /// The `&` in links to files (§4.5).
    pub file_links: FileLinks,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            repeated_conversation: RepeatedConversation::Accepted,
            second_conversation: SecondConversation::Created,
            storage: Storage::Free,
            repeated_message: RepeatedMessage::Ignored,
            sessionless_message: SessionlessMessage::StartsSession,
            user_verification: UserVerification::On,
            bad_identity: BadIdentity::Unauthorized,
            unknown_fields: UnknownFields::Refused,
            repeated_close: RepeatedClose::Forbidden,
            deletes: Done::NoContent,
            acknowledgements: Done::NoContent,
            error_body: ErrorBody::CodeAndMessage,
            retry_after: None,
            last_event_id: LastEventId::Text,
            stream_at_expiry: StreamAtExpiry::Kept,
            older_cursor: OlderCursor::Honoured,
            replay_events: 1_000,
            rep_end: RepEnd::RemovedThenEnded,
            transfer: Transfer::RemoveFirst,
            file_links: FileLinks::Escaped,
        }
    }
}

/// What a repeated conversation id gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatedConversation {
    /// 201, and nothing happens: it is created “if it doesn't exist”.
    Accepted,
    /// 409.
    Conflict,
}

/// What a verified user's second open conversation gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondConversation {
    /// 201.
    Created,
    /// 409.
    Conflict,
    /// 412.
    PreconditionFailed,
}

/// Whether the org can keep a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// It can.
    Free,
    /// It cannot: 412 on create.
    Full,
}

/// What a repeated message id gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatedMessage {
    /// 202, and nothing happens.
    Ignored,
    /// 400.
    BadRequest,
    /// 409.
    Conflict,
}

/// What a message without a session gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionlessMessage {
    /// 202: a new session starts, which pages a rep.
    StartsSession,
    /// 417: pre-chat is required per session.
    ExpectationFailed,
}

/// Whether the channel verifies users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserVerification {
    /// With the org's keyset.
    On,
    /// It does not, or no keyset is assigned to it: everybody is a guest.
    Off,
}

/// What an identity JWT that does not verify gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadIdentity {
    /// 401.
    Unauthorized,
    /// 400.
    BadRequest,
    /// 200 with the token of a new anonymous user.
    Anonymous,
}

/// What an unknown JSON property gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownFields {
    /// 400.
    Refused,
    /// Nothing.
    Ignored,
}

/// What closing a closed conversation gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatedClose {
    /// 403.
    Forbidden,
    /// The same as the first time.
    Accepted,
    /// 404.
    NotFound,
}

/// The status of a success without a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// 204.
    NoContent,
    /// 200.
    Ok,
}

/// The body of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorBody {
    /// `{"code":…,"message":"…"}`.
    CodeAndMessage,
    /// `{"message":"…"}`.
    Message,
    /// The message as plain text.
    Text,
}

/// The JSON type of `lastEventId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastEventId {
    /// A string.
    Text,
    /// A number.
    Number,
}

/// What becomes of a stream whose token expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamAtExpiry {
    /// It stays open; the next one is refused.
    Kept,
    /// It ends.
    Cut,
}

/// What becomes of a cursor that is older than the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OlderCursor {
    /// The stream resumes from it.
    Honoured,
    /// The stream resumes from the token's own `lastEventId`.
    Forgotten,
}

/// What the stream says when a rep ends the conversation; never `CLOSE_CONVERSATION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepEnd {
    /// The rep is removed, then the session is ended.
    RemovedThenEnded,
    /// The other way round.
    EndedThenRemoved,
    /// The session is ended; nobody is removed.
    EndedOnly,
}

/// What the stream says first when a rep hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transfer {
    /// The old rep is removed, then the new one added.
    RemoveFirst,
    /// The new rep is added, then the old one removed.
    AddFirst,
}

/// How links to files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileLinks {
    /// With `&amp;` for `&`.
    Escaped,
    /// As a browser would want them.
    Plain,
}
