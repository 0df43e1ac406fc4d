//! When to try again: the waits between attempts, and who decides that there is no next one.

use std::time::Duration;

use super::error::{DeskError, Remedy};
use super::handoff::Spent;

/// How often, and after what waits, a handoff is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The waits between attempts: as many retries as there are waits, for the whole handoff.
    pub waits: Vec<Duration>,
    /// The longest wait a desk may ask for.
    pub retry_after_max: Duration,
    /// From intake, or from a replay, until it is live.
    pub deadline: Duration,
}

impl Default for Policy {
    /// The promise of the public page: three retries with increasing waits.
    fn default() -> Self {
        Self {
            waits: [2, 8, 32].map(Duration::from_secs).to_vec(),
            retry_after_max: Duration::from_secs(120),
            deadline: Duration::from_secs(15 * 60),
        }
    }
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same step again, after this wait.
    Retry(Duration),
    /// New tokens first, after this wait; a zero wait costs nothing of the budget.
    Renew(Duration),
    /// Set aside for a human.
    DeadLetter,
}

impl Policy {
    /// Judges a failure. `roll` is a random number in [0, 1).
    pub fn judge(&self, error: &DeskError, spent: Spent, roll: f64) -> Verdict {
        match error.remedy() {
            Remedy::Human => Verdict::DeadLetter,
            // The first refused token of a generation costs nothing; a token that keeps dying does.
            Remedy::Renew if spent.renewals == 0 => Verdict::Renew(Duration::ZERO),
            Remedy::Renew => self
                .wait(error, spent, roll)
                .map_or(Verdict::DeadLetter, Verdict::Renew),
            Remedy::Wait => self
                .wait(error, spent, roll)
                .map_or(Verdict::DeadLetter, Verdict::Retry),
        }
    }

    /// Equal jitter: half of the wait is certain, half is chance, so that three retries cannot shrink to nothing.
    /// `None` when the budget is used up.
    fn wait(&self, error: &DeskError, spent: Spent, roll: f64) -> Option<Duration> {
        let half = *self.waits.get(spent.failures as usize)? / 2;
        let wait = half + half.mul_f64(roll);
        let asked = error
            .retry_after()
            .unwrap_or_default()
            .min(self.retry_after_max);
        Some(wait.max(asked))
    }
}
