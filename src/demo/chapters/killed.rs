//! SIGKILL in mid-conversation: the rep goes on writing, another customer comes, and nothing of it is lost.

use std::time::{Duration, Instant};

use serde_json::json;

use super::answers;
use crate::demo::customers::Customer;
use crate::demo::narrator::Actor;
use crate::demo::stage::Stage;

/// Who has had the conversation since the customer asked.
const REP: &str = "Jonas K.";

/// What is written before, while nobody works, and after.
const BEFORE: &str = "One more thing, Dana:";
const MEANWHILE: [&str; 2] = [
    "the double charge was our mistake, so there is a voucher of 10 € for you.",
    "The code is SORRY-5512 – it is valid for a year.",
];
/// What the customer writes meanwhile.
const THANKS: &str = "Oh, that is kind. Thank you!";
const AFTER: &str = "Can I do anything else for you?";

/// How long the worker is dead, if somebody watches.
const DEAD: Duration = Duration::from_millis(1_200);

/// Kills the worker between two sentences to `customer`, while `newcomer` escalates.
pub async fn play(
    stage: &mut Stage<'_>,
    customer: &Customer,
    newcomer: &Customer,
) -> anyhow::Result<()> {
    let title = "Trouble: the worker is killed in mid-conversation";
    stage.chapter("killed", title).await?;
    let rep = stage.rep(REP, customer)?;
    let mut there = stage.replies_so_far(customer);
    rep.says(BEFORE);
    replies(stage, customer, &mut there, 1).await?;

    let worker = stage.take_worker()?;
    let (id, died) = (worker.id, Instant::now());
    worker.kill().await?;
    let text =
        format!("SIGKILL to process {id}. The worker is gone; it could not write anything down.");
    let facts = json!({ "process": id });
    stage.tell(Actor::Demo, "killed", facts, text).await?;
    let knows = [
        format!("{REP} knows nothing of it, and writes"),
        "And".to_owned(),
    ];
    for (line, begins) in MEANWHILE.iter().zip(knows) {
        rep.says(line);
        let text = format!("{begins}: “{line}”");
        let facts = json!({ "text": line });
        stage.tell(Actor::Rep, "wrote", facts, text).await?;
    }
    stage.send(customer, THANKS, &[]).await?;
    let text = format!("{} answers: “{THANKS}”", customer.name);
    let facts = json!({ "session": customer.session, "text": THANKS });
    stage
        .tell(Actor::Contact, "contact-message", facts, text)
        .await?;
    stage.publish(std::slice::from_ref(newcomer)).await?;
    let text = format!(
        "{} ({}) wants a human. Her answer and his escalation wait in RabbitMQ.",
        newcomer.name, newcomer.channel
    );
    let facts = json!({ "session": newcomer.session });
    stage.tell(Actor::Agent, "published", facts, text).await?;
    stage.narrator.moment(DEAD).await;

    let id = stage.start_worker().await?;
    let away = died.elapsed();
    let text = format!(
        "Started again, as process {id}, after {:.1} s.",
        away.as_secs_f64()
    );
    let facts = json!({ "process": id, "away_ms": away.as_millis() });
    stage.tell(Actor::Baton, "restarted", facts, text).await?;
    stage.live(std::slice::from_ref(newcomer)).await?;
    let conversation = stage.conversation(newcomer)?;
    let text = format!("{}'s conversation is with the reps.", newcomer.name);
    let facts = json!({ "session": newcomer.session, "conversation": conversation.id });
    stage.tell(Actor::Desk, "opened", facts, text).await?;
    replies(stage, customer, &mut there, MEANWHILE.len()).await?;
    stage.carried(customer).await?;
    let text = format!("{REP} reads {}'s answer.", customer.first_name());
    let facts = json!({ "session": customer.session, "text": THANKS });
    stage.tell(Actor::Desk, "delivered", facts, text).await?;
    rep.says(AFTER);
    replies(stage, customer, &mut there, 1).await
}

/// Waits for so many replies more, and tells them.
async fn replies(
    stage: &mut Stage<'_>,
    customer: &Customer,
    there: &mut usize,
    more: usize,
) -> anyhow::Result<()> {
    let all = stage.replies(customer, *there + more).await?;
    for reply in &all[*there..] {
        answers::tell(stage, customer, reply).await?;
    }
    *there = all.len();
    Ok(())
}
