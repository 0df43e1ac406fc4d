//! Trace contexts: which headers are one, what is passed on, and what a handoff gets that comes without.

use std::collections::BTreeMap;

use baton::domain::handoff::Keys;
use baton::domain::ids::Namespace;
use baton::domain::trace::{SpanId, TraceContext};
use serde_json::json;

use crate::example;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn passed_on(parent: &str) -> Option<String> {
    TraceContext::parse(parent, None).map(|trace| trace.parent())
}

#[test]
fn what_is_right_to_the_letter_is_read() {
    let table = [
        // As it comes, and as it goes on.
        (
            format!("00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01"),
        ),
        (
            format!("00-{TRACE}-{SPAN}-00"),
            format!("00-{TRACE}-{SPAN}-00"),
        ),
        (
            format!("00-{TRACE}-{SPAN}-03"),
            format!("00-{TRACE}-{SPAN}-03"),
        ),
        // Flags that nobody knows are not passed on.
        (
            format!("00-{TRACE}-{SPAN}-ff"),
            format!("00-{TRACE}-{SPAN}-03"),
        ),
        // Of a newer version, what this one has too.
        (
            format!("cc-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01"),
        ),
        (
            format!("cc-{TRACE}-{SPAN}-01-what-comes"),
            format!("00-{TRACE}-{SPAN}-01"),
        ),
    ];
    for (came, goes) in table {
        assert_eq!(passed_on(&came), Some(goes), "{came}");
    }
}

#[test]
fn all_else_is_no_context() {
    let wrong = [
        String::new(),
        "00".to_owned(),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("0g-{TRACE}-{SPAN}-01"),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
        format!("00-{TRACE}-{SPAN}-0A"),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-011"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("cc-{TRACE}-{SPAN}-01.more"),
        format!("00-{TRACE}_{SPAN}-01"),
        format!("00_{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}{SPAN}--01"),
        format!("00-{}-{SPAN}-01", &TRACE[1..]),
        format!(" 00-{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}-01 "),
        format!("00-{}é-{SPAN}-01", &TRACE[2..]),
        "é".repeat(30),
    ];
    for parent in wrong {
        assert_eq!(passed_on(&parent), None, "{parent}");
    }
}

#[test]
fn only_a_trace_that_is_recorded_upstream_is_sampled() {
    for (flags, is_sampled) in [("00", false), ("01", true), ("02", false), ("03", true)] {
        let trace = TraceContext::parse(&format!("00-{TRACE}-{SPAN}-{flags}"), None);
        assert_eq!(
            trace.expect("a context").is_sampled(),
            is_sampled,
            "{flags}"
        );
    }
}

#[test]
fn the_state_is_carried_in_whole_members_as_far_as_there_is_room() {
    let long = format!("old={}", "x".repeat(500));
    let table = [
        ("a=1", Some("a=1".to_owned())),
        (" a=1 , b=2 ", Some("a=1 , b=2".to_owned())),
        ("", None),
        (" ", None),
        ("a=ü", None),
        ("a=\u{7}", None),
        (&format!("new=1,{long}"), Some(format!("new=1,{long}"))),
        (&format!("newer=123,{long}"), Some("newer=123".to_owned())),
        (&format!("a={}", "x".repeat(511)), None),
    ];
    let parent = format!("00-{TRACE}-{SPAN}-01");
    for (came, goes) in table {
        let trace = TraceContext::parse(&parent, Some(came)).expect("a context");
        assert_eq!(trace.state().map(str::to_owned), goes, "{came}");
        assert!(trace.state().is_none_or(|state| state.len() <= 512));
    }
}

#[test]
fn headers_are_read_and_written_and_hold_one_context() {
    let headers = |parent: &str| {
        BTreeMap::from([
            ("traceparent".to_owned(), json!(parent)),
            ("tracestate".to_owned(), json!("a=1")),
            ("other".to_owned(), json!(7)),
        ])
    };
    let came = headers(&format!("00-{TRACE}-{SPAN}-01"));
    let trace = TraceContext::read(&came).expect("a context");
    let mut out = headers("nonsense");
    trace.write(&mut out);
    assert_eq!(out, came);

    assert_eq!(TraceContext::read(&headers("nonsense")), None);
    assert_eq!(TraceContext::read(&BTreeMap::new()), None);
    let number = BTreeMap::from([("traceparent".to_owned(), json!(7))]);
    assert_eq!(TraceContext::read(&number), None);

    // A state belongs to its parent.
    let own = TraceContext::own(
        example::handoff(example::escalation(|_| ()))
            .keys
            .conversation,
    );
    own.write(&mut out);
    assert!(!out.contains_key("tracestate"), "{out:?}");
}

/// Like all derived ids: a lost database comes back to the same trace.
#[test]
fn a_handoff_without_a_context_has_the_trace_it_had_in_the_first_release() {
    let keys = Keys::of(Namespace::new("baton"), &example::escalation(|_| ()));
    let own = TraceContext::own(keys.conversation);
    assert_eq!(
        own.parent(),
        "00-63e95d10237408028a0a4b9ad911ace2-8695647c27fff279-01"
    );
    assert!(own.is_sampled());
    assert_eq!(TraceContext::parse(&own.parent(), None), Some(own.clone()));
    let reply = own.below(SpanId::of("86da2f03-c93a-5e6a-bab2-7f84610d5e8d"));
    assert_eq!(reply.trace, own.trace);
    assert_eq!(reply.span.to_string(), "5817c93f555c31ca");
}
