//! From the place where spans are put to the collector: batches over OTLP/HTTP, each sent once.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, redirect};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::span::{Span, attribute};
use crate::metrics::Metrics;

/// Spans in one request.
const BATCH_MAX: usize = 512;
/// How long a span waits for others to go with it.
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector may take for a request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What is read of its answer, which says in a few words what it did not take.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where spans go, and as whose.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address of the collector; `/v1/traces` is put behind it.
    pub collector: String,
    /// The name of this worker.
    pub worker: String,
}

/// Takes spans to the collector.
#[derive(Debug)]
pub struct Exporter {
    spans: mpsc::Receiver<Span>,
    http: Client,
    url: String,
    resource: Resource,
    metrics: Arc<Metrics>,
    is_heard: bool,
}

impl Exporter {
    pub(super) fn new(
        options: Options,
        spans: mpsc::Receiver<Span>,
        metrics: Arc<Metrics>,
    ) -> reqwest::Result<Self> {
        let http = Client::builder()
            .user_agent(concat!("baton/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            // The collector is where the configuration says, whatever the environment says about proxies.
            .no_proxy()
            .build()?;
        let about = [
            ("service.name", "baton"),
            ("service.version", VERSION),
            ("service.instance.id", &options.worker),
        ];
        let about = about.map(|(name, text)| attribute(name, Value::StringValue(text.to_owned())));
        Ok(Self {
            spans,
            http,
            url: format!("{}/v1/traces", options.collector),
            resource: Resource {
                attributes: about.into(),
                ..Resource::default()
            },
            metrics,
            is_heard: true,
        })
    }

    /// Sends spans until it is stopped, and then what there is.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                taken = self.spans.recv_many(&mut batch, BATCH_MAX) => if taken == 0 { break },
            }
            let until = Instant::now() + GATHER;
            while batch.len() < BATCH_MAX {
                let room = BATCH_MAX - batch.len();
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = sleep_until(until) => break,
                    taken = self.spans.recv_many(&mut batch, room) => if taken == 0 { break },
                }
            }
            self.send(std::mem::take(&mut batch)).await;
        }
        self.spans.close();
        while self.spans.recv_many(&mut batch, BATCH_MAX).await > 0 {
            self.send(std::mem::take(&mut batch)).await;
        }
    }

    /// Sends a batch, once: what the collector does not take is counted and gone.
    async fn send(&mut self, batch: Vec<Span>) {
        let count = batch.len() as u64;
        let (dropped, why) = match self.post(batch).await {
            Ok(0) => (0, None),
            Ok(refused) => (refused.min(count), Some("it refused some".to_owned())),
            Err(why) => (count, Some(why)),
        };
        self.metrics.spans_dropped.inc_by(dropped);
        match why {
            Some(why) if self.is_heard => {
                warn!(
                    dropped,
                    "the collector does not take spans: {why}; they are dropped"
                );
            }
            None if !self.is_heard => info!("the collector takes spans again"),
            Some(_) | None => return,
        }
        self.is_heard = !self.is_heard;
    }

    /// How many spans of the batch the collector has refused, or why it has none of them.
    async fn post(&self, batch: Vec<Span>) -> Result<u64, String> {
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: "baton".to_owned(),
                        version: VERSION.to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    spans: batch.into_iter().map(|Span(span)| span).collect(),
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        let sent = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(request.encode_to_vec())
            .send()
            .await;
        let mut answer = sent.map_err(|error| chain(&error))?;
        if !answer.status().is_success() {
            return Err(format!("{} answers {}", self.url, answer.status()));
        }
        let mut body = vec![];
        while let Ok(Some(chunk)) = answer.chunk().await
            && body.len() + chunk.len() <= ANSWER_BYTES_MAX
        {
            body.extend_from_slice(&chunk);
        }
        // It has said that it took them; an answer that cannot be read says no more.
        let said = ExportTraceServiceResponse::decode(&*body).unwrap_or_default();
        let refused = said.partial_success.map_or(0, |it| it.rejected_spans);
        Ok(u64::try_from(refused).unwrap_or_default())
    }
}

/// An error with its causes: reqwest's own says only that there was one.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}
