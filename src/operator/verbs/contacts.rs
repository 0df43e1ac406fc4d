//! One contact across everything we keep: shown whole, or erased.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Operator, Refusal};
use crate::domain::connection::Problem;
use crate::engine::media::Custody;
use crate::operator::view::{self, Content};
use crate::store::contact::{KnownAs, Traces};

/// Who is meant, and whether it is only to be counted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meant {
    /// Their phone number.
    pub phone: Option<String>,
    /// Their email address.
    pub email: Option<String>,
    /// The producer's id of them.
    pub id: Option<String>,
    /// A session of theirs.
    pub session: Option<String>,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
}

impl Operator {
    /// How much there is of a contact; nothing of what it says.
    pub async fn contact(&self, meant: &Meant) -> Result<Value, Refusal> {
        Ok(count(&self.store.contact(&known_as(meant)?).await?))
    }

    /// Erases all that there is of a contact: store, outbox, dead letters and files. Only what is over can be erased.
    pub async fn erase_contact(&self, meant: &Meant, who: &str) -> Result<Value, Refusal> {
        let known = known_as(meant)?;
        let found = self.store.contact(&known).await?;
        may_be_erased(&found)?;
        // Files first: if we are stopped in between, asking again finds the rest.
        let custody = Custody::open(&self.files_in).map_err(unavailable)?;
        for (_, handoff) in &found.handoffs {
            custody.erase(*handoff).await.map_err(unavailable)?;
        }
        let Some(erased) = self
            .store
            .erase_contact(&known, who, self.clock.now())
            .await?
        else {
            may_be_erased(&self.store.contact(&known).await?)?;
            return Err(Refusal::NotNow(
                "something has just begun; ask again".into(),
            ));
        };
        for (_, handoff) in &erased.handoffs {
            custody.erase(*handoff).await.map_err(unavailable)?;
        }
        let mut said = count(&erased);
        said["erased"] = json!(true);
        Ok(said)
    }

    /// All that there is of a contact, words and identity included.
    pub async fn export_contact(&self, meant: &Meant, who: &str) -> Result<Value, Refusal> {
        let known = known_as(meant)?;
        let found = self.store.contact(&known).await?;
        let mut handoffs = vec![];
        for (row, _) in &found.handoffs {
            handoffs.push(self.timeline(*row, Content::Shown).await?);
        }
        let mut sessions = vec![];
        for session in &found.sessions {
            let events = self.store.contact_events(session).await?;
            let events: Vec<Value> = events
                .iter()
                .map(|event| view::from_contact(event, Content::Shown))
                .collect();
            sessions.push(json!({ "session": session, "events": events }));
        }
        let mut letters = vec![];
        for number in &found.dead_letters {
            letters.push(
                self.dead_letter(&format!("d-{number}"), Content::Shown)
                    .await?,
            );
        }
        self.store
            .noted(
                who,
                "export",
                &format!("a contact, by {}", known.kind()),
                self.clock.now(),
            )
            .await?;
        Ok(json!({ "handoffs": handoffs, "sessions": sessions, "dead_letters": letters }))
    }
}

fn known_as(meant: &Meant) -> Result<KnownAs, Refusal> {
    let given = [
        meant.phone.clone().map(KnownAs::Phone),
        meant.email.clone().map(KnownAs::Email),
        meant.id.clone().map(KnownAs::Id),
        meant.session.clone().map(KnownAs::Session),
    ];
    let mut given = given
        .into_iter()
        .flatten()
        .filter(|known| !known.value().is_empty());
    match (given.next(), given.next()) {
        (Some(known), None) => Ok(known),
        _ => Err(Refusal::Wrong(vec![Problem {
            setting: "contact".into(),
            what: "write exactly one of phone, email, id and session".into(),
        }])),
    }
}

fn may_be_erased(found: &Traces) -> Result<(), Refusal> {
    if !found.not_over.is_empty() {
        let ids: Vec<String> = found.not_over.iter().map(ToString::to_string).collect();
        return Err(Refusal::NotNow(format!(
            "nothing was erased: {} of the contact are not over; end them with `baton handoff end`, and wait until they are \
             closed at the desk: {}",
            ids.len(),
            ids.join(", ")
        )));
    }
    if found.unpublished > 0 {
        return Err(Refusal::NotNow(format!(
            "nothing was erased: {} events of the contact are not published yet; wait until they are",
            found.unpublished
        )));
    }
    Ok(())
}

fn count(found: &Traces) -> Value {
    json!({
        "handoffs": found.handoffs.len(), "sessions": found.sessions.len(), "messages": found.messages,
        "events": found.events, "dead_letters": found.dead_letters.len(), "not_over": found.not_over.len(),
        "unpublished": found.unpublished, "erased": false,
    })
}

fn unavailable(error: impl std::fmt::Display) -> Refusal {
    Refusal::Store(crate::store::StoreError::Unavailable(error.to_string()))
}
