//! What calls to Zendesk have in common: where they go, how they show who we are, and what a refusal means.

use reqwest::RequestBuilder;
use reqwest::Url;
use reqwest::header::AUTHORIZATION;

use super::Zendesk;
use super::settings::Settings;
use crate::desk::http::Answer;
use crate::domain::error::{Code, DeskError};
use crate::domain::ids::ConversationId;

impl Zendesk {
    /// The address of something of the app; each step of the path is escaped, because external ids hold what they like.
    pub(super) fn api(&self, path: &[&str]) -> Url {
        let mut url = self.settings.app.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url
    }

    /// The address of something of a conversation.
    pub(super) fn conversation(&self, id: &ConversationId, rest: &[&str]) -> Url {
        let path = [&["conversations", id.as_str()], rest].concat();
        self.api(&path)
    }

    /// Makes a call with the app's key.
    pub(super) async fn call(&self, request: RequestBuilder) -> Result<Answer, DeskError> {
        let request = request.header(AUTHORIZATION, &self.settings.authorization);
        let Settings {
            place, connection, ..
        } = &self.settings;
        let answer = self.http.call(request).await;
        answer.map_err(|error| place.blamed_for(error, connection))
    }

    /// The answer, if its status is a good one; else what it means at Zendesk.
    pub(super) fn accepted(&self, answer: Answer) -> Result<Answer, DeskError> {
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(self.meaning(&answer))
        }
    }

    /// What a status means at Zendesk where it differs from other desks (§1.8).
    pub(super) fn meaning(&self, answer: &Answer) -> DeskError {
        match (answer.status.as_u16(), code(answer).as_deref()) {
            (403, _) => self.misconfigured(
                Code::BadCredentials,
                "key_id",
                &format!(
                    "Zendesk forbids this to the key ({}); write a key of the app with full rights",
                    answer.explanation()
                ),
            ),
            (404, Some("app_not_found")) => self.misconfigured(
                Code::BadDeployment,
                "app_id",
                "Zendesk does not know the app; copy the App ID again from Admin Center → Apps and integrations → Conversations API",
            ),
            // Every 404 of the API has a code (§1.8), so this one is of somebody else.
            (404, None) => self.misconfigured(
                Code::BadDeployment,
                self.settings.place.setting,
                &format!(
                    "there is no Conversations API at {} ({}); write the subdomain of your Zendesk address",
                    self.settings.place.url,
                    answer.explanation()
                ),
            ),
            _ => answer.meaning(),
        }
    }

    /// The credentials themselves were refused: no new token will help.
    pub(super) fn key_refused(&self) -> DeskError {
        self.misconfigured(
            Code::BadCredentials,
            "key_secret",
            "Zendesk refuses the key; write `key_id` and `key_secret` of a key that exists (Admin Center → Apps and integrations → Conversations API), and check `app_id`",
        )
    }

    /// Something that a setting is to blame for.
    pub(super) fn misconfigured(&self, code: Code, setting: &str, what: &str) -> DeskError {
        DeskError::Misconfigured {
            code,
            message: format!(
                "{setting}: {what} (connection `{}`)",
                self.settings.connection
            ),
        }
    }

    /// A refusal with what to do about it.
    pub(super) fn refused(&self, answer: &Answer, what: &str) -> DeskError {
        DeskError::Refused {
            status: answer.status.as_u16(),
            message: format!(
                "{what} (connection `{}`): {}",
                self.settings.connection,
                answer.explanation()
            ),
        }
    }
}

/// The error code of an answer, as in `{"errors":[{"code":"conflict","title":"…"}]}` (sunshine reference §1.8).
pub fn code(answer: &Answer) -> Option<String> {
    let body = answer.json().ok()?;
    body.pointer("/errors/0/code")?.as_str().map(str::to_owned)
}

/// A text that a good answer must have.
pub fn text_at(answer: &Answer, path: &str) -> Result<String, DeskError> {
    let body = answer.json()?;
    let found = body.pointer(path).and_then(|found| found.as_str());
    found.map(str::to_owned).ok_or_else(|| {
        DeskError::Broken(format!(
            "{} without `{}`",
            answer.status,
            path.trim_start_matches('/')
        ))
    })
}
