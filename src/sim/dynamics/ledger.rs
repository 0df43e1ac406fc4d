//! What an org remembers of everything that was done to it, for whoever judges a run.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

pub use super::tables::Kind;

/// Everything that happened, in the order in which it happened.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ledger {
    /// All rows of all tables, oldest first.
    pub rows: Vec<Row>,
    /// Every access token that was issued.
    pub tokens: Vec<Issued>,
    /// Every row that was to be created again.
    pub repeats: Vec<Repeat>,
    /// Every call that the org refused. Planned faults are no refusals.
    pub refusals: Vec<Refused>,
    /// How often each call was made, refused and faulty ones included.
    pub calls: BTreeMap<String, u32>,
    /// The filters that contacts were looked up with.
    pub lookups: Vec<String>,
}

/// A row of any table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which table.
    pub kind: Kind,
    /// Its primary key.
    pub id: String,
    /// What was written into its columns.
    pub columns: Map<String, Value>,
    /// The rows it is linked to, by the name of the link.
    pub links: BTreeMap<String, String>,
    /// When, in epoch milliseconds.
    pub created_at: u64,
    /// How often it was changed since.
    pub changes: u32,
}

impl Row {
    /// The text in a column; empty if there is none.
    pub fn text(&self, column: &str) -> &str {
        self.columns
            .get(column)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// What is in a column.
    pub fn value(&self, column: &str) -> &Value {
        self.columns.get(column).unwrap_or(&Value::Null)
    }

    /// The id of the row that a link leads to.
    pub fn link(&self, name: &str) -> Option<&str> {
        self.links.get(name).map(String::as_str)
    }
}

/// An access token that was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Issued {
    /// `secret` or `certificate`.
    pub proof: &'static str,
    /// When, in epoch milliseconds.
    pub at: u64,
}

/// A row that was to be created again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repeat {
    /// Which table.
    pub kind: Kind,
    /// Its key.
    pub id: String,
}

/// A call that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The call.
    pub call: &'static str,
    /// The status it got.
    pub status: u16,
    /// The code it got.
    pub code: String,
    /// What it was told.
    pub message: String,
}

impl Ledger {
    /// The rows of one table.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.kind == kind)
    }

    /// A row by its key.
    pub fn row(&self, kind: Kind, id: &str) -> Option<&Row> {
        self.of(kind).find(|row| row.id == id)
    }

    pub(super) fn row_mut(&mut self, kind: Kind, id: &str) -> Option<&mut Row> {
        let mut rows = self.rows.iter_mut();
        rows.find(|row| row.kind == kind && row.id == id)
    }

    pub(super) fn delete(&mut self, kind: Kind, id: &str) {
        self.rows.retain(|row| row.kind != kind || row.id != id);
    }

    /// All work items.
    pub fn work_items(&self) -> impl Iterator<Item = &Row> {
        self.of(Kind::WorkItem)
    }

    /// All notes.
    pub fn notes(&self) -> impl Iterator<Item = &Row> {
        self.of(Kind::Note)
    }

    /// The context variables of a work item, by name.
    pub fn context(&self, work_item: &str) -> Vec<(String, String)> {
        let tables = [Kind::ContextItem, Kind::ElasticContextItem];
        let mut variables: Vec<_> = tables
            .into_iter()
            .flat_map(|kind| self.of(kind))
            .filter(|row| row.links.values().any(|id| id == work_item))
            .map(|row| {
                let text = |ending: &str| {
                    let mut columns = row.columns.iter();
                    let found = columns.find(|(name, _)| name.ends_with(ending));
                    found
                        .and_then(|(_, value)| value.as_str())
                        .unwrap_or_default()
                        .to_owned()
                };
                (text("_name"), text("_value"))
            })
            .collect();
        variables.sort();
        variables
    }

    /// How often a call was made.
    pub fn calls(&self, call: &str) -> u32 {
        self.calls.get(call).copied().unwrap_or_default()
    }
}
