//! The operator's verbs, one function each: the API, the command line and the console all end here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::machine::{self, Load};
use super::view;
use crate::desk::examination::Ours;
use crate::desk::{self, Privacy, SetUp};
use crate::domain::clock::Clock;
use crate::domain::connection::{Connection, DeskKind, Gate, Problem, Removal};
use crate::domain::error::{Code, DeskError};
use crate::domain::event::Bounds;
use crate::domain::finding::{Finding, Verdict};
use crate::domain::handoff::Ending;
use crate::domain::ids::ConnectionName;
use crate::domain::seal::SecretString;
use crate::engine::desks::{Desks, NoDesk};
use crate::engine::governor::Governor;
use crate::engine::media::Place;
use crate::store::{Filter, Pause, Removed, Store, StoreError};

mod contacts;
mod dead;
mod edit;
mod jobs;
mod timeline;

pub use contacts::Meant;
pub use edit::Edit;
pub use jobs::Asked;

/// The longest name of a connection: escalations and routing keys carry it.
const NAME_BYTES_MAX: usize = 64;

/// Does what operators ask for.
#[derive(Clone)]
pub struct Operator {
    /// What there is.
    pub store: Arc<dyn Store>,
    /// For `verify`.
    pub desks: Arc<Desks>,
    /// Forgives a connection that was put right.
    pub governor: Arc<Governor>,
    /// What time it is.
    pub clock: Clock,
    /// What is taken in.
    pub bounds: Bounds,
    /// From a replay until a handoff is live.
    pub deadline: Duration,
    /// Our address, as desks see it.
    pub public_url: String,
    /// Where our copies of files are.
    pub files_in: Place,
    /// Whether dead letters may be edited.
    pub may_edit: bool,
}

/// Why a verb was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// It does not apply to this.
    #[error("{0}")]
    NotNow(String),
    /// What was given is wrong; all of it is listed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Problem>),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Operator {
    /// All connections, secrets redacted.
    pub async fn connections(&self) -> Result<Value, Refusal> {
        let all = self.store.connections().await?;
        Ok(all
            .iter()
            .map(|(connection, gate)| view::connection(connection, gate))
            .collect())
    }

    /// One connection, secrets redacted.
    pub async fn connection(&self, name: &str) -> Result<Value, Refusal> {
        let found = self.store.connection(&ConnectionName::from(name)).await?;
        let (connection, gate) = found.ok_or_else(|| no_connection(name))?;
        Ok(view::connection(&connection, &gate))
    }

    /// Checks and saves a connection. A sealed setting that is not given keeps its value; what is as it was is left alone.
    /// A desk that calls us is told where, every time: somebody may have changed it there. If that fails the connection
    /// is saved all the same, and `set_up` says what to do.
    pub async fn save_connection(
        &self,
        name: &str,
        desk: &str,
        given: BTreeMap<String, String>,
        who: &str,
    ) -> Result<Value, Refusal> {
        let Draft {
            connection,
            change,
            notes,
        } = self.draft(name, desk, given).await?;
        let calls_us = connection.desk.calls_us();
        if change != Change::None {
            let name = connection.name.clone();
            self.store
                .save_connection(connection, who, self.clock.now())
                .await?;
            self.governor.forgive(&name);
        }
        let mut saved = json!({ "saved": name, "change": change.as_str(), "notes": notes });
        if calls_us {
            saved["set_up"] = self.set_up_connection(name, &self.public_url, who).await?;
        }
        Ok(saved)
    }

    /// What saving a connection would come to: the change and the notes, or all problems at once. Saves nothing.
    pub async fn check_connection(
        &self,
        name: &str,
        desk: &str,
        given: BTreeMap<String, String>,
    ) -> Result<Value, Refusal> {
        match self.draft(name, desk, given).await {
            Ok(draft) => {
                Ok(json!({ "change": draft.change.as_str(), "notes": draft.notes, "problems": [] }))
            }
            Err(Refusal::Wrong(problems)) => {
                Ok(json!({ "change": null, "notes": [], "problems": view::problems(&problems) }))
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn draft(
        &self,
        name: &str,
        desk: &str,
        given: BTreeMap<String, String>,
    ) -> Result<Draft, Refusal> {
        let mut connection = named(name, desk)?;
        let before = self.store.connection(&connection.name).await?;
        let stays = before
            .as_ref()
            .is_none_or(|(_, gate)| !matches!(gate, Gate::Draining(_)));
        let before = before.map(|(before, _)| before);
        let sealed: Vec<&str> = desk::settings(connection.desk)
            .iter()
            .filter(|setting| setting.privacy == Privacy::Sealed)
            .map(|setting| setting.name)
            .collect();
        if let Some(before) = &before {
            connection.secrets = before.secrets.clone();
        }
        for (setting, value) in given {
            if sealed.contains(&setting.as_str()) {
                connection
                    .secrets
                    .insert(setting, SecretString::from(value));
            } else {
                connection.settings.insert(setting, value);
            }
        }
        let notes = desk::check(&mut connection).map_err(Refusal::Wrong)?;
        let change = match before {
            None => Change::Added,
            Some(before) if stays && before.says_the_same_as(&connection) => Change::None,
            Some(_) => Change::Changed,
        };
        Ok(Draft {
            connection,
            change,
            notes,
        })
    }

    /// Tries the credentials of a connection; opens its gate if they are good.
    pub async fn verify_connection(&self, name: &str) -> Result<Value, Refusal> {
        let connection = ConnectionName::from(name);
        let open = match self.desks.get(&connection).await {
            Ok(open) => open,
            Err(NoDesk::Store(error)) => return Err(error.into()),
            Err(NoDesk::Unusable(error)) if error.code() == Code::UnknownConnection => {
                return Err(no_connection(name));
            }
            Err(NoDesk::Unusable(error)) => return Ok(failed(name, &error)),
        };
        Ok(match open.desk.verify().await {
            Ok(says) => {
                self.governor.forgive(&connection);
                self.store.reopen(&connection).await?;
                json!({ "connection": name, "ok": true, "says": says })
            }
            Err(error) => failed(name, &error),
        })
    }

    /// Puts the next key of a connection in the place of the present one, once the desk takes it.
    pub async fn rotate_connection(&self, name: &str, who: &str) -> Result<Value, Refusal> {
        let connection = ConnectionName::from(name);
        let found = self.store.connection(&connection).await?;
        let (before, _) = found.ok_or_else(|| no_connection(name))?;
        let rotated = desk::rotate(&before).ok_or_else(|| {
            Refusal::NotNow(format!(
                "connection `{name}` has no next key; give one with `auth_next_key_id`, `auth_next_public_key` and `auth_next_private_key`"
            ))
        })?;
        let ours = Ours {
            public_url: "",
            serving: false,
        };
        let open = match self.desks.get(&connection).await {
            Ok(open) => open,
            Err(NoDesk::Store(error)) => return Err(error.into()),
            Err(NoDesk::Unusable(error)) => return Err(Refusal::NotNow(error.to_string())),
        };
        let findings = open.desk.examine(ours).await;
        let next = findings.iter().find(|it| it.check == desk::NEXT_KEY);
        match next {
            Some(next) if next.verdict == Verdict::Good => {}
            Some(next) => {
                return Err(Refusal::NotNow(format!(
                    "nothing was changed: {}",
                    next.says
                )));
            }
            None => {
                let first = findings.iter().find(|it| it.verdict == Verdict::Wrong);
                let says = first.map_or("the next key could not be tried", |it| &it.says);
                return Err(Refusal::NotNow(format!("nothing was changed: {says}")));
            }
        }
        let key = rotated.settings.get("auth_key_id").cloned();
        self.store
            .save_connection(rotated, who, self.clock.now())
            .await?;
        self.governor.forgive(&connection);
        Ok(json!({ "rotated": name, "key": key }))
    }

    /// Looks a connection over, step by step, changing nothing that a rep could see.
    pub async fn examine_connection(&self, name: &str, ours: Ours<'_>) -> Result<Value, Refusal> {
        let connection = ConnectionName::from(name);
        let about = format!("connection {name}");
        let open = match self.desks.get(&connection).await {
            Ok(open) => open,
            Err(NoDesk::Store(error)) => return Err(error.into()),
            Err(NoDesk::Unusable(error)) if error.code() == Code::UnknownConnection => {
                return Err(no_connection(name));
            }
            Err(NoDesk::Unusable(error)) => {
                let wrong = Finding::wrong("settings", error.to_string());
                return Ok(view::findings(&about, &[wrong]));
            }
        };
        let mut findings = vec![Finding::good("settings", "nothing contradicts itself")];
        findings.extend(open.desk.examine(ours).await);
        findings.extend(match &open.gate {
            Gate::Open => None,
            Gate::Suspended { why } => Some(
                Finding::wrong("gate", format!("no handoff goes there, because of: {why}"))
                    .fixed_by(format!("baton connection verify {name}")),
            ),
            Gate::Paused { by } => Some(Finding::unsure("gate", format!("paused by {by}"))),
            Gate::Draining(_) => Some(Finding::unsure("gate", "it is being removed")),
        });
        Ok(view::findings(&about, &findings))
    }

    /// Looks at the machine under this process, for as many conversations at once, or as many as are live.
    pub async fn examine_machine(&self, conversations: Option<u64>) -> Result<Value, Refusal> {
        let counts = self.store.counts(self.clock.now()).await?;
        let live = counts.handoffs.get("live").copied().unwrap_or_default();
        let connections = self.store.connections().await?.len() as u64;
        let load = Load {
            conversations: conversations.unwrap_or_default().max(live),
            calls: connections * self.governor.calls_in_flight() as u64,
        };
        Ok(view::findings("machine", &machine::examine(load)))
    }

    /// Lets the desk of a connection call us below this address, and keeps what the desk chose for that.
    pub async fn set_up_connection(
        &self,
        name: &str,
        public_url: &str,
        who: &str,
    ) -> Result<Value, Refusal> {
        let connection = ConnectionName::from(name);
        let open = match self.desks.get(&connection).await {
            Ok(open) => open,
            Err(NoDesk::Store(error)) => return Err(error.into()),
            Err(NoDesk::Unusable(error)) => return Ok(failed(name, &error)),
        };
        let SetUp { secrets, says } = match open.desk.set_up(public_url).await {
            Ok(done) => done,
            Err(error) => return Ok(failed(name, &error)),
        };
        let found = self.store.connection(&connection).await?;
        let (before, _) = found.ok_or_else(|| no_connection(name))?;
        let mut connection = before.clone();
        connection.secrets.extend(secrets);
        if !before.says_the_same_as(&connection) {
            self.store
                .save_connection(connection, who, self.clock.now())
                .await?;
        }
        Ok(json!({ "connection": name, "ok": true, "says": says.join("; ") }))
    }

    /// Removes a connection and its credentials, as soon as no live handoff needs them.
    pub async fn remove_connection(
        &self,
        name: &str,
        removal: Removal,
        who: &str,
    ) -> Result<Value, Refusal> {
        let (connection, now) = (ConnectionName::from(name), self.clock.now());
        let removed = self.store.remove_connection(&connection, removal, who, now);
        match removed.await? {
            None => Err(no_connection(name)),
            Some(Removed::Now) => Ok(json!({ "removed": name })),
            Some(Removed::Later(left)) => {
                Ok(json!({ "draining": name, "mode": removal.as_str(), "handoffs": left }))
            }
        }
    }

    /// Pauses a connection, or ends its pause: nothing new is begun at one that is paused, and its live conversations go on.
    pub async fn pause_connection(
        &self,
        name: &str,
        pause: Pause,
        who: &str,
    ) -> Result<Value, Refusal> {
        let (connection, now) = (ConnectionName::from(name), self.clock.now());
        let found = self.store.connection(&connection).await?;
        let (_, gate) = found.ok_or_else(|| no_connection(name))?;
        let paused = self.store.pause_connection(&connection, pause, who, now);
        if !paused.await? {
            let gate = gate.as_str();
            let what = match pause {
                Pause::Begin => format!("connection `{name}` is {gate}, and cannot be paused"),
                Pause::End => format!("connection `{name}` is {gate}, not paused"),
            };
            return Err(Refusal::NotNow(what));
        }
        self.connection(name).await
    }

    /// The newest handoffs that match.
    pub async fn handoffs(&self, filter: &Filter) -> Result<Value, Refusal> {
        Ok(self
            .store
            .list(filter)
            .await?
            .iter()
            .map(view::summary)
            .collect())
    }

    /// What was said in the newest handoff of an id: a contact's and a rep's words, for who may see them.
    pub async fn words(&self, id: &str) -> Result<Value, Refusal> {
        let rows = self.store.find(id).await?;
        let row = *rows.first().ok_or_else(|| no_handoff(id))?;
        let (held, told) = (self.store.load(row).await?, self.store.told(row).await?);
        Ok(view::words(&held.handoff, &told))
    }

    /// Ends the live handoff of a session id, a handoff id or a desk's conversation id.
    pub async fn end(&self, id: &str, who: &str) -> Result<Value, Refusal> {
        let rows = self.store.find(id).await?;
        let none = rows.is_empty();
        for row in rows {
            let handoff = self.store.load(row).await?.handoff.id;
            let now = self.clock.now();
            if self.store.end(row, Ending::Operator, who, now).await? {
                return Ok(json!({ "ended": handoff.to_string() }));
            }
        }
        Err(if none {
            no_handoff(id)
        } else {
            Refusal::NotNow(format!("handoff `{id}` is not live"))
        })
    }
}

fn failed(connection: &str, error: &DeskError) -> Value {
    json!({ "connection": connection, "ok": false, "code": error.code().as_str(), "says": error.to_string() })
}

/// A connection that could be saved.
struct Draft {
    connection: Connection,
    change: Change,
    notes: Vec<String>,
}

/// What saving a connection does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Changed,
    None,
}

impl Change {
    fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::None => "none",
        }
    }
}

fn no_handoff(id: &str) -> Refusal {
    Refusal::NotFound(format!(
        "there is no handoff `{id}`; give a handoff id, a session id or the desk's conversation id"
    ))
}

fn no_connection(name: &str) -> Refusal {
    Refusal::NotFound(format!(
        "there is no connection `{name}`; `baton connection list` shows all"
    ))
}

fn named(name: &str, desk: &str) -> Result<Connection, Refusal> {
    let mut problems = vec![];
    let mut problem = |setting: &str, what: String| {
        problems.push(Problem {
            setting: setting.into(),
            what,
        })
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
        let what = format!(
            "`{name}` is no name; write 1 to {NAME_BYTES_MAX} letters, digits, hyphens, dots or underscores"
        );
        problem("name", what);
    }
    let kind = DeskKind::parse(desk);
    if kind.is_none() {
        let known: Vec<&str> = DeskKind::ALL.iter().map(|kind| kind.as_str()).collect();
        problem(
            "desk",
            format!("`{desk}` is no desk; write one of {}", known.join(", ")),
        );
    }
    match kind {
        Some(desk) if problems.is_empty() => Ok(Connection {
            name: ConnectionName::from(name),
            desk,
            settings: BTreeMap::new(),
            secrets: BTreeMap::new(),
            version: 1,
        }),
        _ => Err(Refusal::Wrong(problems)),
    }
}
