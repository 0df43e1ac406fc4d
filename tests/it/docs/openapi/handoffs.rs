//! Handoffs that are live, over and due, with all that can happen in one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::story::{Story, until};

/// What the contact of a session writes.
fn writes(session: &str) -> Vec<u8> {
    json!({
        "specversion": "1.0", "type": "handoff.contact.message.v1", "source": "/channels", "id": format!("{session}-m9"),
        "subject": session,
        "data": { "session_id": session, "message": { "id": "m9", "text": "are you there?", "attachments": [] } },
    })
    .to_string()
    .into_bytes()
}

/// Dana is live, Lee has ended, and one waits at a connection that is paused.
pub async fn handoffs(story: &Story) {
    let (api, world) = (&story.api, &story.world);
    for (session, channel) in [("dana", "sms"), ("lee", "web")] {
        let conversation = world.goes_live(session, channel).await;
        let rep = world.org.rep(&conversation);
        rep.joins();
        rep.says("Hello, I can refund the second charge now.");
        rep.sends_file(
            "door.png",
            "image/png",
            &include_bytes!("../../../../src/demo/door.png")[..],
            None,
        );
        world
            .publish_bytes(writes(session), "contact.message", BTreeMap::new())
            .await;
        world
            .heard
            .until(|heard| heard.replies(session).len() == 2)
            .await;
        world
            .heard
            .until_one(session, "lifecycle.contact_message_delivered")
            .await;
    }
    api.call("pauseConnection")
        .at("name", "beta")
        .gives(200)
        .await;
    story.escalates("waits", "beta").await;
    let show = || api.call("showHandoff").at("id", "waits");
    until(show, |it| it.json()[0]["due_at"].is_string()).await;

    let ended = api.call("endHandoff").at("id", "lee").gives(200).await;
    api.call("endHandoff")
        .at("id", ended["ended"].as_str().expect("an id"))
        .gives(409)
        .await;
    let what = |found: &Value| -> Vec<String> {
        let all = found[0]["timeline"].as_array().into_iter().flatten();
        all.filter_map(|it| it["what"].as_str().map(str::to_owned))
            .collect()
    };
    let shown = api
        .call("showHandoff")
        .at("id", "lee")
        .asking("content", "true")
        .gives(200)
        .await;
    for kind in ["attempt", "reply", "lifecycle", "contact", "operator"] {
        assert!(
            what(&shown).iter().any(|it| it == kind),
            "{kind} in {shown}"
        );
    }
    api.call("showHandoff")
        .at("id", "dana")
        .asking("content", "false")
        .gives(200)
        .await;
    let count = async |name: &str, value: &str| {
        let listed = api
            .call("listHandoffs")
            .asking(name, value)
            .gives(200)
            .await;
        listed.as_array().map(Vec::len)
    };
    assert_eq!(count("status", "live").await, Some(1));
    assert_eq!(count("connection", "beta").await, Some(1));
    assert_eq!(count("desk", "zendesk").await, Some(0));
    assert_eq!(count("channel", "sms").await, Some(1));
    assert_eq!(count("limit", "1").await, Some(1));
    assert_eq!(
        api.call("listHandoffs")
            .gives(200)
            .await
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    api.call("resumeConnection")
        .at("name", "beta")
        .gives(200)
        .await;
    world.heard.until_one("waits", "lifecycle.live").await;
}
