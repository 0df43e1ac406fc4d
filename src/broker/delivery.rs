//! What arrives: a delivery, and the receipt that says it is safely stored.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::counters::Counters;
use super::message::Properties;

/// One message that the broker handed to us and keeps until it is acked.
///
/// `R` is how it is given back: a [`Receipt`] from a [`Broker`](super::Broker), a [`Hold`](super::tap::Hold) from a
/// [`Tap`](super::tap::Tap).
#[derive(Debug)]
pub struct Delivery<R = Receipt> {
    /// The queue it came from.
    pub queue: String,
    /// The exchange it was published to.
    pub exchange: String,
    /// The routing key it was published with.
    pub routing_key: String,
    /// False guarantees that nobody has seen it before.
    pub redelivered: bool,
    /// Its publisher's id for it.
    pub message_id: Option<String>,
    /// What goes with it.
    pub properties: Properties,
    /// The content, unchanged.
    pub body: Vec<u8>,
    /// How to give it back.
    pub receipt: R,
}

impl<R> Delivery<R> {
    pub(super) fn read(queue: &str, wire: lapin::message::Delivery, receipt: R) -> Self {
        Self {
            queue: queue.to_owned(),
            exchange: wire.exchange.to_string(),
            routing_key: wire.routing_key.to_string(),
            redelivered: wire.redelivered,
            message_id: wire
                .properties
                .message_id()
                .as_ref()
                .map(ToString::to_string),
            properties: Properties::from_wire(&wire.properties),
            body: wire.data,
            receipt,
        }
    }
}

impl Delivery {
    /// Says that it is committed: it may be acked. See [`Receipt::settle`].
    pub fn settle(self) {
        self.receipt.settle();
    }

    /// Whether its channel still lives. If not, it is skipped: the broker hands it out again.
    pub fn usable(&self) -> bool {
        self.receipt.usable()
    }
}

/// The promise that a delivery will be stored.
///
/// A receipt that is dropped acks nothing: its delivery stays with us, unacked, until the channel closes (pause, lost
/// connection, stop), and then goes back to the queue. Until then it also holds back the acks of all later deliveries
/// of its queue, because acks are sent for whole runs; when the prefetch is used up, nothing more arrives.
#[derive(Debug)]
pub struct Receipt {
    pub(super) tag: u64,
    pub(super) settled: mpsc::UnboundedSender<u64>,
    pub(super) counters: Arc<Counters>,
}

impl Receipt {
    /// Says that the delivery is committed: it may be acked.
    ///
    /// The ack follows within 5 ms once all earlier deliveries of the same queue are settled. It may still be lost
    /// on the way, so the same message can arrive again; whoever stores it must know it again.
    pub fn settle(self) {
        if self.settled.send(self.tag).is_err() {
            self.counters.acks_lost.add(1);
        }
    }

    /// Whether the channel of the delivery still lives.
    pub fn usable(&self) -> bool {
        !self.settled.is_closed()
    }
}
