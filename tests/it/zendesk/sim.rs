//! The simulated account does what the sunshine reference says, asked by a plain client.

use std::time::Duration;

use baton::sim::rep::{Finish, Lines, Routine};
use baton::sim::zendesk::switches::{DefaultResponder, EndSignal, Shown, Switches};
use baton::sim::zendesk::{App, call};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::app_with;

struct Client {
    http: reqwest::Client,
    app: App,
}

impl Client {
    async fn new() -> Self {
        Self::of(app_with(|_| ()).await)
    }

    fn of(app: App) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self { http, app }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let options = self.app.options();
        let url = format!("{}/v2/apps/{}/{path}", self.app.base_url(), options.app_id);
        let request = self.http.request(method, url);
        request.basic_auth(&options.key_id, Some(&options.key_secret))
    }

    async fn ask(&self, request: RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(self.request(Method::POST, path).json(&body)).await
    }

    async fn user(&self, external_id: &str) -> String {
        let (status, made) = self
            .post("users", json!({ "externalId": external_id }))
            .await;
        assert_eq!(status, 201, "{made}");
        text(&made["user"]["id"])
    }

    async fn conversation(&self, user: &str) -> String {
        let (status, made) = self.post("conversations", conversation_of(user)).await;
        assert_eq!(status, 201, "{made}");
        text(&made["conversation"]["id"])
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn conversation_of(user: &str) -> Value {
    json!({ "type": "personal", "participants": [{ "userId": user, "subscribeSDKClient": false }] })
}

fn said(author: Value, words: &str) -> Value {
    json!({ "author": author, "content": { "type": "text", "text": words } })
}

fn business() -> Value {
    json!({ "type": "business", "displayName": "Bot" })
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn what_is_malformed_is_refused_in_the_vendors_words() {
    let client = Client::new().await;
    let user = client.user("u1").await;
    let conversation = client.conversation(&user).await;
    let other = client.user("u2").await;
    let messages = format!("conversations/{conversation}/messages");
    let table = [
        ("users", json!({ "externalId": "u1" }), 409, "conflict"),
        ("users", json!({ "externalId": "" }), 400, "bad_request"),
        (
            "users",
            json!({ "profile": { "givenName": "" } }),
            400,
            "bad_request",
        ),
        ("users", json!({ "phone": "+1" }), 400, "bad_request"),
        (
            "users",
            json!({ "metadata": { "nested": {} } }),
            400,
            "bad_request",
        ),
        (
            "users",
            json!({ "metadata": { "big": "x".repeat(4096) } }),
            400,
            "bad_request",
        ),
        (
            "users",
            json!({ "metadata": { "huge": "x".repeat(100_000) } }),
            413,
            "payload_too_large",
        ),
        (
            "conversations",
            json!({ "participants": [{ "userId": user }] }),
            400,
            "bad_request",
        ),
        (
            "conversations",
            json!({ "type": "personal", "participants": [] }),
            400,
            "bad_request",
        ),
        (
            "conversations",
            json!({ "type": "personal", "participants": [{ "userId": user, "userExternalId": "u1" }] }),
            400,
            "bad_request",
        ),
        (
            "conversations",
            conversation_of("000000000000000000000000"),
            404,
            "user_not_found",
        ),
        (
            &*messages,
            said(json!({ "type": "agent" }), "hi"),
            400,
            "bad_request",
        ),
        (
            &*messages,
            said(json!({ "type": "user" }), "hi"),
            400,
            "bad_request",
        ),
        (
            &*messages,
            said(json!({ "type": "user", "userId": other }), "hi"),
            404,
            "not_found",
        ),
        (&*messages, said(business(), ""), 400, "bad_request"),
        (
            &*messages,
            said(business(), &"x".repeat(4097)),
            400,
            "bad_request",
        ),
        (
            &*messages,
            json!({ "content": { "type": "text", "text": "hi" } }),
            400,
            "bad_request",
        ),
        (
            &*messages,
            json!({ "author": business(), "content": { "type": "image", "mediaUrl": "https://elsewhere.example/a.png" } }),
            400,
            "bad_request",
        ),
        (
            "conversations/000000000000000000000000/messages",
            said(business(), "hi"),
            404,
            "conversation_not_found",
        ),
        (
            "integrations",
            json!({ "type": "twilio" }),
            400,
            "bad_request",
        ),
        (
            "integrations",
            json!({ "type": "custom", "webhooks": [{ "target": "https://a.example", "triggers": ["Conversation:Message"] }] }),
            400,
            "bad_request",
        ),
    ];
    for (path, body, status, expected) in table {
        let shown: String = body.to_string().chars().take(200).collect();
        let (answered, answer) = client.post(path, body).await;
        assert_eq!(
            (answered, code(&answer)),
            (status, expected),
            "{path} {shown}: {answer}"
        );
    }
    let refusals = client.app.ledger().refusals;
    assert_eq!(refusals.len(), 21);
}

#[tokio::test]
async fn nobody_comes_in_without_the_key_of_the_app() {
    let client = Client::new().await;
    let url = format!(
        "{}/v2/apps/{}/users/u1",
        client.app.base_url(),
        client.app.options().app_id
    );
    for auth in [
        None,
        Some(("app_x", "secret")),
        Some((&*client.app.options().key_id, "wrong")),
    ] {
        let mut request = client.http.get(&url);
        if let Some((id, secret)) = auth {
            request = request.basic_auth(id, Some(secret));
        }
        let (status, answer) = client.ask(request).await;
        assert_eq!((status, code(&answer)), (401, "unauthorized"));
    }
    let options = client.app.options();
    let elsewhere = client.http.get(format!(
        "{}/v2/apps/000000000000000000000000/users/u1",
        client.app.base_url()
    ));
    let (status, answer) = client
        .ask(elsewhere.basic_auth(&options.key_id, Some(&options.key_secret)))
        .await;
    assert_eq!((status, code(&answer)), (404, "app_not_found"));
}

#[tokio::test]
async fn a_ticket_is_made_when_control_is_passed_with_the_last_ten_messages_or_more() {
    for with_first in [false, true] {
        let client = Client::new().await;
        let conversation = client.conversation(&client.user("u1").await).await;
        let mut first = String::new();
        for number in 0..15 {
            let (_, posted) = client
                .post(
                    &format!("conversations/{conversation}/messages"),
                    said(business(), &format!("{number}")),
                )
                .await;
            if number == 0 {
                first = text(&posted["messages"][0]["id"]);
            }
        }
        assert!(client.app.tickets(&conversation).is_empty());
        let mut body = json!({ "switchboardIntegration": "zd:agentWorkspace" });
        if with_first {
            body["metadata"] = json!({ "first_message_id": first });
        }
        let pass = format!("conversations/{conversation}/passControl");
        assert_eq!(client.post(&pass, body.clone()).await, (200, json!({})));
        assert_eq!(client.post(&pass, body).await, (200, json!({})));
        let tickets = client.app.tickets(&conversation);
        assert_eq!(tickets.len(), 1);
        assert_eq!(tickets[0].messages.len(), if with_first { 15 } else { 10 });
    }
}

#[tokio::test]
async fn a_users_message_after_a_closed_ticket_makes_another() {
    let client = Client::new().await;
    client.app.switch(|switches| {
        switches.default_responder = DefaultResponder::AgentWorkspace;
        switches.end_signal = EndSignal::Release;
    });
    let user = client.user("u1").await;
    let conversation = client.conversation(&user).await;
    let messages = format!("conversations/{conversation}/messages");
    let hello = || said(json!({ "type": "user", "userId": user }), "hello");
    client.post(&messages, hello()).await;
    client.app.rep(&conversation).closes_ticket();
    client.post(&messages, hello()).await;
    assert_eq!(client.app.tickets(&conversation).len(), 2);
}

#[tokio::test]
async fn messages_are_paged_backwards_and_lists_may_lag() {
    let client = Client::new().await;
    let conversation = client.conversation(&client.user("u1").await).await;
    let path = format!("conversations/{conversation}/messages");
    for number in 0..130 {
        client
            .post(&path, said(business(), &format!("{number}")))
            .await;
    }
    let (_, newest) = client.get(&path).await;
    let page = newest["messages"].as_array().expect("a page");
    assert_eq!(
        (page.len(), &page[0]["content"]["text"]),
        (100, &json!("30"))
    );
    assert_eq!(newest["meta"]["hasMore"], true);
    let before = text(&newest["meta"]["beforeCursor"]);
    let (_, rest) = client
        .get(&format!("{path}?page%5Bbefore%5D={before}"))
        .await;
    let page = rest["messages"].as_array().expect("a page");
    assert_eq!((page.len(), &page[0]["content"]["text"]), (30, &json!("0")));
    assert_eq!(rest["meta"], json!({ "hasMore": false }));
    let (status, _) = client.get(&format!("{path}?page%5Bbefore%5D=short")).await;
    assert_eq!(status, 400);
    client
        .app
        .switch(|switches| switches.list_lag_millis = 60_000);
    let (_, nothing) = client.get(&path).await;
    assert_eq!(nothing["messages"], json!([]));
}

#[tokio::test]
async fn a_file_is_for_one_conversation_and_private_if_the_account_says_so() {
    let client = Client::new().await;
    let user = client.user("u1").await;
    let (one, other) = (
        client.conversation(&user).await,
        client.conversation(&user).await,
    );
    let part = reqwest::multipart::Part::bytes(b"png".to_vec())
        .file_name("a.png")
        .mime_str("image/png")
        .expect("a type");
    let form = reqwest::multipart::Form::new().part("source", part);
    let upload = client.request(
        Method::POST,
        &format!("attachments?access=public&for=message&conversationId={one}"),
    );
    let (status, file) = client.ask(upload.multipart(form)).await;
    assert_eq!(status, 201, "{file}");
    let url = text(&file["attachment"]["mediaUrl"]);
    let body = json!({ "author": business(), "content": { "type": "image", "mediaUrl": url } });
    assert_eq!(
        client
            .post(&format!("conversations/{other}/messages"), body.clone())
            .await
            .0,
        400
    );
    assert_eq!(
        client
            .post(&format!("conversations/{one}/messages"), body)
            .await
            .0,
        201
    );
    let fetch = async || {
        client
            .http
            .get(&url)
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16()
    };
    assert_eq!(fetch().await, 200);
    client
        .app
        .switch(|switches| switches.private_attachments = Shown::Yes);
    assert_eq!(fetch().await, 401);
    let options = client.app.options();
    let with_key = client
        .http
        .get(&url)
        .basic_auth(&options.key_id, Some(&options.key_secret));
    assert_eq!(with_key.send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn too_many_calls_are_told_to_wait() {
    let client = Client::of(app_with(|options| options.limits.calls_per_minute = 2).await);
    client
        .app
        .switch(|switches| switches.retry_after = Some("7".into()));
    client.user("u1").await;
    client.user("u2").await;
    let answer = client
        .request(Method::GET, "users/u1")
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"7".parse().expect("a value"))
    );
}

#[tokio::test]
async fn webhooks_are_tried_five_times_and_then_given_up() {
    let client = Client::new().await;
    let webhook =
        json!({ "target": "http://127.0.0.1:9/nobody", "triggers": ["conversation:create"] });
    let body =
        json!({ "type": "custom", "status": "active", "displayName": "x", "webhooks": [webhook] });
    assert_eq!(client.post("integrations", body).await.0, 201);
    client.conversation(&client.user("u1").await).await;
    client
        .app
        .wait_for(|ledger| ledger.deliveries.iter().any(|it| it.done))
        .await;
    assert_eq!(client.app.ledger().deliveries[0].attempts, [None; 5]);
}

#[tokio::test]
async fn a_routine_answers_what_it_hears_and_ends() {
    let routine = Routine {
        joins_after: Duration::ZERO,
        lines: Lines::Scripted(vec!["Hi.".into(), "Bye.".into()]),
        finish: Finish::EndsAfter(2),
        ..Routine::default()
    };
    let client = Client::of(app_with(|options| options.routine = Some(routine)).await);
    let user = client.user("u1").await;
    let conversation = client.conversation(&user).await;
    let messages = format!("conversations/{conversation}/messages");
    client.post(&messages, said(business(), "transcript")).await;
    client
        .post(
            &format!("conversations/{conversation}/passControl"),
            json!({ "switchboardIntegration": "zd-agentWorkspace" }),
        )
        .await;
    client
        .app
        .wait_for(|ledger| ledger.conversations[0].of_workspace().count() == 1)
        .await;
    client
        .post(
            &messages,
            said(json!({ "type": "user", "userId": user }), "thanks"),
        )
        .await;
    client
        .app
        .wait_for(|ledger| ledger.conversations[0].active.is_none())
        .await;
    let said: Vec<String> = client.app.conversations()[0]
        .of_workspace()
        .map(|it| it.text().to_owned())
        .collect();
    assert_eq!(said, ["Hi.", "Bye."]);
}

#[tokio::test]
async fn it_can_be_driven_over_http() {
    let client = Client::new().await;
    let backstage = |method: Method, path: &str| {
        client
            .http
            .request(method, format!("{}/_sim/{path}", client.app.url()))
    };
    let conversation = client.conversation(&client.user("u1").await).await;
    let order = json!({ "action": "say", "text": "Hello", "name": "Priya" });
    let (status, written) = client
        .ask(backstage(Method::POST, &format!("conversations/{conversation}/rep")).json(&order))
        .await;
    assert_eq!(
        (status, text(&written["id"])),
        (200, client.app.messages(&conversation)[0].id.clone())
    );
    let (_, switches) = client
        .ask(backstage(Method::POST, "switches").json(&json!({ "deliveries": 2 })))
        .await;
    assert_eq!(
        switches,
        json!(Switches {
            deliveries: 2,
            ..Switches::default()
        })
    );
    assert_eq!(
        client
            .ask(backstage(Method::POST, "switches").json(&json!({ "no_such": 2 })))
            .await
            .0,
        400
    );
    let plan = json!({ "call": "message", "nth": "every", "when": "before-effect", "what": "status", "status": 503 });
    assert_eq!(
        client
            .ask(backstage(Method::POST, "faults").json(&plan))
            .await
            .0,
        204
    );
    let path = format!("conversations/{conversation}/messages");
    assert_eq!(client.post(&path, said(business(), "hi")).await.0, 503);
    assert_eq!(client.ask(backstage(Method::DELETE, "faults")).await.0, 204);
    assert_eq!(client.post(&path, said(business(), "hi")).await.0, 201);
    let (_, ledger) = client.ask(backstage(Method::GET, "ledger")).await;
    assert_eq!(
        ledger["conversations"][0]["messages"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let (_, fired) = client.ask(backstage(Method::GET, "faults")).await;
    assert_eq!(fired[0]["call"], call::MESSAGE);
}
