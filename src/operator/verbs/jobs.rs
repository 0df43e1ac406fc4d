//! Jobs over dead letters: counted first, asked for once, looked at, cancelled.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Operator, Refusal};
use crate::domain::connection::Problem;
use crate::operator::view;
use crate::store::dead::State;
use crate::store::job::{Action, Which};
use crate::store::{DeadFilter, GroupBy, Job, Made, NewJob};

/// Dead letters that a dry run shows.
const SAMPLE: usize = 10;
/// Jobs that one answer holds.
const JOBS_MAX: usize = 100;
/// Items that one answer holds.
const ITEMS_MAX: usize = 1_000;

/// A job as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// `replay`, `discard` or `restore`.
    pub action: String,
    /// These, by any id that finds them.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Or those that match.
    #[serde(default)]
    pub filter: BTreeMap<String, String>,
    /// Or all of them.
    #[serde(default)]
    pub all: bool,
    /// Only count, and show some.
    #[serde(default)]
    pub dry_run: bool,
    /// Items a minute at most.
    pub rate: Option<u32>,
    /// So many first; the rest only if they fare well.
    #[serde(default)]
    pub canary: u32,
    /// What the one who asks calls it: asked twice under the same key, it is one job.
    pub key: Option<String>,
}

impl Operator {
    /// What a job would come to: how many dead letters there are, what they have in common, and the newest of them.
    /// `up_to` in the filter of the job itself keeps to what was counted here.
    pub async fn try_job(&self, asked: &Asked) -> Result<Value, Refusal> {
        let (action, which) = self.read_job(asked).await?;
        let (count, up_to, letters, causes) = match which {
            Which::Matching(filter) => {
                let (count, up_to) = self.store.dead_count(&filter).await?;
                let letters = self.store.dead_letters(&filter, None, SAMPLE).await?;
                let causes = self
                    .store
                    .dead_groups(&filter, GroupBy::Cause, SAMPLE)
                    .await?;
                (count, up_to, letters, causes)
            }
            Which::Numbers(numbers) => {
                let mut letters = vec![];
                for number in numbers.iter().take(SAMPLE) {
                    letters.extend(self.store.dead_letter(&format!("d-{number}")).await?);
                }
                let up_to = numbers.iter().max().copied();
                (numbers.len() as u64, up_to, letters, vec![])
            }
        };
        Ok(json!({
            "action": action.as_str(), "count": count, "up_to": up_to,
            "causes": causes.iter().map(view::dead::group).collect::<Vec<_>>(),
            "sample": letters.iter().map(view::dead::letter).collect::<Vec<_>>(),
        }))
    }

    /// Makes a job of what is meant now; the worker does it. Under a key that is known it is the job of then.
    pub async fn make_job(&self, asked: &Asked, who: &str) -> Result<Value, Refusal> {
        let (action, which) = self.read_job(asked).await?;
        let said = json!({
            "action": asked.action, "ids": asked.ids, "filter": asked.filter, "all": asked.all, "rate": asked.rate,
            "canary": asked.canary,
        })
        .to_string();
        let new = NewJob {
            id: Uuid::now_v7().to_string(),
            key: asked.key.clone().filter(|key| !key.is_empty()),
            action,
            which,
            asked: said.clone(),
            rate: asked.rate,
            canary: asked.canary,
        };
        let Made { job, again } = self.store.make_job(new, who, self.clock.now()).await?;
        if again && job.asked != said {
            return Err(Refusal::NotNow(format!(
                "the key was used for another job, `{}`; take a new one",
                job.id
            )));
        }
        let mut shown = view::dead::job(&job);
        shown["again"] = json!(again);
        Ok(shown)
    }

    /// The newest jobs.
    pub async fn jobs(&self) -> Result<Value, Refusal> {
        let jobs = self.store.jobs(JOBS_MAX).await?;
        Ok(jobs.iter().map(view::dead::job).collect())
    }

    /// A job with its items beyond a position, and what became of each.
    pub async fn job(&self, id: &str, after: i64) -> Result<Value, Refusal> {
        let job = self.find_job(id).await?;
        let mut shown = view::dead::job(&job);
        let mut items = vec![];
        for item in self.store.job_items(&job, after, false, ITEMS_MAX).await? {
            let letter = self
                .store
                .dead_letter(&format!("d-{}", item.letter))
                .await?;
            items.push(view::dead::item(&item, letter.as_ref()));
        }
        shown["items"] = Value::Array(items);
        Ok(shown)
    }

    /// Cancels a job between two items. What was done stays done.
    pub async fn cancel_job(&self, id: &str, who: &str) -> Result<Value, Refusal> {
        let job = self.find_job(id).await?;
        if self.store.cancel_job(&job, who, self.clock.now()).await? {
            Ok(view::dead::job(&self.find_job(id).await?))
        } else {
            Err(Refusal::NotNow(format!(
                "job `{id}` has come to its end: it is {}",
                self.find_job(id).await?.state.as_str()
            )))
        }
    }

    async fn find_job(&self, id: &str) -> Result<Job, Refusal> {
        self.store.job(id).await?.ok_or_else(|| {
            Refusal::NotFound(format!(
                "there is no job `{id}`; `baton dead jobs` shows all"
            ))
        })
    }

    /// What a job is about; all mistakes in it are listed.
    async fn read_job(&self, asked: &Asked) -> Result<(Action, Which), Refusal> {
        let mut problems = vec![];
        let mut problem = |setting: &str, what: String| {
            problems.push(Problem {
                setting: setting.into(),
                what,
            })
        };
        let action = Action::parse(&asked.action);
        if action.is_none() {
            let words = Action::ALL.map(Action::as_str).join(", ");
            problem(
                "action",
                format!("`{}` is no action; write one of {words}", asked.action),
            );
        }
        let filtered = asked.filter.values().any(|value| !value.is_empty());
        match (asked.ids.is_empty(), filtered, asked.all) {
            (true, false, false) => problem(
                "all",
                "nothing is named; write ids, a filter, or all".into(),
            ),
            (false, true, _) | (false, _, true) => {
                problem(
                    "ids",
                    "they stand alone; leave out the filter and all".into(),
                );
            }
            _ => {}
        }
        if asked.rate == Some(0) {
            problem(
                "rate",
                "is 0; write how many a minute, or leave it out".into(),
            );
        }
        if asked.canary > 0 && action.is_some_and(|action| action != Action::Replay) {
            problem(
                "canary",
                "is for replays: nothing else can fare badly".into(),
            );
        }
        let from = match action {
            Some(Action::Restore) => State::Discarded,
            _ => State::Open,
        };
        let mut filter = match self.wanted(&asked.filter) {
            Ok(filter) => filter,
            Err(Refusal::Wrong(wrong)) => {
                problems.extend(wrong);
                DeadFilter::default()
            }
            Err(refusal) => return Err(refusal),
        };
        let state = asked.filter.get("state").filter(|state| !state.is_empty());
        if state.is_some() && filter.state != from {
            problems.push(Problem {
                setting: "state".into(),
                what: format!(
                    "only those that are {} can be meant; leave it out",
                    from.as_str()
                ),
            });
        }
        let Some(action) = action.filter(|_| problems.is_empty()) else {
            return Err(Refusal::Wrong(problems));
        };
        if asked.ids.is_empty() {
            filter.state = from;
            return Ok((action, Which::Matching(Box::new(filter))));
        }
        let mut numbers = vec![];
        for id in &asked.ids {
            let number = self.find_dead(id).await?.number;
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        Ok((action, Which::Numbers(numbers)))
    }
}
