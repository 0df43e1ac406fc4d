//! What goes to stdout: tables and colours on a terminal; elsewhere plain columns, or JSON for programs.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use comfy_table::{Table, presets};
use serde_json::Value;

use super::Failure;

/// How a listing is printed.
#[derive(Debug, Args)]
pub struct Form {
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Form {
    /// Prints what was asked for: the JSON itself, or what `text` makes of it.
    pub fn print(&self, value: &Value, text: impl FnOnce(&Value) -> String) -> Result<(), Failure> {
        if self.json {
            print(&format!("{value:#}\n"))
        } else {
            print(&text(value))
        }
    }

    /// Prints a list. That there is nothing in it is said beside the output, which stays what programs expect.
    pub fn print_list(
        &self,
        list: &Value,
        nothing: &str,
        text: impl FnOnce(&Value) -> String,
    ) -> Result<(), Failure> {
        let empty = items(list).next().is_none();
        if empty {
            note(nothing);
        }
        self.print(list, |list| if empty { String::new() } else { text(list) })
    }

    /// Prints one item of a stream, as one line if it is JSON.
    pub fn print_item(
        &self,
        value: &Value,
        text: impl FnOnce(&Value) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            print(&format!("{value}\n"))
        } else {
            print(&text(value))
        }
    }
}

/// Prints to stdout. That nobody reads it any more, as after `| head`, ends the verb without a word.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::Unread),
        outcome => Ok(outcome?),
    }
}

/// Says something beside the output, on stderr.
pub fn note(text: &str) {
    // Nobody is left to hear that nobody listens.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Rows under headings: in a frame on a terminal, or as blocks where that is too narrow; elsewhere columns with two spaces
/// between. Nothing is cut or wrapped, so that ids can be copied.
pub fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let headings = headings.map(|heading| heading.replace('_', " "));
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let mut table = Table::new();
    table.set_header(headings.clone().map(|heading| heading.to_uppercase()));
    table.add_rows(rows.clone());
    if io::stdout().is_terminal() {
        table.load_style(presets::UTF8_FULL_CONDENSED);
        let size = rustix::termios::tcgetwinsize(io::stdout());
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        let widest = table.lines().map(|line| line.chars().count()).max();
        if columns > 0 && widest > Some(columns) {
            return blocks(&headings, &rows);
        }
    } else {
        table.load_style(presets::NOTHING);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
    }
    format!("{}\n", table.trim_fmt())
}

/// One block for each row: a line for each field, with its heading before it.
pub fn blocks<const N: usize>(headings: &[String; N], rows: &[[String; N]]) -> String {
    let widest = headings.iter().map(|heading| heading.chars().count()).max();
    let width = widest.unwrap_or_default();
    let block = |row: &[String; N]| -> String {
        let lines = headings.iter().zip(row);
        lines
            .map(|(heading, cell)| format!("{heading:width$}  {cell}\n"))
            .collect()
    };
    let blocks: Vec<String> = rows.iter().map(block).collect();
    blocks.join("\n")
}

/// A table of objects, a column for each of these fields.
pub fn fields<'a, const N: usize>(
    fields: [&str; N],
    objects: impl IntoIterator<Item = &'a Value>,
) -> String {
    let row = |object: &Value| fields.map(|field| cell(&object[field]));
    table(fields, objects.into_iter().map(row))
}

/// The text of a field; `-` where there is none, so that columns stay columns.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => tame(text),
        other => other.to_string(),
    }
}

/// Text of others in one line: a control character could speak to the terminal.
pub fn tame(text: &str) -> String {
    let tame = |letter: char| {
        if letter.is_control() {
            letter.escape_default().to_string()
        } else {
            letter.to_string()
        }
    };
    text.chars().map(tame).collect()
}

/// A word that says how something went, coloured on a terminal.
pub fn verdict(outcome: Result<&str, &str>) -> String {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = io::stdout().is_terminal() && !unwanted;
    match outcome {
        Ok(word) if colours => format!("\x1b[32m{word}\x1b[0m"),
        Err(word) if colours => format!("\x1b[31m{word}\x1b[0m"),
        Ok(word) | Err(word) => word.to_owned(),
    }
}

/// The elements of a list; none if it is not one.
pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
