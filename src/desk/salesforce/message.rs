//! What a rep sent, in whatever form, as text and files that every channel can carry.

use serde_json::Value;

use crate::desk::Seen;
use crate::domain::reply::{Author, Rep, RepFile};

use super::entries::text;

/// Whether Salesforce wrote a `Message` by itself, as with a greeting (miaw reference §4.2).
pub fn is_automatic(payload: &Value) -> bool {
    payload["messageReason"] == "AutomatedResponse"
}

/// The reply in a `Message` payload.
pub fn reply(rep: Rep, author: Author, payload: &Value) -> Seen {
    let message = &payload["abstractMessage"];
    let content = &message["staticContent"];
    let attachments = content["attachments"].as_array();
    let attachments = attachments.map(Vec::as_slice).unwrap_or_default();
    let files: Vec<RepFile> = attachments.iter().filter_map(file).collect();
    let not_there = attachments
        .iter()
        .filter(|attachment| file(attachment).is_none())
        .map(|attachment| format!("[file: {}]", name_of(attachment)));
    let lines: Vec<String> = words(message).into_iter().chain(not_there).collect();
    let text = lines.join("\n");
    let text = match (text.as_str(), files.is_empty()) {
        // A rep's word must not vanish, even in a form that nobody here has seen.
        ("", true) => format!("[{}]", form_of(message)),
        _ => text,
    };
    let choices = options(message).collect();
    Seen::Reply {
        rep,
        author,
        text,
        files,
        choices,
    }
}

/// The lines of text in a message, in the order in which a reader wants them (miaw reference §4.5).
fn words(message: &Value) -> Vec<String> {
    let content = &message["staticContent"];
    let link = &content["linkItem"];
    let choices = &message["choices"];
    let form = &message["form"];
    let headings = [
        &content["title"],
        &link["titleItem"]["title"],
        &content["text"],
        &content["url"],
        &link["url"],
        &choices["text"],
        &form["formTitle"],
        &form["message"],
    ];
    let options = options(message)
        .enumerate()
        .map(|(place, title)| format!("{}. {title}", place + 1));
    headings
        .into_iter()
        .filter_map(text)
        .chain(options)
        .collect()
}

/// The titles of what may be chosen.
fn options(message: &Value) -> impl Iterator<Item = String> {
    let options = message["choices"]["optionItems"].as_array();
    let options = options.into_iter().flatten();
    options.filter_map(|option| text(&option["titleItem"]["title"]))
}

/// A file that can be fetched. Salesforce escapes the ampersands of its address (miaw reference §4.5).
fn file(attachment: &Value) -> Option<RepFile> {
    Some(RepFile {
        id: text(&attachment["id"])?,
        name: name_of(attachment),
        content_type: text(&attachment["mimeType"]),
        url: text(&attachment["url"])?.replace("&amp;", "&"),
    })
}

fn name_of(attachment: &Value) -> String {
    text(&attachment["name"]).unwrap_or_else(|| "file".into())
}

fn form_of(message: &Value) -> &str {
    let forms = [
        &message["staticContent"]["formatType"],
        &message["messageType"],
    ];
    forms
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or("message")
}
