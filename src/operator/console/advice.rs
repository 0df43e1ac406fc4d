//! What a code means and what to do about it: the section of `docs/operations.md`, compiled in, so that an operator
//! needs no other page.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::response::Response;
use maud::{Markup, html};

use super::page::Section;
use super::visit::{View, Visit};
use crate::domain::error::Code;

const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// What stands under the heading of each code.
static SECTIONS: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let mut sections: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut code = None;
    for line in OPERATIONS.lines() {
        if line.starts_with('#') {
            let heading = line.strip_prefix("#### `");
            code = heading.and_then(|rest| rest.strip_suffix('`'));
        } else if let Some(code) = code {
            sections.entry(code).or_default().push(line);
        }
    }
    sections
});

/// What the documentation says about a code.
pub fn about(code: &str) -> Markup {
    let lines = SECTIONS.get(code).map(Vec::as_slice).unwrap_or_default();
    let blocks = lines.split(|line| line.trim().is_empty());
    html! {
        @for block in blocks.filter(|block| !block.is_empty()) {
            @if block[0].starts_with("- ") {
                ul { @for item in block { li { (inline(item.trim_start_matches("- "))) } } }
            } @else {
                p { @for line in block { (inline(line)) " " } }
            }
        }
    }
}

/// Code in backticks, and the words of links.
fn inline(line: &str) -> Markup {
    html! {
        @for (place, part) in line.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (unlinked(part)) }
        }
    }
}

fn unlinked(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let (lead, words) = before.rsplit_once('[').unwrap_or(("", before));
        shown.push_str(lead);
        shown.push_str(words);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    shown + rest
}

/// `GET /console/help`: all codes.
pub async fn page(visit: Visit) -> Response {
    let body = html! {
        p.lead { "Each dead letter and each failed try has one code, and each code one class." }
        @for code in Code::ALL {
            section.advice aria-labelledby=(code.as_str()) {
                h2 id=(code.as_str()) { code { (code.as_str()) } " " span.why { (code.class().as_str()) } }
                (about(code.as_str()))
            }
        }
    };
    visit.show(Ok(View {
        title: "What the codes mean".to_owned(),
        section: Section::None,
        body,
    }))
}
