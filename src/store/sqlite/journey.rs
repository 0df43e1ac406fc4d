//! A handoff on its way: what is due, the intent before a call, the outcome after it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use serde_json::Value;
use uuid::Uuid;

use super::{Shared, connections, dead, outbox, replies};
use crate::domain::clock::{Timestamp, from_ms};
use crate::domain::connection::DeskKind;
use crate::domain::dead_letter::{Cause, Origin, Tally};
use crate::domain::error::Code;
use crate::domain::escalation::Escalation;
use crate::domain::event::{Bounds, Received};
use crate::domain::handoff::{Ending, Handoff, Keys, Phase, Spent, Status, Step};
use crate::domain::ids::{ConnectionName, Cursor, HandoffId, Key};
use crate::domain::trace::TraceContext;
use crate::domain::turn::{CallResult, Turn};
use crate::store::dead::State;
use crate::store::{Claim, Held, Row, StoreError, row};

/// Handoffs that want a turn by `now`, and when the next one does.
pub fn due(
    sql: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<(Vec<Row>, Option<Timestamp>), StoreError> {
    let now = now.as_millisecond();
    let rows = sql
        .prepare_cached("SELECT k FROM handoff WHERE due_ms <= ?1 ORDER BY due_ms, k LIMIT ?2")?
        .query_map(params![now, limit as i64], |found| found.get(0))?
        .collect::<Result<Vec<Row>, _>>()?;
    let next: Option<i64> = sql
        .prepare_cached("SELECT min(due_ms) FROM handoff WHERE due_ms > ?1")?
        .query_row(params![now], |found| found.get(0))?;
    Ok((rows, next.map(from_ms)))
}

/// The handoffs that a condition is true of, oldest first.
pub fn rows(sql: &Connection, condition: &'static str) -> Result<Vec<Row>, StoreError> {
    let rows = sql
        .prepare_cached(&format!(
            "SELECT k FROM handoff WHERE {condition} ORDER BY k"
        ))?
        .query_map([], |found| found.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The handoffs of a connection that a condition is true of, oldest first.
pub fn rows_of(
    sql: &Connection,
    name: &ConnectionName,
    condition: &'static str,
) -> Result<Vec<Row>, StoreError> {
    let rows = sql
        .prepare_cached(&format!(
            "SELECT k FROM handoff WHERE connection = ?1 AND {condition} ORDER BY k"
        ))?
        .query_map(params![name.as_str()], |found| found.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// A handoff as it stands, with the escalation that began it and the steps that were tried.
pub fn load(sql: &Connection, shared: &Shared, k: Row) -> Result<Held, StoreError> {
    let mut held = sql
        .prepare_cached("SELECT h.*, i.body AS body FROM handoff h JOIN inbox i ON i.seq = h.inbox WHERE h.k = ?1")?
        .query_row(params![k], |found| Ok(read(found, shared)))
        .optional()?
        .ok_or(StoreError::NotFound)??;
    let attempts: Vec<(String, u32)> = sql
        .prepare_cached(
            "SELECT step, max(CASE generation WHEN ?2 THEN number ELSE 0 END) FROM attempt WHERE handoff = ?1 GROUP BY step",
        )?
        .query_map(params![k, held.handoff.generation], |found| {
            Ok((found.get(0)?, found.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (step, number) in attempts {
        held.claim.attempt = held.claim.attempt.max(number);
        held.handoff.tried.extend(Step::parse(&step));
    }
    Ok(held)
}

fn read(found: &SqlRow<'_>, shared: &Shared) -> Result<Held, StoreError> {
    let body: Vec<u8> = found.get("body")?;
    let event = Received::decode(
        &body,
        Bounds {
            event_bytes_max: usize::MAX,
        },
    )
    .and_then(|event| Escalation::read(&event))
    .map_err(|poison| StoreError::Corrupt(poison.to_string()))?;
    let id = HandoffId(uuid(found, "id")?);
    let (word, state): (String, String) = (found.get("progress")?, found.get("state")?);
    let tried = if found.get("all_tried")? {
        BTreeSet::from(Step::JOURNEY)
    } else {
        BTreeSet::new()
    };
    let phase: String = found.get("phase")?;
    let keys = Keys {
        conversation: Key(uuid(found, "conversation_key")?),
        opening: Key(uuid(found, "opening_key")?),
    };
    Ok(Held {
        claim: Claim {
            row: found.get("k")?,
            version: found.get("version")?,
            attempt: 0,
        },
        handoff: Handoff {
            id,
            desk: found
                .get::<_, Option<String>>("desk")?
                .as_deref()
                .and_then(DeskKind::parse),
            escalation: event,
            trace: trace(found, keys)?,
            keys,
            progress: row::read(&word, &state, &shared.key, &id.to_string())?,
            status: status(found)?,
            phase: if phase == "calling" {
                Phase::Calling
            } else {
                Phase::Ready
            },
            tried,
            spent: Spent {
                failures: found.get("failures")?,
                renewals: found.get("renewals")?,
            },
            generation: found.get("generation")?,
            accepted_at: from_ms(found.get("accepted_ms")?),
            deadline: from_ms(found.get("deadline_ms")?),
            cursor: found.get::<_, Option<String>>("cursor")?.map(Cursor),
            sequence: found.get("sequence")?,
            last_reply_at: found.get::<_, Option<i64>>("last_reply_ms")?.map(from_ms),
            last_inbound_at: found.get::<_, Option<i64>>("last_inbound_ms")?.map(from_ms),
            choices: found
                .get::<_, Option<String>>("choices")?
                .and_then(|choices| serde_json::from_str(&choices).ok())
                .unwrap_or_default(),
        },
    })
}

fn trace(found: &SqlRow<'_>, keys: Keys) -> Result<TraceContext, StoreError> {
    let (parent, state): (Option<String>, Option<String>) =
        (found.get("traceparent")?, found.get("tracestate")?);
    let came = parent.and_then(|parent| TraceContext::parse(&parent, state.as_deref()));
    Ok(came.unwrap_or_else(|| TraceContext::own(keys.conversation)))
}

fn uuid(found: &SqlRow<'_>, column: &str) -> Result<Uuid, StoreError> {
    let bytes: Vec<u8> = found.get(column)?;
    Uuid::from_slice(&bytes).map_err(|_| row::corrupt(column))
}

fn status(found: &SqlRow<'_>) -> Result<Status, StoreError> {
    let (word, why): (String, Option<String>) = (found.get("status")?, found.get("why")?);
    let due_at = found.get::<_, Option<i64>>("due_ms")?.map(from_ms);
    let why = why.as_deref().unwrap_or_default();
    match word.as_str() {
        // A call is out: it is due again as soon as somebody knows that it was lost.
        "due" => Ok(Status::Due {
            at: due_at.unwrap_or(Timestamp::UNIX_EPOCH),
        }),
        "live" => Ok(Status::Live),
        "closed" => {
            let why = Ending::parse(why).ok_or_else(|| row::corrupt("why it ended"))?;
            Ok(Status::Closed {
                why,
                close_at: due_at,
            })
        }
        "dead" => {
            let code = Code::parse(why).ok_or_else(|| row::corrupt("why it was set aside"))?;
            Ok(Status::DeadLettered { code })
        }
        _ => Err(row::corrupt("status is a word of a newer release")),
    }
}

/// Commits that a call is about to go out, with all that the local steps before it have brought.
pub fn intend(
    sql: &Connection,
    shared: &Shared,
    held: &Held,
    taken: &[Step],
    step: Step,
    now: Timestamp,
) -> Result<Claim, StoreError> {
    let Held { claim, handoff } = held;
    let changed = sql
        .prepare_cached(
            "UPDATE handoff SET phase = 'calling', step = ?3, progress = ?4, state = ?5, desk = ?6, due_ms = NULL,
                                changed_ms = ?7, version = version + 1
             WHERE k = ?1 AND version = ?2 AND phase = 'ready'",
        )?
        .execute(params![
            claim.row,
            claim.version,
            step.as_str(),
            handoff.progress.as_str(),
            row::write(&handoff.progress, &shared.key, &handoff.id.to_string()),
            handoff.desk.map(DeskKind::as_str),
            now.as_millisecond(),
        ])?;
    if changed == 0 {
        return Err(StoreError::Fenced);
    }
    let mut attempt = sql.prepare_cached(
        "INSERT INTO attempt (handoff, generation, step, number, started_ms, took_ms, outcome, worker)
         VALUES (?1, ?2, ?3, (SELECT count(*) + 1 FROM attempt WHERE handoff = ?1 AND generation = ?2), ?4, ?5, ?6, ?7)
         RETURNING number",
    )?;
    let mut begun =
        |step: Step, took_ms: Option<i64>, outcome: Option<&str>| -> rusqlite::Result<u32> {
            let started = now.as_millisecond();
            let row = params![
                claim.row,
                handoff.generation,
                step.as_str(),
                started,
                took_ms,
                outcome,
                shared.worker
            ];
            attempt.query_row(row, |number| number.get(0))
        };
    for step in taken {
        begun(*step, Some(0), Some(CallResult::Done.as_str()))?;
    }
    Ok(Claim {
        version: claim.version + 1,
        attempt: begun(step, None, None)?,
        ..*claim
    })
}

/// What recording an outcome came to.
pub struct Recorded {
    /// The right to write the handoff again.
    pub claim: Claim,
    /// Whether the last user of a connection on its way out is gone, and so is the connection.
    pub connection_removed: bool,
}

/// Commits what a call came to and what follows from it.
pub fn record(
    sql: &Connection,
    shared: &Shared,
    claim: Claim,
    turn: &Turn,
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    let handoff = &turn.handoff;
    let (why, due_at) = match &handoff.status {
        Status::Due { at } => (None, Some(*at)),
        Status::Live => (None, None),
        Status::Closed { why, close_at } => (Some(why.as_str()), *close_at),
        Status::DeadLettered { code } => (Some(code.as_str()), None),
    };
    let changed = sql
        .prepare_cached(
            "UPDATE handoff SET phase = 'ready', progress = ?3, state = ?4, status = ?5, why = coalesce(?6, why), failures = ?7,
                                renewals = ?8, due_ms = ?9, conversation = coalesce(?10, conversation), cursor = ?11,
                                step = coalesce(?12, step), changed_ms = ?13,
                                waits_ms = CASE ?5 WHEN 'live' THEN ?13 END, unroutable = 0, version = version + 1
             WHERE k = ?1 AND version = ?2",
        )?
        .execute(params![
            claim.row,
            claim.version,
            handoff.progress.as_str(),
            row::write(&handoff.progress, &shared.key, &handoff.id.to_string()),
            handoff.status.as_str(),
            why,
            handoff.spent.failures,
            handoff.spent.renewals,
            due_at.map(|at| at.as_millisecond()),
            handoff.progress.conversation().map(|id| id.as_str()),
            handoff.cursor.as_ref().map(Cursor::as_str),
            handoff.progress.next_step().map(Step::as_str),
            now.as_millisecond(),
        ])?;
    if changed == 0 {
        return Err(StoreError::Fenced);
    }
    outcome(sql, claim.row, turn)?;
    for what in &turn.tell {
        outbox::tell(sql, claim.row, handoff, what, now)?;
    }
    if let Some(cause) = &turn.dead {
        dead_letter(sql, shared, claim.row, handoff, cause, now)?;
    }
    let connection_removed = match &handoff.status {
        Status::Live => {
            // It was on its way when its connection was removed by force, and is live only now.
            if connections::is_forced_out(sql, &handoff.escalation.connection)? {
                replies::end_now(sql, shared, claim.row, Ending::ConnectionRemoved, now)?;
            }
            false
        }
        Status::Closed { close_at: None, .. } | Status::DeadLettered { .. } => {
            connections::finish(sql)?
        }
        Status::Due { .. } | Status::Closed { .. } => false,
    };
    Ok(Recorded {
        claim: Claim {
            version: claim.version + 1,
            ..claim
        },
        connection_removed,
    })
}

/// Gives the attempt that is open its outcome; a handoff set aside without a call has none.
fn outcome(sql: &Connection, k: Row, turn: &Turn) -> Result<(), StoreError> {
    let (code, http_status, error) = match &turn.outcome.result {
        CallResult::Failed {
            code,
            http_status,
            error,
        } => (Some(code.as_str()), *http_status, Some(error.as_str())),
        CallResult::Done | CallResult::Lost | CallResult::Interrupted => (None, None, None),
    };
    sql.prepare_cached(
        "UPDATE attempt SET outcome = ?2, took_ms = ?3, code = ?4, http_status = ?5, error = ?6, request_id = ?7
         WHERE handoff = ?1 AND outcome IS NULL AND step <> 'contact-message'",
    )?
    .execute(params![
        k,
        turn.outcome.result.as_str(),
        i64::try_from(turn.outcome.took.as_millis()).unwrap_or(i64::MAX),
        code,
        http_status,
        error,
        turn.outcome.request_id,
    ])?;
    Ok(())
}

fn dead_letter(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    handoff: &Handoff,
    cause: &Cause,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (origin, body) = origin(sql, k)?;
    let tally = sql
        .prepare_cached(
            "SELECT count(*), min(CASE WHEN outcome <> 'done' THEN started_ms END) FROM attempt
             WHERE handoff = ?1 AND generation = ?2",
        )?
        .query_row(params![k, handoff.generation], |found| {
            let first: Option<i64> = found.get(1)?;
            Ok(Tally {
                attempts: found.get(0)?,
                first_failed_at: first.map_or(now, from_ms),
                last_failed_at: now,
            })
        })?;
    let letter = dead::Letter {
        message_id: handoff.dead_letter_key().to_string(),
        what: dead::What::Handoff(k, handoff),
        cause,
        origin: &origin,
        generation: handoff.generation,
        tally,
        body: &body,
    };
    dead::set_aside(sql, shared, letter, now)?;
    Ok(())
}

/// How a handoff's escalation came, and its bytes.
pub fn origin(sql: &Connection, k: Row) -> Result<(Origin, Vec<u8>), StoreError> {
    sql.prepare_cached(
        "SELECT exchange, routing_key, headers, body FROM inbox WHERE seq = (SELECT inbox FROM handoff WHERE k = ?1)",
    )?
    .query_row(params![k], |found| {
        Ok((found.get(0)?, found.get(1)?, found.get::<_, String>(2)?, found.get(3)?))
    })
    .optional()?
    .ok_or(StoreError::NotFound)
    .map(|(exchange, routing_key, headers, body)| {
        let headers: BTreeMap<String, Value> = serde_json::from_str(&headers).unwrap_or_default();
        (Origin { exchange, routing_key, headers, redelivered: false }, body)
    })
}

/// Puts a due handoff off without an attempt.
pub fn postpone(sql: &Connection, claim: Claim, until: Timestamp) -> Result<(), StoreError> {
    let changed = sql
        .prepare_cached("UPDATE handoff SET due_ms = ?3, version = version + 1 WHERE k = ?1 AND version = ?2 AND phase = 'ready'")?
        .execute(params![claim.row, claim.version, until.as_millisecond()])?;
    if changed == 0 {
        Err(StoreError::Fenced)
    } else {
        Ok(())
    }
}

/// Sends a dead handoff on, whatever its generation.
pub fn replay(
    sql: &Connection,
    k: Row,
    deadline: Timestamp,
    who: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let generation: Option<u32> = sql
        .prepare_cached("SELECT generation FROM handoff WHERE k = ?1 AND status = 'dead'")?
        .query_row(params![k], |found| found.get(0))
        .optional()?;
    let Some(generation) = generation else {
        return Ok(false);
    };
    let gone_on = go_on(sql, k, generation, deadline, who, now)?;
    if gone_on {
        let about = format!("handoff {k}, generation {}", generation + 1);
        audit_of(sql, Some(k), who, "replay", &about, now)?;
    }
    Ok(gone_on)
}

/// dead(g) → due(g+1), once: from where it stopped, with a new budget and the same keys. Its dead letter must be open.
pub fn go_on(
    sql: &Connection,
    k: Row,
    generation: u32,
    deadline: Timestamp,
    who: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let letter: Option<i64> = sql
        .prepare_cached(
            "SELECT d.k FROM dead d JOIN handoff h ON h.k = d.handoff
             WHERE d.handoff = ?1 AND d.generation = ?2 AND d.about = 'handoff' AND d.state = 'open'
               AND h.status = 'dead' AND h.generation = ?2",
        )?
        .query_row(params![k, generation], |found| found.get(0))
        .optional()?;
    let Some(letter) = letter else {
        return Ok(false);
    };
    dead::mark(sql, letter, State::Open, State::Replayed, who, now)?;
    sql.prepare_cached(
        "UPDATE handoff SET status = 'due', why = NULL, generation = generation + 1, failures = 0, renewals = 0, due_ms = ?3,
                            deadline_ms = ?4, changed_ms = ?3, version = version + 1
         WHERE k = ?1 AND status = 'dead' AND generation = ?2",
    )?
    .execute(params![k, generation, now.as_millisecond(), deadline.as_millisecond()])?;
    Ok(true)
}

/// Whether a handoff is still on its way to a rep.
pub fn is_on_its_way(sql: &Connection, k: Row) -> Result<bool, StoreError> {
    Ok(sql
        .prepare_cached("SELECT 1 FROM handoff WHERE k = ?1 AND status = 'due'")?
        .exists(params![k])?)
}

/// Remembers who did what.
pub fn audit(
    sql: &Connection,
    who: &str,
    action: &str,
    about: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    audit_of(sql, None, who, action, about, now)
}

/// Remembers who did what to a handoff.
pub fn audit_of(
    sql: &Connection,
    k: Option<Row>,
    who: &str,
    action: &str,
    about: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sql.prepare_cached(
        "INSERT INTO audit (at_ms, who, action, about, handoff) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![now.as_millisecond(), who, action, about, k])?;
    Ok(())
}
