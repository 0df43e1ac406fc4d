//! `$filter`, `$select`, `$orderby` and `$top`, as far as they are used (§2.1, §3.4).

use serde_json::{Map, Value, json};

use super::ledger::Row;
use super::refusal::Refusal;
use super::switches::EmailCase;
use super::tables::Table;

/// What a GET asks for.
#[derive(Default)]
pub(super) struct Query {
    select: Vec<String>,
    pub filter: Option<String>,
    conditions: Vec<(String, Literal)>,
    pub top: Option<usize>,
    order: Option<String>,
}

/// What a column is compared with.
#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Text(String),
    Number(i64),
}

impl Query {
    /// Reads a query string; unknown names and forms are refused.
    pub fn read(table: &Table, query: &str) -> Result<Self, Refusal> {
        let Ok(url) = reqwest::Url::parse(&format!("query:?{query}")) else {
            return Err(Refusal::bad_request("0x0", "The query cannot be read."));
        };
        let mut read = Self::default();
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "$select" => read.select = value.split(',').map(str::to_owned).collect(),
                "$filter" => {
                    read.conditions = conditions(&value)?;
                    read.filter = Some(value.into_owned());
                }
                "$top" => read.top = value.parse().ok(),
                "$orderby" => read.order = value.split(' ').next().map(str::to_owned),
                other => {
                    let text = format!("The query parameter {other} is not supported");
                    return Err(Refusal::bad_request("0x80060888", text));
                }
            }
        }
        let named = read.conditions.iter().map(|(name, _)| name);
        let mut named = named.chain(&read.select).chain(&read.order);
        if let Some(unknown) = named.find(|name| !table.is_readable(name)) {
            let text = format!(
                "Could not find a property named '{unknown}' on type 'Microsoft.Dynamics.CRM.{}'.",
                table.entity
            );
            return Err(Refusal::bad_request("0x0", text));
        }
        Ok(read)
    }

    /// Whether a row is asked for.
    pub fn takes(&self, table: &Table, row: &Row, email_case: EmailCase) -> bool {
        self.conditions
            .iter()
            .all(|(name, literal)| match (value(table, row, name), literal) {
                (Value::String(text), Literal::Text(wanted)) => {
                    text == *wanted
                        || (email_case == EmailCase::Ignored && text.eq_ignore_ascii_case(wanted))
                }
                (number, Literal::Number(wanted)) => number == *wanted,
                (_, Literal::Text(_)) => false,
            })
    }

    /// What a row is sorted by.
    pub fn rank(&self, table: &Table, row: &Row) -> String {
        let order = self.order.as_ref();
        order.map_or_else(String::new, |name| value(table, row, name).to_string())
    }

    /// A row as it is shown.
    pub fn show(&self, table: &Table, row: &Row) -> Value {
        let mut shown = Map::new();
        shown.insert(
            "@odata.etag".into(),
            format!("W/\"{}\"", row.changes).into(),
        );
        shown.insert(table.key.into(), row.id.clone().into());
        let all = table.columns.iter().map(|column| column.name.to_owned());
        let links = table
            .links
            .iter()
            .map(|link| format!("_{}_value", link.column));
        for name in all.chain(links) {
            if self.select.is_empty() || self.select.contains(&name) {
                let value = value(table, row, &name);
                shown.insert(name, value);
            }
        }
        Value::Object(shown)
    }
}

/// What a row has under a name that can be read.
fn value(table: &Table, row: &Row, name: &str) -> Value {
    if name == table.key {
        return json!(row.id);
    }
    let link = table.links.iter().find(|link| {
        name == format!("_{}_value", link.column) && row.links.contains_key(link.name)
    });
    match link {
        Some(link) => json!(row.links[link.name]),
        None => row.value(name).clone(),
    }
}

/// `a eq 'text' and b eq 0`: quotes inside are doubled.
fn conditions(filter: &str) -> Result<Vec<(String, Literal)>, Refusal> {
    let unreadable = || {
        let text = format!("Syntax error in '{filter}'.");
        Refusal::bad_request("0x80060888", text)
    };
    let mut found = Vec::new();
    let mut rest = filter.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once(" eq ").ok_or_else(unreadable)?;
        let (literal, after) = match after.strip_prefix('\'') {
            Some(quoted) => text(quoted).ok_or_else(unreadable)?,
            None => {
                let end = after.find(' ').unwrap_or(after.len());
                let number = after[..end].parse().map_err(|_| unreadable())?;
                (Literal::Number(number), &after[end..])
            }
        };
        found.push((name.trim().to_owned(), literal));
        rest = after.trim_start();
        if !rest.is_empty() {
            rest = rest.strip_prefix("and ").ok_or_else(unreadable)?;
        }
    }
    Ok(found)
}

/// The text up to the quote that is not doubled, and what comes after it.
fn text(quoted: &str) -> Option<(Literal, &str)> {
    let mut text = String::new();
    let mut letters = quoted.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' if letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                letters.next();
                text.push('\'');
            }
            '\'' => return Some((Literal::Text(text), &quoted[at + 1..])),
            letter => text.push(letter),
        }
    }
    None
}
