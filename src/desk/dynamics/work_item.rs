//! The live work item itself: subject, workstream, channel, contact (dynamics reference §3.1).

use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::{Value, json};
use tracing::info;
use uuid::Uuid;

use super::Dynamics;
use super::calls::Created;
use super::refusals::is_gone;
use super::schema::Part;
use crate::domain::channel::Channel;
use crate::domain::error::DeskError;
use crate::domain::escalation::Escalation;
use crate::domain::handoff::AccessToken;
use crate::domain::ids::{ConversationId, Key};
use crate::domain::transcript::cut;

/// Of the subject; more is refused (dynamics reference §3.1).
const SUBJECT_UNITS_MAX: usize = 200;
/// Of the title.
const TITLE_UNITS_MAX: usize = 4000;
/// Of the description.
const DESCRIPTION_UNITS_MAX: usize = 2000;

impl Dynamics {
    /// The work item under our id. A contact that was deleted since it was looked up is left out.
    pub(super) async fn create_work_item(
        &self,
        access: &AccessToken,
        id: Key,
        about: &Escalation,
        contact: Option<Uuid>,
    ) -> Result<(), DeskError> {
        let set = self.name(Part::WorkItems);
        let body = self.work_item(id, about, contact);
        let Created::Refused(answer) = self.create(access, set, id, &body).await? else {
            return Ok(());
        };
        let gone = contact.filter(|contact| is_gone(&answer, &contact.to_string()));
        if gone.is_none() {
            return Err(self.refused(&answer, &body));
        }
        info!(connection = %self.settings.connection, "a contact is gone that was there just now; the work item arrives without a link");
        let body = self.work_item(id, about, None);
        match self.create(access, set, id, &body).await? {
            Created::Done => Ok(()),
            Created::Refused(answer) => Err(self.refused(&answer, &body)),
        }
    }

    fn work_item(&self, id: Key, about: &Escalation, contact: Option<Uuid>) -> Value {
        let story = story(about);
        let mut body = json!({ "subject": cut(&story, SUBJECT_UNITS_MAX) });
        self.fill(&mut body, Part::WorkItemId, id.to_string());
        self.fill(&mut body, Part::Title, cut(&story, TITLE_UNITS_MAX));
        self.fill(&mut body, Part::Description, description(about, &story));
        self.fill(&mut body, Part::Channel, channel(about.channel));
        if let Some(phone) = phone(about) {
            self.fill(&mut body, Part::Phone, phone);
        }
        self.bind(
            &mut body,
            Part::Workstream,
            self.name(Part::Workstreams),
            &self.settings.workstream,
        );
        if let Some(contact) = contact {
            self.bind(&mut body, Part::Contact, "contacts", &contact.to_string());
        }
        body
    }

    /// Closed, as a change of what is there: one that is gone needs no closing.
    pub(super) async fn close_work_item(
        &self,
        access: &AccessToken,
        conversation: &ConversationId,
    ) -> Result<(), DeskError> {
        let set = self.name(Part::WorkItems);
        let body = json!({ "statecode": 1, "statuscode": 4 });
        let request = self
            .http
            .calls
            .patch(self.api(&format!("{set}({conversation})")))
            .header(IF_MATCH, "*")
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(body.to_string());
        let answer = self.call(access, request).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(()),
            404 if is_gone(&answer, conversation.as_str()) => Ok(()),
            _ => Err(self.refused(&answer, &body)),
        }
    }
}

/// The summary in one line; a work item must have a subject, so there is one without a summary too.
fn story(about: &Escalation) -> String {
    let summary = about.summary.as_deref().unwrap_or_default();
    // Control characters are held to be refused (dynamics reference §7).
    let line: String = summary
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.as_str() {
        "" => format!("Conversation by {} handed over by the AI", about.channel),
        _ => line,
    }
}

/// What the rep needs even if there are no notes: how to reach the contact, and what it is about. The table has no
/// column for a phone number (dynamics reference §0).
fn description(about: &Escalation, story: &str) -> String {
    let lines = [
        Some(format!("Channel: {}", about.channel)),
        phone(about).map(|phone| format!("Phone: {phone}")),
        Some(format!("Session: {}", about.session)),
        Some(format!("Summary: {story}")),
    ];
    let lines: Vec<String> = lines.into_iter().flatten().collect();
    cut(&lines.join("\n"), DESCRIPTION_UNITS_MAX)
}

/// Where the contact can be reached: their number, or the address on a channel that has numbers for addresses.
pub fn phone(about: &Escalation) -> Option<&str> {
    let by_number = match about.channel {
        Channel::Sms | Channel::Whatsapp | Channel::Phone => about.reply_to.address.as_deref(),
        Channel::Web => None,
    };
    about.contact.phone.as_deref().or(by_number)
}

/// A set of many values with one in it, hence text (dynamics reference §3.1).
fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Web => "192360000",
        Channel::Sms => "192340000",
        Channel::Whatsapp => "192300000",
        Channel::Phone => "192370000",
    }
}
