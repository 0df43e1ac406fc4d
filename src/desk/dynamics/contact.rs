//! The contact's row in Dataverse: looked up, never made.

use serde_json::Value;
use tracing::{debug, warn};
use uuid::Uuid;

use super::Dynamics;
use crate::domain::error::DeskError;
use crate::domain::escalation::Escalation;
use crate::domain::handoff::{AccessToken, Earlier, Effect};

impl Dynamics {
    /// The one active contact with the verified email address. An address that nobody verified could be somebody
    /// else's, and of several matches none is the right one: both leave the work item without a link.
    ///
    /// A link is no reason to keep a contact waiting: a look-up that is refused, or fails again, is done without.
    pub(super) async fn contact_of(
        &self,
        access: &AccessToken,
        effect: Effect,
        about: &Escalation,
    ) -> Result<Option<Uuid>, DeskError> {
        let contact = &about.contact;
        let Some(email) = contact.email.as_deref().filter(|_| contact.verified) else {
            return Ok(None);
        };
        let connection = &self.settings.connection;
        match self.look_up(access, email).await {
            Ok(found) => Ok(found),
            Err(error @ (DeskError::Unauthorized(_) | DeskError::RateLimited { .. })) => Err(error),
            Err(
                error @ (DeskError::Refused { .. }
                | DeskError::Misconfigured { .. }
                | DeskError::InDoubt),
            ) => {
                warn!(%connection, %error, "cannot look up contacts, so work items arrive without a link");
                Ok(None)
            }
            Err(error) => match effect.earlier {
                Earlier::Never => Err(error),
                Earlier::Perhaps => {
                    warn!(%connection, %error, "looking up a contact failed again; the work item arrives without a link");
                    Ok(None)
                }
            },
        }
    }

    /// By `emailaddress1`, as the public page says (dynamics reference §3.4).
    async fn look_up(&self, access: &AccessToken, email: &str) -> Result<Option<Uuid>, DeskError> {
        let email = email.trim().replace('\'', "''");
        let request = self.http.calls.get(self.api("contacts")).query(&[
            ("$select", "contactid"),
            (
                "$filter",
                &format!("emailaddress1 eq '{email}' and statecode eq 0"),
            ),
            ("$orderby", "createdon asc"),
            ("$top", "2"),
        ]);
        let answer = self.call(access, request).await?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer, &Value::Null));
        }
        let found = answer.json()?;
        let found = found["value"].as_array();
        let ids: Vec<Uuid> = found
            .into_iter()
            .flatten()
            .filter_map(|contact| Uuid::parse_str(contact["contactid"].as_str()?).ok())
            .collect();
        match ids.as_slice() {
            [only] => Ok(Some(*only)),
            [] => Ok(None),
            [_, _, ..] => {
                debug!(
                    "several contacts have this email address; the work item arrives without a link"
                );
                Ok(None)
            }
        }
    }
}
