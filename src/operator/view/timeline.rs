//! One handoff in the order of time.

use serde_json::{Value, json};

use super::Content;
use crate::store::Told;

/// What was tried, told, heard and done, each with its time; a contact's words and a rep's only if that is allowed.
pub fn of(shown: &Value, told: &[Told], content: Content) -> Value {
    let mut all = vec![];
    let list = |name: &str| shown[name].as_array().cloned().unwrap_or_default();
    for attempt in list("attempts") {
        all.push(with(&attempt, "attempt", &attempt["started_at"]));
    }
    for (event, told) in list("events").iter().zip(told) {
        let what = match event["routing_key"].as_str().unwrap_or_default() {
            key if key.starts_with("reply.") => "reply",
            key if key.starts_with("lifecycle.") => "lifecycle",
            _ => "dead letter",
        };
        let mut entry = with(event, what, &event["stored_at"]);
        if content == Content::Shown && what == "reply" {
            let event: Value = serde_json::from_slice(&told.body).unwrap_or_default();
            entry["text"] = event["data"]["text"].clone();
            entry["rep"] = event["data"]["rep"]["name"].clone();
        }
        all.push(entry);
    }
    for event in list("contact_events") {
        all.push(with(&event, "contact", &event["received_at"]));
    }
    for done in list("operators") {
        all.push(with(&done, "operator", &done["at"]));
    }
    // Times are written alike, with as many digits as they need: compared as times, not as texts.
    all.sort_by_cached_key(|entry| {
        let at = entry["at"].as_str().unwrap_or_default();
        at.parse::<crate::domain::clock::Timestamp>().ok()
    });
    Value::Array(all)
}

fn with(what: &Value, kind: &str, at: &Value) -> Value {
    let mut entry = what.clone();
    entry["what"] = json!(kind);
    entry["at"] = at.clone();
    entry
}
