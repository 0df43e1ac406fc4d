//! Connections, their secrets sealed, and their gates.

use std::collections::BTreeMap;

use rusqlite::{Connection as Sql, OptionalExtension, Row as SqlRow, params};
use serde_json::json;

use super::journey::{audit, rows_of};
use super::{Shared, replies};
use crate::domain::clock::Timestamp;
use crate::domain::connection::{Connection, DeskKind, Gate, Removal};
use crate::domain::handoff::Ending;
use crate::domain::ids::ConnectionName;
use crate::store::{Pause, Removed, Row, StoreError, row};

/// Saves a connection; what was suspended is open again, because somebody has put it right, and what was on its way out
/// stays, because somebody wants it.
pub fn save(
    sql: &Sql,
    shared: &Shared,
    connection: &Connection,
    who: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let name = connection.name.as_str();
    sql.prepare_cached(
        "INSERT INTO connection (name, desk, settings, sealed, saved_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO UPDATE SET desk = ?2, settings = ?3, sealed = ?4, saved_ms = ?5, version = version + 1,
             gate = CASE WHEN gate IN ('suspended', 'draining') THEN 'open' ELSE gate END,
             gate_why = CASE WHEN gate IN ('suspended', 'draining') THEN NULL ELSE gate_why END",
    )?
    .execute(params![
        name,
        connection.desk.as_str(),
        json!(connection.settings).to_string(),
        row::write_secrets(&connection.secrets, &shared.key, name),
        now.as_millisecond(),
    ])?;
    wake(sql, &connection.name)?;
    audit(sql, who, "save", &format!("connection {name}"), now)
}

/// A connection by its name.
pub fn one(
    sql: &Sql,
    shared: &Shared,
    name: &ConnectionName,
) -> Result<Option<(Connection, Gate)>, StoreError> {
    sql.prepare_cached("SELECT * FROM connection WHERE name = ?1")?
        .query_row(params![name.as_str()], |found| Ok(read(found, shared)))
        .optional()?
        .transpose()
}

/// All connections, by name.
pub fn all(sql: &Sql, shared: &Shared) -> Result<Vec<(Connection, Gate)>, StoreError> {
    sql.prepare_cached("SELECT * FROM connection ORDER BY name")?
        .query_and_then([], |found| read(found, shared))?
        .collect()
}

fn read(found: &SqlRow<'_>, shared: &Shared) -> Result<(Connection, Gate), StoreError> {
    let name: String = found.get("name")?;
    let settings: BTreeMap<String, String> =
        serde_json::from_str(&found.get::<_, String>("settings")?)
            .map_err(|_| row::corrupt("connection.settings"))?;
    let sealed: Vec<u8> = found.get("sealed")?;
    let why: Option<String> = found.get("gate_why")?;
    let gate = match found.get::<_, String>("gate")?.as_str() {
        "open" => Gate::Open,
        "paused" => Gate::Paused {
            by: why.unwrap_or_default(),
        },
        "draining" => Gate::Draining(
            Removal::parse(&why.unwrap_or_default())
                .ok_or_else(|| row::corrupt("connection.gate_why"))?,
        ),
        _ => Gate::Suspended {
            why: why.unwrap_or_default(),
        },
    };
    let connection = Connection {
        desk: DeskKind::parse(&found.get::<_, String>("desk")?)
            .ok_or_else(|| row::corrupt("connection.desk"))?,
        settings,
        secrets: row::read_secrets(&sealed, &shared.key, &name)?,
        version: found.get("version")?,
        name: ConnectionName(name),
    };
    Ok((connection, gate))
}

/// What a removal came to, and which handoffs it has ended.
pub struct Removing {
    /// What it came to.
    pub removed: Removed,
    /// Which handoffs were live, and are not any more.
    pub ended: Vec<Row>,
}

/// Begins to remove a connection, and ends its live handoffs if that is what is wanted. What is due there is due now,
/// so that it is answered. `None` if there is no such connection.
pub fn remove(
    sql: &Sql,
    shared: &Shared,
    name: &ConnectionName,
    removal: Removal,
    who: &str,
    now: Timestamp,
) -> Result<Option<Removing>, StoreError> {
    // One that is removed by force is not removed any slower by saying it again.
    let found = sql.execute(
        "UPDATE connection SET gate_why = CASE WHEN gate = 'draining' AND gate_why = 'force' THEN gate_why ELSE ?2 END,
                               gate = 'draining' WHERE name = ?1",
        params![name.as_str(), removal.as_str()],
    )?;
    if found == 0 {
        return Ok(None);
    }
    let about = format!("connection {name}, {}", removal.as_str());
    audit(sql, who, "remove", &about, now)?;
    let ended = match removal {
        Removal::Drain => vec![],
        Removal::Force => rows_of(sql, name, "status = 'live'")?,
    };
    for row in &ended {
        replies::end_now(sql, shared, *row, Ending::ConnectionRemoved, now)?;
    }
    wake(sql, name)?;
    finish(sql)?;
    let left: u64 = sql
        .prepare_cached(&format!("SELECT count(*) FROM handoff h WHERE {LEFT}"))?
        .query_row(params![name.as_str()], |found| found.get(0))?;
    let removed = match left {
        0 => Removed::Now,
        left => Removed::Later(left),
    };
    Ok(Some(Removing { removed, ended }))
}

/// The handoffs of a connection of which a rep may know: live, to be closed, or on their way with a call that may have
/// reached the desk. They need its credentials.
const LEFT: &str = "h.connection = ?1 AND (
    h.status = 'live'
    OR (h.status = 'closed' AND (h.due_ms IS NOT NULL OR h.phase = 'calling'))
    OR (h.status = 'due' AND (h.phase = 'calling' OR EXISTS (
        SELECT 1 FROM attempt a WHERE a.handoff = h.k AND a.step = 'create-conversation'))))";

/// Deletes the connections on their way out that nobody needs any more; whether there were any.
pub fn finish(sql: &Sql) -> Result<bool, StoreError> {
    let draining: Vec<String> = sql
        .prepare_cached("SELECT name FROM connection WHERE gate = 'draining'")?
        .query_map([], |found| found.get(0))?
        .collect::<Result<_, _>>()?;
    let mut gone = false;
    for name in draining {
        let deleted = sql
            .prepare_cached(&format!(
                "DELETE FROM connection WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM handoff h WHERE {LEFT})"
            ))?
            .execute(params![name])?;
        gone |= deleted == 1;
    }
    Ok(gone)
}

/// Whether live handoffs of a connection are to be ended.
pub fn is_forced_out(sql: &Sql, name: &ConnectionName) -> Result<bool, StoreError> {
    Ok(sql
        .prepare_cached(
            "SELECT 1 FROM connection WHERE name = ?1 AND gate = 'draining' AND gate_why = 'force'",
        )?
        .exists(params![name.as_str()])?)
}

/// Opens or closes the gate; what is due at an opened one is due now. What is on its way out stays so.
pub fn set_gate(sql: &Sql, name: &ConnectionName, gate: &Gate) -> Result<(), StoreError> {
    let why = match gate {
        Gate::Open => None,
        Gate::Suspended { why } => Some(why.as_str()),
        Gate::Paused { by } => Some(by.as_str()),
        Gate::Draining(removal) => Some(removal.as_str()),
    };
    sql.execute(
        "UPDATE connection SET gate = ?2, gate_why = ?3 WHERE name = ?1 AND gate <> 'draining'",
        params![name.as_str(), gate.as_str(), why],
    )?;
    Ok(())
}

/// Begins or ends an operator's pause. What is suspended may be paused too; what is on its way out stays so.
pub fn pause(
    sql: &Sql,
    name: &ConnectionName,
    pause: Pause,
    who: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (action, gate, why, from) = match pause {
        Pause::Begin => ("pause", "paused", Some(who), "'open', 'suspended'"),
        Pause::End => ("resume", "open", None, "'paused'"),
    };
    let changed = sql.execute(
        &format!(
            "UPDATE connection SET gate = ?2, gate_why = ?3 WHERE name = ?1 AND gate IN ({from})"
        ),
        params![name.as_str(), gate, why],
    )?;
    if changed == 0 {
        return Ok(false);
    }
    wake(sql, name)?;
    audit(sql, who, action, &format!("connection {name}"), now)?;
    Ok(true)
}

/// Opens a suspended connection; what waited at it is due now.
pub fn reopen(sql: &Sql, name: &ConnectionName) -> Result<(), StoreError> {
    sql.execute(
        "UPDATE connection SET gate = 'open', gate_why = NULL WHERE name = ?1 AND gate = 'suspended'",
        params![name.as_str()],
    )?;
    wake(sql, name)
}

/// What waits at a connection without having failed is due at once.
fn wake(sql: &Sql, name: &ConnectionName) -> Result<(), StoreError> {
    sql.execute(
        "UPDATE handoff SET due_ms = changed_ms, version = version + 1
         WHERE connection = ?1 AND status = 'due' AND phase = 'ready' AND failures = 0 AND due_ms > changed_ms",
        params![name.as_str()],
    )?;
    Ok(())
}
