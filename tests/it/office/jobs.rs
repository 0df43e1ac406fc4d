//! Jobs over dead letters: counted before, done at a pace, each item once, whatever happens in between.

use std::time::Duration;

use axum::http::Method;
use baton::domain::error::DeskError;
use baton::domain::handoff::Ending;
use baton::store::Row;
use serde_json::{Value, json};

use super::{Office, refused};

async fn several(office: &Office, count: usize) -> Vec<Row> {
    let mut rows = vec![];
    for number in 0..count {
        let session = format!("s{number}");
        rows.push(office.set_aside(&session, "acme", refused("no")).await);
    }
    rows
}

async fn ask(office: &Office, asked: Value) -> Value {
    office.post("dead-letter-jobs", asked).await
}

async fn shown(office: &Office, job: &Value) -> Value {
    let id = job["id"].as_str().expect("an id");
    office.get(&format!("dead-letter-jobs/{id}")).await
}

/// Rounds until nothing more is to be done at this moment.
async fn work(office: &Office) {
    let jobs = office.base.as_ref().expect("an open store").jobs();
    while jobs.round().await.expect("a round").is_zero() {}
}

async fn generations(office: &Office, rows: &[Row]) -> Vec<u32> {
    let mut all = vec![];
    for row in rows {
        let held = office.store().load(*row).await.expect("a handoff");
        all.push(held.handoff.generation);
    }
    all
}

fn count(of: &Value, name: &str) -> u64 {
    of[name].as_u64().expect("a count")
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing_and_the_job_keeps_to_what_was_counted() {
    let office = Office::new();
    let rows = several(&office, 12).await;
    let other = office.set_aside("other", "globex", refused("no")).await;
    let mut asked =
        json!({ "action": "replay", "filter": { "connection": "acme" }, "dry_run": true });
    let found = ask(&office, asked.clone()).await;
    assert_eq!(count(&found, "count"), 12);
    assert_eq!(found["sample"].as_array().map(Vec::len), Some(10));
    assert_eq!(found["causes"][0]["count"], 12);
    assert_eq!(office.get("dead-letter-jobs").await, json!([]));
    let later = office.set_aside("later", "acme", refused("no")).await;
    asked["dry_run"] = json!(false);
    asked["filter"]["up_to"] = json!(found["up_to"].to_string());
    let job = ask(&office, asked).await;
    work(&office).await;
    let job = shown(&office, &job).await;
    assert_eq!((&job["state"], count(&job, "done")), (&json!("done"), 12));
    assert_eq!(generations(&office, &rows).await, [2; 12]);
    assert_eq!(generations(&office, &[other, later]).await, [1, 1]);
}

#[tokio::test]
async fn clicked_twice_is_one_job_and_two_jobs_do_each_letter_once() {
    let office = Office::new();
    let rows = several(&office, 5).await;
    let asked = json!({ "action": "replay", "all": true, "key": "a-click" });
    let (first, second) = tokio::join!(ask(&office, asked.clone()), ask(&office, asked.clone()));
    assert_eq!(first["id"], second["id"]);
    assert_ne!(first["again"], second["again"]);
    let another = ask(&office, json!({ "action": "replay", "all": true })).await;
    work(&office).await;
    assert_eq!(generations(&office, &rows).await, [2; 5]);
    let (first, another) = (shown(&office, &first).await, shown(&office, &another).await);
    assert_eq!(count(&first, "done") + count(&another, "done"), 5);
    assert_eq!(count(&first, "passed") + count(&another, "passed"), 5);
    let (status, said) = office
        .ask(
            Method::POST,
            "dead-letter-jobs",
            Some(json!({ "action": "discard", "all": true, "key": "a-click" })),
        )
        .await;
    assert_eq!(status, 409, "{said}");
}

#[tokio::test]
async fn a_pace_is_kept_over_a_stop_and_each_is_done_once() {
    let mut office = Office::new();
    let rows = several(&office, 6).await;
    let job = ask(
        &office,
        json!({ "action": "replay", "all": true, "rate": 60 }),
    )
    .await;
    for done in 1..=6 {
        work(&office).await;
        work(&office).await;
        assert_eq!(count(&shown(&office, &job).await, "done"), done);
        office.reopen();
        work(&office).await;
        assert_eq!(count(&shown(&office, &job).await, "done"), done);
        office.pass(Duration::from_secs(1));
    }
    let job = shown(&office, &job).await;
    assert_eq!((&job["state"], count(&job, "left")), (&json!("done"), 0));
    assert_eq!(generations(&office, &rows).await, [2; 6]);
}

#[tokio::test]
async fn the_rest_goes_only_when_the_first_ones_fare_well() {
    let office = Office::new();
    let rows = several(&office, 5).await;
    let asked = json!({ "action": "replay", "all": true, "canary": 2 });
    let job = ask(&office, asked).await;
    work(&office).await;
    assert_eq!(shown(&office, &job).await["state"], "canary");
    assert_eq!(generations(&office, &rows).await, [2, 2, 1, 1, 1]);
    let now = office.clock.now();
    let end = |row| office.store().end(row, Ending::Operator, "test", now);
    assert!(end(rows[0]).await.expect("ended"));
    work(&office).await;
    assert_eq!(
        shown(&office, &job).await["state"],
        "canary",
        "one is still due"
    );
    assert!(end(rows[1]).await.expect("ended"));
    work(&office).await;
    assert_eq!(shown(&office, &job).await["state"], "done");
    assert_eq!(generations(&office, &rows).await, [2; 5]);
}

#[tokio::test]
async fn the_rest_stays_when_one_of_the_first_fares_badly() {
    let office = Office::new();
    let rows = several(&office, 5).await;
    let asked = json!({ "action": "replay", "all": true, "canary": 2 });
    let job = ask(&office, asked).await;
    work(&office).await;
    office.dies(rows[1], DeskError::InDoubt).await;
    work(&office).await;
    let job = shown(&office, &job).await;
    assert_eq!((&job["state"], count(&job, "left")), (&json!("stopped"), 3));
    let why = job["why"].as_str().expect("why");
    assert!(
        why.starts_with("1 of the first 2 did not fare well"),
        "{why}"
    );
    work(&office).await;
    assert_eq!(generations(&office, &rows).await, [2, 2, 1, 1, 1]);
    let open = office.get("dead-letters").await;
    assert_eq!(open.as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn a_cancelled_job_does_nothing_more() {
    let office = Office::new();
    let rows = several(&office, 4).await;
    let job = ask(
        &office,
        json!({ "action": "replay", "all": true, "rate": 60 }),
    )
    .await;
    work(&office).await;
    let cancel = format!(
        "dead-letter-jobs/{}/cancel",
        job["id"].as_str().expect("an id")
    );
    let cancelled = office.post(&cancel, json!({})).await;
    assert_eq!(
        (&cancelled["state"], count(&cancelled, "left")),
        (&json!("cancelled"), 3)
    );
    office.pass(Duration::from_secs(600));
    work(&office).await;
    assert_eq!(generations(&office, &rows).await, [2, 1, 1, 1]);
    assert_eq!(office.ask(Method::POST, &cancel, None).await.0, 409);
}

#[tokio::test]
async fn all_are_discarded_and_all_restored_and_what_cannot_go_on_says_why() {
    let office = Office::new();
    several(&office, 40).await;
    office.takes(b"{ no json", "escalation.requested", 1).await;
    for action in ["discard", "restore"] {
        let job = ask(&office, json!({ "action": action, "all": true })).await;
        work(&office).await;
        assert_eq!(count(&shown(&office, &job).await, "done"), 41, "{action}");
    }
    let poison = json!({ "action": "replay", "filter": { "class": "poison" } });
    let job = ask(&office, poison).await;
    work(&office).await;
    let job = shown(&office, &job).await;
    let item = &job["items"][0];
    assert_eq!(item["outcome"], "refused");
    let says = item["says"].as_str().expect("words");
    assert!(
        says.starts_with("still cannot be processed: the body is not JSON"),
        "{says}"
    );
    let open = office.get("dead-letters?limit=100").await;
    assert_eq!(open.as_array().map(Vec::len), Some(41), "all as before");
    // Who did what to how many is on record.
    let audit: Vec<String> = office
        .database()
        .prepare("SELECT action || ' ' || who FROM audit WHERE about LIKE 'job %' ORDER BY k")
        .expect("a query")
        .query_map([], |found| found.get(0))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("texts");
    assert_eq!(audit, ["discard api", "restore api", "replay api"]);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_names_each_field() {
    let office = Office::new();
    several(&office, 1).await;
    for (asked, named) in [
        (json!({ "action": "burn", "all": true }), vec!["action"]),
        (json!({ "action": "replay" }), vec!["all"]),
        (
            json!({ "action": "replay", "filter": { "code": "" } }),
            vec!["all"],
        ),
        (
            json!({ "action": "replay", "ids": ["s0"], "all": true }),
            vec!["ids"],
        ),
        (
            json!({ "action": "replay", "all": true, "rate": 0 }),
            vec!["rate"],
        ),
        (
            json!({ "action": "discard", "all": true, "canary": 1 }),
            vec!["canary"],
        ),
        (
            json!({ "action": "restore", "filter": { "step": "x" } }),
            vec!["step"],
        ),
        (
            json!({ "action": "replay", "filter": { "state": "discarded" } }),
            vec!["state"],
        ),
        (
            json!({ "action": "replay", "everything": true }),
            vec!["everything"],
        ),
    ] {
        let (status, said) = office
            .ask(Method::POST, "dead-letter-jobs", Some(asked.clone()))
            .await;
        assert_eq!(status, 422, "{asked}: {said}");
        let problems = said["problems"].as_array().expect("problems");
        let settings: Vec<&str> = problems
            .iter()
            .filter_map(|problem| problem["setting"].as_str())
            .collect();
        assert_eq!(settings, named, "{asked}");
    }
    let missing = json!({ "action": "replay", "ids": ["s0", "nobody"] });
    let (status, _) = office
        .ask(Method::POST, "dead-letter-jobs", Some(missing))
        .await;
    assert_eq!(status, 404);
    assert_eq!(office.get("dead-letter-jobs").await, json!([]));
}
