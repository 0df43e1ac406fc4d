//! Jobs over dead letters: the item and its outcome in one transaction, so that a kill leaves it done or not done.

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};

use super::{Shared, dead, journey};
use crate::domain::arrival::Arrival;
use crate::domain::clock::{Timestamp, from_ms};
use crate::store::dead::{Onward, Replayed};
use crate::store::job::{Action, Job, JobItem, JobState, Made, NewJob, Which};
use crate::store::{StoreError, row};

/// Makes a job of all that is meant, as it is now; or finds the one that was made under the same key.
pub fn make(sql: &Connection, new: &NewJob, who: &str, now: Timestamp) -> Result<Made, StoreError> {
    let known: Option<String> = sql
        .prepare_cached("SELECT id FROM job WHERE key = ?1")?
        .query_row(params![new.key], |found| found.get(0))
        .optional()?;
    if let Some(known) = known {
        let job = one(sql, &known)?.ok_or(StoreError::NotFound)?;
        return Ok(Made { job, again: true });
    }
    sql.prepare_cached(
        "INSERT INTO job (id, key, action, who, asked, rate, canary, made_ms, next_ms, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 'running')",
    )?
    .execute(params![
        new.id,
        new.key,
        new.action.as_str(),
        who,
        new.asked,
        new.rate,
        new.canary,
        now.as_millisecond()
    ])?;
    let number = sql.last_insert_rowid();
    let letters = match &new.which {
        Which::Numbers(numbers) => numbers.clone(),
        Which::Matching(filter) => dead::numbers(sql, filter)?,
    };
    let mut item =
        sql.prepare_cached("INSERT INTO job_item (job, position, letter) VALUES (?1, ?2, ?3)")?;
    for (position, letter) in (1i64..).zip(&letters) {
        item.execute(params![number, position, letter])?;
    }
    if letters.is_empty() {
        end(sql, number, JobState::Done, None, now)?;
    }
    let about = format!("job {}: {} dead letters", new.id, letters.len());
    journey::audit(sql, who, new.action.as_str(), &about, now)?;
    let job = one(sql, &new.id)?.ok_or(StoreError::NotFound)?;
    Ok(Made { job, again: false })
}

const COLUMNS: &str = "SELECT j.*, count(i.position) AS total, total(i.outcome = 'done') AS done,
            total(i.outcome = 'refused') AS refused, total(i.outcome = 'passed') AS passed
     FROM job j LEFT JOIN job_item i ON i.job = j.k";

/// The job with this id.
pub fn one(sql: &Connection, id: &str) -> Result<Option<Job>, StoreError> {
    let mut found = sql.prepare_cached(&format!("{COLUMNS} WHERE j.id = ?1 GROUP BY j.k"))?;
    let mut found = found.query_and_then(params![id], job)?;
    found.next().transpose()
}

/// The newest jobs.
pub fn list(sql: &Connection, limit: usize) -> Result<Vec<Job>, StoreError> {
    sql.prepare_cached(&format!(
        "{COLUMNS} WHERE j.k IN (SELECT k FROM job ORDER BY k DESC LIMIT ?1) GROUP BY j.k ORDER BY j.k DESC"
    ))?
    .query_and_then(params![limit as i64], job)?
    .collect()
}

/// The jobs that are not at their end, oldest first.
pub fn open(sql: &Connection) -> Result<Vec<Job>, StoreError> {
    sql.prepare_cached(&format!(
        "{COLUMNS} WHERE j.ended_ms IS NULL GROUP BY j.k ORDER BY j.k"
    ))?
    .query_and_then([], job)?
    .collect()
}

fn job(found: &SqlRow<'_>) -> Result<Job, StoreError> {
    let count = |name: &str| Ok::<_, rusqlite::Error>(found.get::<_, f64>(name)? as u64);
    Ok(Job {
        number: found.get("k")?,
        id: found.get("id")?,
        action: Action::parse(&found.get::<_, String>("action")?)
            .ok_or_else(|| row::corrupt("job.action"))?,
        who: found.get("who")?,
        asked: found.get("asked")?,
        rate: found.get("rate")?,
        canary: found.get("canary")?,
        made_at: from_ms(found.get("made_ms")?),
        state: JobState::parse(&found.get::<_, String>("state")?)
            .ok_or_else(|| row::corrupt("job.state"))?,
        why: found.get("why")?,
        next_at: from_ms(found.get("next_ms")?),
        ended_at: found.get::<_, Option<i64>>("ended_ms")?.map(from_ms),
        total: found.get("total")?,
        done: count("done")?,
        refused: count("refused")?,
        passed: count("passed")?,
    })
}

/// Items of a job beyond a position; only those that are left, if that is asked for.
pub fn items(
    sql: &Connection,
    number: i64,
    after: i64,
    only_left: bool,
    limit: usize,
) -> Result<Vec<JobItem>, StoreError> {
    let left = if only_left { "AND outcome IS NULL" } else { "" };
    let items = sql
        .prepare_cached(&format!(
            "SELECT * FROM job_item WHERE job = ?1 AND position > ?2 {left} ORDER BY position LIMIT ?3"
        ))?
        .query_map(params![number, after, limit as i64], |found| {
            Ok(JobItem {
                position: found.get("position")?,
                letter: found.get("letter")?,
                outcome: found.get("outcome")?,
                says: found.get("says")?,
                at: found.get::<_, Option<i64>>("at_ms")?.map(from_ms),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(items)
}

/// Does one item and keeps what became of it. `false` if it was not to be done: it has been, or the job was cancelled,
/// or waits for its first ones.
pub fn do_item(
    sql: &Connection,
    shared: &Shared,
    job: &Job,
    position: i64,
    arrival: Option<Arrival>,
    deadline: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let left: Option<i64> = sql
        .prepare_cached(
            "SELECT i.letter FROM job_item i JOIN job j ON j.k = i.job
             WHERE i.job = ?1 AND i.position = ?2 AND i.outcome IS NULL AND j.state = 'running'
               AND (j.proven OR j.canary = 0 OR i.position <= j.canary)",
        )?
        .query_row(params![job.number, position], |found| found.get(0))
        .optional()?;
    let Some(letter) = left else {
        return Ok(false);
    };
    let changed = |changed: bool| match changed {
        true => Replayed::On(Onward::default()),
        false => Replayed::NotOpen,
    };
    let went = match job.action {
        Action::Replay => dead::replay(sql, shared, letter, arrival, deadline, &job.who, now)?,
        Action::Discard => changed(dead::discard(sql, letter, &job.who, now)?),
        Action::Restore => changed(dead::restore(sql, letter, &job.who, now)?),
    };
    let (outcome, says, onward) = match went {
        Replayed::On(onward) => ("done", None, onward),
        Replayed::NotOpen => ("passed", Some(already(sql, letter)?), Onward::default()),
        Replayed::Cannot(why) => ("refused", Some(why), Onward::default()),
    };
    sql.prepare_cached(
        "UPDATE job_item SET outcome = ?3, says = ?4, at_ms = ?5, handoff = ?6, inbox = ?7 WHERE job = ?1 AND position = ?2",
    )?
    .execute(params![
        job.number,
        position,
        outcome,
        says,
        now.as_millisecond(),
        onward.handoff,
        onward.inbox
    ])?;
    go_further(sql, job, now)?;
    Ok(true)
}

fn already(sql: &Connection, letter: i64) -> Result<String, StoreError> {
    let state = dead::by_number(sql, letter)?.map(|letter| letter.state.as_str());
    Ok(match state {
        Some(state) => format!("it was {state} before"),
        None => "it is gone".to_owned(),
    })
}

/// What follows from an item that was done: the time of the next, the wait for the first ones, or the end.
fn go_further(sql: &Connection, job: &Job, now: Timestamp) -> Result<(), StoreError> {
    let pause_ms = job.rate.map_or(0, |rate| 60_000 / i64::from(rate.max(1)));
    sql.prepare_cached("UPDATE job SET next_ms = max(next_ms, ?2) + ?3 WHERE k = ?1")?
        .execute(params![job.number, now.as_millisecond(), pause_ms])?;
    let next: Option<i64> = sql
        .prepare_cached("SELECT min(position) FROM job_item WHERE job = ?1 AND outcome IS NULL")?
        .query_row(params![job.number], |found| found.get(0))?;
    match next {
        None => end(sql, job.number, JobState::Done, None, now),
        Some(next) => {
            sql.prepare_cached(
                "UPDATE job SET state = 'canary' WHERE k = ?1 AND state = 'running' AND NOT proven AND canary > 0 AND ?2 > canary",
            )?
            .execute(params![job.number, next])?;
            Ok(())
        }
    }
}

fn end(
    sql: &Connection,
    number: i64,
    state: JobState,
    why: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    sql.prepare_cached(
        "UPDATE job SET state = ?2, why = ?3, ended_ms = ?4 WHERE k = ?1 AND ended_ms IS NULL",
    )?
    .execute(params![number, state.as_str(), why, now.as_millisecond()])?;
    Ok(())
}

/// Looks how the first ones fare: goes on when all do well, stops when one does not, and else waits.
pub fn judge_canary(sql: &Connection, job: &Job, now: Timestamp) -> Result<JobState, StoreError> {
    let (waiting, failed): (u64, u64) = sql
        .prepare_cached(
            "SELECT coalesce(sum(fate = 'waits'), 0), coalesce(sum(fate = 'failed'), 0) FROM (
                 SELECT CASE WHEN i.outcome = 'refused' OR h.status = 'dead' OR d.k IS NOT NULL THEN 'failed'
                             WHEN h.status = 'due' OR (x.seq IS NOT NULL AND x.applied_ms IS NULL) THEN 'waits' END AS fate
                 FROM job_item i LEFT JOIN handoff h ON h.k = i.handoff LEFT JOIN inbox x ON x.seq = i.inbox
                 LEFT JOIN dead d ON d.inbox = i.inbox
                 WHERE i.job = ?1 AND i.position <= ?2)",
        )?
        .query_row(params![job.number, job.canary], |found| Ok((found.get(0)?, found.get(1)?)))?;
    if failed > 0 {
        let why = format!(
            "{failed} of the first {} did not fare well; see what became of them, and ask again for the rest",
            job.canary
        );
        end(sql, job.number, JobState::Stopped, Some(&why), now)?;
        return Ok(JobState::Stopped);
    }
    if waiting > 0 {
        return Ok(JobState::Canary);
    }
    sql.prepare_cached(
        "UPDATE job SET state = 'running', proven = 1 WHERE k = ?1 AND state = 'canary'",
    )?
    .execute(params![job.number])?;
    Ok(JobState::Running)
}

/// Cancels a job between two items. `false` if it had come to its end.
pub fn cancel(sql: &Connection, job: &Job, who: &str, now: Timestamp) -> Result<bool, StoreError> {
    let open = sql
        .prepare_cached("SELECT 1 FROM job WHERE k = ?1 AND ended_ms IS NULL")?
        .exists(params![job.number])?;
    if open {
        let why = format!("by {who}");
        end(sql, job.number, JobState::Cancelled, Some(&why), now)?;
        journey::audit(sql, who, "cancel", &format!("job {}", job.id), now)?;
    }
    Ok(open)
}
