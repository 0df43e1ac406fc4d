//! One handoff: what it is, how far it has come, and all that was tried and told, in the order of time.

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
use crate::domain::handoff::Step;
use crate::operator::verbs::Refusal;
use crate::operator::view::Content;

/// How far it has come when it waits for each step, and when it waits for none.
const PROGRESS: [&str; 6] = [
    "received",
    "identified",
    "authorized",
    "prepared",
    "opened",
    "connected",
];

/// Whether the words are to be shown.
#[derive(Deserialize)]
pub struct Show {
    content: Option<bool>,
}

/// `GET /console/handoffs/{id}`.
pub async fn page(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
    Query(show): Query<Show>,
) -> Response {
    let with_words = show.content == Some(true) && visit.may_act();
    visit.show(made(&console, &visit, &id, with_words).await)
}

async fn made(
    console: &Console,
    visit: &Visit,
    id: &str,
    with_words: bool,
) -> Result<View, Refusal> {
    let found = console.operator.handoff(id, Content::Redacted).await?;
    let all = found.as_array().map(Vec::as_slice).unwrap_or_default();
    let (handoff, others) = all
        .split_first()
        .ok_or_else(|| Refusal::NotFound(id.to_owned()))?;
    let own = text(&handoff["id"]);
    let words = match with_words {
        true => Some(console.operator.words(&own).await?),
        false => None,
    };
    let summary = format!(
        "{}, {} replies",
        text(&handoff["status"]),
        text(&handoff["replies"])
    );
    let inner = html! {
        (steps(handoff))
        (head(handoff))
        (actions(handoff, visit.may_act()))
        (trouble(handoff))
        (timeline(handoff))
    };
    let body = html! {
        (page::live(&summary, &inner))
        (spoken(visit, &own, words.as_ref()))
        @if !others.is_empty() {
            section aria-labelledby="others" {
                h2 #others { "Earlier handoffs of this session" }
                ul { @for other in others {
                    li { a href=(page::path(&["handoffs", &text(&other["id"])])) { code.id { (text(&other["id"])) } } " " (badge(&text(&other["status"]))) }
                } }
            }
        }
    };
    Ok(View {
        title: "Handoff".to_owned(),
        section: Section::Handoffs,
        body,
    })
}

/// The five steps as a line: done, now, to come.
fn steps(handoff: &Value) -> Markup {
    let progress = text(&handoff["progress"]);
    let done = PROGRESS
        .iter()
        .position(|it| *it == progress)
        .unwrap_or_default();
    html! {
        ol.steps aria-label="Steps" {
            @for (place, step) in Step::JOURNEY.iter().enumerate() {
                @let (class, word) = match place.cmp(&done) {
                    std::cmp::Ordering::Less => ("past", "done"),
                    std::cmp::Ordering::Equal => ("present", "next"),
                    std::cmp::Ordering::Greater => ("future", "to come"),
                };
                li class=(class) { span { (step.as_str()) } span.word { (word) } }
            }
        }
    }
}

fn head(handoff: &Value) -> Markup {
    let status = text(&handoff["status"]);
    let due = text(&handoff["due_at"]);
    facts(&[
        (
            "Status",
            html! { (badge(&status)) " " (said(&handoff["why"])) },
        ),
        ("Due", html! { @if !due.is_empty() { (page::time(&due)) } }),
        ("Handoff", id(&handoff["id"])),
        ("Session", id(&handoff["session"])),
        ("Conversation at the desk", id(&handoff["conversation"])),
        ("Event", id(&handoff["event"])),
        ("Channel", said(&handoff["channel"])),
        (
            "Connection",
            html! {
                a href=(page::path(&["connections", &text(&handoff["connection"])])) { (said(&handoff["connection"])) }
                @if !handoff["desk"].is_null() { " (" (said(&handoff["desk"])) ")" }
            },
        ),
        (
            "Generation",
            html! { (said(&handoff["generation"])) ", " (said(&handoff["failures"])) " failures" },
        ),
        ("Deadline", page::time(&text(&handoff["deadline"]))),
        ("Replies", said(&handoff["replies"])),
    ])
}

fn actions(handoff: &Value, may_act: bool) -> Markup {
    let own = text(&handoff["id"]);
    let verb = match handoff["status"].as_str() {
        Some("live") => Some(("end", "End this conversation…")),
        Some("dead") => Some(("retry", "Try again…")),
        _ => None,
    };
    match verb {
        Some((verb, label)) if may_act => html! {
            p.actions { a.button href=(page::path(&["handoffs", &own, verb])) { (label) } }
        },
        _ => html! {},
    }
}

/// What to do about a handoff that was set aside.
fn trouble(handoff: &Value) -> Markup {
    match (handoff["status"].as_str(), handoff["why"].as_str()) {
        (Some("dead"), Some(code)) => html! {
            section.advice aria-labelledby="advice" {
                h2 #advice { "What " code { (code) } " means" }
                (advice::about(code))
                p { a href=(page::path(&["dead-letters", &text(&handoff["id"])])) { "Its dead letter" } }
            }
        },
        _ => html! {},
    }
}

/// Attempts and events, by when they began.
fn timeline(handoff: &Value) -> Markup {
    let list = |name: &str| handoff[name].as_array().cloned().unwrap_or_default();
    let attempts = list("attempts")
        .into_iter()
        .map(|it| (text(&it["started_at"]), attempt(&it)));
    let events = list("events")
        .into_iter()
        .map(|it| (text(&it["stored_at"]), event(&it)));
    let mut all: Vec<(String, Markup)> = attempts.chain(events).collect();
    // RFC 3339 in UTC, so the order of the texts is that of time; of the same moment, the try comes before what it told.
    all.sort_by(|one, other| one.0.cmp(&other.0));
    html! {
        section aria-labelledby="timeline" {
            h2 #timeline { "Timeline" }
            ol.timeline { @for (at, what) in &all { li { (page::moment(at)) div { (what) } } } }
        }
    }
}

fn attempt(attempt: &Value) -> Markup {
    let outcome = attempt["outcome"].as_str().unwrap_or("out");
    let code = text(&attempt["code"]);
    html! {
        p {
            span.kind { "Try " (said(&attempt["number"])) }
            strong { (said(&attempt["step"])) } " " (badge(outcome))
            @if let Some(ms) = attempt["took_ms"].as_u64() { " in " (ms) " ms" }
            @if !attempt["http_status"].is_null() { ", HTTP " (said(&attempt["http_status"])) }
            @if attempt["generation"].as_u64() > Some(1) { ", generation " (said(&attempt["generation"])) }
        }
        @if !code.is_empty() {
            p.detail { a href={ "/console/help#" (code) } { (code) } ": " (said(&attempt["error"])) }
        }
    }
}

fn event(event: &Value) -> Markup {
    let key = text(&event["routing_key"]);
    let sequence = &event["sequence"];
    html! {
        p {
            span.kind { @if sequence.is_null() { "Event" } @else { "Reply " (said(sequence)) } }
            strong { (key) } " "
            @if event["confirmed_at"].is_null() { (badge("out")) " not confirmed by the broker yet" } @else { (badge("published")) }
        }
        @if !event["problem"].is_null() { p.detail { (said(&event["problem"])) } }
    }
}

/// What was said: shown to who may see it and asks for it.
fn spoken(visit: &Visit, own: &str, words: Option<&Value>) -> Markup {
    let here = page::path(&["handoffs", own]);
    html! {
        section aria-labelledby="words" {
            h2 #words { "What was said" }
            @match words {
                Some(words) => {
                    p.hint { "These are a contact's words. " a href=(here) { "Hide them" } }
                    (spoken_words(words))
                },
                None if visit.may_act() => p {
                    "A contact's words are not shown unless you ask for them. " a href={ (here) "?content=true#words" } { "Show them" }
                },
                None => p { "A contact's words are shown to operators only." },
            }
        }
    }
}

fn spoken_words(words: &Value) -> Markup {
    let contact = &words["contact"];
    let turns = words["transcript"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let replies = words["replies"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    html! {
        (facts(&[
            ("Contact", said(&contact["name"])),
            ("Phone", said(&contact["phone"])),
            ("Email", said(&contact["email"])),
            ("Reason", said(&words["reason"])),
            ("Summary", said(&words["summary"])),
            ("Transcript at", id(&words["transcript_url"])),
        ]))
        ol.words {
            @for turn in turns {
                (line(&text(&turn["at"]), &speaker(&turn["author"], &turn["name"]), turn))
            }
            @for reply in replies {
                (line(&text(&reply["at"]), &speaker(&Value::from("rep"), &reply["rep"]), reply))
            }
        }
    }
}

fn speaker(author: &Value, name: &Value) -> String {
    match name.as_str() {
        Some(name) => format!("{name} ({})", text(author)),
        None => text(author),
    }
}

fn line(at: &str, who: &str, said_by: &Value) -> Markup {
    let files = said_by["attachments"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    html! {
        li {
            p.by { strong { (who) } " " (page::time(at)) }
            p { (said(&said_by["text"])) }
            @for file in files { p.detail { "File: " (said(&file["name"])) } }
        }
    }
}

/// Asks before an end.
pub async fn confirm_end(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    let sure = Sure {
        title: "End this conversation?",
        says: "The contact's channel is told that it has ended (operator), and the conversation is closed at the desk. It cannot be opened again.",
        verb: "end",
        label: "End it",
    };
    visit.show(confirm(&console, &visit, &id, &sure).await)
}

/// Asks before another try.
pub async fn confirm_retry(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    let sure = Sure {
        title: "Try again?",
        says: "It goes on from the step that failed, with the same keys and a new budget: nothing that was done is done twice.",
        verb: "retry",
        label: "Try again",
    };
    visit.show(confirm(&console, &visit, &id, &sure).await)
}

/// What somebody is asked.
struct Sure {
    title: &'static str,
    says: &'static str,
    verb: &'static str,
    label: &'static str,
}

async fn confirm(console: &Console, visit: &Visit, id: &str, sure: &Sure) -> Result<View, Refusal> {
    let found = console.operator.handoff(id, Content::Redacted).await?;
    let handoff = &found[0];
    let own = text(&handoff["id"]);
    let back = page::path(&["handoffs", &own]);
    let action = page::path(&["handoffs", &own, sure.verb]);
    let inner = html! {
        div.actions {
            @if visit.may_act() { button.danger type="submit" { (sure.label) } }
            a.button href=(back) { "Back" }
        }
    };
    Ok(View {
        title: sure.title.to_owned(),
        section: Section::Handoffs,
        body: html! {
            p.lead { (sure.says) }
            (head(handoff))
            (form::acting(&visit.session.csrf, &action, inner))
        },
    })
}

/// Ends a live handoff.
pub async fn end(State(console): State<Console>, visit: Visit, Path(id): Path<String>) -> Response {
    let ended = console.operator.end(&id, WHO).await;
    let outcome = ended.map(|_| "The conversation was ended.".to_owned());
    visit.done(outcome, &page::path(&["handoffs", &id]))
}

/// Sends a dead handoff on.
pub async fn retry(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    let outcome = console.operator.replay(&id, WHO).await;
    let outcome = outcome.map(|done| {
        format!(
            "It goes on at {} as generation {}.",
            text(&done["from_step"]),
            text(&done["generation"])
        )
    });
    visit.done(outcome, &page::path(&["handoffs", &id]))
}
