//! An escalation for a desk that nobody has connected: set aside with its reason, put right, and sent on.

use serde_json::{Value, json};

use crate::demo::customers::Customer;
use crate::demo::narrator::Actor;
use crate::demo::page::Align;
use crate::demo::stage::{SOON, Stage};

/// Plays it with a customer whose connection does not exist yet.
pub async fn play(stage: &mut Stage<'_>, customer: &Customer) -> anyhow::Result<()> {
    let title = "Trouble: a mistake that only a human can put right";
    stage.chapter("dead-letter", title).await?;
    let Customer {
        name, connection, ..
    } = customer;
    let text = format!(
        "{name} ({}) wants a human at the desk `{connection}`.",
        customer.channel
    );
    let facts = json!({ "session": customer.session, "connection": connection });
    stage.tell(Actor::Agent, "published", facts, text).await?;
    stage.publish(std::slice::from_ref(customer)).await?;
    let dead = stage.heard.dead(&customer.session);
    let (letter, reason) = (stage.narrator)
        .wait("the dead letter", SOON, dead)
        .await??;
    let text = "Knows no such desk, and no retry can help: the escalation becomes a dead letter, whole and with the reason.";
    let facts = json!({
        "session": letter.session, "code": reason.code, "step": reason.step, "reason": reason.words,
    });
    stage.tell(Actor::Baton, "dead-letter", facts, text).await?;

    let letters = stage.operator.dead_letters().await?;
    let facts = json!({ "dead_letters": letters });
    let text = "Looks at the dead letters, with `baton dead list`:";
    stage
        .tell(Actor::Operator, "dead-letters", facts, text)
        .await?;
    stage
        .narrator
        .show_table(&rows(&letters), Align::Left)
        .await?;
    let text = format!("Reads why, with `baton dead show`: “{}”", reason.words);
    let facts = json!({ "reason": reason.words });
    stage.tell(Actor::Operator, "read", facts, text).await?;

    let connecting = stage.operator.connect(connection, &*stage.desk);
    (stage.narrator)
        .wait("the connection to be verified", SOON, connecting)
        .await??;
    let text = format!(
        "Adds the connection, and sends the dead letter on with `baton dead replay {}…`.",
        &customer.session[..8]
    );
    let facts = json!({ "connection": connection, "session": customer.session });
    stage
        .tell(Actor::Operator, "put-right", facts, text)
        .await?;
    let replayed = stage.operator.replay(&customer.session).await?;
    stage.live(std::slice::from_ref(customer)).await?;
    let conversation = stage.conversation(customer)?;
    let step = replayed["from_step"].as_str().unwrap_or_default();
    let text =
        format!("Goes on from the step `{step}`, and {name}'s conversation is with the reps.");
    let facts =
        json!({ "session": customer.session, "conversation": conversation.id, "from_step": step });
    stage.tell(Actor::Baton, "replayed", facts, text).await
}

fn rows(letters: &[Value]) -> Vec<Vec<String>> {
    const COLUMNS: [&str; 4] = ["code", "class", "step", "connection"];
    let row = |letter: &Value| {
        let cells = COLUMNS.map(|name| letter[name].as_str().unwrap_or("-").to_owned());
        cells.to_vec()
    };
    let headings = COLUMNS.map(str::to_uppercase).to_vec();
    std::iter::once(headings)
        .chain(letters.iter().map(row))
        .collect()
}
