//! The stream: what is heard, where it is resumed, and how it ends.

use baton::desk::{Heard, Seen};
use baton::domain::error::DeskError;
use baton::domain::handoff::AccessToken;
use baton::domain::ids::Cursor;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::calls::{access, conversation};
use super::stub::{Reply, Stub, Then, bytes, ok, status};
use super::{LIMITS, connection_with, open};

type Outcome = Result<Vec<Result<Heard, DeskError>>, DeskError>;

async fn listen(reply: Reply, access: &AccessToken, cursor: Option<&str>) -> (Outcome, Stub) {
    let stub = Stub::answering(move |_, _| reply.clone()).await;
    let desk = open(&connection_with(&[("scrt_url", &stub.url)]));
    let cursor = cursor.map(Cursor::from);
    let heard = match desk.listen(access, &conversation(), cursor.as_ref()).await {
        Ok(stream) => Ok(stream.collect().await),
        Err(error) => Err(error),
    };
    (heard, stub)
}

fn frame(id: &str, conversation: &str, payload: &Value) -> String {
    let event = json!({ "conversationId": conversation, "channelType": "embedded_messaging", "conversationEntry": {
        "identifier": format!("e{id}"), "entryType": payload["entryType"], "entryPayload": payload.to_string(),
        "sender": { "role": "Agent", "subject": "005" }, "transcriptedTimestamp": 5 } });
    format!("event: CONVERSATION_MESSAGE\nid: {id}\ndata: {event}\n\n")
}

fn typing(id: &str, conversation: &str) -> String {
    frame(
        id,
        conversation,
        &json!({ "entryType": "TypingStartedIndicator" }),
    )
}

/// Cursor and entry of what was heard.
fn short(heard: Vec<Result<Heard, DeskError>>) -> Vec<(Option<String>, Option<String>)> {
    let heard = heard.into_iter().map(|heard| heard.expect("no error"));
    heard
        .map(|heard| {
            (
                heard.cursor.map(|cursor| cursor.0),
                heard.entry.map(|entry| entry.id.0),
            )
        })
        .collect()
}

#[tokio::test]
async fn each_frame_moves_the_cursor_and_only_ours_say_something() {
    let ours = conversation().0;
    let two = json!({ "entryType": "ParticipantChanged", "entries": [
        { "operation": "add", "participant": { "role": "Agent" } },
        { "operation": "remove", "participant": { "role": "Agent" } },
    ] });
    let pieces = vec![
        ": hello\n\n".to_owned(),
        "event: ping\nid: 99\ndata: 0\n\n".into(),
        typing("1", &ours),
        typing("2", "another"),
        frame("3", &ours, &json!({ "entryType": "SomethingNew" })),
        "id: 4\nevent: CONVERSATION_MESSAGE\ndata: {broken\n\n".into(),
        format!("id: 5\ndata: {{\"conversationId\":\"{ours}\"}}\n\n"),
        frame("6", &ours, &two),
        typing("7", &ours).replace("id: 7\n", ""),
        "data: not finished".into(),
    ];
    let (heard, stub) = listen(Reply::Stream(pieces, Then::Ends), &access(), Some("0")).await;
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        short(heard.expect("a stream")),
        [
            (None, None),
            (some("1"), some("e1")),
            (some("2"), None),
            (some("3"), None),
            (some("4"), None),
            (some("5"), None),
            (None, some("e6")),
            (some("6"), some("e6#1")),
            (None, some("e7")),
        ]
    );
    let asked = stub.asked().remove(0);
    assert_eq!(asked.what, "GET /eventrouter/v1/sse");
    let headers = [
        "authorization",
        "x-org-id",
        "last-event-id",
        "accept",
        "cache-control",
    ];
    let sent = headers.map(|name| asked.headers[name].to_str().expect("text"));
    assert_eq!(
        sent,
        [
            "Bearer access",
            "00Dxx0000000xxx",
            "0",
            "text/event-stream",
            "no-cache"
        ]
    );
}

#[tokio::test]
async fn a_stream_without_a_cursor_begins_where_its_token_does() {
    let with_cursor = AccessToken {
        cursor: Some(Cursor::from("17")),
        ..access()
    };
    let table = [
        (with_cursor.clone(), Some("20"), Some("20")),
        (with_cursor, None, Some("17")),
        (access(), None, None),
    ];
    for (access, cursor, sent) in table {
        let (_, stub) = listen(Reply::Stream(vec![], Then::Ends), &access, cursor).await;
        let asked = stub.asked().remove(0);
        let header = asked
            .headers
            .get("last-event-id")
            .map(|value| value.to_str().expect("text"));
        assert_eq!(header, sent);
    }
}

#[tokio::test]
async fn a_stream_that_stops_says_how() {
    let ours = conversation().0;
    let pieces = || vec![typing("1", &ours)];
    for (then, last) in [
        (Then::Ends, None),
        (
            Then::FallsSilent,
            Some(DeskError::Timeout(LIMITS.stream_silence)),
        ),
    ] {
        let (heard, _stub) = listen(Reply::Stream(pieces(), then), &access(), None).await;
        let mut heard = heard.expect("a stream");
        assert!(
            matches!(heard.remove(0), Ok(Heard { entry: Some(entry), .. }) if entry.what == Seen::Typing { typing: true })
        );
        assert_eq!(
            heard.pop().map(|last| last.expect_err("an end")),
            last,
            "{then:?}"
        );
        assert!(heard.is_empty());
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n64\r\ndata";
    let (url, _server) = bytes(head).await;
    let desk = open(&connection_with(&[("scrt_url", &url)]));
    let Ok(stream) = desk.listen(&access(), &conversation(), None).await else {
        panic!("no stream");
    };
    let heard: Vec<Result<Heard, DeskError>> = stream.collect().await;
    assert!(
        matches!(heard.as_slice(), [Err(DeskError::Broken(_))]),
        "{heard:?}"
    );

    let endless = vec!["x".repeat(1 << 20), "x".repeat(1 << 20)];
    let (heard, _stub) = listen(Reply::Stream(endless, Then::FallsSilent), &access(), None).await;
    assert_eq!(
        heard.expect("a stream"),
        [Err(DeskError::Broken(
            "an event of the stream has more than 1048576 bytes".into()
        ))]
    );
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_an_error() {
    let refused = "OrgId in the header and token must match";
    let table = [
        (
            Reply::Status(401, "Jwt is expired".into()),
            DeskError::Unauthorized("Jwt is expired".into()),
        ),
        (
            Reply::Status(400, refused.into()),
            DeskError::Refused {
                status: 400,
                message: refused.into(),
            },
        ),
        (
            status(503),
            DeskError::Unavailable {
                status: 503,
                retry_after: None,
                message: "no explanation".into(),
            },
        ),
        (
            status(204),
            DeskError::Broken("204 No Content without an event stream".into()),
        ),
        (
            ok(json!({})),
            DeskError::Broken("200 OK without an event stream".into()),
        ),
        (Reply::Silence, DeskError::Timeout(LIMITS.timeout)),
    ];
    for (reply, error) in table {
        let (heard, _stub) = listen(reply.clone(), &access(), None).await;
        assert_eq!(heard, Err(error), "{reply:?}");
    }
}
