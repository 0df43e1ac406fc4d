//! What the event stream carries, to whom, and from where on.

use std::time::Duration;

use baton::sim::salesforce::call;
use baton::sim::salesforce::switches::{OlderCursor, StreamAtExpiry};
use serde_json::json;

use super::{Client, org, org_with, outcome, uuid};

#[tokio::test]
async fn a_handoff_tells_its_story_on_the_stream() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let mut events = client.listen().await;
    let conversation = client.conversation().await;
    client
        .say(&conversation, "Customer: my order is late")
        .await;
    let rep = org.rep(&conversation);
    rep.joins();
    rep.types();
    rep.says("Hi, how are you?");
    rep.ends();
    let story = events.take(11).await;
    let names: Vec<_> = story
        .iter()
        .map(|event| event.name.trim_start_matches("CONVERSATION_"))
        .collect();
    let expected = [
        "SESSION_STATUS_CHANGED",
        "ROUTING_RESULT",
        "MESSAGE",
        "ROUTING_WORK_RESULT",
        "ROUTING_WORK_RESULT",
        "PARTICIPANT_CHANGED",
        "SESSION_STATUS_CHANGED",
        "TYPING_STARTED_INDICATOR",
        "MESSAGE",
        "PARTICIPANT_CHANGED",
        "SESSION_STATUS_CHANGED",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn an_envelope_carries_its_payload_as_a_string() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let mut events = client.listen().await;
    let conversation = client.conversation().await;
    let said = org.rep(&conversation).says("Grüße");
    let event = events.until("Grüße").await.pop().expect("an event");
    let envelope = event.envelope();
    assert_eq!(envelope["channelType"], "embedded_messaging");
    assert_eq!(envelope["conversationId"], conversation.as_str());
    let entry = event.entry();
    assert_eq!(entry["identifier"], said.as_str());
    assert_eq!(entry["senderDisplayName"], "Maria R.");
    assert_eq!(
        (&entry["sender"]["role"], &entry["sender"]["appType"]),
        (&json!("Agent"), &json!("agent"))
    );
    assert!(
        entry["sender"]["subject"]
            .as_str()
            .is_some_and(|it| it.starts_with("005") && it.len() == 15)
    );
    assert!(
        entry["relatedRecords"][0]
            .as_str()
            .is_some_and(|it| it.starts_with("0Mw") && it.len() == 15)
    );
    let payload = event.payload();
    assert_eq!(
        (&payload["entryType"], &payload["id"]),
        (&json!("Message"), &json!(said))
    );
    assert_eq!(payload["abstractMessage"]["id"], said.as_str());
}

#[tokio::test]
async fn pings_keep_a_stream_alive_and_have_no_id() {
    let org = org_with(|options| options.ping_every = Duration::from_millis(5)).await;
    let client = Client::verified(&org, "contact-42").await;
    let mut events = client.listen().await;
    for _ in 0..3 {
        let ping = events
            .frame()
            .await
            .expect("an unbroken stream")
            .expect("a frame");
        assert_eq!(
            (ping.name.as_str(), ping.id, ping.data.as_str()),
            ("ping", None, "0")
        );
    }
}

#[tokio::test]
async fn a_stream_needs_the_token_and_the_15_characters_of_its_org() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let url = format!("{}/eventrouter/v1/sse", org.url());
    let ask = |org_id: Option<&str>| {
        let request = client.http.get(&url).bearer_auth(&client.token);
        org_id
            .into_iter()
            .fold(request, |request, it| request.header("x-org-id", it))
            .send()
    };
    let (status, body) = outcome(ask(None).await.expect("an answer")).await;
    assert_eq!((status, body.contains("OrgId is required")), (400, true));
    let (status, body) = outcome(ask(Some("00Dxx0000000xxxAAA")).await.expect("an answer")).await;
    assert_eq!(
        (
            status,
            body.contains("OrgId in the header and token must match")
        ),
        (400, true)
    );
    assert!(
        ask(Some("00Dxx0000000xxx"))
            .await
            .expect("an answer")
            .status()
            .is_success()
    );
    org.expire_tokens();
    assert_eq!(
        outcome(client.stream().send().await.expect("an answer")).await,
        (401, "Jwt is expired".to_owned())
    );
}

#[tokio::test]
async fn a_stream_carries_all_conversations_of_its_end_user_and_no_others() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let stranger = Client::verified(&org, "contact-43").await;
    let mut events = client.listen().await;
    let (one, other) = (client.conversation().await, client.conversation().await);
    let foreign = stranger.conversation().await;
    org.rep(&foreign).says("not for you");
    org.rep(&one).says("one");
    org.rep(&other).says("other");
    let events = events.until("other").await;
    let conversations: Vec<_> = events
        .iter()
        .map(|event| event.envelope()["conversationId"].clone())
        .collect();
    assert!(conversations.contains(&json!(one)) && conversations.contains(&json!(other)));
    assert!(!conversations.contains(&json!(foreign)));
}

#[tokio::test]
async fn a_stream_resumes_after_the_cursor_with_nothing_missed_or_doubled() {
    let org = org().await;
    let mut client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let rep = org.rep(&conversation);
    rep.says("one");
    let cursor = client
        .listen()
        .await
        .until("one")
        .await
        .pop()
        .and_then(|event| event.id)
        .expect("an id");
    rep.says("two");
    client.last_event_id = cursor.to_string();
    let mut events = client.listen().await;
    rep.says("three");
    let said: Vec<_> = events
        .take(2)
        .await
        .iter()
        .map(super::Event::said)
        .collect();
    assert_eq!(said, ["two", "three"]);
}

#[tokio::test]
async fn a_stream_without_a_cursor_begins_with_its_token() {
    let org = org().await;
    let mut client = Client::verified(&org, "contact-42").await;
    client.conversation().await;
    for cursor in ["", "nonsense"] {
        client.last_event_id = cursor.to_owned();
        assert_eq!(
            client.listen().await.next().await.name,
            "CONVERSATION_SESSION_STATUS_CHANGED"
        );
    }
}

#[tokio::test]
async fn several_streams_of_one_user_get_the_same() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let (mut one, mut other) = (client.listen().await, client.listen().await);
    assert_eq!(org.look(|ledger| ledger.streams[&client.subject]), 2);
    let conversation = client.conversation().await;
    org.rep(&conversation).says("Hi");
    let ids =
        |events: Vec<super::Event>| events.into_iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(ids(one.until("Hi").await), ids(other.until("Hi").await));
    drop(one);
    org.wait_for(|ledger| ledger.open_streams() == 1).await;
}

#[tokio::test]
async fn what_is_not_kept_is_not_replayed() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let rep = org.rep(&conversation);
    org.switch(|switches| switches.replay_events = 1);
    rep.says("one");
    rep.says("two");
    assert_eq!(client.listen().await.next().await.said(), "two");
    org.switch(|switches| switches.replay_events = 0);
    rep.says("three");
    let mut events = client.listen().await;
    rep.says("four");
    assert_eq!(events.next().await.said(), "four");
}

#[tokio::test]
async fn a_cursor_survives_a_new_token_or_not_as_switched() {
    let org = org().await;
    let mut client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let cursor = client.last_event_id.clone();
    org.rep(&conversation).says("one");
    client.verify("contact-42").await;
    client.last_event_id = cursor;
    assert_eq!(
        client.listen().await.next().await.name,
        "CONVERSATION_SESSION_STATUS_CHANGED"
    );
    org.switch(|switches| switches.older_cursor = OlderCursor::Forgotten);
    let mut events = client.listen().await;
    org.rep(&conversation).says("two");
    assert_eq!(events.next().await.said(), "two");
}

#[tokio::test]
async fn an_open_stream_outlives_its_token_or_not_as_switched() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let mut events = client.listen().await;
    org.advance(Duration::from_secs(3_600));
    org.rep(&conversation).says("still there");
    events.until("still there").await;
    assert_eq!(client.create(&uuid()).await.status(), 401);

    org.switch(|switches| switches.stream_at_expiry = StreamAtExpiry::Cut);
    let client = Client::verified(&org, "contact-42").await;
    let mut events = client.listen().await;
    org.advance(Duration::from_secs(3_600));
    assert!(events.rest().await.1.is_ok());
}

#[tokio::test]
async fn a_stream_is_cut_by_its_token_s_own_expiry() {
    let org = org_with(|options| {
        options.token_lifetime = Duration::from_secs(1);
        options.switches.stream_at_expiry = StreamAtExpiry::Cut;
    })
    .await;
    let client = Client::verified(&org, "contact-42").await;
    assert!(client.listen().await.rest().await.1.is_ok());
}

#[tokio::test]
async fn all_streams_can_be_ended_at_once() {
    let org = org().await;
    let mut events = Client::verified(&org, "contact-42").await.listen().await;
    org.end_streams();
    assert!(events.rest().await.1.is_ok());
    org.wait_for(|ledger| ledger.open_streams() == 0 && ledger.calls(call::EVENT_STREAM) == 1)
        .await;
}
