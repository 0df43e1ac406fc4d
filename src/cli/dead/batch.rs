//! One, some or all dead letters at once: as a job that the worker does, and that a stop does not undo.

use std::time::Duration;

use anyhow::anyhow;
use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::which::Which;
use super::{NONE, list};
use crate::cli::Failure;
use crate::cli::consent::Consent;
use crate::cli::door::{Door, path, segment};
use crate::cli::page::{Form, cell, fields, items, note, print, verdict};

/// How often the progress of a job is asked for.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Dead letters and how they are dealt with.
#[derive(Debug, Args)]
pub struct Batch {
    /// Their ids, or those of their sessions.
    #[arg(value_parser = segment)]
    ids: Vec<String>,
    /// All of them.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    #[command(flatten)]
    which: Which,
    /// Only say how many that are, and show the newest of them.
    #[arg(long)]
    dry_run: bool,
    /// At most so many a minute.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// A name for the job: asked twice under the same, it is done once.
    #[arg(long)]
    key: Option<String>,
    /// Do not wait for its end.
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    form: Form,
}

impl Batch {
    /// Whether it says which ones, in one way only.
    pub fn check(&self) -> Result<(), Failure> {
        let is_filtered = self.which.words().next().is_some();
        let what = match (self.ids.is_empty(), is_filtered) {
            (false, true) => "ids stand alone; leave out the filter",
            (true, false) if !self.all => "which ones? Write ids, a filter, or --all",
            (true, _) | (false, false) => return Ok(()),
        };
        Err(Failure::Usage(what.to_owned()))
    }
}

/// What can be asked about one job, and done to it.
#[derive(Debug, Subcommand)]
pub enum Job {
    /// Show a job, and what became of each dead letter.
    Show {
        /// Its id.
        #[arg(value_parser = segment)]
        id: String,
        #[command(flatten)]
        form: Form,
    },
    /// Cancel a job between two dead letters. What was done stays done.
    Cancel {
        /// Its id.
        #[arg(value_parser = segment)]
        id: String,
    },
}

/// Counts, asks for consent, makes the job, and tells what becomes of it.
pub async fn run(door: &Door, action: &str, canary: u32, batch: Batch) -> Result<(), Failure> {
    let mut asked = json!({
        "action": action, "ids": batch.ids, "all": batch.all, "rate": batch.rate, "canary": canary,
        "filter": batch.which.words().collect::<std::collections::BTreeMap<_, _>>(),
    });
    asked["dry_run"] = json!(true);
    let found = door
        .ask(Method::POST, jobs(&[]), Some(asked.clone()))
        .await?;
    let count = found["count"].as_u64().unwrap_or_default();
    if batch.dry_run {
        let shown = items(&found["sample"]).count();
        if count as usize > shown {
            note(&format!(
                "{count} dead letters are meant; these are the newest {shown}"
            ));
        }
        return batch.form.print_list(&found["sample"], NONE, list);
    }
    if count == 0 {
        note(NONE);
        return Ok(());
    }
    // To send one on is what the verb is for; everything else is asked about.
    if count > 1 || action != "replay" {
        let letters = if count == 1 { "letter" } else { "letters" };
        let what = match action {
            "replay" => format!("sends {count} dead {letters} on"),
            "discard" => format!("discards {count} dead {letters}"),
            _ => format!("restores {count} dead {letters}"),
        };
        batch.consent.to(&what)?;
    }
    asked["dry_run"] = json!(false);
    asked["key"] = json!(batch.key.unwrap_or_else(|| Uuid::new_v4().to_string()));
    if batch.ids.is_empty() {
        // Nothing that was set aside since it was counted.
        asked["filter"]["up_to"] = json!(found["up_to"].to_string());
    }
    door.do_jobs();
    let job = door.ask(Method::POST, jobs(&[]), Some(asked)).await?;
    let id = cell(&job["id"]);
    if batch.detach {
        return batch.form.print(&job, |_| format!("{id}: begun\n"));
    }
    follow(door, &id, &batch.form).await
}

/// Prints what becomes of each item as it happens, until the job has come to its end.
async fn follow(door: &Door, id: &str, form: &Form) -> Result<(), Failure> {
    let mut told = 0;
    loop {
        let mut path = jobs(&[id]);
        path.query_pairs_mut()
            .append_pair("after", &told.to_string());
        let job = door.ask(Method::GET, path, None).await?;
        for item in items(&job["items"]).take_while(|item| !item["outcome"].is_null()) {
            told += 1;
            form.print_item(item, |item| line(item, &cell(&job["action"])))?;
        }
        let (total, over) = (
            job["total"].as_u64().unwrap_or_default(),
            !job["ended_at"].is_null(),
        );
        if over && (told == total || job["state"] != "done") {
            return finish(door, &job, told);
        }
        if door.is_store() && job["state"] == "canary" {
            note(&format!(
                "no worker runs here; job {id} goes on when one starts"
            ));
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn finish(door: &Door, job: &Value, told: u64) -> Result<(), Failure> {
    let count = |name: &str| job[name].as_u64().unwrap_or_default();
    let total = count("total");
    if job["state"] != "done" {
        let (state, why) = (cell(&job["state"]), cell(&job["why"]));
        return Err(anyhow!("{state} after {told} of {total}: {why}").into());
    }
    if door.is_store() && job["action"] == "replay" && count("done") > 0 {
        note("no worker runs here; they go on when one starts");
    }
    let not = count("refused") + count("passed");
    let participle = match job["action"].as_str() {
        Some("replay") => "sent on",
        Some("discard") => "discarded",
        _ => "restored",
    };
    match not {
        0 => Ok(()),
        not => Err(anyhow!("{not} of {total} were not {participle}").into()),
    }
}

fn line(item: &Value, action: &str) -> String {
    let id = match &item["id"] {
        Value::Null => format!("d-{}", item["number"]),
        id => cell(id),
    };
    let says = cell(&item["says"]);
    match (item["outcome"].as_str(), action) {
        (Some("done"), "replay") => {
            let generation = item["generation"].as_u64().unwrap_or_default() + 1;
            let step = cell(&item["step"]);
            format!(
                "{} {id}: goes on at {step} as generation {generation}\n",
                verdict(Ok("ok    "))
            )
        }
        (Some("done"), "discard") => format!("{} {id}: discarded\n", verdict(Ok("ok    "))),
        (Some("done"), _) => format!("{} {id}: restored\n", verdict(Ok("ok    "))),
        (Some("refused"), _) => {
            format!("{} {id}: `{id}` {says}\n", verdict(Err("failed")))
        }
        _ => format!("{} {id}: {says}\n", verdict(Err("passed"))),
    }
}

/// Lists the newest jobs.
pub async fn list_jobs(door: &Door, form: &Form) -> Result<(), Failure> {
    let found = door.ask(Method::GET, jobs(&[]), None).await?;
    form.print_list(&found, "there are no jobs", |found| {
        let columns = [
            "id", "made_at", "action", "state", "total", "done", "refused", "passed", "left", "who",
        ];
        fields(columns, items(found))
    })
}

/// Runs a verb about one job.
pub async fn job(door: &Door, verb: Job) -> Result<(), Failure> {
    match verb {
        Job::Show { id, form } => {
            let job = door.ask(Method::GET, jobs(&[&id]), None).await?;
            form.print(&job, text)
        }
        Job::Cancel { id } => {
            let job = door.ask(Method::POST, jobs(&[&id, "cancel"]), None).await?;
            print(&format!("{id}: cancelled, {} left\n", job["left"]))
        }
    }
}

fn text(job: &Value) -> String {
    let mut text = String::new();
    for name in [
        "id", "action", "state", "why", "who", "made_at", "ended_at", "rate", "canary", "total",
        "done", "refused", "passed", "left",
    ] {
        if !job[name].is_null() {
            text.push_str(&format!("{name:<14}{}\n", cell(&job[name])));
        }
    }
    let columns = ["position", "outcome", "id", "session", "at", "says"];
    format!("{text}\n{}", fields(columns, items(&job["items"])))
}

fn jobs(segments: &[&str]) -> reqwest::Url {
    let mut all = vec!["dead-letter-jobs"];
    all.extend(segments);
    path(&all)
}
