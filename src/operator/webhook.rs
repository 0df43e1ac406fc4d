//! `/webhooks/{desk}/{connection}`: what a desk tells us, kept before it is answered.
//!
//! Zendesk delivers five times in fifteen minutes, and never again after 400, 401, 403, 404 or 406 (sunshine reference
//! §3.3). So it gets 200 only for what is on disk or concerns nobody here, one of those five only where trying again
//! cannot help, and 503 for every trouble of ours. What comes before its handoff is live gets 503 too, because it is
//! live in a moment; what comes for one that is set aside gets 200, because a replay reads the desk's list.
//!
//! A delivery that failed comes again later than those after it. So the first reply after a start, and the first after
//! any that could not be kept, waits until all that the desk lists before it is read.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tracing::warn;

use crate::desk::{Desk, Entry, Notice, Seen, WebhookError};
use crate::domain::clock::Clock;
use crate::domain::error::{Code, DeskError};
use crate::domain::handoff::{AccessToken, Handoff, Status};
use crate::domain::ids::{ConnectionName, ConversationId, EntryId};
use crate::domain::news::News;
use crate::engine::desks::{Desks, NoDesk, Open};
use crate::journey;
use crate::store::{Row, Store, StoreError};

/// Far more than a delivery of a few messages of 4096 characters each.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Everything it takes to keep what a desk tells.
#[derive(Clone)]
pub struct Webhooks {
    /// Where it is kept.
    pub store: Arc<dyn Store>,
    /// Who reads it.
    pub desks: Arc<Desks>,
    /// What time it is.
    pub clock: Clock,
    /// Where nothing can be missing.
    pub caught_up: CaughtUp,
}

/// The handoffs of which nothing can be missing that came before a delivery: their list was read since this worker
/// started, and everything that was delivered since is kept.
#[derive(Clone, Debug, Default)]
pub struct CaughtUp(Arc<Mutex<HashSet<Row>>>);

/// Of more handoffs it is not remembered; they are looked at once more.
const CAUGHT_UP_MAX: usize = 100_000;

impl CaughtUp {
    fn has(&self, row: Row) -> bool {
        self.rows().contains(&row)
    }

    fn put(&self, row: Row) {
        let mut rows = self.rows();
        if rows.len() >= CAUGHT_UP_MAX {
            rows.clear();
        }
        rows.insert(row);
    }

    fn take(&self, row: Row) {
        self.rows().remove(&row);
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, HashSet<Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The route. It has no door of its own: the desk of the connection checks the secret.
pub fn routes(webhooks: Webhooks) -> Router {
    Router::new()
        .route("/webhooks/{desk}/{connection}", post(receive))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(webhooks)
}

/// Why something was not kept.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("there is no such connection")]
    NoSuchConnection,
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error("the handoff is not live yet")]
    NotLiveYet,
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Trouble {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchConnection | Self::Webhook(WebhookError::NoSuchDesk) => {
                StatusCode::NOT_FOUND
            }
            Self::Webhook(WebhookError::WrongSecret(_)) => StatusCode::UNAUTHORIZED,
            Self::Webhook(WebhookError::Unreadable(_)) => StatusCode::BAD_REQUEST,
            Self::Webhook(WebhookError::NotSetUp(_))
            | Self::NotLiveYet
            | Self::Desk(_)
            | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

async fn receive(
    State(webhooks): State<Webhooks>,
    Path((desk, connection)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let connection = ConnectionName(connection);
    match webhooks.take(&desk, &connection, &headers, &body).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(trouble) => {
            let status = trouble.status();
            warn!(%connection, status = status.as_u16(), "answered a webhook with {status}: {trouble}");
            (status, format!("{trouble}\n")).into_response()
        }
    }
}

impl Webhooks {
    /// Keeps all that a webhook tells; one conversation's trouble does not keep the others from theirs.
    async fn take(
        &self,
        desk: &str,
        connection: &ConnectionName,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Trouble> {
        let open = self.open(desk, connection).await?;
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let mut told: BTreeMap<ConversationId, Vec<Option<Entry>>> = BTreeMap::new();
        for Notice {
            conversation,
            entry,
        } in open.desk.read_webhook(&headers, body)?
        {
            told.entry(conversation).or_default().push(entry);
        }
        let mut kept = Ok(());
        for (conversation, entries) in told {
            let this = self.keep(connection, &*open.desk, &conversation, entries);
            kept = kept.and(this.await);
        }
        kept
    }

    async fn open(&self, desk: &str, connection: &ConnectionName) -> Result<Open, Trouble> {
        match self.desks.get(connection).await {
            Ok(open) if open.kind.as_str() == desk => Ok(open),
            Ok(_) => Err(Trouble::NoSuchConnection),
            Err(NoDesk::Unusable(error)) if error.code() == Code::UnknownConnection => {
                Err(Trouble::NoSuchConnection)
            }
            Err(NoDesk::Unusable(error)) => Err(error.into()),
            Err(NoDesk::Store(error)) => Err(error.into()),
        }
    }

    async fn keep(
        &self,
        connection: &ConnectionName,
        desk: &dyn Desk,
        conversation: &ConversationId,
        entries: Vec<Option<Entry>>,
    ) -> Result<(), Trouble> {
        let Some((row, handoff)) = self.handoff(connection, conversation).await? else {
            return Ok(());
        };
        let kept = self.keep_in(row, &handoff, desk, conversation, entries);
        let kept = kept.await;
        if kept.is_err() {
            self.caught_up.take(row);
        }
        kept
    }

    async fn keep_in(
        &self,
        row: Row,
        handoff: &Handoff,
        desk: &dyn Desk,
        conversation: &ConversationId,
        entries: Vec<Option<Entry>>,
    ) -> Result<(), Trouble> {
        match handoff.status {
            Status::Live => {}
            Status::Due { .. } if entries.iter().flatten().any(is_worth_another_try) => {
                return Err(Trouble::NotLiveYet);
            }
            Status::Due { .. } | Status::Closed { .. } | Status::DeadLettered { .. } => {
                return Ok(());
            }
        }
        let is_caught_up = self.caught_up.has(row);
        let asks_for_a_look = entries.iter().any(|entry| match entry {
            None => true,
            Some(entry) => is_ending(entry) || (!is_caught_up && is_reply(entry)),
        });
        let mut entries: Vec<Entry> = entries.into_iter().flatten().collect();
        if asks_for_a_look && let Some(access) = handoff.progress.access() {
            entries = with_all_before(desk, access, conversation, entries).await?;
        }
        let is_over = entries.iter().any(is_ending);
        let news: Vec<News> = entries.into_iter().filter_map(journey::relay).collect();
        if !news.is_empty() {
            self.store.keep(row, news, None, self.clock.now()).await?;
        }
        match (is_over, asks_for_a_look) {
            (true, _) => self.caught_up.take(row),
            (false, true) => self.caught_up.put(row),
            (false, false) => {}
        }
        Ok(())
    }

    /// The newest handoff in this conversation. One connection's secret opens no other's conversations.
    async fn handoff(
        &self,
        connection: &ConnectionName,
        conversation: &ConversationId,
    ) -> Result<Option<(Row, Handoff)>, StoreError> {
        for row in self.store.find(conversation.as_str()).await? {
            let handoff = self.store.load(row).await?.handoff;
            if handoff.escalation.connection == *connection
                && handoff.progress.conversation() == Some(conversation)
            {
                return Ok(Some((row, handoff)));
            }
        }
        Ok(None)
    }
}

/// After an end nothing is kept, and a reply whose delivery failed may come after it. So the end waits until all that
/// the desk shows is read, and so does a reply that others may have missed.
async fn with_all_before(
    desk: &dyn Desk,
    access: &AccessToken,
    conversation: &ConversationId,
    told: Vec<Entry>,
) -> Result<Vec<Entry>, DeskError> {
    let mut all = desk.entries_since(access, conversation, None).await?;
    let was_told: HashSet<EntryId> = told.iter().map(|entry| entry.id.clone()).collect();
    let listed: HashSet<EntryId> = all.iter().map(|entry| entry.id.clone()).collect();
    all.extend(told.into_iter().filter(|entry| !listed.contains(&entry.id)));
    // Of several ends the one that the desk told counts, because it says why.
    let is_only_seen = |entry: &Entry| is_ending(entry) && !was_told.contains(&entry.id);
    all.sort_by_key(|entry| (is_ending(entry), is_only_seen(entry), entry.at));
    Ok(all)
}

fn is_reply(entry: &Entry) -> bool {
    matches!(entry.what, Seen::Reply { .. })
}

fn is_ending(entry: &Entry) -> bool {
    matches!(entry.what, Seen::Ended(_))
}

/// Whether an entry would be missed. The end of what has not begun is the end of something else; should it be ours, the
/// next look at the conversation finds it.
fn is_worth_another_try(entry: &Entry) -> bool {
    match entry.what {
        Seen::Reply { .. }
        | Seen::RepJoined(_)
        | Seen::RepLeft(_)
        | Seen::Transferred
        | Seen::Queue { .. }
        | Seen::RoutingFailed { .. } => true,
        Seen::Typing { .. } | Seen::Ended(_) => false,
    }
}
