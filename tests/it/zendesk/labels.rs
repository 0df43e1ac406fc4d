//! Tags, ids and configured metadata: on the conversation, and on the ticket when it is made.

use baton::domain::seal::ExposeSecret;
use serde_json::json;

use super::{app_with, connection_to, converse, escalation_of, hand_over, open};

#[tokio::test]
async fn tags_ids_and_fields_are_on_the_ticket_when_it_is_made() {
    let app = app_with(|_| ()).await;
    let desk = open(&connection_to(
        &app,
        &[
            ("attribute.brand", "session.custom.Brand"),
            ("attribute.40033266756891", "session.id"),
            ("attribute.dataCapture.systemField.priority", "\"high\""),
            ("attribute.origin_source_type", "\"twilio\""),
            ("attribute.nothing", "contact.custom.Nothing"),
        ],
    ));
    let about = escalation_of(
        "s1",
        json!({
            "sentiment": "Very Negative!", "attributes": { "Department": "Billing", "opencx_session_id": "forged" },
        }),
    );
    let (_, conversation) = hand_over(&*desk, &about).await;
    let made = app.conversation_of_session("s1").expect("a conversation");
    let expected = json!({
        "Department": "Billing", "brand": "Acme", "opencx_contact_id": "c-s1", "opencx_session_id": "s1",
        "baton_key": made.metadata["baton_key"], "zen:ticket_field:40033266756891": "s1",
        "zen:ticket:tags": "opencx_channel_sms,opencx_handedoff,opencx_sentiment_very_negative_",
    });
    assert_eq!(json!(made.metadata), expected);
    let ticket = &app.tickets(conversation.as_str())[0];
    assert_eq!(
        ticket.tags,
        [
            "opencx_channel_sms",
            "opencx_handedoff",
            "opencx_sentiment_very_negative_"
        ]
    );
    assert_eq!(json!(ticket.fields), json!({ "40033266756891": "s1" }));
    assert_eq!(json!(ticket.system), json!({ "priority": "high" }));
    assert_eq!(ticket.requester_name.as_deref(), Some("Dana Reyes"));
    let passed = &app.conversations()[0].controls[0].metadata;
    assert_eq!(passed["opencx_session_id"], "s1");
    assert_eq!(passed["origin_source_type"], "twilio");
    assert_eq!(passed["dataCapture.ticketField.40033266756891"], "s1");
    assert_eq!(
        passed["dataCapture.systemField.tags"],
        made.metadata["zen:ticket:tags"]
    );
}

#[tokio::test]
async fn every_channel_has_its_tag() {
    for channel in ["web", "sms", "whatsapp", "phone"] {
        let app = app_with(|_| ()).await;
        let desk = open(&connection_to(&app, &[]));
        let about = escalation_of(
            "s1",
            json!({ "session": { "id": "s1", "channel": channel } }),
        );
        let (_, conversation) = hand_over(&*desk, &about).await;
        let tags = app.tickets(conversation.as_str())[0].tags.clone();
        assert_eq!(
            tags,
            [
                format!("opencx_channel_{channel}"),
                "opencx_handedoff".into()
            ]
        );
    }
}

#[tokio::test]
async fn metadata_stays_within_what_zendesk_takes() {
    let (app, desk) = super::app_and_desk().await;
    let attributes: serde_json::Map<_, _> = (0..9)
        .map(|n| (format!("a{n}"), json!("x".repeat(700))))
        .collect();
    let about = escalation_of("s1", json!({ "attributes": attributes }));
    converse(&*desk, &about).await;
    let made = app.conversation_of_session("s1").expect("it was taken");
    assert!(made.metadata.contains_key("a0") && !made.metadata.contains_key("a8"));
    assert!(made.metadata.contains_key("zen:ticket:tags"));
}

#[tokio::test]
async fn the_phone_comes_first_and_an_email_address_only_if_it_is_verified() {
    let table = [
        (
            json!({ "phone": "+1 (415) 555-0123", "email": "d@x.example", "verified": true, "name": "Dana" }),
            "opencx:+14155550123",
            Some("d@x.example"),
        ),
        (
            json!({ "phone": "+1 (415) 555-0123", "email": "d@x.example" }),
            "opencx:+14155550123",
            None,
        ),
        (
            json!({ "email": "D@x.example", "verified": true }),
            "opencx:d@x.example",
            Some("D@x.example"),
        ),
        (
            json!({ "email": "d@x.example", "id": "c7" }),
            "opencx:contact:c7",
            None,
        ),
        (json!({}), "opencx:session:s1", None),
    ];
    for (contact, external_id, email) in table {
        let (app, desk) = super::app_and_desk().await;
        desk.identity_token(&escalation_of("s1", json!({ "contact": contact })))
            .await
            .expect("a user");
        let user = app.ledger().users[0].clone();
        assert_eq!(user.external_id.as_deref(), Some(external_id));
        assert_eq!(user.profile.get("email").and_then(|it| it.as_str()), email);
        let phone = external_id
            .strip_prefix("opencx:")
            .filter(|it| it.starts_with('+'));
        assert_eq!(user.metadata.get("phone").and_then(|it| it.as_str()), phone);
    }
}

#[tokio::test]
async fn what_zendesk_refuses_in_a_name_is_left_out() {
    for name in [
        "",
        " ",
        "Dana",
        "Dana María de los Ángeles",
        &"x".repeat(300),
    ] {
        let (app, desk) = super::app_and_desk().await;
        let contact = json!({ "contact": { "id": "c1", "name": name } });
        desk.identity_token(&escalation_of("s1", contact))
            .await
            .expect("a user");
        assert!(app.ledger().refusals.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_user_who_is_there_is_taken_and_told_what_it_does_not_know() {
    let (app, desk) = super::app_and_desk().await;
    let phone = "+14155550123";
    let first = escalation_of("s1", json!({ "contact": { "phone": phone } }));
    let first = desk.identity_token(&first).await.expect("a user");
    let second = escalation_of("s2", json!({ "contact": { "phone": phone, "id": "c9" } }));
    for _ in 0..2 {
        let second = desk.identity_token(&second).await.expect("the same user");
        assert_eq!(first.token.expose_secret(), second.token.expose_secret());
    }
    let users = app.ledger().users;
    assert_eq!(users.len(), 1);
    assert_eq!(
        json!(users[0].metadata),
        json!({ "phone": phone, "opencx_contact_id": "c9" })
    );
    assert_eq!(app.calls(baton::sim::zendesk::call::UPDATE_USER), 1);
}
