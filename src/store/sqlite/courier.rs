//! What is to reach a rep: the contact's words in order, and notices of ours.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use serde_json::json;

use super::{Shared, dead, journey, outbox, replies};
use crate::domain::clock::{Timestamp, from_ms};
use crate::domain::dead_letter::{self, Cause, Tally};
use crate::domain::handoff::Ending;
use crate::domain::ids::{IdShape, SessionId};
use crate::store::{Carried, ForRep, ForRepKind, Row, StoreError, row};

/// How long a contact who has left waits for a handoff that cannot end yet.
const LEAVING_WAIT_MS: i64 = 500;

/// The oldest of each session that can go somewhere, and when to look again.
///
/// It waits while the newest handoff of its session is on its way to a rep, and for its escalation if there is none yet.
/// Where the producer counts messages, the count decides what is older.
pub fn for_rep(
    sql: &Connection,
    now: Timestamp,
    early: Duration,
    limit: usize,
) -> Result<(Vec<ForRep>, Option<Timestamp>), StoreError> {
    let now_ms = now.as_millisecond();
    let early_ms = i64::try_from(early.as_millis()).unwrap_or(i64::MAX);
    let mut items = sql
        .prepare_cached(
            "WITH waiting AS (
                 SELECT i.*, (SELECT max(k) FROM handoff h WHERE h.session = i.session) AS k FROM inbox i
                 WHERE i.session IS NOT NULL AND i.applied_ms IS NULL
             )
             SELECT w.seq, w.session, w.kind, w.body, w.tries, w.received_ms, w.k FROM waiting w
             LEFT JOIN handoff h ON h.k = w.k
             WHERE coalesce(w.due_ms, 0) <= ?1
               AND (h.status <> 'due' OR w.routing_key = 'contact.left' OR (h.k IS NULL AND w.received_ms + ?2 <= ?1))
               AND NOT EXISTS (
                   SELECT 1 FROM inbox e WHERE e.session = w.session AND e.applied_ms IS NULL AND e.seq <> w.seq
                     AND CASE WHEN e.place IS NULL OR w.place IS NULL THEN e.seq < w.seq
                              ELSE (e.place, e.seq) < (w.place, w.seq) END)
             ORDER BY w.seq LIMIT ?3",
        )?
        .query_and_then(params![now_ms, early_ms, limit as i64], item)?
        .collect::<Result<Vec<_>, StoreError>>()?;
    items.sort_by_key(|item| item.seq);
    let next: Option<i64> = sql
        .prepare_cached(
            "SELECT min(CASE WHEN i.due_ms > ?1 THEN i.due_ms WHEN i.received_ms + ?2 > ?1 THEN i.received_ms + ?2 END)
             FROM inbox i WHERE i.session IS NOT NULL AND i.applied_ms IS NULL",
        )?
        .query_row(params![now_ms, early_ms], |found| found.get(0))?;
    Ok((items, next.map(from_ms)))
}

fn item(found: &SqlRow<'_>) -> Result<ForRep, StoreError> {
    let kind = match found.get::<_, String>("kind")?.as_str() {
        "contact" => ForRepKind::Contact,
        "notice" => ForRepKind::Notice,
        _ => return Err(row::corrupt("inbox.kind")),
    };
    Ok(ForRep {
        seq: found.get("seq")?,
        session: SessionId(found.get("session")?),
        row: found.get("k")?,
        kind,
        body: found.get("body")?,
        tries: found.get("tries")?,
        received_at: from_ms(found.get("received_ms")?),
    })
}

/// Commits that a call is about to go out.
pub fn carrying(sql: &Connection, seq: i64) -> Result<(), StoreError> {
    let changed = sql
        .prepare_cached("UPDATE inbox SET tries = tries + 1 WHERE seq = ?1 AND applied_ms IS NULL")?
        .execute(params![seq])?;
    if changed == 0 {
        Err(StoreError::Fenced)
    } else {
        Ok(())
    }
}

/// Commits what became of it; whether that has ended the handoff.
pub fn carried(
    sql: &Connection,
    shared: &Shared,
    item: &ForRep,
    carried: &Carried,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if let Carried::Again { at } = carried {
        sql.prepare_cached("UPDATE inbox SET due_ms = ?2 WHERE seq = ?1 AND applied_ms IS NULL")?
            .execute(params![item.seq, at.as_millisecond()])?;
        return Ok(false);
    }
    let ended = match (carried, item.row) {
        (Carried::Left, Some(k)) => replies::end_now(sql, shared, k, Ending::ContactLeft, now)?,
        (Carried::Left | Carried::Done(_) | Carried::Again { .. } | Carried::SetAside(..), _) => {
            false
        }
    };
    if let (Carried::Left, Some(k)) = (carried, item.row)
        && !ended
        && journey::is_on_its_way(sql, k)?
    {
        // The desk may know of it by now, so it has to become live before it can end.
        sql.prepare_cached("UPDATE inbox SET due_ms = ?2 WHERE seq = ?1")?
            .execute(params![item.seq, now.as_millisecond() + LEAVING_WAIT_MS])?;
        return Ok(false);
    }
    let changed = sql
        .prepare_cached("UPDATE inbox SET applied_ms = ?2 WHERE seq = ?1 AND applied_ms IS NULL")?
        .execute(params![item.seq, now.as_millisecond()])?;
    if changed == 0 {
        return Err(StoreError::Fenced);
    }
    let place: Option<i64> = sql
        .prepare_cached("SELECT place FROM inbox WHERE seq = ?1")?
        .query_row(params![item.seq], |found| found.get(0))?;
    if let (Some(place), Some(k)) = (place, item.row) {
        sql.prepare_cached(
            "UPDATE handoff SET contact_place = max(coalesce(contact_place, 0), ?2) WHERE k = ?1",
        )?
        .execute(params![k, place])?;
        // The one that waited for this one need not wait any longer.
        sql.prepare_cached(
            "UPDATE inbox SET due_ms = NULL WHERE session = ?1 AND place = ?2 AND applied_ms IS NULL AND tries = 0",
        )?
        .execute(params![item.session.as_str(), place + 1])?;
    }
    let told = match carried {
        Carried::Done(told) | Carried::SetAside(_, told) => told.as_ref(),
        Carried::Left | Carried::Again { .. } => None,
    };
    if let Some(k) = item.row
        && let Some(what) = told
    {
        let held = journey::load(sql, shared, k)?;
        outbox::tell(sql, k, &held.handoff, what, now)?;
    }
    match carried {
        Carried::SetAside(cause, _) => set_aside(sql, shared, item, cause, now)?,
        Carried::Done(_) | Carried::Left | Carried::Again { .. } => {}
    }
    Ok(ended)
}

/// The dead letter of something that did not reach a rep, with the event's own bytes.
fn set_aside(
    sql: &Connection,
    shared: &Shared,
    item: &ForRep,
    cause: &Cause,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (origin, generation) = origin(sql, item.seq)?;
    let tally = Tally {
        attempts: u64::from(item.tries) + 1,
        first_failed_at: item.received_at,
        last_failed_at: now,
    };
    let held = item
        .row
        .map(|k| journey::load(sql, shared, k))
        .transpose()?;
    let key = shared.namespace.key(
        &[
            "dead-contact",
            &item.seq.to_string(),
            &generation.to_string(),
        ],
        IdShape::V5,
    );
    let of = item.row.zip(held.as_ref().map(|held| &held.handoff));
    let letter = dead::Letter {
        message_id: key.to_string(),
        what: dead::What::Contact(item.seq, item.session.as_str(), of),
        cause,
        origin: &origin,
        generation,
        tally,
        body: &item.body,
    };
    dead::set_aside(sql, shared, letter, now)?;
    Ok(())
}

fn origin(sql: &Connection, seq: i64) -> Result<(dead_letter::Origin, u32), StoreError> {
    sql.prepare_cached(
        "SELECT exchange, routing_key, headers, generation FROM inbox WHERE seq = ?1",
    )?
    .query_row(params![seq], |found| {
        let headers: String = found.get(2)?;
        let headers = serde_json::from_str(&headers).unwrap_or_default();
        let origin = dead_letter::Origin {
            exchange: found.get(0)?,
            routing_key: found.get(1)?,
            headers,
            redelivered: false,
        };
        Ok((origin, found.get(3)?))
    })
    .optional()?
    .ok_or(StoreError::NotFound)
}

/// Puts a notice for the rep behind what the contact wrote; once per `about`.
pub fn notice(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    about: &str,
    text: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let session: String = sql
        .prepare_cached("SELECT session FROM handoff WHERE k = ?1")?
        .query_row(params![k], |found| found.get(0))?;
    let key = shared
        .namespace
        .key(&["notice", &k.to_string(), about], IdShape::V5);
    let body = json!({ "about": about, "text": text })
        .to_string()
        .into_bytes();
    sql.prepare_cached(
        "INSERT INTO inbox (event_key, body_hash, kind, received_ms, exchange, routing_key, headers, body, session)
         VALUES (?1, x'', 'notice', ?2, '', '', '{}', ?3, ?4) ON CONFLICT (event_key) DO NOTHING",
    )?
    .execute(params![key.0.as_bytes(), now.as_millisecond(), body, session])?;
    Ok(())
}
