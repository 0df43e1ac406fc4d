//! `/metrics`: what was measured, and what the store, the broker and the governor know at the moment of asking.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prometheus::{GaugeVec, IntCounter, IntCounterVec, Registry, TextEncoder};
use tokio::sync::watch;

use crate::broker::{self, Counters};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::handoff::{Ending, Step};
use crate::engine::governor::Governor;
use crate::metrics::{self, Definition, Metrics};
use crate::store::{EndOfDead, Measures, Store, StoreError};

/// What health and metrics are read from.
#[derive(Clone)]
pub struct Vitals {
    /// Whether it answers, and how much there is.
    pub store: Arc<dyn Store>,
    /// Where its file is.
    pub database: PathBuf,
    /// Whether the broker is there.
    pub broker: watch::Receiver<broker::State>,
    /// What the broker has done.
    pub counters: Arc<Counters>,
    /// How near the limits we are.
    pub governor: Arc<Governor>,
    /// What was measured.
    pub metrics: Arc<Metrics>,
    /// What time it is.
    pub clock: Clock,
}

impl Vitals {
    /// Everything, in Prometheus' text format.
    pub async fn text(&self) -> Result<String, StoreError> {
        let now = self.clock.now();
        let measures = self.store.measures(now).await?;
        let page = Page(Registry::new());
        page.gauge(metrics::BUILD, [([env!("CARGO_PKG_VERSION")], 1.0)]);
        handoffs(&page, &measures);
        outbox(&page, &measures);
        self.broker(&page);
        self.desks(&page, &measures, now);
        disk(&page, &self.database);
        let mut families = self.metrics.registry().gather();
        families.extend(page.0.gather());
        families.sort_by(|one, other| one.name().cmp(other.name()));
        let mut text = String::new();
        TextEncoder::new()
            .encode_utf8(&families, &mut text)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(text)
    }

    fn broker(&self, page: &Page) {
        let state = self.broker.borrow().clone();
        page.one(metrics::BROKER_UP, f64::from(u8::from(state.up)));
        page.one(metrics::BROKER_TAKING, f64::from(u8::from(state.taking)));
        let blocked = state.blocked.is_some();
        page.one(metrics::BROKER_BLOCKED, f64::from(u8::from(blocked)));
        let counters = &self.counters;
        page.count(metrics::UNROUTABLE, counters.returned.get());
        page.count(metrics::NACKED, counters.nacked.get());
        page.count(metrics::TIMED_OUT, counters.timed_out.get());
        page.count(metrics::RECONNECTS, counters.reconnects.get());
        page.count(metrics::REDELIVERED, counters.redelivered.get());
        page.count(metrics::ACKS_LOST, counters.acks_lost.get());
    }

    fn desks(&self, page: &Page, measures: &Measures, now: Timestamp) {
        let gates = &measures.gates;
        let gates = gates
            .iter()
            .map(|(connection, state)| ([connection.as_str(), state], 1.0));
        page.gauge(metrics::GATE, gates);
        let used = self.governor.used(now);
        let calls = used
            .iter()
            .map(|it| ([it.connection.as_str()], it.calls as f64));
        page.gauge(metrics::IN_FLIGHT, calls);
        let tokens = used
            .iter()
            .filter_map(|it| Some(([it.connection.as_str()], it.tokens?)));
        page.gauge(metrics::TOKENS_LEFT, tokens);
    }
}

fn handoffs(page: &Page, measures: &Measures) {
    page.count(metrics::ACCEPTED, measures.accepted);
    let ended = page.counters(metrics::ENDED);
    let told = Ending::ALL.iter().map(|why| why.as_str());
    let untold = EndOfDead::ALL.map(EndOfDead::as_str);
    for why in told.chain(untold) {
        let count = measures.ended.get(why).copied();
        let ended = ended.with_label_values(&[why]);
        ended.inc_by(count.unwrap_or_default());
    }
    let statuses = [
        ("due", measures.due),
        ("live", measures.live),
        ("dead", measures.dead),
    ];
    let statuses = statuses.map(|(status, count)| ([status], count as f64));
    page.gauge(metrics::HANDOFFS, statuses);
    let steps = Step::JOURNEY.map(|step| {
        let count = measures.at_step.get(step.as_str()).copied();
        ([step.as_str()], count.unwrap_or_default() as f64)
    });
    page.gauge(metrics::AT_STEP, steps);
    page.one(metrics::CONSERVATION, measures.difference() as f64);
    page.one(metrics::OLDEST_DUE, measures.due_oldest.as_secs_f64());
    page.one(metrics::DEAD_OPEN, measures.dead_open as f64);
}

fn outbox(page: &Page, measures: &Measures) {
    let kinds = metrics::KINDS.map(|kind| {
        let count = measures.unconfirmed.get(kind).copied();
        ([kind], count.unwrap_or_default() as f64)
    });
    page.gauge(metrics::OUTBOX, kinds);
    let oldest = measures.unconfirmed_oldest.as_secs_f64();
    page.one(metrics::OUTBOX_OLDEST, oldest);
    page.one(metrics::HELD, measures.held as f64);
}

/// What cannot be read is left out: a full page without it is better than none.
fn disk(page: &Page, database: &Path) {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let bytes = std::fs::metadata(log).map_or(0, |file| file.len());
    page.one(metrics::WAL_BYTES, bytes as f64);
    if let Ok(disk) = rustix::fs::statvfs(database) {
        let unit = disk.f_frsize as f64;
        page.one(metrics::DISK_FREE, disk.f_bavail as f64 * unit);
        page.one(metrics::DISK_SIZE, disk.f_blocks as f64 * unit);
    }
}

/// What is known at one moment, in the library's shape.
struct Page(Registry);

impl Page {
    fn one(&self, definition: Definition, value: f64) {
        self.gauge(definition, [([], value)]);
    }

    fn gauge<'a, const N: usize>(
        &self,
        definition: Definition,
        series: impl IntoIterator<Item = ([&'a str; N], f64)>,
    ) {
        let gauge = GaugeVec::new(metrics::options(definition), definition.labels);
        let gauge = metrics::register(&self.0, gauge);
        for (labels, value) in series {
            gauge.with_label_values(&labels).set(value);
        }
    }

    fn count(&self, definition: Definition, count: u64) {
        let counter = IntCounter::with_opts(metrics::options(definition));
        metrics::register(&self.0, counter).inc_by(count);
    }

    fn counters(&self, definition: Definition) -> IntCounterVec {
        let counters = IntCounterVec::new(metrics::options(definition), definition.labels);
        metrics::register(&self.0, counters)
    }
}
