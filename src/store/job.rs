//! Jobs over dead letters: asked for once, done one by one, each item exactly once.

use crate::domain::clock::Timestamp;
use crate::store::DeadFilter;

/// What is done to each dead letter of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is sent on.
    Replay,
    /// It is decided against.
    Discard,
    /// That it was discarded is taken back.
    Restore,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Replay, Self::Discard, Self::Restore];

    /// The word of the store, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Discard => "discard",
            Self::Restore => "restore",
        }
    }

    /// The action of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Items are being done.
    Running,
    /// The first ones are done, and it waits to see how they fare.
    Canary,
    /// All are done.
    Done,
    /// Somebody has cancelled it.
    Cancelled,
    /// The first ones did not fare well.
    Stopped,
}

impl JobState {
    /// The word of the store and of listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Canary => "canary",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
        }
    }

    /// The state of a word.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Running,
            Self::Canary,
            Self::Done,
            Self::Cancelled,
            Self::Stopped,
        ]
        .into_iter()
        .find(|state| state.as_str() == word)
    }
}

/// A job as it is asked for.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub id: String,
    /// What whoever asks calls it: asked twice under the same key, it is one job.
    pub key: Option<String>,
    /// What is done.
    pub action: Action,
    /// To which dead letters.
    pub which: Which,
    /// The question in JSON, to show what was asked for, and to tell a repetition from another question.
    pub asked: String,
    /// Items a minute at most.
    pub rate: Option<u32>,
    /// So many first; the rest only if they fare well. 0 for none.
    pub canary: u32,
}

/// Which dead letters a job is about.
#[derive(Debug, Clone)]
pub enum Which {
    /// Those with these numbers.
    Numbers(Vec<i64>),
    /// Those that match now; what is set aside later is not among them.
    Matching(Box<DeadFilter>),
}

/// A job as it stands.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its number in the store.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// What is done.
    pub action: Action,
    /// Who asked.
    pub who: String,
    /// What they asked, in JSON.
    pub asked: String,
    /// Items a minute at most.
    pub rate: Option<u32>,
    /// How many go first.
    pub canary: u32,
    /// When it was asked for.
    pub made_at: Timestamp,
    /// How far it has come.
    pub state: JobState,
    /// Why it was stopped or cancelled.
    pub why: Option<String>,
    /// When its next item may be done.
    pub next_at: Timestamp,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
    /// How many items it has.
    pub total: u64,
    /// How many were done.
    pub done: u64,
    /// How many could not be done.
    pub refused: u64,
    /// How many somebody else had dealt with before.
    pub passed: u64,
}

/// A job that was asked for.
#[derive(Debug, Clone)]
pub struct Made {
    /// The job.
    pub job: Job,
    /// Whether it was there already, under the same key.
    pub again: bool,
}

/// One dead letter of a job.
#[derive(Debug, Clone)]
pub struct JobItem {
    /// Its place in the job, from 1.
    pub position: i64,
    /// The number of the dead letter.
    pub letter: i64,
    /// What became of it: `done`, `refused` or `passed`; `None` as long as it is left.
    pub outcome: Option<String>,
    /// Why it was not done.
    pub says: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}
