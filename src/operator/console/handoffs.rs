//! All handoffs, by what the worker owes them and where they go.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::Console;
use super::form::choice;
use super::page::{self, Section, badge};
use super::visit::{View, Visit};
use crate::domain::channel::Channel;
use crate::domain::connection::DeskKind;
use crate::domain::handoff::Status;
use crate::operator::verbs::Refusal;
use crate::store::{Filter, Row, Summary};

/// On one page.
const ROWS: usize = 50;

/// What is looked for.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    id: String,
    status: String,
    connection: String,
    desk: String,
    channel: String,
    before: Option<Row>,
}

impl Which {
    fn filter(&self) -> Filter {
        let chosen = |word: &str| (!word.is_empty()).then(|| word.to_owned());
        Filter {
            status: chosen(&self.status),
            connection: chosen(&self.connection),
            desk: chosen(&self.desk),
            channel: chosen(&self.channel),
            before: self.before,
            // One more than is shown, to know whether there are more.
            limit: ROWS + 1,
        }
    }

    fn is_narrow(&self) -> bool {
        let Filter {
            status,
            connection,
            desk,
            channel,
            ..
        } = self.filter();
        [status, connection, desk, channel]
            .iter()
            .any(Option::is_some)
    }

    /// The same, older than a row.
    fn before(&self, row: Row) -> String {
        let words = [
            ("status", &self.status),
            ("connection", &self.connection),
            ("desk", &self.desk),
            ("channel", &self.channel),
        ];
        let mut query = Serializer::new(String::from("/console/handoffs?"));
        let chosen = words.into_iter().filter(|(_, word)| !word.is_empty());
        query.extend_pairs(chosen);
        query.append_pair("before", &row.to_string()).finish()
    }
}

/// `GET /console/handoffs`.
pub async fn page(
    State(console): State<Console>,
    visit: Visit,
    Query(which): Query<Which>,
) -> Response {
    match which.id.trim() {
        "" => visit.show(list(&console, &which).await),
        id => found(&console, &visit, &which, id).await,
    }
}

/// Goes to what an id finds, or says that it finds nothing.
async fn found(console: &Console, visit: &Visit, which: &Which, id: &str) -> Response {
    match console.operator.store.find(id).await {
        Ok(rows) if !rows.is_empty() => {
            Redirect::to(&page::path(&["handoffs", id])).into_response()
        }
        Ok(_) => visit.show(nothing(console, which, id).await),
        Err(error) => visit.refused(&error.into()),
    }
}

async fn nothing(console: &Console, which: &Which, id: &str) -> Result<View, Refusal> {
    let body = html! {
        (search(console, which).await?)
        p.notice.failed role="alert" {
            "There is no handoff " code.id { (id) }
            ". Give a whole handoff id, session id, or the desk's conversation id."
        }
    };
    Ok(view(body))
}

fn view(body: Markup) -> View {
    View {
        title: "Handoffs".to_owned(),
        section: Section::Handoffs,
        body,
    }
}

async fn list(console: &Console, which: &Which) -> Result<View, Refusal> {
    let mut handoffs = console.operator.store.list(&which.filter()).await?;
    let more = handoffs.len() > ROWS;
    handoffs.truncate(ROWS);
    let summary = format!("{} handoffs on this page", handoffs.len());
    let older = handoffs
        .last()
        .filter(|_| more)
        .map(|last| which.before(last.row));
    let body = html! {
        (search(console, which).await?)
        (page::live(&summary, &html! {
            @if handoffs.is_empty() {
                p.empty {
                    @if which.is_narrow() { "No handoff is like that. " a href="/console/handoffs" { "Show all" } }
                    @else { "There are no handoffs yet. One begins when an escalation arrives in the queue." }
                }
            } @else {
                (table(&handoffs))
                nav.pages aria-label="Pages" {
                    @if which.before.is_some() { a href="/console/handoffs" { "Newest" } }
                    @if let Some(older) = &older { a href=(older) rel="next" { "Older" } }
                }
            }
        }))
    };
    Ok(view(body))
}

async fn search(console: &Console, which: &Which) -> Result<Markup, Refusal> {
    let connections = console.operator.store.connections().await?;
    let connections: Vec<&str> = connections
        .iter()
        .map(|(connection, _)| connection.name.as_str())
        .collect();
    Ok(html! {
        form.filter method="get" action="/console/handoffs" role="search" aria-label="Handoffs" {
            div.field.wide {
                label for="id" { "Handoff, session or conversation id" }
                input #id name="id" type="search" value=(which.id) autocomplete="off" spellcheck="false";
            }
            (choice("status", "Status", &Status::WORDS, &which.status))
            (choice("connection", "Connection", &connections, &which.connection))
            (choice("desk", "Desk", &DeskKind::ALL.iter().map(|desk| desk.as_str()).collect::<Vec<_>>(), &which.desk))
            (choice("channel", "Channel", &Channel::ALL.map(Channel::as_str), &which.channel))
            button.primary type="submit" { "Find" }
        }
    })
}

fn table(handoffs: &[Summary]) -> Markup {
    let columns = [
        "Accepted",
        "Status",
        "Progress",
        "Channel",
        "Connection",
        "Replies",
        "Session",
    ];
    page::table(
        "Handoffs, the newest first",
        columns,
        handoffs.iter().map(|it| {
            [
                page::time(&it.accepted_at.to_string()),
                html! { (badge(&it.status)) @if let Some(why) = &it.why { " " span.why { (why) } } },
                html! { (it.progress) @if it.generation > 1 { " (generation " (it.generation) ")" } },
                html! { (it.channel) },
                html! { (it.connection) },
                html! { (it.replies) },
                html! { a href=(page::path(&["handoffs", &it.id])) { code.id { (it.session) } } },
            ]
        }),
    )
}
