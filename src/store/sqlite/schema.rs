//! Tables and their migrations, and whether the master key is the right one.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension, params};

use super::cannot_open;
use crate::domain::seal::{ExposeSecret, MasterKey};
use crate::store::StoreError;

/// One script per schema version, from 1 on; a script that was released never changes.
const MIGRATIONS: &[&str] = &[include_str!("0001_init.sql")];
/// The version that this release writes.
pub const NEWEST: usize = MIGRATIONS.len();

/// Brings the tables to this release's version, in one transaction each.
pub fn migrate(sql: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: usize = sql
        .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        .map(|n| n.max(0) as usize)?;
    if found > MIGRATIONS.len() {
        return Err(cannot_open(
            path,
            &format!(
                "its schema is version {found}, and this release knows up to {}. It was written by a newer release \
                 of baton: run that one, or restore a backup",
                MIGRATIONS.len()
            ),
        ));
    }
    for (at, script) in MIGRATIONS.iter().enumerate().skip(found) {
        sql.execute_batch(&format!(
            "BEGIN IMMEDIATE; {script} PRAGMA user_version = {}; COMMIT;",
            at + 1
        ))
        .map_err(|error| {
            cannot_open(
                path,
                &format!(
                    "its schema cannot be brought to version {}: {error}",
                    at + 1
                ),
            )
        })?;
    }
    Ok(())
}

const PROBE: &str = "baton";
const PROBE_ABOUT: &str = "meta/key";

/// A word sealed at the first start tells at every later one whether the key is still the same.
pub fn check_key(sql: &Connection, key: &MasterKey) -> Result<(), StoreError> {
    match fits(sql, key)? {
        KeyFit::Unused => {
            let sealed = hex(&key.seal(PROBE, PROBE_ABOUT));
            sql.execute(
                "INSERT INTO meta (name, value) VALUES ('key', ?1)",
                params![sealed],
            )?;
            Ok(())
        }
        KeyFit::Fits => Ok(()),
        KeyFit::Other => Err(StoreError::CannotOpen(
            "the master key is not the one this database was sealed under; \
             give the right one as `store.master_key_file`, or the credentials in it cannot be read"
                .into(),
        )),
    }
}

/// Whether a key is the one of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFit {
    /// It is.
    Fits,
    /// Nothing was ever sealed there.
    Unused,
    /// It is not.
    Other,
}

/// Looks whether a key is the one of a database.
pub fn fits(sql: &Connection, key: &MasterKey) -> rusqlite::Result<KeyFit> {
    let known: Option<String> = sql
        .query_row("SELECT value FROM meta WHERE name = 'key'", [], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(match known {
        None => KeyFit::Unused,
        Some(sealed) => match key.open(&unhex(&sealed), PROBE_ABOUT) {
            Ok(word) if word.expose_secret() == PROBE => KeyFit::Fits,
            _ => KeyFit::Other,
        },
    })
}

/// Moves the write-ahead log into the database and cuts it to nothing. `false` if somebody was in the way.
pub fn empty_log(sql: &Connection) -> Result<bool, StoreError> {
    let busy: i64 = sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// Counts a run that has not ended yet; says how many before it never did.
pub fn begin_run(sql: &Connection) -> Result<u32, StoreError> {
    let open: Option<u32> = sql
        .query_row(
            "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'open_runs'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let before = open.unwrap_or(0);
    sql.execute(
        "INSERT OR REPLACE INTO meta (name, value) VALUES ('open_runs', ?1)",
        params![before.saturating_add(1).to_string()],
    )?;
    Ok(before)
}

/// Forgets the runs that never ended, and whom they suspected.
pub fn forget_runs(sql: &Connection) -> Result<(), StoreError> {
    sql.execute(
        "DELETE FROM meta WHERE name IN ('open_runs', 'suspect')",
        [],
    )?;
    Ok(())
}

/// Puts a delivery under suspicion in the place of the one before; says how often it was already.
pub fn suspect(sql: &Connection, body: &[u8]) -> Result<u32, StoreError> {
    let who = hex(digest(&SHA256, body).as_ref());
    let suspected: Option<String> = sql
        .query_row("SELECT value FROM meta WHERE name = 'suspect'", [], |row| {
            row.get(0)
        })
        .optional()?;
    let before = suspected
        .as_deref()
        .and_then(|it| it.split_once(' '))
        .filter(|(earlier, _)| *earlier == who)
        .and_then(|(_, times)| times.parse().ok())
        .unwrap_or(0_u32);
    sql.execute(
        "INSERT OR REPLACE INTO meta (name, value) VALUES ('suspect', ?1)",
        params![format!("{who} {}", before.saturating_add(1))],
    )?;
    Ok(before)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
