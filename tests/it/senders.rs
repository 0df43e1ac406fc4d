//! The channel senders of `docs/senders`, run as they stand there: each reply once, in order, and what became of it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use baton::broker::{Mandatory, Message, Options, Properties};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::broker::bench::{Bench, soon, start};

const REPLY: &str = include_str!("../../docs/events/handoff.reply.v1.example.json");

/// What a provider is asked to do with a text.
const TROUBLE: &str = "once with trouble";
const SLOW: &str = "its answer never comes";
const REFUSED: &str = "to nobody";

/// An HTTP provider that knows idempotency keys.
#[derive(Clone, Default)]
struct Provider {
    calls: Arc<Mutex<Vec<(String, String)>>>,
    sent: Arc<Mutex<Vec<String>>>,
    hangs: Arc<Notify>,
}

impl Provider {
    async fn take(
        State(it): State<Self>,
        headers: HeaderMap,
        body: String,
    ) -> (StatusCode, &'static str) {
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["to"], "+14155550123");
        assert_eq!(body["from"], "+18005550100");
        let text = body["text"].as_str().expect("a text").to_owned();
        let key = headers["idempotency-key"]
            .to_str()
            .expect("a key")
            .to_owned();
        let calls = {
            let mut calls = it.calls.lock().expect("calls");
            calls.push((key.clone(), text.clone()));
            calls.iter().filter(|(before, _)| *before == key).count()
        };
        match (text.as_str(), calls) {
            (REFUSED, _) => return (StatusCode::BAD_REQUEST, "the number is not in service"),
            (TROUBLE, 1) => return (StatusCode::SERVICE_UNAVAILABLE, "later"),
            _ if calls == 1 || text == TROUBLE => it.sent.lock().expect("sent").push(text.clone()),
            _ => {}
        }
        if text == SLOW && calls == 1 {
            it.hangs.notify_one();
            std::future::pending::<()>().await;
        }
        (StatusCode::CREATED, "")
    }

    async fn serve(&self) -> (String, AbortOnDropHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!(
            "http://{}/messages",
            listener.local_addr().expect("an address")
        );
        let router = Router::new()
            .route("/messages", post(Self::take))
            .with_state(self.clone());
        let serving =
            tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        (url, AbortOnDropHandle::new(serving))
    }
}

/// How to start a sender.
struct Sender {
    program: PathBuf,
    arguments: Vec<PathBuf>,
}

fn documented(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/senders")
        .join(file)
}

/// A folder for what a sender needs, which stays for the next run.
fn kept(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

async fn runs(command: &mut Command) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().await.expect("it starts");
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(status.success(), "{command:?}: {}", said.concat());
}

async fn python() -> Sender {
    let environment = kept("sender-python");
    let program = environment.join("bin/python");
    if !environment.join("ready").exists() {
        runs(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&environment),
        )
        .await;
        let mut install = Command::new(&program);
        runs(install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "pika==1.4.4",
        ]))
        .await;
        std::fs::write(environment.join("ready"), "").expect("written");
    }
    let arguments = vec![documented("sender.py")];
    Sender { program, arguments }
}

async fn node() -> Sender {
    let folder = kept("sender-node");
    if !folder.join("ready").exists() {
        let mut install = Command::new("npm");
        install.args([
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "amqplib@2.3.1",
        ]);
        runs(install.current_dir(&folder)).await;
        std::fs::write(folder.join("ready"), "").expect("written");
    }
    // Node looks for packages beside the program.
    let program = folder.join("sender.mjs");
    std::fs::copy(documented("sender.mjs"), &program).expect("copied");
    Sender {
        program: "node".into(),
        arguments: vec![program],
    }
}

async fn rust() -> Sender {
    let mut build = Command::new(env!("CARGO"));
    runs(build.args(["build", "--locked", "--quiet", "--example", "sender"])).await;
    let beside = Path::new(env!("CARGO_BIN_EXE_baton"))
        .parent()
        .expect("a folder");
    Sender {
        program: beside.join("examples/sender"),
        arguments: vec![],
    }
}

/// A sender on a reply queue of its own.
struct Stand {
    sender: Sender,
    bench: Bench,
    provider: Provider,
    url: String,
    folder: TempDir,
    _serving: AbortOnDropHandle<()>,
}

impl Stand {
    fn launch(&self) -> Child {
        Command::new(&self.sender.program)
            .args(&self.sender.arguments)
            .env("AMQP_URL", self.bench.url.expose_secret())
            .env("QUEUE", self.bench.names.replies("sms"))
            .env("INBOUND", self.bench.names.inbound())
            .env("PROVIDER_URL", &self.url)
            .env("LEDGER", self.folder.path().join("sent.jsonl"))
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts")
    }

    fn reply(&self, sequence: u64, text: &str) -> Message {
        let mut event: Value = serde_json::from_str(REPLY).expect("JSON");
        let id = format!("reply-{sequence}");
        event["id"] = json!(id);
        event["data"]["sequence"] = json!(sequence);
        event["data"]["text"] = json!(text);
        Message {
            exchange: self.bench.names.outbound(),
            routing_key: "reply.sms".into(),
            message_id: id,
            mandatory: Mandatory::Yes,
            properties: Properties::default(),
            body: event.to_string().into_bytes(),
        }
    }
}

async fn sends_each_once_and_in_order(sender: Sender) {
    let bench = Bench::shared().await;
    let options = Options {
        consume: vec![],
        ..bench.options()
    };
    let (broker, _deliveries) = start(options).await;
    let provider = Provider::default();
    let (url, serving) = provider.serve().await;
    let stand = Stand {
        sender,
        provider,
        url,
        folder: TempDir::new().expect("a folder"),
        _serving: serving,
        bench,
    };
    let texts = ["hello", TROUBLE, SLOW, REFUSED, "still there, ☎ über"];
    let mut replies: Vec<Message> = (1..)
        .zip(texts)
        .map(|(at, text)| stand.reply(at, text))
        .collect();
    // Baton publishes again what it does not know to be published.
    replies.insert(1, replies[0].clone());
    replies.push(replies[4].clone());
    for outcome in soon(broker.publish(replies)).await {
        outcome.expect("published");
    }

    let mut running = stand.launch();
    soon(stand.provider.hangs.notified()).await;
    running.kill().await.expect("killed");
    // What a crash leaves of a line.
    let ledger = stand.folder.path().join("sent.jsonl");
    let whole = std::fs::read_to_string(&ledger).expect("a ledger");
    std::fs::write(&ledger, format!("{whole}{{\"reply_id\":\"repl")).expect("written");
    let _running = stand.launch();

    let mut reports = stand.bench.tap(&stand.bench.names.contact_events()).await;
    let (mut told, mut count) = (vec![], 0);
    let mut seen = HashSet::new();
    while told.len() < texts.len() {
        let report = soon(reports.next()).await.expect("a report");
        count += 1;
        let event: Value = serde_json::from_slice(&report.body).expect("JSON");
        assert_eq!(event["subject"], "6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51");
        if seen.insert((report.message_id.clone(), report.body.clone())) {
            crate::example::read_contact(&event).expect("as documented");
            let data = &event["data"];
            told.push([
                data["reply_id"].clone(),
                data["status"].clone(),
                data["reason"].clone(),
            ]);
        }
    }
    let expected: Vec<[Value; 3]> = (1..)
        .zip(texts)
        .map(|(at, text)| match text {
            REFUSED => [
                json!(format!("reply-{at}")),
                json!("failed"),
                json!("the number is not in service"),
            ],
            _ => [
                json!(format!("reply-{at}")),
                json!("delivered"),
                Value::Null,
            ],
        })
        .collect();
    assert_eq!(told, expected);
    assert_eq!(
        *stand.provider.sent.lock().expect("sent"),
        ["hello", TROUBLE, SLOW, "still there, ☎ über"]
    );
    // A repetition is reported again, and not sent again.
    for _ in count..7 {
        let again = soon(reports.next()).await.expect("a report");
        assert!(seen.contains(&(again.message_id.clone(), again.body.clone())));
    }
    assert_eq!(stand.provider.calls.lock().expect("calls").len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_in_python_sends_each_reply_once_and_in_order() {
    sends_each_once_and_in_order(python().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_in_node_sends_each_reply_once_and_in_order() {
    sends_each_once_and_in_order(node().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_in_rust_sends_each_reply_once_and_in_order() {
    sends_each_once_and_in_order(rust().await).await;
}
