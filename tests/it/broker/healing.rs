//! Lost connections, killed brokers, deleted queues, alarms: what must heal, and what must not be lost meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use baton::broker::node::PrivateNode;
use baton::broker::{Inbound, Options, PublishError};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::bench::{Bench, Wire, becomes, numbered, peek, publish, soon, start, take, until};

/// A RabbitMQ to be harmed, by one test at a time.
async fn fragile() -> MutexGuard<'static, PrivateNode> {
    static NODE: OnceCell<Mutex<PrivateNode>> = OnceCell::const_new();
    let node = NODE.get_or_init(|| async {
        Mutex::new(
            PrivateNode::start(|_| ())
                .await
                .expect("a RabbitMQ to be harmed"),
        )
    });
    node.await.lock().await
}

#[tokio::test]
async fn what_was_unsettled_comes_again_after_a_lost_connection() {
    let bench = Bench::shared().await;
    let wire = Wire::to(&bench.url).await;
    let (broker, mut deliveries) = start(Options {
        url: wire.url.clone(),
        ..bench.options()
    })
    .await;
    publish(
        &broker,
        numbered(1..=3)
            .iter()
            .map(|id| bench.escalation(id))
            .collect(),
    )
    .await;
    let mut taken = take(&mut deliveries, 3).await;
    taken.remove(0).settle();
    until(|| broker.counters().acked.get() == 1).await;

    wire.cut();
    becomes(&broker, |state| state.epoch == 2 && state.taking).await;

    assert!(taken.iter().all(|delivery| !delivery.usable()));
    for id in ["m2", "m3"] {
        let again = take(&mut deliveries, 1).await.remove(0);
        assert_eq!(again.message_id.as_deref(), Some(id));
        assert!(again.redelivered && again.usable());
        again.settle();
    }
    assert_eq!(broker.counters().reconnects.get(), 1);
    broker.stop().await;
    assert!(peek(&bench, &bench.names.escalations()).await.is_empty());
}

#[tokio::test]
async fn a_publish_without_a_confirm_times_out_and_the_connection_is_made_anew() {
    let bench = Bench::shared().await;
    let wire = Wire::to(&bench.url).await;
    let options = Options {
        url: wire.url.clone(),
        publish_timeout: Duration::from_millis(500),
        ..bench.options()
    };
    let (broker, _deliveries) = start(options).await;

    wire.stall();
    let outcomes = soon(broker.publish(vec![bench.reply("web", "m1")])).await;
    assert_eq!(outcomes, [Err(PublishError::TimedOut)]);
    becomes(&broker, |state| state.epoch == 2 && state.up).await;
    publish(&broker, vec![bench.reply("web", "m1")]).await;
    assert_eq!(broker.counters().timed_out.get(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn a_queue_that_is_deleted_under_us_is_made_anew_and_taken_from() {
    let bench = Bench::shared().await;
    let (broker, mut deliveries) = bench.broker().await;
    let raw = bench.raw().await;
    let channel = raw.create_channel().await.expect("a channel");
    let queue = bench.names.escalations();
    channel
        .queue_delete(queue.as_str().into(), Default::default())
        .await
        .expect("deleted");

    becomes(&broker, |state| state.epoch == 2 && state.taking).await;
    publish(&broker, vec![bench.escalation("m1")]).await;
    take(&mut deliveries, 1).await.remove(0).settle();
    broker.stop().await;
}

#[tokio::test]
async fn nothing_confirmed_is_lost_when_the_broker_is_killed_in_full_work() {
    let mut node = fragile().await;
    let bench = Bench::on(node.url());
    let (broker, mut deliveries) = bench.broker().await;

    let seen = Arc::new(AtomicUsize::new(0));
    let ledger = Arc::clone(&seen);
    let worker = tokio::spawn(async move {
        let mut stored = BTreeSet::new();
        while let Some(delivery) = deliveries.recv().await {
            if delivery.usable() {
                stored.extend(delivery.message_id.clone());
                ledger.store(stored.len(), Ordering::Relaxed);
            }
            delivery.settle();
        }
        stored
    });
    let ids: Vec<_> = numbered(1..=4000);
    let upstream = {
        let (broker, batch): (_, Vec<_>) = (
            broker.clone(),
            ids.iter().map(|id| bench.escalation(id)).collect(),
        );
        tokio::spawn(async move {
            let mut failed = 0;
            for part in batch.chunks(50) {
                let mut rest = part.to_vec();
                while !rest.is_empty() {
                    let mut outcomes = broker.publish(rest.clone()).await.into_iter();
                    rest.retain(|_| outcomes.next().is_some_and(|outcome| outcome.is_err()));
                    failed += rest.len();
                }
            }
            failed
        })
    };

    until(|| seen.load(Ordering::Relaxed) > 500).await;
    node.kill().await.expect("killed");
    becomes(&broker, |state| !state.up).await;
    node.restart(|_| ()).await.expect("started again");
    let failed = soon(upstream).await.expect("publishes all");
    assert!(failed > 0, "the kill should have met a batch");
    until(|| seen.load(Ordering::Relaxed) == ids.len()).await;

    broker.stop().await;
    let stored = soon(worker).await.expect("ends");
    assert_eq!(stored, ids.into_iter().collect());
    assert!(peek(&bench, &bench.names.escalations()).await.is_empty());
}

#[tokio::test]
async fn a_memory_alarm_holds_up_publishing_but_no_acks() {
    let node = fragile().await;
    let bench = Bench::on(node.url());
    let options = Options {
        consume: vec![Inbound::Escalations],
        publish_timeout: Duration::from_millis(500),
        ..bench.options()
    };
    let (broker, mut deliveries) = start(options).await;
    publish(
        &broker,
        numbered(1..=60)
            .iter()
            .map(|id| bench.escalation(id))
            .collect(),
    )
    .await;
    let held = take(&mut deliveries, 60).await;

    node.ctl(&["set_vm_memory_high_watermark", "0.000001"])
        .await
        .expect("an alarm");
    let during = soon(broker.publish(vec![bench.reply("web", "m1")])).await;
    assert_eq!(
        during,
        [Err(PublishError::TimedOut)],
        "the first learns of it"
    );
    becomes(&broker, |state| state.blocked.is_some()).await;
    let after = soon(broker.publish(vec![bench.reply("web", "m2")])).await;
    assert_eq!(
        after,
        [Err(PublishError::Blocked)],
        "the second is not sent"
    );

    held.into_iter().for_each(|delivery| delivery.settle());
    until(|| broker.counters().acked.get() == 60).await;
    assert!(broker.state().borrow().blocked.is_some());

    node.ctl(&["set_vm_memory_high_watermark", "absolute", "2GB"])
        .await
        .expect("no alarm");
    becomes(&broker, |state| state.blocked.is_none()).await;
    publish(&broker, vec![bench.reply("web", "m2")]).await;
    assert_eq!(
        broker.state().borrow().epoch,
        1,
        "no connection was given up"
    );
    broker.stop().await;
    // What was caught by the alarm went out when it was over.
    assert_eq!(
        peek(&bench, &bench.names.replies("web")).await,
        ["m1", "m2"]
    );
    assert!(peek(&bench, &bench.names.escalations()).await.is_empty());
}
