//! The contracts in `docs/events/`: schemas, examples, and what the code reads and publishes.

use std::collections::BTreeSet;

use baton::domain::channel::{Channel, Part};
use baton::domain::connection::DeskKind;
use baton::domain::contact::{ContactFile, ContactMessage, Delivery, DeliveryStatus, Happening};
use baton::domain::error::Code;
use baton::domain::handoff::{Ending, Handoff, Progress, Step};
use baton::domain::ids::EntryId;
use baton::domain::lifecycle::Lifecycle;
use baton::domain::reply::{Author, Rep, Reply, Timing};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::{files, text};
use crate::example;

/// What is read of the contact's side.
const CONTACT_SIDE: [&str; 4] = [
    "handoff.contact.message.v1",
    "handoff.contact.typing.v1",
    "handoff.contact.left.v1",
    "handoff.reply.delivery.v1",
];

fn schema(kind: &str) -> Value {
    let text = text(format!("docs/events/{kind}.schema.json"));
    serde_json::from_str(&text).expect("JSON")
}

fn example(kind: &str) -> Value {
    let text = text(format!("docs/events/{kind}.example.json"));
    serde_json::from_str(&text).expect("JSON")
}

fn validator(schema: &Value) -> Validator {
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    options.build(schema).expect("a schema")
}

/// What the schema says about it, or nothing.
fn complaints(schema: &Validator, event: &Value) -> Vec<String> {
    let complaint =
        |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    schema.iter_errors(event).map(complaint).collect()
}

fn assert_valid(schema: &Validator, event: &Value) {
    let complaints = complaints(schema, event);
    assert!(
        complaints.is_empty(),
        "{event:#}\n{}",
        complaints.join("\n")
    );
}

/// The types that have a schema.
fn kinds() -> BTreeSet<String> {
    let paths = files("json");
    let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
    names
        .filter_map(|name| name.strip_suffix(".schema.json"))
        .map(str::to_owned)
        .collect()
}

/// The schema that also refuses what it does not name: for what we publish, where every field is to be documented.
fn strict(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut strict: serde_json::Map<String, Value> = members
                .iter()
                .map(|(name, value)| match name.as_str() {
                    "allOf" | "anyOf" => (name.clone(), value.clone()),
                    _ => (name.clone(), self::strict(value)),
                })
                .collect();
            if strict.get("properties").is_some_and(Value::is_object) {
                strict.insert("additionalProperties".into(), false.into());
            }
            strict.into()
        }
        Value::Array(elements) => elements.iter().map(self::strict).collect(),
        other => other.clone(),
    }
}

/// Paths, as JSON pointers, to every field of an event that its schema names; with whether it is required.
fn fields(schema: &Value, event: &Value, path: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for (name, about) in schema["properties"].as_object().into_iter().flatten() {
        let Some(value) = event.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        let path = format!("{path}/{name}");
        let required = schema["required"].as_array().into_iter().flatten();
        found.push((path.clone(), required.clone().any(|it| it == name)));
        found.extend(fields(about, value, &path));
        for (place, element) in value.as_array().into_iter().flatten().enumerate() {
            found.extend(fields(&about["items"], element, &format!("{path}/{place}")));
        }
    }
    found
}

fn without(event: &Value, path: &str) -> Value {
    let mut event = event.clone();
    let (parent, name) = path.rsplit_once('/').expect("a path");
    let parent = event.pointer_mut(parent).expect("a parent");
    parent.as_object_mut().expect("an object").remove(name);
    event
}

/// A list of lists is no value that any field can have.
fn with_nonsense(event: &Value, path: &str) -> Value {
    let mut event = event.clone();
    *event.pointer_mut(path).expect("a field") = json!([[]]);
    event
}

/// A live handoff of the example on another channel.
fn live(channel: Channel) -> Handoff {
    let escalation =
        example::escalation(|data| data["session"]["channel"] = channel.as_str().into());
    let mut handoff = example::handoff(escalation);
    handoff.progress = Progress::Connected {
        access: example::access(example::at("15:03:22")),
        conversation: example::conversation(),
    };
    handoff
}

fn rep() -> Rep {
    Rep {
        id: Some("005xx0000012345".into()),
        name: Some("Maria R.".into()),
    }
}

/// One of each, and of those with options one of each kind.
fn lifecycle() -> Vec<Lifecycle> {
    let entry = || EntryId::from("56e10dce-2fd3-4ab6-91bf-f55827ad0280");
    let queue = |position, wait_seconds| Lifecycle::Queue {
        entry: entry(),
        position,
        wait_seconds,
    };
    let mut all = vec![
        Lifecycle::Accepted,
        Lifecycle::Duplicate { count: 1 },
        Lifecycle::Live,
        Lifecycle::Typing { typing: true },
        queue(Some(3), None),
        queue(None, Some(45)),
        Lifecycle::RepJoined {
            entry: entry(),
            rep: rep(),
        },
        Lifecycle::RepJoined {
            entry: entry(),
            rep: Rep::default(),
        },
        Lifecycle::RepLeft {
            entry: entry(),
            rep: rep(),
        },
        Lifecycle::RepLeft {
            entry: entry(),
            rep: Rep::default(),
        },
        Lifecycle::Transferred { entry: entry() },
        Lifecycle::RoutingFailed {
            entry: entry(),
            reason: "RoutingError".into(),
        },
        Lifecycle::NoRep {
            waited: std::time::Duration::from_secs(600),
        },
        Lifecycle::ContactMessageDelivered {
            message: "m4".into(),
        },
        Lifecycle::Held {
            entry: entry(),
            reply: "5f0c1c5e-0c0e-5a53-8a4e-6b6d2d6f2a10".into(),
        },
        Lifecycle::Withheld {
            entry: entry(),
            reply: "5f0c1c5e-0c0e-5a53-8a4e-6b6d2d6f2a10".into(),
            parts: vec![Part::Text, Part::Choices, Part::Files],
        },
    ];
    all.extend(Ending::ALL.iter().map(|why| Lifecycle::Ended {
        why: *why,
        last_sequence: 0,
    }));
    let steps = [
        &[Step::Intake, Step::ContactMessage, Step::Close][..],
        &Step::JOURNEY,
    ]
    .concat();
    for (place, code) in Code::ALL.iter().enumerate() {
        let step = steps[place % steps.len()];
        all.push(Lifecycle::Failed {
            code: *code,
            step,
            reason: "why".into(),
        });
        all.push(Lifecycle::ContactMessageFailed {
            message: "m4".into(),
            code: *code,
            reason: "why".into(),
        });
        all.push(Lifecycle::Retrying {
            step,
            failures: 1,
            code: *code,
            at: example::at("14:03:30"),
        });
    }
    all
}

fn reply(text: &str) -> Reply {
    Reply {
        entry: EntryId::from("56e10dce-2fd3-4ab6-91bf-f55827ad0280"),
        sent_at: example::at("14:05:01.95"),
        rep: rep(),
        author: Author::Rep,
        text: text.into(),
        files: vec![],
        choices: vec![],
    }
}

fn published(event: &baton::domain::event::Published) -> Value {
    serde_json::from_slice(&event.body()).expect("JSON")
}

#[test]
fn every_schema_is_one_and_belongs_to_the_type_of_its_name() {
    assert!(kinds().len() >= 13, "{:?}", kinds());
    for kind in kinds() {
        let schema = schema(&kind);
        assert_eq!(
            schema["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{kind}"
        );
        assert_eq!(schema["$id"], format!("urn:baton:event:{kind}"));
        assert_eq!(schema["properties"]["type"]["const"], kind.as_str());
        if let Err(error) = jsonschema::draft202012::meta::validate(&schema) {
            panic!("{kind}: {error}");
        }
    }
}

#[test]
fn every_example_is_valid_and_names_no_field_that_its_schema_does_not() {
    for kind in kinds() {
        let example = example(&kind);
        assert_valid(&validator(&schema(&kind)), &example);
        assert_valid(&validator(&strict(&schema(&kind))), &example);
    }
}

#[test]
fn there_is_a_schema_and_an_example_for_all_that_is_read_and_published() {
    let published = Lifecycle::NAMES
        .iter()
        .map(|name| format!("handoff.{name}.v1"));
    let others = CONTACT_SIDE.iter().copied();
    let others = others.chain(["handoff.escalation.requested.v1", "handoff.reply.v1"]);
    let others = others.map(str::to_owned);
    assert_eq!(kinds(), published.chain(others).collect());
    for kind in kinds() {
        assert_eq!(example(&kind)["type"], kind.as_str());
    }
}

#[test]
fn the_example_of_an_escalation_is_read_whole() {
    let escalation = example::escalation(|_| ());
    assert_eq!(escalation.connection.as_str(), "acme-salesforce");
    assert_eq!(
        escalation.session.as_str(),
        "6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51"
    );
    assert_eq!(escalation.channel, Channel::Sms);
    assert_eq!(escalation.contact.phone.as_deref(), Some("+14155550123"));
    assert_eq!(escalation.contact.email, None);
    assert!(escalation.contact.verified);
    assert_eq!(escalation.reply_to.account.as_deref(), Some("+18005550100"));
    assert_eq!(
        escalation.reply_to.last_inbound_at,
        Some(example::at("14:03:20"))
    );
    assert_eq!(escalation.escalated_at, Some(example::at("14:03:22")));
    assert_eq!(escalation.attributes["Department"], "Billing");
    assert_eq!(escalation.data["session"]["custom"]["Brand"], "Acme");
}

#[test]
fn the_examples_of_the_contacts_side_are_read_whole() {
    let read = CONTACT_SIDE.map(|kind| {
        let event = example::read_contact(&example(kind)).expect(kind);
        assert_eq!(
            event.session.as_str(),
            "6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51"
        );
        event.what
    });
    let file = ContactFile {
        id: "a2".into(),
        name: "receipt-2.jpg".into(),
        content_type: Some("image/jpeg".into()),
        size: Some(51344),
        url: "https://media.example.com/a2".into(),
    };
    let message = ContactMessage {
        id: "m4".into(),
        sequence: Some(1),
        at: Some(example::at("14:06:10")),
        text: "Thank you! Here is the receipt.".into(),
        files: vec![file],
    };
    let delivery = Delivery {
        reply: "5f0c1c5e-0c0e-5a53-8a4e-6b6d2d6f2a10".into(),
        status: DeliveryStatus::Failed,
        reason: Some("the number is not in service".into()),
    };
    let expected = [
        Happening::Wrote(message),
        Happening::Typing { typing: true },
        Happening::Left {
            reason: Some("closed the chat".into()),
        },
        Happening::Delivery(delivery),
    ];
    assert_eq!(read, expected);
}

/// Our reader is more lenient in three things: it does not look at `source`, takes the session from the envelope where
/// the data does not name it, and a sign of typing that does not say which for one that stops.
#[test]
fn what_the_schemas_of_the_contacts_side_refuse_is_poison() {
    let lenient = ["/source", "/data/session_id", "/data/typing"];
    let unread = ["/source", "/datacontenttype"];
    for kind in CONTACT_SIDE {
        let (schema, example) = (schema(kind), example(kind));
        let contract = validator(&schema);
        for (path, required) in fields(&schema, &example, "") {
            if required {
                let event = without(&example, &path);
                assert!(
                    !complaints(&contract, &event).is_empty(),
                    "{kind} without {path}"
                );
                let is_read = example::read_contact(&event).is_ok();
                assert_eq!(
                    is_read,
                    lenient.contains(&path.as_str()),
                    "{kind} without {path}"
                );
            }
            let event = with_nonsense(&example, &path);
            assert!(
                !complaints(&contract, &event).is_empty(),
                "{kind} with nonsense in {path}"
            );
            let is_read = example::read_contact(&event).is_ok();
            assert_eq!(
                is_read,
                unread.contains(&path.as_str()),
                "{kind} with nonsense in {path}"
            );
        }
    }
    let contract = validator(&schema("handoff.contact.message.v1"));
    let silent = |text: Value, files: Value| {
        let mut event = example("handoff.contact.message.v1");
        event["data"]["message"]["text"] = text;
        event["data"]["message"]["attachments"] = files;
        (
            complaints(&contract, &event).is_empty(),
            example::read_contact(&event).is_ok(),
        )
    };
    let file = json!([{ "url": "https://example.com/f" }]);
    let files = |count: usize| json!(vec![json!({ "url": "https://example.com/f" }); count]);
    assert_eq!(silent(json!("hi"), Value::Null), (true, true));
    assert_eq!(silent(Value::Null, file.clone()), (true, true));
    assert_eq!(silent(json!(" \n"), file), (true, true));
    assert_eq!(silent(json!(" \n"), json!([])), (false, false));
    assert_eq!(silent(Value::Null, Value::Null), (false, false));
    assert_eq!(silent(json!("hi"), files(20)), (true, true));
    assert_eq!(silent(json!("hi"), files(21)), (false, false));
}

/// Our reader is more lenient than the contract in one thing: it does not look at `source`.
#[test]
fn what_the_schema_of_an_escalation_refuses_is_poison_and_the_other_way_round() {
    let (kind, example) = ("handoff.escalation.requested.v1", example::event(|_| ()));
    let schema = schema(kind);
    let contract = validator(&schema);
    let is_read = |path: &str| !["/source", "/datacontenttype"].contains(&path);
    for (path, required) in fields(&schema, &example, "") {
        let shown_only = path.contains("/attachments") && !path.ends_with("/name");
        if required && !["/data/transcript"].contains(&path.as_str()) {
            let event = without(&example, &path);
            assert!(!complaints(&contract, &event).is_empty(), "without {path}");
            assert_eq!(
                example::read(&event).is_err(),
                is_read(&path),
                "without {path}"
            );
        }
        let event = with_nonsense(&example, &path);
        assert!(
            !complaints(&contract, &event).is_empty(),
            "with nonsense in {path}"
        );
        let kept_as_it_is =
            path.ends_with("/custom") || path == "/data/transcript/0/id" || shown_only;
        if is_read(&path) && !kept_as_it_is && !path.ends_with("/id") {
            assert!(example::read(&event).is_err(), "with nonsense in {path}");
        }
    }
}

#[test]
fn a_transcript_is_required_in_one_form_or_the_other() {
    let schema = validator(&schema("handoff.escalation.requested.v1"));
    let verdicts = |transcript: Value, url: Value| {
        let event = example::event(|event| {
            event["data"]["transcript"] = transcript;
            event["data"]["transcript_url"] = url;
        });
        (
            complaints(&schema, &event).is_empty(),
            example::read(&event).is_ok(),
        )
    };
    assert_eq!(verdicts(json!([]), Value::Null), (true, true));
    assert_eq!(
        verdicts(Value::Null, json!("https://example.com/t")),
        (true, true)
    );
    assert_eq!(
        verdicts(Value::Null, json!("http://example.com/t")),
        (false, false)
    );
    assert_eq!(verdicts(Value::Null, Value::Null), (false, false));
}

#[test]
fn lifecycle_events_are_as_their_schemas_say() {
    let all = lifecycle();
    let names: BTreeSet<&str> = all.iter().map(Lifecycle::name).collect();
    let expected = Lifecycle::NAMES.iter();
    assert_eq!(names, expected.copied().collect(), "one of each");

    let mut unknown_desk = example::handoff(example::escalation(|_| ()));
    unknown_desk.desk = None;
    let handoffs = Channel::ALL.map(live).into_iter().chain([unknown_desk]);
    let handoffs: Vec<Handoff> = handoffs.collect();
    for what in &all {
        let schema = schema(&format!("handoff.{}.v1", what.name()));
        let schema = validator(&strict(&schema));
        for handoff in &handoffs {
            let event = published(&what.event(handoff, example::at("14:03:23")));
            // What is live has a desk.
            if handoff.desk.is_some() || *what != Lifecycle::Live {
                assert_valid(&schema, &event);
            }
        }
    }
}

#[test]
fn replies_are_as_their_schema_says() {
    let schema = validator(&strict(&schema("handoff.reply.v1")));
    let now = example::at("14:05:02.113");
    let mut bare = reply("");
    bare.rep = Rep::default();
    bare.author = Author::Desk;
    for channel in Channel::ALL {
        let handoff = live(channel);
        for (reply, timing) in [(reply("Hi"), Timing::InOrder), (bare.clone(), Timing::Late)] {
            let event = published(&reply.event(&handoff, 1, timing, now));
            assert_valid(&schema, &event);
            let late = event["data"].get("late").is_some();
            assert_eq!(late, timing == Timing::Late);
            let automatic = event["data"].get("automatic").is_some();
            assert_eq!(automatic, late, "the late one is the desk's own");
        }
    }
}

#[test]
fn the_example_of_a_reply_is_what_the_code_publishes() {
    let handoff = live(Channel::Sms);
    let text = "Hi Dana, I can refund the second charge now.";
    let event = reply(text).event(&handoff, 1, Timing::InOrder, example::at("14:05:02.113"));
    let mut event = published(&event);
    let example = example("handoff.reply.v1");
    event["id"] = example["id"].clone();
    event["data"]["handoff_id"] = example["data"]["handoff_id"].clone();
    assert_eq!(event, example);
}

#[test]
fn the_window_of_whatsapp_is_closed_where_nobody_knows() {
    let mut handoff = live(Channel::Whatsapp);
    handoff.last_inbound_at = None;
    let event = reply("Hi").event(&handoff, 1, Timing::InOrder, example::at("14:05:02"));
    let event = published(&event);
    assert_eq!(
        event["data"]["whatsapp"],
        json!({ "window": "closed", "expires_at": null })
    );
    assert_valid(&validator(&strict(&schema("handoff.reply.v1"))), &event);
}

#[test]
fn schemas_refuse_what_is_mutilated() {
    for kind in kinds() {
        let (schema, mut example) = (schema(&kind), example(&kind));
        let contract = validator(&schema);
        if kind == "handoff.reply.v1" {
            let reply = reply("see the file");
            example = published(&reply.event(
                &live(Channel::Whatsapp),
                1,
                Timing::Late,
                example::at("14:05:02"),
            ));
            example["data"]["automatic"] = json!(true);
            // As the custodian finishes it.
            example["data"]["attachments"] = json!([{
                "id": "5f0c1c5e-0c0e-5a53-8a4e-6b6d2d6f2a10", "name": "refund.pdf", "content_type": "application/pdf",
                "size": 512, "sha256": "0".repeat(64), "url": "https://baton.example.com/media/token",
                "expires_at": "2026-11-27T14:05:02Z", "unavailable": "not at once with an address",
            }]);
        }
        for (path, required) in fields(&schema, &example, "") {
            if required {
                let event = without(&example, &path);
                assert!(
                    !complaints(&contract, &event).is_empty(),
                    "{kind} without {path}"
                );
            }
            let event = with_nonsense(&example, &path);
            assert!(
                !complaints(&contract, &event).is_empty(),
                "{kind} with nonsense in {path}"
            );
        }
    }
}

#[test]
fn a_reply_on_sms_or_whatsapp_says_how_it_will_be_sent() {
    let schema = validator(&schema("handoff.reply.v1"));
    for (channel, part) in [(Channel::Sms, "sms"), (Channel::Whatsapp, "whatsapp")] {
        let event = reply("Hi").event(&live(channel), 1, Timing::InOrder, example::at("14:05:02"));
        let event = published(&event);
        let event = without(&event, &format!("/data/{part}"));
        assert!(!complaints(&schema, &event).is_empty(), "{channel}");
    }
}

#[test]
fn schemas_list_exactly_the_words_that_the_code_has() {
    let words = |kind: &str, pointer: &str| -> Vec<Value> {
        let schema = schema(kind);
        let listed = schema.pointer(&format!("/properties/data/properties/{pointer}/enum"));
        listed
            .and_then(Value::as_array)
            .expect("a list of words")
            .clone()
    };
    let codes: Vec<Value> = Code::ALL.iter().map(|code| code.as_str().into()).collect();
    let endings: Vec<Value> = Ending::ALL.iter().map(|why| why.as_str().into()).collect();
    let channels: Vec<Value> = Channel::ALL.map(|channel| channel.as_str().into()).into();
    let desks: Vec<Value> = DeskKind::ALL
        .iter()
        .map(|desk| desk.as_str().into())
        .collect();
    assert_eq!(words("handoff.failed.v1", "code"), codes);
    assert_eq!(words("handoff.contact_message_failed.v1", "code"), codes);
    assert_eq!(words("handoff.retrying.v1", "code"), codes);
    assert_eq!(words("handoff.ended.v1", "reason"), endings);
    assert_eq!(words("handoff.reply.v1", "channel"), channels);
    assert_eq!(words("handoff.reply.v1", "desk"), desks);
    assert_eq!(
        words(
            "handoff.escalation.requested.v1",
            "session/properties/channel"
        ),
        channels
    );
    let or_unknown = [desks, vec![Value::Null]].concat();
    assert_eq!(words("handoff.accepted.v1", "desk"), or_unknown);
}
