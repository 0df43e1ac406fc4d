//! What is measured while it happens: every name, unit and label in one list, and the instruments behind it.
//!
//! Labels are words of ours and names of connections, never a session, a handoff or a contact. What the store knows
//! anyway is not counted here a second time: `/metrics` asks it.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

/// What a metric is called and what it means; `docs/metrics.md` says the same, and a test compares the two.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The name, with its unit at the end.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The labels, in order.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

macro_rules! definitions {
    ($($constant:ident = $kind:literal $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Definition = Definition {
                name: $name, kind: $kind, labels: &[$($label),*], help: $help,
            };
        )*
        /// Every metric there is.
        pub const ALL: &[Definition] = &[$($constant),*];
    };
}

definitions! {
    BUILD = "gauge" "baton_build_info" ["version"] "Always 1; the label says which release this is.";
    ACCEPTED = "counter" "baton_escalations_accepted_total" [] "Escalations taken in as new handoffs, since the database was made.";
    ENDED = "counter" "baton_handoffs_ended_total" ["reason"] "Handoffs that have ended, by reason, since the database was made; dead_expired and dead_erased are dead ones that retention or an erasure took away.";
    HANDOFFS = "gauge" "baton_handoffs" ["status"] "Handoffs that are due, live or dead.";
    AT_STEP = "gauge" "baton_handoffs_at_step" ["step"] "Due handoffs by the step that comes next.";
    CONSERVATION = "gauge" "baton_conservation_difference" [] "Accepted, less ended, live, due and dead; anything but 0 is a lost or doubled handoff.";
    OLDEST_DUE = "gauge" "baton_oldest_due_seconds" [] "How long the handoff has waited whose turn is most overdue.";
    DEAD_OPEN = "gauge" "baton_dead_letters_open" [] "Dead letters that nobody has dealt with: handoffs, contacts' messages and deliveries.";
    RECEIVED = "counter" "baton_events_received_total" ["result"] "Deliveries taken from the queues, by what became of them.";
    ATTEMPTS = "counter" "baton_attempts_total" ["connection", "desk", "step", "outcome", "code"] "Attempts at a step, by how they went.";
    CALLS = "histogram" "baton_desk_call_seconds" ["connection", "desk", "step"] "How long a step took at the desk.";
    TO_LIVE = "histogram" "baton_accepted_to_live_seconds" [] "From taking an escalation in until a rep can answer.";
    DEAD_LETTERS = "counter" "baton_dead_letters_total" ["class", "code", "step"] "What was set aside, by why and where.";
    OUTBOX = "gauge" "baton_outbox_unconfirmed" ["kind"] "Events ready to be published that the broker has not confirmed.";
    OUTBOX_OLDEST = "gauge" "baton_outbox_oldest_seconds" [] "Age of the oldest of them.";
    HELD = "gauge" "baton_replies_held" [] "Replies that wait for their files, or for WhatsApp's window to open.";
    CONFIRMED = "counter" "baton_events_published_total" ["kind"] "Events that the broker has confirmed.";
    REPLIES = "counter" "baton_replies_published_total" ["channel"] "Replies that the broker has confirmed.";
    TO_CONFIRMED = "histogram" "baton_reply_to_confirmed_seconds" [] "From storing a reply until the broker has confirmed it.";
    UNROUTABLE = "counter" "baton_publish_unroutable_total" [] "Replies and dead letters that no queue took.";
    NACKED = "counter" "baton_publish_nacked_total" [] "Messages that the broker refused.";
    TIMED_OUT = "counter" "baton_publish_timed_out_total" [] "Batches without a confirm in time.";
    BROKER_UP = "gauge" "baton_broker_up" [] "1 while both connections to the broker are there.";
    BROKER_TAKING = "gauge" "baton_broker_taking" [] "1 while deliveries are taken from the queues.";
    BROKER_BLOCKED = "gauge" "baton_broker_blocked" [] "1 while the broker takes no messages (memory or disk alarm).";
    RECONNECTS = "counter" "baton_broker_reconnects_total" [] "Connections to the broker made after the first.";
    REDELIVERED = "counter" "baton_deliveries_redelivered_total" [] "Deliveries that the broker had handed out before.";
    ACKS_LOST = "counter" "baton_acks_lost_total" [] "Deliveries settled when their channel was gone; they come again.";
    GATE = "gauge" "baton_gate" ["connection", "state"] "1 for the state of the gate of each connection.";
    IN_FLIGHT = "gauge" "baton_desk_calls_in_flight" ["connection"] "Calls to the desk that are out.";
    TOKENS_LEFT = "gauge" "baton_access_tokens_available" ["connection"] "Access tokens that may be asked for at once, where the desk limits them.";
    RATE_WAITS = "counter" "baton_rate_waits_total" ["connection", "budget"] "Times that something was put off for a budget: tokens, messages, or a desk that asked to slow down.";
    STREAMS_OPEN = "gauge" "baton_streams_open" [] "Event streams that are open.";
    STREAM_RECONNECTS = "counter" "baton_stream_reconnects_total" [] "Streams that broke and were opened again.";
    GAPS = "counter" "baton_gap_repairs_total" [] "Comparisons with a desk's list that found replies no event had brought.";
    GAP_ENTRIES = "counter" "baton_gap_replies_total" [] "Replies found so.";
    COMMIT_SECONDS = "histogram" "baton_commit_seconds" [] "How long a transaction of the store took, with its flush to disk.";
    COMMIT_SIZE = "histogram" "baton_commit_operations" [] "Operations that shared a transaction.";
    FENCED = "counter" "baton_fence_rejections_total" [] "Writes refused because somebody else had moved the handoff on.";
    WAL_BYTES = "gauge" "baton_wal_bytes" [] "Size of the database's write-ahead log.";
    DISK_FREE = "gauge" "baton_disk_free_bytes" [] "Free space where the database is.";
    DISK_SIZE = "gauge" "baton_disk_size_bytes" [] "All space there.";
    SPANS_DROPPED = "counter" "baton_spans_dropped_total" [] "Spans that the collector did not get or did not take.";
}

/// From one fsync of a good disk to one call that a desk lets run into its timeout.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// From an immediate pick-up to the end of the usual retries.
const WAITS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
];
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The instruments of one worker; the loops write, `/metrics` reads.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    received: IntCounterVec,
    attempts: IntCounterVec,
    calls: HistogramVec,
    dead_letters: IntCounterVec,
    published: IntCounterVec,
    replies: IntCounterVec,
    rate_waits: IntCounterVec,
    /// From taking an escalation in until a rep can answer.
    pub to_live: Histogram,
    /// From storing a reply until it is confirmed.
    pub to_confirmed: Histogram,
    /// Event streams that are open.
    pub streams_open: IntGauge,
    /// Streams that broke.
    pub stream_reconnects: IntCounter,
    /// How long a transaction took.
    pub commit_seconds: Histogram,
    /// How many operations shared it.
    pub commit_size: Histogram,
    /// Writes that came too late.
    pub fenced: IntCounter,
    /// Spans that were lost.
    pub spans_dropped: IntCounter,
    gaps: IntCounter,
    gap_entries: IntCounter,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let metrics = Self {
            received: counters(&registry, RECEIVED),
            attempts: counters(&registry, ATTEMPTS),
            calls: register(
                &registry,
                HistogramVec::new(
                    HistogramOpts::from(options(CALLS)).buckets(SECONDS.to_vec()),
                    CALLS.labels,
                ),
            ),
            dead_letters: counters(&registry, DEAD_LETTERS),
            published: counters(&registry, CONFIRMED),
            replies: counters(&registry, REPLIES),
            rate_waits: counters(&registry, RATE_WAITS),
            to_live: histogram(&registry, TO_LIVE, WAITS),
            to_confirmed: histogram(&registry, TO_CONFIRMED, SECONDS),
            streams_open: register(&registry, IntGauge::with_opts(options(STREAMS_OPEN))),
            stream_reconnects: counter(&registry, STREAM_RECONNECTS),
            commit_seconds: histogram(&registry, COMMIT_SECONDS, SECONDS),
            commit_size: histogram(&registry, COMMIT_SIZE, SIZES),
            fenced: counter(&registry, FENCED),
            spans_dropped: counter(&registry, SPANS_DROPPED),
            gaps: counter(&registry, GAPS),
            gap_entries: counter(&registry, GAP_ENTRIES),
            registry,
        };
        // Series whose labels are known are there from the start, so that a first increase is seen as one.
        for channel in ["web", "sms", "whatsapp", "phone"] {
            metrics.replies.with_label_values(&[channel]);
        }
        for kind in KINDS {
            metrics.published.with_label_values(&[kind]);
        }
        for result in RESULTS {
            metrics.received.with_label_values(&[result]);
        }
        metrics
    }
}

/// What an outbox row can be.
pub const KINDS: [&str; 3] = ["reply", "lifecycle", "dead"];
/// What can become of a delivery.
const RESULTS: [&str; 6] = [
    "accepted",
    "duplicate",
    "replayed",
    "for_rep",
    "passed",
    "quarantined",
];

/// One attempt at a step.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Over which connection.
    pub connection: &'a str,
    /// The kind of its desk; empty if it could not be opened.
    pub desk: &'a str,
    /// Which step.
    pub step: &'a str,
    /// How it went.
    pub outcome: &'a str,
    /// Why it failed, or nothing.
    pub code: &'a str,
    /// How long it took.
    pub took: Duration,
}

impl Metrics {
    /// An attempt has come to its end.
    pub fn attempt(&self, it: Attempt<'_>) {
        self.attempts
            .with_label_values(&[it.connection, it.desk, it.step, it.outcome, it.code])
            .inc();
        if !it.took.is_zero() {
            self.calls
                .with_label_values(&[it.connection, it.desk, it.step])
                .observe(it.took.as_secs_f64());
        }
    }

    /// Something was set aside.
    pub fn dead_letter(&self, class: &str, code: &str, step: &str) {
        self.dead_letters
            .with_label_values(&[class, code, step])
            .inc();
    }

    /// A delivery was taken in.
    pub fn received(&self, result: &str) {
        self.received.with_label_values(&[result]).inc();
    }

    /// The broker has confirmed an event.
    pub fn published(&self, kind: &str) {
        self.published.with_label_values(&[kind]).inc();
    }

    /// The broker has confirmed a reply.
    pub fn replied(&self, channel: &str, after: Duration) {
        self.replies.with_label_values(&[channel]).inc();
        self.to_confirmed.observe(after.as_secs_f64());
    }

    /// Something was put off for a budget.
    pub fn waits(&self, connection: &str, budget: &str) {
        self.rate_waits
            .with_label_values(&[connection, budget])
            .inc();
    }

    /// A comparison with a desk's list has found so many replies.
    pub fn found(&self, replies: usize) {
        self.gaps.inc();
        self.gap_entries.inc_by(replies as u64);
    }

    /// Everything measured so far.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

/// What a definition says, as the library wants it.
pub fn options(definition: Definition) -> Opts {
    Opts::new(definition.name, definition.help)
}

fn counter(registry: &Registry, definition: Definition) -> IntCounter {
    register(registry, IntCounter::with_opts(options(definition)))
}

fn counters(registry: &Registry, definition: Definition) -> IntCounterVec {
    register(
        registry,
        IntCounterVec::new(options(definition), definition.labels),
    )
}

fn histogram(registry: &Registry, definition: Definition, buckets: &[f64]) -> Histogram {
    let options = HistogramOpts::from(options(definition)).buckets(buckets.to_vec());
    register(registry, Histogram::with_opts(options))
}

/// Puts an instrument into a registry. Fails only for a wrong or doubled name, which is ours, and which any test shows.
pub fn register<T: Collector + Clone + 'static>(
    registry: &Registry,
    instrument: prometheus::Result<T>,
) -> T {
    let instrument = instrument.expect("a good name");
    registry
        .register(Box::new(instrument.clone()))
        .expect("a name of its own");
    instrument
}
