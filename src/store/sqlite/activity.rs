//! What waits and what was done lately, counted without an index of its own: rows are appended in the order of time, so
//! where a stretch begins is found by halving.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::clock::Timestamp;
use crate::domain::handoff::Step;
use crate::store::{Activity, Slot, StoreError};

/// What waits, and the `slots` slots of `width` until `now`.
pub fn activity(
    sql: &Connection,
    now: Timestamp,
    width: Duration,
    slots: usize,
) -> Result<Activity, StoreError> {
    let width = i64::try_from(width.as_millis()).unwrap_or(i64::MAX).max(1);
    let since = now.as_millisecond() - width * slots as i64;
    let mut activity = Activity {
        slots: vec![Slot::default(); slots],
        ..Activity::default()
    };
    activity.waiting = sql
        .prepare_cached(
            "SELECT progress, count(*) FROM handoff WHERE status = 'due' GROUP BY progress",
        )?
        .query_map([], |found| Ok((found.get(0)?, found.get(1)?)))?
        .collect::<Result<_, _>>()?;
    accepted(sql, &mut activity.slots, since, width)?;
    tried(sql, &mut activity, since, width)?;
    Ok(activity)
}

fn accepted(
    sql: &Connection,
    slots: &mut [Slot],
    since: i64,
    width: i64,
) -> Result<(), StoreError> {
    let first = first_since(
        sql,
        "SELECT k, accepted_ms FROM handoff WHERE k >= ?1 ORDER BY k LIMIT 1",
        "SELECT coalesce(max(k), 0) FROM handoff",
        since,
    )?;
    let mut counts = sql.prepare_cached(
        "SELECT (accepted_ms - ?2) / ?3 AS slot, count(*) FROM handoff WHERE k >= ?1 AND accepted_ms >= ?2 GROUP BY slot",
    )?;
    let mut rows = counts.query(params![first, since, width])?;
    while let Some(found) = rows.next()? {
        if let Some(slot) = at(slots, found.get(0)?) {
            slot.accepted += found.get::<_, u64>(1)?;
        }
    }
    Ok(())
}

fn tried(
    sql: &Connection,
    activity: &mut Activity,
    since: i64,
    width: i64,
) -> Result<(), StoreError> {
    let first = first_since(
        sql,
        "SELECT k, started_ms FROM attempt WHERE k >= ?1 ORDER BY k LIMIT 1",
        "SELECT coalesce(max(k), 0) FROM attempt",
        since,
    )?;
    let mut counts = sql.prepare_cached(
        "SELECT step, outcome = 'done' AS done, (started_ms - ?2) / ?3 AS slot, count(*), coalesce(sum(took_ms), 0)
         FROM attempt WHERE k >= ?1 AND started_ms >= ?2 AND outcome IN ('done', 'failed', 'lost') GROUP BY step, done, slot",
    )?;
    let mut rows = counts.query(params![first, since, width])?;
    while let Some(found) = rows.next()? {
        let (step, done): (String, bool) = (found.get(0)?, found.get(1)?);
        let (count, took_ms): (u64, u64) = (found.get(3)?, found.get(4)?);
        let is_last = step == Step::OpeningMessage.as_str();
        let tries = activity.steps.entry(step).or_default();
        if done {
            tries.done += count;
            tries.took += Duration::from_millis(took_ms);
        } else {
            tries.failed += count;
        }
        match at(&mut activity.slots, found.get(2)?) {
            Some(slot) if !done => slot.failed += count,
            Some(slot) if is_last => slot.live += count,
            _ => {}
        }
    }
    Ok(())
}

/// The slot of that number. What is of this very moment belongs to the last one.
fn at(slots: &mut [Slot], number: i64) -> Option<&mut Slot> {
    let last = slots.len().checked_sub(1)?;
    let number = usize::try_from(number).ok()?;
    slots.get_mut(number.min(last))
}

/// The first row that is not older, by halving. `next` gives the number and the time of the first row from a number on.
fn first_since(sql: &Connection, next: &str, last: &str, since: i64) -> Result<i64, StoreError> {
    let mut next = sql.prepare_cached(next)?;
    let mut low = 0;
    let mut high = sql
        .prepare_cached(last)?
        .query_row([], |found| found.get::<_, i64>(0))?
        + 1;
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<(i64, i64)> = next
            .query_row(params![middle], |found| Ok((found.get(0)?, found.get(1)?)))
            .optional()?;
        match found {
            Some((k, at)) if at < since => low = i64::max(k, middle) + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
