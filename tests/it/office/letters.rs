//! Dead letters: every one is found, counted and paged, whatever it was; discarded is not gone, and does not come back.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use baton::domain::dead_letter::Cause;
use baton::domain::error::{Code, DeskError};
use baton::domain::handoff::Step;
use baton::store::{Carried, Receipt};
use serde_json::{Value, json};

use super::{Office, contact_writes, refused};

const HOUR: Duration = Duration::from_secs(3600);

fn sessions(letters: &Value) -> Vec<&str> {
    let letters = letters.as_array().expect("a list");
    letters
        .iter()
        .filter_map(|letter| letter["session"].as_str())
        .collect()
}

/// Something a contact wrote that no escalation came for.
async fn nobody_heard(office: &Office, session: &str, id: &str) -> Vec<u8> {
    let body = contact_writes(session, id, "is anybody there?");
    assert_eq!(
        office.takes(&body, "contact.message", 1).await,
        Receipt::ForRep
    );
    let now = office.clock.now();
    let (items, _) = office
        .store()
        .for_rep(now, Duration::ZERO, 10)
        .await
        .expect("items");
    let item = items
        .iter()
        .find(|item| item.session.as_str() == session)
        .expect("it waits");
    let cause = Cause {
        code: Code::NoHandoff,
        step: Step::ContactMessage,
        reason: format!("no escalation of session `{session}` has come"),
        http_status: None,
    };
    office
        .store()
        .carried(item, Carried::SetAside(cause, None), now)
        .await
        .expect("set aside");
    body
}

#[tokio::test]
async fn each_filter_finds_what_it_says_and_nothing_else() {
    let office = Office::new();
    office
        .set_aside("old", "acme", refused("the 100% rule_x"))
        .await;
    office.pass(2 * HOUR);
    office.set_aside("new", "globex", DeskError::InDoubt).await;
    office.takes(b"{ no json", "escalation.requested", 1).await;
    nobody_heard(&office, "early", "m1").await;
    let all = office.get("dead-letters").await;
    let about: Vec<&Value> = all
        .as_array()
        .expect("a list")
        .iter()
        .map(|letter| &letter["about"])
        .collect();
    assert_eq!(about, ["contact", "delivery", "handoff", "handoff"]);
    for (query, found) in [
        ("connection=acme", vec!["old"]),
        ("code=in-doubt", vec!["new"]),
        ("code=in-doubt&connection=acme", vec![]),
        ("step=contact-message", vec!["early"]),
        ("step=identity-token", vec!["new", "old"]),
        ("class=permanent", vec!["early", "new", "old"]),
        ("session=new", vec!["new"]),
        ("older=1h", vec!["old"]),
        ("newer=1h", vec!["early", "new"]),
        ("text=100%25+rule_x", vec!["old"]),
        // Neither is a pattern.
        ("text=1%25rule", vec![]),
        ("text=rule-x", vec![]),
        ("text=GLOBEX", vec!["new"]),
        ("text=&connection=&limit=", vec!["early", "new", "old"]),
        ("limit=2", vec!["early"]),
    ] {
        let letters = office.get(&format!("dead-letters?{query}")).await;
        assert_eq!(sessions(&letters), found, "{query}");
    }
    let (status, said) = office
        .ask(
            Method::GET,
            "dead-letters?conection=acme&code=nonsense&older=soon",
            None,
        )
        .await;
    assert_eq!(status, 422);
    let named: BTreeSet<&str> = said["problems"]
        .as_array()
        .expect("problems")
        .iter()
        .filter_map(|problem| problem["setting"].as_str())
        .collect();
    assert_eq!(named, BTreeSet::from(["code", "conection", "older"]));
}

#[tokio::test]
async fn letters_of_one_cause_are_one_group_with_its_first_and_last() {
    let office = Office::new();
    for number in 0..3 {
        let message = format!("deployment {number}4711 is off");
        office
            .set_aside(&format!("s{number}"), "acme", refused(&message))
            .await;
        office.pass(HOUR);
    }
    office.set_aside("other", "acme", DeskError::InDoubt).await;
    for session in ["e1", "e2"] {
        nobody_heard(&office, session, session).await;
    }
    let groups = office.get("dead-letter-groups").await;
    let counts: Vec<_> = groups
        .as_array()
        .expect("a list")
        .iter()
        .map(|group| {
            (
                group["code"].as_str().unwrap_or_default(),
                group["count"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        counts,
        [
            ("desk-refused", Some(3)),
            ("no-handoff", Some(2)),
            ("in-doubt", Some(1))
        ]
    );
    assert_eq!(groups[0]["first_seen"], "2026-11-20T15:00:00Z");
    assert_eq!(groups[0]["last_seen"], "2026-11-20T17:00:00Z");
    let cause = groups[0]["of"].as_str().expect("a cause");
    let of_it = office.get(&format!("dead-letters?cause={cause}")).await;
    assert_eq!(sessions(&of_it), ["s2", "s1", "s0"]);
    let by = office.get("dead-letter-groups?by=connection").await;
    assert_eq!((&by[0]["of"], &by[0]["count"]), (&json!("acme"), &json!(4)));
    let (status, said) = office
        .ask(Method::GET, "dead-letter-groups?by=colour", None)
        .await;
    assert_eq!(
        (status, &said["problems"][0]["setting"]),
        (422, &json!("by"))
    );
}

#[tokio::test]
async fn the_oldest_of_many_is_found_and_pages_hold_each_once() {
    let office = Office::new();
    office
        .set_aside("the-oldest", "acme", refused("first of all"))
        .await;
    let copied = office.database().execute_batch(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
         INSERT INTO dead (message_id, about, generation, class, code, step, reason, cause, connection, attempts, first_ms, at_ms)
         SELECT 'm' || i, 'delivery', 1, 'poison', 'undecodable', 'intake', 'no JSON', 'c', 'globex', 0, 1, 1 FROM n",
    );
    copied.expect("copied");
    let found = office.get("dead-letters?text=first+of+all").await;
    assert_eq!(sessions(&found), ["the-oldest"]);
    let shown = office.get("dead-letters/the-oldest").await;
    assert_eq!(shown["connection"], "acme");
    let (mut numbers, mut before) = (vec![], String::new());
    loop {
        let page = office
            .get(&format!("dead-letters?limit=10000&before={before}"))
            .await;
        let page = page.as_array().expect("a list").clone();
        let Some(last) = page.last() else { break };
        before = last["number"].to_string();
        numbers.extend(page.iter().filter_map(|letter| letter["number"].as_i64()));
    }
    assert_eq!(numbers.len(), 25_001);
    assert!(numbers.is_sorted_by(|a, b| a > b), "the newest first");
}

#[tokio::test]
async fn what_was_discarded_stays_so_until_it_is_restored() {
    let office = Office::new();
    office.set_aside("no", "acme", refused("no")).await;
    let body = crate::world::escalation("no", "web");
    let mut body = body;
    body["data"]["connection"] = json!("acme");
    let body = body.to_string().into_bytes();
    let said = office.post("dead-letters/no/discard", json!({})).await;
    assert_eq!(said["discarded"], office.get("dead-letters/no").await["id"]);
    for verb in ["discard", "replay"] {
        let (status, said) = office
            .ask(Method::POST, &format!("dead-letters/no/{verb}"), None)
            .await;
        assert_eq!(status, 409);
        let error = said["error"].as_str().expect("words");
        assert!(error.ends_with("is not open: it is discarded"), "{error}");
    }
    // Nor does a tool of the broker bring it back.
    let back = office.takes(&body, "escalation.requested", 2).await;
    assert_eq!(back, Receipt::Duplicate);
    assert_eq!(office.get("dead-letters").await, json!([]));
    let gone = office.get("dead-letters?state=discarded").await;
    assert_eq!(gone[0]["state_by"], "api");
    office.post("dead-letters/no/restore", json!({})).await;
    let back = office.takes(&body, "escalation.requested", 2).await;
    assert!(matches!(back, Receipt::Replayed(_)), "{back:?}");
    let replayed = office.get("dead-letters?state=replayed").await;
    assert_eq!(replayed[0]["state_by"], "broker");
    let (status, _) = office
        .ask(Method::POST, "dead-letters/no/replay", None)
        .await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn what_a_contact_wrote_is_replayed_once_whichever_way() {
    let office = Office::new();
    let body = nobody_heard(&office, "early", "m1").await;
    let letter = office.get("dead-letters/early").await;
    assert_eq!(letter["about"], "contact");
    assert!(
        !letter.to_string().contains("is anybody there"),
        "words only on request: {letter}"
    );
    let id = letter["id"].as_str().expect("an id");
    let with_words = office.get(&format!("dead-letters/{id}?content=true")).await;
    assert!(with_words.to_string().contains("is anybody there"));
    office
        .escalates(&crate::world::escalation("early", "web"))
        .await;
    let said = office
        .post(&format!("dead-letters/{id}/replay"), json!({}))
        .await;
    assert_eq!(said["generation"], 2);
    let waiting = || {
        let sql = office.database();
        sql.query_row(
            "SELECT count(*) FROM inbox WHERE session = 'early' AND applied_ms IS NULL",
            [],
            |found| found.get::<_, i64>(0),
        )
        .expect("a count")
    };
    assert_eq!(waiting(), 1);
    // The copy in RabbitMQ, moved back as well.
    assert_eq!(
        office.takes(&body, "contact.message", 2).await,
        Receipt::Duplicate
    );
    assert_eq!(waiting(), 1);
    let (status, _) = office
        .ask(Method::POST, &format!("dead-letters/{id}/replay"), None)
        .await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn poison_that_moves_back_is_one_letter_of_the_next_generation() {
    let office = Office::new();
    office.takes(b"{ no json", "escalation.requested", 1).await;
    for _ in 0..3 {
        office.takes(b"{ no json", "escalation.requested", 2).await;
    }
    let open = office.get("dead-letters").await;
    assert_eq!(open.as_array().map(Vec::len), Some(1));
    assert_eq!(open[0]["generation"], 2);
    let before = office.get("dead-letters?state=replayed").await;
    assert_eq!(before[0]["state_by"], "broker");
    let id = open[0]["id"].as_str().expect("an id");
    office
        .post(&format!("dead-letters/{id}/discard"), json!({}))
        .await;
    let back = office.takes(b"{ no json", "escalation.requested", 3).await;
    assert_eq!(back, Receipt::Duplicate);
    assert_eq!(office.get("dead-letters").await, json!([]));
}
