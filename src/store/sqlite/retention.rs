//! What is old enough is deleted, a few rows at a time, so that nobody waits for it.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::{Shared, contacts, journey, measures};
use crate::domain::clock::Timestamp;
use crate::domain::handoff::Status;
use crate::domain::ids::HandoffId;
use crate::store::contact::{Horizons, Swept};
use crate::store::{EndOfDead, Row, StoreError, row};

/// Deletes what is beyond its horizon: at most `limit` rows of each kind.
pub fn sweep(
    sql: &Connection,
    shared: &Shared,
    horizons: &Horizons,
    limit: usize,
    now: Timestamp,
) -> Result<Swept, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = published(sql, horizons, limit)?
        + words(sql, shared, horizons, limit, now)?
        + handoffs(sql, shared, horizons, limit)?
        + letters(sql, horizons, limit)?
        + events(sql, horizons, limit)?
        + jobs(sql, horizons, limit)?;
    Ok(Swept {
        rows,
        files: files(sql, horizons, limit)?,
    })
}

/// Empties the bodies of what the broker has confirmed. Rows come in by time, so a mark says how far it has come.
fn published(sql: &Connection, horizons: &Horizons, limit: i64) -> Result<usize, StoreError> {
    let mark: Option<String> = sql
        .prepare_cached("SELECT value FROM meta WHERE name = 'outbox_emptied'")?
        .query_row([], |found| found.get(0))
        .optional()?;
    let mark: i64 = mark.and_then(|mark| mark.parse().ok()).unwrap_or_default();
    let waits: Option<i64> = sql
        .prepare_cached("SELECT min(seq) FROM outbox WHERE confirmed_ms IS NULL")?
        .query_row([], |found| found.get(0))?;
    let old: Vec<i64> = sql
        .prepare_cached(
            "SELECT seq FROM outbox WHERE seq > ?1 AND seq < ?2 AND stored_ms < ?3 AND confirmed_ms < ?3 ORDER BY seq LIMIT ?4",
        )?
        .query_map(
            params![mark, waits.unwrap_or(i64::MAX), horizons.content.as_millisecond(), limit],
            |found| found.get(0),
        )?
        .collect::<Result<_, _>>()?;
    let mut empty =
        sql.prepare_cached("UPDATE outbox SET body = x'', headers = '{}' WHERE seq = ?1")?;
    for seq in &old {
        empty.execute(params![seq])?;
    }
    if let Some(last) = old.last() {
        sql.prepare_cached(
            "INSERT OR REPLACE INTO meta (name, value) VALUES ('outbox_emptied', ?1)",
        )?
        .execute(params![last.to_string()])?;
    }
    Ok(old.len())
}

/// Empties escalations of handoffs that are over, what their contacts wrote, and letters that went on.
fn words(
    sql: &Connection,
    shared: &Shared,
    horizons: &Horizons,
    limit: i64,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let until = horizons.content.as_millisecond();
    let over: Vec<Row> = numbers(
        sql,
        "SELECT k FROM handoff WHERE status = 'closed' AND due_ms IS NULL AND emptied_ms IS NULL AND changed_ms < ?1 LIMIT ?2",
        until,
        limit,
    )?;
    for k in &over {
        let handoff = journey::load(sql, shared, *k)?.handoff;
        let escalation = &handoff.escalation;
        contacts::empty_events(sql, shared, escalation, handoff.generation)?;
        let skeleton = escalation.skeleton(escalation.id.as_str(), escalation.session.as_str());
        sql.prepare_cached(
            "UPDATE inbox SET body = ?2, headers = '{}' WHERE seq = (SELECT inbox FROM handoff WHERE k = ?1)",
        )?
        .execute(params![k, skeleton])?;
        // An opening message that was not sent to its end is in the state.
        sql.prepare_cached(
            "UPDATE handoff SET emptied_ms = ?2, choices = NULL,
                                state = CASE progress WHEN 'connected' THEN state ELSE '{\"v\":1}' END,
                                progress = CASE progress WHEN 'connected' THEN progress ELSE 'received' END
             WHERE k = ?1",
        )?
        .execute(params![k, now.as_millisecond()])?;
    }
    let said = numbers(
        sql,
        "SELECT seq FROM inbox WHERE applied_ms < ?1 AND length(body) > 0
           AND NOT EXISTS (SELECT 1 FROM dead WHERE inbox = seq AND state <> 'replayed') LIMIT ?2",
        until,
        limit,
    )?;
    each(
        sql,
        "UPDATE inbox SET body = x'', headers = '{}' WHERE seq = ?1",
        &said,
    )?;
    let replayed = numbers(
        sql,
        "SELECT k FROM dead WHERE state = 'replayed' AND state_ms < ?1 AND length(body) > 0 LIMIT ?2",
        until,
        limit,
    )?;
    each(
        sql,
        "UPDATE dead SET body = NULL, headers = '{}' WHERE k = ?1",
        &replayed,
    )?;
    Ok(over.len() + said.len() + replayed.len())
}

/// Handoffs whose files have to go; they are marked when that is done.
fn files(
    sql: &Connection,
    horizons: &Horizons,
    limit: i64,
) -> Result<Vec<(Row, HandoffId)>, StoreError> {
    sql.prepare_cached(
        "SELECT k, id FROM handoff WHERE status IN ('closed', 'dead') AND due_ms IS NULL AND files_ms IS NULL
           AND changed_ms < max(?1, ?2) AND changed_ms < CASE status WHEN 'dead' THEN ?2 ELSE ?1 END LIMIT ?3",
    )?
    .query_and_then(
        params![
            horizons.attachments.as_millisecond(),
            horizons.dead.as_millisecond(),
            limit
        ],
        |found| {
            let id: Vec<u8> = found.get(1)?;
            let id = Uuid::from_slice(&id).map_err(|_| row::corrupt("handoff.id"))?;
            Ok((found.get(0)?, HandoffId(id)))
        },
    )?
    .collect()
}

/// The files of these handoffs are gone.
pub fn without_files(sql: &Connection, rows: &[Row], now: Timestamp) -> Result<(), StoreError> {
    let mut mark = sql.prepare_cached("UPDATE handoff SET files_ms = ?2 WHERE k = ?1")?;
    for k in rows {
        mark.execute(params![k, now.as_millisecond()])?;
    }
    Ok(())
}

/// Deletes handoffs with all that hangs on them.
fn handoffs(
    sql: &Connection,
    shared: &Shared,
    horizons: &Horizons,
    limit: i64,
) -> Result<usize, StoreError> {
    let gone: Vec<Row> = sql
        .prepare_cached(
            "SELECT k FROM handoff WHERE status IN ('closed', 'dead') AND due_ms IS NULL AND files_ms IS NOT NULL
               AND changed_ms < max(?1, ?2) AND changed_ms < CASE status WHEN 'dead' THEN ?2 ELSE ?1 END
               AND NOT EXISTS (SELECT 1 FROM outbox WHERE handoff = k AND confirmed_ms IS NULL) LIMIT ?3",
        )?
        .query_map(
            params![
                horizons.metadata.as_millisecond(),
                horizons.dead.as_millisecond(),
                limit
            ],
            |found| found.get(0),
        )?
        .collect::<Result<_, _>>()?;
    for k in &gone {
        let handoff = journey::load(sql, shared, *k)?.handoff;
        if let Status::DeadLettered { .. } = handoff.status {
            measures::enter_end_of_dead(sql, EndOfDead::Expired)?;
        }
        contacts::empty_events(sql, shared, &handoff.escalation, handoff.generation)?;
        let inbox: i64 = sql
            .prepare_cached("SELECT inbox FROM handoff WHERE k = ?1")?
            .query_row(params![k], |found| found.get(0))?;
        for delete in [
            "DELETE FROM attempt WHERE handoff = ?1",
            "DELETE FROM outbox WHERE handoff = ?1",
            "DELETE FROM person WHERE handoff = ?1",
            "DELETE FROM dead WHERE handoff = ?1 AND about = 'handoff'",
            "DELETE FROM handoff WHERE k = ?1",
        ] {
            sql.prepare_cached(delete)?.execute(params![k])?;
        }
        sql.prepare_cached("DELETE FROM inbox WHERE seq = ?1")?
            .execute(params![inbox])?;
    }
    Ok(gone.len())
}

/// Deletes dead letters that are no handoffs; those of handoffs go with them.
fn letters(sql: &Connection, horizons: &Horizons, limit: i64) -> Result<usize, StoreError> {
    let old = numbers(
        sql,
        "SELECT k FROM dead WHERE at_ms < ?1 AND about <> 'handoff' LIMIT ?2",
        horizons.dead.as_millisecond(),
        limit,
    )?;
    each(sql, "DELETE FROM dead WHERE k = ?1", &old)?;
    Ok(old.len())
}

/// Deletes what was done for a rep, generations of escalations that are not needed any more, and letters' copies.
fn events(sql: &Connection, horizons: &Horizons, limit: i64) -> Result<usize, StoreError> {
    let until = horizons.metadata.as_millisecond();
    let old = numbers(
        sql,
        "SELECT seq FROM inbox WHERE applied_ms < ?1 AND NOT EXISTS (SELECT 1 FROM dead WHERE inbox = seq) LIMIT ?2",
        until,
        limit,
    )?;
    each(sql, "DELETE FROM inbox WHERE seq = ?1", &old)?;
    let loose = numbers(
        sql,
        "SELECT seq FROM inbox WHERE kind = 'escalation' AND received_ms < ?1
           AND NOT EXISTS (SELECT 1 FROM handoff WHERE inbox = seq) ORDER BY seq LIMIT ?2",
        until,
        limit,
    )?;
    each(sql, "DELETE FROM inbox WHERE seq = ?1", &loose)?;
    let copies = numbers(
        sql,
        "SELECT seq FROM outbox WHERE handoff IS NULL AND confirmed_ms < ?1 LIMIT ?2",
        until,
        limit,
    )?;
    each(sql, "DELETE FROM outbox WHERE seq = ?1", &copies)?;
    Ok(old.len() + loose.len() + copies.len())
}

/// Deletes jobs that came to their end so long ago that their dead letters are gone.
fn jobs(sql: &Connection, horizons: &Horizons, limit: i64) -> Result<usize, StoreError> {
    let old = numbers(
        sql,
        "SELECT k FROM job WHERE ended_ms < ?1 LIMIT ?2",
        horizons.dead.as_millisecond(),
        limit,
    )?;
    each(sql, "DELETE FROM job_item WHERE job = ?1", &old)?;
    each(sql, "DELETE FROM job WHERE k = ?1", &old)?;
    Ok(old.len())
}

fn numbers(sql: &Connection, query: &str, until: i64, limit: i64) -> Result<Vec<i64>, StoreError> {
    let found = sql
        .prepare_cached(query)?
        .query_map(params![until, limit], |found| found.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

fn each(sql: &Connection, change: &str, numbers: &[i64]) -> Result<(), StoreError> {
    let mut change = sql.prepare_cached(change)?;
    for number in numbers {
        change.execute(params![number])?;
    }
    Ok(())
}
