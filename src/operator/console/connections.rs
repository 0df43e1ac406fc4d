//! Desks and their credentials: all of them, each, and what an operator does with one.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::form::{self, Fields};
use super::page::{self, Section, badge, count, facts, said, text};
use super::session::Notice;
use super::visit::{View, Visit};
use super::{Console, WHO};
use crate::domain::connection::{Problem, Removal};
use crate::operator::verbs::Refusal;
use crate::store::{Filter, Pause};

/// As many live conversations as are counted before a removal.
const COUNTED: usize = 10_000;

/// `GET /console/connections`.
pub async fn page(State(console): State<Console>, visit: Visit) -> Response {
    visit.show(list(&console, &visit).await)
}

async fn list(console: &Console, visit: &Visit) -> Result<View, Refusal> {
    let all = console.operator.connections().await?;
    let all = all.as_array().map(Vec::as_slice).unwrap_or_default();
    let summary = format!("{} connections", all.len());
    let inner = html! {
        @if all.is_empty() { p.empty { "There are no connections yet. A connection is a desk and its credentials." } }
        @else {
            (page::table("Connections, by name", ["Name", "Desk", "Gate", "Replies by"], all.iter().map(|it| [
                html! { a href=(page::path(&["connections", &text(&it["name"])])) { (said(&it["name"])) } },
                said(&it["desk"]),
                html! { (badge(&text(&it["gate"]))) " " span.why { (said(&it["gate_why"])) } },
                html! { (replies(it)) },
            ])))
        }
    };
    Ok(View {
        title: "Connections".to_owned(),
        section: Section::Connections,
        body: html! {
            (page::live(&summary, &inner))
            @if visit.may_act() { p.actions { a.button.primary href="/console/connections/new" { "Add a connection" } } }
        },
    })
}

fn replies(connection: &Value) -> &'static str {
    match connection["replies"].as_str() {
        Some("stream") => "stream",
        Some("webhook") => "webhook",
        _ => "none: replies do not come back",
    }
}

/// `GET /console/connections/{name}`.
pub async fn one(
    State(console): State<Console>,
    visit: Visit,
    Path(name): Path<String>,
) -> Response {
    visit.show(shown(&console, &visit, &name).await)
}

async fn shown(console: &Console, visit: &Visit, name: &str) -> Result<View, Refusal> {
    let connection = console.operator.connection(name).await?;
    let settings = connection["settings"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let names_and_values: Vec<(&str, Markup)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), setting(&text(value))))
        .collect();
    let body = html! {
        (facts(&[
            ("Desk", said(&connection["desk"])),
            ("Gate", html! { (badge(&text(&connection["gate"]))) " " (said(&connection["gate_why"])) }),
            ("Replies by", html! { (replies(&connection)) }),
        ]))
        @if connection["replies"] == "none" {
            p.notice { "What reps write at this desk does not come back to the contact through Baton: a handoff ends as handed_over once the rep has the story." }
        }
        @if visit.may_act() { (actions(visit, name, &connection)) }
        section aria-labelledby="settings" {
            h2 #settings { "Settings" }
            p.hint { "Of a secret only a fingerprint is shown, by which two can be told apart." }
            (facts(&names_and_values))
        }
        p { a href={ "/console/handoffs?connection=" (name) } { "Its handoffs" } }
    };
    Ok(View {
        title: format!("Connection {name}"),
        section: Section::Connections,
        body,
    })
}

fn setting(value: &str) -> Markup {
    if value.contains('\n') {
        html! { pre tabindex="0" { (value) } }
    } else {
        html! { code.id { (value) } }
    }
}

fn actions(visit: &Visit, name: &str, connection: &Value) -> Markup {
    let path = |verb: &str| page::path(&["connections", name, verb]);
    let button = |verb: &str, label: &str| {
        form::acting(
            &visit.session.csrf,
            &path(verb),
            html! { button type="submit" { (label) } },
        )
    };
    html! {
        div.actions {
            (button("verify", "Verify the credentials"))
            @match connection["gate"].as_str() {
                Some("paused") => (button("resume", "Resume")),
                Some("open" | "suspended") => (button("pause", "Pause")),
                _ => {}
            }
            a.button href=(path("edit")) { "Change…" }
            a.button href=(path("remove")) { "Remove…" }
        }
        p.hint { "Verifying tries each step up to the desk and shows no rep anything. A paused connection begins nothing new; its live conversations go on." }
    }
}

/// Tries the credentials.
pub async fn verify(
    State(console): State<Console>,
    visit: Visit,
    Path(name): Path<String>,
) -> Response {
    let back = page::path(&["connections", &name]);
    match console.operator.verify_connection(&name).await {
        Ok(said) if said["ok"] == true => {
            let what = format!("{name} is good: {}", text(&said["says"]));
            visit.leave(Notice::Done(what), &back)
        }
        Ok(said) => {
            let what = format!("{name}: {}: {}", text(&said["code"]), text(&said["says"]));
            visit.leave(Notice::Failed(what), &back)
        }
        Err(refusal) => visit.done(Err(refusal), &back),
    }
}

/// Begins a pause.
pub async fn pause(
    State(console): State<Console>,
    visit: Visit,
    Path(name): Path<String>,
) -> Response {
    let what = format!("{name} is paused: nothing new is begun there.");
    let paused = console
        .operator
        .pause_connection(&name, Pause::Begin, WHO)
        .await;
    visit.done(paused.map(|_| what), &page::path(&["connections", &name]))
}

/// Ends a pause.
pub async fn resume(
    State(console): State<Console>,
    visit: Visit,
    Path(name): Path<String>,
) -> Response {
    let what = format!("{name} is open: what waited there goes on.");
    let resumed = console
        .operator
        .pause_connection(&name, Pause::End, WHO)
        .await;
    visit.done(resumed.map(|_| what), &page::path(&["connections", &name]))
}

/// Asks before a removal, with the count of those whom it concerns.
pub async fn confirm_remove(
    State(console): State<Console>,
    visit: Visit,
    Path(name): Path<String>,
) -> Response {
    visit.show(asked(&console, &visit, &name).await)
}

async fn asked(console: &Console, visit: &Visit, name: &str) -> Result<View, Refusal> {
    console.operator.connection(name).await?;
    let filter = Filter {
        status: Some("live".into()),
        connection: Some(name.to_owned()),
        limit: COUNTED,
        ..Filter::default()
    };
    let live = console.operator.store.list(&filter).await?.len() as u64;
    let choice = |removal: Removal, label: &str, hint: &str, chosen: bool| {
        let id = removal.as_str();
        html! {
            div.option {
                input type="radio" id=(id) name="mode" value=(id) checked[chosen] aria-describedby={ (id) "-hint" };
                label for=(id) { (label) }
                p.hint id={ (id) "-hint" } { (hint) }
            }
        }
    };
    let inner = html! {
        @if live > 0 {
            fieldset {
                legend { "Its live conversations (" (count(live)) ")" }
                (choice(Removal::Drain, "Let them go on until they end", "The credentials are kept until then.", true))
                (choice(Removal::Force, "End them now", "Contacts are told that the conversation has ended (connection_removed).", false))
            }
        } @else {
            input type="hidden" name="mode" value=(Removal::Drain.as_str());
        }
        div.actions {
            @if visit.may_act() { button.danger type="submit" { "Remove " (name) } }
            a.button href=(page::path(&["connections", name])) { "Back" }
        }
    };
    Ok(View {
        title: format!("Remove {name}?"),
        section: Section::Connections,
        body: html! {
            p.lead {
                "Nothing new is begun there from now on: escalations for it become dead letters (unknown-connection). Its credentials are deleted. "
                "It has " strong { (count(live)) } " live conversations."
            }
            (form::acting(&visit.session.csrf, &page::path(&["connections", name, "remove"]), inner))
        },
    })
}

/// Removes a connection.
pub async fn remove(
    State(console): State<Console>,
    visit: Visit,
    Path(name): Path<String>,
    Extension(fields): Extension<Fields>,
) -> Response {
    let word = fields.get("mode");
    let Some(removal) = Removal::parse(word) else {
        let what = format!("`{word}` is no way to remove a connection; choose one of the two");
        let problem = Problem {
            setting: "mode".into(),
            what,
        };
        return visit.refused(&Refusal::Wrong(vec![problem]));
    };
    let outcome = console
        .operator
        .remove_connection(&name, removal, WHO)
        .await;
    let outcome = outcome.map(|removed| match removed["handoffs"].as_u64() {
        None => format!("{name} was removed."),
        Some(left) => format!(
            "{name} is draining; it is removed when {left} handoffs have come to their end."
        ),
    });
    visit.done(outcome, "/console/connections")
}
