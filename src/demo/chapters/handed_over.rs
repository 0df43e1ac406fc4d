//! A desk that takes a handoff and gives nothing back: what Baton says of it, and what becomes of a contact's next word.

use anyhow::ensure;
use serde_json::json;

use crate::demo::customers::Customer;
use crate::demo::narrator::Actor;
use crate::demo::stage::Stage;

/// What Dana writes while she waits.
const WORDS: &str = "Is somebody looking at it?";

/// Shows how each of the four ends, and lets one of them write once more.
pub async fn play(stage: &mut Stage<'_>, customers: &[Customer; 4]) -> anyhow::Result<()> {
    let title = "They are handed over";
    stage.chapter("handed-over", title).await?;
    for customer in customers {
        let live = stage.event(customer, "live").await?;
        let ended = stage.event(customer, "ended").await?;
        let (live, ended) = (&live["data"], &ended["data"]);
        ensure!(
            live["replies"] == "none" && ended["reason"] == "handed_over",
            "{} was not told that nothing comes back: {live} {ended}",
            customer.name
        );
        let id = live["dynamics365_chat_id"].as_str().unwrap_or("?");
        let text = format!(
            "{}: `live`, with replies `none` and dynamics365_chat_id {id}; then `ended`, handed_over.",
            customer.name
        );
        let facts = json!({
            "session": customer.session, "conversation": id, "replies": live["replies"], "reason": ended["reason"],
        });
        stage.tell(Actor::Baton, "handed-over", facts, text).await?;
    }
    let text = "From here on the reps answer in Dynamics, by the means that they have there. Whether a work item that \
                was written like this is offered to a rep, the routing of a real org decides; this demo proves nothing \
                about it.";
    stage.narrator.explain(text).await?;

    let [_, dana, ..] = customers;
    let text = format!("{} writes: “{WORDS}”", dana.name);
    let facts = json!({ "session": dana.session, "text": WORDS });
    stage
        .tell(Actor::Contact, "contact-message", facts, text)
        .await?;
    stage.write_in_vain(dana, WORDS).await?;
    let failed = stage.event(dana, "contact_message_failed").await?;
    let code = &failed["data"]["code"];
    ensure!(code == "handoff-ended", "the message failed with {code}");
    let text = "Publishes `contact_message_failed` (handoff-ended), so that the AI agent goes on instead of silence.";
    let facts = json!({ "session": dana.session, "code": code });
    stage.tell(Actor::Baton, "failed", facts, text).await
}
