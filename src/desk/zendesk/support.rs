//! The Support API: finds the support user that a contact is already, so that the rep sees one person and not two.
//!
//! A link before the conversation is the way that merges nobody: the user gets the external id of the support user
//! (sunshine reference §2.1, strategy A). A link is a comfort; where Support refuses us, the handoff goes on without.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tracing::warn;

use super::Zendesk;
use super::settings::Support;
use super::users::verified_email;
use crate::desk::http::Answer;
use crate::domain::error::{Code, DeskError};
use crate::domain::escalation::{Escalation, e164};
use crate::domain::seal::ExposeSecret;

impl Zendesk {
    /// The external id under which the contact is a support user: theirs, or ours if they had none.
    pub(super) async fn linked(
        &self,
        support: &Support,
        about: &Escalation,
        ours: &str,
    ) -> Result<Option<String>, DeskError> {
        let found = match self.support_user(support, about).await {
            Ok(found) => found,
            Err(error @ (DeskError::Refused { .. } | DeskError::Unauthorized(_))) => {
                self.goes_unlinked(&error);
                None
            }
            Err(error) => return Err(error),
        };
        let Some(user) = found else {
            return Ok(None);
        };
        if let Some(theirs) = user["external_id"].as_str().filter(|id| !id.is_empty()) {
            return Ok(Some(theirs.to_owned()));
        }
        let Some(id) = user["id"].as_u64() else {
            return Ok(None);
        };
        let url = format!("{}/api/v2/users/{id}.json", support.url);
        let body = json!({ "user": { "external_id": ours } });
        match self
            .ask_support(support, self.http.calls.put(url).json(&body))
            .await
        {
            // Refused: another support user has it, who then is the one that Zendesk links.
            Ok(_) => Ok(Some(ours.to_owned())),
            Err(error @ (DeskError::Refused { .. } | DeskError::Unauthorized(_))) => {
                self.goes_unlinked(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// By phone number first, by verified email address next; somebody only if there is no doubt who.
    async fn support_user(
        &self,
        support: &Support,
        about: &Escalation,
    ) -> Result<Option<Value>, DeskError> {
        let contact = &about.contact;
        if let Some(phone) = contact.phone.as_deref().and_then(e164) {
            let has_it =
                |user: &Value| user["phone"].as_str().and_then(e164).as_ref() == Some(&phone);
            // How a phone number is asked for is not known, so both ways are tried (§2.1).
            for query in [format!("role:end-user phone:\"{phone}\""), phone.clone()] {
                let found = self.search(support, &query, has_it).await?;
                if !found.is_empty() {
                    return Ok(alone(found));
                }
            }
        }
        if let Some(email) = verified_email(contact) {
            let has_it = |user: &Value| {
                let theirs = user["email"].as_str();
                theirs.is_some_and(|theirs| theirs.eq_ignore_ascii_case(email))
            };
            let query = format!("role:end-user email:\"{email}\"");
            return Ok(alone(self.search(support, &query, has_it).await?));
        }
        Ok(None)
    }

    /// The end users among what is found who really are as asked for: the search finds what is alike too.
    async fn search(
        &self,
        support: &Support,
        query: &str,
        is_meant: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Value>, DeskError> {
        let url = format!("{}/api/v2/users/search.json", support.url);
        let request = self.http.calls.get(url).query(&[("query", query)]);
        let found = self.ask_support(support, request).await?.json()?;
        let users = found["users"].as_array().into_iter().flatten();
        let end_users =
            users.filter(|user| user["role"].as_str().is_none_or(|role| role == "end-user"));
        Ok(end_users.filter(|user| is_meant(user)).cloned().collect())
    }

    /// Tries the credentials; who they belong to.
    pub(super) async fn check_support(&self, support: &Support) -> Result<(), DeskError> {
        let url = format!("{}/api/v2/users/me.json", support.url);
        let me = match self.ask_support(support, self.http.calls.get(url)).await {
            Ok(answer) => answer.json()?,
            Err(DeskError::Unauthorized(_) | DeskError::Refused { .. }) => Value::Null,
            Err(error) => return Err(error),
        };
        // Whoever is not let in is an end user without an id.
        match me.pointer("/user/role").and_then(Value::as_str) {
            Some("agent" | "admin") => Ok(()),
            _ => Err(self.misconfigured(
                Code::BadCredentials,
                "support_token",
                "Zendesk Support does not let us in; write the email address of an admin as `support_email` and an API token as `support_token`, or leave both out",
            )),
        }
    }

    async fn ask_support(
        &self,
        support: &Support,
        request: RequestBuilder,
    ) -> Result<Answer, DeskError> {
        let user = format!("{}/token", support.email);
        let request = request.basic_auth(user, Some(support.token.expose_secret()));
        let answer = self.http.call(request).await?;
        match answer.status {
            // Somebody has this external id already, which is as good.
            StatusCode::UNPROCESSABLE_ENTITY => Ok(answer),
            _ => answer.accepted(),
        }
    }

    fn goes_unlinked(&self, error: &DeskError) {
        warn!(
            connection = %self.settings.connection, %error,
            "cannot look for support users; contacts are handed over unlinked until `support_email` and `support_token` are put right"
        );
    }
}

/// The one and only.
fn alone(mut found: Vec<Value>) -> Option<Value> {
    match found.len() {
        1 => found.pop(),
        _ => None,
    }
}
