//! Traces: a handoff is one trace from its escalation to its last reply, and no collector holds anything up.

mod collector;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use baton::broker::Header;
use baton::domain::trace::TraceContext;
use baton::metrics::Metrics;
use baton::sim::faults::{Fault, Nth, What};
use baton::sim::salesforce::call;
use baton::traces::{Exporter, Options, Span, Traces};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::collector::{Answers, Collector, Seen};
use crate::broker::bench::{soon, until};
use crate::example;
use crate::world::{Setup, Told, World, struck};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const STEPS: [&str; 5] = [
    "identity-token",
    "access-token",
    "transcript",
    "create-conversation",
    "opening-message",
];

async fn world(url: &str) -> World {
    let setting = format!("traces = \"{url}\"");
    let mut world = Setup::shared()
        .await
        .with("telemetry", &setting)
        .build()
        .await;
    world.start().await;
    world
}

impl World {
    /// Publishes an escalation under a context.
    async fn escalate_under(&self, event: &Value, parent: &str, state: &str) {
        let headers = BTreeMap::from([
            ("traceparent".to_owned(), Header::from(parent)),
            ("tracestate".to_owned(), Header::from(state)),
        ]);
        let body = event.to_string().into_bytes();
        self.publish_bytes(body, "escalation.requested", headers)
            .await;
    }

    async fn contact_says(&self, session: &str, id: &str, text: &str) {
        let event = json!({
            "specversion": "1.0", "type": "handoff.contact.message.v1", "source": "/channels", "id": format!("{session}-{id}"),
            "time": "2026-11-20T14:10:00Z", "subject": session,
            "data": { "session_id": session, "message": { "id": id, "at": "2026-11-20T14:10:00Z", "text": text } },
        });
        let body = event.to_string().into_bytes();
        self.publish_bytes(body, "contact.message", BTreeMap::new())
            .await;
    }

    /// How many spans the worker says that it has lost.
    async fn dropped(&self) -> u64 {
        let page = reqwest::get(format!("{}/metrics", self.address()));
        let page = page.await.expect("an answer").text().await.expect("text");
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("baton_spans_dropped_total "));
        line.expect("the metric").parse().expect("a number")
    }
}

/// The trace id of each thing that was published about a session.
fn published(told: &[Told]) -> BTreeSet<String> {
    told.iter()
        .map(|it| it.headers["traceparent"][3..35].to_owned())
        .collect()
}

fn names(spans: &[Seen]) -> Vec<&str> {
    let mut names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_an_escalation_goes_through_every_step_to_every_reply() {
    let collector = Collector::start(Answers::Takes).await;
    let mut world = world(&collector.url).await;
    let (session, escalation) = ("traced", world.escalation("traced", "sms"));
    let parent = format!("00-{TRACE}-{PARENT}-01");
    world.escalate_under(&escalation, &parent, "acme=1").await;
    let live = world.heard.until_one(session, "lifecycle.live").await;
    let conversation = live["data"]["conversation_id"].as_str().expect("an id");
    let rep = world.org.rep(conversation);
    rep.joins();
    rep.types();
    rep.says("It is on its way back to you.");
    world.heard.until_one(session, "reply.sms").await;
    world
        .contact_says(session, "wamid.14155550123", "thank you so much")
        .await;
    let delivered = "lifecycle.contact_message_delivered";
    world.heard.until_one(session, delivered).await;
    rep.ends();
    world.heard.until_one(session, "lifecycle.ended").await;
    collector.until(session, "close").await;
    world.stop().await;

    let spans = collector.of(session);
    let mut expected = STEPS.to_vec();
    expected.extend(["accept", "close", "contact-message", "reply"]);
    expected.sort_unstable();
    assert_eq!(names(&spans), expected);
    for span in &spans {
        let place = (&*span.trace, &*span.parent, &*span.state);
        assert_eq!(place, (TRACE, PARENT, "acme=1"), "{span:?}");
        assert_eq!(span.attribute("baton.connection"), "acme-salesforce");
        assert_eq!(span.attribute("baton.desk"), "salesforce", "{span:?}");
        let handoff = live["data"]["handoff_id"].as_str().expect("an id");
        assert_eq!(span.attribute("baton.handoff.id"), handoff, "{span:?}");
        assert!(!span.has_failed);
    }
    for (number, step) in (1..).zip(STEPS) {
        let span = spans.iter().find(|it| it.name == step).expect("the step");
        assert_eq!(span.attribute("baton.attempt"), number.to_string());
        assert_eq!(span.attribute("baton.outcome"), "done");
    }
    assert_eq!(collector.about()["service.name"], "baton");

    let told = world.heard.of(session);
    assert_eq!(published(&told), BTreeSet::from([TRACE.to_owned()]));
    for it in &told {
        assert_eq!(it.headers["tracestate"], "acme=1", "{}", it.routing_key);
        let span = &it.headers["traceparent"][36..];
        // What the channel does with a reply hangs on the span in which that was published.
        let expected = match &*it.routing_key {
            "reply.sms" => {
                let reply = spans.iter().find(|it| it.name == "reply").expect("a reply");
                assert_eq!(reply.attribute("baton.reply.id"), it.message_id);
                assert_eq!(reply.attribute("baton.reply.sequence"), "1");
                format!("{}-01", reply.span)
            }
            _ => format!("{PARENT}-01"),
        };
        assert_eq!(span, expected, "{}", it.routing_key);
    }
    assert!(told.iter().any(|it| it.routing_key == "lifecycle.typing"));

    let phone = escalation["data"]["contact"]["phone"]
        .as_str()
        .expect("one");
    for private in [
        phone,
        "4155550123",
        "Dana",
        "charged",
        "on its way",
        "thank",
    ] {
        for span in &spans {
            let attributes = format!("{:?}", span.attributes);
            assert!(!attributes.contains(private), "{private} in {attributes}");
        }
    }
}

/// `tests/peers/collector.sh` names a collector that others wrote, and looks at what that has got.
#[tokio::test(flavor = "multi_thread")]
async fn a_handoff_without_a_context_is_a_trace_of_its_own() {
    let collector = Collector::start(Answers::Takes).await;
    let named = std::env::var("BATON_COLLECTOR").ok();
    let mut world = world(named.as_deref().unwrap_or(&collector.url)).await;
    let conversation = world.goes_live("alone", "web").await;
    world.org.rep(&conversation).says("Hello");
    world.heard.until_one("alone", "reply.web").await;
    world.stop().await;
    let told = published(&world.heard.of("alone"));
    assert_eq!(told.len(), 1, "{told:?}");
    let trace = told.first().expect("one");
    if named.is_some() {
        println!("published under the trace {trace}");
        return;
    }
    // A stop sends what there is, so nothing is waited for.
    let spans = collector.of("alone");
    let accept = spans.iter().find(|it| it.name == "accept").expect("one");
    assert_eq!(accept.parent, "");
    for span in spans.iter().filter(|it| it.name != "accept") {
        assert_eq!(span.parent, accept.span, "{span:?}");
    }
    assert!(spans.iter().all(|it| it.trace == *trace), "{spans:?}");
    assert!(spans.len() >= STEPS.len() + 2, "{:?}", names(&spans));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_the_trace_is_the_same_and_the_attempt_is_known_as_lost() {
    let collector = Collector::start(Answers::Takes).await;
    let setting = format!("traces = \"{}\"", collector.url);
    // The calls must be out when the worker dies.
    let setup = Setup::shared().await.with("telemetry", &setting);
    let mut world = setup.with("desk", "timeout = \"20s\"").build().await;
    world.start().await;
    let slow = Fault::before(What::Slow { millis: 60_000 });
    let faults = world.org.faults();
    faults.fail(call::CREATE_CONVERSATION, Nth::Only(1), slow.clone());
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let escalation = world.escalation("came", "web");
    world.escalate_under(&escalation, &parent, "").await;
    struck(&world.org, 1).await;
    faults.fail(call::CREATE_CONVERSATION, Nth::Only(2), slow);
    world.publish(&world.escalation("own", "web")).await;
    world.heard.until_one("own", "lifecycle.accepted").await;
    struck(&world.org, 2).await;
    let before = published(&world.heard.of("own"));
    world.restart().await;
    world.heard.until_one("came", "lifecycle.live").await;
    world.heard.until_one("own", "lifecycle.live").await;
    assert_eq!(published(&world.heard.of("own")), before);
    assert_eq!(
        published(&world.heard.of("came")),
        BTreeSet::from([TRACE.to_owned()])
    );

    collector.until("came", "opening-message").await;
    collector.until("own", "opening-message").await;
    for session in ["came", "own"] {
        let spans = collector.of(session);
        let created = spans.iter().filter(|it| it.name == "create-conversation");
        let outcomes: BTreeSet<&str> = created.map(|it| it.attribute("baton.outcome")).collect();
        assert_eq!(outcomes, BTreeSet::from(["done", "lost"]), "{spans:?}");
        assert!(before.contains(&spans[0].trace) || spans[0].trace == TRACE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_why_and_a_dead_letter_stays_in_the_trace() {
    let collector = Collector::start(Answers::Takes).await;
    let world = world(&collector.url).await;
    let mut escalation = world.escalation("astray", "web");
    escalation["data"]["connection"] = json!("nowhere");
    let parent = format!("00-{TRACE}-{PARENT}-01");
    world.escalate_under(&escalation, &parent, "a=1").await;
    let dead = world.heard.until_dead(1).await;
    assert_eq!(dead[0].headers["traceparent"], parent);
    assert_eq!(dead[0].headers["tracestate"], "a=1");
    let span = collector.until("astray", "identity-token").await;
    assert!(span.has_failed);
    assert_eq!(span.attribute("baton.outcome"), "failed");
    assert_eq!(
        span.attribute("baton.code"),
        dead[0].headers["x-handoff-code"]
    );

    // One that came without a context has the handoff's own, which nobody put there before.
    escalation["id"] = json!("again");
    escalation["subject"] = json!("again");
    escalation["data"]["session"]["id"] = json!("again");
    world.publish(&escalation).await;
    let dead = world.heard.until_dead(2).await;
    let told = world.heard.of("again");
    assert_eq!(published(&told).len(), 1, "{told:?}");
    assert!(dead[1].headers.contains_key("traceparent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_is_not_recorded_upstream_is_not_recorded_here() {
    let collector = Collector::start(Answers::Takes).await;
    let world = world(&collector.url).await;
    let parent = format!("00-{TRACE}-{PARENT}-00");
    let escalation = world.escalation("unsampled", "web");
    world.escalate_under(&escalation, &parent, "").await;
    world.heard.until_one("unsampled", "lifecycle.live").await;
    world.goes_live("sampled", "web").await;
    collector.until("sampled", "opening-message").await;
    assert!(collector.of("unsampled").is_empty());
    for it in world.heard.of("unsampled") {
        assert_eq!(it.headers["traceparent"], parent, "{}", it.routing_key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_never_answers_holds_nothing_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let [silent_at, gone_at] = [&silent, &gone].map(|it| it.local_addr().expect("its address"));
    drop(gone);
    for (session, address) in [("to-nobody", gone_at), ("to-silence", silent_at)] {
        let mut world = world(&format!("http://{address}")).await;
        let conversation = world.goes_live(session, "web").await;
        world.org.rep(&conversation).says("Hello");
        world.heard.until_one(session, "reply.web").await;
        if address == gone_at {
            soon(async {
                while world.dropped().await < 6 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            assert!(world.log().contains("the collector does not take spans"));
        }
        world.stop().await;
        assert!(world.heard.replies(session).len() == 1);
    }
}

/// A place for spans in this process, with what takes them on.
fn place(url: &str) -> (Traces, Exporter, Arc<Metrics>) {
    let options = Options {
        collector: url.to_owned(),
        worker: "test".to_owned(),
    };
    let metrics = Arc::<Metrics>::default();
    let (traces, exporter) = Traces::to(options, metrics.clone()).expect("HTTP");
    (traces, exporter, metrics)
}

fn record(traces: &Traces, count: usize) {
    let handoff = example::handoff(example::escalation(|_| ()));
    for _ in 0..count {
        let (took, at) = (std::time::Duration::ZERO, example::at("14:03:22"));
        traces.record(&handoff.trace, || Span::accepted(&handoff, took, at));
    }
}

#[test]
fn spans_that_find_no_room_are_dropped_and_counted() {
    let (traces, _exporter, metrics) = place("http://127.0.0.1:1");
    record(&traces, 2048 + 7);
    assert_eq!(metrics.spans_dropped.get(), 7);
}

#[tokio::test]
async fn spans_that_the_collector_refuses_are_counted() {
    let table = [
        (Answers::Takes, 0),
        (Answers::Refuses(3), 3),
        (Answers::Fails(StatusCode::SERVICE_UNAVAILABLE), 5),
        (Answers::Fails(StatusCode::PERMANENT_REDIRECT), 5),
    ];
    for (answers, dropped) in table {
        let collector = Collector::start(answers).await;
        let (traces, exporter, metrics) = place(&collector.url);
        record(&traces, 5);
        let stop = CancellationToken::new();
        stop.cancel();
        soon(exporter.run(stop)).await;
        assert_eq!(metrics.spans_dropped.get(), dropped, "{answers:?}");
    }
}

#[tokio::test]
async fn many_spans_go_in_few_requests_and_none_is_lost() {
    let collector = Collector::start(Answers::Takes).await;
    let (traces, exporter, metrics) = place(&collector.url);
    let stop = CancellationToken::new();
    let exporting = tokio::spawn(exporter.run(stop.clone()));
    record(&traces, 2000);
    until(|| collector.spans().len() >= 512).await;
    stop.cancel();
    soon(exporting).await.expect("it ends");
    assert_eq!(collector.spans().len(), 2000);
    assert_eq!(metrics.spans_dropped.get(), 0);
}

#[test]
fn without_a_collector_no_span_is_made() {
    let handoff = example::handoff(example::escalation(|_| ()));
    let traces = Traces::default();
    assert!(!traces.is_on());
    traces.record(&handoff.trace, || panic!("nobody wants it"));
    let unsampled = TraceContext::parse(&format!("00-{TRACE}-{PARENT}-00"), None);
    let (traces, ..) = place("http://127.0.0.1:1");
    traces.record(&unsampled.expect("a context"), || panic!("nobody wants it"));
}
