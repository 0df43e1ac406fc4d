//! The simulated org does what the reference calls verified, seen by a plain client.

use baton::sim::dynamics::switches::{RepeatedPost, Routing};
use baton::sim::dynamics::{Options, Org, WORKSTREAM};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

const ID: &str = "55bed77d-f28a-4723-a603-43917aef6355";

struct Client {
    org: Org,
    token: String,
}

impl Client {
    async fn new() -> Self {
        let org = Org::start(Options::default()).await.expect("an org");
        let answer = token(&org, &[]).await;
        let token = answer.1["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        Self { org, token }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/data/v9.2/{path}", self.org.url());
        reqwest::Client::new()
            .request(method, url)
            .bearer_auth(&self.token)
            .header("Accept", "application/json")
            .header("OData-Version", "4.0")
            .header("OData-MaxVersion", "4.0")
    }

    async fn send(&self, request: RequestBuilder) -> (StatusCode, String) {
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        let code = body.pointer("/error/code").and_then(Value::as_str);
        (status, code.unwrap_or_default().to_owned())
    }

    async fn patch(&self, path: &str, body: Value) -> (StatusCode, String) {
        let request = self.request(Method::PATCH, path);
        self.send(request.header("If-None-Match", "*").json(&body))
            .await
    }
}

async fn token(org: &Org, changes: &[(&str, &str)]) -> (StatusCode, Value) {
    let options = org.options();
    let scope = format!("{}/.default", org.url());
    let mut form = vec![
        ("client_id", options.client_id.as_str()),
        ("client_secret", &options.client_secret),
        ("scope", &scope),
        ("grant_type", "client_credentials"),
    ];
    for (name, value) in changes {
        form.retain(|(it, _)| it != name);
        form.push((name, value));
    }
    let url = format!("{}/{}/oauth2/v2.0/token", org.url(), options.tenant);
    let request = reqwest::Client::new().post(url).form(&form);
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

fn work_item() -> Value {
    json!({
        "subject": "A refund",
        "msdyn_liveworkstreamid_msdyn_ocliveworkitem@odata.bind": format!("/msdyn_liveworkstreams({WORKSTREAM})"),
    })
}

#[tokio::test]
async fn entra_checks_what_it_is_asked() {
    let org = Org::start(Options::default()).await.expect("an org");
    assert_eq!(token(&org, &[]).await.0, StatusCode::OK);
    let slash = format!("{}//.default", org.url());
    for (name, value, number) in [
        ("grant_type", "password", 70003),
        ("client_secret", "wrong", 7_000_215),
        ("client_id", "other", 700_016),
        ("scope", "openid", 70011),
        ("scope", &slash, 500_011),
    ] {
        let (status, body) = token(&org, &[(name, value)]).await;
        assert!(status.is_client_error(), "{name}");
        assert_eq!(body["error_codes"], json!([number]), "{name} = {value}");
        assert!(
            body["error_description"]
                .as_str()
                .expect("text")
                .starts_with(&format!("AADSTS{number}: "))
        );
    }
}

#[tokio::test]
async fn conditions_decide_between_new_and_old() {
    let client = Client::new().await;
    let path = format!("msdyn_ocliveworkitems({ID})");
    let old = client
        .request(Method::PATCH, &path)
        .header("If-Match", "*")
        .json(&work_item());
    assert_eq!(
        client.send(old).await,
        (StatusCode::NOT_FOUND, "0x80040217".into())
    );
    assert_eq!(
        client.patch(&path, work_item()).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        client.patch(&path, work_item()).await,
        (StatusCode::PRECONDITION_FAILED, "0x80040237".into())
    );
    let any = client
        .request(Method::PATCH, &path)
        .header("If-None-Match", "null")
        .json(&json!({ "subject": "B" }));
    assert_eq!(client.send(any).await.0, StatusCode::NO_CONTENT);
    assert_eq!(client.org.work_items()[0].text("subject"), "B");
    for (switch, status) in [
        (
            RepeatedPost::PreconditionFailed,
            StatusCode::PRECONDITION_FAILED,
        ),
        (RepeatedPost::Conflict, StatusCode::CONFLICT),
    ] {
        client
            .org
            .switch(|switches| switches.repeated_post = switch);
        let mut body = work_item();
        body["activityid"] = ID.into();
        let again = client
            .request(Method::POST, "msdyn_ocliveworkitems")
            .json(&body);
        assert_eq!(client.send(again).await, (status, "0x80040237".into()));
    }
}

#[tokio::test]
async fn bodies_are_checked_against_the_table() {
    let client = Client::new().await;
    let cases: &[(&str, Value, &str)] = &[
        ("msdyn_OCliveworkitems", json!({}), "0x8006088a"),
        ("oc_liveworkitems", json!({}), "0x8006088a"),
        (
            "msdyn_ocliveworkitems",
            json!({ "subject": "x".repeat(201) }),
            "0x80044331",
        ),
        (
            "msdyn_ocliveworkitems",
            json!({ "msdyn_title": "no subject" }),
            "0x80048d19",
        ),
        (
            "msdyn_ocliveworkitems",
            json!({ "phone": "x" }),
            "0x80048d19",
        ),
        (
            "msdyn_ocliveworkitems",
            json!({ "msdyn_channel": 192_340_000 }),
            "0x80048d19",
        ),
        (
            "msdyn_ocliveworkitems",
            json!({ "msdyn_liveworkstreamid": WORKSTREAM }),
            "0x80048d19",
        ),
        (
            "msdyn_ocliveworkitems",
            json!({ "msdyn_liveworkstreamid@odata.bind": format!("/msdyn_liveworkstreams({WORKSTREAM})") }),
            "0x80048d19",
        ),
        (
            "msdyn_ocliveworkitems",
            json!({ "msdyn_liveworkstreamid_msdyn_ocliveworkitem@odata.bind": format!("/msdyn_liveworkstreams({ID})") }),
            "0x80040217",
        ),
        (
            "annotations",
            json!({ "documentbody": "not base64" }),
            "0x80048d19",
        ),
    ];
    for (set, body, code) in cases {
        let (status, found) = client.patch(&format!("{set}({ID})"), body.clone()).await;
        assert!(status.is_client_error(), "{set} {body}");
        assert_eq!(found, *code, "{set} {body}");
    }
    let braces = client
        .patch(&format!("annotations({{{ID}}})"), json!({}))
        .await;
    assert_eq!(braces.0, StatusCode::BAD_REQUEST);
    assert_eq!(client.org.ledger().refusals.len(), cases.len() + 1);
}

#[tokio::test]
async fn states_are_changed_in_pairs_and_routing_is_a_switch() {
    let client = Client::new().await;
    client
        .org
        .switch(|switches| switches.routing = Routing::Active);
    let path = format!("msdyn_ocliveworkitems({ID})");
    client.patch(&path, work_item()).await;
    let item = &client.org.work_items()[0];
    assert_eq!(
        (item.value("statecode"), item.value("statuscode")),
        (&json!(0), &json!(2))
    );
    for (state, status, expected) in [(1, 2, 400), (1, 4, 204)] {
        let body = json!({ "statecode": state, "statuscode": status });
        let request = client
            .request(Method::PATCH, &path)
            .header("If-Match", "*")
            .json(&body);
        assert_eq!(client.send(request).await.0.as_u16(), expected);
    }
    let read = client.request(
        Method::GET,
        &format!("{path}?$select=subject,_msdyn_liveworkstreamid_value"),
    );
    let read: Value = read
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(read["_msdyn_liveworkstreamid_value"], WORKSTREAM);
    assert_eq!(
        client.send(client.request(Method::DELETE, &path)).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        client.send(client.request(Method::GET, &path)).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_backstage_shows_plans_and_switches() {
    let client = Client::new().await;
    let http = reqwest::Client::new();
    let stage = |path: &str| format!("{}/_sim/{path}", client.org.url());
    let plan = json!({ "call": "create-note", "nth": { "only": 1 }, "when": "after-effect", "what": "cut" });
    let planned = http
        .post(stage("faults"))
        .json(&plan)
        .send()
        .await
        .expect("an answer");
    assert_eq!(planned.status(), StatusCode::NO_CONTENT);
    let note = client
        .request(Method::PATCH, &format!("annotations({ID})"))
        .json(&json!({}));
    note.send().await.expect_err("cut");
    assert_eq!(client.org.notes().len(), 1);
    let fired: Value = http
        .get(stage("faults"))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(fired[0]["call"], "create-note");
    let switched = http
        .post(stage("switches"))
        .json(&json!({ "routing": "active" }))
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        switched.json::<Value>().await.expect("JSON")["routing"],
        "active"
    );
    let limit = json!({ "limit": "concurrent", "seconds": 9 });
    http.post(stage("exceed"))
        .json(&limit)
        .send()
        .await
        .expect("an answer");
    let limited = client
        .request(Method::GET, "WhoAmI")
        .send()
        .await
        .expect("an answer");
    assert_eq!(limited.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limited.headers()["retry-after"], "9");
    let ledger: Value = http
        .get(stage("ledger"))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(ledger["tokens"][0]["proof"], "secret");
    let healed = http
        .delete(stage("faults"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(healed.status(), StatusCode::NO_CONTENT);
}
