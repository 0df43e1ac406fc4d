//! What telemetry reads: plain counters, from zero at the start of the process.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one [`Broker`](super::Broker). Only ever grow.
#[derive(Debug, Default)]
pub struct Counters {
    /// Deliveries handed to the application.
    pub delivered: Counter,
    /// Those of them that the broker had handed out before.
    pub redelivered: Counter,
    /// Deliveries acked.
    pub acked: Counter,
    /// Deliveries settled too late: their channel was gone, so the broker hands them out again.
    pub acks_lost: Counter,
    /// Messages confirmed.
    pub confirmed: Counter,
    /// Mandatory messages that no queue took.
    pub returned: Counter,
    /// Messages the broker refused.
    pub nacked: Counter,
    /// Batches without a confirm in time.
    pub timed_out: Counter,
    /// Connections made after the first.
    pub reconnects: Counter,
}

/// One count.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The count now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}
