//! What may be written into a row: columns, limits, links (§2.4, §3).

use std::collections::BTreeMap;

use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Shared;
use super::memory::Memory;
use super::refusal::Refusal;
use super::switches::{AbsentLink, ControlCharacters};
use super::tables::{Holds, Table};

/// A body that fits its table.
pub(super) struct Written {
    /// The primary key, if the body has it.
    pub key: Option<String>,
    pub columns: Map<String, Value>,
    pub links: BTreeMap<String, String>,
}

/// Checks a body against its table, and its links against what there is.
pub(super) fn check(
    shared: &Shared,
    memory: &Memory,
    table: &Table,
    body: &[u8],
) -> Result<Written, Refusal> {
    let body: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| payload(table, &format!("the body is no JSON object: {error}")))?;
    let mut written = Written {
        key: None,
        columns: Map::new(),
        links: BTreeMap::new(),
    };
    for (name, value) in body {
        if let Some(link) = name.strip_suffix("@odata.bind") {
            let id = linked(shared, memory, table, link, &value)?;
            written.links.insert(link.to_owned(), id);
        } else if name == table.key {
            written.key = Some(guid(value.as_str().unwrap_or_default())?);
        } else if table.column(&name).is_none()
            && table.links.iter().any(|link| link.column == name)
        {
            return Err(Refusal::bad_request(
                "0x80048d19",
                "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.",
            ));
        } else {
            let column = table.column(&name).ok_or_else(|| {
                let text = format!(
                    "Invalid property '{name}' was found in entity 'Microsoft.Dynamics.CRM.{}'. ---> Microsoft.OData.ODataException: Does not support untyped value in non-open type.",
                    table.entity
                );
                payload(table, &text)
            })?;
            fits(shared, memory, table, &name, &column.holds, &value)?;
            written.columns.insert(name, value);
        }
    }
    Ok(written)
}

/// Whether a new row has all that it needs.
pub(super) fn is_whole(table: &Table, written: &Written) -> Result<(), Refusal> {
    let missing = table.columns.iter().find(|column| {
        matches!(column.holds, Holds::Needed(_))
            && written
                .columns
                .get(column.name)
                .and_then(Value::as_str)
                .is_none_or(str::is_empty)
    });
    match missing {
        None => Ok(()),
        Some(column) => Err(payload(
            table,
            &format!("Required field '{}' is missing", column.name),
        )),
    }
}

/// A GUID in lower case; braces are refused (§2.4).
pub(super) fn guid(text: &str) -> Result<String, Refusal> {
    match Uuid::try_parse(text) {
        Ok(id) if text.len() == 36 => Ok(id.to_string()),
        Ok(_) | Err(_) => Err(Refusal::bad_request(
            "0x80060888",
            format!("Bad Request - Error in query syntax: '{text}' is no GUID."),
        )),
    }
}

/// The row that a link leads to: `/set(guid)`, with or without the slash (§2.2).
fn linked(
    shared: &Shared,
    memory: &Memory,
    table: &Table,
    name: &str,
    value: &Value,
) -> Result<String, Refusal> {
    let link = table.links.iter().find(|link| link.name == name);
    let link = link.ok_or_else(|| {
        let text = format!(
            "An undeclared property '{name}' which only has property annotations in the payload but no property value was found in the payload. In OData, only declared navigation properties and declared named streams can be represented as properties without values."
        );
        payload(table, &text)
    })?;
    let value = value.as_str().unwrap_or_default();
    let parts = value.trim_start_matches('/').split_once('(');
    let Some((set, id)) = parts.and_then(|(set, rest)| Some((set, rest.strip_suffix(')')?))) else {
        return Err(payload(table, &format!("'{value}' is no reference")));
    };
    let id = guid(id)?;
    let target = shared.tables.by_set(set);
    let target = target
        .filter(|target| target.kind == link.to)
        .ok_or_else(|| payload(table, &format!("the set '{set}' does not fit '{name}'")))?;
    if memory.ledger.row(target.kind, &id).is_some() {
        return Ok(id);
    }
    let status = match memory.switches.absent_link {
        AbsentLink::NotFound => StatusCode::NOT_FOUND,
        AbsentLink::BadRequest => StatusCode::BAD_REQUEST,
    };
    let text = format!("{} With Ids = {id} Do Not Exist", target.entity);
    Err(Refusal::new(status, "0x80040217", text))
}

/// Whether a value fits its column.
fn fits(
    shared: &Shared,
    memory: &Memory,
    table: &Table,
    name: &str,
    holds: &Holds,
    value: &Value,
) -> Result<(), Refusal> {
    let wrong_type = || {
        let text = format!("Cannot convert the value of '{name}' to the expected type");
        payload(table, &text)
    };
    if value.is_null() {
        return Ok(());
    }
    match holds {
        Holds::Text(max) | Holds::Needed(max) => {
            let text = value.as_str().ok_or_else(wrong_type)?;
            let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
            if memory.switches.control_characters == ControlCharacters::Refused
                && text.contains(is_control)
            {
                return Err(payload(table, "hexadecimal value, is an invalid character"));
            }
            if text.encode_utf16().count() > *max {
                let text = format!(
                    "A validation error occurred.  The length of the '{name}' attribute of the '{}' entity exceeded the maximum allowed length of '{max}'.",
                    table.entity
                );
                return Err(Refusal::bad_request("0x80044331", text));
            }
            Ok(())
        }
        Holds::Flag => value.as_bool().map(drop).ok_or_else(wrong_type),
        Holds::Choice(all) => {
            let number = value.as_i64().filter(|number| all.contains(number));
            number.map(drop).ok_or_else(wrong_type)
        }
        Holds::Choices(all) => {
            let texts = value.as_str().ok_or_else(wrong_type)?;
            let known = |text: &str| text.parse().is_ok_and(|number: i64| all.contains(&number));
            texts
                .split(',')
                .all(known)
                .then_some(())
                .ok_or_else(wrong_type)
        }
        Holds::Document => {
            let text = value.as_str().ok_or_else(wrong_type)?;
            let bytes = BASE64_STANDARD.decode(text).map_err(|_| wrong_type())?;
            if bytes.len() > shared.options.file_bytes_max {
                let text = "Attachment file size is too big.";
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                return Err(Refusal::new(status, "0x80044a02", text));
            }
            Ok(())
        }
    }
}

/// A body that does not fit.
fn payload(table: &Table, what: &str) -> Refusal {
    let text = format!(
        "Error identified in Payload provided by the user for Entity :'{}', For more information on this error please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293 ----> InnerException : Microsoft.OData.ODataException: {what}",
        table.set
    );
    Refusal::bad_request("0x80048d19", text)
}
