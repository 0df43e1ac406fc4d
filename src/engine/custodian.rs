//! Takes what reps send into custody: each file is copied at once, because the desk's own address expires or asks for
//! credentials; the reply goes out when its files are ours.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::desks::Desks;
use super::files::{FileError, Files};
use crate::domain::clock::{self, Clock};
use crate::domain::handoff::Handoff;
use crate::store::{Store, StoreError, WithFiles};

/// Replies in hand at once.
const IN_HAND_MAX: usize = 16;
/// How long a reply waits for its files; then it goes out without them and says so.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the loop leaves a file alone that could not be fetched.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Everything a custodian needs.
pub struct Custodian {
    /// Which replies wait.
    pub store: Arc<dyn Store>,
    /// What opens a rep's file.
    pub desks: Arc<Desks>,
    /// How files are taken over.
    pub files: Files,
    /// What time it is.
    pub clock: Clock,
}

impl Custodian {
    /// Works until it is stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.round().await {
                Ok(0) => Duration::from_secs(3600),
                Ok(_) => AGAIN_AFTER,
                Err(error) => {
                    warn!(%error, "the store does not answer; trying again");
                    AGAIN_AFTER
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.store.signals().files.notified() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Goes once through the replies that wait for files; how many still do.
    async fn round(&self) -> Result<usize, StoreError> {
        let replies = self.store.with_files(IN_HAND_MAX).await?;
        let found = replies.len();
        let rounds = replies.iter().map(|reply| self.take(reply));
        let done = futures_util::future::join_all(rounds).await;
        Ok(found - done.into_iter().filter(|done| *done).count())
    }

    async fn take(&self, reply: &WithFiles) -> bool {
        let held = match self.store.load(reply.row).await {
            Ok(held) => held,
            Err(error) => {
                warn!(%error, "cannot read the handoff of a reply with files");
                return false;
            }
        };
        let mut ours = vec![];
        for file in &reply.files {
            match self.file(&held.handoff, &reply.message_id, file).await {
                Ok(kept) => ours.push(kept),
                Err(error) => {
                    let too_late = clock::after(reply.stored_at, PATIENCE) <= self.clock.now();
                    if error.is_transient() && !too_late {
                        return false;
                    }
                    warn!(handoff.id = %held.handoff.id, "a rep's file goes out as unavailable: {error}");
                    ours.push(json!({
                        "id": file["id"], "name": file["name"], "content_type": file["content_type"],
                        "unavailable": error.to_string(),
                    }));
                }
            }
        }
        self.store
            .in_custody(reply.seq, ours, self.clock.now())
            .await
            .is_ok()
    }

    /// What the handoff's desk opens this address with; nothing, once its connection is gone.
    async fn keys(&self, handoff: &Handoff, url: &str) -> Vec<HeaderValue> {
        let desk = self.desks.get(&handoff.escalation.connection).await;
        match (desk, Url::parse(url)) {
            (Ok(open), Ok(url)) => open.desk.file_keys(&url),
            _ => vec![],
        }
    }

    async fn file(
        &self,
        handoff: &Handoff,
        message: &str,
        file: &Value,
    ) -> Result<Value, FileError> {
        let text = |name: &str| file[name].as_str();
        let url = text("url").unwrap_or_default();
        let keys = self.keys(handoff, url).await;
        let fetched = self
            .files
            .fetch_from_desk(url, text("content_type"), &keys)
            .await?;
        let (id, name) = (
            text("id").unwrap_or_default(),
            text("name").unwrap_or("file"),
        );
        let keep = self
            .files
            .keep(handoff, message, id, name, fetched, self.clock.now());
        timeout(PATIENCE, keep)
            .await
            .unwrap_or(Err(FileError::Fetch(super::media::FetchError::TooSlow(
                PATIENCE,
            ))))
    }
}
