//! Conversation entries: the literals of the reference, and what they mean to the contact.

use baton::desk::{Entry, Seen};
use baton::domain::clock;
use baton::domain::handoff::Ending;
use baton::domain::ids::EntryId;
use baton::domain::reply::{Author, Rep, RepFile};
use serde_json::{Value, json};

use super::calls::{access, conversation};
use super::stub::{Stub, ok};
use super::{connection_with, open};

/// What is read from one entry; `change` is laid over the envelope.
async fn read(role: &str, payload: &Value, change: &Value) -> Vec<Entry> {
    read_with(&[], role, payload, change).await
}

/// The same, by a connection with other settings.
async fn read_with(
    settings: &[(&str, &str)],
    role: &str,
    payload: &Value,
    change: &Value,
) -> Vec<Entry> {
    let mut entry = json!({
        "senderDisplayName": "Maria R.", "identifier": "e1", "entryType": payload["entryType"],
        "entryPayload": payload, "sender": { "role": role, "appType": "agent", "subject": "005xx0000012345" },
        "visibilityStrategy": "Default", "relatedRecords": ["0MwV900000EL6f3"],
        "transcriptedTimestamp": 1690344475508_i64, "clientTimestamp": 1690344475409_i64, "clientDuration": 0,
    });
    for (name, value) in change.as_object().into_iter().flatten() {
        entry[name] = value.clone();
    }
    let list = json!({ "conversationEntries": [entry] });
    let stub = Stub::answering(move |_, _| ok(list.clone())).await;
    let settings = [&[("scrt_url", stub.url.as_str())], settings].concat();
    let desk = open(&connection_with(&settings));
    desk.entries_since(&access(), &conversation(), None)
        .await
        .expect("entries")
}

fn maria() -> Rep {
    Rep {
        id: Some("005xx0000012345".into()),
        name: Some("Maria R.".into()),
    }
}

fn reply(text: &str, files: Vec<RepFile>) -> Vec<Seen> {
    vec![Seen::Reply {
        rep: maria(),
        author: Author::Rep,
        text: text.into(),
        files,
        choices: vec![],
    }]
}

fn offer(text: &str, choices: [&str; 2]) -> Vec<Seen> {
    vec![Seen::Reply {
        rep: maria(),
        author: Author::Rep,
        text: text.into(),
        files: vec![],
        choices: choices.map(str::to_owned).into(),
    }]
}

fn text(text: &str) -> Vec<Seen> {
    reply(text, vec![])
}

/// A message with static content.
fn message(content: Value) -> Value {
    json!({ "entryType": "Message", "id": "e1", "messageReason": null, "abstractMessage": {
        "messageType": "StaticContentMessage", "id": "e1", "references": [], "staticContent": content } })
}

fn greeting() -> Value {
    message(json!({ "formatType": "Text", "text": "Hi, how are you?" }))
}

fn choices() -> Value {
    let option = |title: &str| json!({ "itemType": "TitleOptionItem", "titleItem": { "itemType": "TitleItem", "title": title } });
    json!({ "entryType": "Message", "abstractMessage": { "messageType": "ChoicesMessage", "choices": {
        "formatType": "Buttons", "text": "How can we help?", "optionItems": [option("Order"), option("Refund")] } } })
}

fn form() -> Value {
    json!({ "entryType": "Message", "abstractMessage": { "messageType": "FormMessage", "form": {
        "formatType": "Inputs", "formTitle": "Your address", "sections": [{}] } } })
}

fn picture() -> RepFile {
    RepFile {
        id: "4f3c9d65".into(),
        name: "receipt.png".into(),
        content_type: Some("image/png".into()),
        url: "https://org--c.documentforce.com/download/?oid=00D&ids=068&d=%2Fa%2Fb&asPdf=false"
            .into(),
    }
}

fn attachment(url: Value) -> Value {
    json!({ "name": "receipt.png", "attachmentUploadResult": null, "id": "4f3c9d65", "mimeType": "image/png", "url": url })
}

#[tokio::test]
async fn what_a_rep_sends_becomes_text_and_files() {
    let escaped = "https://org--c.documentforce.com/download/?oid=00D&amp;ids=068&amp;d=%2Fa%2Fb&amp;asPdf=false";
    let link = json!({ "formatType": "RichLink", "image": { "assetUrl": "https://x.example/i.png" },
        "linkItem": { "titleItem": { "title": "Returns" }, "url": "https://acme.example/returns" } });
    let table = [
        (greeting(), text("Hi, how are you?")),
        (
            message(
                json!({ "formatType": "Attachments", "text": null, "attachments": [attachment(json!(escaped))] }),
            ),
            reply("", vec![picture()]),
        ),
        (
            message(
                json!({ "formatType": "Attachments", "text": "look", "attachments": [attachment(json!(picture().url))] }),
            ),
            reply("look", vec![picture()]),
        ),
        (
            message(
                json!({ "formatType": "Attachments", "text": "look", "attachments": [attachment(Value::Null)] }),
            ),
            text("look\n[file: receipt.png]"),
        ),
        (message(link), text("Returns\nhttps://acme.example/returns")),
        (
            message(
                json!({ "formatType": "WebView", "title": "Track it", "url": "https://acme.example/t", "parameters": [] }),
            ),
            text("Track it\nhttps://acme.example/t"),
        ),
        (
            choices(),
            offer("How can we help?\n1. Order\n2. Refund", ["Order", "Refund"]),
        ),
        (form(), text("Your address")),
        (
            message(json!({ "formatType": "Carousel" })),
            text("[Carousel]"),
        ),
        (json!({ "entryType": "Message" }), text("[message]")),
    ];
    for (payload, expected) in table {
        let seen: Vec<Seen> = read("Agent", &payload, &json!({}))
            .await
            .into_iter()
            .map(|entry| entry.what)
            .collect();
        assert_eq!(seen, expected, "{payload}");
    }
}

#[tokio::test]
async fn only_what_a_rep_shows_the_contact_is_a_reply() {
    let automated = {
        let mut payload = greeting();
        payload["messageReason"] = json!("AutomatedResponse");
        payload
    };
    let typing = json!({ "entryType": "TypingStartedIndicator", "timestamp": 1 });
    let table = [
        ("EndUser", greeting(), json!({})),
        ("Chatbot", greeting(), json!({})),
        ("System", greeting(), json!({})),
        ("Supervisor", greeting(), json!({})),
        ("Router", greeting(), json!({})),
        ("DigitalWorker", greeting(), json!({})),
        ("Agent", automated, json!({})),
        (
            "Agent",
            greeting(),
            json!({ "visibilityStrategy": "Internal" }),
        ),
        ("EndUser", typing, json!({})),
        (
            "System",
            json!({ "entryType": "DeliveryAcknowledgement" }),
            json!({}),
        ),
        (
            "System",
            json!({ "entryType": "ReadAcknowledgement" }),
            json!({}),
        ),
        ("System", json!({ "entryType": "SomethingNew" }), json!({})),
        ("Agent", greeting(), json!({ "entryPayload": "not json" })),
        ("Agent", greeting(), json!({ "entryPayload": 7 })),
        ("Agent", greeting(), json!({ "identifier": null })),
    ];
    for (role, payload, change) in table {
        assert_eq!(
            read(role, &payload, &change).await,
            [],
            "{role} {payload} {change}"
        );
    }
}

#[tokio::test]
async fn a_greeting_of_the_desk_is_forwarded_only_if_it_is_set_so_and_then_as_no_reps_word() {
    let mut automated = greeting();
    automated["messageReason"] = json!("AutomatedResponse");
    let forward = [("automated_responses", "forward")];
    let ignore = [("automated_responses", "ignore")];
    let nobody = vec![Seen::Reply {
        rep: Rep::default(),
        author: Author::Desk,
        text: "Hi, how are you?".into(),
        files: vec![],
        choices: vec![],
    }];
    let (shown, hidden) = (json!({}), json!({ "visibilityStrategy": "Internal" }));
    let table = [
        (&forward, "Agent", &automated, &shown, nobody.clone()),
        (&forward, "System", &automated, &shown, nobody.clone()),
        (&forward, "Chatbot", &automated, &shown, nobody),
        (&forward, "EndUser", &automated, &shown, vec![]),
        (&forward, "System", &automated, &hidden, vec![]),
        // Not a greeting: a system line, a bot's word, a whisper. No setting lets them through.
        (&forward, "System", &greeting(), &shown, vec![]),
        (&forward, "Chatbot", &greeting(), &shown, vec![]),
        (&forward, "Supervisor", &greeting(), &shown, vec![]),
        (&forward, "Agent", &greeting(), &hidden, vec![]),
        (
            &forward,
            "Agent",
            &greeting(),
            &shown,
            text("Hi, how are you?"),
        ),
        (&ignore, "System", &automated, &shown, vec![]),
    ];
    for (settings, role, payload, change, expected) in table {
        let seen = read_with(settings, role, payload, change).await;
        let seen: Vec<Seen> = seen.into_iter().map(|entry| entry.what).collect();
        assert_eq!(seen, expected, "{settings:?} {role} {payload} {change}");
    }
}

#[tokio::test]
async fn an_entry_has_the_desks_id_and_time_and_its_payload_in_either_form() {
    let expected = |ms| Entry {
        id: EntryId::from("e1"),
        at: clock::from_ms(ms),
        what: text("Hi, how are you?").remove(0),
    };
    let in_text = json!({ "entryPayload": greeting().to_string() });
    assert_eq!(
        read("Agent", &greeting(), &json!({})).await,
        [expected(1690344475508)]
    );
    assert_eq!(
        read("Agent", &greeting(), &in_text).await,
        [expected(1690344475508)]
    );
    let untimed = json!({ "transcriptedTimestamp": null });
    assert_eq!(
        read("Agent", &greeting(), &untimed).await,
        [expected(1690344475409)]
    );
}

#[tokio::test]
async fn what_happens_to_a_conversation_is_told_apart() {
    let status = |now: &str, before: &str, by: &str| {
        json!({ "entryType": "SessionStatusChanged", "sessionStatus": now,
        "sessionStatusPrev": before, "sessionEndedByRole": by, "sessionEndTime": 1690345475000_i64 })
    };
    let routed = |kind: &str, failure: &str, seconds: i64, wanted: bool| {
        json!({ "entryType": "RoutingResult",
        "routingType": kind, "failureType": failure, "failureReason": null, "errorMessages": [],
        "estimatedWaitTime": { "isEWTRequested": wanted, "estimatedWaitTimeInSeconds": seconds } })
    };
    let queue = |position, wait_seconds| {
        vec![Seen::Queue {
            position,
            wait_seconds,
        }]
    };
    let failed = |reason: &str| {
        vec![Seen::RoutingFailed {
            reason: reason.into(),
        }]
    };
    let ended = |why| vec![Seen::Ended(why)];
    let work = |kind: &str| json!({ "entryType": "RoutingWorkResult", "workType": kind });
    let table = [
        (status("Ended", "Active", "Agent"), ended(Ending::RepEnded)),
        (
            status("Ended", "Active", "EndUser"),
            ended(Ending::RepEnded),
        ),
        (
            status("Ended", "Inactive", "Agent"),
            ended(Ending::Inactivity),
        ),
        (
            status("Error", "Waiting", "System"),
            ended(Ending::DeskError),
        ),
        (status("Active", "Waiting", ""), vec![]),
        (status("Inactive", "Active", ""), vec![]),
        (
            json!({ "entryType": "CloseConversation", "conversationIdentifier": "c" }),
            ended(Ending::ContactLeft),
        ),
        (routed("Initial", "None", 45, true), queue(None, Some(45))),
        (routed("Initial", "None", 45, false), vec![]),
        (routed("Initial", "None", -1, true), vec![]),
        (
            routed("Transfer", "None", -1, false),
            vec![Seen::Transferred],
        ),
        (
            json!({ "entryType": "RoutingResult", "routingType": "Initial" }),
            vec![],
        ),
        (
            routed("Initial", "RoutingError", -1, false),
            failed("RoutingError"),
        ),
        (
            json!({ "entryType": "RoutingResult", "routingType": "Initial", "failureType": "SubmissionError",
                    "failureReason": "no queue", "errorMessages": ["the flow failed"] }),
            failed("SubmissionError: the flow failed; no queue"),
        ),
        (work("Transferred"), vec![Seen::Transferred]),
        (work("Assigned"), vec![]),
        (
            json!({ "entryType": "QueuePosition", "position": 3 }),
            queue(Some(3), None),
        ),
        (json!({ "entryType": "QueuePosition" }), vec![]),
    ];
    for (payload, expected) in table {
        let seen: Vec<Seen> = read("System", &payload, &json!({}))
            .await
            .into_iter()
            .map(|entry| entry.what)
            .collect();
        assert_eq!(seen, expected, "{payload}");
    }
    for (kind, typing) in [
        ("TypingStartedIndicator", true),
        ("TypingStoppedIndicator", false),
    ] {
        let entries = read("Agent", &json!({ "entryType": kind }), &json!({})).await;
        assert_eq!(entries[0].what, Seen::Typing { typing });
    }
}

#[tokio::test]
async fn everybody_who_joins_or_leaves_in_one_entry_is_told_with_an_id_of_their_own() {
    let change = |operation: &str, role: &str, name: &str| {
        json!({ "operation": operation, "displayName": name,
        "participant": { "role": role, "appType": "agent", "subject": format!("005{name}") } })
    };
    let rep = |name: &str| Rep {
        id: Some(format!("005{name}")),
        name: Some(name.into()),
    };
    let payload = json!({ "entryType": "ParticipantChanged", "entries": [
        change("add", "Agent", "Ben"), change("add", "Chatbot", "Bot"), change("remove", "Agent", "Ann"),
        change("update", "Agent", "Ann"),
    ] });
    let entries = read("System", &payload, &json!({})).await;
    let seen: Vec<(&str, Seen)> = entries
        .iter()
        .map(|entry| (entry.id.as_str(), entry.what.clone()))
        .collect();
    assert_eq!(
        seen,
        [
            ("e1", Seen::RepJoined(rep("Ben"))),
            ("e1#2", Seen::RepLeft(rep("Ann")))
        ]
    );
}
