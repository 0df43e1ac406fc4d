//! `baton replies`: what reps wrote, from a channel's queue, as a channel sender would get it.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use clap::builder::PossibleValuesParser;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::duration::duration;
use super::page::{Form, cell, items, note, tame};
use super::topology::diagnosed;
use crate::broker::tap::{Hold, Tap};
use crate::broker::topology::REPLY_CHANNELS;
use crate::broker::{self, Delivery, Names};
use crate::config::Config;

/// Every channel that has a queue.
const ALL: &str = "all";

/// Which replies, and for how long.
#[derive(Debug, Args)]
pub struct Replies {
    /// The contact's channel.
    #[arg(value_parser = channels())]
    channel: String,
    /// Leave the replies in the queue: print what is there now, and end. RabbitMQ counts each look as a delivery.
    #[arg(long, conflicts_with = "wait")]
    peek: bool,
    /// End after so many replies.
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// End when none has come for so long, such as 10s; with --count, fewer are then a failure.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    form: Form,
}

fn channels() -> PossibleValuesParser {
    PossibleValuesParser::new(REPLY_CHANNELS.iter().copied().chain([ALL]))
}

type Arrived = Result<Delivery<Hold>, broker::Error>;

/// Prints replies; each is taken from the queue only once it is printed.
pub async fn run(replies: Replies, config: &Config) -> Result<(), Failure> {
    let channels = match replies.channel.as_str() {
        ALL => REPLY_CHANNELS.to_vec(),
        one => vec![one],
    };
    let way = if replies.peek { Way::Look } else { Way::Take };
    let names = Names::new(&config.broker.prefix);
    let stop = CancellationToken::new();
    let mut taps = vec![];
    for channel in channels {
        let tap = Tap::open(&config.broker.url, &names.replies(channel)).await?;
        taps.push(arriving(tap, way, stop.clone()));
    }
    let wanted = replies.count.unwrap_or(usize::MAX);
    let mut arriving = stream::select_all(taps);
    let mut printed = 0;
    while printed < wanted {
        let next = match replies.wait {
            Some(wait) => timeout(wait, arriving.next()).await.ok().flatten(),
            None => arriving.next().await,
        };
        let Some(delivery) = next else { break };
        let delivery = match delivery {
            Ok(delivery) => delivery,
            Err(error) => return Err(diagnosed(error, config).await),
        };
        let reply = serde_json::from_slice(&delivery.body)
            .unwrap_or_else(|_| String::from_utf8_lossy(&delivery.body).into());
        replies.form.print_item(&reply, text)?;
        match way {
            Way::Look => {}
            Way::Take => delivery.receipt.ack().await?,
        }
        printed += 1;
    }
    stop.cancel();
    while arriving.next().await.is_some() {}
    match replies.count {
        Some(count) if printed < count => {
            Err(anyhow!("{printed} of {count} replies were there").into())
        }
        _ if printed == 0 => {
            note("no reply was there");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether a reply that was printed stays in its queue.
#[derive(Clone, Copy)]
enum Way {
    /// It does; what is there now is all there is.
    Look,
    /// It does not; what comes has no end.
    Take,
}

/// What a queue has, until `stop`; then the queue gets back what was sent ahead.
fn arriving(tap: Tap, way: Way, stop: CancellationToken) -> BoxStream<'static, Arrived> {
    let next = move |mut tap: Tap| {
        let stop = stop.clone();
        async move {
            let next = async {
                match way {
                    Way::Look => tap.get().await.transpose(),
                    Way::Take => Some(tap.next().await),
                }
            };
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                next = next => next,
            };
            match next {
                Some(next) => Some((next, tap)),
                None => {
                    tap.close().await;
                    None
                }
            }
        }
    };
    stream::unfold(tap, next).boxed()
}

/// A reply for people: time, channel, session and place in the handoff, who, and the words; files below.
fn text(event: &Value) -> String {
    let data = &event["data"];
    if data["sequence"].is_null() {
        return format!("not a reply: {}\n", tame(&event.to_string()));
    }
    let rep = match &data["rep"]["name"] {
        Value::Null => cell(&data["rep"]["id"]),
        name => cell(name),
    };
    let [at, channel, session, sequence] =
        ["sent_at", "channel", "session_id", "sequence"].map(|name| cell(&data[name]));
    let said = data["text"].as_str().unwrap_or_default();
    // Further lines begin below the first one's words, so that they cannot pass for another reply.
    let said = said.lines().map(tame).collect::<Vec<_>>().join("\n    ");
    let files: String = items(&data["attachments"])
        .map(|file| {
            let [name, kind, url] = ["name", "content_type", "url"].map(|name| cell(&file[name]));
            format!("    file {name} ({kind}) {url}\n")
        })
        .collect();
    format!("{at}  {channel}  {session}  #{sequence}  {rep}: {said}\n{files}")
}
