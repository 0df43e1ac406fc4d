//! What is poison, and what is said about it.

use baton::domain::arrival::Inbound;
use baton::domain::dead_letter::Origin;
use baton::domain::error::Code::{
    BadField, MissingField, TooLong, Undecodable, UnknownType, UnknownVersion,
};
use baton::domain::error::{Class, Code};
use baton::domain::escalation::{Escalation, Transcript};
use baton::domain::event::{Bounds, Poison, Received};
use baton::journey;
use serde_json::{Value, json};

use crate::example;

fn poison(event: &Value) -> (Code, String) {
    let poison = example::read(event).expect_err("poison");
    (poison.code(), poison.to_string())
}

/// Bodies that are no events.
#[test]
fn a_body_that_is_no_event_is_undecodable() {
    let deep = "[".repeat(1000);
    let table = [
        (
            "",
            "the body is not JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            "hello",
            "the body is not JSON: expected value at line 1 column 1",
        ),
        (
            "{\"a\":1",
            "the body is not JSON: EOF while parsing an object at line 1 column 6",
        ),
        (
            "{} {}",
            "the body is not JSON: trailing characters at line 1 column 4",
        ),
        (
            &deep,
            "the body is not JSON: recursion limit exceeded at line 1 column 128",
        ),
        (
            "[]",
            "the body is not a CloudEvent 1.0: it is not a JSON object",
        ),
        (
            "null",
            "the body is not a CloudEvent 1.0: it is not a JSON object",
        ),
        (
            "\"text\"",
            "the body is not a CloudEvent 1.0: it is not a JSON object",
        ),
        (
            "{\"specversion\":\"0.3\"}",
            "the body is not a CloudEvent 1.0: `specversion` is `0.3`, not `1.0`",
        ),
    ];
    for (body, said) in table {
        let poison = Received::decode(body.as_bytes(), example::BOUNDS).expect_err("poison");
        assert_eq!(
            (poison.code(), poison.to_string()),
            (Undecodable, said.to_owned())
        );
    }
    let poison = Received::decode(b"\"\xff\"", example::BOUNDS).expect_err("poison");
    assert_eq!(poison.code(), Undecodable);
}

#[test]
fn an_event_that_is_too_large_is_not_even_parsed() {
    let bounds = Bounds {
        event_bytes_max: 10,
    };
    let poison = Received::decode(b"{{{{{{{{{{{", bounds).expect_err("poison");
    let said = "the field `body` has 11 bytes; 10 are allowed".to_owned();
    assert_eq!((poison.code(), poison.to_string()), (TooLong, said));
    let poison = Received::decode(b"{{{{{{{{{{", bounds).expect_err("poison");
    assert_eq!(poison.code(), Undecodable);
}

/// One field is changed, or taken out where there is no value.
#[test]
fn an_event_with_one_field_wrong_is_poison_and_the_field_is_named() {
    let long = |bytes| json!("x".repeat(bytes));
    let table: Vec<(&str, Option<Value>, Code, &str)> = vec![
        (
            "/specversion",
            None,
            MissingField,
            "the field `specversion` is missing",
        ),
        (
            "/specversion",
            Some(json!(1.0)),
            BadField,
            "the field `specversion` must be text",
        ),
        ("/type", None, MissingField, "the field `type` is missing"),
        (
            "/type",
            Some(json!(7)),
            BadField,
            "the field `type` must be text",
        ),
        (
            "/type",
            Some(json!("")),
            BadField,
            "the field `type` must not be empty",
        ),
        (
            "/type",
            Some(json!("order.paid.v1")),
            UnknownType,
            "nobody here knows the event type `order.paid.v1`",
        ),
        (
            "/type",
            Some(json!("handoff.escalation.requested.v2")),
            UnknownVersion,
            "the event type `handoff.escalation.requested.v2` has a major version that this release does not know",
        ),
        (
            "/type",
            Some(json!("handoff.escalation.requested")),
            UnknownVersion,
            "the event type `handoff.escalation.requested` has a major version that this release does not know",
        ),
        ("/id", None, MissingField, "the field `id` is missing"),
        (
            "/id",
            Some(json!("")),
            BadField,
            "the field `id` must not be empty",
        ),
        (
            "/id",
            Some(long(257)),
            TooLong,
            "the field `id` has 257 bytes; 256 are allowed",
        ),
        (
            "/time",
            Some(json!("yesterday")),
            BadField,
            "the field `time` must be an RFC 3339 timestamp such as 2026-11-20T14:03:22Z",
        ),
        (
            "/subject",
            Some(json!(7)),
            BadField,
            "the field `subject` must be text",
        ),
        (
            "/subject",
            Some(json!("another")),
            BadField,
            "the field `data.session.id` must be the event's `subject`",
        ),
        ("/data", None, MissingField, "the field `data` is missing"),
        (
            "/data",
            Some(json!("text")),
            MissingField,
            "the field `data` is missing",
        ),
        (
            "/data/connection",
            None,
            MissingField,
            "the field `data.connection` is missing",
        ),
        (
            "/data/connection",
            Some(json!("")),
            BadField,
            "the field `data.connection` must not be empty",
        ),
        (
            "/data/connection",
            Some(long(65)),
            TooLong,
            "the field `data.connection` has 65 bytes; 64 are allowed",
        ),
        (
            "/data/session",
            None,
            MissingField,
            "the field `data.session` is missing",
        ),
        (
            "/data/session",
            Some(json!([])),
            MissingField,
            "the field `data.session.id` is missing",
        ),
        (
            "/data/session/id",
            None,
            MissingField,
            "the field `data.session.id` is missing",
        ),
        (
            "/data/session/id",
            Some(Value::Null),
            MissingField,
            "the field `data.session.id` is missing",
        ),
        (
            "/data/session/id",
            Some(json!(7)),
            BadField,
            "the field `data.session.id` must be text",
        ),
        (
            "/data/session/id",
            Some(long(129)),
            TooLong,
            "the field `data.session.id` has 129 bytes; 128 are allowed",
        ),
        (
            "/data/session/channel",
            None,
            MissingField,
            "the field `data.session.channel` is missing",
        ),
        (
            "/data/session/channel",
            Some(json!("fax")),
            BadField,
            "the field `data.session.channel` must be one of web, sms, whatsapp, phone",
        ),
        (
            "/data/session/channel",
            Some(json!("SMS")),
            BadField,
            "the field `data.session.channel` must be one of web, sms, whatsapp, phone",
        ),
        (
            "/data/session/language",
            Some(json!(["en"])),
            BadField,
            "the field `data.session.language` must be text",
        ),
        (
            "/data/session/started_at",
            Some(json!("2026-13-01T00:00:00Z")),
            BadField,
            "the field `data.session.started_at` must be an RFC 3339 timestamp such as 2026-11-20T14:03:22Z",
        ),
        (
            "/data/contact",
            None,
            MissingField,
            "the field `data.contact` is missing",
        ),
        (
            "/data/contact",
            Some(json!("Dana")),
            BadField,
            "the field `data.contact` must be an object",
        ),
        (
            "/data/contact/phone",
            Some(json!(14155550123_u64)),
            BadField,
            "the field `data.contact.phone` must be text",
        ),
        (
            "/data/contact/verified",
            Some(json!("yes")),
            BadField,
            "the field `data.contact.verified` must be true or false",
        ),
        (
            "/data/reply_to",
            Some(json!("+1")),
            BadField,
            "the field `data.reply_to` must be an object",
        ),
        (
            "/data/reply_to/last_inbound_at",
            Some(json!("14:03")),
            BadField,
            "the field `data.reply_to.last_inbound_at` must be an RFC 3339 timestamp such as 2026-11-20T14:03:22Z",
        ),
        (
            "/data/summary",
            Some(json!({})),
            BadField,
            "the field `data.summary` must be text",
        ),
        (
            "/data/priority",
            Some(json!(1)),
            BadField,
            "the field `data.priority` must be text",
        ),
        (
            "/data/transcript",
            None,
            MissingField,
            "the field `data.transcript` is missing",
        ),
        (
            "/data/transcript",
            Some(json!("hi")),
            BadField,
            "the field `data.transcript` must be a list",
        ),
        (
            "/data/transcript/1",
            Some(json!("hi")),
            BadField,
            "the field `data.transcript[1]` must be an object",
        ),
        (
            "/data/transcript/1/author",
            None,
            MissingField,
            "the field `data.transcript[1].author` is missing",
        ),
        (
            "/data/transcript/1/text",
            Some(json!(7)),
            BadField,
            "the field `data.transcript[1].text` must be text",
        ),
        (
            "/data/transcript/2/attachments",
            Some(json!({})),
            BadField,
            "the field `data.transcript[2].attachments` must be a list",
        ),
        (
            "/data/transcript/2/attachments/0/name",
            Some(json!(7)),
            BadField,
            "the field `data.transcript[2].attachments[0].name` must be text",
        ),
        (
            "/data/attributes",
            Some(json!([])),
            BadField,
            "the field `data.attributes` must be an object",
        ),
        (
            "/data/attributes/Department",
            Some(json!({})),
            BadField,
            "the field `data.attributes.Department` must be text, a number, or true or false",
        ),
    ];
    for (path, value, code, said) in table {
        let event = example::event(|event| match value {
            Some(value) => *event.pointer_mut(path).expect("a field") = value,
            None => {
                let (parent, name) = path.rsplit_once('/').expect("a path");
                let parent = event.pointer_mut(parent).expect("a parent");
                parent.as_object_mut().expect("an object").remove(name);
            }
        });
        assert_eq!(poison(&event), (code, said.to_owned()), "{path}");
        assert_eq!(code.class(), Class::Poison);
    }
}

#[test]
fn a_link_to_a_transcript_is_https_and_counts_only_without_turns() {
    let with = |transcript: Value, url: Value| {
        example::event(|event| {
            event["data"]["transcript"] = transcript;
            event["data"]["transcript_url"] = url;
        })
    };
    let link = "https://example.com/t";
    let read = example::read(&with(Value::Null, json!(link))).expect("an escalation");
    assert_eq!(read.transcript, Transcript::Link(link.into()));
    let read = example::read(&with(json!([]), json!(link))).expect("an escalation");
    assert_eq!(read.transcript, Transcript::Turns(vec![]));
    let said = "the field `data.transcript_url` must be an https address";
    for other in [
        "http://example.com/t",
        "ftp://example.com",
        "/etc/passwd",
        "",
    ] {
        assert_eq!(
            poison(&with(Value::Null, json!(other))),
            (BadField, said.to_owned())
        );
    }
}

#[test]
fn what_is_optional_may_be_absent_null_or_empty() {
    let bare = json!({
        "connection": "acme", "session": { "id": "s1", "channel": "web", "language": "" },
        "contact": {}, "reply_to": null, "transcript": [], "summary": "  ", "attributes": { "A": null },
    });
    let event = example::event(|event| {
        event["data"] = bare;
        for name in ["subject", "time", "source"] {
            event[name] = Value::Null;
        }
    });
    let read = example::read(&event).expect("an escalation");
    assert_eq!(
        (read.language, read.summary, read.reason),
        (None, None, None)
    );
    assert_eq!((read.started_at, read.escalated_at), (None, None));
    assert_eq!(read.priority, "Low");
    assert_eq!(read.contact, Default::default());
    assert_eq!(read.reply_to, Default::default());
    assert!(read.attributes.is_empty());
}

#[test]
fn routing_attributes_become_text() {
    let read = example::escalation(|data| {
        data["attributes"] =
            json!({ "Tier": 2, "Ratio": 0.5, "Vip": true, "Nothing": null, "Empty": "" });
    });
    let attributes: Vec<(&str, &str)> = read
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        attributes,
        [
            ("Empty", ""),
            ("Ratio", "0.5"),
            ("Tier", "2"),
            ("Vip", "true")
        ]
    );
}

#[test]
fn unknown_fields_are_ignored_and_kept() {
    let event = example::event(|event| {
        event["datacontenttype"] = json!("application/json");
        event["traceparent"] = json!("00-…");
        event["data"]["mood_ring"] = json!({ "colour": "blue" });
    });
    let read = example::read(&event).expect("an escalation");
    assert_eq!(read.data["mood_ring"]["colour"], "blue");
}

/// Intake goes by the type, not by the queue: a dead letter may come back through the wrong one.
#[test]
fn a_delivery_is_what_its_type_says_and_its_bytes_are_kept() {
    let receive = |event: &Value| {
        let body = event.to_string().into_bytes();
        let arrival = journey::receive(
            Origin::default(),
            body.clone(),
            example::BOUNDS,
            example::at("14:18:22"),
        );
        assert_eq!(arrival.body, body);
        arrival.what
    };
    let escalation = receive(&example::event(|_| ()));
    assert!(
        matches!(escalation, Inbound::Escalation(_, deadline) if deadline == example::at("14:18:22"))
    );
    let left = receive(&example::event(|event| {
        event["type"] = json!("handoff.contact.left.v1");
        event["data"] = json!({});
    }));
    assert!(
        matches!(left, Inbound::Contact(id, _) if id.as_str() == "0197a8f0-5c1e-7a52-9b60-1f0e6f5d2c11")
    );
    let poison = receive(&json!({}));
    assert!(matches!(poison, Inbound::Poison(Poison::Missing(field)) if field == "specversion"));
}

/// The session comes from the data or from the envelope, and is never nobody's.
#[test]
fn what_the_contact_does_names_its_session() {
    let read = |subject: Value, session: Value| {
        let event = example::event(|event| {
            event["type"] = json!("handoff.contact.left.v1");
            event["subject"] = subject;
            event["data"] = json!({ "session_id": session });
        });
        match example::read_contact(&event) {
            Ok(event) => event.session.to_string(),
            Err(poison) => format!("{}: {poison}", poison.code()),
        }
    };
    let null = || Value::Null;
    let missing = "missing-field: the field `data.session_id` is missing";
    assert_eq!(read(null(), json!("s1")), "s1");
    assert_eq!(read(json!("s1"), json!("s1")), "s1");
    assert_eq!(read(json!("s1"), null()), "s1");
    assert_eq!(read(null(), null()), missing);
    assert_eq!(read(json!(""), null()), missing);
    assert_eq!(
        read(json!("s2"), json!("s1")),
        "bad-field: the field `data.session_id` must be the event's `subject`"
    );
    assert_eq!(
        read(null(), json!("")),
        "bad-field: the field `data.session_id` must not be empty"
    );
    assert_eq!(
        read(null(), json!("x".repeat(129))),
        "too-long: the field `data.session_id` has 129 bytes; 128 are allowed"
    );
    assert_eq!(
        read(json!("x".repeat(129)), null()),
        "too-long: the field `subject` has 129 bytes; 128 are allowed"
    );
}

/// The reason of a dead letter goes into headers and logs.
#[test]
fn poison_never_repeats_what_a_contact_said() {
    let secret = "my card is 4111 1111 1111 1111";
    for path in [
        "/data/summary",
        "/data/transcript/0/text",
        "/data/contact/name",
        "/data/contact/verified",
    ] {
        let event =
            example::event(|event| *event.pointer_mut(path).expect("a field") = json!([secret]));
        let (_, said) = poison(&event);
        assert!(!said.contains("4111"), "{said}");
    }
    let body = format!("{{\"data\": {secret}");
    let said = Received::decode(body.as_bytes(), example::BOUNDS)
        .and_then(|event| Escalation::read(&event));
    assert!(!said.expect_err("poison").to_string().contains("4111"));
}
