//! `baton simulate` alone: it says where it is, Baton can be connected to it, and a rep answers there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout};

use axum::{Json, Router, http::HeaderMap, routing};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc};

use super::{baton, output, signal};

/// A simulated desk, running.
struct Simulated {
    process: Child,
    lines: BufReader<ChildStdout>,
    ready: Value,
}

impl Simulated {
    fn start(arguments: &[&str]) -> Self {
        Self::start_a("salesforce", arguments)
    }

    fn start_a(desk: &str, arguments: &[&str]) -> Self {
        let mut process = baton(&["simulate", desk, "--json"])
            .args(arguments)
            .spawn()
            .expect("the binary");
        let lines = BufReader::new(process.stdout.take().expect("its output"));
        let mut simulated = Self {
            process,
            lines,
            ready: Value::Null,
        };
        simulated.ready = simulated.next();
        assert_eq!(simulated.ready["what"], "ready");
        simulated
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).expect("a line of JSON")
    }

    /// Everything until the first of this kind, which is the last.
    fn until(&mut self, what: &str) -> Vec<Value> {
        let mut lines = vec![self.next()];
        while lines.last().is_some_and(|line| line["what"] != what) {
            lines.push(self.next());
        }
        lines
    }

    fn says(&self, name: &str) -> &str {
        self.ready[name].as_str().expect(name)
    }

    fn setting(&self, name: &str) -> &str {
        self.ready["settings"][name].as_str().expect(name)
    }

    fn stop(mut self) {
        signal(&self.process, "-TERM");
        let status = self.process.wait().expect("it ends");
        assert_eq!(status.code(), Some(0));
    }

    /// What a customer's own identity provider would sign.
    fn identity(&self) -> String {
        let file = self.ready["secret_files"]["auth_private_key"].as_str();
        let key = std::fs::read(file.expect("a file")).expect("a private key");
        let key = EncodingKey::from_rsa_pem(&key).expect("an RSA key");
        let header = Header {
            kid: Some(self.setting("auth_key_id").to_owned()),
            ..Header::new(Algorithm::RS256)
        };
        let exp = jsonwebtoken::get_current_timestamp() + 60;
        let claims = json!({ "iss": self.setting("issuer"), "sub": "somebody", "exp": exp });
        jsonwebtoken::encode(&header, &claims, &key).expect("a token")
    }

    fn post(&self, path: &str, body: Value) -> RequestBuilder {
        let url = format!("{}/iamessage/api/v2/{path}", self.says("url"));
        Client::new().post(url).json(&body)
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rep_joins_types_answers_and_ends() {
    let mut desk = Simulated::start(&[
        "--rep-joins-after",
        "10ms",
        "--rep-types-for",
        "10ms",
        "--rep-name",
        "Noor A.",
        "--rep-says",
        "Hello!",
        "--rep-ends-after",
        "1",
    ]);
    let asked = json!({
        "orgId": desk.says("org_id"), "esDeveloperName": desk.says("deployment"), "capabilitiesVersion": "1",
        "platform": "Web", "authorizationType": "JWT", "customerIdentityToken": desk.identity(),
    });
    let (status, token) =
        answer(desk.post("authorization/authenticated/access-token", asked)).await;
    assert_eq!(status, StatusCode::OK, "{token}");
    let access = token["accessToken"].as_str().expect("a token");
    let id = uuid::Uuid::new_v4().to_string();
    let asked = json!({
        "conversationId": id, "esDeveloperName": desk.says("deployment"),
        "routingAttributes": { "OpencxSessionId": "session-1" },
    });
    let (status, body) = answer(desk.post("conversation", asked).bearer_auth(access)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let began = desk.until("conversation");
    assert_eq!(began[0]["session"], "session-1");
    let asked = json!({
        "message": {
            "id": uuid::Uuid::new_v4().to_string(), "messageType": "StaticContentMessage",
            "staticContent": { "formatType": "Text", "text": "Is anybody there?" },
        },
        "esDeveloperName": desk.says("deployment"),
    });
    let path = format!("conversation/{id}/message");
    let (status, body) = answer(desk.post(&path, asked).bearer_auth(access)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    let mut said = vec![];
    while said.len() < 2 {
        let happened = desk.until("message");
        said.push(happened.last().expect("a message")["text"].clone());
    }
    assert_eq!(said, ["Is anybody there?", "Hello!"]);
    let ledger = reqwest::get(format!("{}/_sim/ledger", desk.says("url"))).await;
    let ledger: Value = ledger.expect("an answer").json().await.expect("JSON");
    assert_eq!(ledger["conversations"][0]["sessions"][0]["status"], "Ended");
    let folder = Path::new(desk.says("connection_file")).parent();
    let folder = folder.expect("a folder").to_owned();
    assert!(folder.exists());
    desk.stop();
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn its_connection_can_be_applied_and_outlives_it() {
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let config = path("baton.toml");
    let database = format!("[store]\nurl = \"sqlite:{}\"\n", path("baton.db"));
    std::fs::write(&config, database).expect("a configuration");
    let kept = path("desk");
    let arguments = ["--no-rep", "--connection", "acme", "--folder", &kept];
    let desk = Simulated::start(&arguments);
    assert_eq!(desk.ready["routine"], Value::Null);
    let apply = [
        "--config",
        &config,
        "connection",
        "apply",
        desk.says("connection_file"),
    ];
    let applied = output(baton(&apply)).await;
    assert!(applied.status.success(), "{applied:?}");
    let verify = ["--config", &config, "connection", "verify", "acme"];
    let verified = output(baton(&verify)).await;
    assert!(verified.status.success(), "{verified:?}");

    let address = desk.says("url").replace("http://", "");
    desk.stop();
    let again = Simulated::start(&[&arguments[..], &["--listen", &address]].concat());
    let verified = output(baton(&verify)).await;
    assert!(verified.status.success(), "{verified:?}");
    again.stop();
}

/// What a webhook of the account brings: a port of ours, and everything that is posted there.
async fn receiver() -> (String, mpsc::UnboundedReceiver<(String, Value)>) {
    let (tell, told) = mpsc::unbounded_channel();
    let take = move |headers: HeaderMap, Json(body): Json<Value>| {
        let secret = headers["x-api-key"].to_str().expect("text").to_owned();
        tell.send((secret, body)).expect("somebody listens");
        async {}
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let routes = Router::new().route("/hook", routing::post(take));
    tokio::spawn(async { axum::serve(listener, routes).await });
    (url, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zendesk_rep_answers_by_webhook_where_it_is_told_to() {
    let rep = ["--rep-joins-after", "10ms", "--rep-types-for", "10ms"];
    let says = ["--rep-says", "Hello!", "--rep-ends-after", "1"];
    let desk = Simulated::start_a("zendesk", &[rep, says].concat());
    let secret = desk.ready["secret_files"]["key_secret"].as_str();
    let secret = std::fs::read_to_string(secret.expect("a file")).expect("a secret");
    let (app, client) = (desk.says("app_id"), Client::new());
    let post = async |path: &str, body: Value| {
        let url = format!("{}/v2/apps/{app}/{path}", desk.setting("base_url"));
        let request = client
            .post(url)
            .basic_auth(desk.setting("key_id"), Some(&secret))
            .json(&body);
        let (status, body) = answer(request).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    };
    let (target, mut told) = receiver().await;
    let triggers = ["conversation:message", "switchboard:releaseControl"];
    let integration = json!({
        "type": "custom", "status": "active", "displayName": "test",
        "webhooks": [{ "target": target, "triggers": triggers }],
    });
    post("integrations", integration).await;
    let user = post("users", json!({ "externalId": "somebody" })).await;
    let conversation = json!({
        "type": "personal", "participants": [{ "userId": user["user"]["id"], "subscribeSDKClient": false }],
        "metadata": { "opencx_session_id": "session-1" },
    });
    let conversation = post("conversations", conversation).await;
    let id = conversation["conversation"]["id"].as_str().expect("an id");
    let message = json!({
        "author": { "type": "business" }, "content": { "type": "text", "text": "Is anybody there?" },
    });
    post(&format!("conversations/{id}/messages"), message).await;
    let pass = json!({ "switchboardIntegration": "zd-agentWorkspace" });
    post(&format!("conversations/{id}/passControl"), pass).await;

    let mut events = vec![];
    while !events.contains(&json!("switchboard:releaseControl")) {
        let (secret, body) = told.recv().await.expect("a webhook");
        assert!(!secret.is_empty());
        let event = &body["events"][0];
        let text = &event["payload"]["message"]["content"]["text"];
        events.push(if text.is_null() {
            event["type"].clone()
        } else {
            text.clone()
        });
    }
    assert_eq!(events[..2], ["Is anybody there?", "Hello!"]);
    desk.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_desks_run_side_by_side_with_one_file_of_connections() {
    let mut desks = Simulated::start_a("zendesk", &["dynamics", "salesforce"]);
    let ready = [desks.ready.clone(), desks.next(), desks.next()];
    let kinds = ready
        .each_ref()
        .map(|it| it["desk"].as_str().expect("a desk"));
    assert_eq!(kinds, ["zendesk", "dynamics", "salesforce"]);
    assert!(
        ready[1]["routine"].is_null(),
        "nobody answers from Dynamics"
    );
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (config, database) = (path("baton.toml"), path("baton.db"));
    std::fs::write(&config, format!("[store]\nurl = \"sqlite:{database}\"\n")).expect("a file");
    let run = async |arguments: &[&str]| {
        let done = output(baton(
            &[&["--config", &config, "connection"], arguments].concat(),
        ))
        .await;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{said}");
        String::from_utf8(done.stdout).expect("UTF-8")
    };
    let file = ready[0]["connection_file"].as_str().expect("a file");
    let applied = run(&["apply", file]).await;
    assert!(
        applied.contains(
            "registered a webhook to http://127.0.0.1:8080/webhooks/zendesk/simulated-zendesk"
        ),
        "{applied}"
    );
    // All of them work, and none shows a secret.
    run(&["verify"]).await;
    let shown = run(&["show", "simulated-dynamics"]).await;
    assert!(
        shown
            .lines()
            .any(|line| line.split_whitespace().eq(["replies", "none"])),
        "{shown}"
    );
    assert!(!shown.contains("s3cret"), "{shown}");
    let again = run(&["apply", file]).await;
    let unchanged = again.lines().filter(|line| line.ends_with(": unchanged"));
    assert_eq!(unchanged.count(), 3, "{again}");
    desks.stop();
}

#[tokio::test]
async fn what_is_for_one_desk_is_refused_for_several() {
    for flags in [["--connection", "acme"], ["--listen", "127.0.0.1:4711"]] {
        let refused = output(baton(
            &[&["simulate", "zendesk", "dynamics"][..], &flags].concat(),
        ))
        .await;
        assert_eq!(refused.status.code(), Some(2));
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("are for one desk; leave them out"), "{said}");
    }
}
