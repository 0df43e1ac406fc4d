//! SIGKILL between the desk's act and its answer: the next worker cannot know, asks again, and nothing is doubled.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::demo::customers::Customer;
use crate::demo::narrator::Actor;
use crate::demo::stage::{SOON, Stage};
use crate::sim::faults::{Fault, Nth, What};

/// How long the worker is dead, if somebody watches.
const DEAD: Duration = Duration::from_millis(1_200);

/// Between two looks at the desk.
const LOOK: Duration = Duration::from_millis(20);

/// Kills the worker while the desk is working for this customer.
pub async fn play(stage: &mut Stage<'_>, customer: &Customer) -> anyhow::Result<()> {
    let title = "Trouble: the worker is killed in the middle of a call";
    stage.chapter("killed", title).await?;
    let (creating, words) = (stage.desk.creating(), stage.desk.words());
    let before = stage.desk.creations();
    let silent = Fault::after(What::Hang);
    stage.desk.faults().fail(creating, Nth::Next(1), silent);
    let text = format!("{} ({}) wants a human.", customer.name, customer.channel);
    let facts = json!({ "session": customer.session });
    stage.tell(Actor::Agent, "published", facts, text).await?;
    stage.publish(std::slice::from_ref(customer)).await?;
    let made = async {
        while stage.desk.conversations(&customer.session).is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    (stage.narrator).wait("the desk to act", SOON, made).await?;
    let text = "Does what it was asked, and has not answered yet.";
    let facts = json!({ "session": customer.session });
    stage.tell(Actor::Desk, "acted", facts, text).await?;

    let worker = stage.take_worker()?;
    let (id, died) = (worker.id, Instant::now());
    worker.kill().await?;
    let text =
        format!("SIGKILL to process {id}. All that is written down is that it was about to ask.");
    let facts = json!({ "process": id });
    stage.tell(Actor::Demo, "killed", facts, text).await?;
    stage.narrator.moment(DEAD).await;

    let id = stage.start_worker().await?;
    let away = died.elapsed();
    let text = format!(
        "Started again, as process {id}, after {:.1} s. Asks again, {}.",
        away.as_secs_f64(),
        words.again
    );
    let facts = json!({ "process": id, "away_ms": away.as_millis() });
    stage.tell(Actor::Baton, "restarted", facts, text).await?;
    stage.live(std::slice::from_ref(customer)).await?;
    let asked = stage.desk.creations() - before;
    let there = stage.desk.conversations(&customer.session);
    let text = words.outcome(asked, &there, customer.name);
    let conversation = stage.conversation(customer)?;
    let facts = json!({
        "conversation": conversation.id, "asked": asked, "conversations": there.len(),
        "opening_messages": conversation.opening_messages,
    });
    stage.tell(Actor::Desk, "once", facts, text).await
}
