//! What operators look at: handoffs, attempts, counts.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, Row as SqlRow, params};
use uuid::Uuid;

use crate::domain::clock::{self, Timestamp, from_ms};
use crate::store::{Attempt, Audit, Counts, Filter, Pressure, Row, StoreError, Summary, Told, row};

/// The newest handoffs that match.
pub fn list(sql: &Connection, filter: &Filter) -> Result<Vec<Summary>, StoreError> {
    sql.prepare_cached(
        "SELECT * FROM handoff WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR connection = ?2)
            AND (?3 IS NULL OR desk = ?3) AND (?4 IS NULL OR channel = ?4) AND (?5 IS NULL OR k < ?5)
         ORDER BY k DESC LIMIT ?6",
    )?
    .query_and_then(
        params![
            filter.status,
            filter.connection,
            filter.desk,
            filter.channel,
            filter.before,
            filter.limit as i64
        ],
        summary,
    )?
    .collect()
}

fn summary(found: &SqlRow<'_>) -> Result<Summary, StoreError> {
    let id: Vec<u8> = found.get("id")?;
    Ok(Summary {
        row: found.get("k")?,
        id: Uuid::from_slice(&id)
            .map_err(|_| row::corrupt("handoff.id"))?
            .to_string(),
        session: found.get("session")?,
        connection: found.get("connection")?,
        desk: found.get("desk")?,
        channel: found.get("channel")?,
        progress: found.get("progress")?,
        status: found.get("status")?,
        generation: found.get("generation")?,
        replies: found.get("sequence")?,
        conversation: found.get("conversation")?,
        why: found.get("why")?,
        accepted_at: from_ms(found.get("accepted_ms")?),
    })
}

/// The handoffs of a session id, a handoff id or a desk's id.
pub fn find(sql: &Connection, id: &str) -> Result<Vec<Row>, StoreError> {
    let uuid = Uuid::try_parse(id).ok().map(|id| id.as_bytes().to_vec());
    let rows = sql
        .prepare_cached("SELECT k FROM handoff WHERE id = ?1 OR session = ?2 OR conversation = ?2 ORDER BY k DESC LIMIT 100")?
        .query_map(params![uuid, id], |found| found.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// All attempts of a handoff, oldest first.
pub fn attempts(sql: &Connection, k: Row) -> Result<Vec<Attempt>, StoreError> {
    let attempts = sql
        .prepare_cached("SELECT * FROM attempt WHERE handoff = ?1 ORDER BY k")?
        .query_map(params![k], |found| {
            let took: Option<u64> = found.get("took_ms")?;
            Ok(Attempt {
                generation: found.get("generation")?,
                step: found.get("step")?,
                number: found.get("number")?,
                started_at: from_ms(found.get("started_ms")?),
                took: took.map(Duration::from_millis),
                outcome: found.get("outcome")?,
                code: found.get("code")?,
                http_status: found.get("http_status")?,
                error: found.get("error")?,
                request_id: found.get("request_id")?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(attempts)
}

/// What was published or is to be, of one handoff.
pub fn told(sql: &Connection, k: Row) -> Result<Vec<Told>, StoreError> {
    let told = sql
        .prepare_cached("SELECT * FROM outbox WHERE handoff = ?1 ORDER BY seq")?
        .query_map(params![k], |found| {
            Ok(Told {
                message_id: found.get("message_id")?,
                routing_key: found.get("routing_key")?,
                sequence: found.get("sequence")?,
                stored_at: from_ms(found.get("stored_ms")?),
                confirmed_at: found.get::<_, Option<i64>>("confirmed_ms")?.map(from_ms),
                problem: found.get("problem")?,
                body: found.get("body")?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(told)
}

/// Who did what to a handoff, oldest first.
pub fn audits(sql: &Connection, k: Row) -> Result<Vec<Audit>, StoreError> {
    let audits = sql
        .prepare_cached(
            "SELECT at_ms, who, action, about FROM audit WHERE handoff = ?1 ORDER BY k",
        )?
        .query_map(params![k], |found| {
            Ok(Audit {
                at: from_ms(found.get(0)?),
                who: found.get(1)?,
                action: found.get(2)?,
                about: found.get(3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(audits)
}

/// How much there is of everything.
pub fn counts(sql: &Connection, now: Timestamp) -> Result<Counts, StoreError> {
    let handoffs: BTreeMap<String, u64> = sql
        .prepare_cached("SELECT status, count(*) FROM handoff GROUP BY status")?
        .query_map([], |found| Ok((found.get(0)?, found.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let (unconfirmed, oldest): (u64, Option<i64>) = sql
        .prepare_cached("SELECT count(*), min(stored_ms) FROM outbox WHERE confirmed_ms IS NULL")?
        .query_row([], |found| Ok((found.get(0)?, found.get(1)?)))?;
    let due: Option<i64> = sql
        .prepare_cached("SELECT min(due_ms) FROM handoff WHERE due_ms IS NOT NULL")?
        .query_row([], |found| found.get(0))?;
    let quarantined = sql
        .prepare_cached("SELECT count(*) FROM dead WHERE state = 'open' AND about <> 'handoff'")?
        .query_row([], |found| found.get(0))?;
    let age =
        |since: Option<i64>| since.map_or(Duration::ZERO, |ms| clock::until(from_ms(ms), now));
    Ok(Counts {
        handoffs,
        unconfirmed,
        unconfirmed_oldest: age(oldest),
        due_oldest: age(due),
        quarantined,
    })
}

/// How much waits; both are counted in indexes that hold nothing else.
pub fn pressure(sql: &Connection) -> Result<Pressure, StoreError> {
    let count = |query: &str| -> Result<usize, StoreError> {
        let count: u64 = sql
            .prepare_cached(query)?
            .query_row([], |found| found.get(0))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    };
    Ok(Pressure {
        due: count("SELECT count(*) FROM handoff WHERE due_ms IS NOT NULL")?,
        unconfirmed: count("SELECT count(*) FROM outbox WHERE confirmed_ms IS NULL")?,
    })
}
