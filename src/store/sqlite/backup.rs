//! Copies of the database: made while a worker writes, looked through, and put back.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection as Sql, OpenFlags};

use super::schema::{self, KeyFit};
use super::{cannot_open, lock};
use crate::domain::clock::Timestamp;
use crate::domain::seal::MasterKey;
use crate::store::StoreError;

/// What a look through a database found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What is wrong with it; nothing in one that is sound.
    pub problems: Vec<String>,
    /// Its schema.
    pub version: i64,
    /// Handoffs ever accepted.
    pub handoffs: u64,
    /// Events that the broker has not confirmed.
    pub unconfirmed: u64,
}

/// Copies a database into a new file, as it stands at one moment, whoever writes to it meanwhile. The copy is looked
/// through before it gets its name, so a file of that name is whole.
pub fn backup(database: &Path, to: &Path) -> Result<Health, StoreError> {
    if to.exists() {
        let says =
            "there is such a file already, and a backup is never overwritten; give another name";
        return Err(StoreError::CannotOpen(format!("{}: {says}", to.display())));
    }
    let part = to.with_added_extension("part");
    let health = copy(database, &part).and_then(|()| check(&part));
    let kept = health.and_then(|health| {
        if !health.problems.is_empty() {
            let says = health.problems.join("; ");
            return Err(cannot_open(database, &format!("it is damaged ({says})")));
        }
        fs::rename(&part, to)
            .and_then(|()| sync(to))
            .map_err(|error| cannot_write(to, &error))?;
        Ok(health)
    });
    if kept.is_err() {
        let _ = fs::remove_file(&part);
    }
    kept
}

fn copy(database: &Path, to: &Path) -> Result<(), StoreError> {
    // Readable to nobody else from the first moment: contacts' words are in it.
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(to);
    made.map_err(|error| cannot_write(to, &error))?;
    let from = read_only(database)?;
    let mut copy = Sql::open(to)?;
    let backup = Backup::new(&from, &mut copy)?;
    // All pages in one step: the copy is that of one moment, and in a write-ahead log a reader holds nobody up.
    while backup.step(-1)? != StepResult::Done {}
    drop(backup);
    // Without a log of its own it is one file.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    copy.close().map_err(|(_, error)| error)?;
    sync(to).map_err(|error| cannot_write(to, &error))
}

/// Looks through a database: its pages, its references, and whether every handoff is accounted for.
pub fn check(database: &Path) -> Result<Health, StoreError> {
    let looked = read_only(database).and_then(|sql| look_through(&sql));
    looked.map_err(|error| match error {
        // So much is broken that not even the rest can be looked through.
        StoreError::Corrupt(what) => cannot_open(database, &format!("it is damaged ({what})")),
        error => error,
    })
}

fn look_through(sql: &Sql) -> Result<Health, StoreError> {
    let version: i64 = sql.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut problems = lines(sql, "PRAGMA integrity_check")?;
    problems.retain(|line| line != "ok");
    let count = |what: &str| -> rusqlite::Result<u64> { sql.query_row(what, [], |row| row.get(0)) };
    for (what, found) in CONSERVED {
        match count(&format!("SELECT count(*) FROM {found}"))? {
            0 => {}
            some => problems.push(format!("{some} {what}")),
        }
    }
    Ok(Health {
        version,
        handoffs: count("SELECT count(*) FROM handoff")?,
        unconfirmed: count("SELECT count(*) FROM outbox WHERE confirmed_ms IS NULL")?,
        problems,
    })
}

/// What must not be there: each as words, and as rows.
const CONSERVED: [(&str, &str); 6] = [
    ("references lead nowhere", "pragma_foreign_key_check"),
    (
        "handoffs are neither due, live, closed nor dead",
        "handoff WHERE status NOT IN ('due', 'live', 'closed', 'dead')",
    ),
    (
        "due handoffs are never due",
        "handoff WHERE status = 'due' AND due_ms IS NULL AND phase <> 'calling'",
    ),
    (
        "handoffs that go on were never told of as accepted",
        "handoff WHERE status IN ('due', 'live') AND NOT EXISTS
         (SELECT 1 FROM outbox WHERE outbox.handoff = handoff.k AND routing_key = 'lifecycle.accepted')",
    ),
    (
        "replies share their number with another",
        "(SELECT 1 FROM outbox WHERE kind = 'handoff.reply.v1' GROUP BY handoff, sequence HAVING count(*) > 1)",
    ),
    (
        "replies have a number that their handoff has not reached",
        "outbox JOIN handoff ON handoff.k = outbox.handoff
         WHERE kind = 'handoff.reply.v1' AND outbox.sequence > handoff.sequence",
    ),
];

/// Puts a backup in the place of a database that nobody has open. What was there is kept beside it; its new name.
pub fn restore(
    backup: &Path,
    database: &Path,
    key: &MasterKey,
    now: Timestamp,
) -> Result<Option<PathBuf>, StoreError> {
    let _lock = lock(database)?;
    let health = check(backup)?;
    if !health.problems.is_empty() {
        return Err(cannot_open(
            backup,
            &format!(
                "it is damaged ({}); take another backup",
                health.problems.join("; ")
            ),
        ));
    }
    if health.version > schema::NEWEST as i64 {
        return Err(cannot_open(
            backup,
            "a newer release wrote it; run that one",
        ));
    }
    if schema::fits(&read_only(backup)?, key)? == KeyFit::Other {
        return Err(cannot_open(
            backup,
            "it was sealed under another master key; give that one as `store.master_key_file`",
        ));
    }
    let part = database.with_added_extension("part");
    copy(backup, &part)?;
    let put = || -> io::Result<Option<PathBuf>> {
        let aside = match database.exists() {
            true => Some(set_aside(database, now)?),
            false => None,
        };
        fs::rename(&part, database)?;
        sync(database)?;
        Ok(aside)
    };
    put().map_err(|error| cannot_write(database, &error))
}

/// Moves a database and its log out of the way.
fn set_aside(database: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let aside = database.with_added_extension(format!("before-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    if aside.exists() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            aside.display().to_string(),
        ));
    }
    for log in ["-wal", "-shm"] {
        let beside = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(log);
            PathBuf::from(name)
        };
        match fs::rename(beside(database), beside(&aside)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(database, &aside)?;
    Ok(aside)
}

fn read_only(path: &Path) -> Result<Sql, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql =
        Sql::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error.to_string()))?;
    sql.execute_batch("PRAGMA busy_timeout = 5000; PRAGMA mmap_size = 0;")?;
    Ok(sql)
}

fn lines(sql: &Sql, what: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = sql.prepare(what)?;
    let lines = statement.query_map([], |row| row.get(0))?;
    lines.collect()
}

fn cannot_write(path: &Path, error: &io::Error) -> StoreError {
    StoreError::CannotOpen(format!("{}: {error}", path.display()))
}

/// The file and its name are on disk.
fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
