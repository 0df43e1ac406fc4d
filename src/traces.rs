//! Spans: what was done for a handoff and how long it took, for an OpenTelemetry collector. Off unless one is set.
//!
//! The place of a handoff in its trace is in [`domain::trace`](crate::domain::trace), and is known whether spans are
//! made or not. Nothing here may hold work up: a span that finds no room, or no collector, is dropped and counted.
//! That is why spans are made and sent here, as OTLP says, and not by OpenTelemetry's SDK: its queue does not say what it
//! has dropped, and its exporters not what the collector has refused.

mod export;
mod span;

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::domain::trace::TraceContext;
use crate::metrics::Metrics;

pub use export::{Exporter, Options};
pub use span::{Attempt, Calls, Span};

/// Spans that may wait for the exporter, some 2 MiB of them.
const WAITING_MAX: usize = 2048;

/// Where spans are put; copies share the place.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<Line>);

/// The way to the exporter.
#[derive(Debug, Clone)]
struct Line {
    spans: mpsc::Sender<Span>,
    metrics: Arc<Metrics>,
}

impl Traces {
    /// A place for spans, and what takes them from there to the collector once it is run.
    pub fn to(options: Options, metrics: Arc<Metrics>) -> reqwest::Result<(Self, Exporter)> {
        let (spans, waiting) = mpsc::channel(WAITING_MAX);
        let exporter = Exporter::new(options, waiting, metrics.clone())?;
        Ok((Self(Some(Line { spans, metrics })), exporter))
    }

    /// Whether spans are made of anything.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Puts a span of this trace there, if spans are made and those before us record the trace. Never waits.
    pub fn record(&self, trace: &TraceContext, span: impl FnOnce() -> Span) {
        if let Some(line) = self.0.as_ref().filter(|_| trace.is_sampled())
            && line.spans.try_send(span()).is_err()
        {
            line.metrics.spans_dropped.inc();
        }
    }
}
