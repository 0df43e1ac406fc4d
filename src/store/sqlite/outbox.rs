//! What is to be published: put in with the change it tells of, taken out when the broker has confirmed it.

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use serde_json::{Value, json};

use super::measures;
use crate::domain::channel::WHATSAPP_WINDOW;
use crate::domain::clock::{Timestamp, from_ms};
use crate::domain::event::Published;
use crate::domain::handoff::Handoff;
use crate::domain::ids::EntryId;
use crate::domain::lifecycle::Lifecycle;
use crate::store::{Destination, Lane, Outgoing, Row, StoreError, WithFiles, row};

/// Puts a lifecycle event in; one that is in already stays as it is.
pub fn tell(
    sql: &Connection,
    k: Row,
    handoff: &Handoff,
    what: &Lifecycle,
    now: Timestamp,
) -> Result<(), StoreError> {
    let event = what.event(handoff, now);
    let routing_key = format!("lifecycle.{}", what.name());
    let new = put(
        sql,
        k,
        &event,
        Destination::Lifecycle,
        &routing_key,
        None,
        now,
    )?;
    if new {
        measures::enter(sql, what)?;
    }
    Ok(())
}

/// A reply as it goes in.
pub struct ReplyRow<'a> {
    /// Its event, whose id is stable.
    pub event: &'a Published,
    /// The channel it goes to.
    pub channel: &'a str,
    /// Its place among the handoff's replies.
    pub sequence: u64,
    /// The desk's entry.
    pub entry: &'a EntryId,
    /// Whether it may go out.
    pub release: Release,
}

/// Whether a reply may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// At once.
    Now,
    /// When its files are ours.
    WithFiles,
    /// When the contact has written, or the handoff ends.
    Held,
}

/// What the `problem` of a held reply says.
const HELD: &str = "held";
/// What the `problem` of a reply says whose files are still the desk's.
const FILES: &str = "files";

/// Puts a reply in under its sequence.
pub fn reply(
    sql: &Connection,
    k: Row,
    reply: &ReplyRow<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let routing_key = format!("reply.{}", reply.channel);
    put(
        sql,
        k,
        reply.event,
        Destination::Reply,
        &routing_key,
        Some(reply.sequence),
        now,
    )?;
    let problem = match reply.release {
        Release::Now => None,
        Release::WithFiles => Some(FILES),
        Release::Held => Some(HELD),
    };
    sql.prepare_cached("UPDATE outbox SET entry = ?2, problem = ?3, ready_ms = CASE WHEN ?3 IS NULL THEN ready_ms END WHERE message_id = ?1")?
        .execute(params![reply.event.id, reply.entry.as_str(), problem])?;
    Ok(())
}

/// Whether replies of the handoff are held; what comes behind them is held too, or it would overtake them.
pub fn holds(sql: &Connection, k: Row) -> Result<bool, StoreError> {
    Ok(sql
        .prepare_cached(
            "SELECT 1 FROM outbox WHERE handoff = ?1 AND problem = 'held' AND confirmed_ms IS NULL",
        )?
        .exists(params![k])?)
}

/// Lets held replies go, with the state of the window as it is now. Their bodies are finished here, once.
pub fn let_go(
    sql: &Connection,
    k: Row,
    window: &Value,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let held: Vec<(i64, Vec<u8>)> = sql
        .prepare_cached("SELECT seq, body FROM outbox WHERE handoff = ?1 AND problem = 'held' AND confirmed_ms IS NULL")?
        .query_map(params![k], |found| Ok((found.get(0)?, found.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (seq, body) in &held {
        let mut event: Value =
            serde_json::from_slice(body).map_err(|_| row::corrupt("outbox.body"))?;
        event["data"]["whatsapp"] = window.clone();
        let problem = has_foreign_files(&event).then_some(FILES);
        sql.prepare_cached(
            "UPDATE outbox SET body = ?2, problem = ?3, ready_ms = CASE WHEN ?3 IS NULL THEN ?4 END WHERE seq = ?1",
        )?
        .execute(params![
            seq,
            event.to_string().into_bytes(),
            problem,
            now.as_millisecond()
        ])?;
    }
    Ok(held.len())
}

/// Whether a reply names files that are not ours yet.
fn has_foreign_files(event: &Value) -> bool {
    let files = event["data"]["attachments"].as_array();
    files
        .into_iter()
        .flatten()
        .any(|file| file.get("sha256").is_none() && file.get("unavailable").is_none())
}

/// Replies that wait for their files.
pub fn with_files(sql: &Connection, limit: usize) -> Result<Vec<WithFiles>, StoreError> {
    sql.prepare_cached(
        "SELECT seq, handoff, message_id, body, stored_ms FROM outbox
         WHERE confirmed_ms IS NULL AND problem = 'files' ORDER BY seq LIMIT ?1",
    )?
    .query_and_then(params![limit as i64], |found| {
        let body: Vec<u8> = found.get("body")?;
        let event: Value =
            serde_json::from_slice(&body).map_err(|_| row::corrupt("outbox.body"))?;
        let files = event["data"]["attachments"].as_array();
        Ok(WithFiles {
            seq: found.get("seq")?,
            row: found.get("handoff")?,
            message_id: found.get("message_id")?,
            files: files.cloned().unwrap_or_default(),
            stored_at: from_ms(found.get("stored_ms")?),
        })
    })?
    .collect()
}

/// Finishes the body of a reply with our own files, once.
pub fn in_custody(
    sql: &Connection,
    seq: i64,
    files: &[Value],
    now: Timestamp,
) -> Result<(), StoreError> {
    let body: Vec<u8> = sql
        .prepare_cached("SELECT body FROM outbox WHERE seq = ?1 AND problem = 'files'")?
        .query_row(params![seq], |found| found.get(0))?;
    let mut event: Value =
        serde_json::from_slice(&body).map_err(|_| row::corrupt("outbox.body"))?;
    event["data"]["attachments"] = json!(files);
    sql.prepare_cached(
        "UPDATE outbox SET body = ?2, problem = NULL, ready_ms = ?3 WHERE seq = ?1",
    )?
    .execute(params![
        seq,
        event.to_string().into_bytes(),
        now.as_millisecond()
    ])?;
    Ok(())
}

/// The desk's entry that a reply was made of.
pub fn entry_of(sql: &Connection, message_id: &str) -> Result<Option<EntryId>, StoreError> {
    let entry: Option<Option<String>> = sql
        .prepare_cached("SELECT entry FROM outbox WHERE message_id = ?1")?
        .query_row(params![message_id], |found| found.get(0))
        .optional()?;
    Ok(entry.flatten().map(EntryId))
}

fn put(
    sql: &Connection,
    k: Row,
    event: &Published,
    to: Destination,
    routing_key: &str,
    sequence: Option<u64>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let inserted = sql
        .prepare_cached(
            "INSERT INTO outbox (handoff, message_id, destination, routing_key, kind, correlation, headers, body, sequence,
                                 stored_ms, ready_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10) ON CONFLICT (message_id) DO NOTHING",
        )?
        .execute(params![
            k,
            event.id,
            to.as_str(),
            routing_key,
            event.kind,
            event.subject,
            Value::from_iter(event.trace.headers()).to_string(),
            event.body(),
            sequence,
            now.as_millisecond(),
        ])?;
    Ok(inserted == 1)
}

/// Whether an event is in the outbox, sent or not.
pub fn contains(sql: &Connection, message_id: &str) -> Result<bool, StoreError> {
    Ok(sql
        .prepare_cached("SELECT 1 FROM outbox WHERE message_id = ?1")?
        .exists(params![message_id])?)
}

/// What is ready to be published.
pub struct Ready {
    /// To be published now.
    pub rows: Vec<Outgoing>,
    /// Replies for which WhatsApp's window has closed since they were put in.
    pub late: Vec<i64>,
}

/// The oldest unconfirmed row of each handoff in the lane, if it is ready by `now`.
pub fn unpublished(
    sql: &Connection,
    lane: Lane,
    now: Timestamp,
    limit: usize,
) -> Result<Ready, StoreError> {
    // A handoff that has ended holds nothing: the sender chooses a template.
    let mut looked = sql.prepare_cached(
        "SELECT seq, message_id, destination, routing_key, kind, correlation, headers, stored_ms, body, tries,
                routing_key = 'reply.whatsapp' AND EXISTS (
                    SELECT 1 FROM handoff h WHERE h.k = o.handoff AND h.status = 'live' AND h.last_inbound_ms <= ?5) AS late
         FROM outbox o
         WHERE confirmed_ms IS NULL AND ready_ms <= ?1 AND coalesce(handoff, seq) % ?2 = ?3
           AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.handoff = o.handoff AND p.confirmed_ms IS NULL AND p.seq < o.seq
                           AND p.problem IS NOT 'held')
         ORDER BY seq LIMIT ?4",
    )?;
    let window_ms = i64::try_from(WHATSAPP_WINDOW.as_millis()).unwrap_or(i64::MAX);
    let now_ms = now.as_millisecond();
    let mut found = looked.query(params![
        now_ms,
        lane.of,
        lane.number,
        limit as i64,
        now_ms - window_ms
    ])?;
    let (mut rows, mut late) = (vec![], vec![]);
    while let Some(row) = found.next()? {
        if row.get("late")? {
            late.push(row.get("seq")?);
        } else {
            rows.push(outgoing(row)?);
        }
    }
    Ok(Ready { rows, late })
}

/// Holds a reply that is not out yet; its id and the desk's entry.
pub fn hold(sql: &Connection, seq: i64) -> Result<(String, EntryId), StoreError> {
    sql.prepare_cached(
        "UPDATE outbox SET problem = 'held', ready_ms = NULL WHERE seq = ?1 RETURNING message_id, entry",
    )?
    .query_row(params![seq], |found| {
        Ok((found.get(0)?, EntryId(found.get(1)?)))
    })
    .map_err(StoreError::from)
}

/// The handoff of a row that is not out yet.
pub fn handoff_of(sql: &Connection, seq: i64) -> Result<Option<Row>, StoreError> {
    let found: Option<Option<Row>> = sql
        .prepare_cached("SELECT handoff FROM outbox WHERE seq = ?1 AND confirmed_ms IS NULL")?
        .query_row(params![seq], |found| found.get(0))
        .optional()?;
    Ok(found.flatten())
}

fn outgoing(found: &SqlRow<'_>) -> Result<Outgoing, StoreError> {
    let headers: String = found.get("headers")?;
    Ok(Outgoing {
        seq: found.get("seq")?,
        message_id: found.get("message_id")?,
        to: Destination::parse(&found.get::<_, String>("destination")?)
            .ok_or_else(|| row::corrupt("outbox.destination"))?,
        routing_key: found.get("routing_key")?,
        kind: found.get("kind")?,
        correlation: found.get("correlation")?,
        headers: serde_json::from_str(&headers).map_err(|_| row::corrupt("outbox.headers"))?,
        stored_at: from_ms(found.get("stored_ms")?),
        body: found.get("body")?,
        tries: found.get("tries")?,
    })
}

/// Marks rows as confirmed by the broker.
pub fn confirmed(sql: &Connection, sequences: &[i64], now: Timestamp) -> Result<(), StoreError> {
    let mut update =
        sql.prepare_cached("UPDATE outbox SET confirmed_ms = ?2, problem = NULL WHERE seq = ?1")?;
    for seq in sequences {
        update.execute(params![seq, now.as_millisecond()])?;
    }
    Ok(())
}

/// Keeps rows that could not be published for another time.
pub fn unconfirmed(
    sql: &Connection,
    failed: &[(i64, String)],
    again_at: Timestamp,
) -> Result<(), StoreError> {
    let mut update = sql.prepare_cached(
        "UPDATE outbox SET tries = tries + 1, problem = ?2, ready_ms = ?3 WHERE seq = ?1",
    )?;
    for (seq, problem) in failed {
        update.execute(params![seq, problem, again_at.as_millisecond()])?;
    }
    Ok(())
}
