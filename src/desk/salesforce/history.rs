//! The list of a conversation's entries, page by page.

use std::collections::HashSet;

use reqwest::RequestBuilder;
use serde_json::Value;
use tracing::warn;

use super::{Salesforce, entries};
use crate::domain::clock::Timestamp;
use crate::domain::error::DeskError;
use crate::domain::handoff::AccessToken;
use crate::domain::ids::ConversationId;

/// The most that Salesforce gives (miaw reference §2.11).
const PAGE_ENTRIES_MAX: usize = 50;
/// Two thousand entries: more than a conversation has, few enough to end.
const PAGES_MAX: usize = 40;

/// A stretch of time, in milliseconds, open where nothing is given.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: Option<i64>,
    to: Option<i64>,
}

impl Salesforce {
    /// The entries since then, oldest first and each once.
    ///
    /// Newest first is the default, and no source shows what `direction` does, so a full page says nothing about
    /// where the rest is: both sides of it are read.
    pub(super) async fn history(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
        since: Option<Timestamp>,
    ) -> Result<Vec<Value>, DeskError> {
        let (mut found, mut known) = (Vec::new(), HashSet::new());
        let mut windows = vec![Window {
            from: since.map(Timestamp::as_millisecond),
            to: None,
        }];
        for _ in 0..PAGES_MAX {
            let Some(window) = windows.pop() else {
                break;
            };
            let request = self.page(conversation, window);
            let answer = self.call(access, request).await?.accepted()?.json()?;
            let page = answer["conversationEntries"].as_array();
            let page = page.map(Vec::as_slice).unwrap_or_default();
            let before = found.len();
            let fresh = oldest_first(page)
                .filter(|entry| entries::id(entry).is_some_and(|id| known.insert(id.to_owned())));
            found.extend(fresh.cloned());
            let times = || page.iter().map(|entry| entries::at(entry).as_millisecond());
            if page.len() >= PAGE_ENTRIES_MAX
                && found.len() > before
                && let (Some(oldest), Some(newest)) = (times().min(), times().max())
            {
                // One millisecond of overlap, because no source says whether the bounds belong to the window.
                windows.push(Window {
                    from: window.from,
                    to: Some(oldest + 1),
                });
                windows.push(Window {
                    from: Some(newest - 1),
                    to: window.to,
                });
            }
        }
        if !windows.is_empty() {
            warn!(conversation = %conversation, "the conversation has more entries than are read; the rest is left out");
        }
        found.sort_by_key(entries::at);
        Ok(found)
    }

    fn page(&self, conversation: &ConversationId, window: Window) -> RequestBuilder {
        let bounds = [("startTimestamp", window.from), ("endTimestamp", window.to)];
        let bounds: Vec<(&str, i64)> = bounds
            .into_iter()
            .filter_map(|(name, ms)| Some((name, ms?)))
            .collect();
        self.http
            .calls
            .get(self.conversation(conversation, "/entries"))
            .query(&[("limit", PAGE_ENTRIES_MAX)])
            .query(&[("direction", "FromStart")])
            .query(&bounds)
    }
}

/// A page turned the right way round, so that what was said in the same millisecond keeps its order.
fn oldest_first(page: &[Value]) -> impl Iterator<Item = &Value> {
    let newest_first = match (page.first(), page.last()) {
        (Some(first), Some(last)) => entries::at(first) > entries::at(last),
        _ => false,
    };
    let places = 0..page.len();
    places.map(move |place| match newest_first {
        true => &page[page.len() - 1 - place],
        false => &page[place],
    })
}
