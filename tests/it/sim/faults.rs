//! Planned faults strike when they should, before or after the desk has acted.

use std::time::Duration;

use baton::sim::faults::{ANY, Disturbance, Fault, Nth, Struck, What, When};
use baton::sim::salesforce::call;
use reqwest::StatusCode;

use super::{Client, Event, no_limits, org, org_with, outcome, uuid};

async fn statuses(client: &Client, conversation: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(client.say(conversation, "Hi").await.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn the_nth_the_next_or_every_call_fails() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let faults = org.faults();
    faults.fail(
        call::MESSAGE,
        Nth::Only(2),
        Fault::before(What::status(500)),
    );
    assert_eq!(statuses(&client, &conversation, 3).await, [202, 500, 202]);
    faults.fail(
        call::MESSAGE,
        Nth::Next(2),
        Fault::before(What::status(503)),
    );
    assert_eq!(statuses(&client, &conversation, 3).await, [503, 503, 202]);
    faults.fail(ANY, Nth::Every, Fault::before(What::Unauthorized));
    assert_eq!(statuses(&client, &conversation, 2).await, [401, 401]);
    faults.heal();
    assert_eq!(statuses(&client, &conversation, 1).await, [202]);
    let fired: Vec<_> = faults
        .fired()
        .iter()
        .map(|it| (it.call.clone(), it.nth))
        .collect();
    assert_eq!(
        fired,
        [2, 4, 5, 7, 8].map(|nth| (call::MESSAGE.to_owned(), nth))
    );
    assert_eq!(org.messages(&conversation).len(), 4);
    assert!(org.ledger().refusals.is_empty());
}

#[tokio::test]
async fn the_desk_has_acted_before_a_fault_after_the_effect() {
    for (when, acted) in [(When::BeforeEffect, 0), (When::AfterEffect, 1)] {
        let org = org().await;
        let client = Client::verified(&org, "contact-42").await;
        org.faults().fail(
            call::CREATE_CONVERSATION,
            Nth::Only(1),
            Fault {
                when,
                what: What::status(504),
            },
        );
        assert_eq!(
            client.create(&uuid()).await.status(),
            StatusCode::GATEWAY_TIMEOUT
        );
        assert_eq!(org.conversations().len(), acted);
    }
}

#[tokio::test]
async fn a_fault_answers_as_planned() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let faults = org.faults();
    let next = |what| faults.fail(call::CREATE_CONVERSATION, Nth::Next(1), Fault::before(what));
    next(What::Status {
        status: 412,
        body: "{\"code\":10056}".to_owned(),
    });
    assert_eq!(
        outcome(client.create(&uuid()).await).await,
        (412, "{\"code\":10056}".to_owned())
    );
    next(What::Unauthorized);
    assert_eq!(
        outcome(client.create(&uuid()).await).await,
        (401, "Jwt is expired".to_owned())
    );
    next(What::RateLimited {
        retry_after: Some("1e9".to_owned()),
    });
    assert_eq!(client.create(&uuid()).await.headers()["retry-after"], "1e9");
    next(What::RateLimited { retry_after: None });
    assert!(
        !client
            .create(&uuid())
            .await
            .headers()
            .contains_key("retry-after")
    );
    next(What::Garbage);
    let (status, body) = outcome(client.create(&uuid()).await).await;
    assert_eq!((status, body.starts_with("<html>")), (200, true));
}

#[tokio::test]
async fn a_cut_connection_is_an_error_without_an_answer() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    for fault in [Fault::before(What::Cut), Fault::after(What::Cut)] {
        org.faults().fail(call::MESSAGE, Nth::Next(1), fault);
        let error = client
            .message(&conversation, &uuid(), "Hi")
            .send()
            .await
            .expect_err("no answer");
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    }
    assert_eq!(org.messages(&conversation).len(), 1);
}

#[tokio::test]
async fn a_desk_that_hangs_answers_nobody() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let hang = Fault::after(What::Hang);
    org.faults().fail(call::MESSAGE, Nth::Next(1), hang);
    let message = client.message(&conversation, &uuid(), "Hi");
    let message = message.timeout(Duration::from_millis(100));
    assert!(message.send().await.expect_err("no answer").is_timeout());
    org.wait_for(|ledger| ledger.conversations[0].messages().count() == 1)
        .await;
}

#[tokio::test]
async fn a_slow_desk_answers_late_and_acts_even_when_nobody_waits() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let slow = |when| {
        let what = What::Slow { millis: 30 };
        org.faults()
            .fail(call::MESSAGE, Nth::Next(1), Fault { when, what });
    };
    slow(When::BeforeEffect);
    slow(When::AfterEffect);
    assert_eq!(statuses(&client, &conversation, 2).await, [202, 202]);
    slow(When::BeforeEffect);
    tokio::select! {
        biased;
        () = org.wait_for(|ledger| ledger.calls(call::MESSAGE) == 3) => {}
        status = client.say(&conversation, "given up on") => panic!("answered {status:?}"),
    }
    org.wait_for(|ledger| ledger.conversations[0].messages().count() == 3)
        .await;
}

#[tokio::test]
async fn drawn_faults_depend_on_the_seed_and_the_call_alone() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let org = org_with(no_limits).await;
        let client = Client::verified(&org, "contact-42").await;
        let conversation = client.conversation().await;
        org.faults().random(seed, 0.3);
        for _ in 0..40 {
            let _ = client.message(&conversation, &uuid(), "Hi").send().await;
        }
        runs.push(org.faults().fired());
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    assert!((4..=24).contains(&runs[0].len()), "{}", runs[0].len());
}

/// All that comes over a stream that suffers this, and how it ends.
///
/// Reps have said “one”, “zwölf” and “three” before it is opened, which makes five events; after them the org ends it.
async fn suffered(disturbances: &[Disturbance]) -> (Vec<Event>, Result<(), reqwest::Error>) {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    for said in ["one", "zwölf", "three"] {
        org.rep(&conversation).says(said);
    }
    for &disturbance in disturbances {
        org.faults().disturb(Nth::Only(1), disturbance);
    }
    let mut events = client.listen().await;
    org.end_streams();
    let rest = events.rest().await;
    let fired: Vec<_> = org.faults().fired().into_iter().map(|it| it.what).collect();
    assert_eq!(
        fired,
        disturbances
            .iter()
            .map(|&it| Struck::Stream(it))
            .collect::<Vec<_>>()
    );
    rest
}

fn ids(events: &[Event]) -> Vec<Option<u64>> {
    let first = events.iter().find_map(|event| event.id).unwrap_or_default();
    events
        .iter()
        .map(|event| event.id.map(|id| id - first + 1))
        .collect()
}

#[tokio::test]
async fn an_undisturbed_stream_carries_everything_and_ends() {
    let (events, ending) = suffered(&[]).await;
    assert!(ending.is_ok());
    assert_eq!(ids(&events), [1, 2, 3, 4, 5].map(Some));
}

#[tokio::test]
async fn a_stream_can_be_cut_between_events() {
    for events in [0, 2, 5] {
        let (seen, ending) = suffered(&[Disturbance::CutAfter { events }]).await;
        assert_eq!(
            (seen.len(), ending.is_err()),
            (events as usize, true),
            "{events}"
        );
    }
}

#[tokio::test]
async fn a_stream_can_be_cut_in_the_middle_of_a_frame_or_a_character() {
    for (disturbance, whole) in [
        (Disturbance::CutInFrame { event: 3 }, 2),
        (Disturbance::CutInCharacter, 3),
    ] {
        let org = org().await;
        let client = Client::verified(&org, "contact-42").await;
        let conversation = client.conversation().await;
        org.rep(&conversation).says("one");
        org.rep(&conversation).says("zwölf");
        org.faults().disturb(Nth::Every, disturbance);
        let mut events = client.listen().await;
        let (seen, ending) = events.rest().await;
        assert_eq!(
            (seen.len(), ending.is_err()),
            (whole, true),
            "{disturbance:?}"
        );
        let torn = &events.bytes;
        assert!(
            torn.starts_with(b"event: CONVERSATION_MESSAGE\n"),
            "{disturbance:?}"
        );
        assert_eq!(
            str::from_utf8(torn).is_err(),
            disturbance == Disturbance::CutInCharacter
        );
    }
}

#[tokio::test]
async fn a_stream_can_fall_silent_without_ending() {
    let org = org_with(|options| options.ping_every = Duration::from_millis(1)).await;
    let client = Client::verified(&org, "contact-42").await;
    client.conversation().await;
    org.faults()
        .disturb(Nth::Only(1), Disturbance::Silence { events: 1 });
    let mut events = client.listen().await;
    assert_eq!(
        events.next().await.name,
        "CONVERSATION_SESSION_STATUS_CHANGED"
    );
    let nothing = tokio::time::timeout(Duration::from_millis(30), events.frame()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    assert_eq!(org.look(|ledger| ledger.open_streams()), 1);
}

#[tokio::test]
async fn events_can_come_several_times_among_strangers_or_without_ids() {
    let (events, _) = suffered(&[Disturbance::Repeat { times: 2 }]).await;
    assert_eq!(ids(&events), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5].map(Some));
    let (events, _) = suffered(&[Disturbance::Strangers, Disturbance::WithoutIds]).await;
    assert_eq!(
        events
            .iter()
            .filter(|event| event.name == "CONVERSATION_SOMETHING_NEW")
            .count(),
        5
    );
    assert_eq!(ids(&events), [None; 10]);
}

#[tokio::test]
async fn a_stopped_org_has_let_go_of_everybody() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let mut events = client.listen().await;
    org.faults().fail(
        call::CREATE_CONVERSATION,
        Nth::Only(1),
        Fault::before(What::Hang),
    );
    let hanging = tokio::spawn({
        let client = client.clone();
        async move {
            client
                .post("conversation", serde_json::json!({}))
                .send()
                .await
        }
    });
    org.wait_for(|ledger| ledger.calls(call::CREATE_CONVERSATION) == 1)
        .await;
    org.stop().await;
    assert!(hanging.await.expect("no panic").is_err());
    assert!(events.rest().await.1.is_ok());
    assert!(
        client
            .post("conversation", serde_json::json!({}))
            .send()
            .await
            .is_err()
    );
}
