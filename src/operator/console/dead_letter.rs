//! One dead letter: why, what to do, what was tried, and what an operator decides.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::advice;
use super::form;
use super::page::{self, Section, badge, facts, id, said, text};
use super::visit::{View, Visit};
use super::{Console, WHO};
use crate::operator::verbs::Refusal;
use crate::operator::view::Content;

/// Whether the body is to be shown.
#[derive(Deserialize)]
pub struct Show {
    content: Option<bool>,
}

/// `GET /console/dead-letters/{id}`.
pub async fn page(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
    Query(show): Query<Show>,
) -> Response {
    let content = match show.content {
        Some(true) if visit.may_act() => Content::Shown,
        _ => Content::Redacted,
    };
    visit.show(made(&console, &visit, &id, content).await)
}

async fn made(
    console: &Console,
    visit: &Visit,
    wanted: &str,
    content: Content,
) -> Result<View, Refusal> {
    let letter = console.operator.dead_letter(wanted, content).await?;
    let own = text(&letter["id"]);
    let body = html! {
        (head(&letter))
        @if visit.may_act() { (actions(visit, &own, &letter)) }
        section.advice aria-labelledby="advice" {
            h2 #advice { "What to do" }
            (advice::about(&text(&letter["code"])))
        }
        (attempts(&letter["tried"]))
        (arrived(visit, &own, &letter["original"], content))
    };
    Ok(View {
        title: "Dead letter".to_owned(),
        section: Section::DeadLetters,
        body,
    })
}

fn head(letter: &Value) -> Markup {
    let original = &letter["original"];
    let since = text(&letter["state_at"]);
    facts(&[
        (
            "Code",
            html! { strong { (said(&letter["code"])) } " " span.why { (said(&letter["class"])) } },
        ),
        (
            "State",
            html! {
                (badge(&text(&letter["state"])))
                @if !since.is_empty() { " by " (said(&letter["state_by"])) ", " (page::time(&since)) }
            },
        ),
        ("Reason", said(&letter["reason"])),
        ("Stopped at", said(&letter["step"])),
        ("HTTP status", said(&letter["http_status"])),
        (
            "Failed first",
            page::time(&text(&letter["first_failed_at"])),
        ),
        ("Set aside", page::time(&text(&letter["at"]))),
        ("Connection", said(&letter["connection"])),
        ("Desk", said(&letter["desk"])),
        (
            "Session",
            html! {
                @if let Some(session) = letter["session"].as_str() {
                    a href=(page::path(&["handoffs", session])) { code.id { (session) } }
                }
            },
        ),
        ("Generation", said(&letter["generation"])),
        ("Letter", id(&letter["id"])),
        (
            "Came by",
            html! { (said(&original["exchange"])) " " (said(&original["routing_key"])) },
        ),
    ])
}

/// One that is open goes on or is decided against; one that was decided against can be taken back.
fn actions(visit: &Visit, own: &str, letter: &Value) -> Markup {
    let button = |verb: &str, class: &str, label: &str| {
        let inner = html! { button type="submit" class=(class) { (label) } };
        form::acting(
            &visit.session.csrf,
            &page::path(&["dead-letters", own, verb]),
            inner,
        )
    };
    html! {
        @match letter["state"].as_str() {
            Some("open") => {
                div.actions { (button("replay", "primary", "Replay")) (button("discard", "", "Discard")) }
                p.hint { "A replay goes on from the step that failed, with the same keys: nothing is done twice. What is discarded can be restored until its retention ends." }
            },
            Some("discarded") => div.actions { (button("restore", "", "Restore")) },
            _ => {}
        }
    }
}

fn attempts(attempts: &Value) -> Markup {
    let attempts = attempts.as_array().map(Vec::as_slice).unwrap_or_default();
    if attempts.is_empty() {
        return html! {};
    }
    page::table(
        "What was tried",
        ["Started", "Step", "Try", "Outcome", "Code", "HTTP"],
        attempts.iter().map(|it| {
            [
                page::time(&text(&it["started_at"])),
                said(&it["step"]),
                html! { (said(&it["number"])) " of generation " (said(&it["generation"])) },
                badge(it["outcome"].as_str().unwrap_or("out")),
                said(&it["code"]),
                said(&it["http_status"]),
            ]
        }),
    )
}

fn arrived(visit: &Visit, own: &str, original: &Value, content: Content) -> Markup {
    let here = page::path(&["dead-letters", own]);
    html! {
        section aria-labelledby="arrived" {
            h2 #arrived { "What arrived" }
            @if content == Content::Shown {
                p.hint { "This holds a contact's words. " a href=(here) { "Hide it" } }
                pre tabindex="0" { (said(&original["body"])) }
            } @else if visit.may_act() {
                p { (said(&original["body"])) ". " a href={ (here) "?content=true#arrived" } { "Show it" } }
            } @else {
                p { "A contact's words are shown to operators only." }
            }
        }
    }
}

/// Sends a dead letter on.
pub async fn replay(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    let outcome = console.operator.replay(&id, WHO).await;
    let outcome = outcome.map(|done| {
        let [step, generation] = ["from_step", "generation"].map(|name| text(&done[name]));
        format!("{id} goes on at {step} as generation {generation}.")
    });
    answer(&visit, &id, outcome)
}

/// Decides against a dead letter.
pub async fn discard(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    let outcome = console.operator.discard(&id, WHO).await;
    answer(
        &visit,
        &id,
        outcome.map(|_| format!("{id} was discarded. It can be restored.")),
    )
}

/// Takes that back.
pub async fn restore(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    let outcome = console.operator.restore(&id, WHO).await;
    answer(&visit, &id, outcome.map(|_| format!("{id} is open again.")))
}

fn answer(visit: &Visit, id: &str, outcome: Result<String, Refusal>) -> Response {
    visit.done(outcome, &page::path(&["dead-letters", id]))
}
