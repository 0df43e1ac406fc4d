//! The broker: whether it is there, and what lies in each queue.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use tokio::time::timeout;

use super::page::{self, Section, badge, count, facts, span};
use super::visit::{View, Visit};
use super::{Console, Queues};
use crate::broker::depth::{Depth, depths};
use crate::broker::{Names, topology::REPLY_CHANNELS};
use crate::domain::clock::{self, Timestamp};
use crate::operator::verbs::Refusal;

/// A look costs a connection, and several people may have the page open.
const KEPT: Duration = Duration::from_secs(4);
/// A page should not wait longer for a broker that does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a look found, or why it found nothing.
type Seen = Result<Vec<Depth>, String>;

/// The last look into the queues.
pub struct Looked {
    queues: Queues,
    last: Mutex<Option<(Timestamp, Seen)>>,
}

impl Looked {
    /// Nobody has looked yet.
    pub fn at(queues: Queues) -> Self {
        Self {
            queues,
            last: Mutex::default(),
        }
    }

    async fn look(&self, now: Timestamp) -> Seen {
        let last = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((at, seen)) = last
            && clock::after(at, KEPT) > now
        {
            return seen;
        }
        let Queues { url, prefix } = &self.queues;
        let seen = match timeout(PATIENCE, depths(url, prefix)).await {
            Ok(seen) => seen.map_err(|error| error.to_string()),
            Err(_) => Err("the broker did not answer in time".to_owned()),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, seen.clone()));
        seen
    }

    /// What a queue is for.
    fn purpose(&self, queue: &str) -> String {
        let names = Names::new(&self.queues.prefix);
        let channel = REPLY_CHANNELS
            .into_iter()
            .find(|channel| names.replies(channel) == queue);
        match channel {
            Some(channel) => format!("replies for {channel}; your channel sender takes them"),
            None if queue == names.escalations() => "escalations; Baton takes them".to_owned(),
            None if queue == names.contact_events() => {
                "what contacts do afterwards; Baton takes it".to_owned()
            }
            None => "dead letters, for operators".to_owned(),
        }
    }
}

/// `GET /console/queues`.
pub async fn page(State(console): State<Console>, visit: Visit) -> Response {
    visit.show(made(&console).await)
}

async fn made(console: &Console) -> Result<View, Refusal> {
    let now = console.clock.now();
    let broker = console.vitals.broker.borrow().clone();
    let counts = console.operator.store.counts(now).await?;
    let seen = match broker.up {
        true => console.looked.look(now).await,
        false => Err("it is not connected".to_owned()),
    };
    let word = match (broker.up, &broker.blocked) {
        (false, _) => "down",
        (true, Some(_)) => "blocked",
        (true, None) => "up",
    };
    let outbox = match counts.unconfirmed {
        0 => "empty".to_owned(),
        some => format!(
            "{} events not confirmed, the oldest for {}",
            count(some),
            span(counts.unconfirmed_oldest)
        ),
    };
    let summary = format!("broker {word}, outbox {outbox}");
    let body = html! {
        (facts(&[
            ("Broker", badge(word)),
            ("Trouble", html! { (broker.error.as_deref().unwrap_or_default()) (broker.blocked.as_deref().unwrap_or_default()) }),
            ("Taking in", html! { (if broker.taking { "yes" } else { "no: what arrives waits in its queue, in order" }) }),
            ("Connected", html! { (broker.epoch) " times since the start" }),
            ("Outbox", html! { (outbox) }),
        ]))
        (queues(console, &seen))
    };
    Ok(View {
        title: "Queues".to_owned(),
        section: Section::Queues,
        body: page::live(&summary, &body),
    })
}

fn queues(console: &Console, seen: &Seen) -> Markup {
    let depths = match seen {
        Ok(depths) => depths,
        Err(why) => {
            return html! { p.notice.failed { "What lies in the queues is not known: " (why) } };
        }
    };
    page::table(
        "Queues at the broker",
        ["Queue", "Ready", "Consumers", "What for"],
        depths.iter().map(|depth| {
            let (ready, consumers) = match depth.held {
                Some(held) => (
                    html! { (count(held.ready.into())) },
                    html! { (held.consumers) },
                ),
                None => (badge("missing"), html! { "none" }),
            };
            [
                html! { code.id { (depth.queue) } },
                ready,
                consumers,
                html! { (console.looked.purpose(&depth.queue)) },
            ]
        }),
    )
}
