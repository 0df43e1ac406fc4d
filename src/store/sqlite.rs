//! The embedded store: one SQLite file, one process, one writer.
//!
//! A lock on a file beside the database keeps a second process out, so the version of a row is fence enough.
//! Reads have connections of their own and never wait for the writer.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rusqlite::{Connection as Sql, OpenFlags};

use super::writer::Writer;
use super::*;
use crate::domain::channel::Part;
use crate::domain::handoff::Status;
use crate::domain::ids::Namespace;
use crate::domain::seal::MasterKey;
use crate::metrics::Metrics;

mod activity;
pub mod backup;
mod connections;
mod contacts;
mod courier;
mod dead;
pub mod examine;
mod intake;
mod jobs;
mod journey;
mod listing;
mod measures;
mod outbox;
mod replies;
mod retention;
mod schema;
mod waiting;

/// How much an acked commit may lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Nothing: each commit is on disk.
    #[default]
    Full,
    /// The last commits, when the power fails. A crash of the process still loses nothing.
    Normal,
}

/// How to open the store.
#[derive(Debug)]
pub struct Options {
    /// The database file; made if it is not there.
    pub path: PathBuf,
    /// How much an acked commit may lose.
    pub synchronous: Synchronous,
    /// Under which secrets are sealed.
    pub key: MasterKey,
    /// The root of all derived ids.
    pub namespace: Namespace,
    /// Who writes, for attempts and dead letters.
    pub worker: String,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

/// How often the log is tried to be emptied while others use it; each try waits for them.
const CHECKPOINTS_MAX: usize = 5;

/// What every operation of the store may use.
#[derive(Debug)]
struct Shared {
    key: MasterKey,
    namespace: Namespace,
    worker: String,
    /// What of a reply goes to a contact on the phone.
    phone: Vec<Part>,
}

/// The store.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    shared: Arc<Shared>,
    signals: Arc<Signals>,
    metrics: Arc<Metrics>,
    /// Held as long as the store is open.
    _lock: File,
}

/// Connections that only read; as many as are used at once.
#[derive(Debug, Clone)]
struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Sql>>>,
}

impl SqliteStore {
    /// Opens the file, makes or migrates its tables, and keeps every other process out.
    ///
    /// # Errors
    /// [`StoreError::CannotOpen`] says in a sentence what is in the way and what to do.
    pub fn open(options: Options) -> Result<Self, StoreError> {
        let lock = lock(&options.path)?;
        let sql = Sql::open(&options.path)
            .map_err(|error| cannot_open(&options.path, &error.to_string()))?;
        pragmas(&sql, options.synchronous)?;
        schema::migrate(&sql, &options.path)?;
        schema::check_key(&sql, &options.key)?;
        // A stop may have come between an erasure and the end of its log.
        schema::empty_log(&sql)?;
        let writer = Writer::start(sql, options.metrics.clone())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let Options {
            path,
            key,
            namespace,
            worker,
            metrics,
            ..
        } = options;
        Ok(Self {
            writer,
            readers: Readers {
                path,
                idle: Arc::default(),
            },
            shared: Arc::new(Shared {
                key,
                namespace,
                worker,
                phone: vec![Part::Text, Part::Choices, Part::Files],
            }),
            signals: Arc::default(),
            metrics,
            _lock: lock,
        })
    }

    /// The same, with only these parts of a reply for contacts on the phone; without it they get all.
    #[must_use]
    pub fn with_phone(mut self, parts: Vec<Part>) -> Self {
        let shared = Arc::get_mut(&mut self.shared);
        shared.expect("no operation is under way yet").phone = parts;
        self
    }

    /// Whether some process has the database open.
    pub fn is_in_use(path: &Path) -> bool {
        matches!(lock(path), Err(StoreError::CannotOpen(_)))
    }

    async fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Sql, &Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = self.shared.clone();
        let written = self.writer.write(move |sql| operation(sql, &shared)).await;
        if let Err(StoreError::Fenced) = &written {
            self.metrics.fenced.inc();
        }
        written
    }

    /// Moves everything from the write-ahead log into the database and cuts the log to nothing: what was erased is in
    /// neither then. Whoever reads or writes just then is waited for.
    async fn empty_log(&self) -> Result<(), StoreError> {
        let path = self.readers.path.clone();
        let emptied = tokio::task::spawn_blocking(move || {
            let sql = Sql::open(&path)?;
            sql.execute_batch("PRAGMA busy_timeout = 5000")?;
            for _ in 0..CHECKPOINTS_MAX {
                if schema::empty_log(&sql)? {
                    return Ok(true);
                }
            }
            Ok::<_, StoreError>(false)
        });
        let emptied = emptied
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))??;
        if emptied {
            Ok(())
        } else {
            Err(StoreError::Unavailable(
                "it was erased, but the write-ahead log is in use and still has it; ask again"
                    .into(),
            ))
        }
    }

    /// A replay may have left work for any of the loops.
    fn something_goes_on(&self) {
        self.signals.due.notify_one();
        self.signals.outbox.notify_waiters();
        self.signals.for_rep.notify_one();
    }

    async fn read<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Sql, &Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (readers, shared) = (self.readers.clone(), self.shared.clone());
        tokio::task::spawn_blocking(move || {
            let sql = readers.take()?;
            let result = operation(&sql, &shared);
            readers.put(sql);
            result
        })
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?
    }
}

impl Readers {
    fn take(&self) -> Result<Sql, StoreError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .pop();
        match idle {
            Some(sql) => Ok(sql),
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let sql = Sql::open_with_flags(&self.path, flags)?;
                sql.execute_batch(
                    "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA mmap_size = 0;",
                )?;
                Ok(sql)
            }
        }
    }

    fn put(&self, sql: Sql) {
        self.idle
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .push(sql);
    }
}

fn cannot_open(path: &Path, why: &str) -> StoreError {
    StoreError::CannotOpen(format!(
        "cannot open the database {}: {why}",
        path.display()
    ))
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let beside = path.with_added_extension("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside)
        .map_err(|error| cannot_open(path, &format!("{}: {error}", beside.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(cannot_open(
            path,
            "another baton process has it open. One worker per SQLite file: stop the other one, or give this one \
             another `store.url`",
        )),
        Err(TryLockError::Error(error)) => Err(cannot_open(path, &error.to_string())),
    }
}

/// All set explicitly, so that no build of SQLite decides for us.
fn pragmas(sql: &Sql, synchronous: Synchronous) -> Result<(), StoreError> {
    let level = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    sql.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {level}; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;
         PRAGMA secure_delete = ON;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA mmap_size = 0;",
    ))?;
    let mode: String = sql.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::CannotOpen(format!(
            "the file system of the database offers no write-ahead log (journal mode is `{mode}`); \
             put it on a local disk"
        )));
    }
    Ok(())
}

#[async_trait]
impl Store for SqliteStore {
    fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }

    async fn receive(
        &self,
        arrivals: Vec<Arrival>,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError> {
        let moments: Vec<_> = arrivals
            .iter()
            .filter_map(|arrival| intake::moment(arrival, now))
            .collect();
        let receipts = self
            .write(move |sql, shared| intake::receive(sql, shared, arrivals, now))
            .await?;
        if receipts
            .iter()
            .any(|receipt| matches!(receipt, Receipt::Accepted(_) | Receipt::Replayed(_)))
        {
            self.signals.due.notify_one();
        }
        self.signals.outbox.notify_waiters();
        if receipts.contains(&Receipt::ForRep) {
            // A held reply with files may have been let go.
            self.signals.files.notify_one();
            self.signals.for_rep.notify_one();
        }
        for (session, typing) in moments {
            self.signals.contact_types(session, typing);
        }
        Ok(receipts)
    }

    async fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Row>, Option<Timestamp>), StoreError> {
        self.read(move |sql, _| journey::due(sql, now, limit)).await
    }

    async fn interrupted(&self) -> Result<Vec<Row>, StoreError> {
        self.read(|sql, _| journey::rows(sql, "phase = 'calling'"))
            .await
    }

    async fn live(&self) -> Result<Vec<Row>, StoreError> {
        self.read(|sql, _| journey::rows(sql, "status = 'live'"))
            .await
    }

    async fn load(&self, row: Row) -> Result<Held, StoreError> {
        self.read(move |sql, shared| journey::load(sql, shared, row))
            .await
    }

    async fn intend(
        &self,
        held: &Held,
        taken: &[Step],
        step: Step,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let (held, taken) = (held.clone(), taken.to_vec());
        self.write(move |sql, shared| journey::intend(sql, shared, &held, &taken, step, now))
            .await
    }

    async fn record(&self, claim: Claim, turn: Turn, now: Timestamp) -> Result<Claim, StoreError> {
        let live = turn.handoff.status == Status::Live;
        let speaks = !turn.tell.is_empty() || turn.dead.is_some();
        // What the contact wrote meanwhile follows the opening message, or is answered.
        let turn_ends_wait = match turn.handoff.status {
            Status::Due { .. } => false,
            Status::Live | Status::Closed { .. } | Status::DeadLettered { .. } => true,
        };
        let journey::Recorded {
            claim,
            connection_removed,
        } = self
            .write(move |sql, shared| journey::record(sql, shared, claim, &turn, now))
            .await?;
        if live {
            self.signals.went_live(claim.row);
            self.signals.waiting.notify_one();
        }
        if connection_removed {
            self.signals.connections_changed();
        }
        if turn_ends_wait {
            self.signals.for_rep.notify_one();
        }
        if speaks {
            self.signals.outbox.notify_waiters();
        }
        Ok(claim)
    }

    async fn postpone(&self, claim: Claim, until: Timestamp) -> Result<(), StoreError> {
        self.write(move |sql, _| journey::postpone(sql, claim, until))
            .await
    }

    async fn renewed(&self, row: Row, access: AccessToken) -> Result<(), StoreError> {
        self.write(move |sql, shared| replies::renewed(sql, shared, row, access))
            .await
    }

    async fn keep(
        &self,
        row: Row,
        news: Vec<News>,
        cursor: Option<Cursor>,
        now: Timestamp,
    ) -> Result<Kept, StoreError> {
        let speaks = !news.is_empty();
        let kept = self
            .write(move |sql, shared| replies::keep(sql, shared, row, news, cursor, now))
            .await?;
        if speaks {
            self.signals.outbox.notify_waiters();
        }
        if kept.ended {
            self.signals.due.notify_one();
        }
        if kept.replies > 0 {
            self.signals.files.notify_one();
        }
        if kept.ended || kept.notices > 0 {
            self.signals.for_rep.notify_one();
        }
        if kept.unroutable {
            self.signals.waiting.notify_one();
        }
        Ok(kept)
    }

    async fn waiting(
        &self,
        since: Timestamp,
        then: NoRep,
        limit: usize,
    ) -> Result<(Vec<Row>, Option<Timestamp>), StoreError> {
        self.read(move |sql, _| waiting::waiting(sql, since, then, limit))
            .await
    }

    async fn nobody_came(&self, row: Row, then: NoRep, now: Timestamp) -> Result<bool, StoreError> {
        let came = self
            .write(move |sql, shared| waiting::nobody_came(sql, shared, row, then, now))
            .await?;
        if came && then == NoRep::End {
            self.signals.were_ended(vec![row]);
            self.signals.due.notify_one();
            self.signals.for_rep.notify_one();
        }
        self.signals.outbox.notify_waiters();
        Ok(came)
    }

    async fn for_rep(
        &self,
        now: Timestamp,
        early: Duration,
        limit: usize,
    ) -> Result<(Vec<ForRep>, Option<Timestamp>), StoreError> {
        self.read(move |sql, _| courier::for_rep(sql, now, early, limit))
            .await
    }

    async fn carrying(&self, seq: i64) -> Result<(), StoreError> {
        self.write(move |sql, _| courier::carrying(sql, seq)).await
    }

    async fn carried(
        &self,
        item: &ForRep,
        carried: Carried,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let item = item.clone();
        let row = item.row;
        let ended = self
            .write(move |sql, shared| courier::carried(sql, shared, &item, &carried, now))
            .await?;
        self.signals
            .were_ended(row.filter(|_| ended).into_iter().collect());
        self.signals.outbox.notify_waiters();
        self.signals.due.notify_one();
        Ok(())
    }

    async fn notice(
        &self,
        row: Row,
        about: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (about, text) = (about.to_owned(), text.to_owned());
        self.write(move |sql, shared| courier::notice(sql, shared, row, &about, &text, now))
            .await?;
        self.signals.for_rep.notify_one();
        Ok(())
    }

    async fn end(
        &self,
        row: Row,
        why: Ending,
        who: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let who = who.to_owned();
        let ended = self
            .write(move |sql, shared| {
                let ended = replies::end_now(sql, shared, row, why, now)?;
                if ended {
                    let about = format!("handoff {row}");
                    journey::audit_of(sql, Some(row), &who, "end", &about, now)?;
                }
                Ok(ended)
            })
            .await?;
        if ended {
            self.signals.were_ended(vec![row]);
        }
        self.signals.outbox.notify_waiters();
        self.signals.due.notify_one();
        self.signals.for_rep.notify_one();
        Ok(ended)
    }

    async fn with_files(&self, limit: usize) -> Result<Vec<WithFiles>, StoreError> {
        self.read(move |sql, _| outbox::with_files(sql, limit))
            .await
    }

    async fn in_custody(
        &self,
        seq: i64,
        files: Vec<Value>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |sql, _| outbox::in_custody(sql, seq, &files, now))
            .await?;
        self.signals.outbox.notify_waiters();
        Ok(())
    }

    async fn entry_of(&self, reply: &str) -> Result<Option<EntryId>, StoreError> {
        let reply = reply.to_owned();
        self.read(move |sql, _| outbox::entry_of(sql, &reply)).await
    }

    async fn unpublished(
        &self,
        lane: Lane,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Outgoing>, StoreError> {
        let ready = self.read(move |sql, _| outbox::unpublished(sql, lane, now, limit));
        let outbox::Ready { rows, late } = ready.await?;
        if !late.is_empty() {
            let held = self.write(move |sql, shared| replies::hold_late(sql, shared, &late, now));
            if held.await? > 0 {
                self.signals.outbox.notify_waiters();
                self.signals.for_rep.notify_one();
            }
        }
        Ok(rows)
    }

    async fn confirmed(&self, sequences: Vec<i64>, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |sql, _| outbox::confirmed(sql, &sequences, now))
            .await
    }

    async fn unconfirmed(
        &self,
        failed: Vec<(i64, String)>,
        again_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |sql, _| outbox::unconfirmed(sql, &failed, again_at))
            .await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Summary>, StoreError> {
        let filter = filter.clone();
        self.read(move |sql, _| listing::list(sql, &filter)).await
    }

    async fn find(&self, id: &str) -> Result<Vec<Row>, StoreError> {
        let id = id.to_owned();
        self.read(move |sql, _| listing::find(sql, &id)).await
    }

    async fn attempts(&self, row: Row) -> Result<Vec<Attempt>, StoreError> {
        self.read(move |sql, _| listing::attempts(sql, row)).await
    }

    async fn told(&self, row: Row) -> Result<Vec<Told>, StoreError> {
        self.read(move |sql, _| listing::told(sql, row)).await
    }

    async fn contact_events(&self, session: &str) -> Result<Vec<FromContact>, StoreError> {
        let session = session.to_owned();
        self.read(move |sql, _| contacts::events(sql, &session))
            .await
    }

    async fn audits(&self, row: Row) -> Result<Vec<Audit>, StoreError> {
        self.read(move |sql, _| listing::audits(sql, row)).await
    }

    async fn noted(
        &self,
        who: &str,
        action: &str,
        about: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (who, action, about) = (who.to_owned(), action.to_owned(), about.to_owned());
        self.write(move |sql, _| journey::audit(sql, &who, &action, &about, now))
            .await
    }

    async fn contact(&self, known: &KnownAs) -> Result<Traces, StoreError> {
        let known = known.clone();
        self.read(move |sql, shared| contacts::traces(sql, shared, &known))
            .await
    }

    async fn erase_contact(
        &self,
        known: &KnownAs,
        who: &str,
        now: Timestamp,
    ) -> Result<Option<Traces>, StoreError> {
        let (known, who) = (known.clone(), who.to_owned());
        let erased = self
            .write(move |sql, shared| contacts::erase(sql, shared, &known, &who, now))
            .await?;
        self.empty_log().await?;
        Ok(erased)
    }

    async fn sweep(
        &self,
        horizons: &Horizons,
        limit: usize,
        now: Timestamp,
    ) -> Result<Swept, StoreError> {
        let horizons = *horizons;
        self.write(move |sql, shared| retention::sweep(sql, shared, &horizons, limit, now))
            .await
    }

    async fn without_files(&self, rows: Vec<Row>, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |sql, _| retention::without_files(sql, &rows, now))
            .await
    }

    async fn dead_letters(
        &self,
        filter: &DeadFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let filter = filter.clone();
        self.read(move |sql, _| dead::list(sql, &filter, before, limit))
            .await
    }

    async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, StoreError> {
        let id = id.to_owned();
        self.read(move |sql, _| dead::one(sql, &id)).await
    }

    async fn dead_count(&self, filter: &DeadFilter) -> Result<(u64, Option<i64>), StoreError> {
        let filter = filter.clone();
        self.read(move |sql, _| dead::count(sql, &filter)).await
    }

    async fn dead_groups(
        &self,
        filter: &DeadFilter,
        by: GroupBy,
        limit: usize,
    ) -> Result<Vec<DeadGroup>, StoreError> {
        let filter = filter.clone();
        self.read(move |sql, _| dead::groups(sql, &filter, by, limit))
            .await
    }

    async fn original(&self, number: i64) -> Result<Option<(Origin, Vec<u8>)>, StoreError> {
        self.read(move |sql, _| dead::original(sql, number)).await
    }

    async fn replay_letter(
        &self,
        number: i64,
        arrival: Option<Arrival>,
        deadline: Timestamp,
        who: &str,
        now: Timestamp,
    ) -> Result<Replayed, StoreError> {
        let who = who.to_owned();
        let replayed = self
            .write(move |sql, shared| {
                dead::replay(sql, shared, number, arrival, deadline, &who, now)
            })
            .await?;
        self.something_goes_on();
        Ok(replayed)
    }

    async fn replay_edited(
        &self,
        number: i64,
        arrival: Arrival,
        changed: &[String],
        deadline: Timestamp,
        who: &str,
        now: Timestamp,
    ) -> Result<Replayed, StoreError> {
        let (who, changed) = (who.to_owned(), changed.join(", "));
        let replayed = self
            .write(move |sql, shared| {
                dead::replay_edited(sql, shared, number, arrival, &changed, deadline, &who, now)
            })
            .await?;
        self.something_goes_on();
        Ok(replayed)
    }

    async fn discard(&self, number: i64, who: &str, now: Timestamp) -> Result<bool, StoreError> {
        let who = who.to_owned();
        self.write(move |sql, _| dead::discard(sql, number, &who, now))
            .await
    }

    async fn restore(&self, number: i64, who: &str, now: Timestamp) -> Result<bool, StoreError> {
        let who = who.to_owned();
        self.write(move |sql, _| dead::restore(sql, number, &who, now))
            .await
    }

    async fn replay(
        &self,
        row: Row,
        deadline: Timestamp,
        who: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let who = who.to_owned();
        let replayed = self
            .write(move |sql, _| journey::replay(sql, row, deadline, &who, now))
            .await?;
        self.signals.due.notify_one();
        Ok(replayed)
    }

    async fn make_job(&self, new: NewJob, who: &str, now: Timestamp) -> Result<Made, StoreError> {
        let who = who.to_owned();
        let made = self
            .write(move |sql, _| jobs::make(sql, &new, &who, now))
            .await?;
        self.signals.jobs.notify_one();
        Ok(made)
    }

    async fn jobs(&self, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.read(move |sql, _| jobs::list(sql, limit)).await
    }

    async fn job(&self, id: &str) -> Result<Option<Job>, StoreError> {
        let id = id.to_owned();
        self.read(move |sql, _| jobs::one(sql, &id)).await
    }

    async fn open_jobs(&self) -> Result<Vec<Job>, StoreError> {
        self.read(|sql, _| jobs::open(sql)).await
    }

    async fn job_items(
        &self,
        job: &Job,
        after: i64,
        only_left: bool,
        limit: usize,
    ) -> Result<Vec<JobItem>, StoreError> {
        let number = job.number;
        self.read(move |sql, _| jobs::items(sql, number, after, only_left, limit))
            .await
    }

    async fn do_item(
        &self,
        job: &Job,
        position: i64,
        arrival: Option<Arrival>,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let job = job.clone();
        let done = self
            .write(move |sql, shared| {
                jobs::do_item(sql, shared, &job, position, arrival, deadline, now)
            })
            .await?;
        self.something_goes_on();
        Ok(done)
    }

    async fn judge_canary(&self, job: &Job, now: Timestamp) -> Result<JobState, StoreError> {
        let job = job.clone();
        self.write(move |sql, _| jobs::judge_canary(sql, &job, now))
            .await
    }

    async fn cancel_job(&self, job: &Job, who: &str, now: Timestamp) -> Result<bool, StoreError> {
        let (job, who) = (job.clone(), who.to_owned());
        self.write(move |sql, _| jobs::cancel(sql, &job, &who, now))
            .await
    }

    async fn save_connection(
        &self,
        connection: Connection,
        who: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let who = who.to_owned();
        self.write(move |sql, shared| connections::save(sql, shared, &connection, &who, now))
            .await?;
        self.signals.connections_changed();
        Ok(())
    }

    async fn connection(
        &self,
        name: &ConnectionName,
    ) -> Result<Option<(Connection, Gate)>, StoreError> {
        let name = name.clone();
        self.read(move |sql, shared| connections::one(sql, shared, &name))
            .await
    }

    async fn connections(&self) -> Result<Vec<(Connection, Gate)>, StoreError> {
        self.read(connections::all).await
    }

    async fn remove_connection(
        &self,
        name: &ConnectionName,
        removal: Removal,
        who: &str,
        now: Timestamp,
    ) -> Result<Option<Removed>, StoreError> {
        let (name, who) = (name.clone(), who.to_owned());
        let removing = self
            .write(move |sql, shared| connections::remove(sql, shared, &name, removal, &who, now))
            .await?;
        self.signals.connections_changed();
        Ok(removing.map(|removing| {
            self.signals.were_ended(removing.ended);
            self.signals.outbox.notify_waiters();
            self.signals.for_rep.notify_one();
            removing.removed
        }))
    }

    async fn set_gate(&self, name: &ConnectionName, gate: Gate) -> Result<(), StoreError> {
        let name = name.clone();
        self.write(move |sql, _| connections::set_gate(sql, &name, &gate))
            .await?;
        self.signals.connections_changed();
        Ok(())
    }

    async fn reopen(&self, name: &ConnectionName) -> Result<(), StoreError> {
        let name = name.clone();
        self.write(move |sql, _| connections::reopen(sql, &name))
            .await?;
        self.signals.connections_changed();
        Ok(())
    }

    async fn pause_connection(
        &self,
        name: &ConnectionName,
        pause: Pause,
        who: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, who) = (name.clone(), who.to_owned());
        let changed = self
            .write(move |sql, _| connections::pause(sql, &name, pause, &who, now))
            .await?;
        self.signals.connections_changed();
        Ok(changed)
    }

    async fn activity(
        &self,
        now: Timestamp,
        width: Duration,
        slots: usize,
    ) -> Result<Activity, StoreError> {
        self.read(move |sql, _| activity::activity(sql, now, width, slots))
            .await
    }

    async fn pressure(&self) -> Result<Pressure, StoreError> {
        self.read(|sql, _| listing::pressure(sql)).await
    }

    async fn counts(&self, now: Timestamp) -> Result<Counts, StoreError> {
        self.read(move |sql, _| listing::counts(sql, now)).await
    }

    async fn measures(&self, now: Timestamp) -> Result<Measures, StoreError> {
        self.read(move |sql, _| measures::measures(sql, now)).await
    }

    async fn begin_run(&self) -> Result<u32, StoreError> {
        self.write(|sql, _| schema::begin_run(sql)).await
    }

    async fn forget_runs(&self) -> Result<(), StoreError> {
        self.write(|sql, _| schema::forget_runs(sql)).await
    }

    async fn suspect(&self, body: Vec<u8>) -> Result<u32, StoreError> {
        self.write(move |sql, _| schema::suspect(sql, &body)).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        // A checkpoint cannot run inside the writer's transaction, so it runs beside it; what it leaves is in the log.
        self.write(|sql, _| schema::forget_runs(sql)).await
    }
}
