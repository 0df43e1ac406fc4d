//! Deletes what is older than it may become: a little at a time, in the background.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::media::Custody;
use crate::domain::clock::{self, Clock};
use crate::store::contact::Horizons;
use crate::store::{Store, StoreError};

/// Rows of each kind in one transaction: few, because everybody else's writes wait for it.
const BATCH: usize = 100;
/// Between two batches, so that the rest of the worker goes first.
const BREATH: Duration = Duration::from_millis(50);
/// Between two sweeps. Horizons are days.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// How long what is kept.
#[derive(Debug, Clone, Copy)]
pub struct Ages {
    /// Words and identities of what is over, and what was published.
    pub content: Duration,
    /// Handoffs that are over, their attempts and their events' ids.
    pub metadata: Duration,
    /// Dead letters.
    pub dead: Duration,
    /// Our copies of files.
    pub attachments: Duration,
}

/// Everything that a sweep needs.
pub struct Retention {
    /// What it is deleted from.
    pub store: Arc<dyn Store>,
    /// Where files are.
    pub custody: Custody,
    /// How long what is kept.
    pub ages: Ages,
    /// What time it is.
    pub clock: Clock,
}

impl Retention {
    /// Sweeps until it is stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let mut rows = 0;
            let wait = loop {
                match self.batch().await {
                    Ok(0) => break SWEEP_EVERY,
                    Ok(swept) => rows += swept,
                    Err(error) => {
                        warn!(%error, "what is old could not be deleted; trying again later");
                        break SWEEP_EVERY;
                    }
                }
                tokio::select! {
                    () = stop.cancelled() => break Duration::ZERO,
                    () = sleep(BREATH) => {}
                }
            };
            if rows > 0 {
                info!(rows, "deleted what is older than `retention` allows");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Deletes a few of each kind; how many that were.
    pub async fn batch(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let horizons = Horizons {
            content: clock::before(now, self.ages.content),
            metadata: clock::before(now, self.ages.metadata),
            dead: clock::before(now, self.ages.dead),
            attachments: clock::before(now, self.ages.attachments),
        };
        let swept = self.store.sweep(&horizons, BATCH, now).await?;
        let mut without = vec![];
        for (row, handoff) in swept.files {
            match self.custody.erase(handoff).await {
                Ok(()) => without.push(row),
                Err(error) => {
                    warn!(handoff.id = %handoff, "its files could not be erased: {error}")
                }
            }
        }
        let rows = swept.rows + without.len();
        if !without.is_empty() {
            self.store.without_files(without, now).await?;
        }
        Ok(rows)
    }
}
