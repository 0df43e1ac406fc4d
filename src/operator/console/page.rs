//! What all pages have in common: the frame around them, and how times, states and facts are written.

use std::time::Duration;

use maud::{DOCTYPE, Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::asset::{ICON, SCRIPT, STYLE};
use super::form;
use super::session::Notice;
use super::visit::{View, Visit};

/// Where in the console a page is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// How it goes.
    Overview,
    /// All handoffs, and each.
    Handoffs,
    /// What was set aside.
    DeadLetters,
    /// Desks and their credentials.
    Connections,
    /// What lies at the broker.
    Queues,
    /// Nowhere in particular.
    None,
}

const SECTIONS: [(Section, &str, &str); 5] = [
    (Section::Overview, "/console", "Overview"),
    (Section::Handoffs, "/console/handoffs", "Handoffs"),
    (
        Section::DeadLetters,
        "/console/dead-letters",
        "Dead letters",
    ),
    (Section::Connections, "/console/connections", "Connections"),
    (Section::Queues, "/console/queues", "Queues"),
];

/// A page with all around it; for our script only what it exchanges.
pub fn whole(visit: &Visit, view: &View, notice: Option<&Notice>) -> Markup {
    if visit.live {
        return html! { (DOCTYPE) title { (view.title) } (view.body) };
    }
    let body = html! {
        header.top {
            a.brand href="/console" { (mark()) "Baton" }
            nav aria-label="Console" {
                ul {
                    @for (section, path, name) in SECTIONS {
                        li { a href=(path) aria-current=[(section == view.section).then_some("page")] { (name) } }
                    }
                }
            }
            div.who {
                span.role title="What you may do" { (visit.session.role.as_str()) }
                (form::acting(&visit.session.csrf, "/console/sign-out", html! { button.quiet type="submit" { "Sign out" } }))
            }
        }
        main #main tabindex="-1" {
            @match notice {
                Some(Notice::Done(what)) => p.notice.done role="status" { (what) },
                Some(Notice::Failed(what)) => p.notice.failed role="alert" { (what) },
                None => {}
            }
            div.heading {
                h1 { (view.title) }
                div #updates hidden {
                    span #updated {}
                    button #pause .quiet type="button" aria-pressed="false" { "Pause updates" }
                }
            }
            (view.body)
        }
        footer {
            p { "Times are UTC. Baton " (env!("CARGO_PKG_VERSION")) ". " a href="/console/help" { "What the codes mean" } }
        }
        // What our script says when something has changed; the text itself is on the page.
        p #said .unseen role="status" aria-live="polite" {}
    };
    frame(&view.title, &body)
}

/// A page for those who have not signed in.
pub fn outside(title: &str, inner: &Markup) -> Markup {
    let body = html! {
        main #main .door tabindex="-1" {
            p.brand { (mark()) "Baton" }
            h1 { (title) }
            (inner)
        }
    };
    frame(title, &body)
}

fn frame(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Baton" }
                link rel="icon" type="image/svg+xml" href=(ICON.path);
                link rel="stylesheet" href=(STYLE.path);
                script src=(SCRIPT.path) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (body)
            }
        }
    }
}

/// A staff that goes from one hand to the next.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" focusable="false" {
            path d="M5 19 19 5" stroke="currentColor" stroke-width="4" stroke-linecap="round" {}
            circle cx="19" cy="5" r="3" fill="currentColor" {}
        }
    }
}

/// What our script keeps up to date; `summary` is what a change is announced with.
pub fn live(summary: &str, inner: &Markup) -> Markup {
    html! {
        div #live data-summary=(summary) { (inner) }
        noscript { p.hint { "Without a script this page stays as it is. " a href="" { "Load it again" } } }
    }
}

/// All but what never means anything in a path.
const SPECIAL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Below `/console`, with whatever is special percent-encoded.
pub fn path(segments: &[&str]) -> String {
    let encoded = segments
        .iter()
        .map(|segment| format!("/{}", utf8_percent_encode(segment, SPECIAL)));
    format!("/console{}", encoded.collect::<String>())
}

/// A field of an answer as text; nothing if it is not there.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A point in time, as an RFC 3339 text, to the second.
pub fn time(at: &str) -> Markup {
    let shown = at.get(..19).unwrap_or(at).replace('T', " ");
    html! { time datetime=(at) { (shown) } }
}

/// The same to the millisecond, where many things happen in one second.
pub fn moment(at: &str) -> Markup {
    let shown = at.get(..23).unwrap_or(at).replace('T', " ");
    html! { time datetime=(at) { (shown.trim_end_matches('Z')) } }
}

/// A length of time in at most two units.
pub fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0 => format!("{} ms", length.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A count with thousands set apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

/// A status as a word in its colour; the colour alone says nothing.
pub fn badge(word: &str) -> Markup {
    let kind = match word {
        "live" | "open" | "done" | "up" | "replayed" | "restored" => "good",
        "due" | "paused" | "draining" | "out" | "interrupted" | "running" | "canary" => "busy",
        "dead" | "suspended" | "failed" | "lost" | "down" | "blocked" | "refused" | "stopped" => {
            "bad"
        }
        _ => "calm",
    };
    html! { span class={ "badge " (kind) } { (word) } }
}

/// Names and what they are, where there is something.
pub fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in facts.iter().filter(|(_, value)| !value.0.is_empty()) {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// A text of an answer.
pub fn said(value: &Value) -> Markup {
    html! { (text(value)) }
}

/// An id, which may be broken anywhere.
pub fn id(value: &Value) -> Markup {
    match text(value).as_str() {
        "" => html! {},
        id => html! { code.id { (id) } },
    }
}

/// A table that becomes a list of cards where it is narrow: each cell has its column's name.
pub fn table<const N: usize>(
    caption: &str,
    columns: [&str; N],
    rows: impl IntoIterator<Item = [Markup; N]>,
) -> Markup {
    html! {
        div.scroll {
            table {
                caption { (caption) }
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (column, cell) in columns.iter().zip(row) {
                                td data-label=(column) { div { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
