//! WhatsApp's window, to the millisecond, and what becomes of a reply over which it closes.

use std::time::Duration;

use baton::domain::channel::WHATSAPP_WINDOW;
use baton::domain::clock::{self, Timestamp};
use baton::domain::handoff::{Ending, Status};
use baton::domain::ids::EntryId;
use baton::domain::news::News;
use baton::domain::reply::{Author, Rep, Reply};
use baton::store::{ForRep, Lane, Outgoing, Store};
use serde_json::{Value, json};

use crate::retries::Bench;
use crate::world::escalation;

const MS: Duration = Duration::from_millis(1);

/// A live handoff on WhatsApp whose contact wrote just now.
struct Chat {
    bench: Bench,
    row: i64,
    closes_at: Timestamp,
}

impl Chat {
    async fn live() -> Self {
        let bench = Bench::new().await;
        let now = bench.clock.now();
        let mut event = escalation("chat", "whatsapp");
        event["data"]["reply_to"]["last_inbound_at"] = json!(now.to_string());
        bench.take(&event).await;
        bench.tick_at(now).await;
        let row = bench.worker.store.find("chat").await.expect("found")[0];
        assert_eq!(bench.held(row).await.handoff.status, Status::Live);
        let chat = Self {
            bench,
            row,
            closes_at: clock::after(now, WHATSAPP_WINDOW),
        };
        let told = chat.names(now).await;
        assert_eq!(told, ["lifecycle.accepted", "lifecycle.live"]);
        chat
    }

    fn store(&self) -> &dyn Store {
        &*self.bench.worker.store
    }

    async fn says(&self, text: &str, now: Timestamp) {
        let reply = Reply {
            entry: EntryId::from(text),
            sent_at: now,
            rep: Rep::default(),
            author: Author::Rep,
            text: text.to_owned(),
            files: vec![],
            choices: vec![],
        };
        let kept = self
            .store()
            .keep(self.row, vec![News::Reply(reply)], None, now);
        assert_eq!(kept.await.expect("kept").replies, 1);
    }

    async fn writes(&self, id: &str) {
        let event = json!({
            "specversion": "1.0", "type": "handoff.contact.message.v1", "source": "/channels/whatsapp",
            "id": id, "subject": "chat",
            "data": { "session_id": "chat", "message": { "id": id, "text": "I am here" } },
        });
        self.bench.take(&event).await;
    }

    /// What would be published now, one row of the handoff at a time.
    async fn ready(&self, now: Timestamp) -> Vec<Outgoing> {
        let lane = Lane { number: 0, of: 1 };
        let ready = self.store().unpublished(lane, now, 100).await;
        ready.expect("a store")
    }

    /// Publishes all that is ready, and says what it was.
    async fn published(&self, now: Timestamp) -> Vec<(String, Value)> {
        /// A look may hold a reply, and let what is behind it go with the next.
        const LOOKS: usize = 10;
        let mut all = vec![];
        for _ in 0..LOOKS {
            for row in self.ready(now).await {
                let event: Value = serde_json::from_slice(&row.body).expect("JSON");
                all.push((row.routing_key.clone(), event["data"].clone()));
                let marked = self.store().confirmed(vec![row.seq], now).await;
                marked.expect("marked");
            }
        }
        all
    }

    async fn names(&self, now: Timestamp) -> Vec<String> {
        let published = self.published(now).await;
        published.into_iter().map(|(name, _)| name).collect()
    }

    /// What waits to be said to the rep.
    async fn notice(&self, now: Timestamp) -> Option<ForRep> {
        let (items, _) = self
            .store()
            .for_rep(now, Duration::ZERO, 10)
            .await
            .expect("a store");
        items.into_iter().next()
    }
}

#[tokio::test]
async fn a_reply_a_millisecond_before_the_window_closes_goes_out_and_one_at_its_end_is_held() {
    let chat = Chat::live().await;
    let before = chat.closes_at.checked_sub(MS).expect("a time");
    chat.says("in time", before).await;
    assert_eq!(chat.names(before).await, ["reply.whatsapp"]);
    chat.says("too late", chat.closes_at).await;
    assert_eq!(chat.names(chat.closes_at).await, ["lifecycle.held"]);
    assert!(chat.notice(chat.closes_at).await.is_some());
}

#[tokio::test]
async fn a_reply_over_which_the_window_closes_while_it_is_retried_is_held_with_those_behind_it() {
    let chat = Chat::live().await;
    let before = chat.closes_at.checked_sub(MS).expect("a time");
    chat.says("first", before).await;
    chat.says("second", before).await;
    let tried = chat.ready(before).await;
    assert_eq!(tried.len(), 1, "one of a handoff at a time");
    let failed = vec![(tried[0].seq, "the broker is away".to_owned())];
    let again = chat.store().unconfirmed(failed, chat.closes_at).await;
    again.expect("marked");
    assert!(chat.ready(before).await.is_empty());

    // The retry comes at the moment at which the window closes.
    let names = chat.names(chat.closes_at).await;
    assert_eq!(names, ["lifecycle.held", "lifecycle.held"]);
    let notice = chat.notice(chat.closes_at).await.expect("a notice");
    let notice: Value = serde_json::from_slice(&notice.body).expect("JSON");
    let said = notice["text"].as_str().unwrap_or_default();
    assert!(said.starts_with("[Not sent yet: "), "{said}");
    assert!(chat.ready(chat.closes_at).await.is_empty());

    // The contact writes: both go, in order and under their own numbers.
    let since = clock::until(chat.bench.clock.now(), chat.closes_at);
    chat.bench.clock.advance(since);
    chat.writes("m1").await;
    let published = chat.published(chat.closes_at).await;
    let replies: Vec<_> = published
        .iter()
        .map(|(name, data)| {
            (
                name.as_str(),
                &data["text"],
                &data["sequence"],
                &data["whatsapp"]["window"],
            )
        })
        .collect();
    let (first, second, open) = (json!("first"), json!("second"), json!("open"));
    assert_eq!(
        replies,
        [
            ("reply.whatsapp", &first, &json!(1), &open),
            ("reply.whatsapp", &second, &json!(2), &open),
        ]
    );
}

#[tokio::test]
async fn the_end_is_not_held_up_by_a_reply_over_which_the_window_has_closed() {
    let chat = Chat::live().await;
    let before = chat.closes_at.checked_sub(MS).expect("a time");
    chat.says("goodbye", before).await;
    let end = vec![News::End(Ending::RepEnded)];
    let kept = chat.store().keep(chat.row, end, None, before).await;
    assert!(kept.expect("kept").ended);
    let names = chat.names(chat.closes_at).await;
    assert_eq!(names, ["reply.whatsapp", "lifecycle.ended"]);
}
