//! Contacts who are support users already: the rep sees one person.

use baton::domain::connection::Connection;
use baton::sim::faults::{Fault, Nth, What};
use baton::sim::zendesk::ledger::SupportUser;
use baton::sim::zendesk::switches::SupportSearch;
use baton::sim::zendesk::{App, Options, call};
use serde_json::{Value, json};

use super::{app_with, connection_to, escalation_of, hand_over, open};

const PHONE: &str = "+14155550123";

fn person(phone: Option<&str>, email: Option<&str>, external_id: Option<&str>) -> SupportUser {
    SupportUser {
        id: 0,
        name: "Dana Reyes".into(),
        role: "end-user".into(),
        external_id: external_id.map(str::to_owned),
        phone: phone.map(str::to_owned),
        email: email.map(str::to_owned),
    }
}

fn connection(app: &App) -> Connection {
    let Options {
        support_email,
        support_token,
        ..
    } = app.options();
    let mut connection = connection_to(app, &[("support_email", support_email)]);
    connection
        .secrets
        .insert("support_token".into(), support_token.clone().into());
    connection
}

async fn app_of(people: Vec<SupportUser>) -> App {
    app_with(|options| options.support_users = people).await
}

fn contact(contact: Value) -> Value {
    json!({ "contact": contact })
}

/// Who asks on the ticket, after a handoff of this contact.
async fn requester(app: &App, who: Value) -> SupportUser {
    let desk = open(&connection(app));
    let (_, conversation) = hand_over(&*desk, &escalation_of("s1", contact(who))).await;
    let ledger = app.ledger();
    let ticket = ledger
        .tickets_of(conversation.as_str())
        .next()
        .expect("a ticket")
        .clone();
    let mut people = ledger.support_users.into_iter();
    people
        .find(|it| it.id == ticket.requester)
        .expect("a requester")
}

#[tokio::test]
async fn a_support_user_is_found_by_phone_however_support_searches() {
    for search in [SupportSearch::ByField, SupportSearch::ByWord] {
        let app = app_of(vec![
            person(Some(PHONE), None, None),
            person(Some("+441415550123"), None, None),
        ])
        .await;
        app.switch(|switches| switches.support_search = search);
        let requester = requester(&app, json!({ "phone": "+1 415 555 0123" })).await;
        assert_eq!(requester.phone.as_deref(), Some(PHONE));
        assert_eq!(
            requester.external_id.as_deref(),
            Some("opencx:+14155550123")
        );
        assert_eq!(app.ledger().support_users.len(), 2);
    }
}

#[tokio::test]
async fn the_external_id_that_a_support_user_has_is_kept() {
    let app = app_of(vec![person(Some(PHONE), None, Some("crm-991"))]).await;
    let requester = requester(&app, json!({ "phone": PHONE })).await;
    assert_eq!(requester.external_id.as_deref(), Some("crm-991"));
    let ledger = app.ledger();
    assert_eq!(ledger.users[0].external_id.as_deref(), Some("crm-991"));
    assert_eq!(ledger.users[0].metadata["phone"], PHONE);
    assert_eq!(app.calls(call::SUPPORT_UPDATE), 0);
}

#[tokio::test]
async fn an_email_address_links_only_if_it_is_verified() {
    let people = || vec![person(None, Some("Dana@x.example"), None)];
    let app = app_of(people()).await;
    let verified = requester(
        &app,
        json!({ "phone": PHONE, "email": "dana@x.example", "verified": true }),
    )
    .await;
    assert_eq!(verified.email.as_deref(), Some("Dana@x.example"));
    let app = app_of(people()).await;
    let unverified = requester(&app, json!({ "phone": PHONE, "email": "dana@x.example" })).await;
    assert_eq!(unverified.email, None);
}

#[tokio::test]
async fn nobody_is_linked_where_there_is_doubt() {
    let shared = vec![
        person(Some(PHONE), None, Some("a")),
        person(Some(PHONE), None, Some("b")),
    ];
    let app = app_of(shared).await;
    assert_eq!(
        requester(&app, json!({ "phone": PHONE }))
            .await
            .external_id
            .as_deref(),
        Some("opencx:+14155550123")
    );
    let longer = vec![person(Some("+141555501234"), None, Some("a"))];
    let app = app_of(longer).await;
    assert_eq!(
        requester(&app, json!({ "phone": PHONE }))
            .await
            .external_id
            .as_deref(),
        Some("opencx:+14155550123")
    );
    let agent = SupportUser {
        role: "agent".into(),
        ..person(Some(PHONE), None, Some("a"))
    };
    let app = app_of(vec![agent]).await;
    assert_eq!(
        requester(&app, json!({ "phone": PHONE }))
            .await
            .external_id
            .as_deref(),
        Some("opencx:+14155550123")
    );
}

#[tokio::test]
async fn an_external_id_that_somebody_else_has_is_left_with_them() {
    let taken = vec![
        person(Some(PHONE), None, None),
        person(None, None, Some("opencx:+14155550123")),
    ];
    let app = app_of(taken).await;
    let requester = requester(&app, json!({ "phone": PHONE })).await;
    assert_eq!(requester.phone, None);
}

#[tokio::test]
async fn a_support_that_refuses_us_does_not_hold_the_handoff_up() {
    let app = app_of(vec![person(Some(PHONE), None, None)]).await;
    let mut wrong = connection(&app);
    wrong
        .secrets
        .insert("support_token".into(), "expired".into());
    hand_over(
        &*open(&wrong),
        &escalation_of("s1", contact(json!({ "phone": PHONE }))),
    )
    .await;
    assert_eq!(
        app.ledger().users[0].external_id.as_deref(),
        Some("opencx:+14155550123")
    );
    assert_eq!(app.ledger().tickets.len(), 1);
}

#[tokio::test]
async fn a_support_that_is_away_for_a_moment_is_asked_again() {
    let app = app_of(vec![person(Some(PHONE), None, None)]).await;
    for call in [call::SUPPORT_SEARCH, call::SUPPORT_UPDATE] {
        app.faults()
            .fail(call, Nth::Next(1), Fault::after(What::status(503)));
        let desk = open(&connection(&app));
        let about = escalation_of("s1", contact(json!({ "phone": PHONE })));
        assert_eq!(
            desk.identity_token(&about)
                .await
                .expect_err("away")
                .status(),
            Some(503)
        );
    }
    requester(&app, json!({ "phone": PHONE })).await;
    assert_eq!(app.ledger().support_users.len(), 1);
}
