//! The desk creates a conversation and the answer is lost: Baton cannot know, and must not make a second one.

use serde_json::{Value, json};

use crate::demo::customers::Customer;
use crate::demo::narrator::Actor;
use crate::demo::stage::Stage;
use crate::sim::faults::{Fault, Nth, What};

/// The step that is hit.
const STEP: &str = "create-conversation";

/// Plays it with one more customer.
pub async fn play(stage: &mut Stage<'_>, customer: &Customer) -> anyhow::Result<()> {
    let title = "Trouble: the desk acts, and its answer is lost";
    stage.chapter("lost-answer", title).await?;
    let (creating, words) = (stage.desk.creating(), stage.desk.words());
    let before = stage.desk.creations();
    let lost = Fault::after(What::Cut);
    stage.desk.faults().fail(creating, Nth::Next(1), lost);
    let text = "Will create the next conversation, and cut the line before it has answered.";
    let facts = json!({ "call": STEP });
    stage.tell(Actor::Desk, "fault", facts, text).await?;
    let text = format!("{} ({}) wants a human.", customer.name, customer.channel);
    let facts = json!({ "session": customer.session });
    stage.tell(Actor::Agent, "published", facts, text).await?;
    stage.publish(std::slice::from_ref(customer)).await?;
    stage.event(customer, "retrying").await?;
    stage.live(std::slice::from_ref(customer)).await?;

    let handoff = stage.operator.handoff(&customer.session).await?;
    let attempts = handoff["attempts"].as_array().cloned().unwrap_or_default();
    let tries = attempts.into_iter().filter(|it| it["step"] == STEP);
    for (number, attempt) in (1..).zip(tries) {
        let text = attempted(number, &attempt, words.again);
        stage.tell(Actor::Baton, "attempt", attempt, text).await?;
    }

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

fn attempted(number: u32, attempt: &Value, again: &str) -> String {
    match attempt["error"].as_str() {
        Some(error) => format!(
            "Try {number} to create the conversation: {error}. It may have happened, or not."
        ),
        None => format!("Try {number}, {again}: done."),
    }
}
