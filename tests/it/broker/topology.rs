//! The exchanges, queues and bindings.

use baton::broker::tap::publish_once;
use baton::broker::topology::{Problem, REPLY_CHANNELS, Topology};
use baton::broker::{Broker, Declare, Error, Options};
use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::bench::{Bench, soon, start};

#[tokio::test]
async fn an_import_of_the_definitions_is_the_same_as_declaring() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/rabbitmq/definitions.json"
    );
    let file = std::fs::read_to_string(path).expect("the file");
    let topology = Topology::new("handoff");
    let expected = format!("{:#}\n", topology.definitions());
    assert_eq!(file, expected, "write this to {path}");

    let bench = Bench::shared().await;
    let imported = Bench::ctl(&["import_definitions", path]).await;
    assert!(imported.status.success(), "{imported:?}");
    topology
        .apply(&bench.url, Declare::Check)
        .await
        .expect("all is there");
    topology
        .apply(&bench.url, Declare::Declare)
        .await
        .expect("and as we want it");
}

#[tokio::test]
async fn what_differs_is_named_with_its_argument_and_all_at_once() {
    let bench = Bench::shared().await;
    let raw = bench.raw().await;
    let channel = raw.create_channel().await.expect("a channel");
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(3));
    arguments.insert(
        "x-dead-letter-exchange".into(),
        AMQPValue::LongString(bench.names.dead().into()),
    );
    arguments.insert(
        "x-dead-letter-strategy".into(),
        AMQPValue::LongString("at-least-once".into()),
    );
    arguments.insert(
        "x-overflow".into(),
        AMQPValue::LongString("reject-publish".into()),
    );
    let options = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    let queue = bench.names.escalations();
    channel
        .queue_declare(queue.as_str().into(), options, arguments)
        .await
        .expect("a queue");
    let options = ExchangeDeclareOptions {
        durable: true,
        ..Default::default()
    };
    let exchange = bench.names.outbound();
    channel
        .exchange_declare(
            exchange.as_str().into(),
            ExchangeKind::Direct,
            options,
            FieldTable::default(),
        )
        .await
        .expect("an exchange");

    let Err(Error::Topology(problems)) = soon(Broker::start(bench.options())).await else {
        panic!("it should refuse to run");
    };
    let named: Vec<_> = problems
        .0
        .iter()
        .map(|problem| match problem {
            Problem::Differs {
                object,
                argument,
                difference,
            } => {
                assert!(difference.contains("current is"), "{difference}");
                (object.clone(), argument.as_str())
            }
            Problem::Missing { .. } | Problem::Forbidden { .. } => panic!("{problem}"),
        })
        .collect();
    assert_eq!(
        named,
        [
            (format!("queue {queue}"), "x-delivery-limit"),
            (format!("exchange {exchange}"), "type")
        ]
    );

    // Looking compares nothing.
    let options = Options {
        declare: Declare::Check,
        ..bench.options()
    };
    let (broker, _deliveries) = start(options).await;
    broker.stop().await;
}

#[tokio::test]
async fn looking_creates_nothing_and_names_all_that_is_missing() {
    let bench = Bench::shared().await;
    let topology = Topology::new(&bench.prefix);
    for _ in 0..2 {
        let Err(Error::Topology(problems)) = topology.apply(&bench.url, Declare::Check).await
        else {
            panic!("it should miss everything");
        };
        assert!(
            problems
                .0
                .iter()
                .all(|problem| matches!(problem, Problem::Missing { .. }))
        );
        assert_eq!(problems.0.len(), 3 + 3 + REPLY_CHANNELS.len());
    }
    topology
        .apply(&bench.url, Declare::Declare)
        .await
        .expect("declared");
    topology
        .apply(&bench.url, Declare::Check)
        .await
        .expect("there");
}

#[tokio::test]
async fn what_was_declared_can_be_removed_with_all_that_is_in_it_and_nothing_else() {
    let (bench, other) = (Bench::shared().await, Bench::shared().await);
    let (topology, others) = (Topology::new(&bench.prefix), Topology::new(&other.prefix));
    for topology in [&topology, &others] {
        let declared = topology.apply(&bench.url, Declare::Declare).await;
        declared.expect("declared");
    }
    publish_once(&bench.url, bench.escalation("left behind"))
        .await
        .expect("published");
    for _ in 0..2 {
        topology.remove(&bench.url).await.expect("removed");
    }
    let Err(Error::Topology(problems)) = topology.apply(&bench.url, Declare::Check).await else {
        panic!("it should miss everything");
    };
    assert_eq!(problems.0.len(), 3 + 3 + REPLY_CHANNELS.len());
    let there = others.apply(&bench.url, Declare::Check).await;
    there.expect("what others declared is there");
}

#[tokio::test]
async fn mistakes_end_the_start_and_keep_the_password_to_themselves() {
    let bench = Bench::shared().await;
    for url in [
        "guest:geheim@localhost",
        "amqp:guest:geheim@localhost",
        "http://guest:geheim@localhost",
        "amqp://guest:geheim@[::1]:5672",
    ] {
        let error = start_with(&bench, url).await;
        assert!(matches!(error, Error::Url), "{error}");
        assert!(!format!("{error} {error:?}").contains("geheim"));
    }
    let port = secrecy::ExposeSecret::expose_secret(&bench.url)
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    for url in [
        format!("amqp://guest:geheim@127.0.0.1:{port}"),
        format!("amqp://127.0.0.1:{port}/nowhere"),
    ] {
        let error = start_with(&bench, &url).await;
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("geheim"));
    }
    if cfg!(not(feature = "amqps")) {
        let error = start_with(&bench, "amqps://guest:geheim@localhost").await;
        assert!(error.to_string().contains("--features amqps"), "{error}");
    }
}

async fn start_with(bench: &Bench, url: &str) -> Error {
    let options = Options {
        url: url.to_owned().into(),
        ..bench.options()
    };
    soon(Broker::start(options))
        .await
        .map(drop)
        .expect_err("a mistake")
}
