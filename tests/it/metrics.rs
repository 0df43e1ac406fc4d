//! `/metrics` of a worker: everything that is documented, and books that balance at every look.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use baton::domain::clock::Clock;
use baton::domain::seal::MasterKey;
use baton::metrics::ALL;
use baton::sim::faults::{Fault, Nth, What};
use baton::sim::salesforce::call;
use baton::store::Store;
use baton::store::sqlite::SqliteStore;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::broker::bench::soon;
use crate::stores::options;
use crate::world::{Setup, World, escalation};

/// A page of `/metrics`: values by series, and the kind of each metric.
struct Page {
    series: BTreeMap<String, f64>,
    kinds: BTreeMap<String, String>,
}

impl Page {
    async fn of(world: &World) -> Self {
        let answer = reqwest::get(format!("{}/metrics", world.address())).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200);
        Self::read(&answer.text().await.expect("text"))
    }

    fn read(text: &str) -> Self {
        let (mut series, mut kinds) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(of) = line.strip_prefix("# TYPE ") {
                let (name, kind) = of.split_once(' ').expect("a kind");
                let twice = kinds.insert(name.to_owned(), kind.to_owned());
                assert!(twice.is_none(), "{name} is there twice");
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').expect("a value");
                series.insert(name.to_owned(), value.parse().expect("a number"));
            }
        }
        Self { series, kinds }
    }

    #[track_caller]
    fn value(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| {
            let all: Vec<_> = self.series.keys().collect();
            panic!("no {series} in {all:#?}")
        })
    }

    /// The sum over all series of a metric.
    fn sum(&self, name: &str) -> f64 {
        let of = |series: &&String| series.split('{').next() == Some(name);
        self.series
            .iter()
            .filter(|(series, _)| of(series))
            .map(|(_, value)| value)
            .sum()
    }
}

/// Looks until it is so.
async fn page_until(world: &World, so: impl Fn(&Page) -> bool) -> Page {
    soon(async {
        loop {
            let page = Page::of(world).await;
            if so(&page) {
                return page;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handoff_shows_in_every_metric_that_is_documented() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let busy = Fault::before(What::Status {
        status: 503,
        body: String::new(),
    });
    world
        .org
        .faults()
        .fail(call::CREATE_CONVERSATION, Nth::Only(1), busy);
    let conversation = world.goes_live("measured", "sms").await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    rep.says("Hello.");
    world
        .heard
        .until(|heard| heard.replies("measured").len() == 1)
        .await;
    let mut lost = world.escalation("nowhere", "web");
    lost["data"]["connection"] = json!("nowhere");
    world.publish(&lost).await;
    world
        .publish_bytes(b"{".to_vec(), "escalation.requested", BTreeMap::new())
        .await;
    rep.ends();
    world.heard.until_one("measured", "lifecycle.ended").await;
    // The desk's side is closed after the world was told of the end.
    let closed = "baton_attempts_total{code=\"\",connection=\"acme-salesforce\",desk=\"salesforce\",outcome=\"done\",step=\"close\"}";
    let page = page_until(&world, |page| {
        page.series.contains_key(closed)
            && page.sum("baton_dead_letters_open") == 2.0
            && page.sum("baton_dead_letters_total") == 2.0
    })
    .await;

    let there: BTreeSet<(&str, &str)> = page
        .kinds
        .iter()
        .map(|(name, kind)| (name.as_str(), kind.as_str()))
        .collect();
    // Nothing was limited in this test, so nothing waited for a budget.
    let documented: BTreeSet<(&str, &str)> = ALL
        .iter()
        .filter(|it| it.name != "baton_rate_waits_total")
        .map(|it| (it.name, it.kind))
        .collect();
    assert_eq!(there, documented);

    let is = |series: &str, value: f64| assert_eq!(page.value(series), value, "{series}");
    is("baton_escalations_accepted_total", 2.0);
    is("baton_handoffs_ended_total{reason=\"rep_ended\"}", 1.0);
    is("baton_handoffs{status=\"dead\"}", 1.0);
    is("baton_conservation_difference", 0.0);
    is("baton_replies_published_total{channel=\"sms\"}", 1.0);
    is("baton_accepted_to_live_seconds_count", 1.0);
    is("baton_broker_up", 1.0);
    is(
        "baton_gate{connection=\"acme-salesforce\",state=\"open\"}",
        1.0,
    );
    is(
        "baton_attempts_total{code=\"desk-unavailable\",connection=\"acme-salesforce\",desk=\"salesforce\",outcome=\"failed\",step=\"create-conversation\"}",
        1.0,
    );
    is(
        "baton_desk_call_seconds_count{connection=\"acme-salesforce\",desk=\"salesforce\",step=\"create-conversation\"}",
        2.0,
    );
    is(
        "baton_dead_letters_total{class=\"poison\",code=\"undecodable\",step=\"intake\"}",
        1.0,
    );
    assert!(page.value("baton_commit_seconds_count") > 5.0);
    assert!(page.value("baton_disk_free_bytes") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_balance_at_every_look_in_a_storm_and_after_a_kill() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let lost = Fault::after(What::Cut);
    for at in [2, 5, 9] {
        world
            .org
            .faults()
            .fail(call::CREATE_CONVERSATION, Nth::Only(at), lost.clone());
    }
    let events: Vec<Value> = (0..60)
        .map(|number| {
            let mut event = escalation(&format!("storm-{number}"), "web");
            if number % 10 == 9 {
                event["data"]["connection"] = json!("nowhere");
            }
            event
        })
        .collect();
    world.publish_all(&events).await;
    let settled = |page: &Page| {
        assert_eq!(page.value("baton_conservation_difference"), 0.0);
        page.value("baton_escalations_accepted_total")
    };
    page_until(&world, |page| settled(page) > 20.0).await;
    world.restart().await;
    let page = page_until(&world, |page| {
        settled(page) == 60.0 && page.value("baton_handoffs{status=\"due\"}") == 0.0
    })
    .await;
    assert_eq!(page.value("baton_handoffs{status=\"live\"}"), 54.0);
    assert_eq!(page.value("baton_handoffs{status=\"dead\"}"), 6.0);
    for conversation in world.org.conversations().iter().take(20) {
        world.org.rep(&conversation.id).ends();
    }
    page_until(&world, |page| {
        settled(page) == 60.0 && page.sum("baton_handoffs_ended_total") == 20.0
    })
    .await;

    // A handoff that vanishes is seen.
    world.kill().await;
    let sql = world.database();
    sql.execute_batch("PRAGMA foreign_keys = OFF").expect("set");
    sql.execute(
        "DELETE FROM handoff WHERE k = (SELECT min(k) FROM handoff WHERE status = 'live')",
        [],
    )
    .expect("deleted");
    drop(sql);
    world.start().await;
    let page = Page::of(&world).await;
    assert_eq!(page.value("baton_conservation_difference"), 1.0);
}

#[tokio::test]
async fn a_large_history_costs_a_look_nothing() {
    let (folder, key) = (TempDir::new().expect("a folder"), MasterKey::generate());
    let store = SqliteStore::open(options(&folder, &key)).expect("a store");
    let look = async || {
        let mut best = Duration::MAX;
        for _ in 0..20 {
            let began = Instant::now();
            store.measures(Clock::System.now()).await.expect("measured");
            best = best.min(began.elapsed());
        }
        best
    };
    let empty = look().await;
    let sql = rusqlite::Connection::open(folder.path().join("baton.db")).expect("a database");
    sql.execute_batch(
        "PRAGMA synchronous = OFF;
         INSERT INTO inbox (event_key, body_hash, kind, received_ms, exchange, routing_key, headers, body)
             VALUES (x'00', x'00', 'escalation', 0, '', '', '{}', x'');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO handoff (id, event_key, inbox, connection, session, channel, conversation_key, opening_key, progress, state,
                              status, generation, deadline_ms, accepted_ms, changed_ms)
             SELECT i, i, 1, 'c', i, 'web', x'', x'', 'connected', '{}', 'closed', 1, 0, 0, 0 FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
         INSERT INTO outbox (handoff, message_id, destination, routing_key, kind, correlation, headers, body, stored_ms, ready_ms,
                             confirmed_ms)
             SELECT i / 3, i, 'lifecycle', 'lifecycle.ended', '', '', '{}', zeroblob(300), 0, 0, 0 FROM n;",
    )
    .expect("a large history");
    let large = look().await;
    println!(
        "a look at nothing: {empty:?}; at 100,000 handoffs that have ended and 300,000 events: {large:?}"
    );
    // A scan of either table takes hundreds of times this.
    assert!(large < empty * 20 + Duration::from_millis(5), "{large:?}");
}
