//! What can go wrong, as facts: every dead letter has a code, every code a class.
//!
//! What to do about an error is not decided here but in [`super::retry`].

use std::fmt;
use std::time::Duration;

/// The three kinds of dead letter (`x-handoff-class`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may go well another time: the retries were used up.
    Transient,
    /// It goes wrong every time until somebody changes something.
    Permanent,
    /// A delivery nobody can process.
    Poison,
}

impl Class {
    /// The word of headers, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Poison => "poison",
        }
    }
}

/// Declares the codes once: variant, word and class; so a list for the documents comes for free.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $class:ident;)*) => {
        /// Why something became a dead letter. Each has a heading in `docs/operations.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// All of them, in the order of the documents.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The word of headers, logs and metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The class it belongs to.
            pub fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)* }
            }
        }
    };
}

codes! {
    /// No connection to the desk could be made.
    DeskUnreachable = "desk-unreachable", Transient;
    /// The desk did not answer in time.
    DeskTimeout = "desk-timeout", Transient;
    /// The desk answered that it cannot just now (408, 425, 5xx).
    DeskUnavailable = "desk-unavailable", Transient;
    /// The desk asked us to slow down (429).
    DeskRateLimited = "desk-rate-limited", Transient;
    /// The desk's answer made no sense.
    DeskBrokenAnswer = "desk-broken-answer", Transient;
    /// A transcript that came by its address could not be fetched.
    MediaUnavailable = "media-unavailable", Transient;
    /// The worker stopped in the middle of a call.
    WorkerStopped = "worker-stopped", Transient;
    /// Access tokens were refused again and again.
    TokenRefused = "token-refused", Transient;
    /// The deadline passed before it was live.
    DeadlinePassed = "deadline-passed", Transient;
    /// The desk refused for a reason that will not change by itself.
    DeskRefused = "desk-refused", Permanent;
    /// The desk does not accept the credentials of the connection.
    BadCredentials = "bad-credentials", Permanent;
    /// The desk does not know the deployment of the connection, or it is of the wrong kind.
    BadDeployment = "bad-deployment", Permanent;
    /// The escalation names a connection that does not exist.
    UnknownConnection = "unknown-connection", Permanent;
    /// It may have happened, and the desk offers no way to find out.
    InDoubt = "in-doubt", Permanent;
    /// A contact event whose escalation never came.
    NoHandoff = "no-handoff", Permanent;
    /// A contact event for a handoff that has ended.
    HandoffEnded = "handoff-ended", Permanent;
    /// Not JSON, or not a CloudEvent.
    Undecodable = "undecodable", Poison;
    /// An event type nobody here knows.
    UnknownType = "unknown-type", Poison;
    /// A major version of an event type nobody here knows.
    UnknownVersion = "unknown-version", Poison;
    /// A required field is missing.
    MissingField = "missing-field", Poison;
    /// A field has a value it cannot have.
    BadField = "bad-field", Poison;
    /// The event, or a field of it, is larger than allowed.
    TooLong = "too-long", Poison;
    /// The id is known, with another body.
    IdConflict = "id-conflict", Poison;
    /// Processing it panicked, repeatedly.
    Panicked = "panicked", Poison;
    /// The worker died over it, repeatedly.
    WorkerLost = "worker-lost", Poison;
    /// The stored row cannot be read.
    CorruptRow = "corrupt-row", Poison;
}

impl Code {
    /// The code of a word; `None` for a word that is no code of ours.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == word)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a desk call can end in, other than well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// No connection could be made; nothing was sent.
    #[error("cannot reach the desk: {0}")]
    Unreachable(String),
    /// No answer in time. The desk may have acted.
    #[error("the desk did not answer within {0:?}")]
    Timeout(Duration),
    /// The desk says it cannot just now.
    #[error("the desk answered {status}: {message}")]
    Unavailable {
        /// HTTP status.
        status: u16,
        /// How long it asked us to wait, as far as it said.
        retry_after: Option<Duration>,
        /// What the desk wrote.
        message: String,
    },
    /// The desk wants fewer requests.
    #[error("the desk asked us to slow down: {message}")]
    RateLimited {
        /// How long it asked us to wait, as far as it said.
        retry_after: Option<Duration>,
        /// What the desk wrote.
        message: String,
    },
    /// An answer that makes no sense, or broke off. The desk may have acted.
    #[error("the desk gave no usable answer: {0}")]
    Broken(String),
    /// A transcript that came by its address could not be fetched now; the desk was not asked for anything.
    #[error("the transcript could not be fetched: {0}")]
    Media(String),
    /// The worker stopped while it waited for the answer. The desk may have acted.
    #[error("the worker stopped before the desk had answered")]
    Lost,
    /// An access token was refused.
    #[error("the desk refused the access token: {0}")]
    Unauthorized(String),
    /// The desk refused what we asked for.
    #[error("the desk refused with {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What the desk wrote.
        message: String,
    },
    /// The connection's settings are wrong; the message says which and what to do.
    #[error("{message}")]
    Misconfigured {
        /// [`Code::BadCredentials`] or [`Code::BadDeployment`].
        code: Code,
        /// Which setting is wrong and what to do.
        message: String,
    },
    /// It may have happened, and there is no way to find out.
    #[error("it is not known whether the desk acted, and the desk offers no way to find out")]
    InDoubt,
}

/// How the policy sorts an error of a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Wait, then take the same step again.
    Wait,
    /// Get a new access token, then go on.
    Renew,
    /// Nothing but a human helps.
    Human,
}

impl DeskError {
    /// No `_` arm: a new kind of failure has to choose what helps.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unreachable(_)
            | Self::Timeout(_)
            | Self::Unavailable { .. }
            | Self::RateLimited { .. }
            | Self::Broken(_)
            | Self::Media(_)
            | Self::Lost => Remedy::Wait,
            Self::Unauthorized(_) => Remedy::Renew,
            Self::Refused { .. } | Self::Misconfigured { .. } | Self::InDoubt => Remedy::Human,
        }
    }

    /// The code under which it is recorded.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable(_) => Code::DeskUnreachable,
            Self::Timeout(_) => Code::DeskTimeout,
            Self::Unavailable { .. } => Code::DeskUnavailable,
            Self::RateLimited { .. } => Code::DeskRateLimited,
            Self::Broken(_) => Code::DeskBrokenAnswer,
            Self::Media(_) => Code::MediaUnavailable,
            Self::Lost => Code::WorkerStopped,
            Self::Unauthorized(_) => Code::TokenRefused,
            Self::Refused { .. } => Code::DeskRefused,
            Self::Misconfigured { code, .. } => *code,
            Self::InDoubt => Code::InDoubt,
        }
    }

    /// The HTTP status of the desk's answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Unavailable { status, .. } | Self::Refused { status, .. } => Some(*status),
            Self::RateLimited { .. } => Some(429),
            Self::Unauthorized(_) => Some(401),
            Self::Unreachable(_)
            | Self::Timeout(_)
            | Self::Broken(_)
            | Self::Media(_)
            | Self::Lost
            | Self::Misconfigured { .. }
            | Self::InDoubt => None,
        }
    }

    /// How long the desk asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }
}
