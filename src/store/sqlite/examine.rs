//! What `baton doctor` looks at in a store, beside the worker that may have it open. Nothing is written but a file that
//! goes at once.

use std::io::Write;
use std::path::Path;

use rusqlite::{Connection as Sql, OpenFlags, OptionalExtension};
use rustix::fs::statfs;

use super::schema::{self, KeyFit};
use crate::domain::finding::Finding;
use crate::domain::seal::MasterKey;

/// What a write-ahead log may grow to before it is cut (`journal_size_limit`).
const LOG_BYTES: u64 = 64 << 20;

/// Looks at folder, file system, space, schema and key. With no key, its finding is somebody else's.
pub fn examine(database: &Path, key: Option<&MasterKey>) -> Vec<Finding> {
    let parent = database.parent().unwrap_or(Path::new(""));
    let folder = match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    };
    let shown = folder.display();
    if !folder.is_dir() {
        let says = format!("there is no folder {shown}, in which `store.url` puts the database");
        return vec![Finding::wrong("folder", says).fixed_by(format!("mkdir -p {shown}"))];
    }
    let tried =
        tempfile::NamedTempFile::new_in(folder).and_then(|mut file| file.write_all(b"baton"));
    if let Err(error) = tried {
        let says = format!(
            "nothing can be written to the folder {shown} of `store.url` ({error}); give it to the user that runs the worker"
        );
        return vec![Finding::wrong("folder", says).fixed_by(format!("chown -R baton: {shown}"))];
    }
    let mut findings = vec![Finding::good(
        "folder",
        format!("{shown} can be written to"),
    )];
    findings.extend(file_system(folder, database));
    if database.exists() {
        findings.extend(inside(database, key));
    } else {
        let says = format!(
            "there is no {} yet; the first `baton serve` makes it",
            database.display()
        );
        findings.push(Finding::good("database", says));
    }
    findings
}

/// Where the folder is, and how much room there is.
fn file_system(folder: &Path, database: &Path) -> Vec<Finding> {
    let shown = folder.display();
    let there = match statfs(folder) {
        Ok(there) => there,
        Err(error) => {
            let says = format!("the file system of {shown} does not say what it is ({error})");
            return vec![Finding::unsure("file system", says)];
        }
    };
    // The magic numbers are of 32 bits, and some systems sign them.
    let ground = ground(there.f_type as u32);
    let free = (there.f_bavail as u64).saturating_mul(there.f_bsize as u64);
    let size = database.metadata().map_or(0, |it| it.len());
    let needed = size + LOG_BYTES;
    let mib = |bytes: u64| bytes >> 20;
    vec![
        match ground {
            Ground::Disk => Finding::good(
                "file system",
                format!("{shown} is on a disk of this machine"),
            ),
            Ground::Network(kind) => Finding::wrong(
                "file system",
                format!(
                    "{shown} is on a network file system ({kind}), where locks and the write-ahead log of SQLite are not safe; give `store.url` a folder on a local disk"
                ),
            ),
            Ground::Memory => Finding::unsure(
                "file system",
                format!(
                    "{shown} is kept in memory and gone after a restart of the machine; for production give `store.url` a folder on a local disk"
                ),
            ),
        },
        if free < needed {
            Finding::wrong(
                "space",
                format!(
                    "{} MiB are free in {shown}; the database ({} MiB) needs {} MiB more, for its log and a backup",
                    mib(free),
                    mib(size),
                    mib(needed)
                ),
            )
        } else {
            Finding::good(
                "space",
                format!(
                    "{} MiB are free, the database has {} MiB",
                    mib(free),
                    mib(size)
                ),
            )
        },
    ]
}

/// What a database may lie on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// A disk, or what the system takes for one.
    Disk,
    /// Another machine's.
    Network(&'static str),
    /// Nothing that stays.
    Memory,
}

/// What the magic number of a file system stands for (statfs(2)).
pub fn ground(magic: u32) -> Ground {
    match magic {
        0x6969 => Ground::Network("NFS"),
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => Ground::Network("SMB"),
        0x0102_1997 => Ground::Network("9p"),
        0x00C3_6400 => Ground::Network("Ceph"),
        0x7375_7245 => Ground::Network("Coda"),
        0x5346_414F => Ground::Network("AFS"),
        0x0BD0_0BD0 => Ground::Network("Lustre"),
        0x0102_1994 | 0x8584_58F6 => Ground::Memory,
        _ => Ground::Disk,
    }
}

fn inside(database: &Path, key: Option<&MasterKey>) -> Vec<Finding> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let looked = Sql::open_with_flags(database, flags).and_then(|sql| {
        sql.execute_batch("PRAGMA busy_timeout = 5000;")?;
        let version = sql.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?;
        let known = sql.query_row(
            "SELECT 1 FROM sqlite_schema WHERE name = 'meta'",
            [],
            |_| Ok(()),
        );
        let fits = match (known.optional()?, key) {
            (Some(()), Some(key)) => Some(schema::fits(&sql, key)?),
            _ => None,
        };
        Ok((version, fits))
    });
    let shown = database.display();
    let (version, fits) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            let says = format!(
                "{shown} cannot be read as a database ({error}); restore a backup, or give `store.url` another file"
            );
            return vec![Finding::wrong("database", says)];
        }
    };
    let newest = schema::NEWEST as i64;
    let mut findings = vec![match version {
        version if version > newest => Finding::wrong(
            "schema",
            format!(
                "{shown} has schema version {version}, and this release knows up to {newest}; run the release that wrote it, or restore a backup"
            ),
        ),
        version if version < newest => Finding::good(
            "schema",
            format!("version {version}; the next start brings it to {newest}"),
        ),
        version => Finding::good("schema", format!("version {version}")),
    }];
    findings.extend(fits.map(|fits| match fits {
        KeyFit::Fits => Finding::good("master key", "opens what is sealed in the database"),
        KeyFit::Unused => Finding::good("master key", "nothing is sealed yet"),
        KeyFit::Other => Finding::wrong(
            "master key",
            format!("another key sealed {shown}; give that one as `store.master_key_file`, from where you keep it apart from the database"),
        ),
    }));
    findings
}
