//! The turns as the product writes a transcript: a JSON array with one object, whose `Content` is a JSON array of
//! messages, as text (dynamics reference §3.5).

use serde_json::{Value, json};

use super::notes::printable;
use super::work_item;
use crate::domain::channel::Channel;
use crate::domain::clock::Timestamp;
use crate::domain::escalation::{Author, Escalation, Turn};
use crate::domain::ids::Key;

/// The document of a transcript's file, whose note has this subject and id.
pub fn document(about: &Escalation, turns: &[Turn], subject: &str, file: Key) -> String {
    let mut messages: Vec<Value> = Vec::with_capacity(turns.len());
    let mut at = about
        .started_at
        .or(about.escalated_at)
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let mut id = 0;
    for turn in turns {
        // One without a time was said no earlier than the one before it.
        at = turn.at.unwrap_or(at);
        id = at.as_millisecond().max(id + 1);
        messages.push(message(about, turn, at, id));
    }
    json!([{
        "Content": Value::Array(messages).to_string(),
        "Type": 0, "Mode": 0, "Tag": null, "CreatedOn": null, "Sender": null, "AttachmentInfo": null,
        "subject": subject, "annotationid": file.to_string(),
    }])
    .to_string()
}

fn message(about: &Escalation, turn: &Turn, at: Timestamp, id: i64) -> Value {
    // With an offset, as the product writes times.
    let at = at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    let files: String = turn
        .files
        .iter()
        .map(|name| format!(" [file: {name}]"))
        .collect();
    let mut message = json!({
        "created": at, "createdDateTime": at, "id": id.to_string(),
        "isControlMessage": false, "deleted": false, "contentType": "text",
        "content": printable(&format!("{}{files}", turn.text)),
        "attachments": [], "tags": "public", "deliveryMode": "bridged",
    });
    let (who, id) = match &turn.author {
        Author::Contact => {
            message["tags"] =
                format!("FromCustomer,ChannelId-{}", channel_id(about.channel)).into();
            message["isBridged"] = "True".into();
            let id = work_item::phone(about).or(about.contact.id.as_deref());
            let name = turn.name.as_deref().unwrap_or("Customer");
            message["from"] = json!({ "application": { "displayName": name, "id": id } });
            return message;
        }
        Author::Ai => ("AI agent", "ai"),
        Author::Rep => ("Rep", "rep"),
        Author::Other(word) => (word.as_str(), "other"),
    };
    let name = turn.name.as_deref().unwrap_or(who);
    message["from"] = json!({ "user": { "displayName": name, "id": id } });
    message
}

/// How the tags of a message name its channel; all but live chat's are inferred (dynamics reference §3.5).
fn channel_id(channel: Channel) -> &'static str {
    match channel {
        Channel::Web => "lcw",
        Channel::Sms => "sms",
        Channel::Whatsapp => "whatsapp",
        Channel::Phone => "voice",
    }
}

/// What people call the channel.
pub fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Web => "Chat",
        Channel::Sms => "SMS",
        Channel::Whatsapp => "WhatsApp",
        Channel::Phone => "Phone",
    }
}
