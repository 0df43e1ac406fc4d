//! One escalation per channel, all at once: the five steps of each, and what the rep will read.

use std::time::Duration;

use serde_json::{Value, json};

use crate::demo::customers::Customer;
use crate::demo::narrator::Actor;
use crate::demo::page::Align;
use crate::demo::stage::Stage;

/// The steps as the API names them, and as people do.
const STEPS: [(&str, &str); 5] = [
    ("identity-token", "1 identity token"),
    ("access-token", "2 access token"),
    ("transcript", "3 transcript"),
    ("create-conversation", "4 create conversation"),
    ("opening-message", "5 opening message"),
];

/// Escalates all of them, and shows what became of it.
pub async fn play(stage: &mut Stage<'_>, customers: &[Customer; 4]) -> anyhow::Result<()> {
    let title = "Four customers ask for a human";
    stage.chapter("handoffs", title).await?;
    let who: Vec<String> = customers
        .iter()
        .map(|customer| format!("{} ({})", customer.name, customer.channel))
        .collect();
    let text = format!("Publishes four escalations at once: {}.", who.join(", "));
    let sessions: Vec<&str> = customers.iter().map(|it| it.session.as_str()).collect();
    let told = json!({ "sessions": sessions });
    stage.tell(Actor::Agent, "published", told, text).await?;
    stage.publish(customers).await?;
    let live = stage.live(customers).await?;

    let text =
        "Hands each one over in five steps. Before a step it writes down what it is about to do:";
    stage
        .tell(Actor::Baton, "stepping", json!({}), text)
        .await?;
    let mut columns = vec![];
    for (customer, live) in customers.iter().zip(live) {
        let handoff = stage.operator.handoff(&customer.session).await?;
        let mut facts = json!({
            "session": customer.session, "channel": customer.channel.as_str(),
            "conversation": handoff["conversation"], "live_after_ms": live.as_millis(),
        });
        for (step, _) in STEPS {
            facts["steps"][step] = took(&handoff, step);
        }
        columns.push(column(customer, &facts, live));
        stage.narrator.note(Actor::Baton, "live", facts)?;
    }
    let heading = [
        vec!["".to_owned()],
        STEPS.map(|(_, name)| name.to_owned()).to_vec(),
    ]
    .concat();
    let heading = [heading, vec!["from accepted to live".to_owned()]].concat();
    let rows: Vec<Vec<String>> = (0..heading.len())
        .map(|row| {
            let cells = columns.iter().map(|column| column[row].clone());
            std::iter::once(heading[row].clone()).chain(cells).collect()
        })
        .collect();
    stage.narrator.show_table(&rows, Align::Right).await?;

    for (number, customer) in customers.iter().enumerate() {
        let conversation = stage.conversation(customer)?;
        let opening = conversation.opening;
        let facts = json!({ "session": customer.session, "channel": customer.channel.as_str(), "text": opening });
        if number == 0 {
            let text = format!(
                "What a rep sees when {}'s conversation opens:",
                customer.name
            );
            stage
                .tell(Actor::Desk, "opening-message", facts, text)
                .await?;
            stage
                .narrator
                .show_box(customer.name, &conversation.sight)
                .await?;
        } else {
            let first = opening.lines().next().unwrap_or_default();
            let about = first.strip_prefix("AI summary: ").unwrap_or(first);
            let text = format!("The same for {}: “{about}”", customer.name);
            stage
                .tell(Actor::Desk, "opening-message", facts, text)
                .await?;
        }
    }
    Ok(())
}

/// Milliseconds of the attempt that took a step.
fn took(handoff: &Value, step: &str) -> Value {
    let attempts = handoff["attempts"].as_array();
    let attempt = attempts.and_then(|all| all.iter().rev().find(|it| it["step"] == step));
    attempt.map_or(Value::Null, |attempt| attempt["took_ms"].clone())
}

fn column(customer: &Customer, facts: &Value, live: Duration) -> Vec<String> {
    let mut column = vec![customer.channel.to_string()];
    for (step, _) in STEPS {
        column.push(match facts["steps"][step].as_u64() {
            Some(0) => "<1 ms".to_owned(),
            Some(took) => format!("{took} ms"),
            None => "-".to_owned(),
        });
    }
    column.push(format!("{} ms", live.as_millis()));
    column
}
