//! What a rep does, and exactly what the end user gets to see of it.

use std::time::Duration;

use baton::sim::rep::{Finish, Lines, Routine};
use baton::sim::salesforce::ledger::SessionStatus;
use baton::sim::salesforce::switches::{RepEnd, Transfer};
use baton::sim::salesforce::{Org, Rep};
use serde_json::json;

use super::{Client, Event, Events, org, org_with};

/// A conversation that a rep has joined, and a stream from there on.
async fn joined(org: &Org) -> (Client, String, Rep, Events) {
    let mut client = Client::verified(org, "contact-42").await;
    let conversation = client.conversation().await;
    let rep = org.rep(&conversation);
    rep.joins();
    client.verify("contact-42").await;
    let events = client.listen().await;
    (client, conversation, rep, events)
}

/// An event in a few words.
fn told(event: &Event) -> String {
    let payload = event.payload();
    let name = event.name.trim_start_matches("CONVERSATION_");
    match name {
        "PARTICIPANT_CHANGED" => {
            let entry = &payload["entries"][0];
            format!(
                "{} {}",
                entry["operation"].as_str().expect("one"),
                entry["displayName"].as_str().expect("one")
            )
        }
        "SESSION_STATUS_CHANGED" => payload["sessionStatus"]
            .as_str()
            .expect("a status")
            .to_owned(),
        "ROUTING_WORK_RESULT" => payload["workType"].as_str().expect("a type").to_owned(),
        "ROUTING_RESULT" => payload["routingType"].as_str().expect("a type").to_owned(),
        other => other.to_owned(),
    }
}

/// What follows until the last word, which the system says.
async fn story(rep: &Rep, events: &mut Events) -> Vec<String> {
    rep.system_line("the last word");
    let mut story: Vec<_> = events
        .until("the last word")
        .await
        .iter()
        .map(told)
        .collect();
    story.pop();
    story
}

#[tokio::test]
async fn a_rep_who_ends_is_removed_and_the_session_ended_but_nothing_closed() {
    let cases = [
        (RepEnd::RemovedThenEnded, &["remove Maria R.", "Ended"][..]),
        (RepEnd::EndedThenRemoved, &["Ended", "remove Maria R."]),
        (RepEnd::EndedOnly, &["Ended"]),
    ];
    for (switch, expected) in cases {
        let org = org().await;
        let (_, _, rep, mut events) = joined(&org).await;
        org.switch(|switches| switches.rep_end = switch);
        rep.ends();
        assert_eq!(story(&rep, &mut events).await, expected);
    }
}

#[tokio::test]
async fn a_transfer_goes_through_the_queue_or_overlaps_as_switched() {
    let removed = [
        "Transfer",
        "remove Maria R.",
        "Waiting",
        "Assigned",
        "Accepted",
        "add Tom",
        "Active",
    ];
    let added = [
        "Transfer",
        "Assigned",
        "Accepted",
        "add Tom",
        "remove Maria R.",
    ];
    for (switch, expected) in [
        (Transfer::RemoveFirst, &removed[..]),
        (Transfer::AddFirst, &added),
    ] {
        let org = org().await;
        let (_, _, rep, mut events) = joined(&org).await;
        org.switch(|switches| switches.transfer = switch);
        rep.transfers_to("Tom");
        assert_eq!(story(&rep, &mut events).await, expected);
        assert_eq!(org.conversations()[0].session().reps, ["Tom"]);
        assert_eq!(
            org.conversations()[0].session().status,
            SessionStatus::Active
        );
    }
}

#[tokio::test]
async fn a_rep_who_leaves_may_be_followed_by_another() {
    let org = org().await;
    let (_, _, rep, mut events) = joined(&org).await;
    rep.leaves();
    rep.named("Tom").joins();
    let expected = [
        "remove Maria R.",
        "Waiting",
        "Assigned",
        "Accepted",
        "add Tom",
        "Active",
    ];
    assert_eq!(story(&rep, &mut events).await, expected);
}

#[tokio::test]
async fn whispers_are_internal_and_no_reply() {
    let org = org().await;
    let (_, conversation, rep, mut events) = joined(&org).await;
    rep.whispers("he is rude");
    let said = rep.says("Dear Sir");
    let entries = events.take(2).await;
    assert_eq!(entries[0].entry()["visibilityStrategy"], "Internal");
    assert_eq!(entries[1].entry()["visibilityStrategy"], "Default");
    let [reply] = &org.rep_entries(&conversation)[..] else {
        panic!("one reply")
    };
    assert_eq!(
        (&reply.identifier, reply.text.as_deref()),
        (&said, Some("Dear Sir"))
    );
}

#[tokio::test]
async fn the_org_speaks_for_itself() {
    let org = org().await;
    let (_, conversation, rep, mut events) = joined(&org).await;
    rep.auto_response("A rep will be with you shortly.");
    rep.system_line("The conversation is recorded.");
    rep.emits("QueuePosition", json!({ "position": 3 }));
    let entries = events.take(3).await;
    assert_eq!(entries[0].entry()["sender"]["role"], "System");
    assert_eq!(entries[0].entry()["senderDisplayName"], "Automated Process");
    assert_eq!(entries[0].payload()["messageReason"], "AutomatedResponse");
    assert_eq!(entries[1].payload()["messageReason"], json!(null));
    assert_eq!(
        (entries[2].name.as_str(), &entries[2].payload()["position"]),
        ("CONVERSATION_QUEUE_POSITION", &json!(3))
    );
    assert!(org.rep_entries(&conversation).is_empty());
}

#[tokio::test]
async fn receipts_typing_links_and_buttons_have_their_shapes() {
    let org = org().await;
    let (client, conversation, rep, mut events) = joined(&org).await;
    client.say(&conversation, "Hi").await;
    let message = org.messages(&conversation)[0].identifier.clone();
    rep.receives(&message);
    rep.reads(&message);
    rep.types();
    rep.stops_typing();
    rep.sends_link("Our shop", "https://shop.example/");
    rep.offers("How can we help?", &["Order", "Return"]);
    let events = events.take(7).await;
    assert_eq!(events[1].name, "CONVERSATION_DELIVERY_ACKNOWLEDGEMENT");
    assert_eq!(
        events[1].payload()["acknowledgedConversationEntryIdentifier"],
        message.as_str()
    );
    assert_eq!(events[2].name, "CONVERSATION_READ_ACKNOWLEDGEMENT");
    assert_eq!(events[2].entry()["relatedRecords"], json!([message]));
    assert_eq!(events[3].name, "CONVERSATION_TYPING_STARTED_INDICATOR");
    assert!(events[3].payload()["timestamp"].is_u64());
    assert_eq!(events[4].name, "CONVERSATION_TYPING_STOPPED_INDICATOR");
    let link = &events[5].payload()["abstractMessage"]["staticContent"];
    assert_eq!(
        (&link["formatType"], &link["linkItem"]["url"]),
        (&json!("RichLink"), &json!("https://shop.example/"))
    );
    let choices = &events[6].payload()["abstractMessage"]["choices"];
    assert_eq!(choices["optionItems"][1]["titleItem"]["title"], "Return");
}

#[tokio::test]
async fn a_message_wakes_an_idle_session() {
    let org = org().await;
    let (client, conversation, rep, mut events) = joined(&org).await;
    rep.idles();
    client.say(&conversation, "Still there?").await;
    assert_eq!(
        story(&rep, &mut events).await,
        ["Inactive", "Active", "MESSAGE"]
    );
}

#[tokio::test]
async fn a_routine_joins_answers_and_ends() {
    let lines = Lines::Scripted(vec!["Hello!".to_owned(), "Goodbye!".to_owned()]);
    let routine = Routine {
        name: "Tom".to_owned(),
        joins_after: Duration::from_millis(5),
        types_for: Duration::from_millis(5),
        lines,
        finish: Finish::EndsAfter(2),
    };
    let org = org_with(|options| options.routine = Some(routine)).await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    client.say(&conversation, "AI summary: …").await;
    client.say(&conversation, "Are you there?").await;
    org.wait_for(|ledger| ledger.conversations[0].session().status == SessionStatus::Ended)
        .await;
    let said: Vec<_> = org
        .rep_entries(&conversation)
        .into_iter()
        .filter_map(|entry| entry.text)
        .collect();
    assert_eq!(said, ["Hello!", "Goodbye!"]);
    let mut events = client.listen().await;
    assert_eq!(
        events
            .until("Goodbye!")
            .await
            .iter()
            .filter(|it| told(it) == "add Tom")
            .count(),
        1
    );

    client.say(&conversation, "One more thing").await;
    org.wait_for(|ledger| ledger.conversations[0].rep_entries().count() == 3)
        .await;
}

#[tokio::test]
async fn a_routine_may_go_back_to_the_queue() {
    let routine = Routine {
        finish: Finish::LeavesAfter(1),
        ..Routine::default()
    };
    let org = org_with(|options| options.routine = Some(routine)).await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    client.say(&conversation, "My order is late").await;
    let waits_again = |status, reps: usize| status == SessionStatus::Waiting && reps == 0;
    org.wait_for(|ledger| {
        let conversation = &ledger.conversations[0];
        conversation.rep_entries().count() == 1
            && waits_again(
                conversation.session().status,
                conversation.session().reps.len(),
            )
    })
    .await;
    assert_eq!(
        org.rep_entries(&conversation)[0].text.as_deref(),
        Some("Let me look into “My order is late” (1).")
    );
}

#[tokio::test]
async fn a_routine_falls_silent_when_the_end_user_closes() {
    let routine = Routine {
        types_for: Duration::from_secs(3_600),
        ..Routine::default()
    };
    let org = org_with(|options| options.routine = Some(routine)).await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    client.say(&conversation, "Hi").await;
    org.wait_for(|ledger| ledger.conversations[0].session().reps.len() == 1)
        .await;
    client
        .delete(&format!("conversation/{conversation}"))
        .send()
        .await
        .expect("an answer");
    assert!(org.rep_entries(&conversation).is_empty());
}
