//! A flag for every setting of every desk, and where the values come from: the command line, a file, stdin.

use std::collections::BTreeMap;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use super::super::Failure;
use crate::desk::{self, Need, Privacy, Setting};
use crate::domain::connection::DeskKind;

/// Settings as the command line names them; `@FILE` and `-` still unread.
#[derive(Debug, Default)]
pub struct Flags(Vec<(&'static Setting, String, String)>);

impl Flags {
    /// The values by the names of their settings.
    pub fn read(self) -> Result<BTreeMap<String, String>, Failure> {
        let mut stdin_of = None;
        let mut values = BTreeMap::new();
        let mut problems = vec![];
        for (setting, name, given) in self.0 {
            let value = match given.strip_prefix('@') {
                Some(path) => std::fs::read_to_string(path)
                    .map_err(|error| format!("{path}: {error}; name a file that holds the value alone")),
                None if given == "-" => match stdin_of.replace(name.clone()) {
                    Some(other) => Err(format!("stdin is {other} already; give one of them as @FILE")),
                    None => std::io::read_to_string(std::io::stdin().lock())
                        .map_err(|error| format!("stdin: {error}")),
                },
                None if setting.privacy == Privacy::Sealed => Err(
                    "a secret on the command line is seen by others; write @FILE, or - and send it to stdin"
                        .to_owned(),
                ),
                None => Ok(given),
            };
            match value {
                Ok(value) => drop(values.insert(name, value)),
                Err(problem) => problems.push(format!("{name}: {problem}")),
            }
        }
        if problems.is_empty() {
            Ok(values)
        } else {
            Err(Failure::Usage(problems.join("\n")))
        }
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        all().into_iter().fold(command, |command, (desk, setting)| {
            command.arg(flag(desk, setting))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for (_, setting) in all() {
            let given = matches.get_many::<String>(setting.name);
            for given in given.into_iter().flatten() {
                self.0.push(match (family(setting), given.split_once('=')) {
                    (None, _) => (setting, setting.name.to_owned(), given.clone()),
                    (Some(family), Some((member, value))) => {
                        (setting, format!("{family}.{member}"), value.to_owned())
                    }
                    (Some(family), None) => {
                        let what = format!("--{family} `{given}`: write NAME=VALUE");
                        return Err(Error::raw(ErrorKind::ValueValidation, what));
                    }
                });
            }
        }
        Ok(())
    }
}

/// Every setting once, with the first desk that has it.
fn all() -> Vec<(DeskKind, &'static Setting)> {
    let mut all: Vec<(DeskKind, &Setting)> = vec![];
    for desk in DeskKind::ALL {
        for setting in desk::settings(*desk) {
            if !all.iter().any(|(_, known)| known.name == setting.name) {
                all.push((*desk, setting));
            }
        }
    }
    all
}

/// `attribute` of `attribute.<Name>`, which stands for any number of settings.
fn family(setting: &Setting) -> Option<&'static str> {
    setting.name.strip_suffix(".<Name>")
}

fn flag(desk: DeskKind, setting: &'static Setting) -> Arg {
    let name = family(setting).unwrap_or(setting.name);
    let heading = match setting.need {
        Need::Required => format!("What {desk} needs"),
        Need::Optional => format!("What {desk} can do without"),
    };
    let arg = Arg::new(setting.name)
        .long(name.replace('_', "-"))
        .help(setting.help)
        .help_heading(heading);
    match (family(setting), setting.privacy) {
        (Some(_), _) => arg.value_name("NAME=VALUE").action(ArgAction::Append),
        // A PEM begins with hyphens. It is refused, but by us, who do not repeat it.
        (None, Privacy::Sealed) => arg.value_name("@FILE").allow_hyphen_values(true),
        (None, Privacy::Shown) => arg.value_name("VALUE"),
    }
}
