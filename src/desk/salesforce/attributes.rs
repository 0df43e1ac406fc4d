//! Routing attributes: what an Omni-Channel flow can decide by, and the language of the conversation.
//!
//! Names are case-sensitive; one that the channel does not know is dropped there without a word
//! (miaw reference §2.6.1).

use std::collections::BTreeMap;

use crate::desk::attributes::Source;
use crate::domain::escalation::{Escalation, Identity};

/// The attributes that every conversation has; nothing else may set them.
const FIXED: [&str; 5] = [
    "OpencxSessionId",
    "Chat_Consumer_Type",
    "Origin",
    "Priority",
    "Chat_language",
];

/// Reads a setting `attribute.<name>`.
pub fn configured(name: &str, given: &str) -> Result<Source, String> {
    if FIXED.contains(&name) {
        let instead = match name {
            "Priority" => "the event's `priority` sets it",
            _ => "Baton sets it for every conversation",
        };
        return Err(format!("{instead}; take this setting out"));
    }
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err("is no name that a channel parameter can have; use letters, digits and underscores, such as attribute.Brand".into());
    }
    Source::read(given)
}

/// The attributes of a conversation: the fixed ones, those of the event, then the configured ones that have a value.
pub fn routing(
    about: &Escalation,
    configured: &BTreeMap<String, Source>,
) -> BTreeMap<String, String> {
    let identity = Identity::of(&about.contact, &about.session);
    let consumer = if identity.is_known() {
        "Authenticated"
    } else {
        "Non-Authenticated"
    };
    let fixed = [
        ("OpencxSessionId", Some(about.session.as_str())),
        ("Chat_Consumer_Type", Some(consumer)),
        ("Origin", Some("MIABOT")),
        ("Priority", Some(about.priority.as_str())),
        ("Chat_language", about.language.as_deref()),
    ];
    let fixed = fixed
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    let of_event = about
        .attributes
        .iter()
        .filter(|(name, _)| !FIXED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()));
    let mut attributes: BTreeMap<String, String> = fixed.chain(of_event).collect();
    for (name, source) in configured {
        if let Some(value) = source.value(&about.data) {
            attributes.entry(name.clone()).or_insert(value);
        }
    }
    attributes
}

/// The language as Salesforce writes it, such as `en_US` or `de`; `None` for what is no language code.
///
/// A few languages exist in Salesforce only with a region.
pub fn salesforce_language(code: &str) -> Option<String> {
    let mut parts = code.trim().split(['-', '_']);
    let language = parts
        .next()
        .filter(|part| (2..=3).contains(&part.len()) && is_alphabetic(part))?
        .to_ascii_lowercase();
    let region = parts.find(|part| part.len() == 2 && is_alphabetic(part));
    Some(match (language.as_str(), region) {
        (language, Some(region)) => format!("{language}_{}", region.to_ascii_uppercase()),
        ("en", None) => "en_US".into(),
        ("nl", None) => "nl_NL".into(),
        ("pt", None) => "pt_BR".into(),
        ("zh", None) => "zh_CN".into(),
        (language, None) => language.to_owned(),
    })
}

fn is_alphabetic(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_alphabetic())
}
