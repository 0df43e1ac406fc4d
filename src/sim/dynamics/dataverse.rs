//! The Web API: rows are created, changed, read and deleted (§2).

use axum::Json;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::Answer;
use super::ledger::{Repeat, Row};
use super::memory::Memory;
use super::query::Query;
use super::refusal::Refusal;
use super::switches::{ApplicationUser, RepeatedElastic, RepeatedPost, Routing};
use super::tables::{Kind, Table};
use super::write::{self, Written};
use super::{Shared, call};

/// A request, read to its end.
pub(super) struct Request {
    pub method: Method,
    /// What comes after `/api/data/v9.2/`.
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What a request is about.
enum Target<'a> {
    WhoAmI,
    Table(&'a Table),
    Row(&'a Table, String),
}

impl Request {
    /// Its name, for faults and the ledger.
    pub fn call(&self, shared: &Shared) -> &'static str {
        let set = self.path.split('(').next().unwrap_or_default();
        let kind = shared.tables.by_set(set).map(|table| table.kind);
        let changes = self.header("if-match").is_some();
        match (self.method.as_str(), kind) {
            ("GET", None) if self.is_who_am_i() => call::WHO_AM_I,
            ("GET", Some(Kind::Contact)) => call::FIND_CONTACTS,
            ("GET", _) => call::READ,
            ("PATCH", _) if changes => call::UPDATE,
            ("PATCH" | "POST", Some(Kind::WorkItem)) => call::CREATE_WORK_ITEM,
            ("PATCH" | "POST", Some(Kind::ContextItem | Kind::ElasticContextItem)) => {
                call::CREATE_CONTEXT_ITEM
            }
            ("PATCH" | "POST", Some(Kind::Transcript)) => call::CREATE_TRANSCRIPT,
            ("PATCH" | "POST", Some(Kind::Note)) => call::CREATE_NOTE,
            _ => call::OTHER,
        }
    }

    /// A function without parameters, with or without its parentheses.
    fn is_who_am_i(&self) -> bool {
        matches!(self.path.as_str(), "WhoAmI" | "WhoAmI()")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The segment and the key of `set(key)`.
    fn target<'a>(&self, shared: &'a Shared) -> Result<Target<'a>, Refusal> {
        if self.is_who_am_i() {
            return Ok(Target::WhoAmI);
        }
        let (set, key) = match self.path.split_once('(') {
            Some((set, rest)) => (set, Some(rest.strip_suffix(')').unwrap_or(rest))),
            None => (self.path.as_str(), None),
        };
        let table = shared.tables.by_set(set).ok_or_else(|| {
            let text = format!("Resource not found for the segment '{set}'.");
            Refusal::new(StatusCode::NOT_FOUND, "0x8006088a", text)
        })?;
        Ok(match key {
            None => Target::Table(table),
            Some(key) => Target::Row(table, write::guid(key)?),
        })
    }
}

impl Memory {
    /// Does what is asked, or says why not.
    pub fn serve(&mut self, shared: &Shared, request: &Request) -> Answer {
        self.admit(shared, request)?;
        let target = request.target(shared)?;
        match (request.method.as_str(), target) {
            ("GET", Target::WhoAmI) => Ok(Json(json!({
                "BusinessUnitId": Uuid::nil(), "UserId": Uuid::nil(), "OrganizationId": Uuid::nil(),
            }))
            .into_response()),
            ("GET", Target::Table(table)) => self.list(table, request),
            ("GET", Target::Row(table, id)) => self.show(table, &id, request),
            ("PATCH", Target::Row(table, id)) => self.patch(shared, table, id, request),
            ("POST", Target::Table(table)) => self.post(shared, table, request),
            ("DELETE", Target::Row(table, id)) => {
                self.find(table, &id)?;
                self.ledger.delete(table.kind, &id);
                Ok(StatusCode::NO_CONTENT.into_response())
            }
            _ => Err(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "0x80060888",
                "The method is not supported here.",
            )),
        }
    }

    /// A good token of a user of this environment, and the headers that every request has (§2.1).
    fn admit(&self, shared: &Shared, request: &Request) -> Result<(), Refusal> {
        let token = request.header("authorization");
        let token = token.and_then(|header| header.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.is_good(token)) {
            return Err(Refusal::unauthorized(
                "the token is none of ours, or has expired",
            ));
        }
        const NOBODY: &str = "The user is not a member of the organization.";
        match self.switches.application_user {
            ApplicationUser::Present => {}
            ApplicationUser::MissingSilent => return Err(Refusal::unauthorized(NOBODY)),
            ApplicationUser::MissingUnauthorized => {
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, "0x80072560", NOBODY));
            }
            ApplicationUser::MissingForbidden => {
                return Err(Refusal::new(StatusCode::FORBIDDEN, "0x80072560", NOBODY));
            }
            ApplicationUser::Restricted => {
                let text = format!(
                    "Access to Dataverse API is restricted for this application Id : '{}'. Please contact your administrator for more information.",
                    shared.options.client_id
                );
                return Err(Refusal::new(StatusCode::FORBIDDEN, "0x80095ffc", text));
            }
        }
        for (name, value) in [
            ("odata-version", "4.0"),
            ("odata-maxversion", "4.0"),
            ("accept", "application/json"),
        ] {
            if request.header(name) != Some(value) {
                let text = format!("The header {name} must be {value}.");
                return Err(Refusal::bad_request("0x80060888", text));
            }
        }
        Ok(())
    }

    /// Whether the user's roles allow it (§3.6).
    fn allow(&self, privilege: &str) -> Result<(), Refusal> {
        if !self.switches.missing_privileges.contains(privilege) {
            return Ok(());
        }
        let (user, id) = (Uuid::nil(), Uuid::nil());
        let text = format!(
            "Principal user (Id={user}, type=8, roleCount=1, privilegeCount=1) is missing {privilege} privilege (Id={id}) on OTC=0 for entity."
        );
        Err(Refusal::new(StatusCode::FORBIDDEN, "0x80040220", text))
    }

    fn find(&self, table: &Table, id: &str) -> Result<&Row, Refusal> {
        self.ledger
            .row(table.kind, id)
            .ok_or_else(|| Refusal::no_row(table.entity, id))
    }

    fn list(&mut self, table: &Table, request: &Request) -> Answer {
        self.allow(table.read)?;
        let query = Query::read(table, &request.query)?;
        if table.kind == Kind::Contact {
            self.ledger
                .lookups
                .push(query.filter.clone().unwrap_or_default());
        }
        let email_case = self.switches.email_case;
        let mut rows: Vec<&Row> = self
            .ledger
            .of(table.kind)
            .filter(|row| query.takes(table, row, email_case))
            .collect();
        rows.sort_by_key(|row| query.rank(table, row));
        rows.truncate(query.top.unwrap_or(usize::MAX));
        let shown: Vec<Value> = rows.iter().map(|row| query.show(table, row)).collect();
        Ok(Json(json!({ "value": shown })).into_response())
    }

    fn show(&self, table: &Table, id: &str, request: &Request) -> Answer {
        self.allow(table.read)?;
        let query = Query::read(table, &request.query)?;
        let row = self.find(table, id)?;
        Ok(Json(query.show(table, row)).into_response())
    }

    /// Creates, changes, or whichever it takes: the conditions decide (§2.1).
    fn patch(&mut self, shared: &Shared, table: &Table, id: String, request: &Request) -> Answer {
        let exists = self.ledger.row(table.kind, &id).is_some();
        let only_new = request.header("if-none-match") == Some("*");
        let only_old = request.header("if-match").is_some();
        if exists && only_new {
            self.ledger.repeats.push(Repeat {
                kind: table.kind,
                id: id.clone(),
            });
            let overwrites = table.kind == Kind::ElasticContextItem
                && self.switches.repeated_elastic == RepeatedElastic::Overwritten;
            if !overwrites {
                return Err(repeated(StatusCode::PRECONDITION_FAILED));
            }
        }
        if !exists && only_old {
            return Err(Refusal::no_row(table.entity, &id));
        }
        if !exists {
            self.allow(table.create)?;
        }
        let written = write::check(shared, self, table, &request.body)?;
        if written.key.as_ref().is_some_and(|key| *key != id) {
            let text = "The key in the body is not the key of the row.";
            return Err(Refusal::bad_request("0x80060888", text));
        }
        if exists {
            self.change(table, &id, written)?;
        } else {
            self.add(table, id.clone(), written)?;
        }
        Ok(made(shared, table, &id))
    }

    fn post(&mut self, shared: &Shared, table: &Table, request: &Request) -> Answer {
        self.allow(table.create)?;
        let written = write::check(shared, self, table, &request.body)?;
        let id = written
            .key
            .clone()
            .unwrap_or_else(|| Uuid::new_v4().to_string());
        if self.ledger.row(table.kind, &id).is_some() {
            let status = match self.switches.repeated_post {
                RepeatedPost::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
                RepeatedPost::Conflict => StatusCode::CONFLICT,
            };
            let kind = table.kind;
            self.ledger.repeats.push(Repeat { kind, id });
            return Err(repeated(status));
        }
        self.add(table, id.clone(), written)?;
        Ok(made(shared, table, &id))
    }

    fn add(&mut self, table: &Table, id: String, written: Written) -> Result<(), Refusal> {
        write::is_whole(table, &written)?;
        let Written {
            mut columns, links, ..
        } = written;
        if table.kind == Kind::WorkItem {
            // Not valid for create: accepted, and without effect (§3.3).
            let status = match self.switches.routing {
                Routing::Sits => 1,
                Routing::Active => 2,
            };
            columns.insert("statecode".into(), 0.into());
            columns.insert("statuscode".into(), status.into());
        }
        self.ledger.rows.push(Row {
            kind: table.kind,
            id,
            columns,
            links,
            created_at: self.clock.now(),
            changes: 0,
        });
        Ok(())
    }

    fn change(&mut self, table: &Table, id: &str, written: Written) -> Result<(), Refusal> {
        let state = (
            written.columns.get("statecode").and_then(Value::as_i64),
            written.columns.get("statuscode").and_then(Value::as_i64),
        );
        let fits = match (table.kind, state) {
            (Kind::WorkItem, (Some(state), Some(status))) => [
                (0, 1),
                (0, 2),
                (0, 3),
                (0, 5),
                (1, 4),
                (2, 6),
                (3, 7),
                (4, 5),
            ]
            .contains(&(state, status)),
            _ => true,
        };
        if !fits {
            let text = format!("{state:?} is not a valid status code for the state");
            return Err(Refusal::bad_request("0x80048408", text));
        }
        if let Some(row) = self.ledger.row_mut(table.kind, id) {
            row.columns.extend(written.columns);
            row.links.extend(written.links);
            row.changes += 1;
        }
        Ok(())
    }
}

fn repeated(status: StatusCode) -> Refusal {
    let text = "A record with matching key values already exists.";
    Refusal::new(status, "0x80040237", text)
}

/// 204, with the address of the row.
fn made(shared: &Shared, table: &Table, id: &str) -> Response {
    let address = format!("{}/api/data/v9.2/{}({id})", shared.url, table.set);
    let headers = [
        (HeaderName::from_static("odata-version"), "4.0".to_owned()),
        (HeaderName::from_static("odata-entityid"), address),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
