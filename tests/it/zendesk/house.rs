//! A worker's insides without a broker: store, desks, steps, and the port for webhooks, around a simulated account.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use baton::desk::http::Http;
use baton::domain::clock::{self, Clock};
use baton::domain::dead_letter::Origin;
use baton::domain::event::Bounds;
use baton::domain::handoff::{Handoff, Status};
use baton::domain::ids::Namespace;
use baton::domain::retry::Policy;
use baton::domain::seal::MasterKey;
use baton::engine::desks::Desks;
use baton::engine::gaps::Gaps;
use baton::engine::governor::Governor;
use baton::engine::listener::{self, Listener};
use baton::engine::media::Place;
use baton::engine::moments::Moments;
use baton::engine::tokens::Tokens;
use baton::engine::worker::Worker;
use baton::journey;
use baton::operator::verbs::Operator;
use baton::operator::webhook::{self, CaughtUp, Webhooks};
use baton::sim::zendesk::{App, Options, call};
use baton::store::sqlite::{self, SqliteStore, Synchronous};
use baton::store::{Lane, Row, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{CONNECTION, LIMITS, app_with, connection_to};
use crate::broker::bench::soon;

pub struct House {
    pub app: App,
    pub store: Arc<dyn Store>,
    pub desks: Arc<Desks>,
    pub governor: Arc<Governor>,
    pub operator: Operator,
    pub folder: Arc<TempDir>,
    /// Where webhooks go.
    pub url: String,
    pub worker: Worker,
    _server: AbortOnDropHandle<()>,
}

impl House {
    pub async fn new() -> Self {
        Self::with(|_| (), &[]).await
    }

    /// With a connection whose webhook is registered.
    pub async fn with(change: impl FnOnce(&mut Options), settings: &[(&str, &str)]) -> Self {
        let house = Self::before_set_up(change, settings).await;
        let set_up = || {
            let operator = &house.operator;
            operator.set_up_connection(CONNECTION, &house.url, "test")
        };
        let mut done = set_up().await.expect("set up");
        // It is no part of a test that the machine is busy.
        while done["code"] == "desk-timeout" {
            done = set_up().await.expect("set up");
        }
        assert_eq!(done["ok"], true, "{done}");
        house
    }

    pub async fn before_set_up(
        change: impl FnOnce(&mut Options),
        settings: &[(&str, &str)],
    ) -> Self {
        let app = app_with(change).await;
        let folder = Arc::new(TempDir::new().expect("a folder"));
        let store: Arc<dyn Store> = Arc::new(
            SqliteStore::open(sqlite::Options {
                metrics: Arc::default(),
                path: folder.path().join("baton.db"),
                synchronous: Synchronous::Normal,
                key: MasterKey::parse(&MasterKey::generate()).expect("a key"),
                namespace: Namespace::new("test"),
                worker: "test".into(),
            })
            .expect("a store"),
        );
        let clock = Clock::System;
        let connection = connection_to(&app, settings);
        store
            .save_connection(connection, "test", clock.now())
            .await
            .expect("saved");
        let http = Http::new(LIMITS).expect("TLS roots");
        let desks = Arc::new(Desks::new(store.clone(), http, clock.clone()));
        let governor = Arc::new(Governor::new(8));
        let worker = Worker {
            metrics: Arc::default(),
            traces: Default::default(),
            store: store.clone(),
            desks: desks.clone(),
            governor: governor.clone(),
            files: crate::world::files(folder.path()),
            policy: Policy {
                waits: [2, 4, 8].map(Duration::from_millis).to_vec(),
                retry_after_max: Duration::from_millis(5),
                deadline: Duration::from_secs(900),
            },
            clock: clock.clone(),
            in_flight_max: 64,
            grace: Duration::from_secs(1),
        };
        let operator = Operator {
            store: store.clone(),
            desks: desks.clone(),
            governor: governor.clone(),
            clock: clock.clone(),
            bounds: BOUNDS,
            deadline: Duration::from_secs(900),
            public_url: "https://baton.example".into(),
            files_in: Place::Folder(folder.path().join("media")),
            may_edit: false,
        };
        let routes = webhook::routes(Webhooks {
            caught_up: CaughtUp::default(),
            store: store.clone(),
            desks: desks.clone(),
            clock,
        });
        let (url, server) = serve(routes).await;
        Self {
            app,
            store,
            desks,
            governor,
            operator,
            folder,
            url,
            worker,
            _server: server,
        }
    }

    /// Takes an escalation in.
    pub async fn receive(&self, session: &str, change: Value) {
        let mut event = crate::world::escalation(session, "sms");
        event["data"]["connection"] = CONNECTION.into();
        for (name, value) in change.as_object().into_iter().flatten() {
            event["data"][name] = value.clone();
        }
        let now = Clock::System.now();
        let deadline = clock::after(now, Duration::from_secs(900));
        let body = event.to_string().into_bytes();
        let arrival = journey::receive(Origin::default(), body, BOUNDS, deadline);
        self.store
            .receive(vec![arrival], now)
            .await
            .expect("received");
    }

    /// Takes the steps that are due, until nothing is.
    pub async fn work(&self) {
        soon(async {
            while self.worker.tick().await.expect("a store").is_some() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Takes the steps that are due now, and none that are due later.
    pub async fn first_tick(&self) {
        self.worker.tick().await.expect("a store");
    }

    /// Looks once at every live conversation, as at a start.
    pub async fn sweep_once(&self) {
        let looks = || self.app.calls(call::LIST_MESSAGES) + self.app.calls(call::GET_CONVERSATION);
        let live = self.store.live().await.expect("a store").len();
        let (before, stop) = (looks(), CancellationToken::new());
        let listener = Arc::new(Listener {
            metrics: Arc::default(),
            store: self.store.clone(),
            desks: self.desks.clone(),
            tokens: Arc::new(Tokens {
                metrics: Arc::default(),
                store: self.store.clone(),
                governor: self.governor.clone(),
                clock: Clock::System,
            }),
            gaps: Arc::new(Gaps {
                metrics: Arc::default(),
                store: self.store.clone(),
                clock: Clock::System,
            }),
            moments: Moments::to_nobody(),
            clock: Clock::System,
            options: listener::Options {
                reconnect_min: Duration::from_millis(10),
                reconnect_max: Duration::from_millis(100),
                sweep: Duration::from_millis(50),
                spread: Duration::ZERO,
            },
        });
        let running = tokio::spawn(listener.run(stop.clone()));
        // Each look is two calls; the second look begins when the first has been kept.
        let enough = before + 4 * u32::try_from(live).expect("few");
        let ended = async || self.store.live().await.expect("a store").is_empty();
        soon(async {
            while looks() < enough && !ended().await {
                tokio::task::yield_now().await;
            }
        })
        .await;
        stop.cancel();
        running.await.expect("it stops");
    }

    /// A handoff that a rep could answer; its conversation.
    pub async fn live(&self, session: &str) -> String {
        self.live_with(session, json!({})).await
    }

    pub async fn live_with(&self, session: &str, change: Value) -> String {
        self.receive(session, change).await;
        self.work().await;
        let handoff = self.handoff(session).await;
        assert_eq!(handoff.status, Status::Live, "{:?}", handoff.status);
        let conversation = handoff.progress.conversation().expect("a conversation");
        conversation.to_string()
    }

    pub async fn row(&self, session: &str) -> Row {
        self.store.find(session).await.expect("a store")[0]
    }

    pub async fn handoff(&self, session: &str) -> Handoff {
        let row = self.row(session).await;
        self.store.load(row).await.expect("a handoff").handoff
    }

    /// What goes out about a session, in order, with its routing key. What was asked for is not published again.
    pub async fn told(&self) -> Vec<(String, Value)> {
        let lane = Lane { number: 0, of: 1 };
        let mut told = vec![];
        loop {
            let now = Clock::System.now();
            let next = self
                .store
                .unpublished(lane, now, 1000)
                .await
                .expect("a store");
            if next.is_empty() {
                return told;
            }
            let sequences = next.iter().map(|it| it.seq).collect();
            told.extend(next.into_iter().map(|it| {
                let event = serde_json::from_slice(&it.body).expect("JSON");
                (it.routing_key, event)
            }));
            self.store
                .confirmed(sequences, now)
                .await
                .expect("confirmed");
        }
    }

    /// The texts of all replies so far.
    pub async fn replies(&self) -> Vec<String> {
        let told = self.told().await.into_iter();
        let replies = told.filter(|(key, _)| key.starts_with("reply."));
        replies
            .map(|(_, event)| event["data"]["text"].as_str().expect("text").to_owned())
            .collect()
    }

    /// Waits until every event so far was delivered, or given up.
    pub async fn delivered(&self) {
        self.app
            .wait_for(|ledger| ledger.deliveries.iter().all(|it| it.done))
            .await;
    }

    /// The status of every attempt to deliver events of this type.
    pub fn attempts(&self, kind: &str) -> Vec<Vec<Option<u16>>> {
        self.app.look(|ledger| {
            let deliveries = ledger.deliveries.iter();
            let of_kind = deliveries.filter(|it| it.types.iter().any(|it| it == kind));
            of_kind.map(|it| it.attempts.clone()).collect()
        })
    }
}

/// A store whose files are taken away ends the process, so they stay until nobody can write any more.
impl Drop for House {
    fn drop(&mut self) {
        let (folder, store) = (self.folder.clone(), self.store.clone());
        std::thread::spawn(move || {
            while Arc::strong_count(&store) > 1 {
                std::thread::sleep(Duration::from_millis(5)); // waits for: the tasks that hold the store
            }
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            // What is still in the queue comes before this.
            drop(runtime.map(|runtime| runtime.block_on(store.close())));
            drop((store, folder));
        });
    }
}

const BOUNDS: Bounds = Bounds {
    event_bytes_max: 1 << 20,
};

async fn serve(routes: Router) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        axum::serve(listener, routes).await.expect("a server");
    });
    (url, AbortOnDropHandle::new(server))
}
