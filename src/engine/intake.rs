//! From the broker to the store: read, keep, and only then let go of the delivery.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::broker::{Broker, Delivery, Header};
use crate::domain::arrival::{Arrival, Inbound};
use crate::domain::clock::{self, Clock};
use crate::domain::dead_letter::Origin;
use crate::domain::event::{Bounds, Poison};
use crate::domain::handoff::Step;
use crate::journey;
use crate::metrics::Metrics;
use crate::store::{Pressure, Receipt, Store};
use crate::traces::{Span, Traces};

/// Deliveries that are kept in one go.
const BATCH_MAX: usize = 200;
/// How often a worker that takes deliveries looks how much waits.
const PRESSURE_EVERY: Duration = Duration::from_secs(1);
/// So many workers may die with the same delivery in hand.
const SUSPICIONS_MAX: u32 = 3;
/// How long a store that does not answer is left alone.
const STORE_AWAY_WAIT: Duration = Duration::from_millis(500);

/// Everything intake needs.
pub struct Intake {
    /// Where deliveries go.
    pub store: Arc<dyn Store>,
    /// Where they come from; taken from no longer while the store is away.
    pub broker: Broker,
    /// What time it is.
    pub clock: Clock,
    /// What is taken in.
    pub bounds: Bounds,
    /// From intake until a handoff is live.
    pub deadline: Duration,
    /// For how long each delivery is remembered on disk before it is read, so that one over which the process dies is
    /// found out: it is set aside whole when it has done so too often.
    pub careful: Duration,
    /// With this much waiting, nothing more is taken: the backlog is better seen in the broker than hidden in here.
    pub full: Pressure,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What is traced.
    pub traces: Traces,
}

impl Intake {
    /// Takes deliveries in until there are no more.
    pub async fn run(self, mut deliveries: mpsc::Receiver<Delivery>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut looked = Instant::now();
        let careful_until = looked + self.careful;
        let mut is_careful = !self.careful.is_zero();
        while deliveries.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let taken = std::mem::take(&mut batch);
            if is_careful {
                for delivery in taken {
                    self.take_carefully(delivery).await;
                }
                is_careful = Instant::now() < careful_until;
            } else {
                self.take(taken).await;
            }
            if looked.elapsed() >= PRESSURE_EVERY {
                self.wait_for_room(&mut deliveries).await;
                looked = Instant::now();
            }
        }
    }

    /// While too much waits, the queues are left alone. What was delivered already is still kept.
    async fn wait_for_room(&self, deliveries: &mut mpsc::Receiver<Delivery>) {
        if !self.is_full().await {
            return;
        }
        warn!("too much waits; nothing is taken from the queues until it is less");
        let pausing = self.broker.pause();
        tokio::pin!(pausing);
        let mut paused = false;
        while !paused || self.is_full().await {
            tokio::select! {
                () = &mut pausing, if !paused => paused = true,
                Some(delivery) = deliveries.recv() => self.take(vec![delivery]).await,
                () = tokio::time::sleep(PRESSURE_EVERY) => {}
            }
        }
        info!("there is room again");
        self.broker.resume();
    }

    async fn is_full(&self) -> bool {
        let waiting = self.store.pressure().await.unwrap_or_default();
        waiting.due > self.full.due || waiting.unconfirmed > self.full.unconfirmed
    }

    async fn take_carefully(&self, delivery: Delivery) {
        let suspected = loop {
            match self.store.suspect(delivery.body.clone()).await {
                Ok(times) => break times,
                Err(error) => {
                    warn!(%error, "nothing is taken in until the store answers");
                    tokio::time::sleep(STORE_AWAY_WAIT).await;
                }
            }
        };
        if suspected < SUSPICIONS_MAX {
            return self.take(vec![delivery]).await;
        }
        if !delivery.usable() {
            return;
        }
        let poison = Poison::WorkerLost(suspected);
        warn!(code = %poison.code(), "set a delivery aside: {poison}");
        let arrival = Arrival {
            origin: origin(&delivery),
            body: delivery.body.clone(),
            what: Inbound::Poison(poison),
        };
        self.keep(vec![arrival]).await;
        delivery.settle();
    }

    /// Keeps a batch, and lets go of it once it is on disk. A delivery whose channel is gone comes again by itself.
    async fn take(&self, mut batch: Vec<Delivery>) {
        let began = Instant::now();
        batch.retain(Delivery::usable);
        let arrivals: Vec<Arrival> = batch
            .iter_mut()
            .map(|delivery| self.read(delivery))
            .collect();
        for arrival in &arrivals {
            if let Inbound::Poison(poison) = &arrival.what {
                warn!(code = %poison.code(), "set a delivery aside: {poison}");
            }
        }
        let receipts = self.keep(arrivals).await;
        batch.into_iter().for_each(Delivery::settle);
        self.trace(&receipts, began.elapsed()).await;
    }

    /// Keeps them, however long the store takes to answer.
    async fn keep(&self, arrivals: Vec<Arrival>) -> Vec<Receipt> {
        let mut paused = false;
        loop {
            match self.store.receive(arrivals.clone(), self.clock.now()).await {
                Ok(receipts) => {
                    self.measure(&arrivals, &receipts);
                    let accepted = receipts
                        .iter()
                        .filter(|receipt| matches!(receipt, Receipt::Accepted(_)))
                        .count();
                    if accepted > 0 {
                        info!(accepted, "accepted {accepted} escalations");
                    }
                    if paused {
                        self.broker.resume();
                    }
                    return receipts;
                }
                Err(error) => {
                    warn!(%error, "nothing is taken in until the store answers");
                    if !paused {
                        // The backlog is better seen in the broker than hidden in here.
                        tokio::spawn({
                            let broker = self.broker.clone();
                            async move { broker.pause().await }
                        });
                        paused = true;
                    }
                    tokio::time::sleep(STORE_AWAY_WAIT).await;
                }
            }
        }
    }

    fn measure(&self, arrivals: &[Arrival], receipts: &[Receipt]) {
        for (arrival, receipt) in arrivals.iter().zip(receipts) {
            self.metrics.received(receipt.as_str());
            if let (Receipt::Quarantined, Inbound::Poison(poison)) = (receipt, &arrival.what) {
                let code = poison.code();
                let (class, step) = (code.class().as_str(), Step::Intake.as_str());
                self.metrics.dead_letter(class, code.as_str(), step);
            }
        }
    }

    /// A span for each handoff that began. The receipts do not say which context it has, so it is read back; nobody waits.
    async fn trace(&self, receipts: &[Receipt], took: Duration) {
        if !self.traces.is_on() {
            return;
        }
        let ended_at = self.clock.now();
        for receipt in receipts {
            if let Receipt::Accepted(row) = receipt
                && let Ok(held) = self.store.load(*row).await
            {
                let span = || Span::accepted(&held.handoff, took, ended_at);
                self.traces.record(&held.handoff.trace, span);
            }
        }
    }

    fn read(&self, delivery: &mut Delivery) -> Arrival {
        let origin = origin(delivery);
        let deadline = clock::after(self.clock.now(), self.deadline);
        journey::receive(
            origin,
            std::mem::take(&mut delivery.body),
            self.bounds,
            deadline,
        )
    }
}

fn origin(delivery: &Delivery) -> Origin {
    let headers = delivery.properties.headers.iter();
    Origin {
        exchange: delivery.exchange.clone(),
        routing_key: delivery.routing_key.clone(),
        headers: headers
            .map(|(name, header)| (name.clone(), value(header)))
            .collect(),
        redelivered: delivery.redelivered,
    }
}

fn value(header: &Header) -> Value {
    match header {
        Header::Text(text) => json!(text),
        Header::Number(number) => json!(number),
        Header::Real(number) => json!(number),
        Header::Flag(flag) => json!(flag),
        Header::Time(seconds) => json!(seconds),
        Header::Bytes(bytes) => json!(STANDARD.encode(bytes)),
        Header::List(items) => items.iter().map(value).collect(),
        Header::Table(members) => json!(
            members
                .iter()
                .map(|(name, header)| (name, value(header)))
                .collect::<BTreeMap<_, _>>()
        ),
        Header::Nothing => Value::Null,
    }
}
