//! What every call to Dataverse has: address, headers, token, and how its answer is taken (dynamics reference §2).

use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, CONTENT_TYPE, IF_NONE_MATCH};
use serde_json::Value;

use super::notes::printable;
use super::refusals::{self, meaning, no_application_user};
use super::schema::Part;
use super::tokens::Refusal;
use super::{Dynamics, Settings};
use crate::desk::http::{Answer, Place};
use crate::domain::error::DeskError;
use crate::domain::handoff::AccessToken;
use crate::domain::ids::Key;
use crate::domain::seal::ExposeSecret;

/// An alternate key that a customer has added is taken by another row, so ours is not there (dynamics reference §2.4).
const ALTERNATE_KEY_TAKEN: &str = "0x80060892";

impl Dynamics {
    /// The address of what is in the API under this name.
    pub(super) fn api(&self, path: &str) -> String {
        format!("{}/api/data/v9.2/{path}", self.settings.environment_url)
    }

    /// What a part of the schema is called; empty for one that the tables do not have.
    pub(super) fn name(&self, part: Part) -> &str {
        self.settings.schema.name(part).unwrap_or_default()
    }

    /// What stands in a body for a row of another table.
    pub(super) fn link(&self, set: &str, id: &str) -> Value {
        format!("/{set}({id})").into()
    }

    /// Writes a column, if the table has it.
    pub(super) fn fill(&self, body: &mut Value, column: Part, value: impl Into<Value>) {
        if let Some(column) = self.settings.schema.name(column) {
            body[column] = match value.into() {
                Value::String(text) => printable(&text).into(),
                value => value,
            };
        }
    }

    /// Links to another row, if the table can.
    pub(super) fn bind(&self, body: &mut Value, link: Part, set: &str, id: &str) {
        if let Some(link) = self.settings.schema.name(link) {
            body[format!("{link}@odata.bind")] = self.link(set, id);
        }
    }

    /// Makes a call and reads its answer. Refused tokens and a rest that is asked for are dealt with here.
    pub(super) async fn call(
        &self,
        access: &AccessToken,
        request: RequestBuilder,
    ) -> Result<Answer, DeskError> {
        self.rest.is_over(self.clock.now())?;
        let request = request
            .bearer_auth(access.token.expose_secret())
            .header(ACCEPT, "application/json")
            .header("OData-MaxVersion", "4.0")
            .header("OData-Version", "4.0");
        let Settings {
            environment_url,
            connection,
            ..
        } = &*self.settings;
        let place = Place {
            url: environment_url.clone(),
            setting: "environment_url",
        };
        let answer = self.http.call(request).await;
        let answer = answer.map_err(|error| place.blamed_for(error, connection))?;
        match answer.status.as_u16() {
            401 => Err(self.unauthorized(access, &answer)),
            429 => Err(self.rest.begin(&answer, self.clock.now())),
            500..=599 => Ok(answer),
            _ => {
                self.tokens.accepted();
                Ok(answer)
            }
        }
    }

    fn unauthorized(&self, access: &AccessToken, answer: &Answer) -> DeskError {
        let refusal = self.tokens.refused(access);
        match (refusals::code(answer), refusal) {
            // It says itself what is wrong.
            (Some(_), _) => match meaning(&self.settings, answer, &Value::Null) {
                DeskError::Refused { .. } if refusal == Refusal::Stale => {
                    DeskError::Unauthorized(answer.explanation())
                }
                DeskError::Refused { .. } => no_application_user(&self.settings),
                error => error,
            },
            (None, Refusal::Stale) => DeskError::Unauthorized(answer.explanation()),
            (None, Refusal::Persistent) => no_application_user(&self.settings),
        }
    }

    /// Creates a row under an id that we choose, or finds that it is there: the first body stands
    /// (dynamics reference §2.2).
    pub(super) async fn create(
        &self,
        access: &AccessToken,
        set: &str,
        id: Key,
        body: &Value,
    ) -> Result<Created, DeskError> {
        let request = self
            .http
            .calls
            .patch(self.api(&format!("{set}({id})")))
            .header(IF_NONE_MATCH, "*")
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(body.to_string());
        let answer = self.call(access, request).await?;
        let is_taken = refusals::code(&answer).as_deref() == Some(ALTERNATE_KEY_TAKEN);
        match answer.status.as_u16() {
            200..=299 => Ok(Created::Done),
            409 | 412 if !is_taken => Ok(Created::Done),
            _ => Ok(Created::Refused(answer)),
        }
    }

    /// What a refusal of what it was told means.
    pub(super) fn refused(&self, answer: &Answer, told: &Value) -> DeskError {
        meaning(&self.settings, answer, told)
    }
}

/// What came of creating a row.
pub(super) enum Created {
    /// It is there.
    Done,
    /// It is not, and this is why.
    Refused(Answer),
}
