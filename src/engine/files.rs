//! Files on their way between a contact and a rep: fetched under the media rules, kept as our own copies, linked.

use std::time::Duration;

use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use super::media::{
    Attachment, Custody, CustodyError, FetchError, Fetched, Fetcher, Grant, Links, Rules,
};
use crate::domain::clock::{self, Timestamp};
use crate::domain::escalation::{self, Turn};
use crate::domain::handoff::Handoff;

/// Everything that fetching, keeping and linking needs.
#[derive(Debug, Clone)]
pub struct Files {
    /// Fetches.
    pub fetcher: Fetcher,
    /// Keeps.
    pub custody: Custody,
    /// Links.
    pub links: Links,
    /// What bounds a file.
    pub rules: Rules,
    /// What bounds a transcript.
    pub transcript_rules: Rules,
    /// How long a link works.
    pub link_life: Duration,
}

/// Why a file could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It could not be kept.
    #[error(transparent)]
    Keep(#[from] CustodyError),
    /// The transcript is no list of turns.
    #[error("the transcript cannot be read: {0}")]
    Transcript(String),
}

impl FileError {
    /// Whether another try may go well.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_transient(),
            Self::Keep(_) => true,
            Self::Transcript(_) => false,
        }
    }
}

impl Files {
    /// A file from outside.
    pub async fn fetch(&self, url: &str, declared: Option<&str>) -> Result<Fetched, FileError> {
        Ok(self.fetcher.fetch(url, declared, self.rules).await?)
    }

    /// A file of a rep, from a desk that may want to know who asks.
    pub async fn fetch_from_desk(
        &self,
        url: &str,
        declared: Option<&str>,
        keys: &[HeaderValue],
    ) -> Result<Fetched, FileError> {
        let fetching = self.fetcher.fetch_locked(url, declared, self.rules, keys);
        Ok(fetching.await?)
    }

    /// Keeps a copy and says where it is: name, type, size, checksum, and a link that works without anybody's credentials.
    pub async fn keep(
        &self,
        handoff: &Handoff,
        message: &str,
        file: &str,
        name: &str,
        fetched: Fetched,
        now: Timestamp,
    ) -> Result<Value, FileError> {
        let attachment = Attachment::of(handoff.id, message, file);
        let kept = self.custody.keep(attachment, fetched.bytes).await?;
        let expires_at = clock::after(now, self.link_life);
        let grant = Grant {
            attachment,
            name: name.to_owned(),
            content_type: fetched.content_type.clone(),
            expires_at,
        };
        Ok(json!({
            "id": attachment.id.to_string(),
            "name": name,
            "content_type": fetched.content_type,
            "size": kept.size,
            "sha256": kept.sha256,
            "url": self.links.link(&grant),
            "expires_at": expires_at.to_string(),
        }))
    }

    /// The turns of a transcript that came by address.
    pub async fn transcript(&self, url: &str) -> Result<Vec<Turn>, FileError> {
        let bytes = self
            .fetcher
            .fetch_transcript(url, self.transcript_rules)
            .await?;
        escalation::turns(&bytes).map_err(|poison| FileError::Transcript(poison.to_string()))
    }
}
