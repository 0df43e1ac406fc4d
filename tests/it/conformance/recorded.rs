//! What the Zendesk adapter says and what it is answered, as JSON: for `tests/peers/run.sh`, which holds it against
//! Zendesk's own document.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use baton::desk::Receipt;
use baton::domain::handoff::Earlier;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::{Act, PUBLIC_URL, Stand, Walk, ZendeskStand, http, open};

/// Stands between the adapter and the account, and writes down every call.
struct Recorder {
    /// Where it listens, with the account's `/sc`.
    base_url: String,
    calls: Arc<Mutex<Vec<Value>>>,
    _server: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Passing {
    to: String,
    client: Client,
    calls: Arc<Mutex<Vec<Value>>>,
}

impl Recorder {
    /// In front of what is at this address.
    async fn before(base_url: &str) -> Self {
        let calls = Arc::<Mutex<Vec<Value>>>::default();
        let to = base_url.trim_end_matches("/sc").to_owned();
        let passing = Passing {
            to,
            client: Client::new(),
            calls: calls.clone(),
        };
        let routes = Router::new().fallback(pass).with_state(passing);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("a server");
        });
        Self {
            base_url: format!("http://{address}/sc"),
            calls,
            _server: AbortOnDropHandle::new(server),
        }
    }

    fn calls(&self) -> Vec<Value> {
        self.calls.lock().expect("calls").clone()
    }
}

async fn pass(State(passing): State<Passing>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let path = parts.uri.to_string();
    let url = format!("{}{path}", passing.to);
    let mut headers = parts.headers;
    headers.remove("host");
    let sent = passing
        .client
        .request(parts.method.clone(), url)
        .headers(headers);
    let answer = sent.body(body.clone()).send().await.expect("an answer");
    let status = answer.status();
    let bytes = answer.bytes().await.expect("an answer");
    let call = json!({
        "method": parts.method.as_str(), "path": path, "body": as_json(&body),
        "status": status.as_u16(), "answer": as_json(&bytes),
    });
    passing.calls.lock().expect("calls").push(call);
    let answer = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    answer.body(Body::from(bytes)).expect("an answer")
}

/// What is no JSON, such as a file, is nobody's to check here.
fn as_json(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

#[tokio::test]
async fn everything_that_zendesk_is_told_can_be_written_down() {
    let stand = ZendeskStand::start(ZendeskStand::options()).await;
    let mut connection = stand.connection();
    let recorder = Recorder::before(&connection.settings["base_url"]).await;
    let base_url = recorder.base_url.clone();
    connection.settings.insert("base_url".into(), base_url);
    baton::desk::check(&mut connection).expect("in order");
    let http = http();
    let desk = open(&connection, &http);
    let secrets = desk.set_up(PUBLIC_URL).await.expect("set up").secrets;
    connection.secrets.extend(secrets);
    let desk = open(&connection, &http);
    desk.set_up("https://moved.acme.example")
        .await
        .expect("moved");
    desk.verify().await.expect("verified");
    // The second finds the user, the conversations and the messages that there are.
    for session in ["s1", "s2"] {
        let mut walk = Walk::of(desk.clone(), session);
        for act in Act::ALL.into_iter().filter(|act| *act != Act::Close) {
            walk.take(act, Earlier::Never).await.expect("done");
            walk.take(act, Earlier::Perhaps).await.expect("done again");
        }
        let (access, conversation) = walk.reached();
        let (entry, read) = ("an entry".into(), Receipt::Read);
        desk.acknowledge(access, conversation, &entry, read)
            .await
            .expect("read");
        desk.standing(access, conversation).await.expect("known");
        walk.take(Act::Close, Earlier::Never).await.expect("closed");
    }

    let calls = recorder.calls();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in &calls {
        let path = call["path"].as_str().expect("a path");
        let path = path.split('?').next().expect("a path");
        let steps: Vec<&str> = path
            .split('/')
            .skip(5)
            .filter(|it| !it.is_empty() && !is_id(it))
            .collect();
        let name = format!(
            "{} {}",
            call["method"].as_str().expect("a method"),
            steps.join("/")
        );
        *counts.entry(name).or_default() += 1;
    }
    let made = |name: &str| counts.get(name).copied().unwrap_or_default();
    assert_eq!(made("POST conversations"), 2, "{counts:#?}");
    assert_eq!(made("POST conversations/passControl"), 4, "{counts:#?}");
    assert_eq!(made("POST conversations/messages"), 6, "{counts:#?}");
    assert_eq!(made("POST conversations/releaseControl"), 2, "{counts:#?}");
    assert_eq!(made("PATCH integrations/webhooks"), 1, "{counts:#?}");
    let lines: String = calls.iter().map(|call| format!("{call}\n")).collect();
    if let Some(folder) = std::env::var_os("BATON_RECORD") {
        let file = PathBuf::from(folder).join("zendesk.jsonl");
        std::fs::write(file, lines).expect("written");
    }
}

/// Of the vendor, or an external one.
fn is_id(step: &str) -> bool {
    step.len() == 24 || step.contains('%') || step.contains(':')
}
