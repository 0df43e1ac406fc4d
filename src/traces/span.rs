//! What spans say. This is all that leaves for a collector: our words, names of connections and ids, and nothing that
//! a contact has written or is called.

use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1 as otlp;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::domain::clock::{self, Timestamp};
use crate::domain::connection::DeskKind;
use crate::domain::handoff::{Handoff, Step};
use crate::domain::trace::{SpanId, TraceContext};

/// One thing that was done, in the collector's words.
#[derive(Debug, Clone)]
pub struct Span(pub(super) otlp::Span);

/// One attempt at a step.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Which step.
    pub step: Step,
    /// Whether the desk was called.
    pub calls: Calls,
    /// Which attempt of its generation; of a contact's message, which of its own.
    pub number: u32,
    /// How it went.
    pub outcome: &'a str,
    /// Why it failed.
    pub code: Option<&'a str>,
    /// The desk's status.
    pub http_status: Option<u16>,
    /// What the desk calls the request.
    pub request_id: Option<&'a str>,
    /// How long it took.
    pub took: Duration,
    /// When it was over.
    pub ended_at: Timestamp,
}

/// Whether a step calls the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// It does.
    Desk,
    /// It needs nobody.
    Nobody,
}

impl Span {
    /// An escalation was taken in. Of a handoff that came without a context it is the beginning of the trace.
    pub fn accepted(handoff: &Handoff, took: Duration, ended_at: Timestamp) -> Self {
        let span = Self::new("accept", SpanKind::Consumer, &handoff.trace)
            .lasting(took, ended_at)
            .of(handoff)
            .with("baton.channel", handoff.escalation.channel.as_str());
        if is_own(handoff) {
            span.rooted(&handoff.trace)
        } else {
            span
        }
    }

    /// A step was tried.
    pub fn attempt(handoff: &Handoff, attempt: Attempt<'_>) -> Self {
        let kind = match attempt.calls {
            Calls::Desk => SpanKind::Client,
            Calls::Nobody => SpanKind::Internal,
        };
        let mut span = Self::new(attempt.step.as_str(), kind, &handoff.trace)
            .lasting(attempt.took, attempt.ended_at)
            .of(handoff)
            .with("baton.step", attempt.step.as_str())
            .with("baton.attempt", i64::from(attempt.number))
            .with("baton.outcome", attempt.outcome);
        if let Some(id) = attempt.request_id {
            span = span.with("baton.request.id", id);
        }
        if let Some(status) = attempt.http_status {
            span = span.with("http.response.status_code", i64::from(status));
        }
        match attempt.code {
            Some(code) => span.with("baton.code", code).failed(code),
            None => span,
        }
    }

    /// A reply was published, in the span that its own `traceparent` names. `event` is its body.
    pub fn reply(
        trace: &TraceContext,
        message_id: &str,
        event: &serde_json::Value,
        took: Duration,
        ended_at: Timestamp,
    ) -> Self {
        let mut span = Self::new("reply", SpanKind::Producer, trace)
            .lasting(took, ended_at)
            .with("baton.reply.id", message_id);
        span.0.span_id = SpanId::of(message_id).0.to_vec();
        let data = &event["data"];
        let fields = [
            ("baton.handoff.id", "handoff_id"),
            ("baton.session.id", "session_id"),
            ("baton.connection", "connection"),
            ("baton.desk", "desk"),
            ("baton.channel", "channel"),
        ];
        for (name, field) in fields {
            if let Some(text) = data[field].as_str() {
                span = span.with(name, text);
            }
        }
        match data["sequence"].as_i64() {
            Some(sequence) => span.with("baton.reply.sequence", sequence),
            None => span,
        }
    }

    /// A child of the context, with an id of its own.
    fn new(name: &str, kind: SpanKind, trace: &TraceContext) -> Self {
        Self(otlp::Span {
            trace_id: trace.trace.0.to_vec(),
            span_id: fastrand::u64(1..).to_be_bytes().to_vec(),
            parent_span_id: trace.span.0.to_vec(),
            trace_state: trace.state().unwrap_or_default().to_owned(),
            flags: trace.flags().into(),
            name: name.to_owned(),
            kind: kind.into(),
            ..otlp::Span::default()
        })
    }

    /// The span that the context itself names, which has no parent.
    fn rooted(mut self, trace: &TraceContext) -> Self {
        self.0.span_id = trace.span.0.to_vec();
        self.0.parent_span_id.clear();
        self
    }

    fn lasting(mut self, took: Duration, ended_at: Timestamp) -> Self {
        let nanoseconds = |at: Timestamp| u64::try_from(at.as_nanosecond()).unwrap_or_default();
        self.0.start_time_unix_nano = nanoseconds(clock::before(ended_at, took));
        self.0.end_time_unix_nano = nanoseconds(ended_at);
        self
    }

    fn of(self, handoff: &Handoff) -> Self {
        let escalation = &handoff.escalation;
        let desk = handoff.desk.map_or("", DeskKind::as_str);
        self.with("baton.handoff.id", handoff.id.to_string())
            .with("baton.generation", i64::from(handoff.generation))
            .with("baton.session.id", escalation.session.as_str())
            .with("baton.connection", escalation.connection.as_str())
            .with("baton.desk", desk)
    }

    fn with(mut self, name: &str, value: impl Into<Attribute>) -> Self {
        let Attribute(value) = value.into();
        self.0.attributes.push(attribute(name, value));
        self
    }

    fn failed(mut self, code: &str) -> Self {
        self.0.status = Some(otlp::Status {
            message: code.to_owned(),
            code: StatusCode::Error.into(),
        });
        self
    }
}

/// Whether the handoff's trace begins with it.
fn is_own(handoff: &Handoff) -> bool {
    handoff.trace == TraceContext::own(handoff.keys.conversation)
}

/// What an attribute can be.
struct Attribute(Value);

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self(Value::StringValue(text.to_owned()))
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self(Value::StringValue(text))
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Self {
        Self(Value::IntValue(number))
    }
}

/// An attribute in the collector's words.
pub(super) fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
