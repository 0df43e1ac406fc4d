//! What is worth telling only now, such as that a rep is typing: published once, kept nowhere, and lost without a word.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use crate::broker::{Broker, Header, Mandatory, Message, Names, Properties};
use crate::domain::event::Published;

/// Moments that may wait; more than this have passed.
const WAITING_MAX: usize = 256;

/// A place to put moments.
#[derive(Debug, Clone)]
pub struct Moments(mpsc::Sender<(String, Published)>);

impl Moments {
    /// Publishes what is told, as long as somebody holds the place to tell it.
    pub fn start(broker: Broker, names: &Names) -> Self {
        let (told, mut moments) = mpsc::channel::<(String, Published)>(WAITING_MAX);
        let exchange = names.outbound();
        tokio::spawn(async move {
            while let Some((routing_key, event)) = moments.recv().await {
                let message = Message {
                    exchange: exchange.clone(),
                    routing_key,
                    message_id: event.id.clone(),
                    mandatory: Mandatory::No,
                    properties: Properties {
                        content_type: Some("application/cloudevents+json".into()),
                        correlation_id: Some(event.subject.clone()),
                        kind: Some(event.kind.clone()),
                        timestamp: u64::try_from(event.time.as_second()).ok(),
                        app_id: Some("baton".into()),
                        headers: headers(&event),
                    },
                    body: event.body(),
                };
                // Not confirmed is as good as not heard.
                drop(broker.publish(vec![message]).await);
            }
        });
        Self(told)
    }

    /// A place where nobody listens, for those who have no broker.
    pub fn to_nobody() -> Self {
        Self(mpsc::channel(1).0)
    }

    /// Tells it, if there is room.
    pub fn tell(&self, routing_key: &str, event: Published) {
        drop(self.0.try_send((routing_key.to_owned(), event)));
    }
}

fn headers(event: &Published) -> BTreeMap<String, Header> {
    let headers = event.trace.headers();
    headers
        .map(|(name, text)| (name.to_owned(), Header::Text(text)))
        .collect()
}
