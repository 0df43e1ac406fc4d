//! Contacts who wait for a first rep: since when, and what follows when nobody comes.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Shared, journey, outbox, replies};
use crate::domain::clock::{self, Timestamp, from_ms};
use crate::domain::handoff::Ending;
use crate::domain::lifecycle::Lifecycle;
use crate::domain::patience::NoRep;
use crate::store::{Row, StoreError};

/// A rep is there, or was: the wait is over for good.
pub fn rep_came(sql: &Connection, k: Row) -> Result<(), StoreError> {
    sql.prepare_cached("UPDATE handoff SET waits_ms = NULL WHERE k = ?1 AND waits_ms IS NOT NULL")?
        .execute(params![k])?;
    Ok(())
}

/// The desk can route it to nobody. `false` if a rep has come before, or it is known.
pub fn nobody_can_come(sql: &Connection, k: Row) -> Result<bool, StoreError> {
    let changed = sql
        .prepare_cached("UPDATE handoff SET unroutable = 1 WHERE k = ?1 AND waits_ms IS NOT NULL AND unroutable = 0")?
        .execute(params![k])?;
    Ok(changed > 0)
}

/// Those who have waited since then, or wait in vain; and since when the next one waits.
pub fn waiting(
    sql: &Connection,
    since: Timestamp,
    then: NoRep,
    limit: usize,
) -> Result<(Vec<Row>, Option<Timestamp>), StoreError> {
    let since = since.as_millisecond();
    let rows = sql
        .prepare_cached(
            "SELECT k FROM handoff WHERE waits_ms IS NOT NULL AND (waits_ms <= ?1 OR (unroutable AND ?2))
             ORDER BY waits_ms, k LIMIT ?3",
        )?
        .query_map(params![since, then == NoRep::End, limit as i64], |found| {
            found.get(0)
        })?
        .collect::<Result<Vec<Row>, _>>()?;
    let next: Option<i64> = sql
        .prepare_cached("SELECT min(waits_ms) FROM handoff WHERE waits_ms > ?1")?
        .query_row(params![since], |found| found.get(0))?;
    Ok((rows, next.map(from_ms)))
}

/// What follows, once, unless a rep has come. Of what the desk can route to nobody it has told already.
pub fn nobody_came(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    then: NoRep,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let found: Option<(i64, bool)> = sql
        .prepare_cached(
            "SELECT waits_ms, unroutable FROM handoff WHERE k = ?1 AND status = 'live' AND waits_ms IS NOT NULL",
        )?
        .query_row(params![k], |found| Ok((found.get(0)?, found.get(1)?)))
        .optional()?;
    let Some((since, unroutable)) = found else {
        return Ok(false);
    };
    let mut handoff = journey::load(sql, shared, k)?.handoff;
    if then == NoRep::Tell || !unroutable {
        let waited = clock::until(from_ms(since), now);
        outbox::tell(sql, k, &handoff, &Lifecycle::NoRep { waited }, now)?;
    }
    rep_came(sql, k)?;
    if then == NoRep::End {
        replies::end(sql, k, &mut handoff, Ending::RoutingFailed, now)?;
    }
    Ok(true)
}
