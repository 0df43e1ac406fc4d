//! What `/metrics` tells: what was told to the world is kept in a ledger, what waits is counted in indexes.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::domain::clock::{self, Timestamp, from_ms};
use crate::domain::lifecycle::Lifecycle;
use crate::store::{EndOfDead, Measures, StoreError};

/// Enters what the world is told of the beginning and the end of a handoff.
pub fn enter(sql: &Connection, what: &Lifecycle) -> Result<(), StoreError> {
    let entry = match what {
        Lifecycle::Accepted => "accepted",
        Lifecycle::Ended { why, .. } => why.as_str(),
        _ => return Ok(()),
    };
    count(sql, entry)
}

/// Enters the end of a dead handoff that the world is told nothing of.
pub fn enter_end_of_dead(sql: &Connection, how: EndOfDead) -> Result<(), StoreError> {
    count(sql, how.as_str())
}

fn count(sql: &Connection, entry: &str) -> Result<(), StoreError> {
    sql.prepare_cached(
        "INSERT INTO ledger (entry, count) VALUES (?1, 1) ON CONFLICT (entry) DO UPDATE SET count = count + 1",
    )?
    .execute(params![entry])?;
    Ok(())
}

/// One look at everything, so that it agrees with itself.
pub fn measures(sql: &Connection, now: Timestamp) -> Result<Measures, StoreError> {
    let all = sql.unchecked_transaction()?;
    let mut ended = counts(&all, "SELECT entry, count FROM ledger")?;
    let accepted = ended.remove("accepted").unwrap_or_default();
    let status = |word: &str| -> Result<u64, StoreError> {
        Ok(all
            .prepare_cached("SELECT count(*) FROM handoff WHERE status = ?1")?
            .query_row(params![word], |found| found.get(0))?)
    };
    let due_since: Option<i64> = all
        .prepare_cached("SELECT min(due_ms) FROM handoff WHERE due_ms IS NOT NULL")?
        .query_row([], |found| found.get(0))?;
    let dead_open = all
        .prepare_cached("SELECT count(*) FROM dead WHERE state = 'open'")?
        .query_row([], |found| found.get(0))?;
    let (held, stored_first): (u64, Option<i64>) = all
        .prepare_cached(
            "SELECT count(*) - count(ready_ms), min(CASE WHEN ready_ms IS NOT NULL THEN stored_ms END)
             FROM outbox WHERE confirmed_ms IS NULL",
        )?
        .query_row([], |found| Ok((found.get(0)?, found.get(1)?)))?;
    let gates = all
        .prepare_cached("SELECT name, gate FROM connection ORDER BY name")?
        .query_map([], |found| Ok((found.get(0)?, found.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let age =
        |since: Option<i64>| since.map_or(Duration::ZERO, |ms| clock::until(from_ms(ms), now));
    Ok(Measures {
        accepted,
        ended,
        due: status("due")?,
        live: status("live")?,
        dead: status("dead")?,
        at_step: counts(
            &all,
            "SELECT step, count(*) FROM handoff WHERE status = 'due' GROUP BY step",
        )?,
        due_oldest: age(due_since),
        dead_open,
        unconfirmed: counts(
            &all,
            "SELECT destination, count(ready_ms) FROM outbox WHERE confirmed_ms IS NULL GROUP BY destination",
        )?,
        unconfirmed_oldest: age(stored_first),
        held,
        gates,
    })
}

fn counts(sql: &Connection, query: &str) -> Result<BTreeMap<String, u64>, StoreError> {
    Ok(sql
        .prepare_cached(query)?
        .query_map([], |found| Ok((found.get(0)?, found.get(1)?)))?
        .collect::<Result<_, _>>()?)
}
