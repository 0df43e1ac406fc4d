//! One subscription: hands deliveries to the application in order, and acks those that it has settled.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::counters::Counters;
use super::delivery::{Delivery, Receipt};
use super::error::Error;
use super::ledger::Ledger;
use super::link::{close, within};

/// One ack covers this many deliveries at most. Acking one by one costs the broker five times the CPU.
const ACK_RUN: usize = 50;

/// A settled delivery waits this long for company at most.
const ACK_WAIT: Duration = Duration::from_millis(5);

/// Whether a subscription stays: `None`, or leaves, and then how long it waits for what it has handed over.
pub(super) type Leave = Option<Duration>;

/// A subscription to one queue, on a channel of its own.
pub(super) struct Inlet {
    queue: String,
    channel: Channel,
    consumer: Consumer,
    deliveries: mpsc::Sender<Delivery>,
    counters: Arc<Counters>,
    ledger: Ledger,
}

impl Inlet {
    /// Subscribes; the broker then sends up to `prefetch` unacked deliveries.
    pub async fn open(
        connection: &Connection,
        queue: String,
        prefetch: u16,
        deliveries: mpsc::Sender<Delivery>,
        counters: Arc<Counters>,
    ) -> Result<Self, Error> {
        let channel = within("open a channel", connection.create_channel()).await?;
        within(
            "set the prefetch",
            channel.basic_qos(prefetch, BasicQosOptions::default()),
        )
        .await?;
        let subscription = channel.basic_consume(
            queue.as_str().into(),
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let consumer = within("subscribe to a queue", subscription).await?;
        Ok(Self {
            queue,
            channel,
            consumer,
            deliveries,
            counters,
            ledger: Ledger::default(),
        })
    }

    /// Works until it is told to leave (`Ok`), or the broker ends the subscription.
    pub async fn run(mut self, mut leave: watch::Receiver<Leave>) -> Result<(), Error> {
        let deliveries = self.deliveries.clone();
        let (settle, mut settled) = mpsc::unbounded_channel();
        let mut tags = Vec::with_capacity(ACK_RUN);
        let mut held: Option<Delivery> = None;
        let mut ack_at: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = leave.changed() => break,
                _ = settled.recv_many(&mut tags, ACK_RUN) => {
                    tags.drain(..).for_each(|tag| self.ledger.settle(tag));
                    if self.ledger.ackable() >= ACK_RUN as u64 {
                        self.ack().await?;
                        ack_at = None;
                    } else if self.ledger.ackable() > 0 {
                        ack_at.get_or_insert_with(|| Instant::now() + ACK_WAIT);
                    }
                }
                () = until(ack_at) => {
                    self.ack().await?;
                    ack_at = None;
                }
                place = deliveries.reserve(), if held.is_some() => match (place, held.take()) {
                    (Ok(place), Some(delivery)) => place.send(delivery),
                    // The application is gone and wants no more.
                    _ => break,
                },
                next = self.consumer.next(), if held.is_none() => match next {
                    Some(Ok(wire)) => held = self.receive(wire, &settle),
                    Some(Err(source)) => return Err(Error::call("consume", source)),
                    None => return Err(Error::Unsubscribed { queue: self.queue }),
                },
            }
        }

        // From here on the queue of receipts ends by itself, when the last receipt is settled or dropped.
        drop((settle, held));
        let rest = async {
            while settled.recv_many(&mut tags, ACK_RUN).await > 0 {
                tags.drain(..).for_each(|tag| self.ledger.settle(tag));
            }
        };
        let grace = leave.borrow().unwrap_or_default();
        let _ = timeout(grace, rest).await;
        let acked = self.ack().await;
        // Closing the channel puts the rest back in order. A `basic.cancel` would hand newer messages to the next
        // consumer first, and dropping the consumer of an open channel sends one.
        close(&self.channel).await;
        acked
    }

    /// Skips what lapin still yields from a channel that is gone.
    fn receive(
        &self,
        wire: lapin::message::Delivery,
        settle: &mpsc::UnboundedSender<u64>,
    ) -> Option<Delivery> {
        if !wire.acker.usable() {
            return None;
        }
        self.counters.delivered.add(1);
        self.counters.redelivered.add(wire.redelivered.into());
        let receipt = Receipt {
            tag: wire.delivery_tag,
            settled: settle.clone(),
            counters: Arc::clone(&self.counters),
        };
        Some(Delivery::read(&self.queue, wire, receipt))
    }

    /// Acks all settled deliveries that have no unsettled one before them.
    async fn ack(&mut self) -> Result<(), Error> {
        let count = self.ledger.ackable();
        if count == 0 {
            return Ok(());
        }
        // Not by the delivery's own acker: on a dead channel that one answers `Ok(false)`, this is an error.
        let acked = self
            .channel
            .basic_ack(self.ledger.ack(), BasicAckOptions { multiple: true });
        let outcome = within("ack", acked).await;
        let counter = if outcome.is_ok() {
            &self.counters.acked
        } else {
            &self.counters.acks_lost
        };
        counter.add(count);
        outcome
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
