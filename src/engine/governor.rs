//! How fast a connection may be called: calls in flight, access tokens a minute, and whether it is worth trying at all.
//!
//! Plain state and plain functions; nothing here waits, except for a place among the calls in flight.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::clock::{self, Timestamp};
use crate::domain::error::DeskError;
use crate::domain::ids::ConnectionName;
use crate::store::Row;

/// Misconfigured answers in a row after which a connection is suspended, so that the rest of its handoffs wait for the
/// fix instead of filling the dead letters.
const MISCONFIGURED_MAX: u32 = 3;

/// Keeps every connection within its bounds.
#[derive(Debug)]
pub struct Governor {
    calls_in_flight: usize,
    connections: Mutex<HashMap<ConnectionName, Arc<Bounds>>>,
    conversations: Mutex<HashMap<Row, Bucket>>,
}

#[derive(Debug)]
struct Bounds {
    calls: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tokens: Option<Bucket>,
    misconfigured: u32,
}

/// A bucket of permissions that refills with time.
///
/// A quarter of the minute's budget may go at once, the rest over the minute, so that no minute sees more than the budget.
#[derive(Debug)]
struct Bucket {
    per_minute: u32,
    level: f64,
    at: Timestamp,
}

/// How much of a connection's bounds is used.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// Which connection.
    pub connection: ConnectionName,
    /// Calls that are out.
    pub calls: usize,
    /// Access tokens that may be asked for at once; `None` where nothing limits them, or none was asked for yet.
    pub tokens: Option<f64>,
}

impl Bucket {
    fn full(per_minute: u32, now: Timestamp) -> Self {
        Self {
            per_minute,
            level: at_once(per_minute),
            at: now,
        }
    }

    fn per_second(&self) -> f64 {
        (f64::from(self.per_minute) - at_once(self.per_minute)).max(1.0) / 60.0
    }

    /// How many permissions there are by `now`.
    fn left(&self, now: Timestamp) -> f64 {
        let refilled = clock::until(self.at, now).as_secs_f64() * self.per_second();
        (self.level + refilled).min(at_once(self.per_minute))
    }

    fn take(&mut self, per_minute: u32, now: Timestamp) -> Result<(), Timestamp> {
        self.per_minute = per_minute;
        self.level = self.left(now);
        self.at = now;
        if self.level >= 1.0 {
            self.level -= 1.0;
            return Ok(());
        }
        // Those who wait are spread, or all of them would come back for the same one.
        let spread = Duration::from_millis(fastrand::u64(1..200));
        Err(clock::after(
            now,
            Duration::from_secs_f64((1.0 - self.level) / self.per_second()) + spread,
        ))
    }
}

fn at_once(per_minute: u32) -> f64 {
    (f64::from(per_minute) / 4.0).max(1.0)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Governor {
    /// Allows so many calls in flight per connection.
    pub fn new(calls_in_flight: usize) -> Self {
        Self {
            calls_in_flight,
            connections: Mutex::default(),
            conversations: Mutex::default(),
        }
    }

    /// How many calls it lets be in flight per connection.
    pub fn calls_in_flight(&self) -> usize {
        self.calls_in_flight
    }

    fn bounds(&self, connection: &ConnectionName) -> Arc<Bounds> {
        let mut connections = lock(&self.connections);
        if let Some(bounds) = connections.get(connection) {
            return bounds.clone();
        }
        let bounds = Arc::new(Bounds {
            calls: Arc::new(Semaphore::new(self.calls_in_flight)),
            state: Mutex::default(),
        });
        connections.insert(connection.clone(), bounds.clone());
        bounds
    }

    /// A place among the calls in flight; it is given back when dropped.
    pub async fn place(&self, connection: &ConnectionName) -> OwnedSemaphorePermit {
        let calls = self.bounds(connection).calls.clone();
        calls
            .acquire_owned()
            .await
            .expect("nobody closes the semaphore")
    }

    /// How much of each connection's bounds is used, by name.
    pub fn used(&self, now: Timestamp) -> Vec<Use> {
        let connections = lock(&self.connections);
        let mut used: Vec<Use> = connections
            .iter()
            .map(|(connection, bounds)| Use {
                connection: connection.clone(),
                calls: self.calls_in_flight - bounds.calls.available_permits(),
                tokens: lock(&bounds.state)
                    .tokens
                    .as_ref()
                    .map(|bucket| bucket.left(now)),
            })
            .collect();
        used.sort_by(|one, other| one.connection.as_str().cmp(other.connection.as_str()));
        used
    }

    /// Takes one access token from the minute's budget, or says when there will be one.
    pub fn token(
        &self,
        connection: &ConnectionName,
        per_minute: u32,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let bounds = self.bounds(connection);
        let mut state = lock(&bounds.state);
        let bucket = state
            .tokens
            .get_or_insert_with(|| Bucket::full(per_minute, now));
        bucket.take(per_minute, now)
    }

    /// Takes one message from the minute's budget of a conversation, or says when there will be room for one.
    pub fn message(&self, row: Row, per_minute: u32, now: Timestamp) -> Result<(), Timestamp> {
        let mut conversations = lock(&self.conversations);
        let bucket = conversations
            .entry(row)
            .or_insert_with(|| Bucket::full(per_minute, now));
        bucket.take(per_minute, now)
    }

    /// Forgets a conversation that has ended.
    pub fn forget(&self, row: Row) {
        lock(&self.conversations).remove(&row);
    }

    /// Looks at how a call went; the reason to suspend the connection, if there is one now.
    pub fn observe<T>(
        &self,
        connection: &ConnectionName,
        went: &Result<T, DeskError>,
    ) -> Option<String> {
        let bounds = self.bounds(connection);
        let mut state = lock(&bounds.state);
        match went {
            Err(DeskError::Misconfigured { message, .. }) => {
                state.misconfigured += 1;
                (state.misconfigured == MISCONFIGURED_MAX).then(|| message.clone())
            }
            // Only an answer that shows that the credentials are good clears the count.
            Ok(_) => {
                state.misconfigured = 0;
                None
            }
            Err(_) => None,
        }
    }

    /// Forgets the failures of a connection, because somebody has put it right.
    pub fn forgive(&self, connection: &ConnectionName) {
        lock(&self.bounds(connection).state).misconfigured = 0;
    }
}
