//! Jobs over many dead letters: counted and asked before they begin, watched while they run, cancelled.

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::dead_letters::{self, Words};
use super::form::{self, Fields};
use super::page::{self, Section, badge, count, facts, said, text};
use super::session::secret;
use super::visit::{View, Visit};
use super::{Console, WHO};
use crate::operator::verbs::{Asked, Refusal};
use crate::operator::wanted;

/// The words of a question that are no filter.
const ACTION: &str = "action";

/// `GET /console/jobs`.
pub async fn page(State(console): State<Console>, visit: Visit) -> Response {
    visit.show(list(&console).await)
}

async fn list(console: &Console) -> Result<View, Refusal> {
    let jobs = console.operator.jobs().await?;
    let jobs = jobs.as_array().map(Vec::as_slice).unwrap_or_default();
    let inner = html! {
        @if jobs.is_empty() { p.empty { "There are no jobs. One begins from the list of dead letters." } }
        @else {
            (page::table("Jobs over dead letters, the newest first", ["Asked for", "What", "State", "Done", "By"], jobs.iter().map(|job| [
                page::time(&text(&job["made_at"])),
                html! { a href=(page::path(&["jobs", &text(&job["id"])])) { (said(&job["action"])) } },
                badge(&text(&job["state"])),
                html! { (said(&job["done"])) " of " (said(&job["total"])) },
                said(&job["who"]),
            ])))
        }
    };
    Ok(View {
        title: "Jobs".to_owned(),
        section: Section::DeadLetters,
        body: page::live(&format!("{} jobs", jobs.len()), &inner),
    })
}

/// Asks before a job, with the count of those whom it concerns, what they have in common, and some of them.
pub async fn confirm(
    State(console): State<Console>,
    visit: Visit,
    Query(words): Query<Words>,
) -> Response {
    visit.show(counted(&console, &visit, words).await)
}

fn asked(action: &str, filter: Words) -> Asked {
    Asked {
        action: action.to_owned(),
        ids: vec![],
        all: filter.is_empty(),
        filter,
        dry_run: false,
        rate: None,
        canary: 0,
        key: None,
    }
}

async fn counted(console: &Console, visit: &Visit, mut words: Words) -> Result<View, Refusal> {
    let action = words.remove(ACTION).unwrap_or_default();
    // The action says which state is meant.
    words.remove("state");
    words.retain(|_, value| !value.is_empty());
    let tried = console
        .operator
        .try_job(&asked(&action, words.clone()))
        .await?;
    let list = |name: &str| tried[name].as_array().cloned().unwrap_or_default();
    let letters = tried["count"].as_u64().unwrap_or_default();
    // Nothing that is set aside after this count.
    words.insert("up_to".to_owned(), text(&tried["up_to"]));
    let inner = html! {
        input type="hidden" name=(ACTION) value=(action);
        input type="hidden" name="key" value=(secret());
        @for (word, value) in &words { input type="hidden" name=(word) value=(value); }
        div.field {
            label for="rate" { "At most so many a minute " span.why { "optional" } }
            input #rate name="rate" type="text" inputmode="numeric" autocomplete="off" aria-describedby="rate-hint";
            p.hint #rate-hint { "A desk that was down is not to be stormed." }
        }
        @if action == "replay" {
            div.field {
                label for="canary" { "So many first " span.why { "optional" } }
                input #canary name="canary" type="text" inputmode="numeric" autocomplete="off" aria-describedby="canary-hint";
                p.hint #canary-hint { "The rest follow only if these fare well." }
            }
        }
        div.actions {
            @if visit.may_act() && letters > 0 { button.danger type="submit" { (action) " " (count(letters)) " dead letters" } }
            a.button href="/console/dead-letters" { "Back" }
        }
    };
    Ok(View {
        title: format!("{} {} dead letters?", capital(&action), count(letters)),
        section: Section::DeadLetters,
        body: html! {
            (form::acting(&visit.session.csrf, "/console/jobs", html! { div.form { (inner) } }))
            @if !list("causes").is_empty() { (dead_letters::by_cause(&list("causes"), &words)) }
            (dead_letters::table("The newest of them", &list("sample")))
        },
    })
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Begins a job.
pub async fn make(
    State(console): State<Console>,
    visit: Visit,
    Extension(fields): Extension<Fields>,
) -> Response {
    let filter = wanted::WORDS
        .iter()
        .filter_map(|word| Some(((*word).to_owned(), fields.filled(word)?)));
    let mut asked = asked(fields.get(ACTION), filter.collect());
    asked.key = fields.filled("key");
    let number = |name: &str| fields.filled(name).map(|given| given.parse::<u32>());
    match (number("rate").transpose(), number("canary").transpose()) {
        (Ok(rate), Ok(canary)) => {
            asked.rate = rate;
            asked.canary = canary.unwrap_or_default();
        }
        _ => {
            let what = "Nothing was begun: how many a minute, and how many first, are whole numbers such as 60. Go back and write one, or nothing.";
            return visit.sorry(StatusCode::UNPROCESSABLE_ENTITY, "Not a number", what);
        }
    }
    match console.operator.make_job(&asked, WHO).await {
        Ok(job) => {
            let begun = format!("The job was begun: {} dead letters.", text(&job["total"]));
            visit.done(Ok(begun), &page::path(&["jobs", &text(&job["id"])]))
        }
        Err(refusal) => visit.done(Err(refusal), "/console/dead-letters"),
    }
}

/// `GET /console/jobs/{id}`.
pub async fn one(State(console): State<Console>, visit: Visit, Path(id): Path<String>) -> Response {
    visit.show(shown(&console, &visit, &id).await)
}

async fn shown(console: &Console, visit: &Visit, id: &str) -> Result<View, Refusal> {
    let job = console.operator.job(id, 0).await?;
    let number = |name: &str| job[name].as_u64().unwrap_or_default();
    let items = job["items"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let over = number("left") == 0
        || matches!(
            job["state"].as_str(),
            Some("done" | "cancelled" | "stopped")
        );
    let summary = format!(
        "{}, {} of {} done",
        text(&job["state"]),
        number("done"),
        number("total")
    );
    let inner = html! {
        (facts(&[
            ("State", html! { (badge(&text(&job["state"]))) " " (said(&job["why"])) }),
            ("What", said(&job["action"])),
            ("Asked for", html! { (page::time(&text(&job["made_at"]))) " by " (said(&job["who"])) }),
            ("At most a minute", said(&job["rate"])),
            ("Done", html! { (count(number("done"))) " of " (count(number("total"))) }),
            ("Refused", html! { (count(number("refused"))) }),
            ("Dealt with before", html! { (count(number("passed"))) }),
            ("Left", html! { (count(number("left"))) }),
        ]))
        p {
            label for="progress" { "Progress" } " "
            progress #progress max=(number("total")) value=(number("total") - number("left").min(number("total"))) {}
        }
        (page::table("What became of each", ["Letter", "Outcome", "At", "Says"], items.iter().map(|item| [
            html! {
                @match item["id"].as_str() {
                    Some(letter) => a href=(page::path(&["dead-letters", letter])) { code.id { (letter) } },
                    None => (said(&item["number"])),
                }
            },
            html! { @if item["outcome"].is_null() { "to come" } @else { (badge(&text(&item["outcome"]))) } },
            html! { @if let Some(at) = item["at"].as_str() { (page::time(at)) } },
            said(&item["says"]),
        ])))
    };
    let cancel = page::path(&["jobs", id, "cancel"]);
    Ok(View {
        title: "Job".to_owned(),
        section: Section::DeadLetters,
        body: html! {
            (page::live(&summary, &inner))
            @if visit.may_act() && !over {
                (form::acting(&visit.session.csrf, &cancel, html! { button type="submit" { "Cancel the rest" } }))
            }
        },
    })
}

/// Cancels what is left of a job.
pub async fn cancel(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    let outcome = console.operator.cancel_job(&id, WHO).await;
    let outcome = outcome
        .map(|_| "What was left of the job was cancelled; what was done stays done.".to_owned());
    visit.done(outcome, &page::path(&["jobs", &id]))
}

/// What can be done to all dead letters of a list.
pub fn offers(words: &Words, count: u64) -> Markup {
    let address = |action: &str| {
        let mut asked = words.clone();
        asked.insert(ACTION.to_owned(), action.to_owned());
        let mut query = url::form_urlencoded::Serializer::new(String::from("/console/jobs/new?"));
        query.extend_pairs(&asked).finish()
    };
    let actions: &[(&str, &str)] = match words.get("state").map_or("open", String::as_str) {
        "open" => &[("replay", "Replay"), ("discard", "Discard")],
        "discarded" => &[("restore", "Restore")],
        _ => &[],
    };
    html! {
        p.actions {
            @for (action, label) in actions { a.button href=(address(action)) { (label) " all " (page::count(count)) "…" } }
            a href="/console/jobs" { "Jobs" }
        }
    }
}
