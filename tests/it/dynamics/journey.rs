//! A handoff to Dynamics from the store to the end: live, handed over, and told so in order.

use std::sync::Arc;
use std::time::Duration;

use baton::desk::ReplySource;
use baton::desk::http::{Http, Limits};
use baton::domain::clock::{self, Clock, Timestamp};
use baton::domain::dead_letter::Origin;
use baton::domain::event::Bounds;
use baton::domain::handoff::{Ending, Handoff, Status};
use baton::domain::ids::Namespace;
use baton::domain::retry::Policy;
use baton::domain::seal::MasterKey;
use baton::engine::desks::Desks;
use baton::engine::governor::Governor;
use baton::engine::worker::Worker;
use baton::journey;
use baton::sim::dynamics::{Limit, Options, Org, call};
use baton::store::sqlite::{self, SqliteStore, Synchronous};
use baton::store::{Lane, Row, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{CONNECTION, Fixture, connection};

use crate::world::{self, files};

/// A worker in this process, whose clock stands still until it is moved.
pub struct Bench {
    pub org: Org,
    pub clock: Clock,
    pub worker: Worker,
    _folder: TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        Self::on(Org::start(Options::default()).await.expect("an org"), &[]).await
    }

    pub async fn on(org: Org, settings: &[(&str, &str)]) -> Self {
        let clock = Clock::set_to(Clock::System.now());
        let folder = TempDir::new().expect("a folder");
        let options = sqlite::Options {
            path: folder.path().join("baton.db"),
            synchronous: Synchronous::Normal,
            key: MasterKey::parse(&MasterKey::generate()).expect("a key"),
            namespace: Namespace::new("test"),
            worker: "test".into(),
            metrics: Arc::default(),
        };
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).expect("a store"));
        let limits = Limits {
            timeout: Duration::from_millis(300),
            ..Limits::default()
        };
        let http = Http::new(limits).expect("HTTP");
        let worker = Worker {
            desks: Arc::new(Desks::new(store.clone(), http, clock.clone())),
            store,
            governor: Arc::new(Governor::new(32)),
            files: files(folder.path()),
            policy: Policy::default(),
            clock: clock.clone(),
            in_flight_max: 100,
            grace: Duration::from_secs(1),
            metrics: Arc::default(),
            traces: Default::default(),
        };
        let bench = Self {
            org,
            clock,
            worker,
            _folder: folder,
        };
        let mut connection = connection(&bench.org, settings);
        baton::desk::check(&mut connection).expect("in order");
        let saved = bench
            .worker
            .store
            .save_connection(connection, "test", bench.clock.now());
        saved.await.expect("saved");
        bench
    }

    /// Takes in an escalation; `change` is laid over its data.
    pub async fn escalate(&self, session: &str, change: Value) -> Row {
        let mut event = world::escalation(session, "sms");
        event["data"]["connection"] = CONNECTION.into();
        for (name, value) in change.as_object().into_iter().flatten() {
            event["data"][name] = value.clone();
        }
        let now = self.clock.now();
        let bounds = Bounds {
            event_bytes_max: 256 * 1024,
        };
        let deadline = clock::after(now, self.worker.policy.deadline);
        let body = event.to_string().into_bytes();
        let arrival = journey::receive(Origin::default(), body, bounds, deadline);
        self.worker
            .store
            .receive(vec![arrival], now)
            .await
            .expect("kept");
        self.worker.store.find(session).await.expect("found")[0]
    }

    pub async fn handoff(&self, row: Row) -> Handoff {
        self.worker
            .store
            .load(row)
            .await
            .expect("a handoff")
            .handoff
    }

    /// Moves every clock, and takes what is due then.
    pub async fn tick_after(&self, wait: Duration) -> Option<Timestamp> {
        self.clock.advance(wait);
        self.org.advance(wait);
        self.worker.tick().await.expect("a tick")
    }

    /// Ticks until nothing is due any more.
    pub async fn run(&self) {
        let mut next = self.tick_after(Duration::ZERO).await;
        for _ in 0..1000 {
            let Some(at) = next else { return };
            next = self.tick_after(clock::until(self.clock.now(), at)).await;
        }
        panic!("it never comes to rest");
    }

    /// Takes out what the world is to be told, in order: routing keys and data.
    pub async fn told(&self) -> Vec<(String, Value)> {
        let store = &self.worker.store;
        let mut told = Vec::new();
        loop {
            let lane = Lane { number: 0, of: 1 };
            let now = self.clock.now();
            let next = store.unpublished(lane, now, 100).await.expect("events");
            if next.is_empty() {
                return told;
            }
            let published = next.iter().map(|event| event.seq).collect();
            store.confirmed(published, now).await.expect("confirmed");
            told.extend(next.into_iter().map(|event| {
                let body: Value = serde_json::from_slice(&event.body).expect("an event");
                (event.routing_key, body["data"].clone())
            }));
        }
    }
}

#[tokio::test]
async fn a_handoff_goes_live_and_ends_as_handed_over() {
    let bench = Bench::new().await;
    let row = bench.escalate("s-1", Value::Null).await;
    bench.run().await;
    let handoff = bench.handoff(row).await;
    let (why, close_at) = (Ending::HandedOver, None);
    assert_eq!(handoff.status, Status::Closed { why, close_at });
    let told = bench.told().await;
    let keys: Vec<&str> = told.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        ["lifecycle.accepted", "lifecycle.live", "lifecycle.ended"]
    );
    let id = bench.org.work_items()[0].id.clone();
    let (live, ended) = (&told[1].1, &told[2].1);
    assert_eq!(live["replies"], "none");
    assert_eq!(live["desk"], "dynamics");
    assert_eq!(live["conversation_id"], id);
    assert_eq!(live["dynamics365_chat_id"], id);
    assert_eq!(ended["reason"], "handed_over");
    assert_eq!(ended["last_sequence"], 0);
    assert_eq!(
        bench.org.calls(call::UPDATE),
        0,
        "nobody closes what the rep works on"
    );
    assert_eq!(
        bench.worker.store.live().await.expect("rows"),
        Vec::<Row>::new()
    );
}

#[tokio::test]
async fn a_story_too_long_for_a_note_is_attached_and_without_the_right_left_out() {
    for (missing, notes) in [(None, 3), (Some("prvCreateNote"), 0)] {
        let bench = Bench::new().await;
        bench.org.switch(|switches| {
            let missing = missing.map(str::to_owned);
            switches.missing_privileges.extend(missing);
        });
        let turn = json!({ "author": "contact", "text": "word ".repeat(1000) });
        let change = json!({ "transcript": vec![turn; 10] });
        let row = bench.escalate("s-1", change).await;
        bench.run().await;
        let status = bench.handoff(row).await.status;
        assert!(
            matches!(status, Status::Closed { .. }),
            "{missing:?}: {status:?}"
        );
        assert_eq!(bench.org.notes().len(), notes, "{missing:?}");
        assert_eq!(bench.org.work_items().len(), 1);
    }
}

#[tokio::test]
async fn a_second_escalation_of_a_session_is_a_second_work_item() {
    let bench = Bench::new().await;
    for session in ["s-1", "s-2"] {
        bench.escalate(session, Value::Null).await;
    }
    bench.run().await;
    assert_eq!(bench.org.work_items().len(), 2);
    assert_eq!(bench.org.calls(call::TOKEN), 1, "one token for both");
}

#[tokio::test]
async fn a_limit_puts_all_handoffs_of_the_connection_off_and_costs_only_one_an_attempt() {
    let bench = Bench::new().await;
    let rows = [
        bench.escalate("s-1", Value::Null).await,
        bench.escalate("s-2", Value::Null).await,
        bench.escalate("s-3", Value::Null).await,
    ];
    bench.org.exceed(Limit::Requests, Duration::from_secs(60));
    bench.tick_after(Duration::ZERO).await;
    let mut failures = 0;
    for row in rows {
        let handoff = bench.handoff(row).await;
        failures += handoff.spent.failures;
        let Status::Due { at } = handoff.status else {
            panic!("{:?}", handoff.status)
        };
        let wait = clock::until(bench.clock.now(), at).as_secs();
        assert!((60..=62).contains(&wait), "{wait}");
    }
    assert_eq!(failures, 1);
    let refused = bench.org.look(|ledger| ledger.refusals.len());
    assert_eq!(refused, 1, "the org is left alone");
    bench.run().await;
    assert_eq!(bench.org.work_items().len(), 3);
}

#[tokio::test]
async fn nothing_is_expected_of_a_desk_whose_replies_do_not_come_back() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.desk.reply_source(), ReplySource::None);
    let access = fixture.access().await;
    let conversation = "x".into();
    let listening = fixture.desk.listen(&access, &conversation, None).await;
    let error = listening.err().expect("refused");
    assert_eq!(
        error.to_string(),
        "the desk refused with 501: Dynamics does not give out what reps write, so there is nothing to listen to on connection `acme-dynamics`; its handoffs end as handed over"
    );
    let entries = fixture
        .desk
        .entries_since(&access, &conversation, None)
        .await;
    assert_eq!(entries, Ok(vec![]));
    assert_eq!(fixture.org.calls(call::READ), 0);
}
