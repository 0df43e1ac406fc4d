//! Every way in which it ends, told by a webhook or found by a look at the conversation.

use std::time::Duration;

use baton::domain::handoff::{Ending, Status};
use baton::sim::zendesk::Rep;
use baton::sim::zendesk::switches::{EndOfSession, EndSignal};

use super::house::House;

async fn why(house: &House, session: &str) -> Option<Ending> {
    match house.handoff(session).await.status {
        Status::Closed { why, .. } => Some(why),
        Status::Due { .. } | Status::Live | Status::DeadLettered { .. } => None,
    }
}

/// A handoff in which a rep wrote and then did this; its end, and the replies before it.
async fn ends_when(signal: EndSignal, act: fn(&Rep)) -> (Option<Ending>, Vec<String>) {
    let house = House::new().await;
    house.app.switch(|switches| switches.end_signal = signal);
    let conversation = house.live("s1").await;
    let rep = house.app.rep(&conversation);
    rep.says("All done, Dana.");
    act(&rep);
    house.delivered().await;
    let why = why(&house, "s1").await;
    if why.is_some() {
        house.work().await;
    }
    (why, house.replies().await)
}

#[tokio::test]
async fn every_ending_is_told_with_its_reason_after_the_last_reply() {
    type Ends = (EndSignal, fn(&Rep), Ending);
    let table: [Ends; 7] = [
        (EndSignal::Release, Rep::closes_ticket, Ending::TicketClosed),
        (
            EndSignal::Release,
            Rep::moves_to_email,
            Ending::MovedToEmail,
        ),
        (
            EndSignal::NoticeThenRelease,
            Rep::closes_ticket,
            Ending::TicketClosed,
        ),
        (EndSignal::Notice, Rep::closes_ticket, Ending::TicketClosed),
        (EndSignal::Notice, Rep::moves_to_email, Ending::MovedToEmail),
        (EndSignal::Release, Rep::ends_session, Ending::RepEnded),
        (
            EndSignal::Release,
            Rep::removes_conversation,
            Ending::DeskError,
        ),
    ];
    for (signal, act, expected) in table {
        let (why, replies) = ends_when(signal, act).await;
        assert_eq!(why, Some(expected), "{signal:?}");
        assert_eq!(replies, ["All done, Dana."], "{signal:?}");
    }
}

#[tokio::test]
async fn a_solved_ticket_is_no_end() {
    let (why, replies) = ends_when(EndSignal::Release, Rep::solves).await;
    assert_eq!(why, None);
    assert_eq!(replies, ["All done, Dana."]);
}

#[tokio::test]
async fn an_end_is_told_once_however_often_it_is_signalled() {
    let house = House::new().await;
    house.app.switch(|switches| {
        switches.end_signal = EndSignal::NoticeThenRelease;
        switches.deliveries = 3;
    });
    let conversation = house.live("s1").await;
    house.app.rep(&conversation).closes_ticket();
    house.delivered().await;
    house.work().await;
    let told = house.told().await;
    let ended: Vec<_> = told
        .iter()
        .filter(|(key, _)| key == "lifecycle.ended")
        .collect();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].1["data"]["reason"], "ticket_closed");
}

#[tokio::test]
async fn a_reply_whose_delivery_failed_comes_before_the_end_that_was_delivered() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    house.app.hold_webhooks();
    let rep = house.app.rep(&conversation);
    rep.says("One more thing.");
    rep.ends_session();
    house.app.deliver_held(|events| {
        events.retain(|event| event["type"] == "switchboard:releaseControl")
    });
    house.delivered().await;
    assert_eq!(why(&house, "s1").await, Some(Ending::RepEnded));
    assert_eq!(house.replies().await, ["One more thing."]);
}

/// As if all of it were ten minutes ago: a conversation that has just begun looks like one that is over.
fn ten_minutes_ago() -> Duration {
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    now.saturating_sub(Duration::from_secs(600))
}

#[tokio::test]
async fn an_end_that_nothing_told_is_found_by_a_look() {
    let house = House::new().await;
    house.app.set_time(ten_minutes_ago());
    house
        .app
        .switch(|switches| switches.end_of_session = EndOfSession::Silence);
    let conversation = house.live("s1").await;
    let rep = house.app.rep(&conversation);
    // The first reply looks at the conversation too.
    rep.says("Hello.");
    house.delivered().await;
    rep.says("Bye.");
    rep.ends_session();
    house.delivered().await;
    assert_eq!(why(&house, "s1").await, None);
    house.sweep_once().await;
    assert_eq!(why(&house, "s1").await, Some(Ending::RepEnded));
    assert_eq!(house.replies().await, ["Hello.", "Bye."]);
}

#[tokio::test]
async fn control_that_went_to_a_bot_is_an_end_if_the_conversation_says_so() {
    let house = House::new().await;
    house.app.set_time(ten_minutes_ago());
    let conversation = house.live("s1").await;
    house.app.rep(&conversation).passes_to_bot();
    house.delivered().await;
    assert_eq!(why(&house, "s1").await, Some(Ending::RepEnded));
}

#[tokio::test]
async fn control_that_a_bot_had_before_the_reps_is_no_end() {
    let house = House::new().await;
    house.app.set_time(ten_minutes_ago());
    let conversation = house.live("s1").await;
    house.app.hold_webhooks();
    house.app.rep(&conversation).passes_to_bot();
    house.app.passes_to_workspace(&conversation);
    house.app.deliver_held(|events| events.reverse());
    house.delivered().await;
    assert_eq!(why(&house, "s1").await, None);
}

#[tokio::test]
async fn a_conversation_that_has_just_begun_is_not_taken_for_one_that_is_over() {
    let house = House::new().await;
    house
        .app
        .switch(|switches| switches.end_of_session = EndOfSession::Silence);
    let conversation = house.live("s1").await;
    house.app.rep(&conversation).ends_session();
    house.sweep_once().await;
    assert_eq!(why(&house, "s1").await, None);
}

#[tokio::test]
async fn the_contacts_leaving_takes_the_conversation_from_the_reps_and_comes_back_as_no_news() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    house.app.rep(&conversation).ends_session();
    house.delivered().await;
    house.work().await;
    house.delivered().await;
    let controls = house.app.conversations()[0].controls.clone();
    assert_eq!(
        controls.iter().filter(|it| it.to.is_none()).count(),
        1,
        "what is released is not released again"
    );
}
