//! What is set aside for a human, and the headers that say why.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::clock::Timestamp;
use super::error::Code;
use super::handoff::{Handoff, Step};
use super::ids::{IdShape, Key, Namespace};

/// Bytes of the reason in a header: all headers together must fit into one AMQP frame.
const REASON_BYTES_MAX: usize = 1024;

/// Why something is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The stable code; its class follows from it.
    pub code: Code,
    /// Where it stopped.
    pub step: Step,
    /// In words; names fields and settings, never a contact's words or a secret.
    pub reason: String,
    /// The HTTP status of the desk's last answer, where there was one.
    pub http_status: Option<u16>,
}

/// How a delivery came to us, so that it can go back the way it came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin {
    /// The exchange it was published to.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
    /// Its AMQP headers.
    pub headers: BTreeMap<String, Value>,
    /// Whether the broker says that it delivered it before.
    pub redelivered: bool,
}

/// The header that carries the next generation: it makes any way back a fresh, single run.
pub const GENERATION: &str = "x-handoff-generation";

impl Origin {
    /// The generation this delivery asks for: 1, unless it is a dead letter on its way back.
    pub fn generation(&self) -> u32 {
        self.headers
            .get(GENERATION)
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok())
            .map_or(1, |n| n.max(1))
    }
}

/// When the failures of a generation happened, and how many attempts it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Attempts of the generation.
    pub attempts: u64,
    /// The first failure.
    pub first_failed_at: Timestamp,
    /// The last failure.
    pub last_failed_at: Timestamp,
}

/// The headers of a dead letter: those of the original delivery, and ours on top.
/// `generation` is the one that failed.
pub fn headers(
    cause: &Cause,
    origin: &Origin,
    generation: u32,
    tally: Tally,
    worker: &str,
) -> BTreeMap<String, Value> {
    let mut headers = origin.headers.clone();
    headers.retain(|name, _| {
        !name.starts_with("x-handoff-")
            && !name.starts_with("x-death")
            && !name.starts_with("x-first-death")
            && !name.starts_with("x-last-death")
    });
    let mut set = |name: &str, value: Value| headers.insert(name.to_owned(), value);
    set("x-handoff-code", json!(cause.code.as_str()));
    set("x-handoff-class", json!(cause.code.class().as_str()));
    set("x-handoff-step", json!(cause.step.as_str()));
    set("x-handoff-reason", json!(cut(&cause.reason)));
    set("x-handoff-attempts", json!(tally.attempts));
    set(
        "x-first-failed-at",
        json!(tally.first_failed_at.to_string()),
    );
    set("x-last-failed-at", json!(tally.last_failed_at.to_string()));
    set("x-original-exchange", json!(origin.exchange));
    set("x-original-routing-key", json!(origin.routing_key));
    set("x-worker", json!(worker));
    set(GENERATION, json!(generation + 1));
    if let Some(status) = cause.http_status {
        set("x-handoff-http-status", json!(status));
    }
    headers
}

/// The headers that only a handoff has, added to those of its dead letter.
pub fn handoff_headers(headers: &mut BTreeMap<String, Value>, handoff: &Handoff, cause: &Cause) {
    handoff.trace.write(headers);
    let desk = handoff.desk.map_or("unknown", |desk| desk.as_str());
    let mut set = |name: &str, value: Value| headers.insert(name.to_owned(), value);
    set("x-handoff-id", json!(handoff.id.to_string()));
    set("x-session-id", json!(handoff.escalation.session.as_str()));
    set(
        "x-connection",
        json!(handoff.escalation.connection.as_str()),
    );
    set("x-handoff-group", json!(group(desk, cause)));
    let done = Step::JOURNEY
        .iter()
        .take_while(|step| Some(**step) != handoff.progress.next_step());
    set(
        "x-handoff-completed-steps",
        json!(done.map(|step| step.as_str()).collect::<Vec<_>>().join(",")),
    );
    if let Some(conversation) = handoff.progress.conversation() {
        set("x-handoff-conversation", json!(conversation.as_str()));
    }
}

/// Same cause, same value: desk, step, code, and the reason without its numbers and ids.
pub fn group(desk: &str, cause: &Cause) -> String {
    let reason: String = cause
        .reason
        .chars()
        .filter(|c| !c.is_ascii_digit() && !matches!(c, 'a'..='f' | '-'))
        .collect();
    let key = Namespace::new("group").key(
        &[desk, cause.step.as_str(), cause.code.as_str(), &reason],
        IdShape::V5,
    );
    key.to_string()[..8].to_owned()
}

/// The id of a poison delivery's dead letter: one per body and generation, however often the broker delivers it.
pub fn poison_key(namespace: Namespace, body: &[u8], generation: u32) -> Key {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
    let digest: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    namespace.key(&["poison", &digest, &generation.to_string()], IdShape::V5)
}

/// At most [`REASON_BYTES_MAX`] bytes, cut between characters.
fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]
}
