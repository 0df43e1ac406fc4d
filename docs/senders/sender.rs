//! Sends the replies of one channel through a provider's HTTP API: each once, in order, and says what became of it.
//!
//! Settings come from the environment; see README.md beside this file.

use std::collections::HashMap;
use std::env;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde_json::{Value, json};
use tokio::time::sleep;

const PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);
const WAIT_MAX: Duration = Duration::from_secs(30);

struct Settings {
    amqp_url: String,
    queue: String,
    inbound: String,
    provider_url: String,
}

/// What became of each reply, on disk. In production this is a table with the reply's id as its key.
struct Ledger {
    outcomes: HashMap<String, Value>,
    file: File,
}

impl Ledger {
    fn open(path: &str) -> Result<Self> {
        let mut file = OpenOptions::new()
            .append(true)
            .read(true)
            .create(true)
            .open(path)?;
        let mut bytes = vec![];
        file.read_to_end(&mut bytes)?;
        // A line that a crash cut short was not acknowledged, so its reply comes again.
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        bytes.truncate(end.map_or(0, |at| at + 1));
        file.set_len(bytes.len() as u64)?;
        let mut outcomes = HashMap::new();
        for outcome in serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>() {
            let outcome = outcome?;
            outcomes.insert(word(&outcome, "reply_id").to_owned(), outcome);
        }
        Ok(Self { outcomes, file })
    }

    fn remember(&mut self, outcome: &Value) -> Result<()> {
        self.file.write_all(format!("{outcome}\n").as_bytes())?;
        self.file.sync_data()?;
        let id = word(outcome, "reply_id").to_owned();
        self.outcomes.insert(id, outcome.clone());
        Ok(())
    }
}

fn word<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

enum Answer {
    /// The provider has taken it, or will never take it.
    Settled(Value),
    /// Trying again may help, after this time at least.
    Trouble(Duration),
}

async fn ask_provider(http: &reqwest::Client, url: &str, reply: &Value) -> Result<Answer> {
    let data = &reply["data"];
    let files = data["attachments"].as_array().into_iter().flatten();
    let body = json!({
        "from": data["to"]["account"],
        "to": data["to"]["address"],
        "text": data["text"],
        "media": files.filter_map(|file| file["url"].as_str()).collect::<Vec<_>>(),
    });
    // The provider drops what it has seen: a call whose answer was lost can be made again.
    let request = http
        .post(url)
        .timeout(PROVIDER_TIMEOUT)
        .header("idempotency-key", word(reply, "id"))
        .json(&body);
    let Ok(answer) = request.send().await else {
        return Ok(Answer::Trouble(Duration::ZERO));
    };
    let status = answer.status();
    if status.is_success() {
        return Ok(Answer::Settled(json!({ "status": "delivered" })));
    }
    if status.is_server_error() || [408, 425, 429].contains(&status.as_u16()) {
        let asked = answer.headers().get("retry-after");
        let seconds = asked.and_then(|it| it.to_str().ok()?.parse().ok());
        return Ok(Answer::Trouble(Duration::from_secs(seconds.unwrap_or(0))));
    }
    let words = answer.text().await.unwrap_or_default();
    let reason = match words.trim() {
        "" => format!("the provider says {status}"),
        words => words.chars().take(500).collect(),
    };
    Ok(Answer::Settled(
        json!({ "status": "failed", "reason": reason }),
    ))
}

/// Calls the provider until it has taken or refused the reply. The replies behind it wait: order is kept.
async fn send(http: &reqwest::Client, url: &str, reply: &Value) -> Result<Value> {
    let mut wait = Duration::from_secs(1);
    loop {
        match ask_provider(http, url, reply).await? {
            Answer::Settled(mut outcome) => {
                outcome["reply_id"] = reply["id"].clone();
                outcome["session"] = reply["subject"].clone();
                outcome["at"] = json!(jiff::Timestamp::now().to_string());
                return Ok(outcome);
            }
            Answer::Trouble(asked) => {
                eprintln!(
                    "reply {}: the provider has trouble, trying again",
                    reply["id"]
                );
                sleep(asked.max(wait.mul_f64(0.5 + fastrand::f64() / 2.0))).await;
                wait = (wait * 2).min(WAIT_MAX);
            }
        }
    }
}

/// Tells Baton, which shows a failure to the rep. The same bytes each time, so a repetition is recognised.
async fn report(channel: &Channel, inbound: &str, outcome: &Value) -> Result<()> {
    let mut data = json!({ "reply_id": outcome["reply_id"], "status": outcome["status"] });
    if outcome["reason"].is_string() {
        data["reason"] = outcome["reason"].clone();
    }
    let id = format!("{}/{}", word(outcome, "reply_id"), word(outcome, "status"));
    let event = json!({
        "specversion": "1.0",
        "type": "handoff.reply.delivery.v1",
        "source": "/channels/sender",
        "id": id,
        "time": outcome["at"],
        "subject": outcome["session"],
        "data": data,
    });
    let properties = BasicProperties::default()
        .with_content_type("application/cloudevents+json".into())
        .with_delivery_mode(2)
        .with_message_id(id.into())
        .with_type("handoff.reply.delivery.v1".into());
    let options = BasicPublishOptions::default();
    let body = event.to_string();
    let confirm = channel
        .basic_publish(
            inbound.into(),
            "delivery.status".into(),
            options,
            body.as_bytes(),
            properties,
        )
        .await?;
    match confirm.await? {
        Confirmation::Ack(_) => Ok(()),
        other => Err(anyhow!("the broker has not taken the report: {other:?}")),
    }
}

async fn consume(settings: &Settings, http: &reqwest::Client, ledger: &mut Ledger) -> Result<()> {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&settings.amqp_url, properties).await?;
    let channel = connection.create_channel().await?;
    let confirms = ConfirmSelectOptions::default();
    channel.confirm_select(confirms).await?;
    // One at a time, and one consumer: a second copy of this program is refused, and stands by.
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions {
        exclusive: true,
        ..BasicConsumeOptions::default()
    };
    let queue = settings.queue.as_str().into();
    let mut replies = channel
        .basic_consume(queue, "".into(), options, FieldTable::default())
        .await?;
    while let Some(delivery) = replies.next().await {
        let delivery = delivery?;
        let reply: Value = serde_json::from_slice(&delivery.data).context("a reply")?;
        let outcome = match ledger.outcomes.get(word(&reply, "id")) {
            Some(outcome) => outcome.clone(),
            None => {
                let outcome = send(http, &settings.provider_url, &reply).await?;
                ledger.remember(&outcome)?;
                outcome
            }
        };
        report(&channel, &settings.inbound, &outcome).await?;
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Err(anyhow!("the queue is gone"))
}

// Stopped at any point, the reply in hand goes back to the queue.
#[tokio::main]
async fn main() -> Result<()> {
    let setting = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let settings = Settings {
        amqp_url: setting("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f"),
        queue: setting("QUEUE", "handoff.replies.sms"),
        inbound: setting("INBOUND", "handoff.inbound"),
        provider_url: env::var("PROVIDER_URL")
            .context("PROVIDER_URL is missing; write the address that takes a message by POST")?,
    };
    let http = reqwest::Client::new();
    let mut ledger = Ledger::open(&setting("LEDGER", "sent.jsonl"))?;
    loop {
        if let Err(trouble) = consume(&settings, &http, &mut ledger).await {
            eprintln!("the broker: {trouble:#}; connecting again");
        }
        sleep(Duration::from_secs(1) + Duration::from_secs(2).mul_f64(fastrand::f64())).await;
    }
}
