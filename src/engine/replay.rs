//! Sends a dead letter on. What came as a delivery is read again, as this release reads it.

use std::time::Duration;

use serde_json::json;

use crate::domain::arrival::Arrival;
use crate::domain::clock::{self, Timestamp};
use crate::domain::dead_letter::GENERATION;
use crate::domain::event::Bounds;
use crate::journey;
use crate::store::{About, DeadLetter, Replayed, Store, StoreError};

/// What a replay is bound by.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// What is taken in.
    pub bounds: Bounds,
    /// From a replay until a handoff is live.
    pub deadline: Duration,
}

/// Sends a dead letter on, once.
pub async fn letter(
    store: &dyn Store,
    letter: &DeadLetter,
    rules: Rules,
    who: &str,
    now: Timestamp,
) -> Result<Replayed, StoreError> {
    let arrival = arrival(store, letter, rules, now).await?;
    let deadline = clock::after(now, rules.deadline);
    store
        .replay_letter(letter.number, arrival, deadline, who, now)
        .await
}

/// The delivery of a letter, asking for the next generation; `None` for a handoff, which needs none.
pub async fn arrival(
    store: &dyn Store,
    letter: &DeadLetter,
    rules: Rules,
    now: Timestamp,
) -> Result<Option<Arrival>, StoreError> {
    if letter.about == About::Handoff {
        return Ok(None);
    }
    let Some((mut origin, body)) = store.original(letter.number).await? else {
        return Ok(None);
    };
    let next = json!(letter.generation + 1);
    origin.headers.insert(GENERATION.to_owned(), next);
    let deadline = clock::after(now, rules.deadline);
    Ok(Some(journey::receive(origin, body, rules.bounds, deadline)))
}
