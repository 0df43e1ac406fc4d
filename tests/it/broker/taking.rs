//! Deliveries and their acks.

use baton::broker::{Inbound, Options};

use super::bench::{Bench, ids, numbered, peek, publish, start, take, until};

#[tokio::test]
async fn an_unsettled_delivery_holds_back_the_acks_of_all_later_ones() {
    let bench = Bench::shared().await;
    let (broker, mut deliveries) = bench.broker().await;
    publish(
        &broker,
        numbered(1..=10)
            .iter()
            .map(|id| bench.escalation(id))
            .collect(),
    )
    .await;

    let mut taken = take(&mut deliveries, 10).await;
    assert_eq!(ids(&taken), numbered(1..=10));
    let third = taken.remove(2);
    taken.into_iter().for_each(|delivery| delivery.settle());
    until(|| broker.counters().acked.get() == 2).await;

    drop(third);
    broker.pause().await;
    assert_eq!(broker.counters().acked.get(), 2);
    assert_eq!(
        peek(&bench, &bench.names.escalations()).await,
        numbered(3..=10)
    );
    broker.stop().await;
}

#[tokio::test]
async fn deliveries_settled_in_any_order_are_all_acked() {
    let bench = Bench::shared().await;
    let (broker, mut deliveries) = bench.broker().await;
    publish(
        &broker,
        numbered(1..=120)
            .iter()
            .map(|id| bench.escalation(id))
            .collect(),
    )
    .await;

    let taken = take(&mut deliveries, 120).await;
    taken
        .into_iter()
        .rev()
        .for_each(|delivery| delivery.settle());

    until(|| broker.counters().acked.get() == 120).await;
    broker.stop().await;
    assert!(peek(&bench, &bench.names.escalations()).await.is_empty());
}

#[tokio::test]
async fn a_dropped_delivery_is_not_acked_and_comes_again_with_the_next_channel() {
    let bench = Bench::shared().await;
    let (broker, mut deliveries) = bench.broker().await;
    publish(&broker, vec![bench.escalation("m1")]).await;

    drop(take(&mut deliveries, 1).await);
    broker.pause().await;
    broker.resume();

    let again = take(&mut deliveries, 1).await.remove(0);
    assert!(again.redelivered);
    assert_eq!(broker.counters().acked.get(), 0);
    broker.stop().await;
}

#[tokio::test]
async fn a_pause_leaves_the_backlog_in_the_queue_in_order() {
    let bench = Bench::shared().await;
    let (broker, mut deliveries) = start(Options {
        prefetch: 4,
        ..bench.options()
    })
    .await;
    publish(
        &broker,
        numbered(1..=10)
            .iter()
            .map(|id| bench.contact_event(id))
            .collect(),
    )
    .await;

    let mut taken = take(&mut deliveries, 4).await;
    taken.remove(0).settle();
    drop(taken);
    broker.pause().await;
    assert!(deliveries.try_recv().is_err());

    broker.resume();
    for id in numbered(2..=10) {
        let next = take(&mut deliveries, 1).await.remove(0);
        assert_eq!(next.message_id, Some(id));
        next.settle();
    }
    broker.pause().await;
    assert_eq!(broker.counters().acked.get(), 10);
    broker.stop().await;
}

#[tokio::test]
async fn a_receipt_of_a_channel_that_is_gone_acks_nothing_and_is_counted() {
    let bench = Bench::shared().await;
    let (broker, mut deliveries) = start(Options {
        prefetch: 1,
        ..bench.options()
    })
    .await;
    publish(&broker, vec![bench.escalation("m1")]).await;
    let stale = take(&mut deliveries, 1).await.remove(0);
    assert!(stale.usable());

    // The connection goes while the delivery is being stored.
    let raw = bench.raw().await;
    let channel = raw.create_channel().await.expect("a channel");
    let queue = bench.names.contact_events();
    channel
        .queue_delete(queue.as_str().into(), Default::default())
        .await
        .expect("deleted");
    let again = take(&mut deliveries, 1).await.remove(0);

    assert!(!stale.usable());
    stale.settle();
    assert_eq!(broker.counters().acks_lost.get(), 1);
    assert!(again.redelivered && again.usable());
    broker.stop().await;
}

#[tokio::test]
async fn a_worker_that_stops_hands_over_what_contacts_did_in_order() {
    let bench = Bench::shared().await;
    let options = Options {
        consume: vec![Inbound::ContactEvents],
        prefetch: 5,
        ..bench.options()
    };
    let (first, mut from_first) = start(options.clone()).await;
    publish(
        &first,
        numbered(1..=12)
            .iter()
            .map(|id| bench.contact_event(id))
            .collect(),
    )
    .await;
    let mut held = take(&mut from_first, 5).await;
    let (second, mut from_second) = start(options).await;

    // It has stored two, holds three, and more are on their way to it when it is told to stop.
    held.drain(..2).for_each(|delivery| delivery.settle());
    drop((held, from_first));
    first.stop().await;

    let mut seen = vec![];
    while seen.len() < 10 {
        let next = take(&mut from_second, 1).await.remove(0);
        seen.extend(next.message_id.clone());
        next.settle();
    }
    assert_eq!(seen, numbered(3..=12));
    second.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_what_is_being_stored() {
    let bench = Bench::shared().await;
    let (broker, mut deliveries) = bench.broker().await;
    publish(&broker, vec![bench.escalation("m1")]).await;
    let being_stored = take(&mut deliveries, 1).await.remove(0);

    let state = broker.state();
    let stopping = tokio::spawn(broker.stop());
    being_stored.settle();
    stopping.await.expect("stops");

    assert!(deliveries.recv().await.is_none());
    assert!(!state.borrow().up);
    assert!(peek(&bench, &bench.names.escalations()).await.is_empty());
}

#[tokio::test]
async fn a_message_that_is_given_back_too_often_becomes_a_dead_letter() {
    let bench = Bench::shared().await;
    let (broker, deliveries) = start(Options {
        consume: vec![],
        ..bench.options()
    })
    .await;
    drop(deliveries);
    publish(&broker, vec![bench.escalation("m1")]).await;

    let mut looks = 0;
    while peek(&bench, &bench.names.escalations()).await == ["m1"] {
        looks += 1;
    }
    assert_eq!(looks, 11, "a limit of 10 means 11 deliveries");

    let mut dead = bench.tap(&bench.names.dead_letters()).await;
    let letter = super::bench::soon(dead.next())
        .await
        .expect("a dead letter");
    assert_eq!(letter.message_id.as_deref(), Some("m1"));
    assert_eq!(letter.routing_key, "escalation.requested");
    assert!(letter.properties.headers.contains_key("x-death"));
    letter.receipt.ack().await.expect("acked");
    dead.close().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_dead_letter_survives_any_number_of_looks() {
    let bench = Bench::shared().await;
    let (broker, _deliveries) = bench.broker().await;
    let dead = |id| bench.message(bench.names.dead(), "permanent.bad-credentials", id);
    publish(&broker, vec![dead("m1"), dead("m2")]).await;

    for _ in 0..30 {
        assert_eq!(
            peek(&bench, &bench.names.dead_letters()).await,
            ["m1", "m2"]
        );
    }
    let mut tap = bench.tap(&bench.names.dead_letters()).await;
    for _ in 0..30 {
        let letter = tap.get().await.expect("a look").expect("a dead letter");
        letter.receipt.requeue().await.expect("requeued");
    }
    tap.close().await;
    let mut left = peek(&bench, &bench.names.dead_letters()).await;
    left.sort();
    assert_eq!(left, ["m1", "m2"]);
    broker.stop().await;
}
