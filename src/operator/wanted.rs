//! Which dead letters somebody means, in words: read once for the API, the command line and the console.

use std::collections::BTreeMap;

use crate::config;
use crate::domain::clock::{self, Timestamp};
use crate::domain::connection::{DeskKind, Problem};
use crate::domain::error::{Class, Code};
use crate::domain::handoff::Step;
use crate::store::dead::{DeadFilter, State};

/// The words and what each may be.
pub const WORDS: [&str; 12] = [
    "state",
    "connection",
    "desk",
    "step",
    "class",
    "code",
    "cause",
    "session",
    "text",
    "older",
    "newer",
    "up_to",
];

/// Reads a filter; all mistakes in it are listed. An empty value is as good as none, as forms send it.
pub fn filter(
    given: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<DeadFilter, Vec<Problem>> {
    let mut filter = DeadFilter::default();
    let mut problems = vec![];
    for (word, value) in given.iter().filter(|(_, value)| !value.is_empty()) {
        if let Err(what) = take(&mut filter, word, value, now) {
            problems.push(Problem {
                setting: word.clone(),
                what,
            });
        }
    }
    if problems.is_empty() {
        Ok(filter)
    } else {
        Err(problems)
    }
}

fn take(filter: &mut DeadFilter, word: &str, value: &str, now: Timestamp) -> Result<(), String> {
    let text = || Some(value.to_owned());
    match word {
        "state" => {
            let words = State::ALL.map(State::as_str).join(", ");
            filter.state = State::parse(value)
                .ok_or(format!("`{value}` is no state; write one of {words}"))?;
        }
        "connection" => filter.connection = text(),
        "desk" => {
            DeskKind::parse(value).ok_or_else(|| {
                let words: Vec<&str> = DeskKind::ALL.iter().map(|desk| desk.as_str()).collect();
                format!("`{value}` is no desk; write one of {}", words.join(", "))
            })?;
            filter.desk = text();
        }
        "step" => {
            Step::parse(value).ok_or_else(|| {
                let words = Step::ALL.map(Step::as_str).join(", ");
                format!("`{value}` is no step; write one of {words}")
            })?;
            filter.step = text();
        }
        "class" => {
            let words = [Class::Transient, Class::Permanent, Class::Poison].map(Class::as_str);
            if !words.contains(&value) {
                return Err(format!(
                    "`{value}` is no class; write one of {}",
                    words.join(", ")
                ));
            }
            filter.class = text();
        }
        "code" => {
            Code::parse(value).ok_or_else(|| {
                format!(
                    "`{value}` is no code; write one of docs/operations.md, such as desk-refused"
                )
            })?;
            filter.code = text();
        }
        "cause" => filter.cause = text(),
        "session" => filter.session = text(),
        "text" => filter.text = text(),
        "older" => filter.until = Some(ago(value, now)?),
        "newer" => filter.since = Some(ago(value, now)?),
        "up_to" => {
            let number = value.parse();
            filter.up_to = Some(number.map_err(|_| {
                format!("`{value}` is no number; write the `number` of a dead letter")
            })?);
        }
        _ => {
            return Err(format!(
                "is nothing to filter by; write one of {}",
                WORDS.join(", ")
            ));
        }
    }
    Ok(())
}

/// The time that was so long ago.
fn ago(age: &str, now: Timestamp) -> Result<Timestamp, String> {
    let age = config::duration(age)
        .ok_or_else(|| format!("`{age}` is no age; write one such as 30m, 2h or 7d"))?;
    Ok(clock::before(now, age))
}
