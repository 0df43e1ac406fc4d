//! Finds what no event told: compares a live conversation with the desk's list.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::desks::NoDesk;
use crate::desk::{Desk, ReplySource, Standing};
use crate::domain::clock::Clock;
use crate::domain::error::DeskError;
use crate::domain::handoff::{AccessToken, Ending, Handoff};
use crate::domain::ids::ConversationId;
use crate::domain::news::News;
use crate::journey;
use crate::metrics::Metrics;
use crate::store::{Kept, Row, Store, StoreError};

/// How far before the last reply a list begins: the desk's clocks need not agree with each other.
const LIST_OVERLAP: Duration = Duration::from_secs(120);
/// The same where the desk calls us: as long as Zendesk tries to deliver (15 minutes), so that what it gives up on is
/// still looked for.
const WEBHOOK_OVERLAP: Duration = Duration::from_secs(20 * 60);

/// Compares, and keeps what was missed.
pub struct Gaps {
    /// Where it is kept.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Clock,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

/// A live conversation that is compared, and how the desk is asked about it.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Whose it is.
    pub row: Row,
    /// As it stands.
    pub handoff: &'a Handoff,
    /// Whom to ask.
    pub desk: &'a dyn Desk,
    /// With which right.
    pub access: &'a AccessToken,
    /// About what.
    pub conversation: &'a ConversationId,
}

/// How much a comparison asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What there is to hear.
    List,
    /// And whether there still is a conversation: an end that an admin makes is in no list.
    Standing,
}

/// What is wrong while asking.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The desk, or there is none.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NoDesk> for Trouble {
    fn from(none: NoDesk) -> Self {
        match none {
            NoDesk::Unusable(error) => Self::Desk(error),
            NoDesk::Store(error) => Self::Store(error),
        }
    }
}

impl Gaps {
    /// Keeps what the desk's list has and no event told; [`Kept::ended`] says whether the handoff is over. Where the
    /// list is in doubt, the desk is asked whether there still is a conversation.
    pub async fn compare(&self, place: Place<'_>, depth: Depth) -> Result<Kept, Trouble> {
        let (kept, is_doubtful) = match self.fill(place).await {
            Ok(kept) if kept.ended => return Ok(kept),
            Ok(kept) => (kept, depth == Depth::Standing),
            Err(Trouble::Desk(DeskError::Refused {
                status: 404 | 410, ..
            })) => (Kept::default(), true),
            Err(trouble) => return Err(trouble),
        };
        let Place {
            row,
            handoff,
            desk,
            access,
            conversation,
        } = place;
        if !is_doubtful || desk.standing(access, conversation).await? == Standing::Open {
            return Ok(kept);
        }
        warn!(handoff.id = %handoff.id, "the desk has closed or deleted the conversation; ending the handoff");
        let end = vec![News::End(Ending::DeskError)];
        Ok(self.store.keep(row, end, None, self.clock.now()).await?)
    }

    async fn fill(&self, place: Place<'_>) -> Result<Kept, Trouble> {
        let Place {
            row,
            handoff,
            desk,
            access,
            conversation,
        } = place;
        // A conversation that was there before the handoff has entries that are none of ours.
        let since = handoff.last_reply_at.unwrap_or(handoff.accepted_at);
        let overlap = match desk.reply_source() {
            ReplySource::Stream | ReplySource::None => LIST_OVERLAP,
            ReplySource::Webhook => WEBHOOK_OVERLAP,
        };
        let since = since.checked_sub(overlap).ok();
        let entries = desk.entries_since(access, conversation, since).await?;
        let news: Vec<News> = entries.into_iter().filter_map(journey::relay).collect();
        let kept = self.store.keep(row, news, None, self.clock.now()).await?;
        if kept.replies > 0 {
            self.metrics.found(kept.replies);
            info!(handoff.id = %handoff.id, replies = kept.replies, "found {} replies that had not come by themselves", kept.replies);
        }
        Ok(kept)
    }
}
