//! What the calls about conversations accept, refuse and remember.

use std::time::Duration;

use baton::sim::salesforce::Variables;
use baton::sim::salesforce::call;
use baton::sim::salesforce::ledger::{ConversationState, RoutingStatus, SessionStatus};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::{Client, json_of, message, org, org_with, outcome, text, uuid};

const NOT_A_UUID: &str =
    "Specify the conversationId in UUID format. The UUID must be in lowercase.";

async fn code_and_message(response: Response) -> (u16, u64, String) {
    let status = response.status().as_u16();
    let body = json_of(response).await;
    (
        status,
        body["code"].as_u64().expect("a code"),
        text(&body["message"]),
    )
}

#[tokio::test]
async fn a_conversation_is_created_with_an_empty_201() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let id = uuid();
    assert_eq!(
        outcome(client.create(&id).await).await,
        (201, String::new())
    );
    let [conversation] = &org.conversations()[..] else {
        panic!("one conversation")
    };
    assert_eq!(
        (&conversation.id, &conversation.subject),
        (&id, &client.subject)
    );
    assert_eq!(conversation.language.as_deref(), Some("en_US"));
    assert_eq!(conversation.session().status, SessionStatus::Waiting);
}

#[tokio::test]
async fn ids_are_lower_case_uuids_of_version_4() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let upper = uuid().to_uppercase();
    let bad = [
        &upper,
        "cebf41a4f8a548aba628728 3c794c71c",
        "cebf41a4-f8a5-18ab-a628-7283c794c71c",
        "cebf41a4-f8a5-48ab-c628-7283c794c71c",
    ];
    for id in bad {
        assert_eq!(
            code_and_message(client.create(id).await).await,
            (400, 400, NOT_A_UUID.to_owned()),
            "{id}"
        );
    }
    let conversation = client.conversation().await;
    let (status, _, reason) = code_and_message(
        client
            .message(&conversation, &upper, "Hi")
            .send()
            .await
            .expect("an answer"),
    )
    .await;
    assert_eq!((status, reason.contains("message.id")), (400, true));
}

#[tokio::test]
async fn unknown_attributes_are_dropped_without_a_word() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let sent = json!({ "OpencxSessionId": "s-1", "Priority": "Low", "priority": "High", "Shoe_size": "42" });
    assert_eq!(
        client.create_with(&uuid(), sent.clone()).await.status(),
        StatusCode::CREATED
    );
    let conversation = org.conversation_of_session("s-1").expect("a conversation");
    assert_eq!(Value::from(conversation.session().sent.clone()), sent);
    assert_eq!(
        Value::from(conversation.session().accepted.clone()),
        json!({ "OpencxSessionId": "s-1", "Priority": "Low" })
    );
}

#[tokio::test]
async fn a_channel_may_know_every_attribute() {
    let org = org_with(|options| options.channel_variables = Variables::Any).await;
    let client = Client::verified(&org, "contact-42").await;
    client
        .create_with(&uuid(), json!({ "Shoe_size": "42" }))
        .await;
    assert_eq!(org.conversations()[0].session().accepted["Shoe_size"], "42");
}

#[tokio::test]
async fn attributes_are_strings_of_a_limited_length() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    for (attributes, code) in [
        (json!({ "Priority": 1 }), 400),
        (json!({ "Priority": "x".repeat(256) }), 10_096),
    ] {
        let (status, its, _) =
            code_and_message(client.create_with(&uuid(), attributes).await).await;
        assert_eq!((status, its), (400, code));
    }
}

#[tokio::test]
async fn a_message_is_accepted_and_comes_back_on_the_stream() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let mut events = client.listen().await;
    let id = uuid();
    let response = client
        .message(&conversation, &id, "Hi")
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let body = json_of(response).await;
    assert_eq!(body["conversationEntries"][0]["id"], id.as_str());
    assert!(body["conversationEntries"][0]["clientTimestamp"].is_u64());
    let echo = events.until("Hi").await.pop().expect("an event").entry();
    assert_eq!(
        (&echo["identifier"], &echo["sender"]["role"]),
        (&json!(id), &json!("EndUser"))
    );
    let [accepted] = &org.messages(&conversation)[..] else {
        panic!("one message")
    };
    assert_eq!(
        (&accepted.identifier, accepted.text.as_deref()),
        (&id, Some("Hi"))
    );
}

#[tokio::test]
async fn a_message_must_be_one_that_end_users_may_send() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let path = format!("conversation/{conversation}/message");
    let cases = [
        ("/message/messageType", json!("ChoicesMessage"), 10_062),
        ("/message/messageType", json!(null), 400),
        ("/message/staticContent/text", json!(""), 400),
        (
            "/message/staticContent/text",
            json!("x".repeat(10_001)),
            400,
        ),
        ("/message/staticContent/formatType", json!("RichLink"), 400),
        ("/esDeveloperName", json!("Nobody"), 400),
        ("/isNewMessagingSession", json!("yes"), 400),
    ];
    for (pointer, value, code) in cases {
        let mut body = message(&uuid(), "Hi");
        body["isNewMessagingSession"] = false.into();
        *body.pointer_mut(pointer).expect("a property") = value;
        let (status, its, _) =
            code_and_message(client.post(&path, body).send().await.expect("an answer")).await;
        assert_eq!((status, its), (400, code), "{pointer}");
    }
    let choice = json!({
        "message": {
            "id": uuid(), "messageType": "ChoicesResponseMessage", "inReplyToMessageId": uuid(),
            "choicesResponse": { "formatType": "Selections", "selectedOptions": [{ "optionIdentifier": uuid() }] },
        },
        "esDeveloperName": "OpenCX_Custom_Client",
    });
    assert_eq!(
        client
            .post(&path, choice)
            .send()
            .await
            .expect("an answer")
            .status(),
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn more_than_22_messages_a_minute_are_too_many_for_one_conversation() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let (one, other) = (client.conversation().await, client.conversation().await);
    for _ in 0..22 {
        assert_eq!(client.say(&one, "Hi").await.status(), StatusCode::ACCEPTED);
    }
    assert_eq!(
        client.say(&one, "Hi").await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(
        client.say(&other, "Hi").await.status(),
        StatusCode::ACCEPTED
    );
    org.advance(Duration::from_secs(61));
    assert_eq!(client.say(&one, "Hi").await.status(), StatusCode::ACCEPTED);
    assert_eq!(
        (org.messages(&one).len(), org.calls(call::MESSAGE)),
        (23, 25)
    );
}

#[tokio::test]
async fn a_foreign_or_unknown_conversation_is_not_found() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let foreign = Client::verified(&org, "contact-43")
        .await
        .conversation()
        .await;
    for id in [foreign, uuid()] {
        assert_eq!(client.say(&id, "Hi").await.status(), StatusCode::NOT_FOUND);
        let status = client
            .get(&format!("conversation/{id}"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(status.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_closed_conversation_takes_nothing_more() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let mut events = client.listen().await;
    let path = format!("conversation/{conversation}");
    let with_body = client
        .delete(&path)
        .json(&json!({}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(with_body.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        client
            .delete(&path)
            .send()
            .await
            .expect("an answer")
            .status(),
        StatusCode::NO_CONTENT
    );
    let names = events.names(4).await;
    assert_eq!(
        names[2..],
        [
            "CONVERSATION_SESSION_STATUS_CHANGED",
            "CONVERSATION_CLOSE_CONVERSATION"
        ]
    );
    assert_eq!(
        client.say(&conversation, "Hi").await.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(org.conversations()[0].state, ConversationState::Closed);
}

#[tokio::test]
async fn ending_the_session_leaves_the_conversation_open() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let ended = client
        .delete(&format!("conversation/{conversation}/session"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    let conversation = &org.conversations()[0];
    assert_eq!(
        (conversation.state, conversation.session().status),
        (ConversationState::Open, SessionStatus::Ended)
    );
}

#[tokio::test]
async fn conversations_are_listed_newest_first() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    Client::verified(&org, "contact-43")
        .await
        .conversation()
        .await;
    let (one, two, three) = (
        client.conversation().await,
        client.conversation().await,
        client.conversation().await,
    );
    client
        .delete(&format!("conversation/{two}"))
        .send()
        .await
        .expect("an answer");
    let list = async |query: &str| {
        json_of(
            client
                .get(&format!("conversation/list?{query}"))
                .send()
                .await
                .expect("an answer"),
        )
        .await
    };
    let ids = |answer: &Value| {
        answer["conversations"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| text(&it["conversationId"]))
            .collect::<Vec<_>>()
    };
    let open = list("inclClosedConvs=false&limit=20").await;
    assert_eq!(
        (
            &open["openConversationsFound"],
            &open["closedConversationsFound"]
        ),
        (&json!(2), &json!(1))
    );
    assert_eq!(ids(&open), [three.clone(), one.clone()]);
    assert_eq!(
        ids(&list("inclClosedConvs=true").await),
        [three.clone(), two, one.clone()]
    );
    assert_eq!(ids(&list("limit=1").await), [three]);
    assert_eq!(ids(&list(&format!("conversationId={one}")).await), [one]);
    assert_eq!(
        client
            .get("conversation/list?limit=51")
            .send()
            .await
            .expect("an answer")
            .status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn entries_come_newest_first_with_their_payload_as_an_object() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let rep = org.rep(&conversation);
    rep.types();
    for said in ["one", "two", "three"] {
        rep.says(said);
        org.advance(Duration::from_millis(10));
    }
    let list = async |query: &str| {
        let path = format!("conversation/{conversation}/entries?{query}");
        json_of(client.get(&path).send().await.expect("an answer")).await["conversationEntries"]
            .as_array()
            .expect("a list")
            .clone()
    };
    let said = |entries: &[Value]| {
        entries
            .iter()
            .map(|it| text(&it["entryPayload"]["abstractMessage"]["staticContent"]["text"]))
            .collect::<Vec<_>>()
    };
    let messages = list("entryTypeFilter=Message,RoutingWorkResult").await;
    assert_eq!(said(&messages), ["three", "two", "one"]);
    assert_eq!(
        said(&list("entryTypeFilter=Message&limit=2").await),
        ["three", "two"]
    );
    assert_eq!(
        said(&list("entryTypeFilter=Message&limit=2&direction=FromStart").await),
        ["one", "two"]
    );
    let second = &messages[1]["transcriptedTimestamp"];
    assert_eq!(
        said(&list(&format!("entryTypeFilter=Message&startTimestamp={second}")).await),
        ["three", "two"]
    );
    assert_eq!(
        said(&list(&format!("entryTypeFilter=Message&endTimestamp={second}")).await),
        ["two", "one"]
    );
    assert!(
        list("limit=50")
            .await
            .iter()
            .all(|entry| entry["entryType"] != "TypingStartedIndicator")
    );
}

#[tokio::test]
async fn routing_status_follows_the_rep() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let rep = org.rep(&conversation);
    let status = async || {
        text(
            &json_of(
                client
                    .get(&format!("conversation/{conversation}"))
                    .send()
                    .await
                    .expect("an answer"),
            )
            .await["routingStatus"],
        )
    };
    assert_eq!(status().await, "INITIAL");
    rep.joins();
    assert_eq!(status().await, "ROUTED");
    rep.leaves();
    assert_eq!(status().await, "TRANSFER");
    rep.ends();
    assert_eq!(status().await, "NEEDS_ROUTING");
    assert_eq!(org.conversations()[0].routing, RoutingStatus::NeedsRouting);
}

#[tokio::test]
async fn receipts_and_typing_are_remembered() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let entry = org.rep(&conversation).says("Hi");
    let receipt = |kind: &str, entry: &str| json!({ "acks": [{ "id": uuid(), "entryType": kind, "conversationEntryId": entry }] });
    let path = format!("conversation/{conversation}/acknowledge-entries");
    for (kind, entry, status) in [
        ("Delivery", entry.as_str(), 204),
        ("Read", &entry, 204),
        ("Seen", &entry, 400),
        ("Read", &uuid(), 400),
    ] {
        let response = client
            .post(&path, receipt(kind, entry))
            .send()
            .await
            .expect("an answer");
        assert_eq!(response.status(), status, "{kind}");
    }
    for (kind, status) in [
        ("TypingStartedIndicator", 200),
        ("TypingStoppedIndicator", 200),
        ("Message", 400),
    ] {
        let body = json!({ "entryType": kind, "id": uuid() });
        let response = client
            .post(&format!("conversation/{conversation}/entry"), body)
            .send()
            .await
            .expect("an answer");
        assert_eq!(response.status(), status, "{kind}");
    }
    let conversation = &org.conversations()[0];
    assert_eq!((conversation.receipts.len(), conversation.typing), (2, 1));
}

#[tokio::test]
async fn refusals_are_remembered() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    client.say(&uuid(), "Hi").await;
    let ledger = org.ledger();
    let [refused] = &ledger.refusals[..] else {
        panic!("one refusal")
    };
    assert_eq!((refused.call, refused.status), (call::MESSAGE, 404));
}
