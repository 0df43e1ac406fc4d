//! A live conversation, both ways: the contact's words to the rep, in order and once, and every way it can end.

use std::collections::BTreeMap;
use std::time::Duration;

use baton::sim::faults::{Disturbance, Fault, Nth, What};
use baton::sim::salesforce::call;
use serde_json::{Value, json};

use crate::world::{Setup, World};

fn wrote(session: &str, id: &str, text: &str) -> Value {
    contact(
        session,
        id,
        "handoff.contact.message.v1",
        json!({ "message": { "id": id, "at": "2026-11-20T14:10:00Z", "text": text } }),
    )
}

fn contact(session: &str, id: &str, kind: &str, more: Value) -> Value {
    let mut data = json!({ "session_id": session });
    for (name, value) in more.as_object().expect("an object") {
        data[name] = value.clone();
    }
    json!({
        "specversion": "1.0", "type": kind, "source": "/channels", "id": format!("{kind}-{session}-{id}"),
        "time": "2026-11-20T14:10:00Z", "subject": session, "data": data,
    })
}

impl World {
    async fn contact_writes(&self, session: &str, id: &str, text: &str) {
        self.contact_does(&wrote(session, id, text)).await;
    }

    async fn contact_does(&self, event: &Value) {
        let kind = event["type"].as_str().expect("a type");
        let key = match kind {
            "handoff.reply.delivery.v1" => "delivery.status",
            _ => kind.trim_start_matches("handoff.").trim_end_matches(".v1"),
        };
        self.publish_bytes(event.to_string().into_bytes(), key, BTreeMap::new())
            .await;
    }

    /// What the contact's side said at the desk, the opening message left out.
    fn said(&self, conversation: &str) -> Vec<String> {
        let messages = self.org.messages(conversation);
        messages
            .into_iter()
            .skip(1)
            .map(|message| message.text.unwrap_or_default())
            .collect()
    }

    async fn until_said(&self, conversation: &str, count: usize) -> Vec<String> {
        let said = |ledger: &baton::sim::salesforce::ledger::Ledger| {
            ledger
                .conversation(conversation)
                .is_some_and(|it| it.messages().count() > count)
        };
        self.org.wait_for(said).await;
        self.said(conversation)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contact_writes_back_in_order_and_what_came_early_follows_the_opening() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    // Before their escalation, and while it is on its way.
    world.contact_writes("early", "m1", "one").await;
    let slow = Fault::before(What::Slow { millis: 300 });
    world
        .org
        .faults()
        .fail(call::CREATE_CONVERSATION, Nth::Only(1), slow);
    world.publish(&world.escalation("early", "web")).await;
    world.contact_writes("early", "m2", "two").await;
    let live = world.heard.until_one("early", "lifecycle.live").await;
    let conversation = live["data"]["conversation_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    world.contact_writes("early", "m3", "three").await;
    // The same message again, under its own event and under another.
    world.contact_writes("early", "m3", "three").await;
    let mut again = wrote("early", "m3", "three");
    again["id"] = json!("another event");
    world.contact_does(&again).await;
    world.contact_writes("early", "m4", "four").await;
    assert_eq!(
        world.until_said(&conversation, 4).await,
        ["one", "two", "three", "four"]
    );
    world
        .heard
        .until(|heard| {
            let of = heard.of("early");
            of.iter()
                .filter(|told| told.routing_key == "lifecycle.contact_message_delivered")
                .count()
                == 4
        })
        .await;
    assert_eq!(world.said(&conversation).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_while_carrying_says_each_thing_once() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("dies", "web").await;
    world
        .org
        .faults()
        .fail(call::MESSAGE, Nth::Next(1), Fault::after(What::Hang));
    world.contact_writes("dies", "m1", "one").await;
    world.contact_writes("dies", "m2", "two").await;
    crate::world::struck(&world.org, 1).await;
    world.restart().await;
    assert_eq!(world.until_said(&conversation, 2).await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_the_desk_refuses_is_set_aside_and_the_next_goes_on() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("refused", "web").await;
    world.org.faults().fail(
        call::MESSAGE,
        Nth::Next(1),
        Fault::before(What::status(400)),
    );
    world.contact_writes("refused", "m1", "one").await;
    world.contact_writes("refused", "m2", "two").await;
    assert_eq!(world.until_said(&conversation, 1).await, ["two"]);
    let failed = world
        .heard
        .until_one("refused", "lifecycle.contact_message_failed")
        .await;
    assert_eq!(failed["data"]["message_id"], "m1");
    assert_eq!(failed["data"]["code"], "desk-refused");
    let dead = world.heard.until_dead(1).await;
    assert_eq!(dead[0].headers["x-handoff-step"], "contact-message");
    assert_eq!(dead[0].event, wrote("refused", "m1", "one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_producers_count_decides_the_order() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("counted", "web").await;
    let numbered = |number: u64| {
        let mut event = wrote("counted", &format!("m{number}"), &number.to_string());
        event["data"]["message"]["sequence"] = json!(number);
        event
    };
    world.contact_does(&numbered(1)).await;
    world.until_said(&conversation, 1).await;
    for number in [3, 4, 2] {
        world.contact_does(&numbered(number)).await;
    }
    assert_eq!(
        world.until_said(&conversation, 4).await,
        ["1", "2", "3", "4"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_had_a_handoff_is_set_aside_after_a_while() {
    let mut world = Setup::shared()
        .await
        .with("limits", "early = \"200ms\"")
        .build()
        .await;
    world.start().await;
    world.contact_writes("nobody", "m1", "hello?").await;
    let dead = world.heard.until_dead(1).await;
    assert_eq!(dead[0].headers["x-handoff-code"], "no-handoff");
    assert_eq!(dead[0].headers["x-session-id"], "nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_end_upstream_is_told_and_the_desk_is_not() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("over", "web").await;
    world.org.rep(&conversation).joins();
    world.org.rep(&conversation).ends();
    world.heard.until_one("over", "lifecycle.ended").await;
    world.contact_writes("over", "m1", "are you there?").await;
    let failed = world
        .heard
        .until_one("over", "lifecycle.contact_message_failed")
        .await;
    assert_eq!(failed["data"]["code"], "handoff-ended");
    assert!(world.said(&conversation).is_empty());
    assert!(world.heard.dead().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_who_leaves_ends_it_once_after_what_they_said() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("leaves", "web").await;
    world.org.rep(&conversation).joins();
    world.contact_writes("leaves", "m1", "thanks, bye").await;
    let left = contact(
        "leaves",
        "x",
        "handoff.contact.left.v1",
        json!({ "reason": "closed the window" }),
    );
    world.contact_does(&left).await;
    world.contact_does(&left).await;
    let ended = world.heard.until_one("leaves", "lifecycle.ended").await;
    assert_eq!(ended["data"]["reason"], "contact_left");
    assert_eq!(world.said(&conversation), ["thanks, bye"]);
    world
        .org
        .wait_for(|ledger| ledger.calls(call::CLOSE) == 1)
        .await;
    // Both sides at once are still one end.
    world.restart().await;
    let ends = world
        .heard
        .of("leaves")
        .iter()
        .filter(|told| told.routing_key == "lifecycle.ended")
        .count();
    assert_eq!(ends, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_before_a_rep_was_asked_for_pages_nobody() {
    // Long enough that the contact leaves between two tries, and not after the last one.
    let waits = "waits = [\"20s\", \"20s\", \"20s\"]";
    let mut world = Setup::shared().await.with("retry", waits).build().await;
    world.org.faults().fail(
        call::ACCESS_TOKEN,
        Nth::Every,
        Fault::before(What::status(503)),
    );
    world.start().await;
    world.publish(&world.escalation("gone", "web")).await;
    crate::world::struck(&world.org, 1).await;
    world
        .contact_does(&contact("gone", "x", "handoff.contact.left.v1", json!({})))
        .await;
    let ended = world.heard.until_one("gone", "lifecycle.ended").await;
    assert_eq!(ended["data"]["reason"], "contact_left");
    world.org.faults().heal();
    world.restart().await;
    world.goes_live("next", "web").await;
    assert_eq!(
        world.org.conversations().len(),
        1,
        "nobody was paged for the one who left"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_the_desk_is_asked_ends_as_soon_as_it_has_answered() {
    let mut world = Setup::shared().await.build().await;
    let slow = Fault::after(What::Slow { millis: 400 });
    world
        .org
        .faults()
        .fail(call::CREATE_CONVERSATION, Nth::Only(1), slow);
    world.start().await;
    world.publish(&world.escalation("leaving", "web")).await;
    crate::world::struck(&world.org, 1).await;
    world
        .contact_does(&contact(
            "leaving",
            "x",
            "handoff.contact.left.v1",
            json!({}),
        ))
        .await;
    let ended = world.heard.until_one("leaving", "lifecycle.ended").await;
    assert_eq!(ended["data"]["reason"], "contact_left");
    world
        .org
        .wait_for(|ledger| ledger.calls(call::CLOSE) == 1)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_goes_to_the_rep_and_is_kept_nowhere() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("types", "web").await;
    let mut event = contact(
        "types",
        "x",
        "handoff.contact.typing.v1",
        json!({ "typing": true }),
    );
    // What is older than ten seconds means nothing any more.
    world.contact_does(&event).await;
    event["id"] = json!("young");
    event["time"] = Value::Null;
    world.contact_does(&event).await;
    world
        .org
        .wait_for(|ledger| {
            ledger
                .conversation(&conversation)
                .is_some_and(|it| it.typing == 1)
        })
        .await;
    world.stop().await;
    let kept: u32 = world
        .database()
        .query_row(
            "SELECT count(*) FROM inbox WHERE kind = 'contact'",
            [],
            |row| row.get(0),
        )
        .expect("a count");
    assert_eq!(kept, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rep_learns_what_became_of_a_reply() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("fate", "sms").await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    rep.says("your code is 1234");
    let reply = world.heard.until_one("fate", "reply.sms").await;
    let fate = |status: &str| {
        let data = json!({ "reply_id": reply["id"], "status": status, "reason": "the number is not in service" });
        let mut event = contact("fate", status, "handoff.reply.delivery.v1", data);
        event["data"]
            .as_object_mut()
            .expect("data")
            .remove("session_id");
        event
    };
    world.contact_does(&fate("delivered")).await;
    world.contact_does(&fate("failed")).await;
    let said = world.until_said(&conversation, 1).await;
    assert_eq!(
        said,
        ["[Not delivered to the contact: the number is not in service]"]
    );
    let receipts = world.org.look(|ledger| {
        ledger
            .conversation(&conversation)
            .map(|it| it.receipts.len())
    });
    assert_eq!(receipts, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whatsapp_reply_outside_the_window_is_held_until_the_contact_writes() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let mut event = world.escalation("window", "whatsapp");
    event["data"]["reply_to"]["last_inbound_at"] = json!("2026-11-01T00:00:00Z");
    world.publish(&event).await;
    let live = world.heard.until_one("window", "lifecycle.live").await;
    let conversation = live["data"]["conversation_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let rep = world.org.rep(&conversation);
    rep.joins();
    rep.says("are you still there?");
    rep.says("hello?");
    let said = world.until_said(&conversation, 2).await;
    assert!(
        said[0].starts_with("[Not sent yet: the contact last wrote more than 24 hours ago"),
        "{said:?}"
    );
    world.heard.until_one("window", "lifecycle.held").await;
    assert!(world.heard.replies("window").is_empty());
    world.restart().await;
    world.contact_writes("window", "m1", "yes, I am").await;
    world
        .heard
        .until(|heard| heard.replies("window").len() == 2)
        .await;
    assert_eq!(
        world.heard.replies("window"),
        ["are you still there?", "hello?"]
    );
    let first = world.heard.until_one("window", "reply.whatsapp").await;
    assert_eq!(first["data"]["whatsapp"]["window"], "open");
    assert_eq!(first["data"]["sequence"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_at_the_end_goes_out_before_the_end_and_says_so() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let mut event = world.escalation("held", "whatsapp");
    event["data"]["reply_to"]["last_inbound_at"] = json!("2026-11-01T00:00:00Z");
    world.publish(&event).await;
    let live = world.heard.until_one("held", "lifecycle.live").await;
    let rep = world
        .org
        .rep(live["data"]["conversation_id"].as_str().expect("an id"));
    rep.joins();
    rep.says("we close now");
    world.heard.until_one("held", "lifecycle.held").await;
    rep.ends();
    let ended = world.heard.until_one("held", "lifecycle.ended").await;
    assert_eq!(ended["data"]["last_sequence"], 1);
    let reply = world.heard.until_one("held", "reply.whatsapp").await;
    assert_eq!(reply["data"]["whatsapp"]["window"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_to_the_phone_is_told_to_the_rep_and_to_the_world() {
    let mut world = Setup::shared()
        .await
        .with("channels", "phone = [\"text\"]")
        .build()
        .await;
    world.connect(&[("automated_responses", "forward")]).await;
    world.start().await;
    let conversation = world.goes_live("phone", "phone").await;
    let rep = world.org.rep(&conversation);
    rep.auto_response("Welcome!");
    rep.joins();
    rep.sends_file("terms.pdf", "application/pdf", &b"%PDF-1.7"[..], None);
    rep.offers("Shall I call back?", &["Yes", "No"]);
    rep.whispers("not for the contact");
    rep.says("Good morning");
    let heard = &world.heard;
    heard.until(|it| it.replies("phone").len() == 2).await;
    assert_eq!(heard.replies("phone"), ["Welcome!", "Good morning"]);
    let told = heard.of("phone");
    let data = |key: &str| -> Vec<Value> {
        let its = told.iter().filter(|told| told.routing_key == key);
        its.map(|told| told.event["data"].clone()).collect()
    };
    let replies = data("reply.phone");
    assert_eq!(
        (&replies[0]["automatic"], &replies[0]["sequence"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(
        (&replies[1]["automatic"], &replies[1]["sequence"]),
        (&Value::Null, &json!(2))
    );
    let withheld = data("lifecycle.withheld");
    let parts: Vec<&Value> = withheld.iter().map(|it| &it["parts"]).collect();
    assert_eq!(parts, [&json!(["files"]), &json!(["choices"])]);
    assert_eq!(
        world.until_said(&conversation, 2).await,
        [
            "[Not sent to the contact, who is on the phone: the file terms.pdf.]",
            "[Not sent to the contact, who is on the phone: your choices.]"
        ]
    );
    // What is listed again after a restart is told no second time.
    world.restart().await;
    world.org.rep(&conversation).says("Goodbye");
    let heard = &world.heard;
    heard.until(|it| it.replies("phone").len() == 3).await;
    let told = heard.of("phone");
    let withheld = told
        .iter()
        .filter(|it| it.routing_key == "lifecycle.withheld");
    assert_eq!(withheld.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_answers_the_reps_choice() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("choice", "sms").await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    rep.offers("How can we help?", &["Order", "Refund"]);
    let offer = world.heard.until_one("choice", "reply.sms").await;
    assert_eq!(
        offer["data"]["text"],
        "How can we help?\n1. Order\n2. Refund"
    );
    world.contact_writes("choice", "m1", "2").await;
    world.contact_writes("choice", "m2", "7").await;
    assert_eq!(world.until_said(&conversation, 2).await, ["Refund", "7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_cut_repeated_and_garbled_lose_and_double_nothing() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let disturbances = [
        Disturbance::CutAfter { events: 3 },
        Disturbance::CutInCharacter,
        Disturbance::Repeat { times: 5 },
        Disturbance::Strangers,
        Disturbance::CutInFrame { event: 2 },
        Disturbance::CutAfter { events: 5 },
    ];
    for (at, disturbance) in disturbances.into_iter().enumerate() {
        world
            .org
            .faults()
            .disturb(Nth::Only(at as u32 + 1), disturbance);
    }
    let conversation = world.goes_live("disturbed", "web").await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    let lines: Vec<String> = (0..40).map(|at| format!("línea {at} 👩‍👩‍👧")).collect();
    for line in &lines {
        rep.says(line);
    }
    world
        .heard
        .until(|heard| heard.replies("disturbed").len() == lines.len())
        .await;
    assert_eq!(world.heard.replies("disturbed"), lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_cut_is_filled_from_the_list_once_and_in_order() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("cut", "web").await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    world.org.switch(|switches| switches.replay_events = 0);
    world
        .org
        .faults()
        .fail(call::EVENT_STREAM, Nth::Every, Fault::before(What::Cut));
    world.org.end_streams();
    let lines: Vec<String> = (0..120).map(|at| format!("line {at}")).collect();
    for line in &lines {
        rep.says(line);
        // Ten minutes by the desk's clock.
        world.org.advance(Duration::from_secs(5));
    }
    world.org.faults().heal();
    world
        .heard
        .until(|heard| heard.replies("cut").len() == lines.len())
        .await;
    assert_eq!(world.heard.replies("cut"), lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_moment_never_end_a_chat() {
    let mut setup = Setup::shared().await;
    // Renewed when fifteen seconds are left, so every two seconds.
    setup.org.token_lifetime = Duration::from_secs(17);
    setup.org.switches.stream_at_expiry = baton::sim::salesforce::switches::StreamAtExpiry::Cut;
    let mut world = setup.build().await;
    world.start().await;
    let conversation = world.goes_live("tokens", "web").await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    let mut lines = vec![];
    for minute in 0..4 {
        let line = format!("minute {minute}");
        rep.says(&line);
        world
            .contact_writes("tokens", &format!("m{minute}"), &line)
            .await;
        lines.push(line);
        world
            .heard
            .until(|heard| heard.replies("tokens").len() == lines.len())
            .await;
        world.until_said(&conversation, lines.len()).await;
        // All tokens so far are dead at the desk, whatever their own clock says.
        world.org.expire_tokens();
    }
    assert_eq!(world.heard.replies("tokens"), lines);
    assert_eq!(world.said(&conversation), lines);
    assert!(
        !world
            .heard
            .of("tokens")
            .iter()
            .any(|told| told.routing_key == "lifecycle.ended")
    );
}
