//! What was set aside for a human: found by what it has in common, by filter and by word.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::Console;
use super::form::choice;
use super::jobs;
use super::page::{self, Section, badge, said, text};
use super::visit::{View, Visit};
use crate::domain::connection::DeskKind;
use crate::domain::error::{Class, Code};
use crate::domain::handoff::Step;
use crate::operator::verbs::Refusal;
use crate::store::dead;

/// On one page.
const ROWS: usize = 50;
/// The word of a query that turns the page.
const BEFORE: &str = "before";

/// What is looked for, by word.
pub type Words = BTreeMap<String, String>;

/// The newest dead letters that are open.
pub async fn newest(console: &Console, limit: usize) -> Result<Vec<Value>, Refusal> {
    let all = Words::new();
    let letters = console.operator.dead_letters(&all, None, limit);
    Ok(letters.await?.as_array().cloned().unwrap_or_default())
}

/// Dead letters in a table.
pub fn table(caption: &str, letters: &[Value]) -> Markup {
    page::table(
        caption,
        ["Set aside", "Code", "Step", "Connection", "Reason", "Letter"],
        letters.iter().map(|letter| {
            [
                page::time(&text(&letter["at"])),
                html! {
                    strong { (said(&letter["code"])) } " " span.why { (said(&letter["class"])) }
                    @if letter["state"] != "open" { " " (badge(&text(&letter["state"]))) }
                },
                said(&letter["step"]),
                connection(letter),
                html! { span.reason { (said(&letter["reason"])) } },
                html! { a href=(page::path(&["dead-letters", &text(&letter["id"])])) { code.id { (said(&letter["id"])) } } },
            ]
        }),
    )
}

fn connection(of: &Value) -> Markup {
    html! { @if of["connection"].is_null() { "none" } @else { (said(&of["connection"])) } }
}

/// `GET /console/dead-letters`.
pub async fn page(
    State(console): State<Console>,
    visit: Visit,
    Query(words): Query<Words>,
) -> Response {
    visit.show(list(&console, &visit, words).await)
}

async fn list(console: &Console, visit: &Visit, mut words: Words) -> Result<View, Refusal> {
    words.retain(|_, value| !value.is_empty());
    let before = words.remove(BEFORE).and_then(|number| number.parse().ok());
    let letters = console
        .operator
        .dead_letters(&words, before, ROWS + 1)
        .await?;
    let mut letters = letters.as_array().cloned().unwrap_or_default();
    let more = letters.len() > ROWS;
    letters.truncate(ROWS);
    let older = letters.last().filter(|_| more).map(|last| {
        let mut turned = words.clone();
        turned.insert(BEFORE.to_owned(), text(&last["number"]));
        address(&turned)
    });
    let groups = console
        .operator
        .dead_groups(&words, dead::GroupBy::Cause)
        .await?;
    let groups = groups.as_array().map(Vec::as_slice).unwrap_or_default();
    let count: u64 = groups
        .iter()
        .filter_map(|group| group["count"].as_u64())
        .sum();
    let summary = format!("{count} dead letters of {} causes", groups.len());
    let inner = html! {
        @if letters.is_empty() {
            p.empty {
                @if words.is_empty() { "Nothing was set aside." }
                @else { "No dead letter is like that. " a href="/console/dead-letters" { "Show all that are open" } }
            }
        } @else {
            (by_cause(groups, &words))
            @if visit.may_act() { (jobs::offers(&words, count)) }
            (table("Dead letters, the newest first", &letters))
            nav.pages aria-label="Pages" {
                @if before.is_some() { a href=(address(&words)) { "Newest" } }
                @if let Some(older) = &older { a href=(older) rel="next" { "Older" } }
            }
        }
    };
    Ok(View {
        title: "Dead letters".to_owned(),
        section: Section::DeadLetters,
        body: html! {
            (search(console, &words).await?)
            (page::live(&summary, &inner))
        },
    })
}

/// The page of these words.
fn address(words: &Words) -> String {
    let mut query = Serializer::new(String::from("/console/dead-letters?"));
    query.extend_pairs(words).finish()
}

async fn search(console: &Console, words: &Words) -> Result<Markup, Refusal> {
    let connections = console.operator.store.connections().await?;
    let connections: Vec<&str> = connections.iter().map(|(it, _)| it.name.as_str()).collect();
    let desks: Vec<&str> = DeskKind::ALL.iter().map(|desk| desk.as_str()).collect();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let classes = [Class::Transient, Class::Permanent, Class::Poison].map(Class::as_str);
    let word = |name: &str| words.get(name).map_or("", String::as_str);
    let state = match word("state") {
        "" => dead::State::default().as_str(),
        state => state,
    };
    Ok(html! {
        form.filter method="get" action="/console/dead-letters" role="search" aria-label="Dead letters" {
            div.field.wide {
                label for="text" { "Words in the reason, session or connection" }
                input #text name="text" type="search" value=(word("text")) autocomplete="off" spellcheck="false";
            }
            div.field {
                label for="state" { "State" }
                select #state name="state" {
                    @for known in dead::State::ALL.map(dead::State::as_str) { option value=(known) selected[known == state] { (known) } }
                }
            }
            (choice("connection", "Connection", &connections, word("connection")))
            (choice("desk", "Desk", &desks, word("desk")))
            (choice("step", "Step", &Step::ALL.map(Step::as_str), word("step")))
            (choice("class", "Class", &classes, word("class")))
            (choice("code", "Code", &codes, word("code")))
            div.field {
                label for="newer" { "Younger than" }
                input #newer name="newer" type="text" value=(word("newer")) placeholder="2h" autocomplete="off";
            }
            div.field {
                label for="older" { "Older than" }
                input #older name="older" type="text" value=(word("older")) placeholder="30m" autocomplete="off";
            }
            button.primary type="submit" { "Find" }
        }
    })
}

/// What they have in common; a cause leads to its letters.
pub fn by_cause(groups: &[Value], words: &Words) -> Markup {
    let of_cause = |cause: &str| {
        let mut narrowed = words.clone();
        narrowed.insert("cause".to_owned(), cause.to_owned());
        address(&narrowed)
    };
    page::table(
        "By cause, the largest first",
        ["Letters", "Code", "Step", "Connection", "Reason of the newest", "First seen", "Last seen"],
        groups.iter().map(|group| {
            let count = group["count"].as_u64().unwrap_or_default();
            [
                html! {
                    @match group["of"].as_str() {
                        Some(cause) => a href=(of_cause(cause)) { (page::count(count)) },
                        None => (page::count(count)),
                    }
                },
                html! { strong { (said(&group["code"])) } " " span.why { (said(&group["class"])) } },
                said(&group["step"]),
                connection(group),
                html! { span.reason { (said(&group["reason"])) } },
                page::time(&text(&group["first_seen"])),
                page::time(&text(&group["last_seen"])),
            ]
        }),
    )
}
