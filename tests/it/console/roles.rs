//! Who may do what below `/api/v1`.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use baton::app::Base;
use baton::config::Config;
use baton::operator::api;
use baton::operator::role::{Role, Tokens};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

const OPERATOR: &str = "a-token-of-an-operator";
const READER: &str = "a-token-of-a-reader";

fn tokens() -> Tokens {
    Tokens::new(OPERATOR.into(), Some(READER.into())).expect("two tokens")
}

/// The API of a store without anything in it.
fn api_in(folder: &TempDir) -> Router {
    let url = format!("sqlite:{}", folder.path().join("baton.db").display());
    let store = ("BATON__STORE__URL".to_owned(), url);
    let config = Config::load(None, [store].into_iter()).expect("a configuration");
    let operator = Base::open(&config).expect("a store").operator;
    api::behind_tokens(api::routes(operator), tokens())
}

async fn ask(api: &Router, method: Method, path: &str, token: Option<&str>) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).expect("a request");
    let answer = api.clone().oneshot(request).await.expect("an answer");
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[test]
fn a_token_gives_the_role_it_was_made_for_and_no_other() {
    let tokens = tokens();
    assert_eq!(tokens.role_of(OPERATOR), Some(Role::Operator));
    assert_eq!(tokens.role_of(READER), Some(Role::Reader));
    for wrong in [
        "",
        "a-token-of-an-operato",
        "a-token-of-an-operator ",
        "no token",
    ] {
        assert_eq!(tokens.role_of(wrong), None, "{wrong}");
    }
    let alone = Tokens::new(OPERATOR.into(), None).expect("one token");
    assert_eq!(alone.role_of(READER), None);
    let said = Tokens::new(OPERATOR.into(), Some(OPERATOR.into())).err();
    assert!(said.is_some_and(|error| error.to_string().contains("`http.read_token`")));
}

#[tokio::test]
async fn the_read_token_looks_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let api = api_in(&folder);
    let listed = ask(
        &api,
        Method::GET,
        "/api/v1/handoffs?status=live",
        Some(READER),
    )
    .await;
    assert_eq!(listed, (StatusCode::OK, Value::Array(vec![])));

    for (method, path) in [
        (Method::POST, "/api/v1/dead-letters/q-1/replay"),
        (Method::POST, "/api/v1/handoffs/h-1/end"),
        (Method::POST, "/api/v1/connections/acme/verify"),
        (Method::PUT, "/api/v1/connections/acme"),
        (Method::DELETE, "/api/v1/connections/acme"),
        (Method::PATCH, "/api/v1/connections/acme"),
        // A contact's words are not for everybody who may look.
        (Method::GET, "/api/v1/dead-letters/q-1?content=true"),
        (Method::GET, "/api/v1/dead-letters/q-1?a=b&%63ontent=true"),
    ] {
        let (status, said) = ask(&api, method.clone(), path, Some(READER)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
        assert!(
            said["error"]
                .as_str()
                .is_some_and(|it| it.contains("`http.token`")),
            "{said}"
        );
        let (status, _) = ask(&api, method.clone(), path, Some(OPERATOR)).await;
        assert_ne!(status, StatusCode::FORBIDDEN, "{method} {path}");
    }
}

#[tokio::test]
async fn without_a_token_that_is_known_nothing_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let api = api_in(&folder);
    for token in [None, Some(""), Some("a-token-of-a-stranger")] {
        let (status, said) = ask(&api, Method::GET, "/api/v1/handoffs", token).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(said["error"].is_string(), "{said}");
    }
}
