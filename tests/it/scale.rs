//! Many conversations at once in one worker, their streams cut at random, with the desk's ledger as judge.

use std::time::Instant;

use baton::sim::faults::{Disturbance, Fault, Nth, What};
use baton::sim::salesforce::call;

use crate::world::Setup;

/// Conversations that are live at once.
const CONVERSATIONS: usize = 1_000;
/// What each rep says.
const REPLIES: usize = 5;
/// Each conversation opens a stream, and another whenever the last one breaks: once a round, and a few more times by
/// chance. With more than this, something is asked again and again that should be waited for.
const STREAMS_MAX: u32 = (CONVERSATIONS * (REPLIES + 3)) as u32;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_live_conversations_lose_double_and_reorder_nothing() {
    let setup = Setup::shared().await;
    let mut world = setup.with("desk", "timeout = \"10s\"").build().await;
    world.start().await;
    let began = Instant::now();
    let sessions: Vec<String> = (0..CONVERSATIONS).map(|at| format!("scale-{at}")).collect();
    let escalations = sessions
        .iter()
        .map(|session| world.escalation(session, "web"))
        .collect::<Vec<_>>();
    world.publish_all(&escalations).await;
    world
        .heard
        .until_counted("lifecycle.live", CONVERSATIONS)
        .await;
    let live = began.elapsed();
    world
        .org
        .wait_for(|ledger| ledger.open_streams() >= CONVERSATIONS)
        .await;
    let streams = began.elapsed();

    let reps: Vec<_> = world
        .org
        .conversations()
        .iter()
        .map(|it| world.org.rep(&it.id))
        .collect();
    let (faults, mut dice) = (world.org.faults(), fastrand::Rng::with_seed(7));
    for rep in &reps {
        rep.joins();
    }
    for at in 0..REPLIES {
        // Some streams that open from now on break, in the middle of a character or a frame.
        for _ in 0..50 {
            let disturbance = match dice.u8(0..5) {
                0 => Disturbance::CutAfter {
                    events: dice.u32(1..4),
                },
                1 => Disturbance::CutInFrame { event: 1 },
                2 => Disturbance::CutInCharacter,
                3 => Disturbance::Repeat { times: 2 },
                _ => Disturbance::Strangers,
            };
            faults.disturb(Nth::Next(1), disturbance);
        }
        faults.fail(call::EVENT_STREAM, Nth::Next(20), Fault::before(What::Cut));
        // Every round all streams break somewhere among the replies.
        let cut = dice.usize(0..reps.len());
        for (number, rep) in reps.iter().enumerate() {
            if number == cut {
                world.org.end_streams();
            }
            rep.says(&format!("reply {at}: señor"));
        }
        let heard = (at + 1) * CONVERSATIONS;
        world.heard.until_counted("reply.web", heard).await;
    }
    let replies = began.elapsed();

    let mut heard = world.heard.replies_by_session();
    for conversation in world.org.conversations() {
        let session = conversation.sessions[0].sent["OpencxSessionId"]
            .as_str()
            .expect("a session");
        let said: Vec<_> = conversation
            .rep_entries()
            .filter_map(|entry| entry.text.clone())
            .collect();
        assert_eq!(said.len(), REPLIES);
        assert_eq!(heard.remove(session), Some(said), "{session}");
    }
    assert!(world.heard.dead().is_empty());
    let (memory, busy) = (world.memory_peak(), world.processor_time());
    let opened = world.org.calls(call::EVENT_STREAM);
    println!(
        "{CONVERSATIONS} conversations: live after {live:?}, all streams after {streams:?}, {} replies after {replies:?} \
         over {opened} streams; the worker was busy for {busy:?} and its peak is {memory}",
        CONVERSATIONS * REPLIES
    );
    assert!(opened < STREAMS_MAX, "{opened} streams");
}
