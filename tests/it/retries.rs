//! When a handoff is tried again, with a clock that is set by hand, over restarts.

use std::sync::Arc;
use std::time::Duration;

use baton::desk::http::{Http, Limits};
use baton::domain::arrival::Inbound;
use baton::domain::clock::{self, Clock, Timestamp};
use baton::domain::connection::{Connection, DeskKind};
use baton::domain::dead_letter::Origin;
use baton::domain::event::Bounds;
use baton::domain::handoff::Status;
use baton::domain::ids::{ConnectionName, Namespace};
use baton::domain::retry::Policy;
use baton::domain::seal::MasterKey;
use baton::engine::desks::Desks;
use baton::engine::governor::Governor;
use baton::engine::worker::Worker;
use baton::journey;
use baton::sim::faults::{Fault, Nth, What};
use baton::sim::salesforce::{Options, Org, call};
use baton::store::sqlite::{self, SqliteStore, Synchronous};
use baton::store::{Held, Store};
use serde_json::Value;
use tempfile::TempDir;

use crate::desks::PAIR;
use crate::world::{CONNECTION, escalation, files};

/// A worker in this process, whose clock stands still until it is moved.
pub struct Bench {
    pub org: Org,
    pub clock: Clock,
    folder: TempDir,
    key: String,
    pub worker: Arc<Worker>,
}

impl Bench {
    pub async fn new() -> Self {
        let mut options = Options::default();
        options.keys.insert("key-1".into(), PAIR.public.clone());
        let org = Org::start(options).await.expect("an org");
        let clock = Clock::set_to(Clock::System.now());
        let folder = TempDir::new().expect("a folder");
        let key = MasterKey::generate();
        let worker = worker(&folder, &key, &clock);
        let bench = Self {
            org,
            clock,
            folder,
            key,
            worker,
        };
        let settings = [
            ("instance_url", "https://acme.my.salesforce.com"),
            ("scrt_url", bench.org.url()),
            ("es_developer_name", "OpenCX_Custom_Client"),
            ("org_id", "00Dxx0000000xxx"),
            ("auth_public_key", &PAIR.public),
            ("auth_key_id", "key-1"),
            ("issuer", "opencx"),
        ];
        let connection = Connection {
            name: ConnectionName::from(CONNECTION),
            desk: DeskKind::Salesforce,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            secrets: [("auth_private_key".to_owned(), PAIR.private.clone().into())].into(),
            version: 1,
        };
        bench
            .worker
            .store
            .save_connection(connection, "test", bench.clock.now())
            .await
            .expect("saved");
        bench
    }

    pub async fn escalate(&self, session: &str) -> i64 {
        self.take(&escalation(session, "web")).await;
        self.worker.store.find(session).await.expect("found")[0]
    }

    /// Stores an event, as if it had come from the broker.
    pub async fn take(&self, event: &Value) {
        let body = event.to_string().into_bytes();
        let now = self.clock.now();
        let bounds = Bounds {
            event_bytes_max: 256 * 1024,
        };
        let arrival = journey::receive(
            Origin::default(),
            body,
            bounds,
            clock::after(now, Policy::default().deadline),
        );
        assert!(!matches!(arrival.what, Inbound::Poison(..)));
        self.worker
            .store
            .receive(vec![arrival], now)
            .await
            .expect("kept");
    }

    pub async fn held(&self, row: i64) -> Held {
        self.worker.store.load(row).await.expect("a handoff")
    }

    /// Moves the clock to a time, here and at the desk, and takes what is due then.
    pub async fn tick_at(&self, at: Timestamp) {
        self.clock.advance(clock::until(self.clock.now(), at));
        let since_epoch = Duration::from_millis(self.clock.now().as_millisecond().unsigned_abs());
        self.org.set_time(since_epoch);
        self.worker.tick().await.expect("a tick");
    }

    /// As a process that ended and began again.
    pub fn restart(self) -> Self {
        let Self {
            org,
            clock,
            folder,
            key,
            worker,
        } = self;
        drop(worker);
        let worker = worker_again(&folder, &key, &clock);
        Self {
            org,
            clock,
            folder,
            key,
            worker,
        }
    }
}

fn worker(folder: &TempDir, key: &str, clock: &Clock) -> Arc<Worker> {
    let options = sqlite::Options {
        metrics: Arc::default(),
        path: folder.path().join("baton.db"),
        synchronous: Synchronous::Full,
        key: MasterKey::parse(key).expect("a key"),
        namespace: Namespace::new("test"),
        worker: "test".into(),
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).expect("a store"));
    let http = Http::new(Limits {
        timeout: Duration::from_millis(300),
        ..Limits::default()
    })
    .expect("HTTP");
    Arc::new(Worker {
        metrics: Arc::default(),
        traces: Default::default(),
        desks: Arc::new(Desks::new(store.clone(), http, clock.clone())),
        store,
        governor: Arc::new(Governor::new(32)),
        files: files(folder.path()),
        policy: Policy::default(),
        clock: clock.clone(),
        in_flight_max: 100,
        grace: Duration::from_secs(1),
    })
}

fn worker_again(folder: &TempDir, key: &str, clock: &Clock) -> Arc<Worker> {
    worker(folder, key, clock)
}

#[tokio::test]
async fn three_retries_wait_2_8_and_32_seconds_and_a_restart_keeps_them() {
    let mut bench = Bench::new().await;
    bench.org.faults().fail(
        call::CREATE_CONVERSATION,
        Nth::Every,
        Fault::before(What::status(500)),
    );
    let row = bench.escalate("waits").await;
    bench.tick_at(bench.clock.now()).await;
    for (number, whole) in [2, 8, 32].map(Duration::from_secs).into_iter().enumerate() {
        let Status::Due { at } = bench.held(row).await.handoff.status else {
            panic!("it is due")
        };
        let wait = clock::until(bench.clock.now(), at);
        assert!(
            (whole / 2..=whole).contains(&wait),
            "wait {number} is {wait:?}"
        );
        bench = bench.restart();
        bench
            .tick_at(at.checked_sub(Duration::from_millis(1)).expect("a time"))
            .await;
        assert_eq!(
            bench.org.calls(call::CREATE_CONVERSATION),
            number as u32 + 1,
            "not a millisecond early"
        );
        bench.tick_at(at).await;
        assert_eq!(
            bench.org.calls(call::CREATE_CONVERSATION),
            number as u32 + 2
        );
    }
    let handoff = bench.held(row).await.handoff;
    assert!(
        matches!(handoff.status, Status::DeadLettered { .. }),
        "{:?}",
        handoff.status
    );
}

#[tokio::test]
async fn a_desk_that_asks_for_time_gets_it_within_reason() {
    for (asked, expected) in [("30", 30), ("86400", 120), ("0", 1), ("-5", 1), ("soon", 1)] {
        let bench = Bench::new().await;
        let fault = Fault::before(What::RateLimited {
            retry_after: Some(asked.into()),
        });
        bench
            .org
            .faults()
            .fail(call::CREATE_CONVERSATION, Nth::Only(1), fault);
        let row = bench.escalate("asked").await;
        bench.tick_at(bench.clock.now()).await;
        let Status::Due { at } = bench.held(row).await.handoff.status else {
            panic!("it is due")
        };
        let wait = clock::until(bench.clock.now(), at);
        let range = Duration::from_secs(expected)..=Duration::from_secs(expected + 1);
        assert!(
            range.contains(&wait),
            "`Retry-After: {asked}` made it wait {wait:?}"
        );
    }
}

#[tokio::test]
async fn a_deadline_bounds_what_a_closed_gate_holds_up() {
    let bench = Bench::new().await;
    let gate = baton::domain::connection::Gate::Paused { by: "test".into() };
    bench
        .worker
        .store
        .set_gate(&ConnectionName::from(CONNECTION), gate)
        .await
        .expect("paused");
    let row = bench.escalate("held up").await;
    for _ in 0..40 {
        bench
            .tick_at(clock::after(bench.clock.now(), Duration::from_secs(30)))
            .await;
    }
    let handoff = bench.held(row).await.handoff;
    let code = baton::domain::error::Code::DeadlinePassed;
    assert_eq!(handoff.status, Status::DeadLettered { code });
    assert_eq!(
        bench
            .worker
            .store
            .attempts(row)
            .await
            .expect("attempts")
            .len(),
        0,
        "a closed gate costs no attempt"
    );
    assert_eq!(bench.org.calls(call::ACCESS_TOKEN), 0);
}

#[tokio::test]
async fn an_expired_token_is_renewed_without_a_failure() {
    let bench = Bench::new().await;
    bench.org.faults().fail(
        call::MESSAGE,
        Nth::Only(1),
        Fault::before(What::Unauthorized),
    );
    let row = bench.escalate("renewed").await;
    bench.tick_at(bench.clock.now()).await;
    let handoff = bench.held(row).await.handoff;
    assert_eq!(handoff.status, Status::Live);
    assert_eq!(handoff.spent.failures, 0);
    assert_eq!(bench.org.calls(call::ACCESS_TOKEN), 2);
    assert_eq!(bench.org.conversations().len(), 1);
}

#[tokio::test]
async fn a_token_that_always_dies_ends_as_token_refused() {
    let bench = Bench::new().await;
    bench
        .org
        .faults()
        .fail(call::MESSAGE, Nth::Every, Fault::before(What::Unauthorized));
    let row = bench.escalate("dies").await;
    for _ in 0..6 {
        bench
            .tick_at(clock::after(bench.clock.now(), Duration::from_secs(40)))
            .await;
    }
    let handoff = bench.held(row).await.handoff;
    let code = baton::domain::error::Code::TokenRefused;
    assert_eq!(handoff.status, Status::DeadLettered { code });
    assert_eq!(
        bench.org.calls(call::MESSAGE),
        5,
        "one for free, one attempt and three retries"
    );
}
