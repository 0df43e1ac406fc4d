//! Every desk call, every fault, and a worker that is killed around it: one conversation and one opening message, or one
//! dead letter.

use std::collections::{BTreeMap, HashSet};

use baton::sim::faults::{ANY, Fault, Nth, What};
use baton::sim::salesforce::call;
use futures_util::StreamExt;
use secrecy::ExposeSecret;

use crate::broker::bench::{Bench, until};
use crate::world::{Setup, World, chance, struck};
use baton::broker::node::PrivateNode;

const CALLS: [&str; 3] = [call::ACCESS_TOKEN, call::CREATE_CONVERSATION, call::MESSAGE];

/// When the worker is killed, relative to the call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    Never,
    /// As soon as the fault has struck: its outcome may be recorded, or not.
    WhenStruck,
    /// When the call after it arrives: the outcome is recorded, and the next intent too.
    AtTheNextCall,
}

fn faults() -> Vec<Fault> {
    let rate_limited = || What::RateLimited {
        retry_after: Some("0".into()),
    };
    let of = |what: fn(What) -> Fault| {
        [
            What::status(500),
            What::Hang,
            rate_limited(),
            What::Unauthorized,
            What::Cut,
            What::Garbage,
        ]
        .map(what)
    };
    [of(Fault::before), of(Fault::after)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_and_every_fault_and_every_crash_end_in_one_conversation() {
    let mut cases = vec![];
    for call in CALLS {
        for fault in faults() {
            for crash in [Crash::Never, Crash::WhenStruck, Crash::AtTheNextCall] {
                cases.push((call, fault.clone(), crash));
            }
        }
    }
    let count = cases.len();
    let done = futures_util::stream::iter(cases)
        .map(|(call, fault, crash)| tokio::spawn(one_case(call, fault, crash)))
        .buffer_unordered(6)
        .filter(|ended| std::future::ready(ended.is_ok()))
        .count()
        .await;
    assert_eq!(done, count, "see the panics above");
}

async fn one_case(call: &'static str, fault: Fault, crash: Crash) {
    let case = format!("{call} fails with {fault:?}, crash {crash:?}");
    let mut world = Setup::shared().await.build().await;
    world.org.faults().fail(call, Nth::Only(1), fault);
    world.start().await;
    world.publish(&world.escalation("case", "web")).await;
    match crash {
        Crash::Never => {}
        Crash::WhenStruck => {
            struck(&world.org, 1).await;
            world.restart().await;
        }
        Crash::AtTheNextCall => {
            struck(&world.org, 1).await;
            world
                .org
                .faults()
                .fail(ANY, Nth::Next(1), Fault::after(What::Hang));
            // Where nothing helps but a human there is no next call.
            until(|| world.org.faults().fired().len() == 2 || world.heard.dead().len() == 1).await;
            world.restart().await;
        }
    }
    let settled = |key: &str| {
        key == "lifecycle.live" || key.starts_with("permanent.") || key.starts_with("transient.")
    };
    world
        .heard
        .until(|heard| {
            heard
                .of("case")
                .iter()
                .any(|told| settled(&told.routing_key))
        })
        .await;
    judge(&world, "case", &case);
}

/// Exactly one conversation with one opening message and no dead letter, or exactly one dead letter.
fn judge(world: &World, session: &str, case: &str) {
    let conversations: Vec<_> = world
        .org
        .conversations()
        .into_iter()
        .filter(|conversation| conversation.sessions[0].sent["OpencxSessionId"] == session)
        .collect();
    let dead = world.heard.dead();
    let dead = dead
        .iter()
        .filter(|dead| dead.headers["x-session-id"] == session);
    // A worker that is killed between a publish and its record publishes again, under the same id.
    let dead = dead
        .map(|dead| &dead.message_id)
        .collect::<HashSet<_>>()
        .len();
    let live = world
        .heard
        .of(session)
        .iter()
        .filter(|told| told.routing_key == "lifecycle.live")
        .count();
    assert!(
        conversations.len() <= 1,
        "{case}: {} conversations",
        conversations.len()
    );
    let openings = conversations
        .iter()
        .map(|one| world.org.messages(&one.id).len())
        .sum::<usize>();
    assert!(openings <= 1, "{case}: {openings} opening messages");
    match live {
        1 => assert_eq!((conversations.len(), openings, dead), (1, 1, 0), "{case}"),
        _ => assert_eq!((live, dead), (0, 1), "{case}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_escalations_survive_a_worker_that_is_killed_at_random() {
    const COUNT: usize = 500;
    let mut world = Setup::shared()
        .await
        // A kill costs an attempt; the budget is not what is tested here.
        .with(
            "retry",
            "waits = [\"5ms\", \"5ms\", \"5ms\", \"5ms\", \"5ms\", \"5ms\", \"5ms\", \"5ms\"]",
        )
        .build()
        .await;
    let sessions: Vec<String> = (0..COUNT).map(|at| format!("killed-{at}")).collect();
    world.start().await;
    let publish = async {
        for session in &sessions {
            world.publish(&world.escalation(session, "web")).await;
        }
    };
    publish.await;
    // The first kills come while escalations are still in the queue, the last while replies are on their way.
    for _ in 0..12 {
        chance(20..400).await;
        for conversation in world.org.conversations() {
            if world.org.rep_entries(&conversation.id).is_empty() {
                let rep = world.org.rep(&conversation.id);
                rep.joins();
                rep.says("first");
                rep.says("second");
            }
        }
        world.kill().await;
        world.launch().await;
    }
    world
        .heard
        .until(|heard| {
            let all = heard.all();
            let settled = all.iter().filter(|told| {
                told.routing_key == "lifecycle.live" || told.queue.ends_with(".dead-letters")
            });
            let ids: HashSet<&str> = settled.map(|told| told.message_id.as_str()).collect();
            ids.len() >= COUNT
        })
        .await;
    let ledger = world.org.ledger();
    let mut openings = BTreeMap::new();
    for conversation in &ledger.conversations {
        let session = conversation.sessions[0].sent["OpencxSessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        assert!(
            openings
                .insert(session, world.org.messages(&conversation.id).len())
                .is_none(),
            "two conversations"
        );
    }
    for session in &sessions {
        judge(&world, session, session);
    }
    for conversation in &ledger.conversations {
        let session = conversation.sessions[0].sent["OpencxSessionId"]
            .as_str()
            .expect("a session");
        let said: Vec<_> = conversation
            .rep_entries()
            .filter_map(|entry| entry.text.clone())
            .collect();
        if !said.is_empty() {
            world
                .heard
                .until(|heard| heard.replies(session).len() == said.len())
                .await;
            assert_eq!(world.heard.replies(session), said, "{session}");
        }
    }
    world.stop().await;
    let whole: String = world
        .database()
        .query_row("PRAGMA quick_check", [], |row| row.get(0))
        .expect("a check");
    assert_eq!(whole, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_in_the_middle_loses_and_doubles_nothing() {
    let mut node = PrivateNode::start(|_| ()).await.expect("a node");
    let mut world = Setup::on(Bench::on(node.url())).build().await;
    world.start().await;
    let conversation = world.goes_live("before", "sms").await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    rep.says("one");
    world
        .heard
        .until(|heard| heard.replies("before").len() == 1)
        .await;
    world.publish(&world.escalation("during", "sms")).await;
    node.kill().await.expect("killed");
    // The desk does not care: what the rep writes is kept, and goes out when the broker is back.
    rep.says("two");
    rep.says("three");
    node.restart(|_| ()).await.expect("back");
    world.heard.reconnect(&world.bench).await;
    world
        .heard
        .until(|heard| heard.replies("before").len() == 3)
        .await;
    assert_eq!(world.heard.replies("before"), ["one", "two", "three"]);
    world.heard.until_one("during", "lifecycle.live").await;
    judge(&world, "before", "before");
    judge(&world, "during", "during");
    until(|| !world.log().is_empty()).await;
    assert!(
        !world.log().contains(world.bench.url.expose_secret()),
        "the log tells the broker's password"
    );
    world.stop().await;
}
