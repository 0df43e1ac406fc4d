//! One layer before it has types: keys, values, and where they stand.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value as Json, json};
use toml::de::{DeTable, DeValue};

use super::Origin;

/// What stands behind a key.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Switch(bool),
    List(Vec<Value>),
    /// A kind that no option has, by its name.
    Other(&'static str),
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub value: Value,
    pub origin: Origin,
}

/// A place where the text is not TOML.
pub(super) struct Garbled {
    pub line: usize,
    pub message: String,
}

/// Takes a text apart as far as it can be read. `origin` turns a line into an origin.
pub(super) fn parse(
    text: &str,
    origin: impl Fn(usize) -> Origin,
) -> (BTreeMap<String, Found>, Vec<Garbled>) {
    let line = |offset: usize| {
        1 + text
            .bytes()
            .take(offset)
            .filter(|byte| *byte == b'\n')
            .count()
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut found = BTreeMap::new();
    flatten(
        "",
        document.get_ref(),
        &|offset| origin(line(offset)),
        &mut found,
    );
    let mut garbled: Vec<Garbled> = errors
        .iter()
        // The error's own Display quotes the line, which may hold a secret.
        .map(|error| Garbled {
            line: line(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })
        .collect();
    // What follows the first error of a line is mostly its echo.
    garbled.dedup_by_key(|garbled| garbled.line);
    (found, garbled)
}

fn flatten(
    above: &str,
    table: &DeTable,
    origin: &dyn Fn(usize) -> Origin,
    found: &mut BTreeMap<String, Found>,
) {
    for (name, value) in table {
        let key = if above.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{above}.{}", name.get_ref())
        };
        match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => flatten(&key, inner, origin, found),
            other => {
                found.insert(
                    key,
                    Found {
                        value: Value::from(other),
                        origin: origin(name.span().start),
                    },
                );
            }
        }
    }
}

impl Value {
    /// A variable is only text: it takes the shape of the default, if it can.
    pub(super) fn shaped(text: String, like: Option<&Value>) -> Value {
        let shaped = match like {
            Some(Value::Number(_)) => text.parse().ok().map(Value::Number),
            Some(Value::Switch(_)) => text.parse().ok().map(Value::Switch),
            Some(Value::List(_)) => {
                let items = text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                Some(Value::List(
                    items.map(|item| Value::Text(item.to_owned())).collect(),
                ))
            }
            Some(Value::Text(_) | Value::Other(_)) | None => None,
        };
        shaped.unwrap_or(Value::Text(text))
    }
}

impl From<&DeValue<'_>> for Value {
    fn from(value: &DeValue) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("a number beyond all bounds"), Value::Number),
            DeValue::Boolean(switch) => Value::Switch(*switch),
            DeValue::Array(items) => Value::List(
                items
                    .iter()
                    .map(|item| Value::from(item.get_ref()))
                    .collect(),
            ),
            DeValue::Float(_) => Value::Other("a fraction"),
            DeValue::Datetime(_) => Value::Other("a date"),
            DeValue::Table(_) => Value::Other("a section"),
        }
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Json {
        match value {
            Value::Text(text) => json!(text),
            Value::Number(number) => json!(number),
            Value::Switch(switch) => json!(switch),
            Value::List(items) => items.iter().map(Json::from).collect(),
            Value::Other(kind) => json!(kind),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Value::Other(kind) => write!(f, "{kind}"),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(Value::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            plain => write!(f, "{}", Json::from(plain)),
        }
    }
}
