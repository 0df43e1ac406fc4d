//! The end of a turn: what a call came to, and what follows from it.

use std::time::Duration;

use super::dead_letter::Cause;
use super::error::Code;
use super::handoff::Handoff;
use super::lifecycle::Lifecycle;

/// The end of a turn: what the call came to, and what follows from it.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The handoff as it is from now on.
    pub handoff: Handoff,
    /// What the call came to.
    pub outcome: Outcome,
    /// What the world is told, in order.
    pub tell: Vec<Lifecycle>,
    /// Why it is set aside, if it is.
    pub dead: Option<Cause>,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub result: CallResult,
    /// How long it took.
    pub took: Duration,
    /// What the desk calls the last request of it, for the vendor's support.
    pub request_id: Option<String>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallResult {
    /// Well.
    Done,
    /// Not well.
    Failed {
        /// Why.
        code: Code,
        /// HTTP status, where there was one.
        http_status: Option<u16>,
        /// In words.
        error: String,
    },
    /// The worker died over it.
    Lost,
    /// The worker was asked to stop; costs nothing.
    Interrupted,
}

impl CallResult {
    /// Why it failed, if it did.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Failed { code, .. } => Some(*code),
            Self::Done | Self::Lost | Self::Interrupted => None,
        }
    }

    /// The word of the store and of `handoff show`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed { .. } => "failed",
            Self::Lost => "lost",
            Self::Interrupted => "interrupted",
        }
    }
}
