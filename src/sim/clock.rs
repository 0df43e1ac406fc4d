//! Time at a simulated desk: its clock, and what happened within its last minute.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A desk's clock: the system's, and as far ahead or behind as it was put.
#[derive(Clone, Copy, Default)]
pub(in crate::sim) struct Clock {
    ahead_millis: i64,
}

impl Clock {
    /// Epoch milliseconds.
    pub fn now(self) -> u64 {
        system_millis().saturating_add_signed(self.ahead_millis)
    }

    /// Makes it this late now.
    pub fn set(&mut self, epoch_millis: u64) {
        self.ahead_millis = epoch_millis
            .cast_signed()
            .saturating_sub_unsigned(system_millis());
    }

    /// The runtime's instant of a time of this clock.
    pub fn instant(self, epoch_millis: u64) -> Instant {
        Instant::now() + Duration::from_millis(epoch_millis.saturating_sub(self.now()))
    }
}

fn system_millis() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Calls within the last minute.
#[derive(Default)]
pub(in crate::sim) struct Rate {
    times: VecDeque<u64>,
}

impl Rate {
    /// Whether one more call may be made now, which is then counted.
    pub fn admits(&mut self, per_minute: usize, now: u64) -> bool {
        const MINUTE: u64 = 60_000;
        while self.times.front().is_some_and(|&time| time + MINUTE <= now) {
            self.times.pop_front();
        }
        let admitted = self.times.len() < per_minute;
        if admitted {
            self.times.push_back(now);
        }
        admitted
    }
}
