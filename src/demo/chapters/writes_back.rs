//! The other direction: a contact answers the rep, sends a photo, and leaves.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use super::answers;
use crate::demo::customers::Customer;
use crate::demo::desk::{Conversation, File, Said, Standing};
use crate::demo::gallery::Photo;
use crate::demo::narrator::Actor;
use crate::demo::stage::{SOON, Stage};

/// Who has had the conversation since the customer asked.
const REP: &str = "Aisha T.";

/// What is said, in turn.
const QUESTION: &str = "Across the street is this door. Is it the one?";
const ANSWER: &str = "Yes, that is it, and so is your parcel. Shall I note that you fetch it?";
const THANKS: &str = "Please do. Thank you, Aisha!";

/// Between two looks at the desk.
const LOOK: Duration = Duration::from_millis(20);

/// Lets `customer` do all of it.
pub async fn play(stage: &mut Stage<'_>, customer: &Customer) -> anyhow::Result<()> {
    let title = "The contact writes back";
    stage.chapter("writes-back", title).await?;
    let (photo, url) = stage.gallery.photo();
    let text = format!(
        "{} asks “{QUESTION}” and sends a photo, {} ({}).",
        customer.name,
        photo.name,
        size(&photo.content),
    );
    let facts = json!({
        "session": customer.session, "text": QUESTION, "file": photo.name, "bytes": photo.content.len(),
    });
    stage
        .tell(Actor::Contact, "contact-message", facts, text)
        .await?;
    let photos = [(photo, url)];
    stage.send(customer, QUESTION, &photos).await?;
    stage.carried(customer).await?;
    let [(photo, _)] = photos;
    shown(stage, customer, &photo).await?;

    let mut there = stage.replies_so_far(customer);
    stage.rep(REP, customer)?.says(ANSWER);
    there += 1;
    if let Some(reply) = stage.replies(customer, there).await?.last() {
        answers::tell(stage, customer, reply).await?;
    }
    let text = format!("{}: “{THANKS}”", customer.name);
    let facts = json!({ "session": customer.session, "text": THANKS });
    stage
        .tell(Actor::Contact, "contact-message", facts, text)
        .await?;
    stage.send(customer, THANKS, &[]).await?;
    stage.carried(customer).await?;
    leaves(stage, customer, there).await
}

/// What the rep sees of it, and whether it is the photo that was sent.
async fn shown(stage: &mut Stage<'_>, customer: &Customer, photo: &Photo) -> anyhow::Result<()> {
    let conversation = stage.conversation(customer)?;
    let new = &conversation.heard;
    let attached = new.iter().find_map(|said| match said {
        Said::File(file) => Some(file),
        Said::Words(_) => None,
    });
    let attached = attached.context("the rep got no photo")?;
    let opened = opened(attached);
    let opened = stage
        .narrator
        .wait("the rep to open the photo", SOON, opened)
        .await??;
    ensure!(
        opened == photo.content,
        "the rep has another photo than the contact sent"
    );
    let text = format!(
        "Fetches the photo where the channel keeps it, sees by its bytes that it is a picture, and attaches it. {REP} \
         reads:"
    );
    let facts = json!({
        "session": customer.session, "conversation": conversation.id, "entries": new.len(), "file": attached.name,
        "bytes": attached.bytes, "content_type": attached.content_type,
    });
    stage
        .tell(Actor::Baton, "contact-message-delivered", facts, text)
        .await?;
    let lines: Vec<String> = new.iter().map(|said| line(said, &opened)).collect();
    Ok(stage
        .narrator
        .show_box(customer.name, &lines.join("\n"))
        .await?)
}

/// The photo, as it opens in the rep's console.
async fn opened(file: &File) -> anyhow::Result<Bytes> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let answer = http.get(&file.url).send().await?.error_for_status()?;
    Ok(answer.bytes().await?)
}

fn line(said: &Said, opened: &Bytes) -> String {
    match said {
        Said::File(file) => format!(
            "▣ {} · {} · {}, as sent",
            file.name,
            file.content_type,
            size(opened)
        ),
        Said::Words(text) => text.clone(),
    }
}

fn size(content: &Bytes) -> String {
    format!("{} bytes", content.len())
}

/// The end that a contact makes.
async fn leaves(stage: &mut Stage<'_>, customer: &Customer, replies: usize) -> anyhow::Result<()> {
    let text = format!("{} closes the chat.", customer.name);
    let facts = json!({ "session": customer.session });
    stage.tell(Actor::Contact, "left", facts, text).await?;
    stage.leave(customer, "closed the chat").await?;
    let ended = stage.event(customer, "ended").await?;
    let Value::String(reason) = &ended["data"]["reason"] else {
        anyhow::bail!("the event `ended` gives no reason");
    };
    ensure!(
        reason == "contact_left" && ended["data"]["last_sequence"] == replies,
        "the contact left after reply {replies}, and `ended` says {}",
        ended["data"]
    );
    let id = stage.conversation(customer)?.id;
    let is_open = |it: &Conversation| it.standing == Standing::Open;
    let closed = async {
        while stage
            .desk
            .conversations(&customer.session)
            .iter()
            .any(is_open)
        {
            tokio::time::sleep(LOOK).await;
        }
    };
    (stage.narrator)
        .wait("the conversation to be closed at the desk", SOON, closed)
        .await?;
    let text = format!(
        "Publishes `ended` ({reason}), and closes the conversation at the desk: {REP} is free for the next one."
    );
    let facts = json!({ "session": customer.session, "reason": reason, "conversation": id });
    stage.tell(Actor::Baton, "ended", facts, text).await
}
