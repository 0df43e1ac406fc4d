//! Dead letters as an operator sees them.

use serde_json::{Value, json};

use crate::store::{DeadGroup, DeadLetter, Job, JobItem};

/// Something set aside.
pub fn letter(letter: &DeadLetter) -> Value {
    json!({
        "number": letter.number, "id": letter.id, "about": letter.about.as_str(), "state": letter.state.as_str(),
        "state_at": letter.state_at.map(|at| at.to_string()), "state_by": letter.state_by,
        "code": letter.code, "class": letter.class, "step": letter.step, "reason": letter.reason, "cause": letter.cause,
        "http_status": letter.http_status, "session": letter.session, "connection": letter.connection,
        "desk": letter.desk, "generation": letter.generation, "attempts": letter.attempts,
        "first_failed_at": letter.first_failed_at.to_string(), "at": letter.at.to_string(),
    })
}

/// Dead letters that have something in common.
pub fn group(group: &DeadGroup) -> Value {
    json!({
        "of": group.of, "count": group.count, "code": group.code, "class": group.class, "step": group.step,
        "connection": group.connection, "reason": group.reason, "first_seen": group.first_seen.to_string(),
        "last_seen": group.last_seen.to_string(),
    })
}

/// A job over dead letters.
pub fn job(job: &Job) -> Value {
    let asked: Value = serde_json::from_str(&job.asked).unwrap_or_default();
    json!({
        "id": job.id, "action": job.action.as_str(), "state": job.state.as_str(), "why": job.why, "who": job.who,
        "asked": asked, "rate": job.rate, "canary": job.canary, "made_at": job.made_at.to_string(),
        "ended_at": job.ended_at.map(|at| at.to_string()), "total": job.total, "done": job.done,
        "refused": job.refused, "passed": job.passed,
        "left": job.total.saturating_sub(job.done + job.refused + job.passed),
    })
}

/// One dead letter of a job, and what became of it.
pub fn item(item: &JobItem, letter: Option<&DeadLetter>) -> Value {
    json!({
        "position": item.position, "outcome": item.outcome, "says": item.says, "at": item.at.map(|at| at.to_string()),
        "id": letter.map(|letter| letter.id.as_str()), "number": item.letter,
        "session": letter.and_then(|letter| letter.session.as_deref()),
        "step": letter.map(|letter| letter.step.as_str()),
        "generation": letter.map(|letter| letter.generation),
    })
}
