//! What a row of failures means: how long to wait, what to log, and how carefully to begin again.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::error::Error;

/// The first wait after a failure, doubled each time.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);

/// The longest wait between two tries.
const BACKOFF_LAST: Duration = Duration::from_secs(10);

/// How long a session must hold before we take it for healthy.
pub(super) const STEADY: Duration = Duration::from_secs(10);

/// The failures since the last healthy session.
#[derive(Default)]
pub(super) struct Outage {
    tries: u32,
    short_sessions: u32,
    said: Option<String>,
    since: Option<Instant>,
}

impl Outage {
    /// Notes a failure, and logs it once per reason: the repetitions are for debugging.
    pub fn failed(&mut self, error: &Error) {
        let text = error.to_string();
        if self.said.as_ref() == Some(&text) {
            debug!(tries = self.tries, "still not connected to the broker");
        } else {
            warn!("not connected to the broker: {text}; trying again");
            self.said = Some(text);
            self.since.get_or_insert_with(Instant::now);
        }
    }

    /// Notes that both connections are there.
    pub fn connected(&mut self) {
        if let Some(since) = self.since.take() {
            let seconds = since.elapsed().as_secs_f32();
            info!(seconds, "connected to the broker again");
        } else if self.said.is_none() {
            info!("connected to the broker");
        }
    }

    /// Notes how long they were.
    pub fn disconnected(&mut self, held: Duration) {
        if held >= STEADY {
            *self = Self::default();
        } else {
            self.short_sessions += 1;
        }
    }

    /// With how many deliveries to begin.
    ///
    /// When sessions do not hold, something among the deliveries may be what ends them, and every end counts against
    /// the delivery limit of all that is unacked. One at a time, nothing innocent is driven over it.
    pub fn prefetch(&self, usual: u16) -> u16 {
        if self.short_sessions == 0 { usual } else { 1 }
    }

    /// The wait before the next try. Half of it is certain, half is chance, so that a fleet does not return in step.
    pub fn backoff(&mut self) -> Duration {
        let wait = BACKOFF_FIRST
            .saturating_mul(1 << self.tries.min(16))
            .min(BACKOFF_LAST);
        self.tries += 1;
        wait / 2 + (wait / 2).mul_f64(fastrand::f64())
    }
}
