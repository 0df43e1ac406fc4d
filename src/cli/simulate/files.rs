//! The files of connections to simulated desks: what `baton connection apply` takes, and the secrets beside it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;
use toml::{Table, Value};

use crate::demo::desk::{Desk, Salesforce};
use crate::desk::{Privacy, settings};
use crate::domain::keys::RsaPair;

const PRIVATE_KEY: &str = "private.pem";
const PUBLIC_KEY: &str = "public.pem";
const CONNECTIONS: &str = "connection.toml";

/// Only its owner may read a secret.
const PRIVATE: u32 = 0o600;

/// Where the files are.
pub enum Folder {
    /// Somebody named it, and it stays.
    Kept(PathBuf),
    /// It goes with this value.
    Temporary(TempDir),
}

impl Folder {
    /// The folder that was named, made if need be, or a temporary one.
    pub fn open(named: Option<PathBuf>) -> io::Result<Self> {
        match named {
            Some(folder) => {
                fs::create_dir_all(&folder)?;
                Ok(Self::Kept(fs::canonicalize(folder)?))
            }
            None => {
                let folder = tempfile::Builder::new()
                    .prefix("baton-simulate-")
                    .tempdir()?;
                Ok(Self::Temporary(folder))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(folder) => folder,
            Self::Temporary(folder) => folder.path(),
        }
    }

    /// The keys that are there, so that a connection outlives the desk; or new ones.
    pub fn keys(&self) -> anyhow::Result<RsaPair> {
        let read = |name: &str| {
            let path = self.path().join(name);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        if !self.path().join(PRIVATE_KEY).exists() {
            return Ok(RsaPair::generate());
        }
        Ok(RsaPair {
            private_pem: read(PRIVATE_KEY)?.into(),
            public_pem: read(PUBLIC_KEY)?,
        })
    }

    /// Writes the file of all connections, each a name and a desk, and their secrets beside it; where that file is.
    pub fn write(&self, connections: &[(&str, &dyn Desk)]) -> anyhow::Result<PathBuf> {
        let path = self.path().join(CONNECTIONS);
        let mut tables = Table::new();
        for (name, desk) in connections {
            let files = self.kept_apart(*desk);
            let mut table = Table::new();
            table.insert("desk".to_owned(), desk.kind().as_str().into());
            for (setting, value) in desk.settings() {
                match files.get(&setting) {
                    None => drop(table.insert(setting, value.into())),
                    Some(file) => {
                        self.put(file, &value)?;
                        let file = file.file_name().unwrap_or_default();
                        let file = Value::String(file.to_string_lossy().into_owned());
                        table.insert(format!("{setting}_file"), file);
                    }
                }
            }
            tables.insert((*name).to_owned(), Value::Table(table));
        }
        let tables = Table::from_iter([("connection".to_owned(), Value::Table(tables))]);
        let where_to = connections.iter().map(|(_, desk)| desk.url());
        let text = format!(
            "# What `baton simulate` runs at {}.\n# For `baton connection apply {}`.\n\n{tables}",
            where_to.collect::<Vec<_>>().join(", "),
            path.display(),
        );
        self.put(&path, &text)?;
        Ok(path)
    }

    /// The settings of a desk that have files of their own: what is secret, and what has many lines.
    pub fn kept_apart(&self, desk: &dyn Desk) -> BTreeMap<String, PathBuf> {
        let file = |setting: &str| match setting {
            Salesforce::PRIVATE_KEY => Some(PRIVATE_KEY.to_owned()),
            Salesforce::PUBLIC_KEY => Some(PUBLIC_KEY.to_owned()),
            _ => is_sealed(desk, setting).then(|| format!("{}.{setting}", desk.kind())),
        };
        let settings = desk.settings().into_keys();
        settings
            .filter_map(|setting| Some((self.path().join(file(&setting)?), setting)))
            .map(|(path, setting)| (setting, path))
            .collect()
    }

    fn put(&self, path: &Path, text: &str) -> anyhow::Result<()> {
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Whether nobody is shown a setting of a desk.
pub fn is_sealed(desk: &dyn Desk, setting: &str) -> bool {
    let mut known = settings(desk.kind()).iter();
    known.any(|it| it.name == setting && it.privacy == Privacy::Sealed)
}
