//! Which deliveries of a channel may be acked: all up to the last one that has no unsettled one before it.

use std::collections::BTreeSet;

/// The settled deliveries of one channel. The broker numbers the deliveries of a channel 1, 2, 3, …
#[derive(Debug, Default)]
pub(super) struct Ledger {
    acked: u64,
    settled: u64,
    ahead: BTreeSet<u64>,
}

impl Ledger {
    /// Notes that a delivery is safely stored.
    pub fn settle(&mut self, tag: u64) {
        self.ahead.insert(tag);
        while self.ahead.remove(&(self.settled + 1)) {
            self.settled += 1;
        }
    }

    /// How many deliveries one ack would cover now.
    pub fn ackable(&self) -> u64 {
        self.settled - self.acked
    }

    /// Notes that they are acked, and says up to which tag.
    pub fn ack(&mut self) -> u64 {
        self.acked = self.settled;
        self.acked
    }
}
