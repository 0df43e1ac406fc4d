//! Dead letters as an operator finds them: which are meant, what they are, and what became of them.

use super::Row;
use crate::domain::clock::Timestamp;

/// Something set aside: a handoff, something for a rep, or a delivery nobody can process.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its number in the store; a later one has a higher one.
    pub number: i64,
    /// The handoff's id, or `d-` and the number where it is no handoff.
    pub id: String,
    /// What it is.
    pub about: About,
    /// The handoff's row; for something for a rep, that of its session.
    pub row: Option<Row>,
    /// Why.
    pub code: String,
    /// Its class.
    pub class: String,
    /// Where it stopped.
    pub step: String,
    /// In words.
    pub reason: String,
    /// Same cause, same value.
    pub cause: String,
    /// The HTTP status of the desk's last answer.
    pub http_status: Option<u16>,
    /// The session, where known.
    pub session: Option<String>,
    /// The connection, where known.
    pub connection: Option<String>,
    /// The desk, where known.
    pub desk: Option<String>,
    /// The generation that failed.
    pub generation: u32,
    /// How often that was tried.
    pub attempts: u64,
    /// When it failed first.
    pub first_failed_at: Timestamp,
    /// When it was set aside.
    pub at: Timestamp,
    /// What became of it.
    pub state: State,
    /// Since when, unless it is still open.
    pub state_at: Option<Timestamp>,
    /// Who did it.
    pub state_by: Option<String>,
}

/// What a dead letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A handoff on its way to a rep.
    Handoff,
    /// Something a contact did, which did not reach the rep.
    Contact,
    /// A delivery that cannot be processed.
    Delivery,
}

impl About {
    /// The word of the store and of listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handoff => "handoff",
            Self::Contact => "contact",
            Self::Delivery => "delivery",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Handoff, Self::Contact, Self::Delivery]
            .into_iter()
            .find(|about| about.as_str() == word)
    }
}

/// What became of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// It waits for somebody.
    #[default]
    Open,
    /// It went on; if that failed too, it is another dead letter by now.
    Replayed,
    /// Somebody decided against it. It can be restored until its retention ends.
    Discarded,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Replayed, Self::Discarded];

    /// The word of the store and of listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }

    /// The state of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// Which dead letters are meant. What is not given is not asked for.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// What became of them.
    pub state: State,
    /// Of this connection.
    pub connection: Option<String>,
    /// Of this kind of desk.
    pub desk: Option<String>,
    /// Stopped at this step.
    pub step: Option<String>,
    /// Of this class.
    pub class: Option<String>,
    /// With this code.
    pub code: Option<String>,
    /// Of this cause.
    pub cause: Option<String>,
    /// Of this session.
    pub session: Option<String>,
    /// With these words in the reason, the session or the connection.
    pub text: Option<String>,
    /// Set aside at this time or before.
    pub until: Option<Timestamp>,
    /// Set aside at this time or after.
    pub since: Option<Timestamp>,
    /// With this number or a lower one: nothing that was set aside later.
    pub up_to: Option<i64>,
}

/// What dead letters are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupBy {
    /// The cause: desk, step, code, and the reason without its numbers and ids.
    #[default]
    Cause,
    /// The code.
    Code,
    /// The connection.
    Connection,
    /// The step.
    Step,
}

impl GroupBy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cause, Self::Code, Self::Connection, Self::Step];

    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Code => "code",
            Self::Connection => "connection",
            Self::Step => "step",
        }
    }

    /// What a word means.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == word)
    }
}

/// Dead letters that have something in common.
#[derive(Debug, Clone)]
pub struct DeadGroup {
    /// The cause, code, connection or step; `None` where it is not known.
    pub of: Option<String>,
    /// The code of the newest.
    pub code: String,
    /// Its class.
    pub class: String,
    /// Where it stopped.
    pub step: String,
    /// Its connection.
    pub connection: Option<String>,
    /// Its reason.
    pub reason: String,
    /// How many there are.
    pub count: u64,
    /// When the first of them failed first.
    pub first_seen: Timestamp,
    /// When the last of them was set aside.
    pub last_seen: Timestamp,
}

/// What replaying a dead letter came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// It goes on.
    On(Onward),
    /// It is not open: somebody was quicker, or has discarded it.
    NotOpen,
    /// It would only be set aside again; nothing was changed.
    Cannot(String),
}

/// What a replayed dead letter goes on as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Onward {
    /// The handoff.
    pub handoff: Option<Row>,
    /// The place in the inbox of something for a rep.
    pub inbox: Option<i64>,
    /// The generation that runs now.
    pub generation: u32,
}
