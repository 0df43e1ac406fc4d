//! What the headers of a dead letter say.

use std::collections::BTreeMap;

use baton::domain::dead_letter::{
    Cause, Origin, Tally, group, handoff_headers, headers, poison_key,
};
use baton::domain::error::Code;
use baton::domain::handoff::{Progress, Step};
use baton::domain::ids::Namespace;
use serde_json::{Value, json};

use crate::example;

fn cause(reason: &str) -> Cause {
    Cause {
        code: Code::DeskTimeout,
        step: Step::OpeningMessage,
        reason: reason.into(),
        http_status: Some(504),
    }
}

fn origin(extra: &[(&str, Value)]) -> Origin {
    Origin {
        exchange: "handoff.inbound".into(),
        routing_key: "escalation.requested".into(),
        headers: extra
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect(),
        redelivered: false,
    }
}

fn tally() -> Tally {
    Tally {
        attempts: 4,
        first_failed_at: example::at("14:03:30"),
        last_failed_at: example::at("14:04:20"),
    }
}

#[test]
fn they_say_what_happened_where_and_which_generation_comes_next() {
    let mut handoff = example::handoff(example::escalation(|_| ()));
    handoff.progress = example::stages(example::at("15:00:00"))[4].clone();
    let cause = cause("the desk did not answer within 10s");
    let origin = origin(&[
        ("x-producer", json!("ai-1")),
        // No context, so the handoff has its own, and the state goes with the wrong one.
        ("traceparent", json!("00-abc")),
        ("tracestate", json!("a=1")),
        ("x-handoff-code", json!("of the last time")),
        ("x-handoff-http-status", json!(400)),
        ("x-death", json!([{ "count": 1 }])),
        ("x-first-death-queue", json!("q")),
    ]);
    let mut headers = headers(&cause, &origin, 2, tally(), "web-1");
    handoff_headers(&mut headers, &handoff, &cause);
    let expected = json!({
        "x-producer": "ai-1",
        "traceparent": handoff.trace.parent(),
        "x-handoff-code": "desk-timeout",
        "x-handoff-class": "transient",
        "x-handoff-step": "opening-message",
        "x-handoff-reason": "the desk did not answer within 10s",
        "x-handoff-attempts": 4,
        "x-handoff-generation": 3,
        "x-handoff-http-status": 504,
        "x-handoff-id": handoff.id.to_string(),
        "x-handoff-group": group("salesforce", &cause),
        "x-handoff-completed-steps": "identity-token,access-token,transcript,create-conversation",
        "x-handoff-conversation": "cebf41a4-f8a5-48ab-a628-7283c794c71c",
        "x-session-id": "6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51",
        "x-connection": "acme-salesforce",
        "x-first-failed-at": "2026-11-20T14:03:30Z",
        "x-last-failed-at": "2026-11-20T14:04:20Z",
        "x-original-exchange": "handoff.inbound",
        "x-original-routing-key": "escalation.requested",
        "x-worker": "web-1",
    });
    assert_eq!(json!(headers), expected);
}

#[test]
fn a_handoff_that_did_nothing_yet_has_completed_no_step() {
    let mut handoff = example::handoff(example::escalation(|_| ()));
    handoff.desk = None;
    let mut headers = BTreeMap::new();
    handoff_headers(&mut headers, &handoff, &cause("why"));
    assert_eq!(headers["x-handoff-completed-steps"], "");
    assert!(!headers.contains_key("x-handoff-conversation"));
    handoff.progress = Progress::Connected {
        access: example::access(example::at("15:00:00")),
        conversation: example::conversation(),
    };
    handoff_headers(&mut headers, &handoff, &cause("why"));
    let all = "identity-token,access-token,transcript,create-conversation,opening-message";
    assert_eq!(headers["x-handoff-completed-steps"], all);
}

/// All headers together must fit into one AMQP frame.
#[test]
fn a_long_reason_is_cut_between_characters() {
    let headers = headers(&cause(&"é".repeat(5000)), &origin(&[]), 1, tally(), "web-1");
    assert_eq!(headers["x-handoff-reason"], "é".repeat(512));
    let headers = self::headers(
        &cause(&("x".to_owned() + &"é".repeat(5000))),
        &origin(&[]),
        1,
        tally(),
        "web-1",
    );
    assert_eq!(
        headers["x-handoff-reason"].as_str().map(str::len),
        Some(1023)
    );
}

#[test]
fn the_generation_of_a_delivery_is_1_unless_a_header_says_more() {
    let table = [
        (json!(2), 2),
        (json!(7), 7),
        (json!(0), 1),
        (json!(-3), 1),
        (json!("2"), 1),
        (json!(null), 1),
        (json!(5_000_000_000_u64), 1),
    ];
    for (value, expected) in table {
        assert_eq!(
            origin(&[("x-handoff-generation", value)]).generation(),
            expected
        );
    }
    assert_eq!(origin(&[]).generation(), 1);
}

#[test]
fn the_same_cause_is_the_same_group_whatever_its_numbers_and_ids() {
    let of = |reason: &str| group("salesforce", &cause(reason));
    assert_eq!(
        of("conversation 0197a8f0-5c1e not found after 10s"),
        of("conversation 5f0c1c5e-77ab not found after 12s")
    );
    assert_ne!(of("conversation not found"), of("deployment unknown"));
    assert_ne!(of("why"), group("zendesk", &cause("why")));
    assert_ne!(
        of("why"),
        group(
            "salesforce",
            &Cause {
                code: Code::DeskRefused,
                ..cause("why")
            }
        )
    );
    assert_ne!(
        of("why"),
        group(
            "salesforce",
            &Cause {
                step: Step::Close,
                ..cause("why")
            }
        )
    );
}

#[test]
fn poison_has_one_dead_letter_per_body_and_generation() {
    let key = |body: &[u8], generation| poison_key(Namespace::new("baton"), body, generation);
    assert_eq!(key(b"{", 1), key(b"{", 1));
    assert_ne!(key(b"{", 1), key(b"[", 1));
    assert_ne!(key(b"{", 1), key(b"{", 2));
}
