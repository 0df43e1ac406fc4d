//! What is set aside: whole, with the reason, blocking nothing; and every way back.

use std::collections::BTreeMap;

use baton::broker::Header;
use baton::sim::faults::{Fault, Nth, What};
use baton::sim::salesforce::call;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Setup, Told, World, chance, escalation};

fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut event = escalation("poison", "web");
    change(&mut event);
    event.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_set_aside_whole_and_blocks_nothing() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (
            b"{ not json".to_vec(),
            "undecodable",
            "the body is not JSON",
        ),
        (b"".to_vec(), "undecodable", "the body is not JSON"),
        (
            vec![0xff, 0xfe, 0x00],
            "undecodable",
            "the body is not JSON",
        ),
        (b"[1, 2]".to_vec(), "undecodable", "it is not a JSON object"),
        (
            "[".repeat(100_000).into_bytes(),
            "undecodable",
            "the body is not JSON",
        ),
        (
            changed(|event| event["specversion"] = json!("0.3")),
            "undecodable",
            "`specversion` is `0.3`",
        ),
        (
            changed(|event| event["type"] = json!("handoff.escalation.requested.v2")),
            "unknown-version",
            "handoff.escalation.requested.v2",
        ),
        (
            changed(|event| event["type"] = json!("order.created.v1")),
            "unknown-type",
            "order.created.v1",
        ),
        (
            changed(|event| event["id"] = json!("")),
            "bad-field",
            "`id` must not be empty",
        ),
        (
            changed(|event| event["data"]["connection"] = Value::Null),
            "missing-field",
            "`data.connection`",
        ),
        (
            changed(|event| event["data"]["session"]["id"] = Value::Null),
            "missing-field",
            "`data.session.id`",
        ),
        (
            changed(|event| event["data"]["session"]["channel"] = json!("fax")),
            "bad-field",
            "`data.session.channel` must be one of web, sms, whatsapp, phone",
        ),
        (
            changed(|event| event["data"]["contact"] = Value::Null),
            "missing-field",
            "`data.contact`",
        ),
        (
            changed(|event| event["data"]["transcript"] = Value::Null),
            "missing-field",
            "`data.transcript`",
        ),
        (
            changed(|event| event["data"]["transcript"][1]["at"] = json!("yesterday")),
            "bad-field",
            "`data.transcript[1].at`",
        ),
        (
            changed(|event| event["data"]["summary"] = json!("x".repeat(300 * 1024))),
            "too-long",
            "`body` has",
        ),
    ];
    let count = cases.len();
    for (body, _, _) in &cases {
        world
            .publish_bytes(body.clone(), "escalation.requested", BTreeMap::new())
            .await;
    }
    world.goes_live("healthy", "web").await;
    let dead = world.heard.until_dead(count).await;
    for (body, code, reason) in cases {
        let letter = dead
            .iter()
            .find(|letter| letter.body == body)
            .expect("its bytes, untouched");
        assert_eq!(letter.headers["x-handoff-code"], code);
        assert_eq!(letter.headers["x-handoff-class"], "poison");
        assert_eq!(letter.headers["x-handoff-step"], "intake");
        assert_eq!(letter.routing_key, format!("poison.{code}"));
        assert!(
            letter.headers["x-handoff-reason"].contains(reason),
            "{:?}",
            letter.headers
        );
        assert_eq!(
            letter.headers["x-original-routing-key"],
            "escalation.requested"
        );
        assert_eq!(
            letter.headers["x-original-exchange"],
            world.bench.names.inbound()
        );
    }
    let (status, listed) = world.api(Method::GET, "dead-letters").await;
    assert_eq!(
        (status, listed.as_array().map(Vec::len)),
        (200, Some(count))
    );
    // One that still cannot be read is not replayed, and says why.
    let id = listed[0]["id"].as_str().expect("an id");
    let (status, refused) = world
        .api(Method::POST, &format!("dead-letters/{id}/replay"))
        .await;
    assert_eq!(status, 409);
    assert!(
        refused["error"]
            .as_str()
            .is_some_and(|error| error.contains("still cannot be processed")),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_with_another_body_is_a_conflict_and_the_first_stands() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    world.goes_live("first", "web").await;
    let mut other = world.escalation("first", "web");
    other["data"]["summary"] = json!("something else");
    world.publish(&other).await;
    let dead = world.heard.until_dead(1).await;
    assert_eq!(dead[0].headers["x-handoff-code"], "id-conflict");
    assert_eq!(world.org.conversations().len(), 1);
}

/// Sets one handoff aside at its opening message, for a reason that a human can mend.
async fn set_aside(world: &World) -> Told {
    world.org.faults().fail(
        call::MESSAGE,
        Nth::Next(1),
        Fault::before(What::status(400)),
    );
    world.publish(&world.escalation("dead", "sms")).await;
    let dead = world.heard.until_dead(1).await;
    let letter = dead[0].clone();
    assert_eq!(letter.headers["x-handoff-code"], "desk-refused");
    assert_eq!(letter.headers["x-handoff-class"], "permanent");
    assert_eq!(letter.headers["x-handoff-step"], "opening-message");
    assert_eq!(letter.headers["x-handoff-http-status"], "400");
    assert_eq!(letter.headers["x-session-id"], "dead");
    assert_eq!(letter.headers["x-handoff-generation"], "2");
    assert_eq!(
        letter.headers["x-handoff-completed-steps"],
        "identity-token,access-token,transcript,create-conversation"
    );
    assert_eq!(
        letter.event,
        world.escalation("dead", "sms"),
        "its bytes, untouched"
    );
    letter
}

fn went_on_once(world: &World, conversation: &str) {
    let conversations = world.org.conversations();
    assert_eq!(
        conversations.len(),
        1,
        "a replay opens no second conversation"
    );
    assert_eq!(conversations[0].id, conversation);
    assert_eq!(world.org.messages(conversation).len(), 1);
    assert_eq!(
        world.org.calls(call::CREATE_CONVERSATION),
        1,
        "finished steps are not repeated"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_goes_on_from_the_failed_step_with_the_same_ids() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let letter = set_aside(&world).await;
    let conversation = letter.headers["x-handoff-conversation"].clone();
    // It is kept over a restart.
    world.restart().await;
    let path = format!("dead-letters/{}/replay", letter.headers["x-handoff-id"]);
    let (status, said) = world.api(Method::POST, &path).await;
    assert_eq!(
        (status, &said["from_step"], &said["generation"]),
        (200, &json!("opening-message"), &json!(2))
    );
    let live = world.heard.until_one("dead", "lifecycle.live").await;
    assert_eq!(live["data"]["generation"], 2);
    went_on_once(&world, &conversation);
    let (status, _) = world.api(Method::POST, &path).await;
    assert_eq!(status, 409, "it is not open any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_any_tool_moves_back_goes_on_once() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let letter = set_aside(&world).await;
    let headers: BTreeMap<String, Header> = letter
        .headers
        .iter()
        .map(|(name, value)| {
            let value = value
                .parse()
                .map_or_else(|_| Header::from(value.as_str()), Header::Number);
            (name.clone(), value)
        })
        .collect();
    let original = letter.headers["x-original-routing-key"].clone();
    for _ in 0..3 {
        world
            .publish_bytes(letter.body.clone(), &original, headers.clone())
            .await;
    }
    world.heard.until_one("dead", "lifecycle.live").await;
    // A plain copy from upstream resurrects nothing.
    world
        .publish_bytes(letter.body.clone(), &original, BTreeMap::new())
        .await;
    world.heard.until_one("dead", "lifecycle.duplicate").await;
    went_on_once(&world, &letter.headers["x-handoff-conversation"]);
    assert_eq!(world.heard.dead().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_that_stays_down_gets_four_attempts_and_then_one_dead_letter() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    world.org.faults().fail(
        call::CREATE_CONVERSATION,
        Nth::Every,
        Fault::before(What::status(503)),
    );
    world.publish(&world.escalation("down", "web")).await;
    let dead = world.heard.until_dead(1).await;
    assert_eq!(dead[0].headers["x-handoff-code"], "desk-unavailable");
    assert_eq!(dead[0].headers["x-handoff-class"], "transient");
    assert_eq!(world.org.calls(call::CREATE_CONVERSATION), 4);
    let retrying = world
        .heard
        .of("down")
        .iter()
        .filter(|told| told.routing_key == "lifecycle.retrying")
        .count();
    assert_eq!(retrying, 3);
    let failed = world.heard.until_one("down", "lifecycle.failed").await;
    assert_eq!(failed["data"]["code"], "desk-unavailable");
    assert_eq!(failed["data"]["step"], "create-conversation");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalation_to_nowhere_waits_for_its_connection_as_a_dead_letter() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let mut event = world.escalation("nowhere", "web");
    event["data"]["connection"] = json!("zendesk-of-tomorrow");
    world.publish(&event).await;
    let dead = world.heard.until_dead(1).await;
    assert_eq!(dead[0].headers["x-handoff-code"], "unknown-connection");
    assert_eq!(
        dead[0].headers["x-handoff-reason"],
        "there is no connection `zendesk-of-tomorrow`; add it with `baton connection add`, then replay"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn three_wrong_credentials_in_a_row_suspend_the_connection_and_the_rest_waits() {
    let mut world = Setup::shared().await.build().await;
    world.connect(&[("issuer", "somebody-else")]).await;
    world.start().await;
    for session in ["a", "b", "c"] {
        world.publish(&world.escalation(session, "web")).await;
    }
    let dead = world.heard.until_dead(3).await;
    assert!(
        dead.iter()
            .all(|letter| letter.headers["x-handoff-code"] == "bad-credentials")
    );
    let (_, connection) = world.api(Method::GET, "connections/acme-salesforce").await;
    assert_eq!(connection["gate"], "suspended");
    world.publish(&world.escalation("waits", "web")).await;
    world.heard.until_one("waits", "lifecycle.accepted").await;
    assert_eq!(world.heard.dead().len(), 3);
    // Put right and saved, it opens, and what waited goes on.
    world.kill().await;
    world.connect(&[]).await;
    world.start().await;
    world.heard.until_one("waits", "lifecycle.live").await;
    assert_eq!(world.heard.dead().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_over_a_worker_that_is_killed_sends_each_on_once() {
    const LETTERS: usize = 40;
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    world.org.faults().fail(
        call::CREATE_CONVERSATION,
        Nth::Every,
        Fault::before(What::status(400)),
    );
    let sessions: Vec<String> = (0..LETTERS).map(|number| format!("j{number}")).collect();
    let events: Vec<Value> = sessions
        .iter()
        .map(|session| world.escalation(session, "web"))
        .collect();
    world.publish_all(&events).await;
    world.heard.until_dead(LETTERS).await;
    world.org.faults().heal();
    let asked =
        json!({ "action": "replay", "all": true, "rate": 3000, "canary": 3, "key": "one-click" });
    let (status, job) = world
        .api_with(Method::POST, "dead-letter-jobs", &asked)
        .await;
    assert_eq!((status, &job["total"]), (200, &json!(LETTERS)), "{job}");
    for _ in 0..3 {
        chance(20..500).await;
        world.restart().await;
    }
    // Whoever lost the answer asks again.
    let (_, again) = world
        .api_with(Method::POST, "dead-letter-jobs", &asked)
        .await;
    assert_eq!((&again["id"], &again["again"]), (&job["id"], &json!(true)));
    for session in &sessions {
        let live = world.heard.until_one(session, "lifecycle.live").await;
        assert_eq!(live["data"]["generation"], 2, "{session}");
    }
    let path = format!("dead-letter-jobs/{}", job["id"].as_str().expect("an id"));
    let (_, job) = world.api(Method::GET, &path).await;
    assert_eq!(
        (&job["state"], &job["done"]),
        (&json!("done"), &json!(LETTERS))
    );
    assert_eq!(world.org.conversations().len(), LETTERS);
    for conversation in world.org.conversations() {
        assert_eq!(world.org.messages(&conversation.id).len(), 1);
    }
    assert_eq!(world.heard.dead().len(), LETTERS);
}
