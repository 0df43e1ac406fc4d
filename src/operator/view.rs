//! What operators are shown, as JSON: secrets redacted, contacts' words only on request.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use crate::domain::connection::{Connection, Gate, Problem, Removal};
use crate::domain::dead_letter::Origin;
use crate::domain::finding::Finding;
use crate::domain::handoff::{Handoff, Status};
use crate::domain::seal::{ExposeSecret, SecretString};
use crate::store::{Attempt, Audit, FromContact, Summary, Told};

pub mod dead;
pub mod timeline;

/// Whether a contact's words are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// They are.
    Shown,
    /// They are not; sizes are.
    Redacted,
}

/// A connection; of a secret only a fingerprint, by which two can be told apart.
pub fn connection(connection: &Connection, gate: &Gate) -> Value {
    let shown = connection
        .settings
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)));
    let sealed = connection
        .secrets
        .iter()
        .map(|(name, secret)| (name.clone(), json!(redacted(secret))));
    let settings: Map<String, Value> = shown.chain(sealed).collect();
    let why = match gate {
        Gate::Open => None,
        Gate::Suspended { why } => Some(why.as_str()),
        Gate::Paused { by } => Some(by.as_str()),
        Gate::Draining(Removal::Drain) => Some("removed when its live handoffs have ended"),
        Gate::Draining(Removal::Force) => Some("removed when its handoffs are closed"),
    };
    json!({
        "name": connection.name.as_str(),
        "desk": connection.desk.as_str(),
        "gate": gate.as_str(),
        "gate_why": why,
        "replies": connection.desk.replies(),
        "settings": settings,
    })
}

fn redacted(secret: &SecretString) -> String {
    let digest = digest(&SHA256, secret.expose_secret().as_bytes());
    let mark: String = digest.as_ref()[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("*** (sha256 {mark}…)")
}

/// What is wrong with a connection's settings.
pub fn problems(problems: &[Problem]) -> Value {
    let problem = |problem: &Problem| json!({ "setting": problem.setting, "what": problem.what });
    problems.iter().map(problem).collect()
}

/// What checks came to, under the name of what they are about.
pub fn findings(about: &str, findings: &[Finding]) -> Value {
    let finding = |it: &Finding| {
        json!({
            "about": about, "check": it.check, "verdict": it.verdict.as_str(), "says": it.says, "fix": it.fix,
        })
    };
    findings.iter().map(finding).collect()
}

/// A handoff in a listing.
pub fn summary(handoff: &Summary) -> Value {
    json!({
        "id": handoff.id, "session": handoff.session, "connection": handoff.connection, "desk": handoff.desk,
        "channel": handoff.channel,
        "status": handoff.status, "progress": handoff.progress, "why": handoff.why, "generation": handoff.generation,
        "replies": handoff.replies, "conversation": handoff.conversation, "accepted_at": handoff.accepted_at.to_string(),
    })
}

/// The timeline of a handoff.
pub fn handoff(handoff: &Handoff, attempts: &[Attempt], told: &[Told]) -> Value {
    let (due_at, why) = match &handoff.status {
        Status::Due { at } => (Some(at.to_string()), None),
        Status::Live => (None, None),
        Status::Closed { why, close_at } => (close_at.map(|at| at.to_string()), Some(why.as_str())),
        Status::DeadLettered { code } => (None, Some(code.as_str())),
    };
    json!({
        "id": handoff.id.to_string(),
        "event": handoff.escalation.id.as_str(),
        "session": handoff.escalation.session.as_str(),
        "connection": handoff.escalation.connection.as_str(),
        "desk": handoff.desk.map(|desk| desk.as_str()),
        "channel": handoff.escalation.channel.as_str(),
        "conversation": handoff.progress.conversation().map(|id| id.as_str()),
        "status": handoff.status.as_str(),
        "why": why,
        "progress": handoff.progress.as_str(),
        "next_step": handoff.progress.next_step().map(|step| step.as_str()),
        "due_at": due_at,
        "generation": handoff.generation,
        "failures": handoff.spent.failures,
        "deadline": handoff.deadline.to_string(),
        "replies": handoff.sequence,
        "attempts": attempts.iter().map(attempt).collect::<Vec<_>>(),
        "events": told.iter().map(event).collect::<Vec<_>>(),
    })
}

/// What was said in a handoff, for who may see it: who the contact is, what was escalated, what reps replied.
pub fn words(handoff: &Handoff, told: &[Told]) -> Value {
    let escalation = &handoff.escalation;
    let contact = &escalation.contact;
    let replies = told
        .iter()
        .filter(|told| told.sequence.is_some())
        .map(|told| {
            let event: Value = serde_json::from_slice(&told.body).unwrap_or_default();
            let data = &event["data"];
            json!({ "sequence": told.sequence, "at": data["sent_at"], "rep": data["rep"]["name"], "text": data["text"],
                    "attachments": data["attachments"] })
        });
    json!({
        "contact": { "id": contact.id, "name": contact.name, "phone": contact.phone, "email": contact.email },
        "reason": escalation.reason,
        "summary": escalation.summary,
        "transcript": escalation.data.get("transcript"),
        "transcript_url": escalation.data.get("transcript_url"),
        "replies": replies.collect::<Vec<_>>(),
    })
}

/// One try at one step.
pub fn attempt(attempt: &Attempt) -> Value {
    json!({
        "generation": attempt.generation, "number": attempt.number, "step": attempt.step,
        "started_at": attempt.started_at.to_string(), "took_ms": attempt.took.map(|took| took.as_millis()),
        "outcome": attempt.outcome, "code": attempt.code, "http_status": attempt.http_status, "error": attempt.error,
        "request_id": attempt.request_id,
    })
}

fn event(told: &Told) -> Value {
    json!({
        "id": told.message_id, "routing_key": told.routing_key, "sequence": told.sequence,
        "stored_at": told.stored_at.to_string(), "confirmed_at": told.confirmed_at.map(|at| at.to_string()),
        "problem": told.problem,
    })
}

/// Something that a contact did; the event itself holds their words.
pub fn from_contact(event: &FromContact, content: Content) -> Value {
    let mut shown = json!({
        "name": event.routing_key, "received_at": event.received_at.to_string(),
        "applied_at": event.applied_at.map(|at| at.to_string()), "tries": event.tries,
    });
    if content == Content::Shown {
        shown["event"] = serde_json::from_slice(&event.body).unwrap_or_default();
    }
    shown
}

/// Something that an operator did.
pub fn audit(done: &Audit) -> Value {
    json!({ "at": done.at.to_string(), "who": done.who, "action": done.action, "about": done.about })
}

/// How a delivery came, and its bytes as text if that is allowed.
pub fn original(origin: &Origin, body: &[u8], content: Content) -> Value {
    let body = match content {
        Content::Shown => json!(String::from_utf8_lossy(body)),
        Content::Redacted => json!(format!(
            "{} bytes; ask for the content to see them",
            body.len()
        )),
    };
    json!({ "exchange": origin.exchange, "routing_key": origin.routing_key, "headers": origin.headers, "body": body })
}
