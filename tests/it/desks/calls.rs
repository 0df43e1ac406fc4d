//! Calls to a desk: what is sent, and what each kind of answer becomes.

use std::time::Duration;

use baton::desk::Seen;
use baton::desk::http::{Http, noting};
use baton::domain::clock;
use baton::domain::error::DeskError;
use baton::domain::handoff::{AccessToken, Earlier, Effect};
use baton::domain::ids::{ConversationId, Key};
use baton::domain::transcript::OpeningMessage;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::stub::{Reply, Stub, bytes, ok, status};
use super::{LIMITS, connection_with, escalation, escalation_with, now, open};

const CREATE: &str = "POST conversation";
const LIST: &str = "GET conversation/list";
const OURS: &str = "cebf41a4-f8a5-48ab-a628-7283c794c71c";
const THEIRS: &str = "0a0b0c0d-0000-4000-8000-000000000001";
const OPENING: &str = "a133c185-73a7-4adf-b6d9-b7fd62babb4e";

fn effect(key: &str, earlier: Earlier) -> Effect {
    let key = Key(Uuid::parse_str(key).expect("a uuid"));
    Effect { key, earlier }
}

pub fn access() -> AccessToken {
    AccessToken {
        token: "access".into(),
        expires_at: clock::after(now(), Duration::from_secs(3600)),
        cursor: None,
    }
}

pub fn conversation() -> ConversationId {
    ConversationId::from(OURS)
}

async fn create(stub: &Stub) -> Result<ConversationId, DeskError> {
    let desk = open(&connection_with(&[("scrt_url", &stub.url)]));
    let effect = effect(OURS, Earlier::Never);
    desk.create_conversation(&access(), effect, &escalation())
        .await
}

async fn send_opening(stub: &Stub) -> Result<(), DeskError> {
    let desk = open(&connection_with(&[("scrt_url", &stub.url)]));
    let opening = OpeningMessage {
        text: "AI summary: charged twice for order 5512".into(),
        whole: None,
    };
    let effect = effect(OPENING, Earlier::Never);
    desk.send_opening(&access(), &conversation(), effect, &opening, &escalation())
        .await
}

async fn close(stub: &Stub) -> Result<(), DeskError> {
    let desk = open(&connection_with(&[("scrt_url", &stub.url)]));
    desk.close(&access(), &conversation()).await
}

fn message(text: &str) -> String {
    json!({ "message": text }).to_string()
}

#[tokio::test]
async fn every_status_becomes_the_fact_it_states() {
    let unavailable = |status, wait: Option<u64>, message: &str| DeskError::Unavailable {
        status,
        retry_after: wait.map(Duration::from_secs),
        message: message.into(),
    };
    let limited = |wait: Option<u64>| DeskError::RateLimited {
        retry_after: wait.map(Duration::from_secs),
        message: "slower".into(),
    };
    let refused = |status, message: &str| DeskError::Refused {
        status,
        message: message.into(),
    };
    let after =
        |status, wait: &str| Reply::With(status, message("slower"), ("retry-after", wait.into()));
    let intercepted = |what: &str| {
        DeskError::Broken(format!(
            "{what}, as from a proxy or a wrong host; check `scrt_url` of connection `acme`"
        ))
    };
    let html = |status| {
        Reply::With(
            status,
            "<html>".into(),
            ("content-type", "text/html; charset=utf-8".into()),
        )
    };
    let long = "x".repeat(400);
    let table = [
        (status(408), unavailable(408, None, "no explanation")),
        (status(425), unavailable(425, None, "no explanation")),
        (
            Reply::Status(500, message("oops")),
            unavailable(500, None, "oops"),
        ),
        (
            Reply::Status(502, "bad\n gateway".into()),
            unavailable(502, None, "bad gateway"),
        ),
        (html(503), unavailable(503, None, "an HTML page")),
        (after(503, "7"), unavailable(503, Some(7), "slower")),
        (Reply::Status(429, message("slower")), limited(None)),
        (after(429, "120"), limited(Some(120))),
        (after(429, "-5"), limited(None)),
        (after(429, "soon"), limited(None)),
        (after(429, "99999999"), limited(None)),
        (after(429, "99999999999999999999999"), limited(None)),
        (after(429, "Sun, 06 Nov 1994 08:49:37 GMT"), limited(None)),
        (
            Reply::Status(401, "Jwt is expired".into()),
            DeskError::Unauthorized("Jwt is expired".into()),
        ),
        (Reply::Status(400, message("bad")), refused(400, "bad")),
        (Reply::Status(400, long.clone()), refused(400, &long[..300])),
        (
            Reply::Status(400, r#"{"code":7}"#.into()),
            refused(400, r#"{"code":7}"#),
        ),
        (
            Reply::Status(403, message("ask d@x.example")),
            refused(403, "ask …"),
        ),
        (Reply::Status(404, message("what")), refused(404, "what")),
        (
            Reply::With(302, String::new(), ("location", "/login".into())),
            intercepted("a redirect (302 Found)"),
        ),
        (html(200), intercepted("an HTML page (200 OK)")),
    ];
    for (reply, error) in table {
        let answered = reply.clone();
        let stub = Stub::answering(move |_, _| answered.clone()).await;
        assert_eq!(create(&stub).await, Err(error), "{reply:?}");
        assert_eq!(stub.what_was_asked(), [CREATE]);
    }
}

#[tokio::test]
async fn a_date_to_wait_for_counts_from_the_desks_own_clock() {
    let stub = Stub::answering(|_, _| {
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(90);
        let soon = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&soon);
        Reply::With(503, String::new(), ("retry-after", soon.expect("a date")))
    })
    .await;
    let wait = create(&stub).await.expect_err("503").retry_after();
    assert!(
        wait.is_some_and(|wait| (85..=90).contains(&wait.as_secs())),
        "{wait:?}"
    );
}

#[tokio::test]
async fn what_the_desk_calls_a_request_is_noted_for_the_vendors_support() {
    let stub = Stub::answering(|_, _| {
        Reply::With(
            503,
            String::new(),
            ("x-ms-service-request-id", "r-4711".into()),
        )
    })
    .await;
    let (created, id) = noting(create(&stub)).await;
    assert!(created.is_err());
    assert_eq!(id.as_deref(), Some("r-4711"));
    // Outside nobody asks, and nothing is noted for the next.
    assert!(create(&stub).await.is_err());
    let silent = Stub::answering(|_, _| status(503)).await;
    assert_eq!(noting(create(&silent)).await.1, None);
}

#[tokio::test]
async fn no_answer_is_told_apart_by_what_the_desk_may_have_done() {
    let stub = Stub::answering(|_, _| Reply::Silence).await;
    assert_eq!(create(&stub).await, Err(DeskError::Timeout(LIMITS.timeout)));

    let stub = Stub::answering(|_, _| Reply::Status(201, "x".repeat((1 << 20) + 1))).await;
    assert!(matches!(create(&stub).await, Err(DeskError::Broken(_))));

    for answer in [
        "",
        "HTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\nfour",
        "nonsense\r\n\r\n",
    ] {
        let (url, server) = bytes(answer).await;
        let desk = open(&connection_with(&[("scrt_url", &url)]));
        let created = desk
            .create_conversation(&access(), effect(OURS, Earlier::Never), &escalation())
            .await;
        assert!(
            matches!(created, Err(DeskError::Broken(_))),
            "{answer:?}: {created:?}"
        );
        server.abort();
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let desk = open(&connection_with(&[("scrt_url", &url)]));
    let created = desk
        .create_conversation(&access(), effect(OURS, Earlier::Never), &escalation())
        .await;
    assert!(
        matches!(created, Err(DeskError::Unreachable(_))),
        "{created:?}"
    );
}

#[tokio::test]
async fn clients_can_be_made_with_the_usual_limits() {
    assert!(Http::new(baton::desk::http::Limits::default()).is_ok());
}

#[tokio::test]
async fn a_conversation_is_created_with_everything_a_flow_routes_by() {
    let stub = Stub::answering(|_, _| status(201)).await;
    let desk = open(&connection_with(&[
        ("scrt_url", &stub.url),
        ("attribute.Brand", "session.custom.Brand"),
        ("attribute.Seats", "contact.custom.Seats"),
        ("attribute.Missing", "contact.custom.None"),
        ("attribute.Team", "\"North\""),
        ("attribute.Department", "\"not the event's\""),
        ("attribute.Copied", "attributes.Department"),
    ]));
    let change = json!({ "attributes": { "Department": "Billing", "Origin": "EVIL", "Vip": true }, "priority": "High" });
    let created = desk
        .create_conversation(
            &access(),
            effect(OURS, Earlier::Never),
            &escalation_with(change),
        )
        .await;
    assert_eq!(created, Ok(conversation()));
    let asked = stub.asked().remove(0);
    assert_eq!(asked.headers["authorization"], "Bearer access");
    assert!(
        asked.headers["user-agent"]
            .to_str()
            .is_ok_and(|agent| agent.starts_with("baton/"))
    );
    assert_eq!(
        asked.body,
        json!({
            "conversationId": OURS, "esDeveloperName": "Support_Client", "language": "en_US",
            "routingAttributes": {
                "OpencxSessionId": "6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51", "Chat_Consumer_Type": "Authenticated",
                "Origin": "MIABOT", "Priority": "High", "Chat_language": "en",
                "Department": "Billing", "Vip": "true", "Brand": "Acme", "Seats": "3", "Team": "North",
                "Copied": "Billing",
            },
        })
    );
}

#[tokio::test]
async fn the_contact_and_the_language_show_in_what_a_flow_routes_by() {
    let session = |language: Value| json!({ "id": "s", "channel": "web", "language": language });
    let table = [
        (
            json!({ "session": session(json!("pt")), "contact": {} }),
            "Non-Authenticated",
            json!("pt"),
            "pt_BR",
        ),
        (
            json!({ "session": session(json!("es-MX")) }),
            "Authenticated",
            json!("es-MX"),
            "es_MX",
        ),
        (
            json!({ "session": session(json!("zh-Hant-TW")) }),
            "Authenticated",
            json!("zh-Hant-TW"),
            "zh_TW",
        ),
        (
            json!({ "session": session(json!("fr")) }),
            "Authenticated",
            json!("fr"),
            "fr",
        ),
        (
            json!({ "session": session(json!("??")) }),
            "Authenticated",
            json!("??"),
            "de",
        ),
        (
            json!({ "session": session(Value::Null) }),
            "Authenticated",
            Value::Null,
            "de",
        ),
    ];
    for (change, consumer, detected, language) in table {
        let stub = Stub::answering(|_, _| status(201)).await;
        let desk = open(&connection_with(&[
            ("scrt_url", &stub.url),
            ("language_default", "de"),
        ]));
        let about = escalation_with(change);
        desk.create_conversation(&access(), effect(OURS, Earlier::Never), &about)
            .await
            .expect("created");
        let body = stub.asked().remove(0).body;
        assert_eq!(body["routingAttributes"]["Chat_Consumer_Type"], consumer);
        assert_eq!(body["routingAttributes"]["Priority"], "Low");
        assert_eq!(body["routingAttributes"]["Chat_language"], detected);
        assert_eq!(body["language"], language);
    }
}

#[tokio::test]
async fn a_creation_that_is_not_taken_ends_in_the_conversation_there_is() {
    let look = format!("GET conversation/{OURS}");
    let listed = |ids: &[(&str, u64)]| {
        let listed: Vec<Value> = ids
            .iter()
            .map(|(id, started)| json!({ "conversationId": id, "startTimestamp": started }))
            .collect();
        ok(json!({ "openConversationsFound": listed.len(), "conversations": listed }))
    };
    let other = "0a0b0c0d-0000-4000-8000-000000000002";
    let unavailable = DeskError::Unavailable {
        status: 412,
        retry_after: None,
        message: "Please retry.".into(),
    };
    let refused = DeskError::Refused {
        status: 409,
        message: "Please retry.".into(),
    };
    let renew = DeskError::Unauthorized("no explanation".into());
    let table = [
        ("ours is there", 409, status(200), listed(&[]), Ok(OURS)),
        (
            "ours is there",
            412,
            status(200),
            listed(&[(THEIRS, 1)]),
            Ok(OURS),
        ),
        (
            "ours is listed",
            409,
            status(403),
            listed(&[(OURS, 1), (THEIRS, 2)]),
            Ok(OURS),
        ),
        (
            "one is open",
            409,
            status(404),
            listed(&[(THEIRS, 1)]),
            Ok(THEIRS),
        ),
        (
            "one is open",
            412,
            status(400),
            listed(&[(THEIRS, 1)]),
            Ok(THEIRS),
        ),
        (
            "the newest of two",
            409,
            status(404),
            listed(&[(THEIRS, 2), (other, 1)]),
            Ok(THEIRS),
        ),
        ("none is open", 409, status(404), listed(&[]), Err(refused)),
        (
            "none is open",
            412,
            status(404),
            listed(&[]),
            Err(unavailable),
        ),
        (
            "no id of a conversation",
            409,
            status(404),
            listed(&[("../x", 1)]),
            Err(DeskError::Refused {
                status: 409,
                message: "Please retry.".into(),
            }),
        ),
        ("the token died", 409, status(401), listed(&[]), Err(renew)),
    ];
    for (case, status, looked_at, list, outcome) in table {
        let look = look.clone();
        let stub = Stub::answering(move |asked, _| match asked.what.as_str() {
            CREATE => Reply::Status(status, message("Please retry.")),
            LIST => list.clone(),
            what if what == look => looked_at.clone(),
            other => panic!("{other}"),
        })
        .await;
        let outcome = outcome.map(ConversationId::from);
        assert_eq!(create(&stub).await, outcome, "{case}, {status}");
    }
}

#[tokio::test]
async fn the_opening_message_is_sent_once_under_its_id() {
    let stub = Stub::answering(|_, _| {
        Reply::Status(202, json!({ "conversationEntries": [] }).to_string())
    })
    .await;
    assert_eq!(send_opening(&stub).await, Ok(()));
    let asked = stub.asked();
    assert_eq!(
        stub.what_was_asked(),
        [format!("POST conversation/{OURS}/message")]
    );
    assert_eq!(
        asked[0].body["message"],
        json!({
            "id": OPENING, "messageType": "StaticContentMessage",
            "staticContent": { "formatType": "Text", "text": "AI summary: charged twice for order 5512" },
        })
    );
    assert_eq!(asked[0].body["esDeveloperName"], "Support_Client");
    assert_eq!(asked[0].body["isNewMessagingSession"], false);
    assert_eq!(asked[0].body["routingAttributes"]["Origin"], "MIABOT");
}

#[tokio::test]
async fn a_message_without_a_session_asks_for_one_with_the_same_id() {
    let stub = Stub::answering(|asked, _| match asked.body["isNewMessagingSession"] {
        Value::Bool(true) => status(202),
        _ => Reply::Status(417, message("Expectation failed")),
    })
    .await;
    assert_eq!(send_opening(&stub).await, Ok(()));
    let [first, second] = stub.asked().try_into().expect("two messages");
    assert_eq!(first.body["message"], second.body["message"]);
    assert_eq!(
        first.body["routingAttributes"],
        second.body["routingAttributes"]
    );
}

#[tokio::test]
async fn a_refused_message_counts_as_sent_if_it_is_there() {
    let entries = |id: &str| {
        ok(json!({ "conversationEntries": [{ "identifier": id, "transcriptedTimestamp": 1 }] }))
    };
    let refused = |status, message: &str| {
        Err(DeskError::Refused {
            status,
            message: message.into(),
        })
    };
    let repeated = "10073 Invalid message ID. Provide a unique ID for each message entry.";
    let precondition = DeskError::Unavailable {
        status: 412,
        retry_after: None,
        message: "no".into(),
    };
    let table = [
        (400, repeated, entries(OPENING), Ok(())),
        (409, "conflict", entries(OPENING), Ok(())),
        (403, "closed", entries(OPENING), Ok(())),
        (400, repeated, entries(THEIRS), refused(400, repeated)),
        (409, "conflict", status(403), refused(409, "conflict")),
        (
            409,
            "conflict",
            status(500),
            Err(DeskError::Unavailable {
                status: 500,
                retry_after: None,
                message: "no explanation".into(),
            }),
        ),
        (
            409,
            "conflict",
            status(401),
            Err(DeskError::Unauthorized("no explanation".into())),
        ),
        (
            403,
            "no",
            entries(THEIRS),
            refused(403, "the conversation is closed (connection `acme`): no"),
        ),
        (
            413,
            "no",
            entries(THEIRS),
            refused(
                413,
                "the opening message is too long; lower `opening_chars_max` (connection `acme`): no",
            ),
        ),
        (
            400,
            "bad text: 'AI summary: charged twice for order 5512'",
            entries(THEIRS),
            refused(400, "an answer that repeats the message"),
        ),
        (412, "no", entries(OPENING), Err(precondition)),
        (
            401,
            "Jwt is expired",
            entries(OPENING),
            Err(DeskError::Unauthorized("Jwt is expired".into())),
        ),
    ];
    for (status, said, list, outcome) in table {
        let stub = Stub::answering(move |asked, _| match asked.what.starts_with("GET") {
            true => list.clone(),
            false => Reply::Status(status, message(said)),
        })
        .await;
        assert_eq!(send_opening(&stub).await, outcome, "{status} {said}");
    }
}

#[tokio::test]
async fn closing_is_done_when_nothing_is_open_any_more() {
    let list = |open: Value| ok(json!({ "conversations": open }));
    let table = [
        (status(204), list(json!([])), Ok(())),
        (status(200), list(json!([])), Ok(())),
        (status(403), list(json!([])), Ok(())),
        (status(404), list(json!([])), Ok(())),
        (status(409), list(json!([])), Ok(())),
        (Reply::Status(400, message("bad")), list(json!([])), Ok(())),
        (
            Reply::Status(400, message("bad")),
            list(json!([{ "conversationId": OURS }])),
            Err(DeskError::Refused {
                status: 400,
                message: "bad".into(),
            }),
        ),
        (
            status(401),
            list(json!([])),
            Err(DeskError::Unauthorized("no explanation".into())),
        ),
        (
            status(500),
            list(json!([])),
            Err(DeskError::Unavailable {
                status: 500,
                retry_after: None,
                message: "no explanation".into(),
            }),
        ),
    ];
    for (reply, open, outcome) in table {
        let answered = reply.clone();
        let stub = Stub::answering(move |asked, _| match asked.what.as_str() {
            LIST => open.clone(),
            what if what.ends_with("access-token") => status(500),
            _ => answered.clone(),
        })
        .await;
        assert_eq!(close(&stub).await, outcome, "{reply:?}");
        let asked = stub.asked();
        assert_eq!(asked[0].what, format!("DELETE conversation/{OURS}"));
        assert_eq!(asked[0].query, "esDeveloperName=Support_Client");
        let revoked = asked
            .iter()
            .any(|asked| asked.what.ends_with("access-token"));
        assert_eq!(revoked, outcome.is_ok());
    }
}

/// Texts from a rep, one each millisecond, as a desk lists them that has its own idea of order and bounds.
fn listing(entries: usize, newest_first: bool, heeds_bounds: bool) -> impl Fn(&str) -> Reply {
    move |query: &str| {
        let bound = |name: &str| {
            let given = query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            given
                .filter(|_| heeds_bounds)
                .and_then(|ms| ms.parse::<usize>().ok())
        };
        let from = bound("startTimestamp").unwrap_or(0);
        let until = bound("endTimestamp").map_or(entries, |to| entries.min(to + 1));
        let page: Vec<Value> = if newest_first {
            (from..until).rev().take(50).map(text_at).collect()
        } else {
            (from..until).take(50).map(text_at).collect()
        };
        ok(json!({ "conversationEntries": page }))
    }
}

fn text_at(ms: usize) -> Value {
    json!({
        "identifier": format!("m{ms:04}"), "entryType": "Message", "transcriptedTimestamp": ms,
        "sender": { "role": "Agent", "subject": "005" }, "senderDisplayName": "Maria R.",
        "entryPayload": { "entryType": "Message", "abstractMessage": {
            "staticContent": { "formatType": "Text", "text": "hi" } } },
    })
}

#[tokio::test]
async fn all_entries_are_listed_once_in_order_whatever_the_desks_order() {
    let table = [
        (0, true, 0..0),
        (7, true, 0..7),
        (7, false, 0..7),
        (50, true, 0..50),
        (230, true, 0..230),
        (230, false, 0..230),
    ];
    for (entries, newest_first, expected) in table {
        let list = listing(entries, newest_first, true);
        let stub = Stub::answering(move |asked, _| list(&asked.query)).await;
        let desk = open(&connection_with(&[("scrt_url", &stub.url)]));
        let found = desk
            .entries_since(&access(), &conversation(), None)
            .await
            .expect("entries");
        let ids: Vec<&str> = found.iter().map(|entry| entry.id.as_str()).collect();
        let expected: Vec<String> = expected.map(|ms| format!("m{ms:04}")).collect();
        assert_eq!(ids, expected);
        assert!(
            found
                .iter()
                .all(|entry| matches!(entry.what, Seen::Reply { .. }))
        );
        assert!(
            stub.asked()[0]
                .query
                .contains("limit=50&direction=FromStart")
        );
    }
}

#[tokio::test]
async fn a_listing_has_an_end_even_if_the_desk_repeats_itself() {
    let list = listing(230, true, false);
    let stub = Stub::answering(move |asked, _| list(&asked.query)).await;
    let desk = open(&connection_with(&[("scrt_url", &stub.url)]));
    let found = desk
        .entries_since(&access(), &conversation(), Some(clock::from_ms(9)))
        .await;
    assert_eq!(found.map(|found| found.len()), Ok(50));
    assert!(stub.asked()[0].query.contains("startTimestamp=9"));
    assert_eq!(stub.asked().len(), 3);

    let list = listing(100_000, true, true);
    let stub = Stub::answering(move |asked, _| list(&asked.query)).await;
    let desk = open(&connection_with(&[("scrt_url", &stub.url)]));
    let found = desk.entries_since(&access(), &conversation(), None).await;
    assert!(found.is_ok_and(|found| found.len() > 500));
    assert_eq!(stub.asked().len(), 40);
}
