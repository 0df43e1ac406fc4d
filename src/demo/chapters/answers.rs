//! Reps join, type and answer, and each channel gets what it needs to send.

use std::time::Duration;

use serde_json::{Value, json};

use crate::demo::customers::Customer;
use crate::demo::desk::Joining;
use crate::demo::heard::Told;
use crate::demo::narrator::Actor;
use crate::demo::stage::Stage;

/// Whom each of the four gets, and what they are told.
const REPS: [(&str, &[&str]); 4] = [
    (
        "Maria R.",
        &["Hi Priya, I have removed the old phone. Please log in once more."],
    ),
    (
        "Jonas K.",
        &[
            "Hi Dana, I see both charges for order 5512. I am refunding the second one now; it takes two or three \
             working days until your bank shows it. You will get an e-mail with the receipt in a minute.",
        ],
    ),
    (
        "Aisha T.",
        &["Hello Mateo, the driver gave it to number 12 across the street, it seems."],
    ),
    (
        "Sam O.",
        &["Good morning Mrs Adeyemi, Thursday between 9 and 11 is yours."],
    ),
];

/// How long a rep types, if somebody watches.
const TYPING: Duration = Duration::from_millis(900);

/// Lets all four be answered.
pub async fn play(stage: &mut Stage<'_>, customers: &[Customer; 4]) -> anyhow::Result<()> {
    let title = "Reps answer";
    stage.chapter("answers", title).await?;
    let names = REPS.map(|(name, _)| name).join(", ");
    let mut hands = vec![];
    for (customer, (name, _)) in customers.iter().zip(REPS) {
        let rep = stage.rep(name, customer)?;
        let joining = rep.join();
        rep.types();
        hands.push(rep);
        if joining == Joining::IsTold {
            stage.event(customer, "rep_joined").await?;
        }
    }
    let text = format!("{names} each take a conversation and begin to type.");
    let told = json!({ "reps": REPS.map(|(name, _)| name) });
    stage.tell(Actor::Rep, "joined", told, text).await?;
    stage.narrator.moment(TYPING).await;
    let words = "Jonas, did you see that login bug again?";
    if let Some(()) = hands.first().and_then(|maria| maria.whispers(words)) {
        let text = format!("Maria R. whispers to a colleague: “{words}” It must stay at the desk.");
        stage
            .tell(Actor::Rep, "whispered", json!({ "text": words }), text)
            .await?;
    }
    for (rep, (_, lines)) in hands.iter().zip(REPS) {
        for line in lines {
            rep.says(line);
        }
    }
    for (customer, (_, lines)) in customers.iter().zip(REPS) {
        stage.event(customer, "rep_joined").await?;
        let replies = stage.replies(customer, lines.len()).await?;
        for reply in &replies {
            tell(stage, customer, reply).await?;
        }
    }
    let queue = stage.names.replies("sms");
    let text = format!(
        "Your channel senders take these from queues: the one to Dana was in `{queue}`, with the address to send it to."
    );
    stage.narrator.explain(&text).await?;
    Ok(())
}

/// Tells a reply as its channel got it.
pub async fn tell(stage: &mut Stage<'_>, customer: &Customer, reply: &Told) -> anyhow::Result<()> {
    let data = &reply.event["data"];
    let text = format!(
        "#{} {} to {}: “{}”{}",
        data["sequence"],
        data["rep"]["name"].as_str().unwrap_or("?"),
        customer.name,
        data["text"].as_str().unwrap_or_default(),
        aside(data),
    );
    let channel = Actor::Channel(customer.channel);
    stage.tell(channel, "reply", facts(reply), text).await?;
    Ok(())
}

/// A reply, for programs.
pub fn facts(reply: &Told) -> Value {
    let data = &reply.event["data"];
    json!({
        "session": reply.session, "id": reply.message_id, "channel": data["channel"], "sequence": data["sequence"],
        "rep": data["rep"]["name"], "text": data["text"], "sms": data["sms"], "whatsapp": data["whatsapp"],
    })
}

/// What only this channel's sender needs to know.
fn aside(data: &Value) -> String {
    if let (Some(segments), Some(encoding)) = (
        data["sms"]["segments"].as_u64(),
        data["sms"]["encoding"].as_str(),
    ) {
        let plural = if segments == 1 { "" } else { "s" };
        return format!(" ({segments} segment{plural}, {encoding})");
    }
    match (
        data["whatsapp"]["window"].as_str(),
        data["whatsapp"]["expires_at"].as_str(),
    ) {
        (Some(window), Some(expires)) => {
            let expires = expires.get(..16).unwrap_or(expires).replace('T', " ");
            format!(" (window {window} until {expires} UTC)")
        }
        (Some(window), None) => format!(" (window {window})"),
        _ => String::new(),
    }
}
