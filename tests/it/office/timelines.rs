//! One handoff in the order of time: tries, events, replies, the contact's messages and what operators did.

use std::time::Duration;

use baton::domain::error::DeskError;
use serde_json::Value;

use super::privacy::is_over;
use super::{Office, contact_writes, refused};
use crate::world::escalation;

fn entries(timeline: &Value) -> Vec<String> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or("-").to_owned();
    let names = ["step", "routing_key", "name", "action"];
    timeline
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| {
            let name = names.iter().find(|name| !entry[**name].is_null());
            let name = name.map_or_else(|| "-".to_owned(), |name| text(entry, name));
            format!("{} {name}", text(entry, "what"))
        })
        .collect()
}

#[tokio::test]
async fn a_timeline_has_everything_in_its_order_and_words_only_on_request() {
    let office = Office::new();
    let row = office.escalates(&escalation("s-1", "web")).await;
    office.pass(Duration::from_secs(1));
    office.dies(row, refused("the deployment is off")).await;
    office.pass(Duration::from_millis(1_500));
    office
        .post("dead-letters/s-1/replay", serde_json::json!({}))
        .await;
    office.pass(Duration::from_secs(1));
    let message = contact_writes("s-1", "m1", "my zanzibar order");
    office.takes(&message, "contact.message", 1).await;
    office.pass(Duration::from_secs(1));
    is_over(&office, row, "about zanzibar").await;

    let shown = office.get("handoffs/s-1").await;
    let timeline = &shown[0]["timeline"];
    assert_eq!(
        entries(timeline),
        [
            "lifecycle lifecycle.accepted",
            "attempt identity-token",
            "lifecycle lifecycle.failed",
            "dead letter permanent.desk-refused",
            "operator replay",
            "contact contact.message",
            "attempt identity-token",
            "attempt close",
            "lifecycle lifecycle.live",
            "reply reply.web",
            "lifecycle lifecycle.ended",
            "operator end",
        ]
    );
    let failed = &timeline[1];
    assert_eq!(
        (&failed["code"], &failed["http_status"], &failed["took_ms"]),
        (&"desk-refused".into(), &400.into(), &120.into())
    );
    assert!(!shown.to_string().contains("zanzibar"), "{shown}");
    let whole = office.get("handoffs/s-1?content=true").await;
    let whole = &whole[0]["timeline"];
    assert_eq!(whole[9]["text"], "about zanzibar");
    assert_eq!(
        whole[5]["event"]["data"]["message"]["text"],
        "my zanzibar order"
    );
    // By each of its ids.
    let id = shown[0]["id"].as_str().expect("an id");
    for by in [id, &format!("conversation-{row}")] {
        assert_eq!(office.get(&format!("handoffs/{by}")).await, shown, "{by}");
    }
}

#[tokio::test]
async fn a_handoff_that_failed_twice_shows_both_generations() {
    let office = Office::new();
    let row = office.set_aside("s-2", "acme", refused("no")).await;
    office
        .post("dead-letters/s-2/replay", serde_json::json!({}))
        .await;
    office.dies(row, DeskError::InDoubt).await;
    let shown = office.get("handoffs/s-2").await;
    let attempts = shown[0]["attempts"].as_array().expect("attempts");
    let told: Vec<_> = attempts
        .iter()
        .map(|attempt| (attempt["generation"].as_u64(), attempt["code"].as_str()))
        .collect();
    assert_eq!(
        told,
        [(Some(1), Some("desk-refused")), (Some(2), Some("in-doubt"))]
    );
}
