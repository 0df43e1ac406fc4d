//! Each switch changes what its unknown is about.

use baton::sim::salesforce::call;
use baton::sim::salesforce::ledger::Repeat;
use baton::sim::salesforce::switches::{
    Done, ErrorBody, RepeatedClose, RepeatedConversation, RepeatedMessage, SecondConversation,
    SessionlessMessage, Storage, Switches, UnknownFields,
};
use serde_json::json;

use super::{Client, message, org, outcome, uuid};

#[tokio::test]
async fn a_repeated_conversation_id() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let id = client.conversation().await;
    for (switch, status) in [
        (RepeatedConversation::Accepted, 201),
        (RepeatedConversation::Conflict, 409),
    ] {
        org.switch(|switches| switches.repeated_conversation = switch);
        assert_eq!(client.create(&id).await.status(), status);
    }
    org.switch(|switches| switches.repeated_conversation = RepeatedConversation::Accepted);
    assert_eq!(
        Client::verified(&org, "contact-43")
            .await
            .create(&id)
            .await
            .status(),
        409
    );
    let ledger = org.ledger();
    assert_eq!((ledger.conversations.len(), ledger.repeats.len()), (1, 3));
    assert_eq!(ledger.conversations[0].sessions.len(), 1);
}

#[tokio::test]
async fn a_second_conversation() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    client.conversation().await;
    let cases = [
        (SecondConversation::Conflict, 409),
        (SecondConversation::PreconditionFailed, 412),
        (SecondConversation::Created, 201),
    ];
    for (switch, status) in cases {
        org.switch(|switches| switches.second_conversation = switch);
        assert_eq!(client.create(&uuid()).await.status(), status);
    }
    org.switch(|switches| switches.second_conversation = SecondConversation::Conflict);
    let anonymous = Client::anonymous(&org).await;
    anonymous.conversation().await;
    anonymous.conversation().await;
}

#[tokio::test]
async fn full_storage() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    org.switch(|switches| switches.storage = Storage::Full);
    let (status, body) = outcome(client.create(&uuid()).await).await;
    assert_eq!(
        (status, body.contains("Conversation Precondition failed")),
        (412, true)
    );
    assert!(org.conversations().is_empty());
}

#[tokio::test]
async fn a_repeated_message_id() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let id = uuid();
    let send = async |text: &str| {
        client
            .message(&conversation, &id, text)
            .send()
            .await
            .expect("an answer")
            .status()
    };
    assert_eq!(send("Hi").await, 202);
    for (switch, status) in [
        (RepeatedMessage::Ignored, 202),
        (RepeatedMessage::BadRequest, 400),
        (RepeatedMessage::Conflict, 409),
    ] {
        org.switch(|switches| switches.repeated_message = switch);
        assert_eq!(send("Hi").await, status);
    }
    assert_eq!(send("Something else").await, 409);
    assert_eq!(org.messages(&conversation).len(), 1);
    let same: Vec<_> = org.ledger().repeats.iter().map(|it| it.same).collect();
    assert_eq!(same, [true, true, true, false]);
    assert_eq!(
        org.ledger().repeats[0],
        Repeat {
            call: call::MESSAGE,
            id,
            same: true
        }
    );
}

#[tokio::test]
async fn a_message_without_a_session() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    org.rep(&conversation).ends();
    org.switch(|switches| switches.sessionless_message = SessionlessMessage::ExpectationFailed);
    assert_eq!(client.say(&conversation, "Hello?").await.status(), 417);
    let mut body = message(&uuid(), "Hello?");
    body["isNewMessagingSession"] = true.into();
    body["routingAttributes"] = json!({ "Priority": "High" });
    let response = client
        .post(&format!("conversation/{conversation}/message"), body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 202);
    let sessions = org.conversations()[0].sessions.clone();
    assert_eq!(
        (sessions.len(), &sessions[1].accepted["Priority"]),
        (2, &json!("High"))
    );

    org.rep(&conversation).ends();
    org.switch(|switches| switches.sessionless_message = SessionlessMessage::StartsSession);
    assert_eq!(client.say(&conversation, "Hello?").await.status(), 202);
    assert_eq!(org.conversations()[0].sessions.len(), 3);
}

#[tokio::test]
async fn an_unknown_field() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let mut body = json!({ "conversationId": uuid(), "esDeveloperName": "OpenCX_Custom_Client", "priority": "Low" });
    let (status, text) = outcome(
        client
            .post("conversation", body.clone())
            .send()
            .await
            .expect("an answer"),
    )
    .await;
    assert_eq!((status, text.contains("priority")), (400, true));
    org.switch(|switches| switches.unknown_fields = UnknownFields::Ignored);
    body["conversationId"] = uuid().into();
    assert_eq!(
        client
            .post("conversation", body)
            .send()
            .await
            .expect("an answer")
            .status(),
        201
    );
}

#[tokio::test]
async fn a_repeated_close() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let path = format!("conversation/{}", client.conversation().await);
    let close = async || {
        client
            .delete(&path)
            .send()
            .await
            .expect("an answer")
            .status()
    };
    assert_eq!(close().await, 204);
    for (switch, status) in [
        (RepeatedClose::Forbidden, 403),
        (RepeatedClose::Accepted, 204),
        (RepeatedClose::NotFound, 404),
    ] {
        org.switch(|switches| switches.repeated_close = switch);
        assert_eq!(close().await, status);
    }
}

#[tokio::test]
async fn the_status_of_a_success_without_a_body() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    org.switch(|switches| (switches.deletes, switches.acknowledgements) = (Done::Ok, Done::Ok));
    let path = format!("conversation/{}", client.conversation().await);
    let acknowledged = client
        .post(
            &format!("{path}/acknowledge-entries"),
            json!({ "acks": [] }),
        )
        .send()
        .await;
    assert_eq!(
        outcome(acknowledged.expect("an answer")).await,
        (200, String::new())
    );
    assert_eq!(
        outcome(client.delete(&path).send().await.expect("an answer")).await,
        (200, String::new())
    );
}

#[tokio::test]
async fn the_body_of_an_error() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let reason = "The conversation doesn't exist.";
    let cases = [
        (
            ErrorBody::CodeAndMessage,
            json!({ "code": 404, "message": reason }).to_string(),
        ),
        (ErrorBody::Message, json!({ "message": reason }).to_string()),
        (ErrorBody::Text, reason.to_owned()),
    ];
    for (switch, body) in cases {
        org.switch(|switches| switches.error_body = switch);
        assert_eq!(outcome(client.say(&uuid(), "Hi").await).await, (404, body));
    }
}

#[test]
fn switches_are_words_in_json_and_default_when_left_out() {
    let switches: Switches =
        serde_json::from_value(json!({ "rep_end": "ended-only", "replay_events": 0 }))
            .expect("switches");
    let all = serde_json::to_value(&switches).expect("json");
    assert_eq!(
        (&all["rep_end"], &all["bad_identity"]),
        (&json!("ended-only"), &json!("unauthorized"))
    );
    assert!(serde_json::from_value::<Switches>(json!({ "no_such_switch": true })).is_err());
}
