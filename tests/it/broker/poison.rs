//! A message that lapin cannot read: it ends our connection whenever it is delivered.

use std::collections::BTreeSet;
use std::io;

use baton::broker::{Declare, Options, topology::Topology};
use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bench::{Bench, numbered, publish, soon, start, until};

/// Every end of a connection counts against the delivery limit of all that is unacked on it. Without care the
/// unreadable message takes its whole neighbourhood with it to the dead letters (measured: all 20 of 20).
#[tokio::test]
async fn a_message_that_nobody_can_read_becomes_a_dead_letter_alone() {
    let bench = Bench::shared().await;
    let (queue, dead) = (bench.names.escalations(), bench.names.dead_letters());
    Topology::new(&bench.prefix)
        .apply(&bench.url, Declare::Declare)
        .await
        .expect("declared");
    let raw = bench.raw().await;
    let channel = raw.create_channel().await.expect("a channel");
    // The same, but with a limit that does not take a minute to reach.
    channel
        .queue_delete(queue.as_str().into(), Default::default())
        .await
        .expect("deleted");
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(4));
    arguments.insert(
        "x-dead-letter-exchange".into(),
        AMQPValue::LongString(bench.names.dead().into()),
    );
    let durable = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    channel
        .queue_declare(queue.as_str().into(), durable, arguments)
        .await
        .expect("a queue");
    let inbound = bench.names.inbound();
    let (exchange, key) = (inbound.as_str().into(), "escalation.#".into());
    channel
        .queue_bind(
            queue.as_str().into(),
            exchange,
            key,
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .expect("bound");

    let (broker, mut deliveries) = start(Options {
        declare: Declare::Check,
        ..bench.options()
    })
    .await;
    broker.pause().await;
    publish(
        &broker,
        numbered(1..=20)
            .iter()
            .map(|id| bench.escalation(id))
            .collect(),
    )
    .await;
    publish_unreadable(&bench, &inbound)
        .await
        .expect("published");
    publish(
        &broker,
        numbered(21..=40)
            .iter()
            .map(|id| bench.escalation(id))
            .collect(),
    )
    .await;
    broker.resume();

    let worker = tokio::spawn(async move {
        let mut stored = BTreeSet::new();
        while let Some(delivery) = deliveries.recv().await {
            if delivery.usable() && delivery.routing_key == "escalation.requested" {
                stored.extend(delivery.message_id.clone());
                delivery.settle();
            }
        }
        stored
    });
    let look = async |queue: &str| {
        let options = QueueDeclareOptions {
            passive: true,
            ..Default::default()
        };
        let found = channel
            .queue_declare(queue.into(), options, FieldTable::default())
            .await
            .expect("a queue");
        found.message_count()
    };
    soon(async { while look(&dead).await == 0 {} }).await;
    until(|| broker.counters().acked.get() >= 40).await;

    // When that has been over for a while, deliveries come in numbers again. These are dropped, so that with a
    // prefetch of one there would be no second.
    let before = broker.counters().delivered.get();
    let dropped = |id| bench.message(bench.names.inbound(), "escalation.dropped", id);
    publish(&broker, vec![dropped("d1"), dropped("d2"), dropped("d3")]).await;
    until(|| broker.counters().delivered.get() == before + 1 + 3).await;
    broker.stop().await;

    assert_eq!(
        soon(worker).await.expect("ends"),
        numbered(1..=40).into_iter().collect()
    );
    // What was dropped goes back a moment after the channel is gone.
    soon(async { while look(&queue).await != 3 {} }).await;
    assert_eq!(look(&dead).await, 1);
}

/// Publishes an escalation whose `type` is not UTF-8. lapin cannot write such a thing, so the frames are ours.
async fn publish_unreadable(bench: &Bench, exchange: &str) -> io::Result<()> {
    let address = bench
        .url
        .expose_secret()
        .rsplit('@')
        .next()
        .expect("an address");
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"AMQP\0\0\x09\x01").await?;
    answer(&mut stream).await?;
    let start_ok = [
        &[0, 10, 0, 11, 0, 0, 0, 0][..],
        &short(b"PLAIN"),
        &[0, 0, 0, 12],
        b"\0guest\0guest",
        &short(b"en_US"),
    ];
    stream.write_all(&frame(1, 0, &start_ok.concat())).await?;
    answer(&mut stream).await?;
    stream
        .write_all(&frame(1, 0, &[0, 10, 0, 31, 7, 255, 0, 2, 0, 0, 0, 0]))
        .await?;
    stream
        .write_all(&frame(
            1,
            0,
            &[&[0, 10, 0, 40][..], &short(b"/"), &[0, 0]].concat(),
        ))
        .await?;
    answer(&mut stream).await?;
    stream.write_all(&frame(1, 1, &[0, 20, 0, 10, 0])).await?;
    answer(&mut stream).await?;
    let publish = [
        &[0, 60, 0, 40, 0, 0][..],
        &short(exchange.as_bytes()),
        &short(b"escalation.requested"),
        &[0],
    ];
    stream.write_all(&frame(1, 1, &publish.concat())).await?;
    let header = [
        &[0, 60, 0, 0][..],
        &2_u64.to_be_bytes(),
        &[0, 0x20],
        &short(b"\xff\xfe"),
    ];
    stream.write_all(&frame(2, 1, &header.concat())).await?;
    stream.write_all(&frame(3, 1, b"{}")).await?;
    // The answer to the close of the channel proves that the broker has read all of it.
    stream
        .write_all(&frame(1, 1, &[0, 20, 0, 40, 0, 200, 0, 0, 0, 0, 0]))
        .await?;
    answer(&mut stream).await
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("a small frame");
    [
        &[kind][..],
        &channel.to_be_bytes(),
        &size.to_be_bytes(),
        payload,
        &[0xce],
    ]
    .concat()
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).expect("a short text")][..], text].concat()
}

async fn answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut header = [0; 7];
    stream.read_exact(&mut header).await?;
    let [_, _, _, size @ ..] = header;
    let mut rest = vec![0; u32::from_be_bytes(size) as usize + 1];
    stream.read_exact(&mut rest).await.map(drop)
}
