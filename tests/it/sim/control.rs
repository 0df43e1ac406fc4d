//! The backstage, for those who drive the simulator over HTTP.

use baton::sim::faults::Nth;
use baton::sim::salesforce::Org;
use baton::sim::salesforce::switches::RepEnd;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::{Client, json_of, org, uuid};

async fn post(org: &Org, path: &str, body: Value) -> Response {
    let client = Client::of(org);
    client
        .http
        .post(format!("{}/_sim/{path}", org.url()))
        .json(&body)
        .send()
        .await
        .expect("an answer")
}

async fn get(org: &Org, path: &str) -> Value {
    json_of(
        Client::of(org)
            .http
            .get(format!("{}/_sim/{path}", org.url()))
            .send()
            .await
            .expect("an answer"),
    )
    .await
}

#[tokio::test]
async fn a_rep_can_be_directed() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let path = format!("conversations/{conversation}/rep");
    let acts = [
        json!({ "action": "join" }),
        json!({ "action": "type" }),
        json!({ "action": "say", "text": "Hello" }),
        json!({ "action": "send-file", "file_name": "a.txt", "mime_type": "text/plain", "base64": "aGk=" }),
        json!({ "action": "transfer", "to": "Tom" }),
        json!({ "action": "say", "text": "Hello again", "name": "Tom" }),
        json!({ "action": "leave", "name": "Tom" }),
        json!({ "action": "end" }),
    ];
    for act in acts {
        assert_eq!(
            post(&org, &path, act.clone()).await.status(),
            StatusCode::OK,
            "{act}"
        );
    }
    let said: Vec<_> = org
        .rep_entries(&conversation)
        .into_iter()
        .map(|it| (it.sender.name, it.text))
        .collect();
    let text = |text: &str| Some(text.to_owned());
    let (maria, tom) = ("Maria R.".to_owned(), "Tom".to_owned());
    assert_eq!(
        said,
        [
            (maria.clone(), text("Hello")),
            (maria, None),
            (tom, text("Hello again"))
        ]
    );
    let unknown = post(
        &org,
        &format!("conversations/{}/rep", uuid()),
        json!({ "action": "join" }),
    )
    .await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn faults_can_be_planned_seen_and_healed() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let plans = [
        json!({ "call": "create-conversation", "nth": { "only": 1 }, "when": "after-effect", "what": "status", "status": 503 }),
        json!({ "call": "message", "nth": "every", "when": "before-effect", "what": "cut" }),
        json!({ "nth": { "next": 1 }, "disturbance": "cut-after", "events": 0 }),
        json!({ "seed": 7, "rate": 0.0 }),
    ];
    for plan in plans {
        assert_eq!(
            post(&org, "faults", plan.clone()).await.status(),
            StatusCode::NO_CONTENT,
            "{plan}"
        );
    }
    let id = uuid();
    assert_eq!(
        client.create(&id).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert!(client.message(&id, &uuid(), "Hi").send().await.is_err());
    assert!(client.listen().await.rest().await.1.is_err());
    let fired = get(&org, "faults").await;
    assert_eq!(
        fired[0],
        json!({
            "call": "create-conversation", "nth": 1,
            "what": { "when": "after-effect", "what": "status", "status": 503, "body": "" },
        })
    );
    assert_eq!(fired.as_array().map(Vec::len), Some(3));
    let heal = client
        .http
        .delete(format!("{}/_sim/faults", org.url()))
        .send()
        .await
        .expect("an answer");
    assert_eq!(heal.status(), StatusCode::NO_CONTENT);
    assert_eq!(client.say(&id, "Hi").await.status(), StatusCode::ACCEPTED);
    org.faults().fail(
        "message",
        Nth::Next(0),
        baton::sim::faults::Fault::before(baton::sim::faults::What::Hang),
    );
    assert_eq!(client.say(&id, "Hi").await.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_ledger_can_be_read() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    client.say(&conversation, "Hi").await;
    let ledger = get(&org, "ledger").await;
    assert_eq!(
        ledger["calls"],
        json!({ "access-token": 1, "create-conversation": 1, "message": 1 })
    );
    assert_eq!(ledger["conversations"][0]["id"], conversation.as_str());
    let entries = ledger["conversations"][0]["entries"]
        .as_array()
        .expect("entries");
    assert!(
        entries
            .iter()
            .any(|entry| entry["text"] == "Hi" && entry["sender"]["role"] == "EndUser")
    );
}

#[tokio::test]
async fn switches_can_be_set_one_by_one() {
    let org = org().await;
    assert_eq!(
        post(&org, "switches", json!({ "replay_events": 3 }))
            .await
            .status(),
        StatusCode::OK
    );
    assert_eq!(
        post(&org, "switches", json!({ "rep_end": "ended-only" }))
            .await
            .status(),
        StatusCode::OK
    );
    let switches = get(&org, "switches").await;
    assert_eq!(
        (&switches["replay_events"], &switches["rep_end"]),
        (&json!(3), &json!("ended-only"))
    );
    org.switch(|switches| assert_eq!(switches.rep_end, RepEnd::EndedOnly));
    assert_eq!(
        post(&org, "switches", json!({ "rep_end": "maybe" }))
            .await
            .status(),
        StatusCode::BAD_REQUEST
    );
}
