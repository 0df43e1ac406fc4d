//! What the chapters play on: desk, worker, operator, customers, and everything that is heard.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use super::account::{Arrived, Story, Summary};
use super::customers::Customer;
use super::desk::{Conversation, Desk, Hands, Said};
use super::gallery::{Gallery, Photo};
use super::heard::{Heard, Told};
use super::narrator::{Actor, Narrator};
use super::operator::Operator;
use super::worker::{Log, Worker};
use crate::broker::tap::publish_once;
use crate::broker::topology::REPLY_CHANNELS;
use crate::broker::{Mandatory, Message, Names, Properties};
use crate::domain::clock::{self, Clock, Timestamp};
use crate::domain::connection::DeskKind;
use crate::domain::seal::SecretString;

/// The connection of most customers.
pub fn connection(desk: DeskKind) -> &'static str {
    match desk {
        DeskKind::Salesforce => "acme-salesforce",
        DeskKind::Zendesk => "acme-zendesk",
        DeskKind::Dynamics => "acme-dynamics",
    }
}

/// For anything that a healthy system does in milliseconds, on a machine that does other things too.
pub const SOON: Duration = Duration::from_secs(20);

/// Everything there is.
pub struct Stage<'a> {
    /// Tells what happens.
    pub narrator: &'a mut Narrator,
    /// Where the broker is.
    pub broker: SecretString,
    /// What is where on the broker.
    pub names: Names,
    /// The simulated help desk.
    pub desk: Box<dyn Desk>,
    /// Where contacts' photos are.
    pub gallery: Gallery,
    /// What came out of Baton.
    pub heard: Heard,
    /// Who has escalated so far.
    pub customers: Vec<Customer>,
    /// Who runs the worker.
    pub operator: Operator,
    pub(super) sent: Vec<Sent>,
    pub(super) worker: Option<Worker>,
    pub(super) config: PathBuf,
    pub(super) log: Log,
}

/// A message that a contact sent.
pub(super) struct Sent {
    session: String,
    /// Its words, and what [`file`] says of each file.
    pieces: Vec<String>,
}

/// A file, as it is counted.
pub fn file(name: &str, bytes: usize) -> String {
    format!("{name}, {bytes} bytes")
}

impl Stage<'_> {
    /// Begins a chapter; see [`Narrator::chapter`].
    pub async fn chapter(&mut self, name: &'static str, title: &str) -> anyhow::Result<()> {
        Ok(self.narrator.chapter(name, title).await?)
    }

    /// Tells one event; see [`Narrator::tell`].
    pub async fn tell(
        &mut self,
        who: Actor,
        what: &'static str,
        facts: Value,
        text: impl AsRef<str>,
    ) -> anyhow::Result<()> {
        Ok(self.narrator.tell(who, what, facts, text).await?)
    }

    /// Publishes an escalation of each, as an AI agent does, and counts on it from now on.
    pub async fn publish(&mut self, customers: &[Customer]) -> anyhow::Result<()> {
        let publishing = customers.iter().map(|customer| {
            let event = customer.escalation(Clock::System.now());
            publish_once(
                &self.broker,
                message(self.names.inbound(), "escalation.requested", &event),
            )
        });
        let published = futures_util::future::try_join_all(publishing);
        self.narrator
            .wait("RabbitMQ to take an escalation", SOON, published)
            .await??;
        self.customers.extend_from_slice(customers);
        Ok(())
    }

    /// Publishes what a customer writes, as their channel does, and counts on it from now on.
    pub async fn send(
        &mut self,
        customer: &Customer,
        text: &str,
        photos: &[(Photo, String)],
    ) -> anyhow::Result<()> {
        let number = 1 + self.messages_of(customer);
        let event = customer.message(number, text, photos, Clock::System.now());
        self.pass_on("contact.message", &event).await?;
        let mut pieces = vec![text.to_owned()];
        pieces.extend(
            photos
                .iter()
                .map(|(photo, _)| file(photo.name, photo.content.len())),
        );
        self.sent.push(Sent {
            session: customer.session.clone(),
            pieces,
        });
        Ok(())
    }

    /// Publishes what a customer writes to a desk that takes no more of it.
    pub async fn write_in_vain(&mut self, customer: &Customer, text: &str) -> anyhow::Result<()> {
        let event = customer.message(1, text, &[], Clock::System.now());
        self.pass_on("contact.message", &event).await
    }

    fn messages_of(&self, customer: &Customer) -> usize {
        let its = |sent: &&Sent| sent.session == customer.session;
        self.sent.iter().filter(its).count()
    }

    /// Publishes that a customer has left.
    pub async fn leave(&mut self, customer: &Customer, reason: &str) -> anyhow::Result<()> {
        let event = customer.left(reason, Clock::System.now());
        self.pass_on("contact.left", &event).await
    }

    async fn pass_on(&mut self, routing_key: &str, event: &Value) -> anyhow::Result<()> {
        let message = message(self.names.inbound(), routing_key, event);
        let published = publish_once(&self.broker, message);
        let what = "RabbitMQ to take an event";
        Ok(self.narrator.wait(what, SOON, published).await??)
    }

    /// Waits until all that a customer sent is with the rep.
    pub async fn carried(&mut self, customer: &Customer) -> anyhow::Result<()> {
        let key = "lifecycle.contact_message_delivered";
        let count = self.messages_of(customer);
        let carried = self.heard.count(&customer.session, key, count);
        let what = format!("what {} wrote to reach the rep", customer.first_name());
        self.narrator.wait(&what, SOON, carried).await??;
        Ok(())
    }

    /// The customers whose conversations have not ended.
    pub fn present(&self) -> impl Iterator<Item = &Customer> {
        self.customers
            .iter()
            .filter(|it| self.heard.of(&it.session, "lifecycle.ended").is_empty())
    }

    /// Waits until the desk has these customers' conversations; how long each took from the moment it was accepted.
    pub async fn live(&mut self, customers: &[Customer]) -> anyhow::Result<Vec<Duration>> {
        let mut took = vec![];
        for customer in customers {
            let accepted = time(&self.event(customer, "accepted").await?);
            let live = time(&self.event(customer, "live").await?);
            took.push(clock::until(accepted, live));
        }
        Ok(took)
    }

    /// How many replies a customer's channel has.
    pub fn replies_so_far(&self, customer: &Customer) -> usize {
        let key = format!("reply.{}", customer.channel);
        self.heard.of(&customer.session, &key).len()
    }

    /// Waits until a customer's channel has so many replies; all of them.
    pub async fn replies(
        &mut self,
        customer: &Customer,
        count: usize,
    ) -> anyhow::Result<Vec<Told>> {
        let key = format!("reply.{}", customer.channel);
        let replies = self.heard.count(&customer.session, &key, count);
        let what = format!("reply {count} to {}", customer.name);
        self.narrator.wait(&what, SOON, replies).await?
    }

    /// Waits for the first lifecycle event of this name about a customer.
    pub async fn event(&mut self, customer: &Customer, name: &str) -> anyhow::Result<Value> {
        let key = format!("lifecycle.{name}");
        let first = self.heard.first(&customer.session, &key);
        let what = format!("the event `{name}` about {}", customer.name);
        Ok(self.narrator.wait(&what, SOON, first).await??.event)
    }

    /// The conversation that the desk has of a customer.
    pub fn conversation(&self, customer: &Customer) -> anyhow::Result<Conversation> {
        let mut all = self.desk.conversations(&customer.session).into_iter();
        all.next()
            .with_context(|| format!("the desk has no conversation with {}", customer.name))
    }

    /// A rep of this name, at the desk's conversation with a customer.
    pub fn rep(&self, name: &str, customer: &Customer) -> anyhow::Result<Box<dyn Hands>> {
        let conversation = self.conversation(customer)?;
        let hands = self.desk.hands(&conversation.id, name);
        hands.with_context(|| format!("nobody at the desk can answer {}", customer.name))
    }

    /// Starts the worker again, and waits until it takes deliveries.
    pub async fn start_worker(&mut self) -> anyhow::Result<u32> {
        let starting = async {
            let worker = Worker::start(&self.config, &self.log).await?;
            let operator = self.operator.at(&worker.url);
            operator.until_ready().await;
            anyhow::Ok((worker, operator))
        };
        let (worker, operator) = self
            .narrator
            .wait("the worker to start", SOON, starting)
            .await??;
        self.operator = operator;
        let id = worker.id;
        self.worker = Some(worker);
        Ok(id)
    }

    /// The worker, which is then no longer ours.
    pub fn take_worker(&mut self) -> anyhow::Result<Worker> {
        self.worker.take().ok_or_else(|| anyhow!("no worker runs"))
    }

    /// Sends a last message through each reply queue: once they are out, all that was before them is heard.
    async fn until_quiet(&mut self) -> anyhow::Result<()> {
        for channel in REPLY_CHANNELS {
            let subject = format!("last-{channel}");
            let event = json!({ "id": subject, "subject": subject });
            let key = format!("reply.{channel}");
            publish_once(&self.broker, message(self.names.outbound(), &key, &event)).await?;
            let heard = self.heard.first(&subject, &key);
            self.narrator
                .wait("the reply queues", SOON, heard)
                .await??;
        }
        Ok(())
    }

    /// Ends the consumers, and says what it all comes to.
    pub async fn reckon(&mut self) -> anyhow::Result<Summary> {
        self.until_quiet().await?;
        let hanging_up = self.heard.stop();
        self.narrator
            .wait("the consumers to hang up", SOON, hanging_up)
            .await?;
        let told = self.heard.once();
        let stories: Vec<Story> = self
            .customers
            .iter()
            .map(|customer| {
                let session = &customer.session;
                let there = self.desk.conversations(session);
                story(session, &there, &told, &self.sent)
            })
            .collect();
        Ok(Summary::of(&stories))
    }
}

/// The time of an event; one that has none happened at the beginning of time, which somebody will notice.
fn time(event: &Value) -> Timestamp {
    let time = event["time"].as_str().and_then(|time| time.parse().ok());
    time.unwrap_or_default()
}

fn message(exchange: String, routing_key: &str, event: &Value) -> Message {
    let text = |name: &str| event[name].as_str().map(str::to_owned);
    Message {
        exchange,
        routing_key: routing_key.to_owned(),
        message_id: text("id").unwrap_or_default(),
        mandatory: Mandatory::Yes,
        properties: Properties {
            content_type: Some("application/cloudevents+json".to_owned()),
            correlation_id: text("subject"),
            kind: text("type"),
            app_id: Some("baton-demo".to_owned()),
            ..Properties::default()
        },
        body: event.to_string().into_bytes(),
    }
}

/// A session, from what the desk has, from what the channels got, and from what they sent.
fn story(session: &str, conversations: &[Conversation], told: &[Told], sent: &[Sent]) -> Story {
    let heard = conversations.iter().flat_map(|it| &it.heard);
    let delivered = heard.map(|said| match said {
        Said::Words(text) => text.clone(),
        Said::File(it) => file(&it.name, it.bytes),
    });
    let arrived = told
        .iter()
        .filter(|told| told.session == session && told.routing_key.starts_with("reply."))
        .map(|told| Arrived {
            sequence: told.event["data"]["sequence"].as_u64().unwrap_or_default(),
            text: told.event["data"]["text"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        });
    Story {
        conversations: conversations.len(),
        opening_messages: conversations.iter().map(|it| it.opening_messages).sum(),
        written: (conversations.iter())
            .flat_map(|it| it.written.clone())
            .collect(),
        arrived: arrived.collect(),
        sent: sent
            .iter()
            .filter(|sent| sent.session == session)
            .flat_map(|sent| sent.pieces.clone())
            .collect(),
        delivered: delivered.collect(),
    }
}
