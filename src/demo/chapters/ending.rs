//! The newcomers are answered, the reps end everything, the worker drains, and the sums are drawn.

use anyhow::bail;
use serde_json::json;

use super::answers;
use crate::demo::account::Summary;
use crate::demo::customers::Customer;
use crate::demo::narrator::Actor;
use crate::demo::stage::{SOON, Stage};

/// Who says goodbye.
const REP: &str = "Maria R.";

/// Ends every conversation, and says what it all comes to.
pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<Summary> {
    let title = "Everybody says goodbye";
    stage.chapter("ending", title).await?;
    let customers: Vec<Customer> = stage.present().cloned().collect();
    let count = customers.len();
    let mut last = vec![];
    for customer in &customers {
        let rep = stage.rep(REP, customer)?;
        let there = stage.replies_so_far(customer);
        let first_name = customer.first_name();
        if there == 0 {
            rep.join();
            rep.says(&format!("Hi {first_name}, that is settled. Goodbye!"));
        } else {
            rep.says(&format!("Goodbye, {first_name}!"));
        }
        rep.ends();
        last.push((customer, there + 1));
    }
    let text = format!(
        "{REP} writes a last line to each of the {count} customers who are still there, and ends their conversations."
    );
    let facts = json!({ "conversations": count });
    stage.tell(Actor::Rep, "goodbye", facts, text).await?;
    for (customer, count) in last {
        end(stage, customer, count).await?;
    }
    let text = format!("Publishes {count} events `ended`, each with the number of the last reply.");
    let facts = json!({ "conversations": count });
    stage.tell(Actor::Baton, "ended", facts, text).await?;
    stop(stage).await
}

/// Ends where no rep says goodbye: everything was handed over.
pub async fn without_goodbyes(stage: &mut Stage<'_>) -> anyhow::Result<Summary> {
    let title = "Everything is handed over";
    stage.chapter("ending", title).await?;
    for customer in stage.customers.clone() {
        end(stage, &customer, 0).await?;
    }
    let count = stage.customers.len();
    let text = format!(
        "Has published {count} events `ended`, one per escalation: all of them are with the reps, and none waits for words that cannot come back."
    );
    let facts = json!({ "conversations": count });
    stage.tell(Actor::Baton, "ended", facts, text).await?;
    stop(stage).await
}

/// Lets the worker drain, and draws the sums.
async fn stop(stage: &mut Stage<'_>) -> anyhow::Result<Summary> {
    let stopping = stage.take_worker()?.stop();
    let status = (stage.narrator)
        .wait("the worker to drain", SOON, stopping)
        .await??;
    if !status.success() {
        bail!("the worker did not stop in order: {status}");
    }
    let text =
        "Is told to stop (SIGTERM), finishes what is under way, and leaves with exit code 0.";
    let facts = json!({ "exit_code": status.code() });
    stage.tell(Actor::Baton, "stopped", facts, text).await?;
    stage.reckon().await
}

/// Waits until a customer has the last reply and the world knows that it was the last.
async fn end(stage: &mut Stage<'_>, customer: &Customer, count: usize) -> anyhow::Result<()> {
    let replies = stage.replies(customer, count).await?;
    if let Some(reply) = replies.last() {
        let channel = Actor::Channel(customer.channel);
        (stage.narrator).note(channel, "reply", answers::facts(reply))?;
    }
    let ended = stage.event(customer, "ended").await?;
    let last = &ended["data"]["last_sequence"];
    if *last != count {
        let name = customer.name;
        bail!("the end of {name}'s conversation names {last} as the last reply of {count}");
    }
    Ok(())
}
