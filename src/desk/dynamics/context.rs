//! Context variables: rows beside the work item, by which routing decides and which the rep is shown.
//!
//! Names are case-sensitive, and routing sees only those that are defined on the workstream (dynamics reference §3.2).

use std::collections::BTreeMap;

use serde_json::json;
use tracing::warn;

use super::calls::Created;
use super::schema::Part;
use super::{Dynamics, work_item};
use crate::desk::attributes::Source;
use crate::desk::tidy::quoted;
use crate::domain::error::DeskError;
use crate::domain::escalation::Escalation;
use crate::domain::handoff::AccessToken;
use crate::domain::ids::{IdShape, Key, Namespace};
use crate::domain::transcript::cut;

/// Which of the two tables an org's agents read: older orgs the standard one, newer ones the elastic
/// (dynamics reference §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContextTable {
    /// The one that Microsoft's own sample writes.
    #[default]
    Standard,
    /// The other one.
    Elastic,
    /// To be sure.
    Both,
}

/// Reads the setting `context_table`.
pub fn table(given: &str) -> Result<ContextTable, String> {
    match given {
        "standard" => Ok(ContextTable::Standard),
        "elastic" => Ok(ContextTable::Elastic),
        "both" => Ok(ContextTable::Both),
        _ => Err(format!(
            "{} is no context table; write standard, elastic or both",
            quoted(given)
        )),
    }
}

/// The variables that every work item has; nothing else may set them.
const FIXED: [&str; 3] = ["sessionId", "channel", "customerPhone"];
/// Of a variable's name (dynamics reference §3.2).
const NAME_CHARS_MAX: usize = 100;
/// Of a value in the standard table, which may hold more by now (dynamics reference §3.3).
const VALUE_CHARS_MAX: usize = 512;
/// Of a value in the elastic table.
const ELASTIC_VALUE_CHARS_MAX: usize = 4000;
/// Text, in the elastic table.
const TEXT: u32 = 192_350_000;

/// Reads a setting `attribute.<name>`.
pub fn configured(name: &str, given: &str) -> Result<Source, String> {
    if FIXED.contains(&name) {
        return Err("Baton sets it for every work item; take this setting out".into());
    }
    if !is_name(name) {
        return Err(format!(
            "is no name that a context variable can have; use up to {NAME_CHARS_MAX} letters, digits and underscores, such as attribute.Brand"
        ));
    }
    Source::read(given)
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Dynamics {
    /// One row per variable, each under an id that hangs on the work item's: in the order of the alphabet, so that a
    /// repetition makes the same ones.
    pub(super) async fn create_context(
        &self,
        access: &AccessToken,
        work_item: Key,
        about: &Escalation,
    ) -> Result<(), DeskError> {
        let tables: &[(Part, usize)] = match self.settings.context_table {
            ContextTable::Standard => &[(Part::ContextItems, VALUE_CHARS_MAX)],
            ContextTable::Elastic => &[(Part::ContextItemsElastic, ELASTIC_VALUE_CHARS_MAX)],
            ContextTable::Both => &[
                (Part::ContextItems, VALUE_CHARS_MAX),
                (Part::ContextItemsElastic, ELASTIC_VALUE_CHARS_MAX),
            ],
        };
        for (table, chars_max) in tables {
            for (name, value) in self.variables(about) {
                let set = self.name(*table);
                if set.is_empty() {
                    continue;
                }
                let id = Namespace::of(work_item).key(&[set, &name], IdShape::V4);
                let mut body = json!({});
                self.fill(&mut body, Part::ContextName, name);
                self.fill(&mut body, Part::ContextValue, cut(&value, *chars_max));
                // Without it the rep does not see the variable (dynamics reference §3.3).
                self.fill(&mut body, Part::ContextShown, true);
                if *table == Part::ContextItemsElastic {
                    self.fill(&mut body, Part::ContextType, TEXT);
                }
                self.bind(
                    &mut body,
                    Part::ContextWorkItem,
                    self.name(Part::WorkItems),
                    &work_item.to_string(),
                );
                if let Created::Refused(answer) = self.create(access, set, id, &body).await? {
                    return Err(self.refused(&answer, &body));
                }
            }
        }
        Ok(())
    }

    /// The fixed ones, those of the event, then the configured ones that have a value.
    fn variables(&self, about: &Escalation) -> BTreeMap<String, String> {
        let fixed = [
            ("sessionId", Some(about.session.as_str())),
            ("channel", Some(about.channel.as_str())),
            ("customerPhone", work_item::phone(about)),
        ];
        let mut variables: BTreeMap<String, String> = fixed
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        for (name, value) in &about.attributes {
            if !is_name(name) {
                let connection = &self.settings.connection;
                warn!(%connection, "an attribute of an escalation has a name that no context variable can have; it is left out");
            } else if !FIXED.contains(&name.as_str()) {
                variables.insert(name.clone(), value.clone());
            }
        }
        for (name, source) in &self.settings.attributes {
            if let Some(value) = source.value(&about.data) {
                variables.entry(name.clone()).or_insert(value);
            }
        }
        variables
    }
}
