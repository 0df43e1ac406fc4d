//! Configured routing attributes: where their values come from.

use serde_json::{Map, Value};

use super::tidy::quoted;
use crate::domain::escalation::as_text;

/// What the names of settings begin with that configure an attribute.
pub const PREFIX: &str = "attribute.";

/// Parts of an escalation that a path can begin with.
const ROOTS: [&str; 7] = [
    "session",
    "contact",
    "reply_to",
    "attributes",
    "reason",
    "summary",
    "sentiment",
];

/// Where the value of a configured attribute comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The same for all.
    Literal(String),
    /// A field of the escalation's data, named from the outside in.
    Path(Vec<String>),
}

impl Source {
    /// Reads what a setting says.
    pub fn read(given: &str) -> Result<Self, String> {
        let given = given.trim();
        if let Some(literal) = given
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
        {
            return Ok(Self::Literal(literal.to_owned()));
        }
        let path: Vec<String> = given.split('.').map(str::to_owned).collect();
        if ROOTS.contains(&path[0].as_str()) && path.iter().all(|name| !name.trim().is_empty()) {
            Ok(Self::Path(path))
        } else {
            Err(format!(
                "{} is neither a field of the escalation, such as session.custom.Brand or contact.custom.Plan, nor text in double quotes, such as \"Gold\"; write one of them",
                quoted(given)
            ))
        }
    }

    /// What the escalation has for it.
    pub fn value(&self, data: &Map<String, Value>) -> Option<String> {
        match self {
            Self::Literal(text) => Some(text.clone()),
            Self::Path(path) => {
                let (first, rest) = path.split_first()?;
                let found = rest
                    .iter()
                    .try_fold(data.get(first)?, |value, name| value.get(name))?;
                as_text(found)
            }
        }
    }
}
