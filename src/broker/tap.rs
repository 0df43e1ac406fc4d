//! For tools: looks into a queue, takes from it, or publishes one message, over a connection of its own.

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicQosOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Acker, Channel, Connection, Consumer};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::counters::Counters;
use super::delivery::Delivery;
use super::error::{Error, PublishError};
use super::lane::{confirm_channel, send};
use super::link::{close, dial, hang_up, within};
use super::message::Message;

/// How many messages a tap that waits is sent ahead.
const PREFETCH: u16 = 20;

/// A reader of one queue. Ends with its connection; it does not heal.
pub struct Tap {
    queue: String,
    connection: Connection,
    channel: Channel,
    consumer: Option<Consumer>,
}

impl Tap {
    /// Connects. Nothing is taken yet, and the queue need not exist yet.
    pub async fn open(url: &SecretString, queue: &str) -> Result<Self, Error> {
        let connection = dial(url, &format!("baton: tap {queue}")).await?;
        let channel = within("open a channel", connection.create_channel()).await?;
        within(
            "set the prefetch",
            channel.basic_qos(PREFETCH, BasicQosOptions::default()),
        )
        .await?;
        Ok(Self {
            queue: queue.to_owned(),
            connection,
            channel,
            consumer: None,
        })
    }

    /// Listens to what is published to an exchange from now on, through a queue that nobody else sees and that goes
    /// with the connection.
    pub async fn listen(
        url: &SecretString,
        exchange: &str,
        routing_key: &str,
    ) -> Result<Self, Error> {
        let mut tap = Self::open(url, exchange).await?;
        let options = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..Default::default()
        };
        let made =
            (tap.channel).queue_declare(ShortString::default(), options, FieldTable::default());
        tap.queue = within("declare a queue", made).await?.name().to_string();
        let bound = tap.channel.queue_bind(
            tap.queue.as_str().into(),
            exchange.into(),
            routing_key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        within("bind a queue", bound).await?;
        Ok(tap)
    }

    /// The next message that is there now; `None` when there is none.
    ///
    /// To peek, call it as often as wanted and close the tap: everything goes back in order. RabbitMQ counts a look
    /// as a delivery, and refuses it for the queue of contact events, which has a single active consumer.
    pub async fn get(&mut self) -> Result<Option<Delivery<Hold>>, Error> {
        let got = self
            .channel
            .basic_get(self.queue.as_str().into(), BasicGetOptions::default());
        let got = within("get a message", got).await?;
        Ok(got.map(|got| self.read(got.delivery)))
    }

    /// Waits for the next message, without a limit.
    pub async fn next(&mut self) -> Result<Delivery<Hold>, Error> {
        if self.consumer.is_none() {
            let subscription = self.channel.basic_consume(
                self.queue.as_str().into(),
                ShortString::default(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            self.consumer = Some(within("subscribe to a queue", subscription).await?);
        }
        let next = match &mut self.consumer {
            Some(consumer) => consumer.next().await,
            None => None,
        };
        match next {
            Some(Ok(wire)) => Ok(self.read(wire)),
            Some(Err(source)) => Err(Error::call("consume", source)),
            None => Err(Error::Unsubscribed {
                queue: self.queue.clone(),
            }),
        }
    }

    /// Disconnects; what was neither acked nor requeued goes back to the queue, in order.
    pub async fn close(self) {
        close(&self.channel).await;
        hang_up(&self.connection).await;
    }

    fn read(&self, wire: lapin::message::Delivery) -> Delivery<Hold> {
        let hold = Hold {
            acker: wire.acker.clone(),
        };
        Delivery::read(&self.queue, wire, hold)
    }
}

/// A message in the hands of a [`Tap`]. Dropped, it stays there until the tap is closed.
#[derive(Debug)]
pub struct Hold {
    acker: Acker,
}

impl Hold {
    /// Removes the message from the queue.
    pub async fn ack(self) -> Result<(), Error> {
        self.answered(within("ack", self.acker.ack(BasicAckOptions::default())).await?)
    }

    /// Puts the message back near the front of the queue. RabbitMQ counts that as a delivery.
    pub async fn requeue(self) -> Result<(), Error> {
        let options = BasicNackOptions {
            requeue: true,
            multiple: false,
        };
        self.answered(within("requeue", self.acker.nack(options)).await?)
    }

    /// lapin answers `false` instead of an error when the channel is dead.
    fn answered(&self, sent: bool) -> Result<(), Error> {
        if sent { Ok(()) } else { Err(Error::Lane) }
    }
}

/// Publishes one message over a connection of its own, and waits for its confirm.
pub async fn publish_once(url: &SecretString, message: Message) -> Result<(), PublishOnceError> {
    let connection = dial(url, "baton: publish once").await?;
    let outcome = async {
        let channel = confirm_channel(&connection).await?;
        let sending = async {
            let never = CancellationToken::new();
            Ok(send(&channel, &[message], &never, &Counters::default()).await)
        };
        let outcomes = within("publish", sending).await?;
        outcomes
            .into_iter()
            .next()
            .unwrap_or(Err(PublishError::Disconnected))
            .map_err(PublishOnceError::from)
    };
    let outcome = outcome.await;
    hang_up(&connection).await;
    outcome
}

/// Why [`publish_once`] did not.
#[derive(Debug, thiserror::Error)]
pub enum PublishOnceError {
    /// The broker cannot be used.
    #[error(transparent)]
    Broker(#[from] Error),
    /// The message does not count as published.
    #[error(transparent)]
    Message(#[from] PublishError),
}
