//! Opening messages in parts: all of it is on the ticket, once and in order.

use baton::domain::handoff::Earlier;
use baton::domain::transcript::{self, OpeningMessage};
use baton::sim::zendesk::App;
use serde_json::json;

use super::house::House;
use super::{app_and_desk, converse, effect, escalation, escalation_of};

async fn posted(text: &str) -> (App, Vec<String>) {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = converse(&*desk, &escalation()).await;
    let opening = OpeningMessage {
        text: text.into(),
        whole: None,
    };
    desk.send_opening(
        &access,
        &conversation,
        effect("opening", Earlier::Never),
        &opening,
        &escalation(),
    )
    .await
    .expect("posted");
    let parts = app.messages(conversation.as_str());
    let parts = parts.iter().map(|it| it.text().to_owned()).collect();
    (app, parts)
}

#[tokio::test]
async fn five_hundred_turns_are_all_on_the_ticket_once_and_in_order() {
    let turns: Vec<_> = (0..500)
        .map(|n| {
            json!({ "id": format!("m{n}"), "author": if n % 2 == 0 { "contact" } else { "ai" },
                         "text": format!("«turn {n}» {}", "lorem ipsum ".repeat(6)) })
        })
        .collect();
    let house = House::new().await;
    let conversation = house.live_with("s1", json!({ "transcript": turns })).await;
    let messages = house.app.messages(&conversation);
    assert!(
        messages.len() > 10,
        "more than the ten that a ticket gets by itself: {}",
        messages.len()
    );
    let said: String = messages.iter().map(|it| it.text()).collect();
    let places: Vec<Option<usize>> = (0..500)
        .map(|n| said.find(&format!("«turn {n}»")))
        .collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted());
    assert_eq!(said.matches("«turn ").count(), 500);
    assert_eq!(
        said,
        transcript::opening(&house.handoff("s1").await.escalation, 60_000).text
    );

    let ticket = &house.app.tickets(&conversation)[0];
    let ids: Vec<String> = messages.iter().map(|it| it.id.clone()).collect();
    assert_eq!(ticket.messages, ids);
    let passed = house.app.conversations()[0].controls[0].metadata.clone();
    assert_eq!(passed["first_message_id"], ids[0].as_str());
}

#[tokio::test]
async fn parts_are_cut_at_line_ends_else_between_graphemes_and_lose_nothing() {
    let lines = "a line of text that ends\n".repeat(400);
    let emoji = "👩🏽‍🚀".repeat(2000);
    let no_line_ends = "x".repeat(10_000);
    let one_grapheme = format!("e{}", "\u{301}".repeat(9000));
    for text in [&lines, &emoji, &no_line_ends, &one_grapheme] {
        let (_, parts) = posted(text).await;
        assert_eq!(parts.concat(), *text);
        assert!(parts.len() > 1);
        for part in &parts {
            assert!(part.encode_utf16().count() <= 4096);
        }
    }
    let (_, parts) = posted(&lines).await;
    assert!(parts.iter().all(|part| part.ends_with("ends\n")));
    let (_, parts) = posted(&emoji).await;
    assert!(parts.iter().all(|part| part.starts_with('👩')));
}

#[tokio::test]
async fn what_is_only_space_is_not_posted() {
    let (app, parts) = posted(&format!("Hello\n{}Goodbye", "\n".repeat(9000))).await;
    assert_eq!(parts.len(), 2);
    assert!(app.ledger().refusals.is_empty());
}

#[tokio::test]
async fn a_rep_finds_the_whole_story() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    let text = house.app.messages(&conversation)[0].text().to_owned();
    for part in [
        "AI summary: Dana was charged twice",
        "Reason: contact request",
        "Contact: Dana Reyes",
        "Channel: sms",
        "Session: s1",
        "Transcript (3 turns",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let about = escalation_of("s1", json!({}));
    assert_eq!(text, transcript::opening(&about, 60_000).text);
}
