//! Publishing: what counts as published, and what does not.

use std::collections::BTreeSet;
use std::time::Duration;

use baton::broker::tap::{PublishOnceError, publish_once};
use baton::broker::{Broker, Header, Mandatory, Options, Properties, PublishError};
use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::bench::{Bench, numbered, peek, publish, soon};

#[tokio::test]
async fn a_message_arrives_with_everything_that_belongs_to_it() {
    let bench = Bench::shared().await;
    let (broker, _deliveries) = bench.broker().await;
    let mut message = bench.reply("web", "m1");
    message.properties = Properties {
        content_type: Some("application/cloudevents+json".to_owned()),
        correlation_id: Some("session".to_owned()),
        kind: Some("handoff.reply.v1".to_owned()),
        timestamp: Some(1_795_000_000),
        app_id: Some("baton".to_owned()),
        headers: [
            ("traceparent".to_owned(), Header::from("00-4bf9-00f0-01")),
            ("x-handoff-attempts".to_owned(), Header::Number(4)),
            ("x-flag".to_owned(), Header::Flag(true)),
            ("x-real".to_owned(), Header::Real(0.5)),
            (
                "x-list".to_owned(),
                Header::List(vec![Header::from("a"), Header::Nothing]),
            ),
            (
                "x-table".to_owned(),
                Header::Table([("b".to_owned(), Header::Time(7))].into()),
            ),
            ("x-bytes".to_owned(), Header::Bytes(vec![0, 255])),
        ]
        .into(),
    };
    publish(&broker, vec![message.clone()]).await;

    let mut tap = bench.tap(&bench.names.replies("web")).await;
    let arrived = soon(tap.next()).await.expect("a reply");
    assert_eq!(arrived.message_id, Some(message.message_id));
    assert_eq!(arrived.properties, message.properties);
    assert_eq!(arrived.body, message.body);
    assert_eq!(
        (arrived.exchange, arrived.routing_key),
        (message.exchange, message.routing_key)
    );
    assert!(!arrived.redelivered);
    arrived.receipt.ack().await.expect("acked");
    tap.close().await;
    broker.stop().await;
}

/// lapin attaches a returned message to whichever confirm resolves next, and says `Ack` of the unroutable one.
#[tokio::test]
async fn an_unroutable_message_fails_itself_and_no_neighbour() {
    let bench = Bench::shared().await;
    let (broker, _deliveries) = bench.broker().await;
    let batch: Vec<_> = (0..4000)
        .map(|number| {
            let channel = if number % 10 == 3 { "pigeon" } else { "web" };
            bench.reply(channel, &format!("m{number}"))
        })
        .collect();

    let (whole, parts) = batch.split_at(2000);
    let (whole, parts) = tokio::join!(broker.publish(whole.to_vec()), async {
        let mut outcomes = vec![];
        for part in parts.chunks(200) {
            outcomes.extend(broker.publish(part.to_vec()).await);
        }
        outcomes
    });

    for (message, outcome) in batch.iter().zip(whole.into_iter().chain(parts)) {
        let expected = if message.routing_key == "reply.pigeon" {
            Err(PublishError::Unroutable)
        } else {
            Ok(())
        };
        assert_eq!(outcome, expected, "{}", message.message_id);
    }
    assert_eq!(broker.counters().returned.get(), 400);
    assert_eq!(broker.counters().confirmed.get(), 3600);
    broker.stop().await;
}

#[tokio::test]
async fn a_lifecycle_event_that_nobody_wants_is_published_all_the_same() {
    let bench = Bench::shared().await;
    let (broker, _deliveries) = bench.broker().await;
    let mut event = bench.message(bench.names.outbound(), "lifecycle.accepted", "m1");
    event.mandatory = Mandatory::No;
    assert_eq!(broker.publish(vec![event]).await, [Ok(())]);
    broker.stop().await;
}

#[tokio::test]
async fn an_upstream_message_that_nobody_knows_becomes_a_dead_letter() {
    let bench = Bench::shared().await;
    let (broker, _deliveries) = bench.broker().await;
    publish(
        &broker,
        vec![bench.message(bench.names.inbound(), "misspelt.key", "m1")],
    )
    .await;
    assert_eq!(peek(&bench, &bench.names.dead_letters()).await, ["m1"]);
    broker.stop().await;
}

#[tokio::test]
async fn what_a_full_queue_refuses_is_nacked_and_the_rest_is_there() {
    let bench = Bench::shared().await;
    let (broker, _deliveries) = bench.broker().await;
    let raw = bench.raw().await;
    let channel = raw.create_channel().await.expect("a channel");
    let queue = format!("{}.small", bench.prefix);
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(2));
    arguments.insert(
        "x-overflow".into(),
        AMQPValue::LongString("reject-publish".into()),
    );
    let options = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    channel
        .queue_declare(queue.as_str().into(), options, arguments)
        .await
        .expect("a small queue");
    let (exchange, key) = (bench.names.outbound(), "reply.small".into());
    channel
        .queue_bind(
            queue.as_str().into(),
            exchange.into(),
            key,
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .expect("bound");

    let names = numbered(1..=40);
    let mut kept = BTreeSet::new();
    let mut nacked = 0;
    for part in names.chunks(10) {
        let outcomes = broker
            .publish(part.iter().map(|id| bench.reply("small", id)).collect())
            .await;
        for (id, outcome) in part.iter().zip(outcomes) {
            match outcome {
                Ok(()) => drop(kept.insert(id.clone())),
                Err(error) => {
                    assert_eq!(error, PublishError::Nacked);
                    nacked += 1;
                }
            }
        }
    }
    assert!(nacked >= 20, "{nacked}");
    assert_eq!(broker.counters().nacked.get(), nacked);
    assert_eq!(
        peek(&bench, &queue)
            .await
            .into_iter()
            .collect::<BTreeSet<_>>(),
        kept
    );
    broker.stop().await;
}

#[tokio::test]
async fn what_amqp_cannot_carry_fails_alone() {
    let bench = Bench::shared().await;
    let (broker, _deliveries) = bench.broker().await;
    let mut long = bench.reply("web", "m2");
    long.properties.correlation_id = Some("s".repeat(256));
    let outcomes = broker
        .publish(vec![
            bench.reply("web", "m1"),
            long,
            bench.reply("web", "m3"),
        ])
        .await;
    assert_eq!(
        outcomes,
        [
            Ok(()),
            Err(PublishError::Unsendable {
                field: "the correlation id"
            }),
            Ok(())
        ]
    );
    assert_eq!(broker.state().borrow().epoch, 1);
    broker.stop().await;
}

#[tokio::test]
async fn a_publish_without_a_broker_waits_its_time_and_says_so() {
    let nowhere = Bench::on("amqp://guest:guest@127.0.0.1:1".to_owned().into());
    let options = Options {
        publish_timeout: Duration::from_millis(50),
        ..nowhere.options()
    };
    let (broker, _deliveries) = soon(Broker::start(options))
        .await
        .expect("starts and tries again");
    let outcomes = soon(broker.publish(vec![nowhere.reply("web", "m1")])).await;
    assert_eq!(outcomes, [Err(PublishError::Disconnected)]);
    let error = broker.state().borrow().error.clone().expect("a reason");
    assert!(
        error.contains("127.0.0.1:1") && !error.contains("guest"),
        "{error}"
    );
    soon(broker.stop()).await;
}

#[tokio::test]
async fn a_caller_that_stops_waiting_leaves_the_lane_in_order() {
    let bench = Bench::shared().await;
    let (broker, _deliveries) = super::bench::start(Options {
        lanes: 1,
        ..bench.options()
    })
    .await;
    let batch: Vec<_> = numbered(1..=200)
        .iter()
        .map(|id| bench.reply("sms", id))
        .collect();
    for _ in 0..5 {
        let mut impatient = Box::pin(broker.publish(batch.clone()));
        assert!(futures_util::poll!(&mut impatient).is_pending());
        drop(impatient);
    }
    publish(&broker, vec![bench.reply("phone", "m1")]).await;
    assert_eq!(broker.state().borrow().epoch, 1);
    broker.stop().await;
}

#[tokio::test]
async fn a_tool_publishes_one_message_and_hears_what_became_of_it() {
    let bench = Bench::shared().await;
    let (broker, _deliveries) = bench.broker().await;
    publish_once(&bench.url, bench.reply("web", "m1"))
        .await
        .expect("published");
    let lost = publish_once(&bench.url, bench.reply("pigeon", "m2")).await;
    assert!(
        matches!(
            lost,
            Err(PublishOnceError::Message(PublishError::Unroutable))
        ),
        "{lost:?}"
    );
    assert_eq!(peek(&bench, &bench.names.replies("web")).await, ["m1"]);
    broker.stop().await;
}
