//! Webhooks: registered, checked, kept before they are answered, each once and in the desk's order.

use std::time::Duration;

use baton::desk::{Notice, Seen, WebhookError};
use baton::domain::handoff::Status;
use baton::domain::seal::ExposeSecret;
use baton::operator::verbs::Operator;
use baton::sim::faults::{Fault, Nth, What};
use baton::sim::zendesk::call;
use baton::sim::zendesk::switches::{AgentId, DeliveryOrder, MultiConversations, Shown};
use serde_json::{Value, json};

use super::house::House;
use super::{CONNECTION, connection_to, open};

const MESSAGE: &str = "conversation:message";

/// Posts a body to the house's webhook.
async fn post(
    house: &House,
    path: &str,
    secret: Option<&str>,
    body: impl Into<reqwest::Body>,
) -> (u16, String) {
    let mut request = reqwest::Client::new()
        .post(format!("{}{path}", house.url))
        .body(body);
    if let Some(secret) = secret {
        request = request.header("x-api-key", secret);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

fn path() -> String {
    format!("/webhooks/zendesk/{CONNECTION}")
}

async fn secret(house: &House) -> String {
    let name = CONNECTION.into();
    let (connection, _) = house
        .store
        .connection(&name)
        .await
        .expect("a store")
        .expect("a connection");
    connection.secrets["webhook_secret"]
        .expose_secret()
        .to_owned()
}

/// A message event as the vendor writes it.
fn message(conversation: &str, change: Value) -> Value {
    let mut event = json!({
        "id": "69b4c5f014137ce0cd455f09", "createdAt": "2026-11-21T09:03:20.440Z", "type": MESSAGE,
        "payload": {
            "conversation": { "id": conversation, "type": "personal", "brandId": "360004166971", "metadata": { "baton_key": "k" } },
            "message": {
                "id": "69b4c5f014137ce0cd455eec", "received": "2026-11-21T09:03:20.410Z",
                "author": { "type": "business", "displayName": "Priya" },
                "content": { "type": "text", "text": "Hi Dana" },
                "source": { "type": "zd:agentWorkspace" },
                "metadata": { "__zendesk_msg.agent.id": "382411034712" },
            },
        },
    });
    for (pointer, value) in change.as_object().into_iter().flatten() {
        let (parent, name) = pointer.rsplit_once('/').expect("a path");
        event["payload"].pointer_mut(parent).expect("a parent")[name] = value.clone();
    }
    event
}

fn delivery(events: &[Value]) -> Value {
    json!({ "app": { "id": "5ebee0975ac5304b664a12fa" }, "webhook": { "id": "5e554d2cac66fb73a3c01871", "version": "v2" }, "events": events })
}

#[tokio::test]
async fn replies_come_once_and_in_order_however_they_are_delivered() {
    let house = House::new().await;
    house.app.switch(|switches| {
        switches.deliveries = 5;
        switches.delivery_order = DeliveryOrder::AtOnce;
    });
    let conversation = house.live("s1").await;
    house.app.hold_webhooks();
    let rep = house.app.rep(&conversation);
    let said: Vec<String> = (1..=5).map(|n| format!("reply {n}")).collect();
    said.iter().for_each(|text| drop(rep.says(text)));
    house
        .app
        .switch(|switches| switches.events_per_delivery = 5);
    house.app.deliver_held(|events| events.reverse());
    house.delivered().await;
    assert_eq!(house.attempts(MESSAGE).len(), 5 + 5);
    let told = house.told().await;
    let replies: Vec<&Value> = told
        .iter()
        .filter(|(key, _)| key.starts_with("reply."))
        .map(|(_, event)| &event["data"])
        .collect();
    let texts: Vec<&str> = replies
        .iter()
        .filter_map(|it| it["text"].as_str())
        .collect();
    assert_eq!(texts, said);
    let sequences: Vec<_> = replies
        .iter()
        .map(|it| it["sequence"].as_u64().expect("a number"))
        .collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
    let joined: Vec<_> = told
        .iter()
        .filter(|(key, _)| key == "lifecycle.rep_joined")
        .collect();
    assert_eq!(joined.len(), 1);
    assert_eq!(joined[0].1["data"]["rep"]["name"], "Maria R.");
}

#[tokio::test]
async fn an_older_reply_that_comes_late_says_so() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    let rep = house.app.rep(&conversation);
    rep.says("one that is in order");
    house.delivered().await;
    house.told().await;
    house.app.hold_webhooks();
    rep.says("first");
    rep.says("second");
    house.app.deliver_held(|events| events.reverse());
    house.delivered().await;
    let told = house.told().await;
    let replies: Vec<_> = told
        .iter()
        .filter(|(key, _)| key.starts_with("reply."))
        .map(|(_, it)| (it["data"]["text"].clone(), it["data"]["late"].clone()))
        .collect();
    assert_eq!(
        replies,
        [
            (json!("second"), Value::Null),
            (json!("first"), json!(true))
        ]
    );
}

#[tokio::test]
async fn the_first_reply_after_a_start_waits_for_those_whose_delivery_failed() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    house.app.hold_webhooks();
    let rep = house.app.rep(&conversation);
    for text in ["first", "second", "third"] {
        rep.says(text);
    }
    // Zendesk's next try of the others comes after that of the third.
    house.app.deliver_held(|events| drop(events.drain(..2)));
    house.delivered().await;
    assert_eq!(house.replies().await, ["first", "second", "third"]);
    // From then on a reply costs no look.
    let looks = house.app.calls(call::LIST_MESSAGES);
    rep.says("fourth");
    house.delivered().await;
    assert_eq!(house.replies().await, ["fourth"]);
    assert_eq!(house.app.calls(call::LIST_MESSAGES), looks);
}

#[tokio::test]
async fn our_own_words_and_the_contacts_do_not_come_back() {
    let house = House::new().await;
    house.live("s1").await;
    house.delivered().await;
    assert_eq!(house.attempts(MESSAGE), [[Some(200)]]);
    assert!(house.replies().await.is_empty());
}

#[tokio::test]
async fn triggers_are_forwarded_or_not_as_the_connection_says() {
    for (setting, expected) in [("forward", vec!["We are closed."]), ("ignore", vec![])] {
        let house = House::with(|_| (), &[("triggers", setting)]).await;
        let conversation = house.live("s1").await;
        house.app.rep(&conversation).trigger_says("We are closed.");
        house.delivered().await;
        let told = house.told().await;
        let replies: Vec<&str> = told
            .iter()
            .filter(|(key, _)| key.starts_with("reply."))
            .filter_map(|(_, it)| it["data"]["text"].as_str())
            .collect();
        assert_eq!(replies, expected);
        let mut marks = told.iter().filter(|(key, _)| key.starts_with("reply."));
        assert!(marks.all(|(_, it)| it["data"]["automatic"] == true));
        assert!(told.iter().all(|(key, _)| key != "lifecycle.rep_joined"));
    }
}

#[tokio::test]
async fn files_come_with_their_address_name_and_type() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    let rep = house.app.rep(&conversation);
    rep.sends_file("label.pdf", "application/pdf", "%PDF");
    rep.sends_file("map.png", "image/png", "png");
    house.delivered().await;
    // The custodian, who is not here, would copy them before the replies go out.
    let waiting = house.store.with_files(10).await.expect("replies");
    let files: Vec<&Value> = waiting.iter().map(|reply| &reply.files[0]).collect();
    let kept = house.app.ledger().attachments;
    for (file, kept) in files.iter().zip(&kept) {
        assert_eq!(file["name"], kept.name.as_str());
        assert_eq!(file["content_type"], kept.media_type.as_str());
        assert_eq!(file["url"], kept.url.as_str());
        assert_eq!(file["id"], kept.id.as_str());
    }
    assert_eq!(files.len(), 2);
}

#[tokio::test]
async fn a_rep_is_known_in_whatever_form_zendesk_names_them() {
    for (agent_id, subtypes) in [
        (AgentId::Text, Shown::No),
        (AgentId::Number, Shown::Yes),
        (AgentId::Missing, Shown::Yes),
    ] {
        let house = House::new().await;
        house.app.switch(|switches| {
            switches.agent_id = agent_id;
            switches.agent_subtypes = subtypes;
        });
        let conversation = house.live("s1").await;
        house.app.rep(&conversation).named("Priya").says("Hi");
        house.delivered().await;
        let told = house.told().await;
        let (_, reply) = told
            .iter()
            .find(|(key, _)| key.starts_with("reply."))
            .expect("a reply");
        assert_eq!(reply["data"]["rep"]["name"], "Priya");
        assert_eq!(
            reply["data"]["rep"]["id"].is_string(),
            agent_id != AgentId::Missing
        );
    }
}

#[tokio::test]
async fn a_wrong_secret_is_401_and_nothing_else_is() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    let right = secret(&house).await;
    let body = delivery(&[message(&conversation, json!({}))]).to_string();
    let wrong = format!(
        "`X-API-Key` is not the `webhook_secret` of connection `{CONNECTION}`; save the connection again so that both agree\n"
    );
    for secret in [
        None,
        Some(""),
        Some("wrong"),
        Some(&right[..31]),
        Some(&*format!("{right}0")),
    ] {
        assert_eq!(
            post(&house, &path(), secret, body.clone()).await,
            (401, wrong.clone())
        );
    }
    let table: [(&str, String, u16); 7] = [
        (&path(), body.clone(), 200),
        (&path(), body.clone(), 200),
        (&path(), "not JSON".into(), 400),
        (&path(), "{}".into(), 400),
        ("/webhooks/zendesk/nobody", body.clone(), 404),
        (
            &format!("/webhooks/salesforce/{CONNECTION}"),
            body.clone(),
            404,
        ),
        (&path(), " ".repeat((1 << 20) + 1), 413),
    ];
    for (path, body, status) in table {
        let (answered, text) = post(&house, path, Some(&right), body).await;
        assert_eq!(answered, status, "{text}");
    }
    assert_eq!(house.replies().await, ["Hi Dana"]);
}

#[tokio::test]
async fn events_of_nobody_here_are_taken_and_forgotten() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    let right = secret(&house).await;
    let events = [
        message("000000000000000000000000", json!({})),
        message(
            &conversation,
            json!({ "/conversation/metadata": { "other": "bot" } }),
        ),
        message("s1", json!({})),
        json!({ "type": "something:new", "payload": {} }),
        json!(7),
    ];
    assert_eq!(
        post(&house, &path(), Some(&right), delivery(&events).to_string())
            .await
            .0,
        200
    );
    assert!(house.replies().await.is_empty());
}

#[tokio::test]
async fn one_connections_secret_opens_no_others_conversations() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    let mut other = connection_to(&house.app, &[]);
    other.name = "other".into();
    other
        .secrets
        .insert("webhook_secret".into(), "theirs".into());
    let now = baton::domain::clock::Clock::System.now();
    house
        .store
        .save_connection(other, "test", now)
        .await
        .expect("saved");
    let body = delivery(&[message(&conversation, json!({}))]).to_string();
    assert_eq!(
        post(&house, "/webhooks/zendesk/other", Some("theirs"), body)
            .await
            .0,
        200
    );
    assert!(house.replies().await.is_empty());
}

#[tokio::test]
async fn without_a_secret_of_ours_zendesk_is_asked_to_come_again() {
    let house = House::before_set_up(|_| (), &[]).await;
    let (status, text) = post(&house, &path(), Some("any"), "{}").await;
    assert_eq!(
        (status, text.as_str()),
        (
            503,
            "connection `acme-zendesk` has no `webhook_secret`; save it again so that its webhook is registered\n"
        )
    );
}

#[tokio::test]
async fn a_reply_before_its_handoff_is_live_comes_again() {
    let mut house = House::new().await;
    house.worker.policy.waits = vec![Duration::from_millis(300)];
    house.receive("s1", json!({})).await;
    // The answer to the last step gets lost, so a rep can write before we know that they can.
    house
        .app
        .faults()
        .fail(call::PASS_CONTROL, Nth::Only(1), Fault::after(What::Cut));
    house.first_tick().await;
    assert!(matches!(
        house.handoff("s1").await.status,
        Status::Due { .. }
    ));
    let conversation = house.app.conversations()[0].id.clone();
    house.app.rep(&conversation).says("Quick!");
    house
        .app
        .wait_for(|ledger| {
            ledger
                .deliveries
                .iter()
                .any(|it| it.attempts.contains(&Some(503)))
        })
        .await;
    house.work().await;
    house.delivered().await;
    assert_eq!(house.handoff("s1").await.status, Status::Live);
    assert_eq!(house.replies().await, ["Quick!"]);
}

#[tokio::test]
async fn a_store_that_is_away_is_503_and_then_the_reply_is_taken() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    let database =
        rusqlite::Connection::open(house.folder.path().join("baton.db")).expect("a database");
    database.execute_batch("BEGIN IMMEDIATE").expect("locked");
    house.app.rep(&conversation).says("Hello?");
    house
        .app
        .wait_for(|ledger| {
            ledger
                .deliveries
                .iter()
                .any(|it| it.attempts.contains(&Some(503)))
        })
        .await;
    database.execute_batch("ROLLBACK").expect("unlocked");
    house.delivered().await;
    let attempts = house.attempts(MESSAGE);
    assert_eq!(attempts.last().and_then(|it| it.last()), Some(&Some(200)));
    assert_eq!(house.replies().await, ["Hello?"]);
}

#[tokio::test]
async fn what_no_webhook_brought_is_found_in_the_list() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    house.app.hold_webhooks();
    let rep = house.app.rep(&conversation);
    for number in 1..=130 {
        rep.says(&format!("reply {number}"));
    }
    house.app.deliver_held(Vec::clear);
    house.sweep_once().await;
    let replies = house.replies().await;
    assert_eq!(replies.len(), 130);
    assert_eq!(
        (replies[0].as_str(), replies[129].as_str()),
        ("reply 1", "reply 130")
    );
    house.sweep_once().await;
    assert!(house.replies().await.is_empty());
}

#[tokio::test]
async fn registering_a_webhook_again_changes_nothing_and_moving_it_moves_it() {
    let house = House::new().await;
    let registered = house.app.ledger().webhooks;
    assert_eq!(registered.len(), 1);
    assert_eq!(registered[0].target, format!("{}{}", house.url, path()));
    assert_eq!(registered[0].name, format!("Baton {CONNECTION}"));
    let set_up = async |url: &str| {
        house
            .operator
            .set_up_connection(CONNECTION, url, "test")
            .await
            .expect("set up")["says"]
            .clone()
    };
    let before = house.store.signals().connections_version();
    assert_eq!(
        set_up(&format!("{}/", house.url)).await,
        format!("the webhook to {}{} is registered", house.url, path())
    );
    assert_eq!(house.store.signals().connections_version(), before);
    assert_eq!(
        set_up("https://baton.example").await,
        format!("the webhook now goes to https://baton.example{}", path())
    );
    let moved = house.app.ledger().webhooks;
    assert_eq!((moved.len(), &moved[0].secret), (1, &registered[0].secret));
    assert_eq!(moved[0].target, format!("https://baton.example{}", path()));
}

#[tokio::test]
async fn saving_a_connection_registers_its_webhook_or_says_what_keeps_zendesk_from_calling() {
    let house = House::before_set_up(|_| (), &[]).await;
    let options = house.app.options();
    let settings = |base_url: &str| {
        let settings = [
            ("subdomain", "acme"),
            ("app_id", &options.app_id),
            ("key_id", &options.key_id),
            ("key_secret", &options.key_secret),
            ("base_url", base_url),
        ];
        settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    };
    let save = async |operator: &Operator, name: &str, base_url: &str| {
        let saved = operator.save_connection(name, "zendesk", settings(base_url), "test");
        let mut saved = saved.await.expect("saved");
        let mut part = |name: &str| saved[name].take();
        (part("change"), part("set_up"))
    };
    let here = house.app.base_url();
    let (change, set_up) = save(&house.operator, "new", &here).await;
    let target = "https://baton.example/webhooks/zendesk/new";
    assert_eq!((&change, &set_up["ok"]), (&json!("added"), &json!(true)));
    assert_eq!(set_up["says"], format!("registered a webhook to {target}"));
    let webhooks = house.app.ledger().webhooks;
    assert_eq!(
        webhooks.iter().map(|it| &it.target).collect::<Vec<_>>(),
        [target]
    );
    let (change, set_up) = save(&house.operator, "new", &here).await;
    assert_eq!(change, "none", "the secret is known by now");
    assert_eq!(
        set_up["says"],
        format!("the webhook to {target} is registered")
    );
    assert_eq!(house.app.ledger().webhooks.len(), 1);

    let at_home = Operator {
        public_url: "http://127.0.0.1:8080".into(),
        ..house.operator.clone()
    };
    // Nobody is asked: the address cannot be right.
    let (change, set_up) = save(&at_home, "far", "https://acme.zendesk.com/sc").await;
    assert_eq!((&change, &set_up["ok"]), (&json!("added"), &json!(false)));
    assert_eq!(
        set_up["says"],
        "http.public_url: Zendesk cannot call http://127.0.0.1:8080/webhooks/zendesk/far; set `http.public_url` to the address at which Zendesk reaches this worker, such as https://baton.acme.example, and save the connection again (connection `far`)"
    );
}

#[tokio::test]
async fn registering_survives_lost_answers() {
    for call in [
        call::CREATE_INTEGRATION,
        call::LIST_WEBHOOKS,
        call::UPDATE_WEBHOOK,
    ] {
        let house = House::before_set_up(|_| (), &[]).await;
        house
            .app
            .faults()
            .fail(call, Nth::Only(1), Fault::after(What::Cut));
        for _ in 0..3 {
            house
                .operator
                .set_up_connection(CONNECTION, &house.url, "test")
                .await
                .expect("a store");
        }
        house
            .operator
            .set_up_connection(CONNECTION, "https://baton.example", "test")
            .await
            .expect("a store");
        let done = house
            .operator
            .set_up_connection(CONNECTION, "https://baton.example", "test")
            .await
            .expect("a store");
        assert_eq!(done["ok"], true, "{call}: {done}");
        assert_eq!(house.app.ledger().webhooks.len(), 1, "{call}");
    }
}

#[tokio::test]
async fn verify_says_that_all_is_well_or_what_to_do() {
    let house = House::new().await;
    let verified = async |house: &House| {
        let verified = house
            .operator
            .verify_connection(CONNECTION)
            .await
            .expect("a store");
        (
            verified["ok"].clone(),
            verified["says"].as_str().expect("words").to_owned(),
        )
    };
    let (ok, says) = verified(&house).await;
    assert_eq!(ok, true, "{says}");
    assert_eq!(
        says,
        format!(
            "app 5ebee0975ac5304b664a12fa passes conversations to `zd-agentWorkspace`, and replies come to {}{}; contacts are not linked to support users, for which `support_email` and `support_token` are needed",
            house.url,
            path()
        )
    );

    house
        .app
        .switch(|switches| switches.multi_conversations = MultiConversations::Off);
    assert_eq!(
        verified(&house).await.1,
        "app_id: multi-conversations are off, so a contact's second handoff would fail; turn on multi-conversations (Admin Center → Channels → Messaging; they cannot be turned off again) (connection `acme-zendesk`)"
    );

    let not_set_up = House::before_set_up(|_| (), &[]).await;
    assert_eq!(verified(&not_set_up).await, (false.into(), "webhook_secret: no webhook of the app leads to /webhooks/zendesk/acme-zendesk, so replies do not come; save the connection again so that it is registered (connection `acme-zendesk`)".to_owned()));

    let elsewhere = House::before_set_up(|_| (), &[("switchboard_integration", "nobody")]).await;
    assert_eq!(
        verified(&elsewhere).await.1,
        "switchboard_integration: the switchboard has no `nobody`; write one of zd-agentWorkspace, zd-answerBot (connection `acme-zendesk`)"
    );
    let bot = House::before_set_up(|_| (), &[("switchboard_integration", "zd-answerBot")]).await;
    assert_eq!(
        verified(&bot).await.1,
        "switchboard_integration: `zd-answerBot` is not the Agent Workspace; write the one whose type is zd:agentWorkspace: zd-agentWorkspace, zd-answerBot (connection `acme-zendesk`)"
    );
}

#[tokio::test]
async fn verify_sees_another_secret_and_a_wrong_support_token() {
    let house = House::new().await;
    let mut connection = connection_to(&house.app, &[]);
    connection
        .secrets
        .insert("webhook_secret".into(), "another".into());
    let wrong = open(&connection)
        .verify()
        .await
        .expect_err("wrong")
        .to_string();
    assert_eq!(
        wrong,
        "webhook_secret: the webhook to /webhooks/zendesk/acme-zendesk has another secret, so replies are turned away; save the connection again so that it is registered (connection `acme-zendesk`)"
    );
    connection
        .secrets
        .insert("webhook_secret".into(), secret(&house).await.into());
    connection
        .settings
        .insert("support_email".into(), "admin@acme.example".into());
    connection
        .secrets
        .insert("support_token".into(), "expired".into());
    let wrong = open(&connection)
        .verify()
        .await
        .expect_err("wrong")
        .to_string();
    assert_eq!(
        wrong,
        "support_token: Zendesk Support does not let us in; write the email address of an admin as `support_email` and an API token as `support_token`, or leave both out (connection `acme-zendesk`)"
    );
}

/// What the desk reads in one event of these.
async fn read(events: &[Value]) -> Result<Vec<Notice>, WebhookError> {
    let (app, _) = super::app_and_desk().await;
    let mut connection = connection_to(&app, &[]);
    connection
        .secrets
        .insert("webhook_secret".into(), "secret".into());
    let body = delivery(events).to_string();
    open(&connection).read_webhook(&[("X-API-Key", "secret")], body.as_bytes())
}

#[tokio::test]
async fn every_form_of_a_reps_words_becomes_text() {
    let table = [
        (
            json!({ "type": "text", "htmlText": "<p>Hi <b>Dana</b> &amp; all</p><p>Bye</p>" }),
            "Hi Dana & all\nBye",
        ),
        (
            json!({ "type": "text", "text": "Pick", "actions": [{ "type": "reply", "text": "Yes" }, { "type": "reply", "text": "No" }, { "type": "link", "text": "Help", "uri": "https://acme.example" }] }),
            "Pick\nHelp: https://acme.example\n1. Yes\n2. No",
        ),
        (
            json!({ "type": "location", "coordinates": { "lat": 52.5, "long": 13.4 } }),
            "52.5, 13.4",
        ),
        (
            json!({ "type": "carousel", "items": [{ "title": "Shoe", "description": "Red", "actions": [{ "type": "postback", "text": "Buy" }] }] }),
            "Shoe\nRed\n1. Buy",
        ),
        (
            json!({ "type": "form", "fields": [{ "label": "Your email" }] }),
            "Your email",
        ),
        (json!({ "type": "hologram" }), "[hologram]"),
        (json!({}), "[message]"),
    ];
    for (content, expected) in table {
        let read = read(&[message("c1", json!({ "/message/content": content }))])
            .await
            .expect("read");
        let Some(Seen::Reply { text, choices, .. }) = read
            .last()
            .and_then(|it| it.entry.as_ref())
            .map(|it| &it.what)
        else {
            panic!("{read:?}");
        };
        assert_eq!(text, expected);
        // A number that the contact answers stands for the choice of that number.
        for (choice, number) in choices.iter().zip(1..) {
            let line = format!("{number}. {choice}");
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
        let numbered = text.lines().filter(|line| line.contains(". ")).count();
        assert_eq!(choices.len(), numbered, "{text}");
    }
}

#[tokio::test]
async fn nobody_but_a_rep_or_a_trigger_writes_to_the_contact() {
    let silent = [
        json!({ "/message/author/type": "user" }),
        json!({ "/message/source/type": "api:conversations", "/message/metadata": {} }),
        json!({ "/message/source/type": "zd:answerBot", "/message/metadata": {} }),
        json!({ "/message/source/type": "ultimate", "/message/metadata": {} }),
        json!({ "/message/metadata/baton_key": "k#0" }),
        json!({ "/message/author/subtypes": ["activity"], "/message/activity": { "type": "ticket:assigned" } }),
        json!({ "/message/id": 7 }),
    ];
    for change in silent {
        let events = read(&[message("c1", change.clone())]).await.expect("read");
        assert_eq!(events, [], "{change}");
    }
    let oldest_last = [
        message(
            "c1",
            json!({ "/message/received": "2026-11-21T09:03:30.000Z", "/message/id": "b" }),
        ),
        message(
            "c2",
            json!({ "/message/received": "2026-11-21T09:03:10.000Z", "/message/id": "a" }),
        ),
    ];
    let read = read(&oldest_last).await.expect("read");
    let conversations: Vec<&str> = read.iter().map(|it| it.conversation.as_str()).collect();
    assert_eq!(
        conversations,
        ["c2", "c2", "c1", "c1"],
        "each with the rep who joined before"
    );
}

#[tokio::test]
async fn a_control_that_could_not_be_passed_is_told() {
    let failed = json!({
        "id": "e1", "createdAt": "2026-11-21T09:00:05.010Z", "type": "switchboard:passControl:failure",
        "payload": { "conversation": { "id": "c1" }, "error": { "code": "switchboard_invalid_target", "message": "Switchboard invalid target" } },
    });
    let read = read(&[failed]).await.expect("read");
    let what = read[0].entry.as_ref().map(|it| it.what.clone());
    assert_eq!(
        what,
        Some(Seen::RoutingFailed {
            reason: "switchboard_invalid_target: Switchboard invalid target".into()
        })
    );
}

#[tokio::test]
async fn webhooks_stop_where_zendesk_stops() {
    let house = House::new().await;
    let conversation = house.live("s1").await;
    let name = CONNECTION.into();
    let (mut connection, _) = house
        .store
        .connection(&name)
        .await
        .expect("a store")
        .expect("one");
    connection
        .secrets
        .insert("webhook_secret".into(), "rotated".into());
    let now = baton::domain::clock::Clock::System.now();
    house
        .store
        .save_connection(connection, "test", now)
        .await
        .expect("saved");
    house.app.rep(&conversation).says("Lost?");
    house.delivered().await;
    assert_eq!(house.attempts(MESSAGE).last(), Some(&vec![Some(401)]));
    house.sweep_once().await;
    assert_eq!(house.replies().await, ["Lost?"]);
}
