//! What is wrong with a request is said by the name of the field, with what to write there, and nothing is done.

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Office, refused};

async fn send(office: &Office, method: Method, path: &str, body: &str) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1/{path}"))
        .body(Body::from(body.to_owned()))
        .expect("a request");
    let answer = office.api().oneshot(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    (status, serde_json::from_slice(&body).expect("JSON"))
}

#[tokio::test]
async fn every_mistake_in_a_query_is_said_by_the_name_of_the_parameter() {
    let office = Office::new();
    let cases = [
        (
            "handoffs?limit=many",
            "limit: `many` is no number; write one such as 100",
        ),
        (
            "handoffs?limit=0",
            "limit: `0` is too few or too many; write 1 to 10000",
        ),
        (
            "handoffs?limit=10001",
            "limit: `10001` is too few or too many; write 1 to 10000",
        ),
        (
            "handoffs?limit=1&limit=2",
            "limit: stands there twice; write it once",
        ),
        (
            "handoffs?status=alive&channel=fax",
            "status: `alive` is no value of it; write one of due, live, closed, dead\n\
             channel: `fax` is no value of it; write one of web, sms, whatsapp, phone",
        ),
        (
            "handoffs?state=live",
            "state: is no parameter of this; write one of status, connection, desk, channel, limit",
        ),
        (
            "connections?all=1",
            "all: is no parameter of this, which takes none",
        ),
        (
            "handoffs/h-1?content=yes",
            "content: `yes` is no value of it; write one of true, false",
        ),
        (
            "machine?conversations=-1",
            "conversations: `-1` is no number; write one such as 100",
        ),
        (
            "dead-letters?older=soon",
            "older: `soon` is no age; write one such as 30m, 2h or 7d",
        ),
        (
            "dead-letter-groups?by=mood",
            "by: `mood` is no value of it; write one of cause, code, connection, step",
        ),
        (
            "handoffs/%ff",
            "id: is no UTF-8; percent-encode it as UTF-8",
        ),
    ];
    for (path, said) in cases {
        let (status, answer) = send(&office, Method::GET, path, "").await;
        assert_eq!((status, &answer["error"]), (422, &json!(said)), "{path}");
        let problems = answer["problems"].as_array().expect("problems");
        let told = problems.iter().map(|it| {
            let text = |name: &str| it[name].as_str().expect("text").to_owned();
            format!("{}: {}", text("setting"), text("what"))
        });
        assert_eq!(told.collect::<Vec<_>>().join("\n"), said, "{path}");
    }
}

#[tokio::test]
async fn every_mistake_in_a_body_is_said_by_the_name_of_the_field() {
    let office = Office::new();
    let cases = [
        (
            "",
            "body: cannot be read: EOF while parsing a value at line 1 column 0; write a JSON object",
        ),
        ("[]", "body: has an invalid length 0; write an object"),
        (r#"{"desk":"zendesk"}"#, "settings: is missing"),
        (
            r#"{"desk":"zendesk","settings":{},"name":"a"}"#,
            "name: is no field here; write `desk` or `settings`",
        ),
        (
            r#"{"desk":"zendesk","settings":{"app_id":5}}"#,
            "settings.app_id: has an invalid type: integer `5`; write a string",
        ),
        (
            r#"{"desk":"zendesk","settings":"app_id"}"#,
            "settings: has an invalid type: string \"app_id\"; write an object",
        ),
        (
            r#"{"desk":"abacus","settings":{}}"#,
            "desk: `abacus` is no desk; write one of salesforce, zendesk, dynamics",
        ),
    ];
    for (body, said) in cases {
        let (status, answer) = send(&office, Method::PUT, "connections/acme", body).await;
        assert_eq!((status, &answer["error"]), (422, &json!(said)), "{body}");
        let setting = said.split(": ").next();
        assert_eq!(answer["problems"][0]["setting"].as_str(), setting, "{body}");
    }
    let asked = r#"{"action":"replay","all":"yes"}"#;
    let (_, answer) = send(&office, Method::POST, "dead-letter-jobs", asked).await;
    assert_eq!(
        answer["error"],
        "all: has an invalid type: string \"yes\"; write true or false"
    );
}

/// `dry_run` in the wrong place must not become a replay.
#[tokio::test]
async fn what_looks_like_a_wish_is_not_passed_over() {
    let office = Office::new();
    office.set_aside("s-1", "acme", refused("no")).await;
    let path = "dead-letters/s-1/replay?dry_run=true";
    let (status, answer) = send(&office, Method::POST, path, "").await;
    assert_eq!(
        (status, &answer["problems"][0]["setting"]),
        (422, &json!("dry_run"))
    );
    assert_eq!(office.get("dead-letters/s-1").await["state"], "open");
}

#[tokio::test]
async fn a_path_or_a_method_that_does_not_exist_is_refused_in_the_same_shape() {
    let office = Office::new();
    let (status, said) = send(&office, Method::GET, "handoff", "").await;
    let what = "there is no path `/api/v1/handoff`; docs/openapi.json has all of them";
    assert_eq!(
        (status, said),
        (404, json!({ "error": what, "problems": [] }))
    );
    let (status, said) = send(&office, Method::PATCH, "handoffs", "").await;
    let what = "`/api/v1/handoffs` does not take PATCH; `Allow` says what it takes";
    assert_eq!(
        (status, said),
        (405, json!({ "error": what, "problems": [] }))
    );
}
