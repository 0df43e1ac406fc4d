//! The event stream of an end user, as what is heard in one conversation of theirs.

use std::collections::VecDeque;

use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::Value;
use tracing::warn;

use super::entries;
use super::settings::AutomatedResponses;
use crate::desk::http::ByteStream;
use crate::desk::sse::{Frame, Parser};
use crate::desk::{Entry, Heard};
use crate::domain::error::DeskError;
use crate::domain::ids::{ConversationId, Cursor};

/// As much as a whole answer may have.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// What is read but not yet handed out.
struct Listening {
    bytes: ByteStream,
    parser: Parser,
    conversation: ConversationId,
    automated: AutomatedResponses,
    heard: VecDeque<Result<Heard, DeskError>>,
}

/// What is heard of a conversation in the bytes of the stream. An error is the last thing heard.
pub fn heard(
    bytes: ByteStream,
    conversation: ConversationId,
    automated: AutomatedResponses,
) -> BoxStream<'static, Result<Heard, DeskError>> {
    let listening = Listening {
        bytes,
        parser: Parser::new(FRAME_BYTES_MAX),
        conversation,
        automated,
        heard: VecDeque::new(),
    };
    stream::unfold(Some(listening), |listening| async {
        let mut listening = listening?;
        loop {
            match listening.heard.pop_front() {
                Some(Ok(heard)) => return Some((Ok(heard), Some(listening))),
                Some(Err(error)) => return Some((Err(error), None)),
                None => listening.read().await?,
            }
        }
    })
    .boxed()
}

impl Listening {
    /// Reads on; `None` at the end of the stream.
    async fn read(&mut self) -> Option<()> {
        let frames = match self.bytes.next().await? {
            Ok(bytes) => self
                .parser
                .feed(&bytes)
                .map_err(|error| DeskError::Broken(error.to_string())),
            Err(error) => Err(error),
        };
        match frames {
            Ok(frames) => {
                for frame in frames {
                    let heard = said(&frame, &self.conversation, self.automated);
                    self.heard.extend(heard.into_iter().map(Ok));
                }
            }
            Err(error) => self.heard.push_back(Err(error)),
        }
        Some(())
    }
}

/// What one frame says. The stream belongs to the end user, so there are frames of other conversations
/// (miaw reference §4.1); they move the cursor and say nothing.
fn said(frame: &Frame, conversation: &ConversationId, automated: AutomatedResponses) -> Vec<Heard> {
    if frame.event == "ping" {
        // Whether it carries an id is unknown; it does not move the cursor (miaw reference §4.2).
        return vec![Heard {
            cursor: None,
            entry: None,
        }];
    }
    let entries = match serde_json::from_str::<Value>(&frame.data) {
        Ok(event) if event["conversationId"] == conversation.as_str() => {
            readable(&event["conversationEntry"], automated)
        }
        Ok(_) => Vec::new(),
        Err(_) => {
            warn!(conversation = %conversation, "read over an event of Salesforce's stream that is not JSON");
            Vec::new()
        }
    };
    let cursor = frame.id.clone().filter(|id| !id.is_empty()).map(Cursor);
    let mut heard: Vec<Heard> = entries
        .into_iter()
        .map(|entry| Heard {
            cursor: None,
            entry: Some(entry),
        })
        .collect();
    // The cursor moves with the last of them: after a stop in between all are heard again.
    match heard.last_mut() {
        Some(last) => last.cursor = cursor,
        None => heard.push(Heard {
            cursor,
            entry: None,
        }),
    }
    heard
}

/// What a `conversationEntry` says; one that cannot be read says nothing, for it would not be readable later either.
pub fn readable(entry: &Value, automated: AutomatedResponses) -> Vec<Entry> {
    entries::read(entry, automated).unwrap_or_else(|unreadable| {
        warn!(entry = entries::id(entry).unwrap_or_default(), %unreadable, "read over an entry of Salesforce");
        Vec::new()
    })
}
