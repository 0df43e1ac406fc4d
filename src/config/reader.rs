//! Lays the layers over each other and reads options off the top, keeping every mistake instead of stopping at the first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;

use super::kind::Wrong;
use super::nearest::nearest;
use super::source::{self, Found, Value};
use super::unit::spell_duration;
use super::{Mistake, Mistakes, Origin, Origins, Setting};

/// The layers, and what came to light while reading them.
pub(super) struct Reader {
    /// The lowest layer; its values show what is meant.
    reference: BTreeMap<String, Value>,
    /// What holds for each key.
    found: BTreeMap<String, Found>,
    /// Keys that are options, because somebody read them, in the order of the reference.
    asked: Vec<String>,
    /// Keys with a mistake: no further conclusion is drawn from them.
    broken: BTreeSet<String>,
    settings: Vec<Setting>,
    mistakes: Vec<Mistake>,
}

impl Reader {
    /// Starts with the lowest layer.
    pub fn over(reference: &str) -> Reader {
        let (found, garbled) = source::parse(reference, |_| Origin::Default);
        debug_assert!(garbled.is_empty(), "the reference is TOML");
        Reader {
            reference: found
                .iter()
                .map(|(key, found)| (key.clone(), found.value.clone()))
                .collect(),
            found,
            asked: Vec::new(),
            broken: BTreeSet::new(),
            settings: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    /// Lays the operator's file over what there is.
    pub fn lay_file(&mut self, path: &Path) {
        let origin = |line| Origin::File {
            path: path.to_owned(),
            line,
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let problem = format!("cannot be read ({error})");
                return self.note(origin(0), None, problem, "name a TOML file that can be");
            }
        };
        let (mut layer, garbled) = source::parse(&text, origin);
        for garbled in garbled {
            let at = origin(garbled.line);
            let key = layer
                .iter()
                .find(|(_, found)| found.origin == at && !matches!(found.value, Value::Other(_)))
                .map(|(key, _)| key.clone());
            let remedy = match &key {
                Some(key) => format!("write it like {}", self.example(key)),
                None => "write [section] or key = value, with texts in double quotes".to_owned(),
            };
            if let Some(key) = &key {
                layer.remove(key);
                self.broken.insert(key.clone());
            }
            self.note(at, key, format!("not TOML: {}", garbled.message), remedy);
        }
        self.found.extend(layer);
    }

    /// Lays the variables `BATON__SECTION__KEY` over what there is.
    pub fn lay_environment(&mut self, env: impl Iterator<Item = (String, String)>) {
        for (variable, text) in env {
            let Some(name) = variable.strip_prefix("BATON__") else {
                continue;
            };
            let key = name.replace("__", ".").to_lowercase();
            let value = Value::shaped(text, self.reference.get(&key));
            self.found.insert(
                key,
                Found {
                    value,
                    origin: Origin::Environment(variable),
                },
            );
        }
    }

    /// Gives an option a default that is only known at run time.
    pub fn supply(&mut self, key: &str, default: String) {
        let value = Value::Text(default);
        self.reference.insert(key.to_owned(), value.clone());
        let found = Found {
            value,
            origin: Origin::Default,
        };
        self.found.entry(key.to_owned()).or_insert(found);
    }

    /// Reads an option. After a mistake the value is a placeholder that nobody sees, because [`Reader::finish`] fails.
    pub fn option<T: Default>(&mut self, key: &str, fit: impl Fn(&Value) -> Result<T, Wrong>) -> T {
        self.option_or(key, T::default(), fit)
    }

    /// The same for a type without a default of its own.
    pub fn option_or<T>(
        &mut self,
        key: &str,
        placeholder: T,
        fit: impl Fn(&Value) -> Result<T, Wrong>,
    ) -> T {
        let Some(Found { value, origin }) = self.take(key) else {
            self.blame(
                key,
                Origin::Default,
                "no default",
                "give it one in the reference",
            );
            return placeholder;
        };
        let like = |key| format!("write it like {}", self.example(key));
        let (problem, remedy) = match fit(&value) {
            Ok(fitting) => {
                self.list(key, Json::from(&value), origin);
                return fitting;
            }
            Err(Wrong::Kind(wanted)) => (format!("{value} is not {wanted}"), like(key)),
            Err(Wrong::Unquotable(wanted)) => (format!("not {wanted}"), like(key)),
            Err(Wrong::Unitless) => (format!("{value} has no unit"), like(key)),
            Err(Wrong::Range(low, high)) => (
                format!("{value} is out of range"),
                format!("write {low} to {high}"),
            ),
        };
        self.blame(key, origin, problem, remedy);
        placeholder
    }

    /// Asks that a duration leaves room for those of `others`, which take `needed` together.
    pub fn require_room(&mut self, key: &str, given: Duration, others: &[&str], needed: Duration) {
        let keys = || others.iter().copied().chain([key]);
        if given >= needed || keys().any(|key| self.broken.contains(key)) {
            return;
        }
        let origin = keys()
            .filter_map(|key| Some(self.found.get(key)?.origin.clone()))
            .max();
        let [given, needed] = [given, needed].map(spell_duration);
        let problem = format!(
            "{given} is shorter than {} ({needed})",
            others.join(" and ")
        );
        let remedy = format!("write at least \"{needed}\", or less there");
        self.blame(key, origin.unwrap_or(Origin::Default), problem, remedy);
    }

    /// What was read, unless there was a mistake.
    pub fn finish(mut self) -> Result<Origins, Mistakes> {
        let unread = self
            .found
            .iter()
            .filter(|(key, _)| !self.asked.contains(key));
        for (key, found) in unread
            .map(|(key, found)| (key.clone(), found.clone()))
            .collect::<Vec<_>>()
        {
            self.note_unread(key, found);
        }
        if self.mistakes.is_empty() {
            self.settings
                .sort_by_key(|setting| self.asked.iter().position(|key| *key == setting.key));
            return Ok(Origins(self.settings));
        }
        self.mistakes
            .sort_by(|one, other| one.origin.cmp(&other.origin));
        Err(Mistakes(self.mistakes))
    }

    fn note_unread(&mut self, key: String, Found { value, origin }: Found) {
        let section = format!("{key}.");
        if !self.asked.iter().any(|option| option.starts_with(&section)) {
            let remedy = match nearest(&key, self.asked.iter().map(String::as_str)) {
                Some(option) => format!("did you mean {option}?"),
                None => "see deploy/baton.toml for all there are".to_owned(),
            };
            self.note(origin, Some(key), "no such option", remedy);
        } else if !matches!(value, Value::Other(_)) {
            // A section without options says nothing; one that is a value was meant to say something.
            let remedy = format!("write [{key}] and its options below");
            self.note(origin, Some(key), "a section", remedy);
        }
    }

    /// What holds for a key, which is an option from now on.
    pub fn take(&mut self, key: &str) -> Option<Found> {
        self.asked.push(key.to_owned());
        self.found.get(key).cloned()
    }

    fn example(&self, key: &str) -> String {
        self.reference
            .get(key)
            .map_or_else(|| "\"…\"".to_owned(), Value::to_string)
    }

    /// Adds a line to what `baton config` prints.
    pub fn list(&mut self, key: &str, value: Json, origin: Origin) {
        self.settings.push(Setting {
            key: key.to_owned(),
            value,
            origin,
        });
    }

    /// Adds the mistake of an option.
    pub fn blame(
        &mut self,
        key: &str,
        origin: Origin,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.broken.insert(key.to_owned());
        self.note(origin, Some(key.to_owned()), problem, remedy);
    }

    fn note(
        &mut self,
        origin: Origin,
        key: Option<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (problem, remedy) = (problem.into(), remedy.into());
        self.mistakes.push(Mistake {
            origin,
            key,
            problem,
            remedy,
        });
    }
}
