//! What the loops wait for, so that nothing polls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Row;
use crate::domain::ids::SessionId;

/// Typing signs that may wait; more than this are of a moment that has passed.
const TYPING_MAX: usize = 1000;

/// Raised by the store after each commit that gives somebody something to do.
#[derive(Debug, Default)]
pub struct Signals {
    /// A handoff became due, or due earlier.
    pub due: Notify,
    /// The outbox has something ready.
    pub outbox: Notify,
    went_live: Mutex<Vec<Row>>,
    live: Notify,
    ended: Mutex<Vec<Row>>,
    over: Notify,
    /// Something is to reach a rep.
    pub for_rep: Notify,
    /// A reply waits for its files.
    pub files: Notify,
    /// A contact waits for a rep, or waits in vain.
    pub waiting: Notify,
    /// A job over dead letters was asked for.
    pub jobs: Notify,
    typing: Mutex<Vec<(SessionId, bool)>>,
    connections: AtomicU64,
}

impl Signals {
    /// Says that a handoff went live.
    pub fn went_live(&self, row: Row) {
        lock(&self.went_live).push(row);
        self.live.notify_one();
    }

    /// Waits until handoffs have gone live, and takes them.
    pub async fn next_live(&self) -> Vec<Row> {
        loop {
            let rows = std::mem::take(&mut *lock(&self.went_live));
            if !rows.is_empty() {
                return rows;
            }
            self.live.notified().await;
        }
    }

    /// Says that handoffs were ended by somebody else than their desk.
    pub fn were_ended(&self, rows: Vec<Row>) {
        if !rows.is_empty() {
            lock(&self.ended).extend(rows);
            self.over.notify_one();
        }
    }

    /// Waits until handoffs were ended, and takes them.
    pub async fn next_ended(&self) -> Vec<Row> {
        loop {
            let rows = std::mem::take(&mut *lock(&self.ended));
            if !rows.is_empty() {
                return rows;
            }
            self.over.notified().await;
        }
    }

    /// Says that a contact is typing, or has stopped. Of the moment: what nobody takes in time is forgotten.
    pub fn contact_types(&self, session: SessionId, typing: bool) {
        let mut waiting = lock(&self.typing);
        if waiting.len() < TYPING_MAX {
            waiting.push((session, typing));
            self.for_rep.notify_one();
        }
    }

    /// Who is typing since the last look.
    pub fn take_typing(&self) -> Vec<(SessionId, bool)> {
        std::mem::take(&mut *lock(&self.typing))
    }

    /// Says that a connection was saved, removed or opened.
    pub fn connections_changed(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        self.due.notify_one();
    }

    /// A number that rises with every change of a connection.
    pub fn connections_version(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
