//! The whole of it: a broker, a desk that remembers, a worker in a process of its own, and consumers who know nothing
//! of us. Tests speak to it in the words of the field.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton::app::Base;
use baton::broker::tap::publish_once;
use baton::broker::topology::Topology;
use baton::broker::{Declare, Header, Mandatory, Message, Properties};
use baton::config::Config;
use baton::engine::files::Files;
use baton::engine::media::{Custody, Fetcher, Links, Place, Rules};
use baton::sim::salesforce::{Options, Org};
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, ConfirmSelectOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::broker::bench::{Bench, soon, until};
use crate::desks::PAIR;

pub const CONNECTION: &str = "acme-salesforce";

/// What a test may set.
pub struct Setup {
    pub bench: Bench,
    pub org: Options,
    /// Lines of `baton.toml`, by section.
    pub config: BTreeMap<&'static str, Vec<String>>,
}

impl Setup {
    /// On the broker that all tests share.
    pub async fn shared() -> Self {
        Self::on(Bench::shared().await)
    }

    pub fn on(bench: Bench) -> Self {
        let mut org = Options {
            keys: BTreeMap::from([("key-1".to_owned(), PAIR.public.clone())]),
            ..Options::default()
        };
        org.limits.tokens_per_minute = 100_000;
        Self {
            bench,
            org,
            config: BTreeMap::new(),
        }
    }

    pub fn with(mut self, section: &'static str, line: &str) -> Self {
        self.config
            .entry(section)
            .or_default()
            .push(line.to_owned());
        self
    }

    pub async fn build(self) -> World {
        World::new(self).await
    }
}

/// A broker, an org, a worker that can be killed, and what came out of it all.
pub struct World {
    pub bench: Bench,
    pub org: Org,
    pub folder: TempDir,
    pub heard: Heard,
    worker: Option<Running>,
}

struct Running {
    process: Child,
    address: String,
    _log: AbortOnDropHandle<()>,
    log: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// With a connection to the org, and no worker yet.
    pub async fn new(setup: Setup) -> Self {
        let Setup {
            bench,
            org,
            mut config,
        } = setup;
        let org = Org::start(org).await.expect("an org");
        let folder = TempDir::new().expect("a folder");
        let mut line = |section, line: String| config.entry(section).or_default().insert(0, line);
        line(
            "broker",
            format!(
                "url = \"{}\"",
                secrecy::ExposeSecret::expose_secret(&bench.url)
            ),
        );
        line("broker", format!("prefix = \"{}\"", bench.prefix));
        line(
            "store",
            format!(
                "url = \"sqlite:{}\"",
                folder.path().join("baton.db").display()
            ),
        );
        let mut default = |section, text: &str| {
            let name = text.split(' ').next().unwrap_or_default();
            let lines: &mut Vec<String> = config.entry(section).or_default();
            if !lines.iter().any(|line| line.starts_with(name)) {
                lines.push(text.to_owned());
            }
        };
        default("retry", "waits = [\"40ms\", \"200ms\", \"1s\"]");
        default("retry", "retry_after_max = \"1s\"");
        default("retry", "deadline = \"2m\"");
        default("desk", "timeout = \"1s\"");
        default("desk", "connect_timeout = \"500ms\"");
        default("http", "listen = \"127.0.0.1:0\"");
        default("streams", "reconnect_min = \"20ms\"");
        default("streams", "reconnect_max = \"200ms\"");
        let toml: String = config
            .iter()
            .map(|(section, lines)| format!("[{section}]\n{}\n\n", lines.join("\n")))
            .collect();
        std::fs::write(folder.path().join("baton.toml"), toml).expect("a configuration");
        Topology::new(&bench.prefix)
            .apply(&bench.url, Declare::Declare)
            .await
            .expect("a topology");
        let heard = Heard::start(&bench).await;
        let world = Self {
            bench,
            org,
            folder,
            heard,
            worker: None,
        };
        world.connect(&[]).await;
        world
    }

    pub fn config(&self) -> Config {
        let path = self.folder.path().join("baton.toml");
        Config::load(Some(&path), std::iter::empty()).expect("a configuration")
    }

    /// Saves the connection to the org, with settings changed.
    pub async fn connect(&self, changes: &[(&str, &str)]) {
        let base = Base::open(&self.config()).expect("a store");
        let org = self.org.options();
        let settings = [
            ("instance_url", "https://acme.my.salesforce.com"),
            ("scrt_url", self.org.url()),
            ("es_developer_name", &org.deployment),
            ("org_id", &org.org_id),
            ("auth_public_key", &PAIR.public),
            ("auth_private_key", &PAIR.private),
            ("auth_key_id", "key-1"),
            ("issuer", &org.issuer),
            ("access_tokens_per_minute", "100000"),
        ];
        let mut settings: BTreeMap<String, String> = settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        settings.extend(
            changes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        base.operator
            .save_connection(CONNECTION, "salesforce", settings, "test")
            .await
            .expect("saved");
    }

    /// Starts the worker and waits until it takes deliveries.
    pub async fn start(&mut self) {
        self.launch().await;
        let address = self.address();
        soon(async {
            while !reqwest::get(format!("{address}/readyz"))
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Starts the worker, and waits only until it has a port.
    pub async fn launch(&mut self) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_baton"))
            .arg("--config")
            .arg(self.folder.path().join("baton.toml"))
            .arg("serve")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary");
        let mut lines = BufReader::new(process.stderr.take().expect("its log")).lines();
        let log = Arc::new(Mutex::new(vec![]));
        let address = loop {
            let line = soon(lines.next_line())
                .await
                .expect("a log")
                .unwrap_or_else(|| {
                    panic!(
                        "the worker ended: {}",
                        log.lock().expect("a log").join("\n")
                    )
                });
            log.lock().expect("a log").push(line.clone());
            if let Some((_, rest)) = line.split_once("health and API at ") {
                break rest
                    .split_whitespace()
                    .next()
                    .expect("an address")
                    .to_owned();
            }
        };
        let kept = log.clone();
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().expect("a log").push(line);
            }
        });
        self.worker = Some(Running {
            process,
            address,
            _log: AbortOnDropHandle::new(reading),
            log,
        });
    }

    pub fn address(&self) -> String {
        self.worker.as_ref().expect("a worker").address.clone()
    }

    /// What the worker has logged so far.
    pub fn log(&self) -> String {
        self.worker
            .as_ref()
            .expect("a worker")
            .log
            .lock()
            .expect("a log")
            .join("\n")
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        let mut worker = self.worker.take().expect("a worker");
        worker.process.kill().await.expect("killed");
    }

    /// SIGTERM, and waits for a clean end.
    pub async fn stop(&mut self) {
        let mut worker = self.worker.take().expect("a worker");
        let id = worker.process.id().expect("it runs").to_string();
        let told = Command::new("kill")
            .arg("-TERM")
            .arg(id)
            .status()
            .await
            .expect("kill");
        assert!(told.success());
        let ended = soon(worker.process.wait()).await.expect("it ends");
        assert!(
            ended.success(),
            "{ended}: {}",
            worker.log.lock().expect("a log").join("\n")
        );
    }

    pub async fn restart(&mut self) {
        self.kill().await;
        self.start().await;
    }

    /// An escalation of this session, as upstream writes it.
    pub fn escalation(&self, session: &str, channel: &str) -> Value {
        escalation(session, channel)
    }

    pub async fn publish(&self, event: &Value) {
        self.publish_bytes(
            event.to_string().into_bytes(),
            "escalation.requested",
            BTreeMap::new(),
        )
        .await;
    }

    pub async fn publish_bytes(
        &self,
        body: Vec<u8>,
        routing_key: &str,
        headers: BTreeMap<String, Header>,
    ) {
        let message = Message {
            exchange: self.bench.names.inbound(),
            routing_key: routing_key.into(),
            message_id: uuid::Uuid::new_v4().to_string(),
            mandatory: Mandatory::Yes,
            properties: Properties {
                content_type: Some("application/cloudevents+json".into()),
                headers,
                ..Properties::default()
            },
            body,
        };
        publish_once(&self.bench.url, message)
            .await
            .expect("published");
    }

    /// Many escalations over one connection; the broker has them all when this returns.
    pub async fn publish_all(&self, events: &[Value]) {
        let connection = self.bench.raw().await;
        let channel = connection.create_channel().await.expect("a channel");
        let select = channel.confirm_select(ConfirmSelectOptions::default());
        select.await.expect("confirms");
        let mut confirms = vec![];
        for event in events {
            let body = event.to_string().into_bytes();
            let properties = lapin::BasicProperties::default()
                .with_content_type("application/cloudevents+json".into())
                .with_message_id(uuid::Uuid::new_v4().to_string().into());
            let published = channel.basic_publish(
                self.bench.names.inbound().as_str().into(),
                "escalation.requested".into(),
                lapin::options::BasicPublishOptions::default(),
                &body,
                properties,
            );
            confirms.push(published.await.expect("published"));
        }
        for confirm in confirms {
            assert!(soon(confirm).await.expect("a confirm").is_ack());
        }
    }

    /// The processor time that the worker has used, whatever else the machine had to do.
    pub fn processor_time(&self) -> Duration {
        let worker = self.worker.as_ref().expect("a worker");
        let id = worker.process.id().expect("it runs");
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("its times");
        // Behind the name, which may have spaces: the 12th and 13th are its user and system time in hundredths of a second.
        let (_, fields) = stat.rsplit_once(") ").expect("a name");
        let hundredths = fields.split(' ').skip(11).take(2);
        let hundredths = hundredths.map(|field| field.parse::<u64>().expect("a number"));
        Duration::from_millis(10 * hundredths.sum::<u64>())
    }

    /// The most memory that the worker has had, as the kernel says it.
    pub fn memory_peak(&self) -> String {
        let worker = self.worker.as_ref().expect("a worker");
        let id = worker.process.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        line.expect("a peak").split_whitespace().skip(1).collect()
    }

    /// Publishes an escalation and waits until a rep could answer; the desk's id of the conversation.
    pub async fn goes_live(&self, session: &str, channel: &str) -> String {
        self.publish(&self.escalation(session, channel)).await;
        let live = self.heard.until_one(session, "lifecycle.live").await;
        live["data"]["conversation_id"]
            .as_str()
            .expect("a conversation")
            .to_owned()
    }

    /// An API call with the token of the worker.
    pub async fn api(&self, method: reqwest::Method, path: &str) -> (u16, Value) {
        self.api_with(method, path, &Value::Null).await
    }

    /// An API call with a body.
    pub async fn api_with(
        &self,
        method: reqwest::Method,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let token =
            std::fs::read_to_string(self.folder.path().join("baton.token")).expect("a token");
        let url = format!("{}/api/v1/{path}", self.address());
        let request = reqwest::Client::new()
            .request(method, url)
            .json(body)
            .bearer_auth(token.trim());
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// The database as it is, when no worker runs.
    pub fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("baton.db")).expect("a database")
    }
}

/// What a failed test leaves to be read: how the handoffs stand, and what the worker found worth a warning.
impl Drop for World {
    fn drop(&mut self) {
        const LINES_MAX: usize = 60;
        if !std::thread::panicking() {
            return;
        }
        let rows = rusqlite::Connection::open(self.folder.path().join("baton.db")).and_then(|sql| {
            let mut counted = sql.prepare(
                "SELECT status || ' ' || phase || ' ' || coalesce(step, '') || ' ' || coalesce(why, '') || ': ' || count(*)
                 FROM handoff GROUP BY status, phase, step, why",
            )?;
            let rows = counted.query_map([], |row| row.get::<_, String>(0))?;
            rows.collect::<Result<Vec<_>, _>>()
        });
        eprintln!("the handoffs: {rows:?}");
        if let Some(worker) = &self.worker
            && let Ok(log) = worker.log.lock()
        {
            let told = |line: &&String| line.contains("WARN") || line.contains("ERROR");
            for line in log.iter().rev().filter(told).take(LINES_MAX) {
                eprintln!("{line}");
            }
        }
    }
}

/// The example of the interface, for another session and channel.
pub fn escalation(session: &str, channel: &str) -> Value {
    json!({
        "specversion": "1.0",
        "type": "handoff.escalation.requested.v1",
        "source": "/ai/support-agent",
        "id": format!("event-of-{session}"),
        "time": "2026-11-20T14:03:22Z",
        "subject": session,
        "data": {
            "connection": CONNECTION,
            "session": { "id": session, "channel": channel, "language": "en", "custom": { "Brand": "Acme" } },
            "contact": { "id": format!("c-{session}"), "name": "Dana Reyes", "phone": phone(session), "email": null, "verified": true },
            "reply_to": { "address": phone(session), "account": "+18005550100", "last_inbound_at": "2026-11-20T14:03:20Z" },
            "reason": "contact_request",
            "summary": "Dana was charged twice for order 5512 and wants a refund.",
            "transcript": [
                { "id": "m1", "at": "2026-11-20T13:58:07Z", "author": "contact", "text": "hi, I was charged twice" },
                { "id": "m2", "at": "2026-11-20T13:58:11Z", "author": "ai", "name": "Ava", "text": "I am sorry. Which order?" },
                { "id": "m3", "at": "2026-11-20T14:03:20Z", "author": "contact", "text": "5512. Can I talk to a person?" }
            ]
        }
    })
}

/// A phone number of its own for each session: at the desk a phone number is a person.
fn phone(session: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, session.as_bytes());
    let digits: u64 = digest.as_ref()[..6]
        .iter()
        .fold(0, |sum, byte| sum * 256 + u64::from(*byte));
    format!("+1{:010}", 2_000_000_000 + digits % 7_000_000_000)
}

/// Files under the media rules, kept in a folder, for a worker in this process.
pub fn files(folder: &std::path::Path) -> Files {
    let rules = Rules {
        bytes_max: 1 << 20,
        time_max: Duration::from_secs(5),
    };
    Files {
        fetcher: Fetcher::new(&[]).expect("a fetcher"),
        custody: Custody::open(&Place::Folder(folder.join("media"))).expect("a folder"),
        links: Links::new(b"a key for tests", "http://127.0.0.1"),
        rules,
        transcript_rules: rules,
        link_life: Duration::from_secs(60),
    }
}

/// Something that came out of Baton.
#[derive(Debug, Clone)]
pub struct Told {
    pub queue: String,
    pub routing_key: String,
    pub message_id: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub event: Value,
}

/// Independent consumers of all that Baton publishes: each takes, acks and remembers.
pub struct Heard {
    messages: Arc<Mutex<Vec<Told>>>,
    changed: watch::Receiver<()>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Heard {
    /// Consumes again after the broker was away; what was heard stays.
    pub async fn reconnect(&mut self, bench: &Bench) {
        // A node that is just back takes connections before it has its queues.
        let again = async {
            loop {
                match Self::listen(bench, self.messages.clone()).await {
                    Ok(listening) => return listening,
                    Err(_) => sleep(Duration::from_millis(100)).await, // waits for: the node's queues
                }
            }
        };
        *self = soon(again).await;
    }

    async fn start(bench: &Bench) -> Self {
        Self::listen(bench, Arc::default())
            .await
            .expect("consumers of all that is published")
    }

    async fn listen(bench: &Bench, messages: Arc<Mutex<Vec<Told>>>) -> lapin::Result<Self> {
        let connection = bench.raw().await;
        let (change, changed) = watch::channel(());
        let change = Arc::new(change);
        let names = &bench.names;
        let own = format!("{}.test-lifecycle", bench.prefix);
        let channel = connection.create_channel().await?;
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(own.as_str().into(), durable, FieldTable::default())
            .await?;
        let bind = QueueBindOptions::default();
        let outbound = names.outbound();
        channel
            .queue_bind(
                own.as_str().into(),
                outbound.as_str().into(),
                "lifecycle.#".into(),
                bind,
                FieldTable::default(),
            )
            .await?;
        let mut queues = vec![own, names.dead_letters()];
        queues.extend(["web", "sms", "whatsapp", "phone"].map(|channel| names.replies(channel)));
        let mut tasks = vec![];
        let connection = Arc::new(connection);
        for queue in queues {
            let channel = connection.create_channel().await?;
            let options = BasicConsumeOptions::default();
            let mut consumer = channel
                .basic_consume(
                    queue.as_str().into(),
                    "".into(),
                    options,
                    FieldTable::default(),
                )
                .await?;
            let (messages, change, connection) =
                (messages.clone(), change.clone(), connection.clone());
            let task = tokio::spawn(async move {
                let _connection = connection;
                while let Some(Ok(delivery)) = consumer.next().await {
                    messages
                        .lock()
                        .expect("messages")
                        .push(read(&queue, &delivery));
                    drop(delivery.acker.ack(BasicAckOptions::default()).await);
                    change.send_replace(());
                }
            });
            tasks.push(AbortOnDropHandle::new(task));
        }
        Ok(Self {
            messages,
            changed,
            _tasks: tasks,
        })
    }

    pub fn all(&self) -> Vec<Told> {
        self.messages.lock().expect("messages").clone()
    }

    /// Everything about a session, each message once however often it was published, in order of arrival by queue.
    pub fn of(&self, session: &str) -> Vec<Told> {
        let mut seen = std::collections::HashSet::new();
        let all = self.all().into_iter();
        all.filter(|message| {
            message.event["subject"] == session && seen.insert(message.message_id.clone())
        })
        .collect()
    }

    /// The texts of a session's replies, in order, each once.
    pub fn replies(&self, session: &str) -> Vec<String> {
        let of = self
            .of(session)
            .into_iter()
            .filter(|message| message.routing_key.starts_with("reply."));
        of.map(|message| {
            message.event["data"]["text"]
                .as_str()
                .expect("text")
                .to_owned()
        })
        .collect()
    }

    /// The texts of all replies by session, in order, each once.
    pub fn replies_by_session(&self) -> BTreeMap<String, Vec<String>> {
        let (mut seen, mut texts) = (std::collections::HashSet::new(), BTreeMap::new());
        for message in self.messages.lock().expect("messages").iter() {
            if message.routing_key.starts_with("reply.") && seen.insert(&message.message_id) {
                let text = |value: &Value| value.as_str().expect("text").to_owned();
                let of: &mut Vec<String> =
                    texts.entry(text(&message.event["subject"])).or_default();
                of.push(text(&message.event["data"]["text"]));
            }
        }
        texts
    }

    pub async fn until(&self, mut so: impl FnMut(&Self) -> bool) {
        let mut changed = self.changed.clone();
        soon(async {
            while !so(self) {
                changed.changed().await.expect("consumers run");
            }
        })
        .await;
    }

    /// Waits until so many different messages have come with this routing key.
    pub async fn until_counted(&self, routing_key: &str, count: usize) {
        let (mut seen, mut ids) = (0, std::collections::HashSet::new());
        self.until(|heard| {
            let messages = heard.messages.lock().expect("messages");
            for message in &messages[seen..] {
                if message.routing_key == routing_key {
                    ids.insert(message.message_id.clone());
                }
            }
            seen = messages.len();
            ids.len() >= count
        })
        .await;
    }

    /// The first event with this routing key about the session.
    pub async fn until_one(&self, session: &str, routing_key: &str) -> Value {
        let find = |heard: &Self| {
            heard
                .of(session)
                .into_iter()
                .find(|message| message.routing_key == routing_key)
        };
        self.until(|heard| find(heard).is_some()).await;
        find(self).expect("it came").event
    }

    /// The dead letters so far.
    pub fn dead(&self) -> Vec<Told> {
        self.all()
            .into_iter()
            .filter(|message| message.queue.ends_with(".dead-letters"))
            .collect()
    }

    /// The next dead letter beyond those there were.
    pub async fn until_dead(&self, count: usize) -> Vec<Told> {
        self.until(|heard| heard.dead().len() >= count).await;
        self.dead()
    }
}

fn read(queue: &str, delivery: &lapin::message::Delivery) -> Told {
    let headers = delivery.properties.headers().as_ref();
    let headers = headers.map(|table| {
        let text = |value: &lapin::types::AMQPValue| match value {
            lapin::types::AMQPValue::LongString(text) => text.to_string(),
            lapin::types::AMQPValue::LongLongInt(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        table
            .inner()
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect()
    });
    Told {
        queue: queue.to_owned(),
        routing_key: delivery.routing_key.to_string(),
        message_id: delivery
            .properties
            .message_id()
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        headers: headers.unwrap_or_default(),
        event: serde_json::from_slice(&delivery.data).unwrap_or_default(),
        body: delivery.data.clone(),
    }
}

/// Waits until the desk has been struck by so many faults.
pub async fn struck(org: &Org, count: usize) {
    until(|| org.faults().fired().len() >= count).await;
}

/// A pause between two SIGKILLs, drawn by chance: what a test is about, and no way of waiting for anything.
pub async fn chance(range: std::ops::Range<u64>) {
    let pause = Duration::from_millis(fastrand::u64(range));
    tokio::time::sleep(pause).await; // waits for: the moment of a kill, which is to be any
}
