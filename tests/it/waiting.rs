//! Contacts who wait for a first rep: told or ended when nobody comes, once, whatever dies in between.

use std::time::Duration;

use baton::sim::faults::{Fault, Nth, What};
use baton::sim::salesforce::call;
use baton::sim::salesforce::ledger::ConversationState;
use serde_json::json;

use crate::world::{Setup, World, chance};

async fn world(wait: &str, absent: &str) -> World {
    let mut world = Setup::shared()
        .await
        .with("reps", &format!("wait = \"{wait}\""))
        .with("reps", &format!("absent = \"{absent}\""))
        .build()
        .await;
    world.start().await;
    world
}

impl World {
    /// What the world was told about a session, in order.
    fn story(&self, session: &str) -> Vec<String> {
        let of = self.heard.of(session).into_iter();
        let keys = of.map(|told| told.routing_key);
        keys.filter_map(|key| key.strip_prefix("lifecycle.").map(str::to_owned))
            .collect()
    }

    fn told(&self, session: &str, name: &str) -> usize {
        let story = self.story(session);
        story.iter().filter(|told| *told == name).count()
    }

    async fn is_closed(&self, conversation: &str) {
        self.org
            .wait_for(|ledger| {
                let it = ledger.conversation(conversation).expect("a conversation");
                it.state == ConversationState::Closed && ledger.open_streams() == 0
            })
            .await;
    }
}

fn unroutable() -> serde_json::Value {
    json!({ "routingType": "Initial", "failureType": "RoutingError", "failureReason": "no queue", "errorMessages": [] })
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nobody_comes_the_world_is_told_once_and_a_rep_may_still_come() {
    let mut world = world("300ms", "tell").await;
    let conversation = world.goes_live("alone", "web").await;
    let told = world.heard.until_one("alone", "lifecycle.no_rep").await;
    assert!(told["data"]["waited_seconds"].is_u64(), "{told}");
    world.restart().await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    rep.says("sorry for the wait");
    world.heard.until_one("alone", "reply.web").await;
    // Time goes on for others, and nothing more is told of this one.
    world.goes_live("after", "web").await;
    world.heard.until_one("after", "lifecycle.no_rep").await;
    assert_eq!(
        world.story("alone"),
        ["accepted", "live", "queue", "no_rep", "rep_joined"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nobody_comes_it_ends_if_it_is_to_and_the_desk_is_closed() {
    let mut world = world("300ms", "end").await;
    let conversation = world.goes_live("ended", "web").await;
    let ended = world.heard.until_one("ended", "lifecycle.ended").await;
    assert_eq!(ended["data"]["reason"], "routing_failed");
    world.is_closed(&conversation).await;
    world.restart().await;
    assert_eq!(
        world.story("ended"),
        ["accepted", "live", "queue", "no_rep", "ended"]
    );
    assert!(world.heard.dead().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rep_who_came_unheard_counts() {
    let world = world("6s", "end").await;
    let conversation = world.goes_live("unheard", "web").await;
    world
        .org
        .wait_for(|ledger| ledger.open_streams() == 1)
        .await;
    // From now on nothing is heard, and for a while nothing can be asked.
    let cut = Fault::before(What::Cut);
    world.org.faults().fail(call::EVENT_STREAM, Nth::Every, cut);
    world.org.end_streams();
    world
        .org
        .wait_for(|ledger| ledger.open_streams() == 0)
        .await;
    let away = Fault::before(What::status(503));
    world.org.faults().fail(call::ENTRIES, Nth::Next(1), away);
    world.org.rep(&conversation).joins();
    world
        .heard
        .until_one("unheard", "lifecycle.rep_joined")
        .await;
    assert_eq!(world.org.calls(call::ENTRIES), 2);
    assert_eq!(
        world.story("unheard"),
        ["accepted", "live", "queue", "rep_joined"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_desk_can_route_to_nobody_ends_if_it_is_to_unless_a_rep_was_there() {
    let world = world("1h", "end").await;
    let conversation = world.goes_live("nobody", "web").await;
    let rep = world.org.rep(&conversation);
    rep.emits("QueuePosition", json!({ "position": 3 }));
    rep.emits("RoutingResult", unroutable());
    let ended = world.heard.until_one("nobody", "lifecycle.ended").await;
    assert_eq!(ended["data"]["reason"], "routing_failed");
    let failed = world
        .heard
        .until_one("nobody", "lifecycle.routing_failed")
        .await;
    assert_eq!(failed["data"]["reason"], "RoutingError: no queue");
    let of = world.heard.of("nobody");
    let places: Vec<_> = of
        .iter()
        .filter(|told| told.routing_key == "lifecycle.queue")
        .map(|told| {
            [
                &told.event["data"]["position"],
                &told.event["data"]["wait_seconds"],
            ]
        })
        .collect();
    // An estimate first, as the org routes; then a position.
    assert!(
        places[0][1].is_u64() && places[1] == [&json!(3), &json!(null)],
        "{places:?}"
    );
    world.is_closed(&conversation).await;
    let expected = [
        "accepted",
        "live",
        "queue",
        "queue",
        "routing_failed",
        "ended",
    ];
    assert_eq!(world.story("nobody"), expected);

    // A transfer that fails leaves the rep where they are.
    let conversation = world.goes_live("transfer", "web").await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    rep.emits("RoutingResult", unroutable());
    rep.says("I stay with you");
    world.heard.until_one("transfer", "reply.web").await;
    rep.ends();
    let ended = world.heard.until_one("transfer", "lifecycle.ended").await;
    assert_eq!(ended["data"]["reason"], "rep_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_desk_can_route_to_nobody_is_told_and_a_rep_may_still_come() {
    let world = world("1h", "tell").await;
    let conversation = world.goes_live("nobody", "web").await;
    let rep = world.org.rep(&conversation);
    rep.emits("RoutingResult", unroutable());
    world
        .heard
        .until_one("nobody", "lifecycle.routing_failed")
        .await;
    rep.joins();
    rep.says("here I am");
    world.heard.until_one("nobody", "reply.web").await;
    assert_eq!(
        world.story("nobody"),
        ["accepted", "live", "queue", "routing_failed", "rep_joined"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_greeting_of_the_desk_is_no_rep() {
    let wait = "wait = \"2s\"";
    let mut world = Setup::shared().await.with("reps", wait).build().await;
    world.connect(&[("automated_responses", "forward")]).await;
    world.start().await;
    let conversation = world.goes_live("greeted", "web").await;
    world.org.rep(&conversation).auto_response("Welcome!");
    let greeting = world.heard.until_one("greeted", "reply.web").await;
    assert_eq!(greeting["data"]["automatic"], true);
    world.heard.until_one("greeted", "lifecycle.no_rep").await;
}

/// Reps come to some of the contacts at the very moment at which their time is up, and the worker is killed at random.
#[tokio::test(flavor = "multi_thread")]
async fn a_rep_and_the_end_of_the_wait_never_both_happen() {
    const CONTACTS: usize = 40;
    let mut world = world("1500ms", "end").await;
    let sessions: Vec<String> = (0..CONTACTS).map(|at| format!("race-{at}")).collect();
    let escalations: Vec<_> = sessions
        .iter()
        .map(|session| world.escalation(session, "web"))
        .collect();
    world.publish_all(&escalations).await;
    world.heard.until_counted("lifecycle.live", CONTACTS).await;
    let conversations = world.org.conversations();
    let (killed, spread) = conversations.split_at(CONTACTS / 2);
    let reps = async {
        for conversation in spread.iter().chain(&killed[..killed.len() / 2]) {
            tokio::time::sleep(Duration::from_millis(70)).await; // waits for: the moments around the end of the wait
            world.org.rep(&conversation.id).joins();
        }
    };
    reps.await;
    for _ in 0..3 {
        world.kill().await;
        world.launch().await;
        chance(50..400).await;
    }
    world
        .heard
        .until(|_| {
            sessions.iter().all(|session| {
                world.told(session, "rep_joined") + world.told(session, "ended") >= 1
            })
        })
        .await;
    let mut ended = 0;
    for session in &sessions {
        let counts = ["no_rep", "ended", "rep_joined"].map(|name| world.told(session, name));
        assert!(
            counts == [1, 1, 0] || counts == [0, 0, 1],
            "{session}: {counts:?}"
        );
        ended += counts[1];
    }
    assert!(ended >= CONTACTS / 4, "those to whom nobody came");
}
