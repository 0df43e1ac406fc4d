//! What is durable, and the promises it makes.
//!
//! Each method is one business intent in one transaction. Where a method returns `Ok`, its transaction is on disk.
//! Every write of a handoff names the version that was read; a write that comes late changes nothing and returns
//! [`StoreError::Fenced`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::domain::arrival::Arrival;
use crate::domain::clock::Timestamp;
use crate::domain::connection::{Connection, Gate, Removal};
use crate::domain::dead_letter::{Cause, Origin};
use crate::domain::handoff::{AccessToken, Ending, Handoff, Step};
use crate::domain::ids::{ConnectionName, Cursor, EntryId, SessionId};
use crate::domain::lifecycle::Lifecycle;
use crate::domain::news::News;
use crate::domain::patience::NoRep;
use crate::domain::turn::Turn;

mod activity;
pub mod contact;
pub mod dead;
mod error;
pub mod job;
mod listing;
mod measures;
mod outgoing;
mod row;
mod signals;
pub mod sqlite;
mod writer;

pub use activity::{Activity, Slot, Tries};
pub use contact::{FromContact, Horizons, KnownAs, Swept, Traces};
pub use dead::{About, DeadFilter, DeadGroup, DeadLetter, GroupBy, Onward, Replayed};
pub use error::StoreError;
pub use job::{Job, JobItem, JobState, Made, NewJob};
pub use listing::{Attempt, Audit, Filter, Summary, Told};
pub use measures::{Counts, EndOfDead, Measures, Pressure};
pub use outgoing::{Destination, Lane, Outgoing};
pub use signals::Signals;

/// The store's own number of a handoff.
pub type Row = i64;

/// What the store is asked to keep: one implementation per database.
#[async_trait]
pub trait Store: Send + Sync {
    /// What the loops wait for instead of polling.
    fn signals(&self) -> &Arc<Signals>;

    /// Takes deliveries in, each once, in their order: new ones become handoffs, known ones are counted, poison is
    /// quarantined with its dead letter. After `Ok` every one of them may be acked.
    async fn receive(
        &self,
        arrivals: Vec<Arrival>,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError>;

    /// Handoffs that want a turn by `now`, oldest first, and when the next one after them does.
    async fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Row>, Option<Timestamp>), StoreError>;

    /// Handoffs with a call that has no outcome: what a crash left behind.
    async fn interrupted(&self) -> Result<Vec<Row>, StoreError>;

    /// Handoffs in which words are carried.
    async fn live(&self) -> Result<Vec<Row>, StoreError>;

    /// A handoff as it stands.
    async fn load(&self, row: Row) -> Result<Held, StoreError>;

    /// The intent: the call of `step` is about to go out; the steps in `taken` needed none and are done.
    async fn intend(
        &self,
        held: &Held,
        taken: &[Step],
        step: Step,
        now: Timestamp,
    ) -> Result<Claim, StoreError>;

    /// The outcome of the call that was intended under `claim`, what follows from it, and what the world is told.
    async fn record(&self, claim: Claim, turn: Turn, now: Timestamp) -> Result<Claim, StoreError>;

    /// Puts a handoff off without an attempt: its connection cannot be called now.
    async fn postpone(&self, claim: Claim, until: Timestamp) -> Result<(), StoreError>;

    /// A new access token of a live handoff.
    async fn renewed(&self, row: Row, access: AccessToken) -> Result<(), StoreError>;

    /// What the desk said in a live handoff, with the cursor, in one transaction. Entries that are known change nothing.
    async fn keep(
        &self,
        row: Row,
        news: Vec<News>,
        cursor: Option<Cursor>,
        now: Timestamp,
    ) -> Result<Kept, StoreError>;

    /// Live handoffs to which no rep has come since then, and with [`NoRep::End`] those that the desk can route to
    /// nobody; and since when the next one waits.
    async fn waiting(
        &self,
        since: Timestamp,
        then: NoRep,
        limit: usize,
    ) -> Result<(Vec<Row>, Option<Timestamp>), StoreError>;

    /// No rep has come to a live handoff: what follows, once. `false` if one has come meanwhile, or it was done already.
    async fn nobody_came(&self, row: Row, then: NoRep, now: Timestamp) -> Result<bool, StoreError>;

    /// What is to reach a rep by `now`, the oldest of each session, and when to look again. What came before its
    /// escalation is left until it is older than `early`.
    async fn for_rep(
        &self,
        now: Timestamp,
        early: Duration,
        limit: usize,
    ) -> Result<(Vec<ForRep>, Option<Timestamp>), StoreError>;

    /// The intent: this is about to be carried to the desk.
    async fn carrying(&self, seq: i64) -> Result<(), StoreError>;

    /// What became of it, what the world is told, and what follows.
    async fn carried(
        &self,
        item: &ForRep,
        carried: Carried,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Something the rep is to be told in the thread; once per `about`.
    async fn notice(
        &self,
        row: Row,
        about: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Ends a live handoff, or one of which no rep can know yet. `false` if it was neither.
    async fn end(
        &self,
        row: Row,
        why: Ending,
        who: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Replies that wait for their files, oldest first.
    async fn with_files(&self, limit: usize) -> Result<Vec<WithFiles>, StoreError>;

    /// The files of a reply are ours: it is finished, and goes out.
    async fn in_custody(
        &self,
        seq: i64,
        files: Vec<Value>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The desk's entry that a reply was made of.
    async fn entry_of(&self, reply: &str) -> Result<Option<EntryId>, StoreError>;

    /// Outbox rows to publish by `now`: at most one per handoff, its oldest; only of handoffs in `lane`.
    async fn unpublished(
        &self,
        lane: Lane,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Outgoing>, StoreError>;

    /// The broker has confirmed these.
    async fn confirmed(&self, sequences: Vec<i64>, now: Timestamp) -> Result<(), StoreError>;

    /// These could not be published; they stay, and are tried again at the time given.
    async fn unconfirmed(
        &self,
        failed: Vec<(i64, String)>,
        again_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// The newest handoffs that match.
    async fn list(&self, filter: &Filter) -> Result<Vec<Summary>, StoreError>;

    /// The handoffs of a session id, a handoff id or a desk's conversation id, newest first.
    async fn find(&self, id: &str) -> Result<Vec<Row>, StoreError>;

    /// All attempts of a handoff, oldest first.
    async fn attempts(&self, row: Row) -> Result<Vec<Attempt>, StoreError>;

    /// What was published or is to be, of one handoff, oldest first.
    async fn told(&self, row: Row) -> Result<Vec<Told>, StoreError>;

    /// What a contact sent in a session, oldest first.
    async fn contact_events(&self, session: &str) -> Result<Vec<FromContact>, StoreError>;

    /// What operators did to a handoff, oldest first.
    async fn audits(&self, row: Row) -> Result<Vec<Audit>, StoreError>;

    /// Remembers that an operator did something that changes nothing in the store.
    async fn noted(
        &self,
        who: &str,
        action: &str,
        about: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// How much there is of a contact.
    async fn contact(&self, known: &KnownAs) -> Result<Traces, StoreError>;

    /// Erases all that there is of a contact, down to the bytes on disk; `None` if something of it is not over.
    async fn erase_contact(
        &self,
        known: &KnownAs,
        who: &str,
        now: Timestamp,
    ) -> Result<Option<Traces>, StoreError>;

    /// Deletes what is beyond its horizon: at most `limit` rows of each kind.
    async fn sweep(
        &self,
        horizons: &Horizons,
        limit: usize,
        now: Timestamp,
    ) -> Result<Swept, StoreError>;

    /// The files of these handoffs are gone.
    async fn without_files(&self, rows: Vec<Row>, now: Timestamp) -> Result<(), StoreError>;

    /// Dead letters that match, the newest first; only those numbered below `before`.
    async fn dead_letters(
        &self,
        filter: &DeadFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError>;

    /// A dead letter by its id, the id of its message, or anything that finds its handoff or its session.
    async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, StoreError>;

    /// How many dead letters match, and the highest number among them.
    async fn dead_count(&self, filter: &DeadFilter) -> Result<(u64, Option<i64>), StoreError>;

    /// Dead letters that match, by what they have in common; the largest group first.
    async fn dead_groups(
        &self,
        filter: &DeadFilter,
        by: GroupBy,
        limit: usize,
    ) -> Result<Vec<DeadGroup>, StoreError>;

    /// The original delivery of the dead letter with this number.
    async fn original(&self, number: i64) -> Result<Option<(Origin, Vec<u8>)>, StoreError>;

    /// Sends the dead letter with this number on, once: a handoff from where it stopped, everything else through intake,
    /// as `arrival`.
    async fn replay_letter(
        &self,
        number: i64,
        arrival: Option<Arrival>,
        deadline: Timestamp,
        who: &str,
        now: Timestamp,
    ) -> Result<Replayed, StoreError>;

    /// Sends a dead letter on with another event in its place: a new generation. The original stays; `changed` names the
    /// fields for the audit.
    async fn replay_edited(
        &self,
        number: i64,
        arrival: Arrival,
        changed: &[String],
        deadline: Timestamp,
        who: &str,
        now: Timestamp,
    ) -> Result<Replayed, StoreError>;

    /// Decides against a dead letter that is open. `false` if it is not.
    async fn discard(&self, number: i64, who: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Takes back that a dead letter was discarded. `false` if it is not.
    async fn restore(&self, number: i64, who: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Sends a dead handoff on from where it stopped, with a new budget and the same keys. `false` if it was not dead.
    async fn replay(
        &self,
        row: Row,
        deadline: Timestamp,
        who: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Makes a job over dead letters, or finds the one that was made under the same key.
    async fn make_job(&self, new: NewJob, who: &str, now: Timestamp) -> Result<Made, StoreError>;

    /// The newest jobs.
    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, StoreError>;

    /// The job with this id.
    async fn job(&self, id: &str) -> Result<Option<Job>, StoreError>;

    /// Jobs that are not at their end, oldest first.
    async fn open_jobs(&self) -> Result<Vec<Job>, StoreError>;

    /// Items of a job beyond a position, in order; only those that are left, if that is asked for.
    async fn job_items(
        &self,
        job: &Job,
        after: i64,
        only_left: bool,
        limit: usize,
    ) -> Result<Vec<JobItem>, StoreError>;

    /// Does one item of a job and keeps what became of it. `false` if it was not to be done any more, or not yet.
    async fn do_item(
        &self,
        job: &Job,
        position: i64,
        arrival: Option<Arrival>,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Looks how the first items of a job fare, and lets it go on or stops it.
    async fn judge_canary(&self, job: &Job, now: Timestamp) -> Result<JobState, StoreError>;

    /// Cancels a job between two items. `false` if it had come to its end.
    async fn cancel_job(&self, job: &Job, who: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Saves a connection; its secrets are sealed.
    async fn save_connection(
        &self,
        connection: Connection,
        who: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// A connection with its secrets and its gate.
    async fn connection(
        &self,
        name: &ConnectionName,
    ) -> Result<Option<(Connection, Gate)>, StoreError>;

    /// All connections.
    async fn connections(&self) -> Result<Vec<(Connection, Gate)>, StoreError>;

    /// Removes a connection as soon as no rep is left who was reached by it; until then nothing new is begun there.
    /// `None` if there was none.
    async fn remove_connection(
        &self,
        name: &ConnectionName,
        removal: Removal,
        who: &str,
        now: Timestamp,
    ) -> Result<Option<Removed>, StoreError>;

    /// Opens, suspends or pauses a connection.
    async fn set_gate(&self, name: &ConnectionName, gate: Gate) -> Result<(), StoreError>;

    /// Opens a connection that was suspended; one that an operator paused stays so.
    async fn reopen(&self, name: &ConnectionName) -> Result<(), StoreError>;

    /// Pauses a connection, or ends its pause. `false` if it was not there, or not in a state for that.
    async fn pause_connection(
        &self,
        name: &ConnectionName,
        pause: Pause,
        who: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// What waits, and what was done in each of so many slots of this width until now.
    async fn activity(
        &self,
        now: Timestamp,
        width: Duration,
        slots: usize,
    ) -> Result<Activity, StoreError>;

    /// How much waits to be done and to be published.
    async fn pressure(&self) -> Result<Pressure, StoreError>;

    /// How much there is of everything.
    async fn counts(&self, now: Timestamp) -> Result<Counts, StoreError>;

    /// What `/metrics` tells of the store. However much is stored, only what waits is counted.
    async fn measures(&self, now: Timestamp) -> Result<Measures, StoreError>;

    /// Notes that a worker begins; says how many before it, one after the other, ended without [`Store::close`].
    async fn begin_run(&self) -> Result<u32, StoreError>;

    /// Forgets those: this one has held for a while.
    async fn forget_runs(&self) -> Result<(), StoreError>;

    /// Remembers a delivery that is about to be read, in the place of the one before; says how often it was remembered
    /// and never received.
    async fn suspect(&self, body: Vec<u8>) -> Result<u32, StoreError>;

    /// Flushes and closes; the run has ended.
    async fn close(&self) -> Result<(), StoreError>;
}

/// The right to write a handoff: the row, and the version that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Which handoff.
    pub row: Row,
    /// Its version when it was read or last written.
    pub version: i64,
    /// The number of the last attempt of its generation; 0 before the first.
    pub attempt: u32,
}

/// A handoff in our hands.
#[derive(Debug, Clone)]
pub struct Held {
    /// The right to write it.
    pub claim: Claim,
    /// What it is.
    pub handoff: Handoff,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// A new handoff.
    Accepted(Row),
    /// Known already.
    Duplicate,
    /// A dead letter that came back: it goes on.
    Replayed(Row),
    /// For a rep.
    ForRep,
    /// Of the moment: passed on if anybody listens, and not kept.
    Passed,
    /// Set aside.
    Quarantined,
}

/// What an operator does about a connection's pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Nothing new is begun there; live conversations go on.
    Begin,
    /// What waited there goes on.
    End,
}

impl Receipt {
    /// The word of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Duplicate => "duplicate",
            Self::Replayed(_) => "replayed",
            Self::ForRep => "for_rep",
            Self::Passed => "passed",
            Self::Quarantined => "quarantined",
        }
    }
}

/// What removing a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone, and its secrets with it.
    Now,
    /// So many handoffs have to end or to be closed first.
    Later(u64),
}

/// What keeping news came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Replies that were new.
    pub replies: usize,
    /// Notices that the rep is to get.
    pub notices: usize,
    /// Whether the desk said that it can route it to nobody.
    pub unroutable: bool,
    /// Whether it has ended, now or before.
    pub ended: bool,
}

/// A reply whose files are still the desk's.
#[derive(Debug, Clone)]
pub struct WithFiles {
    /// Its place in the outbox.
    pub seq: i64,
    /// Whose it is.
    pub row: Row,
    /// The id of its event.
    pub message_id: String,
    /// The files as the desk has them: id, name, type, address.
    pub files: Vec<Value>,
    /// When it was stored.
    pub stored_at: Timestamp,
}

/// Something that is to reach a rep: what the contact did, or a notice of ours.
#[derive(Debug, Clone)]
pub struct ForRep {
    /// Its place in the inbox.
    pub seq: i64,
    /// Whose it is.
    pub session: SessionId,
    /// The newest handoff of the session, if there is one.
    pub row: Option<Row>,
    /// What it is.
    pub kind: ForRepKind,
    /// The event as it came, or the notice.
    pub body: Vec<u8>,
    /// How often it was tried.
    pub tries: u32,
    /// When it came.
    pub received_at: Timestamp,
}

/// What is to reach a rep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForRepKind {
    /// A contact event.
    Contact,
    /// A notice of ours: its body is the text.
    Notice,
}

/// What became of something that was to reach a rep.
#[derive(Debug, Clone, PartialEq)]
pub enum Carried {
    /// It is done with; the world is told this, if anything.
    Done(Option<Lifecycle>),
    /// The contact has left: the handoff ends.
    Left,
    /// It is tried again.
    Again {
        /// When.
        at: Timestamp,
    },
    /// It is set aside, and the world is told.
    SetAside(Cause, Option<Lifecycle>),
}
