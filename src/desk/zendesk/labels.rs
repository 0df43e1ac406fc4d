//! What a conversation and its ticket are labelled with: our ids, tags, and configured metadata.
//!
//! A ticket takes labels only while it is made. There are two ways to have them there by then, the metadata of the
//! conversation and that of `passControl`, and both are taken: doubles collapse (sunshine reference §2.6).

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tracing::warn;

use super::users::verified_email;
use crate::desk::attributes::Source;
use crate::domain::escalation::Escalation;
use crate::domain::ids::Key;

/// The name of our mark in metadata.
pub const MARK: &str = "baton_key";
/// The trace key on every side.
const SESSION: &str = "opencx_session_id";
/// Tags, as conversations carry them to their ticket.
const CONVERSATION_TAGS: &str = "zen:ticket:tags";
/// Tags, as `passControl` carries them to the ticket.
const TICKET_TAGS: &str = "dataCapture.systemField.tags";
/// The oldest message that is copied into the ticket.
const FIRST_MESSAGE: &str = "first_message_id";

/// Names that nothing else may set.
const FIXED: [&str; 6] = [
    MARK,
    SESSION,
    "opencx_contact_id",
    CONVERSATION_TAGS,
    TICKET_TAGS,
    FIRST_MESSAGE,
];
/// Keys and values of one metadata object together (sunshine reference §1.7).
const METADATA_BYTES_MAX: usize = 4096;

/// Reads a setting `attribute.<name>`.
pub fn configured(name: &str, given: &str) -> Result<Source, String> {
    if FIXED.contains(&name) {
        return Err("Baton sets it for every conversation; take this setting out".into());
    }
    if name.trim().is_empty() || name.len() > 128 {
        return Err(
            "is no name; write one of up to 128 characters, such as attribute.brand".into(),
        );
    }
    Source::read(given)
}

/// The metadata of a conversation.
pub fn of_conversation(
    about: &Escalation,
    key: Key,
    configured: &BTreeMap<String, Source>,
) -> Map<String, Value> {
    let mut labels = Labels::default();
    labels.put(MARK, &key.to_string());
    labels.put(SESSION, about.session.as_str());
    labels.put(CONVERSATION_TAGS, &tags(about));
    if let Some(contact) = &about.contact.id {
        labels.put("opencx_contact_id", contact);
    }
    for (name, value) in attributes(about, configured) {
        match Place::of(&name) {
            Place::Field => labels.put(&format!("zen:ticket_field:{name}"), &value),
            Place::Conversation => labels.put(&name, &value),
            Place::Ticket => {}
        }
    }
    labels.metadata
}

/// The metadata of `passControl`, which the new ticket is made with.
pub fn of_ticket(
    about: &Escalation,
    first_message: Option<&str>,
    configured: &BTreeMap<String, Source>,
) -> Map<String, Value> {
    let mut labels = Labels::default();
    labels.put(TICKET_TAGS, &tags(about));
    labels.put(SESSION, about.session.as_str());
    let requester = [
        ("name", about.contact.name.as_deref()),
        ("email", verified_email(&about.contact)),
    ];
    let requester = requester.into_iter().filter_map(|(part, value)| {
        Some((format!("dataCapture.systemField.requester.{part}"), value?))
    });
    for (name, value) in requester {
        labels.put(&name, value);
    }
    if let Some(first) = first_message {
        labels.put(FIRST_MESSAGE, first);
    }
    for (name, value) in attributes(about, configured) {
        match Place::of(&name) {
            Place::Field => labels.put(&format!("dataCapture.ticketField.{name}"), &value),
            Place::Ticket => labels.put(&name, &value),
            Place::Conversation => {}
        }
    }
    labels.metadata
}

/// The tags of a ticket: it was handed off, from which channel, and in what mood.
fn tags(about: &Escalation) -> String {
    let sentiment = about.sentiment.as_deref().map(tag_of);
    let sentiment = sentiment.filter(|mood| !mood.is_empty());
    let tags = [
        Some(format!("opencx_channel_{}", about.channel)),
        Some("opencx_handedoff".to_owned()),
        sentiment.map(|mood| format!("opencx_sentiment_{mood}")),
    ];
    tags.into_iter().flatten().collect::<Vec<_>>().join(",")
}

/// A word that is fit for a tag.
fn tag_of(word: &str) -> String {
    let fit = word.trim().chars().take(40).map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
        _ => '_',
    });
    fit.collect()
}

/// What the event and the settings add. Where both have a name, the event's counts.
fn attributes(
    about: &Escalation,
    configured: &BTreeMap<String, Source>,
) -> BTreeMap<String, String> {
    let mut attributes = about.attributes.clone();
    attributes.retain(|name, _| !FIXED.contains(&name.as_str()));
    for (name, source) in configured {
        if let Some(value) = source.value(&about.data) {
            attributes.entry(name.clone()).or_insert(value);
        }
    }
    attributes
}

/// Where a name belongs (sunshine reference §2.6).
enum Place {
    /// The number of a ticket field: in both, in the words of each.
    Field,
    /// A word that only `passControl` knows.
    Ticket,
    /// Everything else.
    Conversation,
}

impl Place {
    fn of(name: &str) -> Self {
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Field
        } else if name.starts_with("dataCapture.") || name == "origin_source_type" {
            Self::Ticket
        } else {
            Self::Conversation
        }
    }
}

/// Metadata that stays within the vendor's bound. What was put in first is what is sure to be there.
#[derive(Default)]
struct Labels {
    metadata: Map<String, Value>,
    bytes: usize,
}

impl Labels {
    fn put(&mut self, name: &str, value: &str) {
        let bytes = self.bytes + name.len() + value.len();
        if bytes > METADATA_BYTES_MAX {
            warn!(
                name,
                "left the attribute `{name}` out: Zendesk takes no more than {METADATA_BYTES_MAX} bytes of them"
            );
            return;
        }
        self.bytes = bytes;
        self.metadata.insert(name.to_owned(), value.into());
    }
}
