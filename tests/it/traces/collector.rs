//! A collector that remembers: what it was sent over OTLP/HTTP, decoded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::broker::bench::soon;

/// A span as it was sent.
#[derive(Debug, Clone)]
pub struct Seen {
    pub trace: String,
    pub span: String,
    /// Empty at the beginning of a trace.
    pub parent: String,
    pub state: String,
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    pub has_failed: bool,
}

impl Seen {
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// What the collector answers.
#[derive(Debug, Clone, Copy)]
pub enum Answers {
    Takes,
    /// It takes all but so many.
    Refuses(i64),
    Fails(StatusCode),
}

pub struct Collector {
    pub url: String,
    memory: Arc<Memory>,
    changed: watch::Receiver<()>,
    _serving: AbortOnDropHandle<()>,
}

struct Memory {
    answers: Answers,
    spans: Mutex<Vec<Seen>>,
    about: Mutex<BTreeMap<String, String>>,
    change: watch::Sender<()>,
}

impl Collector {
    pub async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let (change, changed) = watch::channel(());
        let memory = Arc::new(Memory {
            answers,
            spans: Mutex::default(),
            about: Mutex::default(),
            change,
        });
        let routes = Router::new()
            .route("/v1/traces", post(take))
            .with_state(memory.clone());
        let serving =
            tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self {
            url,
            memory,
            changed,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    pub fn spans(&self) -> Vec<Seen> {
        self.memory.spans.lock().expect("spans").clone()
    }

    /// The spans of a session, by name.
    pub fn of(&self, session: &str) -> Vec<Seen> {
        let mut spans = self.spans();
        spans.retain(|span| span.attribute("baton.session.id") == session);
        spans
    }

    /// What is said of the worker.
    pub fn about(&self) -> BTreeMap<String, String> {
        self.memory.about.lock().expect("a resource").clone()
    }

    /// Waits until a span with this name has come from the session.
    pub async fn until(&self, session: &str, name: &str) -> Seen {
        let mut changed = self.changed.clone();
        soon(async {
            loop {
                if let Some(span) = self.of(session).into_iter().find(|it| it.name == name) {
                    return span;
                }
                changed.changed().await.expect("it serves");
            }
        })
        .await
    }
}

async fn take(
    State(memory): State<Arc<Memory>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Vec<u8>) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let partial = match memory.answers {
        Answers::Fails(status) => return (status, vec![]),
        Answers::Takes => None,
        Answers::Refuses(rejected_spans) => Some(ExportTracePartialSuccess {
            rejected_spans,
            error_message: "no".to_owned(),
        }),
    };
    let request = ExportTraceServiceRequest::decode(body).expect("a request");
    for of_worker in request.resource_spans {
        let resource = of_worker.resource.expect("a resource");
        *memory.about.lock().expect("a resource") = texts(resource.attributes);
        let spans = of_worker.scope_spans.into_iter().flat_map(|it| it.spans);
        memory.spans.lock().expect("spans").extend(spans.map(|it| {
            assert!(it.start_time_unix_nano <= it.end_time_unix_nano, "{it:?}");
            Seen {
                trace: hex(&it.trace_id),
                span: hex(&it.span_id),
                parent: hex(&it.parent_span_id),
                state: it.trace_state,
                name: it.name,
                attributes: texts(it.attributes),
                has_failed: it.status.is_some_and(|status| status.code == 2),
            }
        }));
    }
    memory.change.send_replace(());
    let answer = ExportTraceServiceResponse {
        partial_success: partial,
    };
    (StatusCode::OK, answer.encode_to_vec())
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => panic!("nobody sends {other:?}"),
    };
    let value = |it: KeyValue| text(it.value.and_then(|it| it.value).expect("a value"));
    attributes
        .into_iter()
        .map(|it| (it.key.clone(), value(it)))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
