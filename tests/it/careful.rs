//! A worker that begins after others have died: it finds the delivery that is to blame, and spares the others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use baton::broker::{Inbound, Mandatory, Message, Options, Properties};
use baton::domain::clock::Clock;
use baton::domain::error::Code;
use baton::domain::event::Bounds;
use baton::domain::ids::Namespace;
use baton::domain::seal::MasterKey;
use baton::engine::intake::Intake;
use baton::store::dead::DeadFilter;
use baton::store::sqlite::{self, SqliteStore, Synchronous};
use baton::store::{Filter, Pressure, Store};
use tempfile::TempDir;

use crate::broker::bench::{Bench, soon, start, until};
use crate::world::{Setup, escalation};

const CAREFUL: Duration = Duration::from_secs(600);

fn store(folder: &TempDir, key: &str) -> Arc<dyn Store> {
    let options = sqlite::Options {
        path: folder.path().join("baton.db"),
        synchronous: Synchronous::Full,
        key: MasterKey::parse(key).expect("a key"),
        namespace: Namespace::new("test"),
        worker: "test".into(),
        metrics: Arc::default(),
    };
    Arc::new(SqliteStore::open(options).expect("a store"))
}

#[tokio::test]
async fn runs_that_died_are_counted_until_one_comes_to_its_end_or_holds() {
    let (folder, key) = (TempDir::new().expect("a folder"), MasterKey::generate());
    for died in 0..3 {
        let store = store(&folder, &key);
        assert_eq!(store.begin_run().await.expect("a store"), died);
    }
    let held = store(&folder, &key);
    assert_eq!(held.begin_run().await.expect("a store"), 3);
    held.forget_runs().await.expect("a store");
    assert_eq!(held.begin_run().await.expect("a store"), 0);
    held.close().await.expect("a store");
    drop(held);
    let next = store(&folder, &key);
    assert_eq!(next.begin_run().await.expect("a store"), 0);
}

#[tokio::test]
async fn the_delivery_over_which_workers_die_is_set_aside_and_the_others_are_not() {
    let bench = Bench::shared().await;
    let (folder, key) = (TempDir::new().expect("a folder"), MasterKey::generate());
    let body = |session: &str| escalation(session, "web").to_string().into_bytes();
    for _ in 0..3 {
        let store = store(&folder, &key);
        store.suspect(body("killer")).await.expect("a store");
    }
    let (broker, deliveries) = start(Options {
        consume: vec![Inbound::Escalations],
        careful: CAREFUL,
        ..bench.options()
    })
    .await;
    let store = store(&folder, &key);
    let intake = Intake {
        store: store.clone(),
        broker: broker.clone(),
        metrics: Arc::default(),
        traces: Default::default(),
        clock: Clock::System,
        bounds: Bounds {
            event_bytes_max: 1 << 18,
        },
        deadline: Duration::from_secs(900),
        careful: CAREFUL,
        full: Pressure {
            due: 1000,
            unconfirmed: 1000,
        },
    };
    let intake = tokio::spawn(intake.run(deliveries));
    // The same event six times in a row is six times received, and nobody died of it.
    let sessions = [
        "killer", "one", "two", "two", "two", "two", "two", "two", "three",
    ];
    let messages = sessions.map(|session| Message {
        exchange: bench.names.inbound(),
        routing_key: "escalation.requested".into(),
        message_id: session.into(),
        mandatory: Mandatory::Yes,
        properties: Properties::default(),
        body: body(session),
    });
    for outcome in soon(broker.publish(messages.to_vec())).await {
        outcome.expect("published");
    }
    until(|| broker.counters().acked.get() == 9).await;
    let dead = store
        .dead_letters(&DeadFilter::default(), None, 10)
        .await
        .expect("a store");
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].code, Code::WorkerLost.as_str());
    let original = store.original(dead[0].number).await.expect("a store");
    assert_eq!(original.expect("its bytes").1, body("killer"));
    let all = Filter {
        limit: 10,
        ..Filter::default()
    };
    let accepted = store.list(&all).await.expect("a store");
    let accepted: BTreeSet<_> = accepted.iter().map(|it| it.session.as_str()).collect();
    assert_eq!(accepted, BTreeSet::from(["one", "two", "three"]));
    broker.stop().await;
    intake.await.expect("it ends");
}

#[tokio::test]
async fn a_careful_broker_hands_out_one_delivery_at_a_time() {
    let bench = Bench::shared().await;
    let (broker, mut deliveries) = start(Options {
        careful: CAREFUL,
        consume: vec![Inbound::Escalations],
        ..bench.options()
    })
    .await;
    let messages = ["m1", "m2", "m3"].map(|id| bench.escalation(id));
    soon(broker.publish(messages.to_vec())).await;
    for id in ["m1", "m2", "m3"] {
        let taken = soon(deliveries.recv()).await.expect("a delivery");
        assert_eq!(taken.message_id.as_deref(), Some(id));
        assert!(deliveries.try_recv().is_err(), "one at a time");
        taken.settle();
    }
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_says_that_it_is_careful_and_works_all_the_same() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    for _ in 0..2 {
        world.kill().await;
        world.launch().await;
    }
    world.goes_live("careful", "web").await;
    assert!(
        world.log().contains("the last 2 runs died"),
        "{}",
        world.log()
    );
    world.stop().await;
    world.start().await;
    world.goes_live("as usual", "web").await;
    assert!(!world.log().contains("runs died"), "{}", world.log());
}
