//! Dead letters: found, looked at, sent on, decided against.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Operator, Refusal};
use crate::engine::replay;
use crate::operator::view::{self, Content};
use crate::operator::wanted;
use crate::store::{About, DeadFilter, DeadLetter, GroupBy, Replayed};

/// Dead letters that one answer may hold.
const LIST_MAX: usize = 10_000;
/// Groups that one answer may hold.
const GROUPS_MAX: usize = 1_000;

impl Operator {
    /// Dead letters that match, the newest first. To turn the page, ask for those `before` the last one's number.
    pub async fn dead_letters(
        &self,
        wanted: &BTreeMap<String, String>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Value, Refusal> {
        let filter = self.wanted(wanted)?;
        let letters = self
            .store
            .dead_letters(&filter, before, limit.min(LIST_MAX))
            .await?;
        Ok(letters.iter().map(view::dead::letter).collect())
    }

    /// Dead letters that match, by what they have in common, with counts; the largest group first.
    pub async fn dead_groups(
        &self,
        wanted: &BTreeMap<String, String>,
        by: GroupBy,
    ) -> Result<Value, Refusal> {
        let filter = self.wanted(wanted)?;
        let groups = self.store.dead_groups(&filter, by, GROUPS_MAX).await?;
        Ok(groups.iter().map(view::dead::group).collect())
    }

    /// One dead letter with the way it came; its body only on request, because it holds a contact's words.
    pub async fn dead_letter(&self, id: &str, content: Content) -> Result<Value, Refusal> {
        let letter = self.find_dead(id).await?;
        let mut shown = view::dead::letter(&letter);
        if let Some((origin, body)) = self.store.original(letter.number).await? {
            shown["original"] = view::original(&origin, &body, content);
        }
        if let (About::Handoff, Some(row)) = (letter.about, letter.row) {
            let attempts = self.store.attempts(row).await?;
            shown["tried"] = attempts.iter().map(view::attempt).collect();
        }
        Ok(shown)
    }

    /// Sends a dead letter on: a handoff from where it stopped, with the same keys; everything else through intake again.
    pub async fn replay(&self, id: &str, who: &str) -> Result<Value, Refusal> {
        let letter = self.find_dead(id).await?;
        match replay::letter(&*self.store, &letter, self.rules(), who, self.clock.now()).await? {
            Replayed::On(onward) => Ok(
                json!({ "replayed": letter.id, "from_step": letter.step, "generation": onward.generation }),
            ),
            Replayed::NotOpen => Err(not_open(&letter)),
            Replayed::Cannot(why) => Err(Refusal::NotNow(format!("`{}` {why}", letter.id))),
        }
    }

    /// Decides against a dead letter. It stays, and can be restored until its retention ends.
    pub async fn discard(&self, id: &str, who: &str) -> Result<Value, Refusal> {
        let letter = self.find_dead(id).await?;
        let now = self.clock.now();
        if self.store.discard(letter.number, who, now).await? {
            Ok(json!({ "discarded": letter.id }))
        } else {
            Err(not_open(&letter))
        }
    }

    /// Takes back that a dead letter was discarded.
    pub async fn restore(&self, id: &str, who: &str) -> Result<Value, Refusal> {
        let letter = self.find_dead(id).await?;
        let now = self.clock.now();
        if self.store.restore(letter.number, who, now).await? {
            Ok(json!({ "restored": letter.id }))
        } else {
            Err(Refusal::NotNow(format!(
                "dead letter `{}` is {}, not discarded",
                letter.id,
                letter.state.as_str()
            )))
        }
    }

    pub(super) fn wanted(&self, wanted: &BTreeMap<String, String>) -> Result<DeadFilter, Refusal> {
        wanted::filter(wanted, self.clock.now()).map_err(Refusal::Wrong)
    }

    /// What a replay is bound by.
    pub fn rules(&self) -> replay::Rules {
        replay::Rules {
            bounds: self.bounds,
            deadline: self.deadline,
        }
    }

    /// By the id of a dead letter, or anything that finds its handoff or its session.
    pub(super) async fn find_dead(&self, id: &str) -> Result<DeadLetter, Refusal> {
        self.store.dead_letter(id).await?.ok_or_else(|| {
            Refusal::NotFound(format!(
                "there is no dead letter `{id}`; `baton dead list` shows all"
            ))
        })
    }
}

pub(super) fn not_open(letter: &DeadLetter) -> Refusal {
    Refusal::NotNow(format!(
        "dead letter `{}` is not open: it is {}",
        letter.id,
        letter.state.as_str()
    ))
}
