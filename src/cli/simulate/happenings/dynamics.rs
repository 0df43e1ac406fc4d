//! What happens in a Dynamics environment: which rows are written.

use serde_json::json;

use super::{Happening, refused, short, struck_since};
use crate::sim::dynamics::Org;
use crate::sim::dynamics::ledger::{Kind, Ledger, Row};

/// How much of an environment's memory was seen.
#[derive(Default)]
pub struct Seen {
    rows: usize,
    refusals: usize,
    faults: usize,
}

impl Seen {
    /// What is new since the last look.
    pub fn look(&mut self, org: &Org) -> Vec<Happening> {
        let mut happenings: Vec<Happening> = org.look(|ledger| {
            let rows = ledger.rows.iter().skip(self.rows);
            let mut new: Vec<Happening> = rows.filter_map(|row| written(row, ledger)).collect();
            self.rows = ledger.rows.len();
            let refusals = ledger.refusals.iter().skip(self.refusals);
            new.extend(refusals.map(|it| refused(it.call, it.status, &it.message, json!(it))));
            self.refusals = ledger.refusals.len();
            new
        });
        happenings.extend(struck_since(org.faults(), &mut self.faults));
        happenings
    }
}

fn written(row: &Row, ledger: &Ledger) -> Option<Happening> {
    let (what, words) = match row.kind {
        Kind::WorkItem => (
            "work-item",
            format!("{}  begins: {}", short(&row.id), row.text("subject")),
        ),
        Kind::ContextItem | Kind::ElasticContextItem => {
            let of = |ending: &str| {
                let mut columns = row.columns.iter();
                let found = columns.find(|(name, _)| name.ends_with(ending));
                found.and_then(|(_, value)| value.as_str()).unwrap_or("?")
            };
            let words = format!(
                "{}  {} = {}",
                of_work_item(row, ledger),
                of("_name"),
                of("_value")
            );
            ("context", words)
        }
        Kind::Transcript => (
            "transcript",
            format!("{}  has a transcript", of_work_item(row, ledger)),
        ),
        Kind::Note => {
            let about = match row.text("filename") {
                "" => row.text("notetext"),
                file => file,
            };
            let words = format!(
                "{}  note “{}”: {about}",
                of_work_item(row, ledger),
                row.text("subject")
            );
            ("note", words)
        }
        // Those are there from the beginning.
        Kind::Workstream | Kind::Contact | Kind::Queue => return None,
    };
    Some(Happening {
        what,
        words,
        facts: json!({ "row": row.id, "columns": row.columns, "links": row.links }),
    })
}

/// The work item that a row belongs to, perhaps by its transcript.
fn of_work_item<'a>(row: &'a Row, ledger: &'a Ledger) -> &'a str {
    let linked = |row: &'a Row| {
        let mut ids = row.links.values();
        ids.find(|id| ledger.row(Kind::WorkItem, id).is_some())
    };
    let by_transcript = || {
        let mut ids = row.links.values();
        ids.find_map(|id| linked(ledger.row(Kind::Transcript, id)?))
    };
    linked(row)
        .or_else(by_transcript)
        .map_or("?", |id| short(id))
}
