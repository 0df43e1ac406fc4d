//! The group-commit thread: whatever is waiting shares one transaction and one fsync.
//!
//! It owns the only writing connection, so nothing here ever waits for a lock. There is no artificial delay:
//! batches grow exactly when the disk is slow.

use std::sync::Arc;
use std::time::Instant;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use crate::metrics::Metrics;

/// Operations per commit at most; more than this only makes the first of them wait.
const GROUP_MAX: usize = 512;
/// Operations that may wait; whoever comes next waits for room.
const QUEUE_MAX: usize = 4096;

/// Runs inside the transaction; gives back what is to be done once the commit is known.
type Operation =
    Box<dyn FnOnce(&Connection) -> (Fate, Box<dyn FnOnce(Result<(), StoreError>) + Send>) + Send>;

/// What becomes of an operation's writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Undo,
}

/// A handle to the thread; the thread ends when the last handle is gone.
#[derive(Debug, Clone)]
pub struct Writer {
    operations: mpsc::Sender<Operation>,
}

impl Writer {
    /// Starts the thread on its connection.
    pub fn start(connection: Connection, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (operations, queue) = mpsc::channel(QUEUE_MAX);
        std::thread::Builder::new()
            .name("baton-writer".into())
            .spawn(move || run(&connection, queue, &metrics))?;
        Ok(Self { operations })
    }

    /// Runs `operation` in the next transaction and returns once that is on disk. If it fails, only its own writes are undone.
    pub async fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let operation: Operation = Box::new(move |connection| {
            let result = operation(connection);
            let fate = if result.is_ok() {
                Fate::Keep
            } else {
                Fate::Undo
            };
            // Whoever asked may have gone; the writes stand all the same.
            let finish =
                move |committed: Result<(), StoreError>| drop(answer.send(committed.and(result)));
            (fate, Box::new(finish))
        });
        let gone = || StoreError::Unavailable("the transaction did not come about".into());
        self.operations.send(operation).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn run(connection: &Connection, mut queue: mpsc::Receiver<Operation>, metrics: &Metrics) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while queue.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        metrics.commit_size.observe(group.len() as f64);
        let began = Instant::now();
        let (finishers, committed) = commit(connection, group.drain(..));
        metrics
            .commit_seconds
            .observe(began.elapsed().as_secs_f64());
        for finish in finishers {
            finish(committed.clone());
        }
    }
}

type Finisher = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

fn commit(
    connection: &Connection,
    group: impl Iterator<Item = Operation>,
) -> (Vec<Finisher>, Result<(), StoreError>) {
    let begun = connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(StoreError::from);
    let mut finishers = Vec::new();
    let mut result = begun;
    for operation in group {
        if result.is_err() {
            // A full disk ends the whole transaction; what is left of the group hears of it by its dropped answer.
            continue;
        }
        let inside = connection
            .execute_batch("SAVEPOINT operation")
            .map_err(StoreError::from);
        let (fate, finish) = operation(connection);
        finishers.push(finish);
        let end = match fate {
            Fate::Keep => "RELEASE operation",
            Fate::Undo => "ROLLBACK TO operation; RELEASE operation",
        };
        let ended = inside.and_then(|()| connection.execute_batch(end).map_err(StoreError::from));
        result = result.and(ended);
    }
    if result.is_ok() {
        result = connection.execute_batch("COMMIT").map_err(StoreError::from);
    }
    if result.is_err() && !connection.is_autocommit() {
        // Nothing of the group is kept; everybody in it is told.
        drop(connection.execute_batch("ROLLBACK"));
    }
    (finishers, result)
}

impl From<rusqlite::Error> for StoreError {
    /// After a failed fsync or read the kernel may hold other pages than the disk, and report success the next time:
    /// there is no way on but to end the process and to recover from the file.
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure) => {
                tracing::error!(%error, "the disk failed under the database; ending so as to recover from the file");
                std::process::abort();
            }
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(error.to_string())
            }
            _ if matches!(error, rusqlite::Error::QueryReturnedNoRows) => Self::NotFound,
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
