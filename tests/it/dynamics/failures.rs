//! Every call × every fault: whatever the org does, there is one of each thing in the end.

use std::collections::BTreeMap;

use baton::domain::handoff::{Ending, Status};
use baton::sim::dynamics::ledger::Kind;
use baton::sim::dynamics::{Contact, Options, Org, call};
use baton::sim::faults::{Fault, Nth, What};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::CONNECTION;
use super::journey::Bench;

const CALLS: [&str; 6] = [
    call::TOKEN,
    call::FIND_CONTACTS,
    call::CREATE_WORK_ITEM,
    call::CREATE_CONTEXT_ITEM,
    call::CREATE_TRANSCRIPT,
    call::CREATE_NOTE,
];

fn faults() -> Vec<Fault> {
    let whats = [
        What::status(500),
        What::status(503),
        What::RateLimited { retry_after: None },
        What::RateLimited {
            retry_after: Some("1".into()),
        },
        What::Unauthorized,
        What::Hang,
        What::Cut,
        What::Garbage,
        What::Slow { millis: 50 },
    ];
    let whats = whats.into_iter();
    whats
        .flat_map(|what| [Fault::before(what.clone()), Fault::after(what)])
        .collect()
}

fn with_contact() -> (Options, Value) {
    let email = "dana@example.com";
    let contact = Contact {
        id: "44444444-4444-4444-4444-444444444444".into(),
        email: email.into(),
        state: 0,
    };
    let options = Options {
        contacts: vec![contact],
        ..Options::default()
    };
    let change = json!({ "contact": { "name": "Dana", "phone": "+14155550123", "email": email, "verified": true } });
    (options, change)
}

/// How many rows there are of each kind that we make.
fn made(org: &Org) -> BTreeMap<Kind, usize> {
    let ledger = org.ledger();
    let mut counts = BTreeMap::new();
    for row in &ledger.rows {
        assert_eq!(row.changes, 0, "the first body stands: {row:?}");
        *counts.entry(row.kind).or_default() += 1;
    }
    counts.remove(&Kind::Workstream);
    counts.remove(&Kind::Contact);
    counts
}

fn one_of_each() -> BTreeMap<Kind, usize> {
    // The note that the rep reads, and the transcript's file.
    [
        (Kind::WorkItem, 1),
        (Kind::ContextItem, 3),
        (Kind::Transcript, 1),
        (Kind::Note, 2),
    ]
    .into()
}

async fn walk(nth: Nth, call: &str, fault: &Fault) {
    let (options, change) = with_contact();
    let bench = Bench::on(Org::start(options).await.expect("an org"), &[]).await;
    bench.org.faults().fail(call, nth, fault.clone());
    let row = bench.escalate("s-1", change).await;
    bench.run().await;
    let status = bench.handoff(row).await.status;
    let (why, close_at) = (Ending::HandedOver, None);
    assert_eq!(
        status,
        Status::Closed { why, close_at },
        "{call} {nth:?} {fault:?}"
    );
    assert_eq!(made(&bench.org), one_of_each(), "{call} {nth:?} {fault:?}");
    assert!(
        !bench.org.faults().fired().is_empty(),
        "{call} {nth:?} {fault:?}"
    );
}

#[tokio::test]
async fn a_fault_in_any_call_leaves_one_of_each() {
    for call in CALLS {
        let mut walks = Vec::new();
        for fault in faults() {
            // Entra does not refuse tokens, it refuses credentials: nothing but a human helps.
            if (call, &fault.what) == (call::TOKEN, &What::Unauthorized) {
                continue;
            }
            walks.push(async move { walk(Nth::Only(1), call, &fault).await });
        }
        join_all(walks).await;
    }
}

#[tokio::test]
async fn a_lost_response_in_the_middle_of_a_step_leaves_one_of_each() {
    for (call, times) in [
        (call::CREATE_CONTEXT_ITEM, 2..=3),
        (call::CREATE_NOTE, 2..=2),
    ] {
        for nth in times {
            walk(Nth::Only(nth), call, &Fault::after(What::Cut)).await;
        }
    }
    for call in CALLS {
        walk(Nth::Next(3), call, &Fault::after(What::Cut)).await;
    }
}

#[tokio::test]
async fn a_fault_that_stays_is_a_dead_letter_and_a_replay_leaves_one_of_each() {
    for call in [
        call::TOKEN,
        call::CREATE_WORK_ITEM,
        call::CREATE_CONTEXT_ITEM,
        call::CREATE_NOTE,
    ] {
        let (options, change) = with_contact();
        let bench = Bench::on(Org::start(options).await.expect("an org"), &[]).await;
        bench
            .org
            .faults()
            .fail(call, Nth::Every, Fault::after(What::status(503)));
        let row = bench.escalate("s-1", change).await;
        bench.run().await;
        let handoff = bench.handoff(row).await;
        assert!(
            matches!(handoff.status, Status::DeadLettered { .. }),
            "{call}: {:?}",
            handoff.status
        );
        bench.org.faults().heal();
        let now = bench.clock.now();
        let deadline = baton::domain::clock::after(now, bench.worker.policy.deadline);
        let replayed = bench.worker.store.replay(row, deadline, "test", now).await;
        assert!(replayed.expect("a replay"));
        bench.run().await;
        let status = bench.handoff(row).await.status;
        assert!(
            matches!(
                status,
                Status::Closed {
                    why: Ending::HandedOver,
                    ..
                }
            ),
            "{call}: {status:?}"
        );
        assert_eq!(made(&bench.org), one_of_each(), "{call}");
    }
}

#[tokio::test]
async fn many_handoffs_through_random_faults_leave_one_of_each() {
    for seed in 0..4 {
        let bench = Bench::new().await;
        bench.org.faults().random(seed, 0.15);
        let mut rows = Vec::new();
        for number in 0..20 {
            rows.push(bench.escalate(&format!("s-{number}"), json!({})).await);
        }
        bench.run().await;
        bench.org.faults().heal();
        let connection = CONNECTION.into();
        bench.worker.store.reopen(&connection).await.expect("open");
        for row in rows {
            let now = bench.clock.now();
            let deadline = baton::domain::clock::after(now, bench.worker.policy.deadline);
            bench
                .worker
                .store
                .replay(row, deadline, "test", now)
                .await
                .expect("a replay");
            bench.run().await;
            let status = bench.handoff(row).await.status;
            assert!(
                matches!(
                    status,
                    Status::Closed {
                        why: Ending::HandedOver,
                        ..
                    }
                ),
                "SEED={seed}: {status:?}"
            );
        }
        let expected = one_of_each()
            .into_iter()
            .map(|(kind, count)| (kind, count * 20));
        assert_eq!(made(&bench.org), expected.collect(), "SEED={seed}");
    }
}
