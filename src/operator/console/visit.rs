//! One visit of a page: who comes, whether they only want what has changed, and how they are answered.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::page::{self, Section};
use super::session::{Notice, Session, Sessions};
use crate::operator::verbs::Refusal;

/// Who visits. The guard puts it into each request that it lets through.
#[derive(Clone)]
pub struct Visit {
    /// Their session.
    pub session: Session,
    /// The id of it.
    pub id: String,
    /// Where they are.
    pub path: String,
    /// Whether our script asks, for what has changed.
    pub live: bool,
    /// Where notices are left.
    pub sessions: Arc<Sessions>,
}

/// A page without what is around it.
pub struct View {
    /// Its heading.
    pub title: String,
    /// Where in the console it is.
    pub section: Section,
    /// What is on it.
    pub body: Markup,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let visit = parts.extensions.get::<Visit>();
        Ok(visit.expect("no page is outside of the guard").clone())
    }
}

impl Visit {
    /// Whether they may change things.
    pub fn may_act(&self) -> bool {
        self.session.role.may_act()
    }

    /// A page, or why there is none.
    pub fn show(&self, made: Result<View, Refusal>) -> Response {
        match made {
            Ok(view) => self.page(StatusCode::OK, &view),
            Err(refusal) => self.refused(&refusal),
        }
    }

    /// A page with a status.
    pub fn page(&self, status: StatusCode, view: &View) -> Response {
        let notice = if self.live {
            None
        } else {
            self.sessions.take_notice(&self.id)
        };
        let page = page::whole(self, view, notice.as_ref());
        (status, Html(page.into_string())).into_response()
    }

    /// The page for what could not be shown.
    pub fn refused(&self, refusal: &Refusal) -> Response {
        let (status, title) = match refusal {
            Refusal::NotFound(_) => (StatusCode::NOT_FOUND, "Not found"),
            Refusal::NotNow(_) => (StatusCode::CONFLICT, "Not now"),
            Refusal::Wrong(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Not right"),
            Refusal::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "Not available"),
        };
        self.sorry(status, title, &refusal.to_string())
    }

    /// A page that only says something.
    pub fn sorry(&self, status: StatusCode, title: &str, what: &str) -> Response {
        let view = View {
            title: title.to_owned(),
            section: Section::None,
            body: html! {
                p.lead { (what) }
                p { a href="/console" { "To the overview" } }
            },
        };
        self.page(status, &view)
    }

    /// The answer to a form: the next page says what became of it.
    pub fn done(&self, outcome: Result<String, Refusal>, next: &str) -> Response {
        let notice = match outcome {
            Ok(what) => Notice::Done(what),
            Err(refusal) => Notice::Failed(refusal.to_string()),
        };
        self.leave(notice, next)
    }

    /// The same, for what is no refusal and still not good news.
    pub fn leave(&self, notice: Notice, next: &str) -> Response {
        self.sessions.leave(&self.id, notice);
        Redirect::to(next).into_response()
    }
}
