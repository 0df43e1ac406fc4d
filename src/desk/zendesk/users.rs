//! The contact as a user of the app: made once under an external id, and linked to the support user they are already.

use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::Zendesk;
use super::calls::text_at;
use crate::desk::http::Answer;
use crate::domain::error::DeskError;
use crate::domain::escalation::{Contact, Escalation, Identity, e164};

/// What the external ids of our users begin with (sunshine reference §2.1).
const PREFIX: &str = "opencx:";
/// A vendor's bound (sunshine reference §1.7).
const EXTERNAL_ID_CHARS_MAX: usize = 1024;
/// A vendor's bound on each part of a name, and on an email address (sunshine reference §1.7).
const PROFILE_CHARS_MAX: usize = 128;

impl Zendesk {
    /// The id of the contact's user. Keyed by the external id: one that exists is found (§2.8).
    pub(super) async fn user_of(&self, about: &Escalation) -> Result<String, DeskError> {
        let ours = external_id(about);
        let external_id = match &self.settings.support {
            Some(support) => self.linked(support, about, &ours).await?.unwrap_or(ours),
            None => ours,
        };
        let body = json!({
            "externalId": external_id,
            "profile": profile(about),
            "metadata": metadata(&about.contact),
        });
        let request = self.http.calls.post(self.api(&["users"])).json(&body);
        let answer = self.first_call(self.call(request).await?)?;
        match answer.status {
            StatusCode::CONFLICT => self.known_user(&external_id, &about.contact).await,
            _ => text_at(&self.accepted(answer)?, "/user/id"),
        }
    }

    /// A handoff begins here, so a key that is refused here is a wrong one; where it is refused later, we begin again.
    fn first_call(&self, answer: Answer) -> Result<Answer, DeskError> {
        match answer.status {
            StatusCode::UNAUTHORIZED => Err(self.key_refused()),
            _ => Ok(answer),
        }
    }

    /// The user who has the external id already, told what it does not know yet.
    async fn known_user(&self, external_id: &str, contact: &Contact) -> Result<String, DeskError> {
        let request = self.http.calls.get(self.api(&["users", external_id]));
        let answer = self.call(request).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(DeskError::Unavailable {
                status: 404,
                retry_after: None,
                message: "Zendesk has the user and does not find it yet".into(),
            });
        }
        let answer = self.accepted(answer)?;
        let id = text_at(&answer, "/user/id")?;
        let known = answer.json()?;
        let known = known.pointer("/user/metadata").and_then(Value::as_object);
        let mut all = known.cloned().unwrap_or_default();
        let ours = metadata(contact);
        if ours
            .iter()
            .any(|(name, value)| all.get(name) != Some(value))
        {
            // Whether Zendesk merges or replaces is not known, so the whole of it goes back (§2.2).
            all.extend(ours);
            let url = self.api(&["users", &id]);
            let request = self.http.calls.patch(url).json(&json!({ "metadata": all }));
            self.accepted(self.call(request).await?)?;
        }
        Ok(id)
    }
}

/// The external id of a contact: their phone number first, a verified email address next.
pub fn external_id(about: &Escalation) -> String {
    let subject = Identity::of(&about.contact, &about.session).subject();
    let id = format!("{PREFIX}{subject}");
    if id.chars().count() <= EXTERNAL_ID_CHARS_MAX {
        return id;
    }
    format!(
        "{PREFIX}{}",
        Identity::Anonymous(about.session.clone()).subject()
    )
}

/// The email address, if it is shared and verified: an unverified one could be somebody else's.
pub fn verified_email(contact: &Contact) -> Option<&str> {
    contact.email.as_deref().filter(|_| contact.verified)
}

/// Name, verified email address and language. What is empty or too long is left out, for Zendesk refuses it (§1.7).
fn profile(about: &Escalation) -> Map<String, Value> {
    let name = about.contact.name.as_deref().unwrap_or_default().trim();
    let (given, surname) = name.split_once(' ').unwrap_or((name, ""));
    let parts = [
        ("givenName", Some(given)),
        ("surname", Some(surname.trim())),
        ("email", verified_email(&about.contact)),
        ("locale", about.language.as_deref()),
    ];
    parts
        .into_iter()
        .filter_map(|(name, part)| Some((name, part?)))
        .filter(|(_, part)| (1..=PROFILE_CHARS_MAX).contains(&part.chars().count()))
        .map(|(name, part)| (name.to_owned(), part.into()))
        .collect()
}

/// There is no field for a phone number (§0), so it is here that a rep finds it.
fn metadata(contact: &Contact) -> Map<String, Value> {
    let phone = contact.phone.as_deref().and_then(e164);
    let parts = [("phone", phone), ("opencx_contact_id", contact.id.clone())];
    parts
        .into_iter()
        .filter_map(|(name, part)| Some((name.to_owned(), Value::String(part?))))
        .collect()
}
