//! The form of a connection: a field for every setting of its desk, with what it is, where to find it, and what is wrong
//! with it.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::form::{self, Fields};
use super::page::{self, Section, text};
use super::session::Notice;
use super::visit::{View, Visit};
use super::{Console, WHO};
use crate::desk::{self, Need, Privacy, Setting};
use crate::domain::connection::{DeskKind, Problem};
use crate::operator::verbs::Refusal;

/// What kind of desk a new connection is for.
#[derive(Deserialize)]
pub struct Which {
    desk: Option<String>,
}

/// A form, as it is filled in.
struct Draft {
    desk: DeskKind,
    name: String,
    /// Whether it is of a connection that there is already.
    known: bool,
    /// What is in the fields, by setting; never a secret.
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

/// `GET /console/connections/new`: the kinds of desk, or the form of one.
pub async fn choose(visit: Visit, Query(which): Query<Which>) -> Response {
    let kind = which.desk.as_deref().and_then(DeskKind::parse);
    let body = match kind {
        None => kinds(),
        Some(desk) => filled(
            &visit,
            &Draft {
                desk,
                name: String::new(),
                known: false,
                values: BTreeMap::new(),
                problems: vec![],
            },
        ),
    };
    visit.show(Ok(view("Add a connection".to_owned(), body)))
}

fn view(title: String, body: Markup) -> View {
    View {
        title,
        section: Section::Connections,
        body,
    }
}

fn kinds() -> Markup {
    html! {
        p.lead { "Which desk is it?" }
        ul.tiles {
            @for kind in DeskKind::ALL {
                li.tile.calm {
                    a href={ "/console/connections/new?desk=" (kind.as_str()) } { (kind.as_str()) }
                    span {
                        @match kind {
                            DeskKind::Salesforce => "Messaging for In-App and Web; replies come back on a stream",
                            DeskKind::Zendesk => "Messaging through Sunshine Conversations; replies come back by webhook",
                            DeskKind::Dynamics => "Customer Service, by live work items; replies do not come back",
                        }
                    }
                }
            }
        }
    }
}

/// `GET /console/connections/{name}/edit`.
pub async fn edit(
    State(console): State<Console>,
    visit: Visit,
    Path(name): Path<String>,
) -> Response {
    match known(&console, &name).await {
        Ok(draft) => {
            let body = filled(&visit, &draft);
            visit.show(Ok(view(format!("Change {name}"), body)))
        }
        Err(refusal) => visit.refused(&refusal),
    }
}

async fn known(console: &Console, name: &str) -> Result<Draft, Refusal> {
    let connection = console.operator.connection(name).await?;
    let desk = DeskKind::parse(&text(&connection["desk"]))
        .ok_or_else(|| Refusal::NotFound(format!("`{name}` is of no desk that we know")))?;
    let sealed = |name: &str| {
        let mut settings = desk::settings(desk).iter();
        settings.any(|setting| setting.name == name && setting.privacy == Privacy::Sealed)
    };
    let settings = connection["settings"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let values = settings.into_iter().filter(|(name, _)| !sealed(name));
    Ok(Draft {
        desk,
        name: name.to_owned(),
        known: true,
        values: values.map(|(name, value)| (name, text(&value))).collect(),
        problems: vec![],
    })
}

/// Saves what was filled in, or shows it again with what is wrong.
pub async fn save(
    State(console): State<Console>,
    visit: Visit,
    Extension(fields): Extension<Fields>,
) -> Response {
    let Some(desk) = DeskKind::parse(fields.get("desk")) else {
        let what = format!("`{}` is no desk; choose one", fields.get("desk"));
        return visit.refused(&Refusal::NotFound(what));
    };
    let is_known = fields.get("known") == "yes";
    let name = fields.filled("name").unwrap_or_default();
    let (given, mut problems) = read(desk, &fields);
    if !is_known && console.operator.connection(&name).await.is_ok() {
        let what =
            format!("there is a connection {name} already; change that one, or write another name");
        problems.push(problem("name", what));
    }
    let saved = match problems.is_empty() {
        true => {
            console
                .operator
                .save_connection(&name, desk.as_str(), given.clone(), WHO)
                .await
        }
        false => Err(Refusal::Wrong(problems)),
    };
    match saved {
        Ok(saved) => visit.leave(
            Notice::Done(what_was_saved(&name, &saved)),
            &page::path(&["connections", &name]),
        ),
        Err(Refusal::Wrong(problems)) => {
            let is_sealed = |name: &str| {
                desk::settings(desk)
                    .iter()
                    .any(|it| it.name == name && it.privacy == Privacy::Sealed)
            };
            let draft = Draft {
                desk,
                name,
                known: is_known,
                values: given
                    .into_iter()
                    .filter(|(name, _)| !is_sealed(name))
                    .collect(),
                problems,
            };
            let body = filled(&visit, &draft);
            let title = if is_known {
                format!("Change {}", draft.name)
            } else {
                "Add a connection".to_owned()
            };
            visit.page(StatusCode::UNPROCESSABLE_ENTITY, &view(title, body))
        }
        Err(refusal) => visit.refused(&refusal),
    }
}

fn problem(setting: &str, what: impl Into<String>) -> Problem {
    Problem {
        setting: setting.to_owned(),
        what: what.into(),
    }
}

fn what_was_saved(name: &str, saved: &Value) -> String {
    let change = match saved["change"].as_str() {
        Some("added") => "was added",
        Some("changed") => "was changed",
        _ => "is as it was",
    };
    let notes = saved["notes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let notes = notes
        .iter()
        .map(|note| format!(" {}.", text(note).trim_end_matches('.')));
    format!(
        "{name} {change}.{} Verify it now.",
        notes.collect::<String>()
    )
}

/// `attribute` of `attribute.<Name>`, which stands for any number of settings.
fn family(setting: &Setting) -> Option<&'static str> {
    setting.name.strip_suffix(".<Name>")
}

/// The settings of a form, and the lines that are none.
fn read(desk: DeskKind, fields: &Fields) -> (BTreeMap<String, String>, Vec<Problem>) {
    let (mut given, mut problems) = (BTreeMap::new(), vec![]);
    for setting in desk::settings(desk) {
        let Some(value) = fields.filled(&format!("s.{}", setting.name)) else {
            continue;
        };
        let Some(family) = family(setting) else {
            given.insert(setting.name.to_owned(), value);
            continue;
        };
        for line in value.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once('=') {
                Some((name, value)) => {
                    drop(given.insert(format!("{family}.{}", name.trim()), value.trim().to_owned()))
                }
                None => problems.push(problem(
                    setting.name,
                    format!("`{line}`: write NAME=VALUE, one in each line"),
                )),
            }
        }
    }
    (given, problems)
}

/// The form.
fn filled(visit: &Visit, draft: &Draft) -> Markup {
    let settings = desk::settings(draft.desk);
    let needed = |need: Need| settings.iter().filter(move |setting| setting.need == need);
    let inner = html! {
        input type="hidden" name="desk" value=(draft.desk.as_str());
        @if draft.known { input type="hidden" name="known" value="yes"; }
        div.field {
            label for="name" { "Name" }
            (wrong(draft, "name"))
            input #name name="name" value=(draft.name) required readonly[draft.known] autocomplete="off" spellcheck="false" aria-describedby="name-hint";
            p.hint #name-hint { "What escalations call it: letters, digits, hyphens, dots, underscores." }
        }
        @for setting in needed(Need::Required) { (field(draft, setting)) }
        details open[has_optional(draft)] {
            summary { "What it can do without" }
            @for setting in needed(Need::Optional) { (field(draft, setting)) }
        }
        div.actions {
            button.primary type="submit" { "Save" }
            a.button href="/console/connections" { "Back" }
        }
    };
    html! {
        @if draft.desk == DeskKind::Dynamics {
            p.notice { "What reps write at this desk does not come back to the contact through Baton." }
        }
        @if !draft.problems.is_empty() {
            div.notice.failed role="alert" {
                p { "Nothing was saved. Put this right:" }
                ul { @for problem in &draft.problems {
                    li { a href={ "#" (anchor(draft.desk, &problem.setting)) } { (problem.setting) } ": " (problem.what) }
                } }
                p { "Secrets have to be given again." }
            }
        }
        (form::acting(&visit.session.csrf, "/console/connections/new", html! { div.form { (inner) } }))
    }
}

/// The field of a setting; that of its family, if it has one.
fn anchor(desk: DeskKind, name: &str) -> &str {
    let mut settings = desk::settings(desk).iter();
    let belongs = |setting: &&Setting| {
        family(setting).is_some_and(|family| {
            name.strip_prefix(family)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    settings.find(belongs).map_or(name, |setting| setting.name)
}

fn has_optional(draft: &Draft) -> bool {
    let concerns = |setting: &Setting| {
        let mut named = draft
            .values
            .keys()
            .chain(draft.problems.iter().map(|problem| &problem.setting));
        named.any(|name| anchor(draft.desk, name) == setting.name)
    };
    let mut optional = desk::settings(draft.desk)
        .iter()
        .filter(|setting| setting.need == Need::Optional);
    optional.any(concerns)
}

fn wrong(draft: &Draft, name: &str) -> Markup {
    let problems: Vec<&Problem> = draft
        .problems
        .iter()
        .filter(|problem| anchor(draft.desk, &problem.setting) == name)
        .collect();
    html! {
        @if !problems.is_empty() {
            p.wrong id={ (name) "-wrong" } { @for problem in problems { (problem.what) " " } }
        }
    }
}

fn field(draft: &Draft, setting: &Setting) -> Markup {
    let name = setting.name;
    let is_sealed = setting.privacy == Privacy::Sealed;
    let required = setting.need == Need::Required && !(is_sealed && draft.known);
    let has_lines = setting.help.contains("PEM") || family(setting).is_some();
    let value = match family(setting) {
        Some(family) => members(draft, family),
        None => draft.values.get(name).cloned().unwrap_or_default(),
    };
    let is_wrong = draft
        .problems
        .iter()
        .any(|problem| anchor(draft.desk, &problem.setting) == name);
    let about = if is_wrong {
        format!("{name}-wrong {name}-hint")
    } else {
        format!("{name}-hint")
    };
    let sent_as = format!("s.{name}");
    html! {
        div.field {
            label for=(name) { (name) @if !required { " " span.why { "optional" } } }
            (wrong(draft, name))
            @if has_lines {
                textarea id=(name) name=(sent_as) rows="4" spellcheck="false" autocomplete="off" required[required]
                    aria-describedby=(about) aria-invalid=[is_wrong.then_some("true")] { (value) }
            } @else {
                input id=(name) name=(sent_as) type=(if is_sealed { "password" } else { "text" }) value=(value) required[required]
                    autocomplete=(if is_sealed { "new-password" } else { "off" }) spellcheck="false"
                    aria-describedby=(about) aria-invalid=[is_wrong.then_some("true")];
            }
            p.hint id={ (name) "-hint" } {
                (setting.help)
                @if is_sealed && draft.known { " Leave it empty to keep the one there is." }
                @if family(setting).is_some() { " One in each line, as NAME=VALUE." }
            }
        }
    }
}

fn members(draft: &Draft, family: &str) -> String {
    let prefix = format!("{family}.");
    let members = draft
        .values
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?, value)));
    members
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect()
}
