//! Where each value came from, as `baton config` prints it.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

/// Where a value, or a mistake, stands. Later layers are greater, and win.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the reference that is compiled in.
    Default,
    /// In the operator's file.
    File {
        /// As it was named to us.
        path: PathBuf,
        /// From 1; 0 for the file as a whole.
        line: usize,
    },
    /// In a variable of the environment.
    Environment(String),
}

impl Origin {
    /// Two options of one layer contradict each other; of two layers, the higher one holds.
    pub(super) fn same_layer(&self, other: &Origin) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::File { path, line: 0 } => write!(f, "{}", path.display()),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(variable) => write!(f, "{variable}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One option as it is in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// `section.key`.
    pub key: String,
    /// As it was written, with secrets as `***`; null if there is none.
    pub value: Json,
    /// Where it came from.
    pub origin: Origin,
}

/// All options, in the order of the reference. Prints as text, and as JSON through serde.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Origins(pub(super) Vec<Setting>);

impl Origins {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter()
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rows: Vec<_> = self
            .iter()
            .map(|setting| (&setting.key, shown(&setting.value), &setting.origin))
            .collect();
        let width = |cell: fn(&(&String, String, &Origin)) -> usize| {
            rows.iter().map(cell).max().unwrap_or(0)
        };
        let (keys, values) = (width(|row| row.0.len()), width(|row| row.1.chars().count()));
        for (key, value, origin) in &rows {
            writeln!(f, "{key:keys$}  {value:values$}  {origin}")?;
        }
        Ok(())
    }
}

fn shown(value: &Json) -> String {
    match value {
        Json::Null => "(none)".to_owned(),
        Json::Array(items) => format!(
            "[{}]",
            items
                .iter()
                .map(Json::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        ),
        other => other.to_string(),
    }
}
