//! Webhooks on their way: five attempts in fifteen minutes, and none after an answer that forbids it
//! (sunshine reference §3.3).

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Shared;
use super::memory::scaled;
use super::switches::DeliveryOrder;

/// The waits before each attempt; that there are five in fifteen minutes with growing gaps is all that is known.
const WAITS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(240),
    Duration::from_secs(585),
];
/// After these nothing is tried again.
const FINAL: [u16; 5] = [400, 401, 403, 404, 406];

/// Events for one webhook.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    /// Its place in the ledger.
    pub number: usize,
    /// The webhook's id.
    pub webhook: String,
    /// The events.
    pub events: Vec<Value>,
}

impl Shared {
    /// Delivers what comes, for as long as the account runs.
    pub async fn deliver(self: Arc<Self>, mut parcels: mpsc::UnboundedReceiver<Parcel>) {
        while let Some(parcel) = parcels.recv().await {
            let order = self.memory().switches.delivery_order;
            let attempts_left = match order {
                DeliveryOrder::InOrder if self.attempt(&parcel).await => continue,
                DeliveryOrder::InOrder => &WAITS[1..],
                DeliveryOrder::AtOnce => &WAITS[..],
            };
            let (shared, stop) = (Arc::clone(&self), self.stop.clone());
            let again = async move { shared.insist(&parcel, attempts_left).await };
            self.tasks
                .spawn(async move { stop.run_until_cancelled(again).await });
        }
    }

    /// Tries until it is done with, or nothing is left.
    async fn insist(self: &Arc<Self>, parcel: &Parcel, waits: &[Duration]) {
        for wait in waits {
            tokio::time::sleep(scaled(*wait, self.options.time_scale)).await;
            if self.attempt(parcel).await {
                return;
            }
        }
        self.change(|memory| memory.ledger.deliveries[parcel.number].done = true);
    }

    /// Tries once; whether that was the last time.
    async fn attempt(self: &Arc<Self>, parcel: &Parcel) -> bool {
        let (target, secret) = {
            let memory = self.memory();
            let mut webhooks = memory.ledger.webhooks.iter();
            match webhooks.find(|it| it.id == parcel.webhook) {
                Some(webhook) => (webhook.target.clone(), webhook.secret.clone()),
                None => return true,
            }
        };
        let body = json!({
            "app": { "id": self.options.app_id },
            "webhook": { "id": parcel.webhook, "version": "v2" },
            "events": parcel.events,
        });
        let sent = self
            .client
            .post(target)
            .header("X-API-Key", secret)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        let status = sent.send().await.ok().map(|answer| answer.status());
        let done = status.is_some_and(|it| it.is_success() || FINAL.contains(&it.as_u16()));
        self.change(|memory| {
            let delivery = &mut memory.ledger.deliveries[parcel.number];
            delivery.attempts.push(status.map(|it| it.as_u16()));
            delivery.done = done;
        });
        done
    }
}
