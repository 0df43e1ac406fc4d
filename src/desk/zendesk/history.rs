//! The messages of a conversation as Zendesk lists them, page by page.

use std::collections::HashMap;

use serde_json::Value;
use tracing::warn;

use super::labels::MARK;
use super::{Zendesk, entries};
use crate::domain::clock::Timestamp;
use crate::domain::error::DeskError;
use crate::domain::ids::ConversationId;

/// How far back a look goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The newest page: a hundred messages.
    LastPage,
    /// To the messages of this time, or to the first.
    Since(Option<Timestamp>),
}

/// Thirty thousand messages, which is all that a conversation may have (sunshine reference §1.7).
const PAGES_MAX: usize = 300;

impl Zendesk {
    /// The messages, oldest first and each once. Pages come newest first; how messages lie within one is not known
    /// (§1.5), so their times decide.
    pub(super) async fn history(
        &self,
        conversation: &ConversationId,
        reach: Reach,
    ) -> Result<Vec<Value>, DeskError> {
        let mut found: HashMap<String, Value> = HashMap::new();
        let mut before: Option<String> = None;
        let mut pages = 0;
        loop {
            let request = self
                .http
                .calls
                .get(self.conversation(conversation, &["messages"]));
            let request = match &before {
                Some(cursor) => request.query(&[("page[before]", cursor)]),
                None => request,
            };
            let page = self.accepted(self.call(request).await?)?.json()?;
            let messages = page["messages"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let oldest = messages.iter().map(entries::received).min();
            for message in messages {
                if let Some(id) = message["id"].as_str() {
                    found.insert(id.to_owned(), message.clone());
                }
            }
            pages += 1;
            let is_enough = match reach {
                Reach::LastPage => true,
                Reach::Since(since) => oldest.is_none_or(|oldest| Some(oldest) < since),
            };
            let cursor = page.pointer("/meta/beforeCursor").and_then(Value::as_str);
            match cursor {
                Some(cursor) if !is_enough && page["meta"]["hasMore"] == true => {
                    before = Some(cursor.to_owned());
                }
                Some(_) | None => break,
            }
            if pages == PAGES_MAX {
                warn!(%conversation, "the conversation has more messages than are read; the rest is left out");
                break;
            }
        }
        let mut messages: Vec<Value> = found.into_values().collect();
        // Ids of the same millisecond count on.
        messages.sort_by_cached_key(|message| {
            (
                entries::received(message),
                message["id"].as_str().map(str::to_owned),
            )
        });
        Ok(messages)
    }
}

/// The messages that carry a mark of ours: their ids by mark.
pub fn marked(messages: &[Value]) -> HashMap<String, String> {
    let marked = messages.iter().filter_map(|message| {
        let mark = message["metadata"][MARK].as_str()?;
        Some((mark.to_owned(), message["id"].as_str()?.to_owned()))
    });
    marked.collect()
}
