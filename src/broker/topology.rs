//! The exchanges, queues and bindings that Baton lives on: as one table, declared, checked, or exported.

use std::fmt;

use lapin::options::{
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::error::Error;
use super::link::{close, dial, hang_up, within};

mod compare;

/// The channels of the contact that have a reply queue.
pub const REPLY_CHANNELS: [&str; 4] = ["web", "sms", "whatsapp", "phone"];

/// What `baton` does about the topology when it connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declare {
    /// Creates what is missing, and refuses to run where something is not as we need it.
    Declare,
    /// Creates nothing, and only proves that everything exists: a passive declare compares no argument.
    Check,
}

/// The names of the broker's objects under one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// Names that start with `prefix` and a dot.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// The exchange that upstream publishes to.
    pub fn inbound(&self) -> String {
        format!("{}.inbound", self.prefix)
    }

    /// The queue of escalations.
    pub fn escalations(&self) -> String {
        format!("{}.escalations", self.prefix)
    }

    /// The queue of what contacts do after their escalation.
    pub fn contact_events(&self) -> String {
        format!("{}.contact-events", self.prefix)
    }

    /// The exchange that we publish replies and lifecycle events to.
    pub fn outbound(&self) -> String {
        format!("{}.outbound", self.prefix)
    }

    /// The queue of replies for one of [`REPLY_CHANNELS`].
    pub fn replies(&self, channel: &str) -> String {
        format!("{}.replies.{channel}", self.prefix)
    }

    /// The exchange for dead letters.
    pub fn dead(&self) -> String {
        format!("{}.dead", self.prefix)
    }

    /// The queue of dead letters.
    pub fn dead_letters(&self) -> String {
        format!("{}.dead-letters", self.prefix)
    }
}

/// Everything we need of the broker, in the order in which it must come into being.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    objects: Vec<Object>,
}

/// One row of the table. All exchanges are durable topics, all queues durable quorum queues.
#[derive(Clone, Debug, PartialEq)]
enum Object {
    Exchange {
        name: String,
        arguments: Arguments,
    },
    Queue {
        name: String,
        arguments: Arguments,
    },
    Binding {
        exchange: String,
        queue: String,
        routing_key: String,
    },
}

type Arguments = Vec<(&'static str, Argument)>;

#[derive(Clone, Debug, PartialEq)]
enum Argument {
    Text(String),
    Number(i32),
    Flag(bool),
}

/// A message that kills the worker this often is set aside by the broker.
const INBOUND_DELIVERIES: i32 = 10;

/// Channel senders may restart more often than we do, and a look with `--peek` counts too.
const REPLY_DELIVERIES: i32 = 50;

/// Every look at a dead letter counts as a delivery. RabbitMQ 4's own limit of 20 would then drop it, and `-1`
/// ("unlimited" there) makes 3.10 drop it at the first.
const DEAD_LETTER_DELIVERIES: i32 = 1_000_000;

impl Topology {
    /// The table, with all names under `prefix`.
    pub fn new(prefix: &str) -> Self {
        let names = Names::new(prefix);
        let (inbound, outbound, dead) = (names.inbound(), names.outbound(), names.dead());
        let mut objects = vec![
            // First, because a queue whose dead-letter exchange is missing holds its dead letters for minutes.
            exchange(&dead, vec![]),
            queue(
                &names.dead_letters(),
                vec![("x-delivery-limit", Argument::Number(DEAD_LETTER_DELIVERIES))],
            ),
            binding(&dead, "#", &names.dead_letters()),
            queue(&names.escalations(), limited(INBOUND_DELIVERIES, &dead)),
            queue(&names.contact_events(), {
                let mut arguments = limited(INBOUND_DELIVERIES, &dead);
                arguments.push(("x-single-active-consumer", Argument::Flag(true)));
                arguments
            }),
            // What upstream publishes with a routing key that nobody knows becomes a dead letter, not a silence. It is
            // there after its queues, or what is published during the first start would become one too.
            exchange(
                &inbound,
                vec![("alternate-exchange", Argument::Text(dead.clone()))],
            ),
            binding(&inbound, "escalation.#", &names.escalations()),
            binding(&inbound, "contact.#", &names.contact_events()),
            binding(&inbound, "delivery.#", &names.contact_events()),
            // No alternate exchange here: it would swallow the return of a mandatory publish.
            exchange(&outbound, vec![]),
        ];
        for channel in REPLY_CHANNELS {
            objects.push(queue(
                &names.replies(channel),
                limited(REPLY_DELIVERIES, &dead),
            ));
            objects.push(binding(
                &outbound,
                &format!("reply.{channel}"),
                &names.replies(channel),
            ));
        }
        Self { objects }
    }

    /// The same as RabbitMQ's definitions, for `rabbitmqctl import_definitions` into the virtual host `/`.
    pub fn definitions(&self) -> Value {
        let (mut exchanges, mut queues, mut bindings) = (vec![], vec![], vec![]);
        for object in &self.objects {
            match object {
                Object::Exchange { name, arguments } => exchanges.push(json!({
                    "name": name, "vhost": "/", "type": "topic", "durable": true, "auto_delete": false,
                    "internal": false, "arguments": as_json(arguments),
                })),
                Object::Queue { name, arguments } => queues.push(json!({
                    "name": name, "vhost": "/", "durable": true, "auto_delete": false,
                    "arguments": as_json(arguments),
                })),
                Object::Binding { exchange, queue, routing_key } => bindings.push(json!({
                    "source": exchange, "vhost": "/", "destination": queue, "destination_type": "queue",
                    "routing_key": routing_key, "arguments": {},
                })),
            }
        }
        json!({ "vhosts": [{ "name": "/" }], "exchanges": exchanges, "queues": queues, "bindings": bindings })
    }

    /// Declares or checks everything over a connection of its own. For tools; a [`Broker`](super::Broker) does it
    /// whenever it connects.
    pub async fn apply(&self, url: &SecretString, declare: Declare) -> Result<(), Error> {
        let connection = dial(url, "baton: topology").await?;
        let outcome = self.apply_on(&connection, declare).await;
        hang_up(&connection).await;
        outcome
    }

    /// Deletes every queue with all that is in it, and every exchange; what is not there is no failure. For demos and
    /// tests, whose prefix nobody else uses.
    pub async fn remove(&self, url: &SecretString) -> Result<(), Error> {
        let connection = dial(url, "baton: topology").await?;
        let removed = async {
            let channel = within("open a channel", connection.create_channel()).await?;
            for object in self.objects.iter().rev() {
                object.remove(&channel).await?;
            }
            Ok(())
        };
        let outcome = removed.await;
        hang_up(&connection).await;
        outcome
    }

    /// Declares or checks everything, and names all that is wrong rather than the first. On throw-away channels,
    /// because a difference ends the channel it was found on.
    pub(super) async fn apply_on(
        &self,
        connection: &Connection,
        declare: Declare,
    ) -> Result<(), Error> {
        let mut problems = vec![];
        let mut channel = within("open a channel", connection.create_channel()).await?;
        for object in &self.objects {
            if let Err(error) = object.apply(&channel, declare).await {
                problems.push(Problem::read(object, error)?);
                channel = within("open a channel", connection.create_channel()).await?;
            }
        }
        close(&channel).await;
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Problems(problems).into())
        }
    }
}

impl Object {
    async fn apply(&self, channel: &Channel, declare: Declare) -> Result<(), Error> {
        let passive = declare == Declare::Check;
        match self {
            Object::Exchange { name, arguments } => {
                let options = ExchangeDeclareOptions {
                    passive,
                    durable: true,
                    ..Default::default()
                };
                let declared = channel.exchange_declare(
                    name.as_str().into(),
                    ExchangeKind::Topic,
                    options,
                    as_table(arguments),
                );
                within("declare an exchange", declared).await
            }
            Object::Queue { name, arguments } => {
                let options = QueueDeclareOptions {
                    passive,
                    durable: true,
                    ..Default::default()
                };
                let declared =
                    channel.queue_declare(name.as_str().into(), options, as_table(arguments));
                within("declare a queue", declared).await.map(drop)
            }
            // There is no passive bind.
            Object::Binding { .. } if passive => Ok(()),
            Object::Binding {
                exchange,
                queue,
                routing_key,
            } => {
                let bound = channel.queue_bind(
                    queue.as_str().into(),
                    exchange.as_str().into(),
                    routing_key.as_str().into(),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                );
                within("bind a queue", bound).await
            }
        }
    }

    async fn remove(&self, channel: &Channel) -> Result<(), Error> {
        match self {
            Object::Exchange { name, .. } => {
                let options = ExchangeDeleteOptions::default();
                let deleted = channel.exchange_delete(name.as_str().into(), options);
                within("delete an exchange", deleted).await
            }
            Object::Queue { name, .. } => {
                let options = QueueDeleteOptions::default();
                let deleted = channel.queue_delete(name.as_str().into(), options);
                within("delete a queue", deleted).await.map(drop)
            }
            // It goes with its queue.
            Object::Binding { .. } => Ok(()),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Exchange { name, .. } => write!(f, "exchange {name}"),
            Object::Queue { name, .. } => write!(f, "queue {name}"),
            Object::Binding {
                exchange,
                queue,
                routing_key,
            } => {
                write!(f, "binding {routing_key} from {exchange} to {queue}")
            }
        }
    }
}

/// All that is wrong with the topology.
#[derive(Debug, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong with the topology.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It exists with another argument.
    #[error(
        "{object} differs in {argument}: {difference}; delete it when it is empty and we create it again, or choose another broker.prefix"
    )]
    Differs {
        /// Kind and name.
        object: String,
        /// The argument, such as `x-delivery-limit`.
        argument: String,
        /// What we asked for and what there is, in the broker's words.
        difference: String,
    },
    /// It does not exist.
    #[error(
        "{object} does not exist; import deploy/rabbitmq/definitions.json, or set broker.declare = true"
    )]
    Missing {
        /// Kind and name.
        object: String,
    },
    /// We may not create or see it.
    #[error(
        "{object} is not ours to declare ({reason}); give our user the permission, or set broker.declare = false"
    )]
    Forbidden {
        /// Kind and name.
        object: String,
        /// The broker's words.
        reason: String,
    },
}

impl Problem {
    /// A problem of the topology, or the error itself if it is about something else.
    fn read(object: &Object, error: Error) -> Result<Self, Error> {
        let Error::Call { source, .. } = &error else {
            return Err(error);
        };
        let ErrorKind::ProtocolError(reason) = source.kind() else {
            return Err(error);
        };
        let AMQPErrorKind::Soft(kind) = reason.kind() else {
            return Err(error);
        };
        let words = reason.get_message().to_string();
        let object = object.to_string();
        match kind {
            AMQPSoftError::PRECONDITIONFAILED => Ok(Self::differs(object, words)),
            AMQPSoftError::NOTFOUND => Ok(Problem::Missing { object }),
            AMQPSoftError::ACCESSREFUSED => Ok(Problem::Forbidden {
                object,
                reason: words,
            }),
            _ => Err(error),
        }
    }

    /// Reads `PRECONDITION_FAILED - inequivalent arg 'x' for queue 'q' in vhost '/': received … but current is …`.
    fn differs(object: String, words: String) -> Self {
        let argument = words
            .split("arg '")
            .nth(1)
            .and_then(|rest| rest.split('\'').next());
        let difference = words.split_once("': ").map(|(_, rest)| rest);
        Problem::Differs {
            object,
            argument: argument.unwrap_or("an argument").to_owned(),
            difference: difference.unwrap_or(&words).to_owned(),
        }
    }
}

fn exchange(name: &str, arguments: Arguments) -> Object {
    Object::Exchange {
        name: name.to_owned(),
        arguments,
    }
}

fn queue(name: &str, mut arguments: Arguments) -> Object {
    arguments.insert(0, ("x-queue-type", Argument::Text("quorum".to_owned())));
    Object::Queue {
        name: name.to_owned(),
        arguments,
    }
}

fn binding(exchange: &str, routing_key: &str, queue: &str) -> Object {
    Object::Binding {
        exchange: exchange.to_owned(),
        queue: queue.to_owned(),
        routing_key: routing_key.to_owned(),
    }
}

/// What is delivered too often becomes a dead letter, and none is lost on the way: at-least-once asks for
/// `reject-publish`.
fn limited(deliveries: i32, dead: &str) -> Arguments {
    vec![
        ("x-delivery-limit", Argument::Number(deliveries)),
        ("x-dead-letter-exchange", Argument::Text(dead.to_owned())),
        (
            "x-dead-letter-strategy",
            Argument::Text("at-least-once".to_owned()),
        ),
        ("x-overflow", Argument::Text("reject-publish".to_owned())),
    ]
}

fn as_table(arguments: &Arguments) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, argument) in arguments {
        let value = match argument {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongInt(*number),
            Argument::Flag(flag) => AMQPValue::Boolean(*flag),
        };
        table.insert(ShortString::from(*name), value);
    }
    table
}

fn as_json(arguments: &Arguments) -> Value {
    let value = |argument: &Argument| match argument {
        Argument::Text(text) => json!(text),
        Argument::Number(number) => json!(number),
        Argument::Flag(flag) => json!(flag),
    };
    arguments
        .iter()
        .map(|(name, argument)| ((*name).to_owned(), value(argument)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
