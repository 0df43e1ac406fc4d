//! Edit and replay: what an operator put right goes on as a new generation. The original stays, and the audit names the
//! fields that were changed, never what is in them.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Operator, Refusal};
use crate::domain::arrival::Inbound;
use crate::domain::clock;
use crate::domain::connection::Problem;
use crate::domain::dead_letter::GENERATION;
use crate::journey;
use crate::store::dead::State;
use crate::store::{About, Replayed};

/// What is to go on in the place of a dead letter's event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The whole event, as it should have come.
    pub event: Map<String, Value>,
    /// Only say which fields differ.
    #[serde(default)]
    pub dry_run: bool,
}

impl Operator {
    /// Replays a dead letter with an event that was edited; it is checked as one that comes in.
    pub async fn edit(&self, id: &str, edit: &Edit, who: &str) -> Result<Value, Refusal> {
        if !self.may_edit {
            return Err(Refusal::NotNow(
                "editing is off; set `operator.edit = true` if operators may change what contacts and upstream wrote".into(),
            ));
        }
        let letter = self.find_dead(id).await?;
        if letter.state != State::Open {
            return Err(super::dead::not_open(&letter));
        }
        if letter.about == About::Contact {
            return Err(Refusal::NotNow(
                "what a contact wrote is theirs, and goes on as it is or not at all".into(),
            ));
        }
        let gone = || Refusal::NotNow(format!("`{}` cannot go on: its content is gone", letter.id));
        let (mut origin, before) = self.store.original(letter.number).await?.ok_or_else(gone)?;
        let before: Value = serde_json::from_slice(&before).unwrap_or_default();
        let event = Value::Object(edit.event.clone());
        let changed: Vec<String> = differences(&before, &event).into_iter().collect();
        let next = letter.generation + 1;
        origin.headers.insert(GENERATION.to_owned(), json!(next));
        let now = self.clock.now();
        let deadline = clock::after(now, self.deadline);
        let body = event.to_string().into_bytes();
        let arrival = journey::receive(origin, body, self.bounds, deadline);
        check(&arrival.what, &before, &event, &changed, letter.about)?;
        if edit.dry_run {
            return Ok(json!({ "id": letter.id, "changed": changed }));
        }
        let edited = self
            .store
            .replay_edited(letter.number, arrival, &changed, deadline, who, now)
            .await?;
        match edited {
            Replayed::On(onward) => Ok(json!({
                "replayed": letter.id, "generation": onward.generation, "changed": changed,
            })),
            Replayed::NotOpen => Err(super::dead::not_open(&letter)),
            Replayed::Cannot(why) => Err(Refusal::NotNow(format!("`{}` {why}", letter.id))),
        }
    }
}

fn check(
    what: &Inbound,
    before: &Value,
    after: &Value,
    changed: &[String],
    about: About,
) -> Result<(), Refusal> {
    let wrong = |setting: &str, what: String| {
        let setting = setting.to_owned();
        Err(Refusal::Wrong(vec![Problem { setting, what }]))
    };
    match what {
        Inbound::Poison(poison) => return wrong("event", poison.to_string()),
        Inbound::Contact(..) => return wrong("type", "only an escalation can be edited".into()),
        Inbound::Escalation(..) => {}
    }
    if changed.is_empty() {
        return wrong(
            "event",
            "nothing is changed; `baton dead replay` sends it on as it is".into(),
        );
    }
    // It is the same handoff: its keys, its replies and what upstream knows of it hang on these.
    if about == About::Handoff {
        for path in ["/id", "/data/session/id"] {
            if before.pointer(path) != after.pointer(path) {
                let field = path.trim_start_matches('/').replace('/', ".");
                return wrong(&field, "cannot be changed: it is the same handoff".into());
            }
        }
    }
    Ok(())
}

/// The paths of all fields in which two documents differ.
fn differences(before: &Value, after: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    compare("", before, after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut BTreeSet<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let (old, new) = (old.get(name), new.get(name));
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                compare(
                    &path,
                    old.unwrap_or(&Value::Null),
                    new.unwrap_or(&Value::Null),
                    found,
                );
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}[{at}]"), old, new, found);
            }
        }
        (old, new) if old == new => {}
        _ if path.is_empty() => {
            found.insert("event".to_owned());
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}
