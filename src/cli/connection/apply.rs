//! The file of `baton connection apply`: reads all of it, and reports all its mistakes with their lines.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Method;
use serde_json::json;
use toml::de::{DeTable, DeValue};

use super::super::Failure;
use super::super::door::{Door, path, segment};
use super::super::page::{cell, items};
use crate::domain::connection::DeskKind;

/// A connection as the file has it.
pub struct Wanted {
    /// What it is called.
    pub name: String,
    /// The kind of desk.
    pub desk: String,
    line: usize,
    settings: BTreeMap<String, Placed>,
}

/// A value, and the line where it is set.
struct Placed {
    value: String,
    line: usize,
}

impl Wanted {
    /// The settings without their places.
    pub fn values(&self) -> BTreeMap<String, String> {
        let plain = |(name, placed): (&String, &Placed)| (name.clone(), placed.value.clone());
        self.settings.iter().map(plain).collect()
    }
}

/// All that is wrong with a file, by line.
struct Mistakes<'a> {
    file: &'a Path,
    found: Vec<(usize, String)>,
}

impl Mistakes<'_> {
    fn add(&mut self, line: usize, what: String) {
        self.found.push((line, what));
    }

    fn none(mut self) -> Result<(), Failure> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort();
        let file = self.file.display();
        let lines = self
            .found
            .iter()
            .map(|(line, what)| format!("\n{file}:{line}: {what}"));
        let lines: String = lines.collect();
        Err(Failure::Usage(format!(
            "nothing was saved; put this right:{lines}"
        )))
    }
}

/// Reads a file and the files it names.
pub fn read(file: &Path) -> Result<Vec<Wanted>, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    let mut reader = Reader {
        text: &text,
        folder: file.parent().unwrap_or(Path::new("")),
        mistakes: Mistakes {
            file,
            found: vec![],
        },
    };
    let wanted = reader.file();
    reader.mistakes.none()?;
    Ok(wanted)
}

/// Has all connections checked, so that nothing is saved of a file with a mistake in it.
pub async fn check(door: &Door, file: &Path, wanted: &[Wanted]) -> Result<(), Failure> {
    let mut mistakes = Mistakes {
        file,
        found: vec![],
    };
    for connection in wanted {
        let name = &connection.name;
        let body = json!({ "desk": connection.desk, "settings": connection.values() });
        let checked = door
            .ask(
                Method::POST,
                path(&["connections", name, "check"]),
                Some(body),
            )
            .await?;
        for problem in items(&checked["problems"]) {
            let setting = cell(&problem["setting"]);
            let placed = connection.settings.get(&setting);
            let line = placed.map_or(connection.line, |placed| placed.line);
            let what = cell(&problem["what"]);
            mistakes.add(line, format!("connection.{name}.{setting}: {what}"));
        }
    }
    mistakes.none()
}

struct Reader<'a> {
    text: &'a str,
    folder: &'a Path,
    mistakes: Mistakes<'a>,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        let before = self.text.bytes().take(offset);
        1 + before.filter(|byte| *byte == b'\n').count()
    }

    fn file(&mut self) -> Vec<Wanted> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        let mut garbled: Vec<(usize, &str)> = errors
            .iter()
            // The error's own Display quotes the line, which may hold a secret.
            .map(|error| {
                (
                    self.line(error.span().map_or(0, |span| span.start)),
                    error.message(),
                )
            })
            .collect();
        // What follows the first error of a line is mostly its echo.
        garbled.dedup_by_key(|(line, _)| *line);
        for (line, message) in garbled {
            self.mistakes.add(
                line,
                format!(
                    "not TOML: {message}; write [connection.NAME], and setting = \"value\" below it"
                ),
            );
        }
        let mut wanted = vec![];
        for (name, value) in document.get_ref() {
            let line = self.line(name.span().start);
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("connection", DeValue::Table(connections)) => {
                    wanted.extend(connections.iter().filter_map(|(name, value)| {
                        let line = self.line(name.span().start);
                        self.connection(name.get_ref(), line, value.get_ref())
                    }));
                }
                (other, _) => self.mistakes.add(
                    line,
                    format!("{other}: there is no such section; write [connection.NAME]"),
                ),
            }
        }
        if wanted.is_empty() && self.mistakes.found.is_empty() {
            let what =
                "there is no connection in it; write [connection.NAME] and its settings below";
            self.mistakes.add(1, what.to_owned());
        }
        wanted
    }

    fn connection(&mut self, name: &str, line: usize, value: &DeValue) -> Option<Wanted> {
        let DeValue::Table(table) = value else {
            let what =
                format!("connection.{name}: write [connection.{name}] and its settings below");
            self.mistakes.add(line, what);
            return None;
        };
        if let Err(what) = segment(name) {
            self.mistakes
                .add(line, format!("connection.{name:?}: {what}"));
            return None;
        }
        let mut settings = BTreeMap::new();
        self.settings(&format!("connection.{name}"), "", table, &mut settings);
        let Some(desk) = settings.remove("desk") else {
            let kinds: Vec<&str> = DeskKind::ALL.iter().map(|kind| kind.as_str()).collect();
            let what = format!(
                "connection.{name}.desk: is missing; write one of {}",
                kinds.join(", ")
            );
            self.mistakes.add(line, what);
            return None;
        };
        Some(Wanted {
            name: name.to_owned(),
            desk: desk.value,
            line,
            settings,
        })
    }

    /// Settings of a table, those of tables in it with a dot.
    fn settings(
        &mut self,
        section: &str,
        above: &str,
        table: &DeTable,
        found: &mut BTreeMap<String, Placed>,
    ) {
        for (name, value) in table {
            let line = self.line(name.span().start);
            let setting = format!("{above}{}", name.get_ref());
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) => number.to_string(),
                DeValue::Boolean(switch) => switch.to_string(),
                DeValue::Table(inner) => {
                    self.settings(section, &format!("{setting}."), inner, found);
                    continue;
                }
                DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) => {
                    let what = format!("{section}.{setting}: not text; write it in double quotes");
                    self.mistakes.add(line, what);
                    continue;
                }
            };
            let (setting, value) = match setting.strip_suffix("_file") {
                None => (setting, Ok(text)),
                Some(plain) => {
                    let path = self.folder.join(&text);
                    let value = std::fs::read_to_string(&path).map_err(|error| {
                        format!(
                            "{}: {error}; name a file that holds the value alone",
                            path.display()
                        )
                    });
                    (plain.to_owned(), value)
                }
            };
            match value {
                Err(what) => self
                    .mistakes
                    .add(line, format!("{section}.{setting}_file: {what}")),
                Ok(value) => {
                    if found
                        .insert(setting.clone(), Placed { value, line })
                        .is_some()
                    {
                        let what = format!(
                            "{section}.{setting}: stands beside {setting}_file; keep one of the two"
                        );
                        self.mistakes.add(line, what);
                    }
                }
            }
        }
    }
}
