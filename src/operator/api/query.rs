//! The parameters of a query: each is asked for by name, and what nobody has asked for is refused.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use url::form_urlencoded;

use crate::domain::connection::Problem;
use crate::operator::verbs::Refusal;

/// How many rows a listing has when nobody says.
const LIMIT_DEFAULT: usize = 100;
/// How many it has at most.
const LIMIT_MAX: usize = 10_000;

/// What stands in a query, and what is wrong with it so far. An empty value is as good as none, as forms send it.
pub struct Query {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut query = Self {
            given: BTreeMap::new(),
            known: vec![],
            problems: vec![],
        };
        let text = parts.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let twice = query.given.insert(name.to_string(), value.into_owned());
            if twice.is_some() {
                query.problem(&name, "stands there twice; write it once".to_owned());
            }
        }
        Ok(query)
    }
}

impl Query {
    fn problem(&mut self, name: &str, what: String) {
        let setting = name.to_owned();
        self.problems.push(Problem { setting, what });
    }

    /// A parameter that may be any text.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name).filter(|given| !given.is_empty())
    }

    /// One that must be among these words.
    pub fn word(&mut self, name: &'static str, words: &[&str]) -> Option<String> {
        let given = self.text(name)?;
        if words.contains(&given.as_str()) {
            return Some(given);
        }
        let words = words.join(", ");
        self.problem(
            name,
            format!("`{given}` is no value of it; write one of {words}"),
        );
        None
    }

    /// One that is a number.
    pub fn number<T: FromStr>(&mut self, name: &'static str) -> Option<T> {
        let given = self.text(name)?;
        let number = given.parse().ok();
        if number.is_none() {
            self.problem(
                name,
                format!("`{given}` is no number; write one such as 100"),
            );
        }
        number
    }

    /// One that is `true` or `false`; `false` if nobody says.
    pub fn yes(&mut self, name: &'static str) -> bool {
        self.word(name, &["true", "false"]).as_deref() == Some("true")
    }

    /// How many rows are asked for.
    pub fn limit(&mut self) -> usize {
        let limit = self.number("limit").unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            self.problem(
                "limit",
                format!("`{limit}` is too few or too many; write 1 to {LIMIT_MAX}"),
            );
        }
        limit
    }

    /// Several that somebody else reads by rules of their own.
    pub fn texts(&mut self, names: &[&'static str]) -> BTreeMap<String, String> {
        let given = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.text(name)?)));
        given.collect()
    }

    /// What somebody else found wrong, to be told with the rest.
    pub fn also(&mut self, problems: Vec<Problem>) {
        self.problems.extend(problems);
    }

    /// All that was asked for is right, and there is nothing else.
    pub fn done(mut self) -> Result<(), Refusal> {
        let what = match self.known.as_slice() {
            [] => "is no parameter of this, which takes none".to_owned(),
            known => format!("is no parameter of this; write one of {}", known.join(", ")),
        };
        for name in std::mem::take(&mut self.given).keys() {
            self.problem(name, what.clone());
        }
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Wrong(self.problems))
        }
    }
}

/// A query that must be empty: what looks like a wish must not be passed over.
pub struct NoQuery;

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Ok(query) = Query::from_request_parts(parts, state).await;
        query.done().map(|()| Self)
    }
}
