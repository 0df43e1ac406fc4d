//! Edit and replay: off by default; checked as what comes in; the original stays, and the audit names fields, not values.

use axum::http::Method;
use baton::domain::handoff::Status;
use baton::store::Receipt;
use serde_json::{Value, json};

use super::{Office, refused};
use crate::world::escalation;

const ON: [(&str, &str); 1] = [("BATON__OPERATOR__EDIT", "true")];

async fn edit(office: &Office, id: &str, event: &Value) -> (u16, Value) {
    let path = format!("dead-letters/{id}/edit");
    let asked = json!({ "event": event });
    office.ask(Method::POST, &path, Some(asked)).await
}

fn audits(office: &Office) -> Vec<String> {
    let database = office.database();
    let mut found = database
        .prepare("SELECT who || ': ' || about FROM audit WHERE action = 'edit'")
        .expect("a query");
    let found = found.query_map([], |found| found.get(0)).expect("rows");
    found.collect::<Result<_, _>>().expect("texts")
}

#[tokio::test]
async fn nothing_can_be_edited_unless_that_is_on() {
    let office = Office::new();
    office
        .set_aside("s-1", "acme-salesforce", refused("no"))
        .await;
    let mut event = escalation("s-1", "web");
    event["data"]["summary"] = json!("better");
    let (status, said) = edit(&office, "s-1", &event).await;
    assert_eq!(status, 409);
    assert!(said.to_string().contains("operator.edit = true"), "{said}");
}

#[tokio::test]
async fn an_edited_escalation_is_a_new_generation_and_the_original_stays() {
    let office = Office::with(&ON);
    let row = office
        .set_aside("s-1", "acme-salesforce", refused("no"))
        .await;
    let original = escalation("s-1", "web");
    let mut event = original.clone();
    event["data"]["summary"] = json!("a zanzibar refund");
    event["data"]["contact"]["phone"] = json!("+14155550177");
    let asked = json!({ "event": event, "dry_run": true });
    let differs = office.post("dead-letters/s-1/edit", asked).await;
    assert_eq!(
        differs["changed"],
        json!(["data.contact.phone", "data.summary"])
    );
    let (status, said) = edit(&office, "s-1", &event).await;
    assert_eq!((status, &said["generation"]), (200, &json!(2)), "{said}");
    let handoff = office.store().load(row).await.expect("a handoff").handoff;
    assert_eq!(
        handoff.escalation.summary.as_deref(),
        Some("a zanzibar refund")
    );
    assert_eq!(handoff.generation, 2);
    assert!(matches!(handoff.status, Status::Due { .. }));
    let id = handoff.id;
    assert_eq!(
        audits(&office),
        [format!(
            "api: dead letter {id}, generation 2: data.contact.phone, data.summary"
        )]
    );
    // Both are known from now on: upstream's copy, and the dead letter of the edited one.
    let body = original.to_string().into_bytes();
    assert_eq!(
        office.takes(&body, "escalation.requested", 1).await,
        Receipt::Duplicate
    );
    assert_eq!(
        office.takes(&body, "escalation.requested", 2).await,
        Receipt::Duplicate
    );
    let kept: i64 = office
        .database()
        .query_row(
            "SELECT count(*) FROM inbox WHERE body = ?1",
            [&body],
            |found| found.get(0),
        )
        .expect("a count");
    assert_eq!(kept, 1, "the original");
    let (status, _) = edit(&office, "s-1", &event).await;
    assert_eq!(status, 409, "it is not open any more");
    office.dies(row, refused("still no")).await;
    let edited = event.to_string().into_bytes();
    let back = office.takes(&edited, "escalation.requested", 3).await;
    assert_eq!(back, Receipt::Replayed(row));
}

#[tokio::test]
async fn what_would_be_poison_or_another_handoff_is_refused_by_name() {
    let office = Office::with(&ON);
    office
        .set_aside("s-1", "acme-salesforce", refused("no"))
        .await;
    let original = escalation("s-1", "web");
    let with = |change: fn(&mut Value)| {
        let mut event = original.clone();
        change(&mut event);
        event
    };
    for (event, named) in [
        (
            with(|event| event["data"]["session"]["channel"] = json!("fax")),
            "data.session.channel",
        ),
        (
            with(|event| event["data"]["connection"] = Value::Null),
            "data.connection",
        ),
        (
            with(|event| event["id"] = json!("another")),
            "id: cannot be changed",
        ),
        (
            with(|event| {
                event["subject"] = json!("s-2");
                event["data"]["session"]["id"] = json!("s-2");
            }),
            "data.session.id: cannot be changed",
        ),
        (original.clone(), "nothing is changed"),
    ] {
        let (status, said) = edit(&office, "s-1", &event).await;
        assert_eq!(status, 422, "{said}");
        assert!(said.to_string().contains(named), "{named} in {said}");
    }
    assert!(audits(&office).is_empty());
    assert_eq!(
        office.get("dead-letters").await.as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn poison_is_put_right_and_becomes_the_handoff_it_should_have_been() {
    let office = Office::with(&ON);
    let event = escalation("s-1", "web");
    let mut broken = event.clone();
    broken["data"]["session"]["channel"] = json!("fax");
    let body = broken.to_string().into_bytes();
    office.takes(&body, "escalation.requested", 1).await;
    let letters = office.get("dead-letters").await;
    let id = letters[0]["id"].as_str().expect("an id");
    let (status, said) = edit(&office, id, &event).await;
    assert_eq!(
        (status, &said["changed"]),
        (200, &json!(["data.session.channel"])),
        "{said}"
    );
    let shown = office.get("handoffs/s-1").await;
    assert_eq!(shown[0]["status"], "due");
    let before = office.get(&format!("dead-letters/{id}?content=true")).await;
    assert_eq!(before["state"], "replayed");
    assert!(before.to_string().contains("fax"), "the original stays");
}
