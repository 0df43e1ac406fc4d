//! The store: what it refuses to open, and what its group commit is worth.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton::domain::arrival::Arrival;
use baton::domain::clock::{self, Clock};
use baton::domain::dead_letter::Origin;
use baton::domain::event::Bounds;
use baton::domain::ids::Namespace;
use baton::domain::seal::MasterKey;
use baton::journey;
use baton::store::sqlite::{self, SqliteStore, Synchronous};
use baton::store::{DeadFilter, Receipt, Store};
use tempfile::TempDir;

use crate::world::escalation;

pub fn options(folder: &TempDir, key: &str) -> sqlite::Options {
    sqlite::Options {
        path: folder.path().join("baton.db"),
        synchronous: Synchronous::Full,
        key: MasterKey::parse(key).expect("a key"),
        namespace: Namespace::new("test"),
        worker: "test".into(),
        metrics: Arc::default(),
    }
}

fn arrival(session: &str) -> Arrival {
    let body = escalation(session, "web").to_string().into_bytes();
    let deadline = clock::after(Clock::System.now(), Duration::from_secs(900));
    journey::receive(
        Origin::default(),
        body,
        Bounds {
            event_bytes_max: 256 * 1024,
        },
        deadline,
    )
}

#[test]
fn a_second_process_is_refused_and_told_what_to_do() {
    let (folder, key) = (TempDir::new().expect("a folder"), MasterKey::generate());
    let first = SqliteStore::open(options(&folder, &key)).expect("opens");
    let refused = SqliteStore::open(options(&folder, &key))
        .expect_err("it is in use")
        .to_string();
    assert!(refused.ends_with(
        "baton.db: another baton process has it open. One worker per SQLite file: stop the other one, or give this one \
         another `store.url`"
    ), "{refused}");
    assert!(SqliteStore::is_in_use(&folder.path().join("baton.db")));
    drop(first);
    SqliteStore::open(options(&folder, &key)).expect("it is free again");
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (folder, key) = (TempDir::new().expect("a folder"), MasterKey::generate());
    drop(SqliteStore::open(options(&folder, &key)).expect("opens"));
    let sql = rusqlite::Connection::open(folder.path().join("baton.db")).expect("a database");
    sql.pragma_update(None, "user_version", 99).expect("set");
    drop(sql);
    let refused = SqliteStore::open(options(&folder, &key))
        .expect_err("too new")
        .to_string();
    assert!(
        refused.contains("its schema is version 99, and this release knows up to"),
        "{refused}"
    );
    assert!(
        refused.ends_with("run that one, or restore a backup"),
        "{refused}"
    );
}

#[test]
fn another_master_key_is_refused() {
    let folder = TempDir::new().expect("a folder");
    drop(SqliteStore::open(options(&folder, &MasterKey::generate())).expect("opens"));
    let refused = SqliteStore::open(options(&folder, &MasterKey::generate()))
        .expect_err("another key")
        .to_string();
    assert!(
        refused.starts_with("the master key is not the one this database was sealed under"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_batch_with_poison_and_copies_in_it_keeps_each_once() {
    let folder = TempDir::new().expect("a folder");
    let store = SqliteStore::open(options(&folder, &MasterKey::generate())).expect("opens");
    let poison = journey::receive(
        Origin::default(),
        b"x".to_vec(),
        Bounds { event_bytes_max: 9 },
        Clock::System.now(),
    );
    let batch = vec![
        arrival("a"),
        poison.clone(),
        arrival("a"),
        arrival("b"),
        poison,
    ];
    let receipts = store
        .receive(batch, Clock::System.now())
        .await
        .expect("kept");
    assert!(
        matches!(
            receipts[..],
            [
                Receipt::Accepted(_),
                Receipt::Quarantined,
                Receipt::Duplicate,
                Receipt::Accepted(_),
                Receipt::Quarantined
            ]
        ),
        "{receipts:?}"
    );
    let all = DeadFilter::default();
    let letters = store.dead_letters(&all, None, 10).await.expect("listed");
    assert_eq!(letters.len(), 1);
    let counts = store.counts(Clock::System.now()).await.expect("counted");
    assert_eq!(counts.handoffs["due"], 2);
}

/// Prints how much a shared commit is worth against one commit per operation, in the same run; it judges nothing,
/// because this machine does other things as well.
#[tokio::test(flavor = "multi_thread")]
async fn the_worth_of_group_commit_is_printed() {
    let folder = TempDir::new().expect("a folder");
    let store =
        Arc::new(SqliteStore::open(options(&folder, &MasterKey::generate())).expect("opens"));
    let alone = 200;
    let began = Instant::now();
    for at in 0..alone {
        store
            .receive(vec![arrival(&format!("alone-{at}"))], Clock::System.now())
            .await
            .expect("kept");
    }
    let alone = f64::from(alone) / began.elapsed().as_secs_f64();
    let together = 2000;
    let began = Instant::now();
    let all = (0..together).map(|at| {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .receive(
                    vec![arrival(&format!("together-{at}"))],
                    Clock::System.now(),
                )
                .await
        })
    });
    for kept in futures_util::future::join_all(all).await {
        kept.expect("no panic").expect("kept");
    }
    let together = f64::from(together) / began.elapsed().as_secs_f64();
    println!(
        "escalations kept a second: {alone:.0} one by one, {together:.0} together, {:.1} times",
        together / alone
    );
}
