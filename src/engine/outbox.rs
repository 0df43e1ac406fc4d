//! From the outbox to the broker: published, confirmed, and only then marked.
//!
//! At most one message of a handoff is unconfirmed at any time, which is what keeps their order; many handoffs at once
//! are what keeps it fast.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::broker::{Broker, Header, Mandatory, Message, Names, Properties, PublishError};
use crate::domain::clock::{self, Clock};
use crate::domain::trace::{SpanId, TraceContext};
use crate::metrics::Metrics;
use crate::store::{Destination, Lane, Outgoing, Store, StoreError};
use crate::traces::{Span, Traces};

/// Rows in one batch.
const BATCH_MAX: usize = 200;
/// How long a row that could not be published waits, and the loop when there is trouble.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A row that no queue takes waits longer: somebody has to bind one.
const UNROUTABLE_AFTER: Duration = Duration::from_secs(5);

/// Publishes the rows of one lane.
pub struct Outbox {
    /// Where the rows are.
    pub store: Arc<dyn Store>,
    /// Where they go.
    pub broker: Broker,
    /// What the exchanges are called.
    pub names: Names,
    /// What time it is.
    pub clock: Clock,
    /// Which rows.
    pub lane: Lane,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What is traced.
    pub traces: Traces,
}

impl Outbox {
    /// Publishes until it is stopped, and then what is ready.
    pub async fn run(self, stop: CancellationToken) {
        let signals = self.store.signals().clone();
        loop {
            // Asked for before the look, so that a row that comes during it is not slept over.
            let more = signals.outbox.notified();
            let wait = match self.drain().await {
                Ok(0) if stop.is_cancelled() => return,
                Ok(0) => AGAIN_AFTER,
                Ok(_) => continue,
                Err(_) if stop.is_cancelled() => return,
                Err(error) => {
                    warn!(%error, "the outbox cannot be read or marked; trying again");
                    AGAIN_AFTER
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = more => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Publishes one batch; how many of it the broker has confirmed.
    pub async fn drain(&self) -> Result<usize, StoreError> {
        let rows = self
            .store
            .unpublished(self.lane, self.clock.now(), BATCH_MAX)
            .await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let batch = rows.iter().map(|row| self.message(row)).collect();
        let began = Instant::now();
        let results = self.broker.publish(batch).await;
        let took = began.elapsed();
        let (mut confirmed, mut failed, mut unroutable) = (vec![], vec![], vec![]);
        for (row, result) in rows.iter().zip(results) {
            match result {
                Ok(()) => {
                    self.measure(row);
                    self.trace(row, took);
                    confirmed.push(row.seq);
                }
                Err(error @ PublishError::Unroutable) => {
                    error!(
                        routing_key = row.routing_key,
                        tries = row.tries,
                        "nobody takes what is published as {}: {error}",
                        row.routing_key
                    );
                    unroutable.push((row.seq, error.to_string()));
                }
                Err(error) => failed.push((row.seq, error.to_string())),
            }
        }
        let now = self.clock.now();
        let count = confirmed.len();
        if count > 0 {
            self.store.confirmed(confirmed, now).await?;
        }
        if !unroutable.is_empty() {
            self.store
                .unconfirmed(unroutable, clock::after(now, UNROUTABLE_AFTER))
                .await?;
        }
        if let Some((_, why)) = failed.first() {
            warn!(
                count = failed.len(),
                "{} events were not confirmed and are published again: {why}",
                failed.len()
            );
            self.store
                .unconfirmed(failed, clock::after(now, AGAIN_AFTER))
                .await?;
        }
        Ok(count)
    }

    fn measure(&self, row: &Outgoing) {
        self.metrics.published(row.to.as_str());
        if let Some(channel) = row.routing_key.strip_prefix("reply.") {
            let after = clock::until(row.stored_at, self.clock.now());
            self.metrics.replied(channel, after);
        }
    }

    /// The context of a row that is published in a span of its own: a reply's, if spans of its trace are made.
    fn context(&self, row: &Outgoing) -> Option<TraceContext> {
        match row.to {
            Destination::Reply if self.traces.is_on() => {
                TraceContext::read(&row.headers).filter(TraceContext::is_sampled)
            }
            Destination::Reply | Destination::Lifecycle | Destination::Dead => None,
        }
    }

    fn trace(&self, row: &Outgoing, took: Duration) {
        if let Some(trace) = self.context(row) {
            let event = serde_json::from_slice(&row.body).unwrap_or_default();
            let now = self.clock.now();
            self.traces.record(&trace, || {
                Span::reply(&trace, &row.message_id, &event, took, now)
            });
        }
    }

    fn message(&self, row: &Outgoing) -> Message {
        let (exchange, mandatory) = match row.to {
            Destination::Reply => (self.names.outbound(), Mandatory::Yes),
            Destination::Lifecycle => (self.names.outbound(), Mandatory::No),
            Destination::Dead => (self.names.dead(), Mandatory::Yes),
        };
        let mut headers = headers(&row.headers);
        if let Some(trace) = self.context(row) {
            // What the channel does with a reply is a child of our span, where there is one.
            let below = trace.below(SpanId::of(&row.message_id));
            let own = below.headers();
            headers.extend(own.map(|(name, text)| (name.to_owned(), Header::Text(text))));
        }
        let seconds = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        Message {
            exchange,
            routing_key: row.routing_key.clone(),
            message_id: row.message_id.clone(),
            mandatory,
            properties: Properties {
                content_type: Some("application/cloudevents+json".into()),
                correlation_id: (!row.correlation.is_empty()).then(|| row.correlation.clone()),
                kind: (!row.kind.is_empty()).then(|| row.kind.clone()),
                timestamp: Some(seconds),
                app_id: Some("baton".into()),
                headers,
            },
            body: row.body.clone(),
        }
    }
}

fn headers(stored: &BTreeMap<String, Value>) -> BTreeMap<String, Header> {
    stored
        .iter()
        .map(|(name, value)| (name.clone(), header(value)))
        .collect()
}

fn header(value: &Value) -> Header {
    match value {
        Value::Null => Header::Nothing,
        Value::Bool(flag) => Header::Flag(*flag),
        Value::Number(number) => number.as_i64().map_or_else(
            || Header::Real(number.as_f64().unwrap_or_default()),
            Header::Number,
        ),
        Value::String(text) => Header::Text(text.clone()),
        Value::Array(items) => Header::List(items.iter().map(header).collect()),
        Value::Object(members) => Header::Table(
            members
                .iter()
                .map(|(name, value)| (name.clone(), header(value)))
                .collect(),
        ),
    }
}
