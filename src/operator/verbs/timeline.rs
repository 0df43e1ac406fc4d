//! The timeline of a handoff: all that was tried, told, heard and done, in the order of time.

use serde_json::{Value, json};

use super::{Operator, Refusal, no_handoff};
use crate::operator::view::{self, Content};
use crate::store::Row;

impl Operator {
    /// The timelines of the handoffs of a session id, a handoff id or a desk's conversation id, newest first.
    pub async fn handoff(&self, id: &str, content: Content) -> Result<Value, Refusal> {
        let rows = self.store.find(id).await?;
        if rows.is_empty() {
            return Err(no_handoff(id));
        }
        let mut found = vec![];
        for row in rows {
            found.push(self.timeline(row, content).await?);
        }
        Ok(Value::Array(found))
    }

    pub(super) async fn timeline(&self, row: Row, content: Content) -> Result<Value, Refusal> {
        let held = self.store.load(row).await?;
        let session = held.handoff.escalation.session.as_str();
        let (attempts, told) = (self.store.attempts(row).await?, self.store.told(row).await?);
        let heard = self.store.contact_events(session).await?;
        let done = self.store.audits(row).await?;
        let mut shown = view::handoff(&held.handoff, &attempts, &told);
        let heard = heard.iter().map(|event| view::from_contact(event, content));
        shown["contact_events"] = heard.collect();
        shown["operators"] = done.iter().map(view::audit).collect();
        shown["timeline"] = view::timeline::of(&shown, &told, content);
        if content == Content::Shown {
            let data = &held.handoff.escalation.data;
            shown["escalation"] = json!(data);
        }
        Ok(shown)
    }
}
