//! Does jobs over dead letters: item by item, at the pace that was asked for, on from where a stop left them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::replay::{self, Rules};
use crate::domain::clock::{self, Clock};
use crate::store::job::{Action, Job, JobItem, JobState};
use crate::store::{Store, StoreError};

/// Items in hand at once, where no pace was asked for: they share commits.
const IN_HAND_MAX: usize = 32;
/// How often it looks how the first ones fare.
const CANARY_WAIT: Duration = Duration::from_millis(250);
/// When nothing is to be done, a signal wakes it; this is for the case that one is missed.
const IDLE_WAIT: Duration = Duration::from_secs(60);
/// How long the loop leaves a store alone that does not answer.
const STORE_AWAY_WAIT: Duration = Duration::from_secs(2);

/// Everything that doing jobs needs.
pub struct Jobs {
    /// Where they are.
    pub store: Arc<dyn Store>,
    /// What a replay is bound by.
    pub rules: Rules,
    /// What time it is.
    pub clock: Clock,
}

impl Jobs {
    /// Works until it is stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = self.round().await.unwrap_or_else(|error| {
                warn!(%error, "the store does not answer; jobs wait");
                STORE_AWAY_WAIT
            });
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.store.signals().jobs.notified() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Takes each job a little further; how long until there is more to do.
    pub async fn round(&self) -> Result<Duration, StoreError> {
        let mut wait = IDLE_WAIT;
        for job in self.store.open_jobs().await? {
            wait = wait.min(self.take_further(&job).await?);
        }
        Ok(wait)
    }

    async fn take_further(&self, job: &Job) -> Result<Duration, StoreError> {
        let now = self.clock.now();
        if job.state == JobState::Canary {
            return Ok(match self.store.judge_canary(job, now).await? {
                JobState::Running => Duration::ZERO,
                JobState::Stopped => {
                    warn!(
                        job.id,
                        "a job was stopped: its first items did not fare well"
                    );
                    IDLE_WAIT
                }
                JobState::Canary | JobState::Done | JobState::Cancelled => CANARY_WAIT,
            });
        }
        if job.next_at > now {
            return Ok(clock::until(now, job.next_at));
        }
        let at_once = if job.rate.is_some() { 1 } else { IN_HAND_MAX };
        let left = self.store.job_items(job, 0, true, at_once).await?;
        let items = left.iter().map(|item| self.item(job, item));
        for done in futures_util::future::join_all(items).await {
            done?;
        }
        if left.len() < at_once {
            info!(
                job.id,
                action = job.action.as_str(),
                "all items of a job are done"
            );
        }
        Ok(Duration::ZERO)
    }

    async fn item(&self, job: &Job, item: &JobItem) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let letter = self
            .store
            .dead_letter(&format!("d-{}", item.letter))
            .await?;
        let arrival = match (job.action, &letter) {
            (Action::Replay, Some(letter)) => {
                replay::arrival(&*self.store, letter, self.rules, now).await?
            }
            _ => None,
        };
        let deadline = clock::after(now, self.rules.deadline);
        self.store
            .do_item(job, item.position, arrival, deadline, now)
            .await
    }
}
