//! Every way a live conversation ends: told once, with the right reason, and nothing is left open at the desk.

mod pairs;

use std::collections::BTreeMap;

use baton::sim::faults::{Fault, Nth, What};
use baton::sim::salesforce::ledger::{ConversationState, SessionStatus};
use baton::sim::salesforce::switches::{RepEnd, Transfer};
use baton::sim::salesforce::{Rep, call};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{CONNECTION, Setup, World};

/// One conversation that is to end, or not.
struct Chat {
    session: String,
    conversation: String,
}

impl World {
    /// A live conversation in which a rep has said one thing, so that `last_sequence` is 1.
    async fn chat(&self, session: &str) -> (Chat, Rep) {
        let conversation = self.goes_live(session, "web").await;
        let rep = self.org.rep(&conversation);
        rep.joins();
        rep.says("hello");
        self.heard
            .until(|heard| heard.replies(session).len() == 1)
            .await;
        let session = session.to_owned();
        let chat = Chat {
            session,
            conversation,
        };
        (chat, rep)
    }

    async fn contact_leaves(&self, session: &str) {
        let event = json!({
            "specversion": "1.0", "type": "handoff.contact.left.v1", "source": "/channels", "id": format!("left-{session}"),
            "time": "2026-11-20T14:10:00Z", "subject": session, "data": { "session_id": session, "reason": "closed" },
        });
        self.publish_bytes(
            event.to_string().into_bytes(),
            "contact.left",
            BTreeMap::new(),
        )
        .await;
    }

    /// How often the world was told this about a session.
    fn count(&self, session: &str, name: &str) -> usize {
        let of = self.heard.of(session);
        of.iter()
            .filter(|told| told.routing_key == format!("lifecycle.{name}"))
            .count()
    }

    /// It has ended for one of these reasons, the desk's side is closed, and its stream is released.
    async fn is_over(&self, chat: &Chat, reasons: &[&str], last_sequence: u64) -> Value {
        let Chat {
            session,
            conversation,
        } = chat;
        let ended = self.heard.until_one(session, "lifecycle.ended").await;
        let reason = ended["data"]["reason"].as_str().expect("a reason");
        assert!(reasons.contains(&reason), "{session}: {reason}");
        assert_eq!(ended["data"]["last_sequence"], last_sequence, "{session}");
        self.org
            .wait_for(|ledger| {
                let it = ledger.conversation(conversation).expect("a conversation");
                let streams = ledger.streams.get(&it.subject).copied().unwrap_or(0);
                it.state != ConversationState::Open && streams == 0
            })
            .await;
        ended
    }

    /// Each has ended once, whatever came later.
    fn ended_once(&self, chats: &[Chat]) {
        for Chat { session, .. } in chats {
            assert_eq!(self.count(session, "ended"), 1, "{session}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ending_of_a_desk_is_told_once() {
    let mut world = Setup::shared()
        .await
        .with("streams", "sweep = \"1s\"")
        .build()
        .await;
    world.start().await;
    let mut over = vec![];

    // A rep ends it, whatever order the desk says it in.
    for rep_end in [
        RepEnd::RemovedThenEnded,
        RepEnd::EndedThenRemoved,
        RepEnd::EndedOnly,
    ] {
        world.org.switch(|switches| switches.rep_end = rep_end);
        let (chat, rep) = world.chat(&format!("rep-{rep_end:?}")).await;
        rep.ends();
        world.is_over(&chat, &["rep_ended"], 1).await;
        over.push(chat);
    }

    // A rep who leaves, and one who hands over, end nothing.
    let (chat, rep) = world.chat("leaves-and-joins").await;
    rep.leaves();
    world
        .heard
        .until_one(&chat.session, "lifecycle.rep_left")
        .await;
    let other = rep.named("Robin");
    other.joins();
    other.says("I am Robin");
    world
        .heard
        .until(|_| world.count(&chat.session, "rep_joined") == 2)
        .await;
    assert_eq!(world.count(&chat.session, "ended"), 0);
    other.ends();
    world.is_over(&chat, &["rep_ended"], 2).await;
    over.push(chat);
    for transfer in [Transfer::RemoveFirst, Transfer::AddFirst] {
        world.org.switch(|switches| switches.transfer = transfer);
        let (chat, rep) = world.chat(&format!("transfer-{transfer:?}")).await;
        let other = rep.transfers_to("Robin");
        other.says("I am Robin");
        world
            .heard
            .until(|heard| heard.replies(&chat.session).len() == 2)
            .await;
        world
            .heard
            .until(|_| {
                let counts = ["rep_joined", "rep_left", "transferred"]
                    .map(|name| world.count(&chat.session, name));
                counts == [2, 1, 1]
            })
            .await;
        assert_eq!(world.count(&chat.session, "ended"), 0);
        other.ends();
        world.is_over(&chat, &["rep_ended"], 2).await;
        over.push(chat);
    }

    // Nobody says anything for too long: asleep first, then over.
    let (chat, rep) = world.chat("idle").await;
    rep.idles();
    rep.says("still there?");
    world
        .heard
        .until(|heard| heard.replies(&chat.session).len() == 2)
        .await;
    assert_eq!(world.count(&chat.session, "ended"), 0);
    rep.idles();
    rep.ends();
    world.is_over(&chat, &["inactivity"], 2).await;
    over.push(chat);

    // The contact leaves, alone and together with the rep.
    let (chat, _) = world.chat("contact-leaves").await;
    world.contact_leaves(&chat.session).await;
    world.is_over(&chat, &["contact_left"], 1).await;
    over.push(chat);
    let (chat, rep) = world.chat("both").await;
    rep.says("bye");
    let leaving = world.contact_leaves(&chat.session);
    rep.ends();
    leaving.await;
    let ended = world
        .heard
        .until_one(&chat.session, "lifecycle.ended")
        .await;
    let last = ended["data"]["last_sequence"].as_u64().expect("a number");
    world
        .is_over(&chat, &["contact_left", "rep_ended"], last)
        .await;
    over.push(chat);

    // An admin closes or deletes it, of which no stream tells; what the desk cannot say for sure ends nothing.
    for state in [ConversationState::Closed, ConversationState::Deleted] {
        let (chat, _) = world.chat(&format!("admin-{state:?}")).await;
        world.org.settle(&chat.conversation, state);
        world.is_over(&chat, &["desk_error"], 1).await;
        over.push(chat);
    }

    // An operator ends it, by any of its ids, once.
    let (chat, _) = world.chat("operator").await;
    let end = |id: &str| format!("handoffs/{id}/end");
    let (status, _) = world.api(Method::POST, &end(&chat.conversation)).await;
    assert_eq!(status, 200);
    world.is_over(&chat, &["operator"], 1).await;
    let (status, said) = world.api(Method::POST, &end(&chat.session)).await;
    assert_eq!(
        (status, said["error"].as_str()),
        (409, Some("handoff `operator` is not live"))
    );
    assert_eq!(world.api(Method::POST, &end("nobody")).await.0, 404);
    over.push(chat);

    // It ends while nobody listens.
    let (chat, rep) = world.chat("worker-away").await;
    world.kill().await;
    rep.says("bye");
    rep.ends();
    world.start().await;
    world.is_over(&chat, &["rep_ended"], 2).await;
    over.push(chat);

    world.ended_once(&over);
    assert_eq!(world.org.look(|ledger| ledger.open_streams()), 0);
    assert!(world.heard.dead().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_desk_does_not_say_for_sure_ends_nothing() {
    let mut world = Setup::shared()
        .await
        .with("streams", "sweep = \"1s\"")
        .build()
        .await;
    world.start().await;
    let (chat, rep) = world.chat("doubtful").await;
    let (faults, listed) = (world.org.faults(), world.org.calls(call::ENTRIES));
    for (call, status) in [
        (call::ENTRIES, 403),
        (call::ENTRIES, 404),
        (call::ENTRIES, 500),
        (call::LIST_CONVERSATIONS, 404),
        (call::LIST_CONVERSATIONS, 403),
        (call::LIST_CONVERSATIONS, 503),
    ] {
        faults.fail(call, Nth::Next(1), Fault::before(What::status(status)));
    }
    faults.fail(
        call::ENTRIES,
        Nth::Next(1),
        Fault::before(What::Unauthorized),
    );
    crate::world::struck(&world.org, 7).await;
    rep.says("still here");
    world
        .heard
        .until(|heard| heard.replies(&chat.session).len() == 2)
        .await;
    world
        .org
        .wait_for(|ledger| ledger.calls(call::ENTRIES) > listed + 6)
        .await;
    assert_eq!(world.count(&chat.session, "ended"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_removed_drains_first() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let (chat, rep) = world.chat("stays").await;
    let path = format!("connections/{CONNECTION}");
    let (status, said) = world.api(Method::DELETE, &path).await;
    let draining = json!({ "draining": CONNECTION, "mode": "drain", "handoffs": 1 });
    assert_eq!((status, said), (200, draining));
    world.publish(&world.escalation("too-late", "web")).await;
    let dead = world.heard.until_dead(1).await;
    assert_eq!(dead[0].headers["x-handoff-code"], "unknown-connection");
    // What is live goes on, over a restart too.
    world.restart().await;
    let (status, said) = world.api(Method::GET, &path).await;
    assert_eq!((status, said["gate"].as_str()), (200, Some("draining")));
    rep.says("still here");
    world
        .heard
        .until(|heard| heard.replies(&chat.session).len() == 2)
        .await;
    rep.ends();
    world.is_over(&chat, &["rep_ended"], 2).await;
    gone(&world).await;
    world.ended_once(&[chat]);
    // Added again, it is as if it had never been away: the dead letter can be replayed.
    world.stop().await;
    world.connect(&[]).await;
    world.start().await;
    let (status, _) = world
        .api(Method::POST, "dead-letters/too-late/replay")
        .await;
    assert_eq!(status, 200);
    world.heard.until_one("too-late", "lifecycle.live").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_removed_by_force_ends_what_is_live_first() {
    let mut world = Setup::shared()
        .await
        .with("retry", "waits = [\"50ms\", \"100ms\", \"200ms\", \"400ms\", \"800ms\", \"1s\", \"1s\", \"1s\", \"1s\"]")
        .build()
        .await;
    world.start().await;
    let (one, _) = world.chat("one").await;
    let (two, _) = world.chat("two").await;
    // The desk cannot be told yet, and the worker dies over it.
    let away = Fault::before(What::status(503));
    world.org.faults().fail(call::CLOSE, Nth::Every, away);
    let path = format!("connections/{CONNECTION}?mode=force");
    let (status, said) = world.api(Method::DELETE, &path).await;
    assert_eq!((status, &said["handoffs"]), (200, &json!(2)));
    for chat in [&one, &two] {
        let ended = world
            .heard
            .until_one(&chat.session, "lifecycle.ended")
            .await;
        assert_eq!(ended["data"]["reason"], "connection_removed");
    }
    world.kill().await;
    world.org.faults().heal();
    world.start().await;
    for chat in [&one, &two] {
        world.is_over(chat, &["connection_removed"], 1).await;
        let status = world.org.look(|ledger| {
            ledger
                .conversation(&chat.conversation)
                .map(|it| it.session().status)
        });
        assert_eq!(status, Some(SessionStatus::Ended));
    }
    gone(&world).await;
    world.ended_once(&[one, two]);
    world.stop().await;
    let left: u32 = world
        .database()
        .query_row("SELECT count(*) FROM connection", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(left, 0);
}

/// Waits until the connection and its secrets are gone.
async fn gone(world: &World) {
    let path = format!("connections/{CONNECTION}");
    crate::broker::bench::soon(async {
        while world.api(Method::GET, &path).await.0 != 404 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
