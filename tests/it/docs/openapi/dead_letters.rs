//! Dead letters of every kind, and jobs over them.

use std::collections::BTreeMap;

use baton::sim::faults::{Fault, Nth, What};
use baton::sim::salesforce::call;
use serde_json::{Value, json};

use super::story::{Story, until};
use crate::world::CONNECTION;

/// One without a connection, one that nobody can read, and one that the desk refuses.
pub async fn dead_letters(story: &Story) {
    let (api, world) = (&story.api, &story.world);
    story.escalates("kim", "nowhere").await;
    let poison = b"no event at all, but a word of Dana's".to_vec();
    world
        .publish_bytes(poison, "escalation.requested", BTreeMap::new())
        .await;
    let refused = What::Status {
        status: 400,
        body: String::new(),
    };
    world.org.faults().fail(
        call::CREATE_CONVERSATION,
        Nth::Next(1),
        Fault::before(refused),
    );
    story.escalates("ira", CONNECTION).await;
    world.heard.until_dead(3).await;

    let listed = api
        .call("listDeadLetters")
        .asking("limit", 2)
        .asking("newer", "1h");
    let listed = listed.gives(200).await;
    let last = &listed[1]["number"];
    let rest = api
        .call("listDeadLetters")
        .asking("before", last)
        .gives(200)
        .await;
    assert_eq!(rest.as_array().map(Vec::len), Some(1));
    let poison = api
        .call("listDeadLetters")
        .asking("class", "poison")
        .gives(200)
        .await;
    let poison = poison[0]["id"].as_str().expect("an id").to_owned();
    for by in ["cause", "code", "connection", "step"] {
        let groups = api
            .call("groupDeadLetters")
            .asking("by", by)
            .asking("state", "open");
        groups.gives(200).await;
    }
    let of = |id: &str, letter: &str| api.call(id).at("id", letter);
    let shown = of("showDeadLetter", "ira").gives(200).await;
    assert_eq!(
        (&shown["http_status"], shown["tried"].is_array()),
        (&json!(400), true),
        "{shown}"
    );
    let shown = of("showDeadLetter", &poison)
        .asking("content", "true")
        .gives(200)
        .await;
    assert!(
        shown["original"]["body"]
            .as_str()
            .is_some_and(|it| it.contains("Dana"))
    );

    of("discardDeadLetter", &poison).gives(200).await;
    of("discardDeadLetter", &poison).gives(409).await;
    of("replayDeadLetter", &poison).gives(409).await;
    of("restoreDeadLetter", &poison).gives(200).await;
    of("restoreDeadLetter", &poison).gives(409).await;
    of("replayDeadLetter", "kim").gives(200).await;
    world.heard.until_dead(4).await;

    let mut event = world.escalation("ira", "web");
    event["data"]["summary"] = json!("better");
    let edit =
        |dry: bool| of("editDeadLetter", "ira").body(&json!({ "event": event, "dry_run": dry }));
    assert_eq!(
        edit(true).gives(200).await["changed"],
        json!(["data.summary"])
    );
    edit(false).gives(200).await;
    edit(false).gives(409).await;
    world.heard.until_one("ira", "lifecycle.live").await;
}

/// A job that is done, and one that is cancelled.
pub async fn jobs(story: &Story) {
    let api = &story.api;
    let make = |asked: Value| api.call("makeJob").body(&asked);
    for which in [
        json!({ "filter": { "class": "poison" } }),
        json!({ "ids": ["kim"] }),
    ] {
        let mut asked = which;
        asked["action"] = json!("replay");
        asked["dry_run"] = json!(true);
        assert_eq!(make(asked).gives(200).await["count"], 1);
    }
    make(json!({ "action": "replay", "ids": ["nobody"] }))
        .gives(404)
        .await;
    let wrong = json!({ "action": "forget", "rate": 0, "filter": { "age": "1" } });
    let problems = make(wrong).complains().await;
    assert_eq!(problems.as_array().map(Vec::len), Some(3), "{problems}");

    let asked = json!({ "action": "discard", "ids": ["kim"], "key": "a-click" });
    for again in [false, true] {
        assert_eq!(make(asked.clone()).gives(200).await["again"], again);
    }
    make(json!({ "action": "discard", "all": true, "key": "a-click" }))
        .gives(409)
        .await;
    let jobs = api.call("listJobs").gives(200).await;
    let id = jobs[0]["id"].as_str().expect("an id");
    let show = || api.call("showJob").at("id", id);
    let done = until(show, |it| it.json()["state"] == "done").await;
    assert_eq!(done["items"][0]["outcome"], "done");
    let later = api
        .call("showJob")
        .at("id", id)
        .asking("after", 1)
        .gives(200)
        .await;
    assert_eq!(later["items"], json!([]));
    api.call("cancelJob").at("id", id).gives(409).await;

    make(json!({ "action": "restore", "ids": ["kim"] }))
        .gives(200)
        .await;
    let show = || api.call("showDeadLetter").at("id", "kim");
    until(show, |it| it.json()["state"] == "open").await;
    // The second of two is done a minute after the first.
    let slow = json!({ "action": "replay", "all": true, "rate": 1, "canary": 0 });
    let slow = make(slow).gives(200).await;
    let id = slow["id"].as_str().expect("an id");
    let cancelled = api.call("cancelJob").at("id", id).gives(200).await;
    assert_eq!(cancelled["state"], "cancelled");
}
