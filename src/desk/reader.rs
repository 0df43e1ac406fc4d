//! Reads the settings of a connection: tidies them in place, and collects all that there is to say about them.

use std::collections::BTreeMap;

use super::key::{self, PrivateKey};
use super::tidy::Tidied;
use super::{Privacy, Setting};
use crate::domain::connection::{Connection, Problem};
use crate::domain::seal::{ExposeSecret, SecretString};

/// Takes settings out of a connection one by one.
pub struct Reader<'a> {
    connection: &'a mut Connection,
    known: &'static [Setting],
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Puts secrets where they belong, and finds settings that nobody knows; `desk` is what people call the desk.
    pub fn new(connection: &'a mut Connection, known: &'static [Setting], desk: &str) -> Self {
        let mut reader = Self {
            connection,
            known,
            problems: Vec::new(),
            notes: Vec::new(),
        };
        reader.hide_what_is_secret();
        reader.name_what_is_unknown(desk);
        reader
    }

    /// Something is wrong with a setting.
    pub fn problem(&mut self, setting: &str, what: impl Into<String>) {
        self.problems.push(Problem {
            setting: setting.to_owned(),
            what: what.into(),
        });
    }

    /// What was read, with what was put right; or else everything that is wrong.
    pub fn finish<T>(self, read: Option<T>) -> Result<(T, Vec<String>), Vec<Problem>> {
        match read {
            Some(read) if self.problems.is_empty() => Ok((read, self.notes)),
            Some(_) | None => Err(self.problems),
        }
    }

    /// Whether a problem with this setting is known.
    fn is_faulty(&self, name: &str) -> bool {
        self.problems.iter().any(|problem| problem.setting == name)
    }

    /// A secret that came among the shown settings must not be stored with them.
    fn hide_what_is_secret(&mut self) {
        for setting in self.known {
            if setting.privacy == Privacy::Sealed
                && let Some(value) = self.connection.settings.remove(setting.name)
            {
                let secrets = &mut self.connection.secrets;
                secrets.insert(setting.name.to_owned(), value.into());
            }
        }
    }

    /// A name such as `attribute.<Name>` stands for all that begin like it.
    fn is_known(&self, name: &str) -> bool {
        self.known
            .iter()
            .any(|setting| match setting.name.split_once('<') {
                Some((beginning, _)) => name.starts_with(beginning),
                None => name == setting.name,
            })
    }

    fn name_what_is_unknown(&mut self, desk: &str) {
        let given = self.connection.settings.keys();
        let given: Vec<String> = given
            .chain(self.connection.secrets.keys())
            .filter(|name| !self.is_known(name))
            .cloned()
            .collect();
        for name in given {
            let known: Vec<&str> = self.known.iter().map(|setting| setting.name).collect();
            let what = format!(
                "is no setting of a {desk} connection; take it out, or write one of {}",
                known.join(", ")
            );
            self.problem(&name, what);
        }
    }

    /// A setting that must be there.
    pub fn required(
        &mut self,
        name: &str,
        tidy: fn(&str) -> Result<Tidied, String>,
    ) -> Option<String> {
        let value = self.optional(name, tidy);
        if value.is_none() {
            self.missing(name);
        }
        value
    }

    /// A setting that need not be there; one that is empty is not.
    pub fn optional(
        &mut self,
        name: &str,
        tidy: fn(&str) -> Result<Tidied, String>,
    ) -> Option<String> {
        let given = self.connection.settings.get(name)?.trim();
        if given.is_empty() {
            return None;
        }
        match tidy(given) {
            Ok(Tidied { value, note }) => {
                let settings = &mut self.connection.settings;
                settings.insert(name.to_owned(), value.clone());
                self.note(name, note);
                Some(value)
            }
            Err(what) => {
                self.problem(name, what);
                None
            }
        }
    }

    /// Whether there is anything in a setting, in order or not.
    pub fn is_given(&self, name: &str) -> bool {
        let shown = self.connection.settings.get(name);
        shown.is_some_and(|given| !given.trim().is_empty()) || self.secret(name).is_some()
    }

    /// A secret as it was given, without the space around it; one that is empty is not there.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        let given = self.connection.secrets.get(name)?.expose_secret().trim();
        (!given.is_empty()).then(|| given.into())
    }

    /// A private RSA key among the secrets.
    pub fn private_key(&mut self, name: &str) -> Option<PrivateKey> {
        let given = self.secret(name)?;
        match key::private_pem(given.expose_secret())
            .and_then(|tidied| Ok((PrivateKey::parse(&tidied.value)?, tidied)))
        {
            Ok((key, Tidied { value, note })) => {
                let secrets = &mut self.connection.secrets;
                secrets.insert(name.to_owned(), value.into());
                self.note(name, note);
                Some(key)
            }
            Err(what) => {
                self.problem(name, what);
                None
            }
        }
    }

    /// The settings that begin with `prefix`, such as `attribute.<Name>`: by the rest of their names, each read by the
    /// desk's own rules.
    pub fn each<T>(
        &mut self,
        prefix: &str,
        read: fn(name: &str, given: &str) -> Result<T, String>,
    ) -> BTreeMap<String, T> {
        let mut found = BTreeMap::new();
        for (setting, given) in &self.connection.settings {
            let Some(name) = setting.strip_prefix(prefix) else {
                continue;
            };
            match read(name, given) {
                Ok(value) => {
                    found.insert(name.to_owned(), value);
                }
                Err(what) => self.problems.push(Problem {
                    setting: setting.clone(),
                    what,
                }),
            }
        }
        found
    }

    /// Says that a setting is missing, unless something else is wrong with it already.
    pub fn missing(&mut self, name: &str) {
        if self.is_faulty(name) {
            return;
        }
        let mut known = self.known.iter();
        let help = known
            .find(|setting| setting.name == name)
            .map_or("", |setting| setting.help);
        self.problem(name, format!("is missing. {help}"));
    }

    fn note(&mut self, name: &str, note: Option<String>) {
        self.notes
            .extend(note.map(|note| format!("{name}: {note}")));
    }
}
