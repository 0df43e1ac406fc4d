//! The main job, end to end: from an escalation on RabbitMQ to a rep, and from the rep's reply to the channel.

use baton::sim::faults::{Fault, Nth, What};
use baton::sim::salesforce::call;
use serde_json::{Value, json};

use crate::broker::bench::until;
use crate::world::{CONNECTION, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn an_escalation_reaches_a_rep_and_the_reply_reaches_the_channel() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    for channel in ["web", "sms", "whatsapp", "phone"] {
        let session = format!("session-on-{channel}");
        let conversation = world.goes_live(&session, channel).await;
        let rep = world.org.rep(&conversation);
        rep.joins();
        rep.types();
        rep.whispers("only for reps");
        rep.says("Hi Dana, I can refund the second charge now.");
        rep.says("Done. Anything else?");
        rep.ends();
        let ended = world.heard.until_one(&session, "lifecycle.ended").await;
        assert_eq!(ended["data"]["reason"], "rep_ended");
        assert_eq!(ended["data"]["last_sequence"], 2);
        world
            .heard
            .until(|heard| heard.replies(&session).len() == 2)
            .await;

        let told = world.heard.of(&session);
        let keys: Vec<&str> = told
            .iter()
            .map(|told| told.routing_key.as_str())
            .filter(|key| key.starts_with("lifecycle."))
            .collect();
        assert_eq!(
            keys.iter()
                .filter(|key| !matches!(**key, "lifecycle.queue" | "lifecycle.typing"))
                .collect::<Vec<_>>(),
            [
                &"lifecycle.accepted",
                &"lifecycle.live",
                &"lifecycle.rep_joined",
                &"lifecycle.rep_left",
                &"lifecycle.ended"
            ],
        );
        let replies: Vec<&Value> = told
            .iter()
            .filter(|told| told.queue.ends_with(channel))
            .map(|told| &told.event["data"])
            .collect();
        assert_eq!(replies.len(), 2);
        for (at, reply) in replies.iter().enumerate() {
            assert_eq!(reply["sequence"], at + 1);
            assert_eq!(reply["session_id"], session);
            assert_eq!(reply["connection"], CONNECTION);
            assert_eq!(reply["desk"], "salesforce");
            assert_eq!(reply["conversation_id"], conversation);
            assert_eq!(reply["to"]["account"], "+18005550100");
            assert!(reply["rep"]["name"].is_string());
        }
        assert_eq!(
            replies[0]["text"],
            "Hi Dana, I can refund the second charge now."
        );
        match channel {
            "sms" => assert_eq!(
                replies[0]["sms"],
                json!({ "encoding": "GSM-7", "segments": 1 })
            ),
            "whatsapp" => assert!(replies[0]["whatsapp"]["expires_at"].is_string()),
            _ => assert!(replies[0].get("sms").is_none()),
        }
    }
    let conversations = world.org.conversations();
    assert_eq!(conversations.len(), 4);
    for conversation in &conversations {
        let opening = world.org.messages(&conversation.id);
        assert_eq!(opening.len(), 1);
        let text = opening[0].text.as_deref().expect("text");
        assert!(
            text.starts_with("AI summary: Dana was charged twice for order 5512"),
            "{text}"
        );
        assert!(
            text.contains("[2026-11-20 13:58:11] AI (Ava): I am sorry. Which order?"),
            "{text}"
        );
        let attributes = Value::Object(conversation.sessions[0].sent.clone());
        assert_eq!(attributes["Chat_Consumer_Type"], "Authenticated");
        assert_eq!(attributes["Origin"], "MIABOT");
        assert_eq!(attributes["Priority"], "Low");
        assert_eq!(attributes["Chat_language"], "en");
    }
    // The desk's side of what has ended is closed too.
    world
        .org
        .wait_for(|ledger| ledger.calls("close") == 4)
        .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rep_writes_while_the_worker_is_dead_arrives_once_and_in_order() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("killed", "sms").await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    rep.says("one");
    world
        .heard
        .until(|heard| heard.replies("killed").len() == 1)
        .await;
    world.kill().await;
    rep.says("two");
    rep.says("three");
    world.start().await;
    rep.says("four");
    world
        .heard
        .until(|heard| heard.replies("killed").len() == 4)
        .await;
    assert_eq!(
        world.heard.replies("killed"),
        ["one", "two", "three", "four"]
    );
    // Without the cursor, and without a replay, the desk's list has the rest.
    world.kill().await;
    world.org.switch(|switches| switches.replay_events = 0);
    rep.says("five");
    rep.ends();
    world.start().await;
    let ended = world.heard.until_one("killed", "lifecycle.ended").await;
    assert_eq!(ended["data"]["last_sequence"], 5);
    // Replies and lifecycle come by different queues.
    world
        .heard
        .until(|heard| heard.replies("killed").len() == 5)
        .await;
    assert_eq!(
        world.heard.replies("killed"),
        ["one", "two", "three", "four", "five"]
    );
    let sequences: Vec<u64> = world
        .heard
        .of("killed")
        .iter()
        .filter_map(|told| told.event["data"]["sequence"].as_u64())
        .collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_copies_at_once_are_one_handoff() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let event = world.escalation("copied", "web");
    let copies = (0..100).map(|_| world.publish(&event));
    futures_util::future::join_all(copies).await;
    world
        .heard
        .until(|heard| {
            let of = heard.of("copied");
            of.iter()
                .filter(|told| told.routing_key == "lifecycle.duplicate")
                .count()
                == 99
                && of.iter().any(|told| told.routing_key == "lifecycle.live")
        })
        .await;
    assert_eq!(world.org.conversations().len(), 1);
    assert_eq!(world.heard.dead().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_when_a_call_returns_is_waited_for() {
    let mut world = Setup::shared().await.build().await;
    let slow = Fault::before(What::Slow { millis: 300 });
    world
        .org
        .faults()
        .fail(call::CREATE_CONVERSATION, Nth::Only(1), slow);
    world.start().await;
    let session = "session-in-between";
    world.publish(&world.escalation(session, "web")).await;
    let sql = world.database();
    until(|| creates(&sql)).await;
    // Somebody's shell holds the file for longer than the store waits.
    sql.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    until(|| {
        world
            .log()
            .contains("could not record a step; trying again")
    })
    .await;
    sql.execute_batch("ROLLBACK").expect("let go");

    world.heard.until_one(session, "lifecycle.live").await;
    let conversations = world.org.conversations();
    assert_eq!(conversations.len(), 1);
    assert_eq!(world.org.messages(&conversations[0].id).len(), 1);
    let attempts: i64 = sql
        .query_row("SELECT count(*) FROM attempt", [], |row| row.get(0))
        .expect("a number");
    assert_eq!(attempts, 5, "no call was made twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handoff_that_cannot_be_read_keeps_no_other_waiting() {
    let mut world = Setup::shared().await.build().await;
    let hang = Fault::before(What::Hang);
    world
        .org
        .faults()
        .fail(call::CREATE_CONVERSATION, Nth::Only(1), hang);
    world.start().await;
    world.publish(&world.escalation("unreadable", "web")).await;
    let sql = world.database();
    until(|| creates(&sql)).await;
    world.kill().await;
    sql.execute("UPDATE handoff SET progress = 'of-a-newer-release'", [])
        .expect("changed");
    world.start().await;
    world.goes_live("readable", "web").await;
    let told = "cannot take up a handoff whose call a crash had cut off";
    assert!(world.log().contains(told), "{}", world.log());
    assert!(creates(&sql), "it is kept as it is");
}

/// Whether a handoff is in the middle of creating its conversation.
fn creates(sql: &rusqlite::Connection) -> bool {
    let is_out =
        "SELECT count(*) FROM handoff WHERE phase = 'calling' AND step = 'create-conversation'";
    sql.query_row(is_out, [], |row| row.get::<_, i64>(0))
        .is_ok_and(|found| found == 1)
}
