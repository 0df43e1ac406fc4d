//! Every call and every fault: one user, one conversation, every part once, one ticket.

use baton::domain::error::{Code, DeskError};
use baton::domain::handoff::{Earlier, Status};
use baton::sim::faults::{Fault, Nth, What};
use baton::sim::zendesk::call;
use baton::sim::zendesk::switches::{
    DefaultResponder, MultiConversations, PageOrder, Shown, UnknownTarget,
};
use futures_util::StreamExt;
use serde_json::json;

use super::house::House;
use super::{
    app_and_desk, app_with, connection_to, converse, effect, escalation, escalation_of, hand_over,
    key, open,
};

const CALLS: [&str; 4] = [
    call::CREATE_USER,
    call::CREATE_CONVERSATION,
    call::MESSAGE,
    call::PASS_CONTROL,
];

fn faults() -> Vec<Fault> {
    let rate_limited = || What::RateLimited {
        retry_after: Some("0".into()),
    };
    let of = |what: fn(What) -> Fault| {
        [
            What::status(500),
            What::Hang,
            rate_limited(),
            What::Unauthorized,
            What::Cut,
            What::Garbage,
        ]
        .map(what)
    };
    [of(Fault::before), of(Fault::after)].concat()
}

/// Long enough for three parts.
fn long_transcript() -> serde_json::Value {
    let turns: Vec<_> = (0..120)
        .map(|n| json!({ "id": format!("m{n}"), "author": "contact", "text": format!("turn {n} {}", "word ".repeat(15)) }))
        .collect();
    json!({ "transcript": turns })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_and_every_fault_end_in_one_of_everything() {
    let mut cases = vec![];
    for call in CALLS {
        for fault in faults() {
            cases.push((call, 1, fault.clone()));
            if call == call::MESSAGE {
                cases.push((call, 2, fault.clone()));
                cases.push((call, 3, fault));
            }
        }
    }
    let all = cases.len();
    let done = futures_util::stream::iter(cases)
        .map(|(call, nth, fault)| tokio::spawn(one_case(call, nth, fault)))
        .buffer_unordered(8)
        .filter(|ended| std::future::ready(ended.is_ok()))
        .count()
        .await;
    assert_eq!(done, all);
}

async fn one_case(call: &'static str, nth: u32, fault: Fault) {
    let house = House::new().await;
    let case = format!("{call} {nth} {fault:?}");
    house.app.faults().fail(call, Nth::Only(nth), fault.clone());
    house.receive("s1", long_transcript()).await;
    house.work().await;
    assert_eq!(house.app.faults().fired().len(), 1, "{case}");
    let handoff = house.handoff("s1").await;
    // Where it all begins, a refused key is a wrong key.
    if call == call::CREATE_USER && fault.what == What::Unauthorized {
        let dead = Status::DeadLettered {
            code: Code::BadCredentials,
        };
        return assert_eq!(handoff.status, dead, "{case}");
    }
    assert_eq!(handoff.status, Status::Live, "{case}");
    let ledger = house.app.ledger();
    assert_eq!(ledger.users.len(), 1, "{case}");
    assert_eq!(ledger.conversations.len(), 1, "{case}");
    let conversation = &ledger.conversations[0];
    assert_eq!(
        handoff.progress.conversation().map(|it| it.as_str()),
        Some(conversation.id.as_str())
    );
    let said: String = conversation.messages.iter().map(|it| it.text()).collect();
    assert_eq!(conversation.messages.len(), 3, "{case}");
    let turns: Vec<usize> = (0..120)
        .map(|n| said.matches(&format!("turn {n} ")).count())
        .collect();
    assert_eq!(turns, [1; 120], "{case}");
    assert_eq!(ledger.tickets.len(), 1, "{case}");
    assert_eq!(ledger.tickets[0].messages.len(), 3, "{case}");
    assert_eq!(
        ledger.tickets[0].messages[0], conversation.messages[0].id,
        "{case}"
    );
    assert_eq!(
        ledger.refusals.iter().filter(|it| it.status == 400).count(),
        0,
        "{case}: {:?}",
        ledger.refusals
    );
}

#[tokio::test]
async fn random_faults_never_double_anything() {
    for seed in 0..12 {
        let house = House::new().await;
        house.app.faults().random(seed, 0.25);
        for session in ["s1", "s2", "s3"] {
            house.receive(session, json!({})).await;
        }
        house.work().await;
        let ledger = house.app.ledger();
        for session in ["s1", "s2", "s3"] {
            let of_session = ledger
                .conversations
                .iter()
                .filter(|it| it.metadata["opencx_session_id"] == session);
            let conversations: Vec<_> = of_session.collect();
            assert!(conversations.len() <= 1, "seed {seed}");
            for conversation in conversations {
                assert!(conversation.messages.len() <= 1, "seed {seed}");
                assert!(
                    ledger.tickets_of(&conversation.id).count() <= 1,
                    "seed {seed}"
                );
            }
            if house.handoff(session).await.status == Status::Live {
                let conversation = ledger.conversation_of_session(session).expect("one");
                assert_eq!(
                    ledger.tickets_of(&conversation.id).count(),
                    1,
                    "seed {seed}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_conversation_of_an_earlier_attempt_is_found_among_many_in_every_form_of_list() {
    for (meta, order) in [
        (Shown::Yes, PageOrder::OldestFirst),
        (Shown::No, PageOrder::NewestFirst),
    ] {
        let (app, desk) = app_and_desk().await;
        app.switch(|switches| {
            switches.meta = meta;
            switches.page_order = order;
        });
        // All of one contact, whose newest conversation is on the second page.
        let contact = json!({ "contact": { "phone": "+14155550123" } });
        let mut last = None;
        for number in 0..105 {
            let about = escalation_of(&format!("s{number}"), contact.clone());
            last = Some((converse(&*desk, &about).await, about));
        }
        let ((access, made), about) = last.expect("many");
        let again = effect(
            &format!("conversation of {}", about.session),
            Earlier::Perhaps,
        );
        let found = desk.create_conversation(&access, again, &about).await;
        assert_eq!(found, Ok(made));
        assert_eq!(app.conversations().len(), 105);
        assert_eq!(app.ledger().users.len(), 1);
    }
}

#[tokio::test]
async fn the_key_is_shown_as_it_is_or_as_a_token() {
    for auth in ["basic", "jwt"] {
        let app = app_with(|_| ()).await;
        let desk = open(&connection_to(&app, &[("auth", auth)]));
        hand_over(&*desk, &escalation()).await;
        assert!(app.ledger().refusals.is_empty());
        let mut wrong = connection_to(&app, &[("auth", auth)]);
        wrong.secrets.insert("key_secret".into(), "another".into());
        let refused = open(&wrong)
            .identity_token(&escalation())
            .await
            .expect_err("refused");
        let DeskError::Misconfigured { code, message } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(code, Code::BadCredentials);
        assert_eq!(
            message,
            "key_secret: Zendesk refuses the key; write `key_id` and `key_secret` of a key that exists (Admin Center → Apps and integrations → Conversations API), and check `app_id` (connection `acme-zendesk`)"
        );
    }
}

#[tokio::test]
async fn an_app_that_zendesk_does_not_know_is_named() {
    let app = app_with(|_| ()).await;
    let desk = open(&connection_to(
        &app,
        &[("app_id", "000000000000000000000000")],
    ));
    let refused = desk
        .identity_token(&escalation())
        .await
        .expect_err("refused");
    assert_eq!(refused.code(), Code::BadDeployment);
    assert_eq!(
        refused.to_string(),
        "app_id: Zendesk does not know the app; copy the App ID again from Admin Center → Apps and integrations → Conversations API (connection `acme-zendesk`)"
    );
}

#[tokio::test]
async fn without_multi_conversations_the_second_handoff_says_what_to_turn_on() {
    let (app, desk) = app_and_desk().await;
    app.switch(|switches| switches.multi_conversations = MultiConversations::Off);
    let (access, _) = hand_over(&*desk, &escalation()).await;
    let about = escalation();
    let refused = desk
        .create_conversation(&access, effect("second", Earlier::Never), &about)
        .await;
    let refused = refused.expect_err("refused").to_string();
    assert_eq!(
        refused,
        "the desk refused with 400: Zendesk makes no conversation; if the contact has had one before, turn on multi-conversations (Admin Center → Channels → Messaging; it cannot be turned off again) (connection `acme-zendesk`): Multiple conversations are not enabled"
    );
}

#[tokio::test]
async fn a_target_that_is_not_there_is_named_however_zendesk_says_so() {
    for unknown in [UnknownTarget::NotFound, UnknownTarget::BadRequest] {
        let app = app_with(|_| ()).await;
        app.switch(|switches| switches.unknown_target = unknown);
        let desk = open(&connection_to(
            &app,
            &[("switchboard_integration", "nobody")],
        ));
        let (access, conversation) = converse(&*desk, &escalation()).await;
        let opening = baton::domain::transcript::opening(&escalation(), 1000);
        let refused = desk
            .send_opening(
                &access,
                &conversation,
                effect("opening", Earlier::Never),
                &opening,
                &escalation(),
            )
            .await
            .expect_err("refused");
        assert_eq!(refused.code(), Code::BadDeployment);
        assert_eq!(
            refused.to_string(),
            "switchboard_integration: the switchboard has no `nobody`; write one of zd-agentWorkspace, zd-answerBot (connection `acme-zendesk`)"
        );
    }
}

#[tokio::test]
async fn control_is_passed_again_where_the_reps_have_it_by_default_and_there_is_no_ticket() {
    let house = House::new().await;
    house
        .app
        .switch(|switches| switches.default_responder = DefaultResponder::AgentWorkspace);
    house
        .app
        .faults()
        .fail(call::PASS_CONTROL, Nth::Only(1), Fault::before(What::Cut));
    let conversation = house.live("s1").await;
    let tickets = house.app.tickets(&conversation);
    assert_eq!(tickets.len(), 1);
    assert_eq!(tickets[0].tags, ["opencx_channel_sms", "opencx_handedoff"]);
}

#[tokio::test]
async fn a_bot_that_answers_by_default_is_not_woken() {
    let house = House::new().await;
    house
        .app
        .switch(|switches| switches.default_responder = DefaultResponder::AnswerBot);
    let conversation = house.live("s1").await;
    let sources: Vec<String> = house
        .app
        .messages(&conversation)
        .into_iter()
        .map(|it| it.source)
        .collect();
    assert_eq!(sources, ["api:conversations"]);
}

#[tokio::test]
async fn a_ticket_that_a_rep_has_closed_meanwhile_is_not_opened_again() {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    let rep = app.rep(conversation.as_str());
    rep.says("Sorted.");
    rep.closes_ticket();
    let opening = baton::domain::transcript::opening(&escalation(), desk.opening_chars_max());
    let again = effect("opening of s1", Earlier::Perhaps);
    desk.send_opening(&access, &conversation, again, &opening, &escalation())
        .await
        .expect("nothing to do");
    assert_eq!(app.calls(call::PASS_CONTROL), 1);
    assert_eq!(app.tickets(conversation.as_str()).len(), 1);
}

#[tokio::test]
async fn every_message_carries_a_mark_of_its_own() {
    let (app, desk) = app_and_desk().await;
    let (_, conversation) = hand_over(&*desk, &escalation()).await;
    let messages = app.messages(conversation.as_str());
    let mark = format!("{}#0", key("opening of s1"));
    assert_eq!(messages[0].metadata["baton_key"], mark.as_str());
    let made = &app.conversations()[0];
    assert_eq!(
        made.metadata["baton_key"],
        key("conversation of s1").to_string().as_str()
    );
}
