//! What is kept of a contact: as long as it may be and no longer, shown whole when asked for, and erased to the last byte.

use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::http::Method;
use baton::domain::clock::after;
use baton::domain::handoff::{AccessToken, Ending, Progress, Step};
use baton::domain::news::News;
use baton::domain::reply::{Author, Rep, Reply};
use baton::domain::retry::Policy;
use baton::engine::media::{Attachment, Custody, Place};
use baton::engine::retention::{Ages, Retention};
use baton::journey;
use baton::store::{EndOfDead, Lane, Receipt, Row};
use serde_json::{Value, json};

use super::{Office, contact_writes, refused};
use crate::world::escalation;

const DAY: Duration = Duration::from_secs(24 * 3600);
const TOOK: Duration = Duration::from_millis(80);

/// All files below a folder that have these bytes in them, in whatever case.
fn with_bytes(folder: &Path, bytes: &str) -> Vec<String> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(with_bytes(&path, bytes));
            continue;
        }
        let content = fs::read(&path).expect("a file");
        let mut windows = content.windows(bytes.len());
        let name = path.display().to_string();
        if windows.any(|window| window.eq_ignore_ascii_case(bytes.as_bytes()))
            || name.contains(bytes)
        {
            found.push(name);
        }
    }
    found
}

/// A handoff goes live, the rep says something, and it is over to the end.
pub async fn is_over(office: &Office, row: Row, said: &str) {
    let store = office.store();
    let now = office.clock.now();
    let held = store.load(row).await.expect("a handoff");
    let step = held.handoff.progress.next_step().expect("a step");
    let claim = store.intend(&held, &[], step, now).await.expect("intent");
    let connected = Progress::Connected {
        access: AccessToken {
            token: "a-token".into(),
            expires_at: after(now, DAY),
            cursor: None,
        },
        conversation: format!("conversation-{row}").as_str().into(),
    };
    let policy = Policy::default();
    let turn = journey::settle(held.handoff, step, Ok(connected), TOOK, &policy, 0.0, now);
    store.record(claim, turn, now).await.expect("live");
    let reply = Reply {
        entry: format!("entry-{row}").as_str().into(),
        sent_at: now,
        rep: Rep {
            id: None,
            name: Some("Maria".into()),
        },
        author: Author::Rep,
        text: said.into(),
        files: vec![],
        choices: vec![],
    };
    let news = vec![News::Reply(reply)];
    store.keep(row, news, None, now).await.expect("kept");
    let ended = store.end(row, Ending::RepEnded, "test", now).await;
    assert!(ended.expect("ended"));
    let held = store.load(row).await.expect("a handoff");
    let claim = store
        .intend(&held, &[], Step::Close, now)
        .await
        .expect("intent");
    let turn = journey::settle_close(held.handoff, Ok(()), TOOK, &policy, 0.0, now);
    store.record(claim, turn, now).await.expect("closed");
}

/// The broker confirms all there is.
async fn publishes(office: &Office) {
    let lane = Lane { number: 0, of: 1 };
    loop {
        let now = office.clock.now();
        let ready = office.store().unpublished(lane, now, 100).await;
        let ready: Vec<i64> = ready.expect("rows").iter().map(|row| row.seq).collect();
        if ready.is_empty() {
            return;
        }
        office
            .store()
            .confirmed(ready, now)
            .await
            .expect("confirmed");
    }
}

fn custody(office: &Office) -> Custody {
    let folder = office.folder.path().join("baton-media");
    Custody::open(&Place::Folder(folder)).expect("a folder")
}

fn told(session: &str, contact: &str, phone: &str, words: &str) -> Value {
    let mut event = escalation(session, "sms");
    let data = &mut event["data"];
    data["contact"]["id"] = json!(contact);
    data["contact"]["phone"] = json!(phone);
    data["contact"]["email"] = json!(format!("{contact}@Example.com"));
    data["reply_to"]["address"] = json!(phone);
    data["summary"] = json!(words);
    event
}

/// All that can be kept of a contact: a handoff that is over, one that is dead, messages, poison, a file, a discarded
/// letter, and a job that was asked for by their session.
async fn lives_among_us(office: &Office, who: &str, phone: &str, words: &str) -> Row {
    let session = format!("session-of-{who}");
    let row = office.escalates(&told(&session, who, phone, words)).await;
    is_over(office, row, &format!("reply about {words}")).await;
    let message = contact_writes(&session, &format!("m-{who}"), &format!("still {words}"));
    office.takes(&message, "contact.message", 1).await;
    let second = format!("second-of-{who}");
    let dead = office.escalates(&told(&second, who, phone, words)).await;
    office.dies(dead, refused("no")).await;
    office
        .post(&format!("dead-letters/{second}/discard"), json!({}))
        .await;
    let asked = json!({ "action": "restore", "ids": [second] });
    office.post("dead-letter-jobs", asked).await;
    let poison = format!("{{ \"broken\": \"{words}\", \"phone\": \"{phone}\"");
    office
        .takes(poison.as_bytes(), "escalation.requested", 1)
        .await;
    let handoff = office
        .store()
        .load(row)
        .await
        .expect("a handoff")
        .handoff
        .id;
    let file = Attachment::of(handoff, "m", "f");
    let bytes = format!("a picture of {words}").into_bytes();
    custody(office)
        .keep(file, bytes.into())
        .await
        .expect("kept");
    publishes(office).await;
    row
}

#[tokio::test]
async fn an_erased_contact_leaves_no_trace_and_another_is_as_before() {
    let office = Office::new();
    lives_among_us(&office, "dana", "+14155550123", "zanzibar").await;
    lives_among_us(&office, "omar", "+14155550199", "timbuktu").await;
    let folder = office.folder.path().to_owned();
    let traces = [
        "zanzibar",
        "14155550123",
        "dana@example",
        "session-of-dana",
        "second-of-dana",
    ];
    for trace in traces {
        assert!(!with_bytes(&folder, trace).is_empty(), "{trace} is found");
    }
    let dana = json!({ "phone": "+1 (415) 555-0123" });
    let mut asked = dana.clone();
    asked["dry_run"] = json!(true);
    let counted = office.post("contacts/erase", asked).await;
    let amount = |name: &str| counted[name].as_u64().expect("a count");
    assert_eq!(
        (
            amount("handoffs"),
            amount("messages"),
            amount("dead_letters")
        ),
        (2, 1, 2)
    );
    assert!(!with_bytes(&folder, "zanzibar").is_empty(), "only counted");
    let erased = office.post("contacts/erase", dana.clone()).await;
    assert_eq!(
        (&erased["erased"], &erased["handoffs"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(ended(&office, EndOfDead::Erased).await, 1);
    for trace in traces {
        assert_eq!(with_bytes(&folder, trace), [""; 0], "{trace}");
    }
    for trace in ["timbuktu", "14155550199", "omar@example", "session-of-omar"] {
        assert!(!with_bytes(&folder, trace).is_empty(), "{trace} stays");
    }
    let again = office.post("contacts/erase", dana).await;
    assert_eq!(again["handoffs"], 0);
    // A copy of the event is still known: nobody is escalated twice because they were erased.
    let copy = told("session-of-dana", "dana", "+14155550123", "zanzibar").to_string();
    let receipt = office
        .takes(copy.as_bytes(), "escalation.requested", 1)
        .await;
    assert_eq!(receipt, Receipt::Duplicate);
    publishes(&office).await;
    assert_eq!(with_bytes(&folder, "zanzibar"), [""; 0]);
    // What was done is on record, and to whom is not.
    let about: String = office
        .database()
        .query_row(
            "SELECT about FROM audit WHERE action = 'erase'",
            [],
            |found| found.get(0),
        )
        .expect("an entry");
    assert_eq!(
        about,
        "a contact, by phone: 2 handoffs, 1 messages, 2 dead letters"
    );
}

#[tokio::test]
async fn every_way_to_name_a_contact_finds_the_same() {
    for (by, value) in [
        ("phone", "+14155550123"),
        ("email", "DANA@example.com"),
        ("id", "dana"),
        ("session", "session-of-dana"),
    ] {
        let office = Office::new();
        let row = office
            .escalates(&told("session-of-dana", "dana", "+14155550123", "zanzibar"))
            .await;
        let (status, said) = office
            .ask(Method::POST, "contacts/erase", Some(json!({ by: value })))
            .await;
        let error = said["error"].as_str().unwrap_or_default();
        assert_eq!(status, 409, "{said}");
        assert!(
            error.contains("nothing was erased: 1 of the contact"),
            "{error}"
        );
        is_over(&office, row, "yes").await;
        let unpublished = office
            .ask(Method::POST, "contacts/erase", Some(json!({ by: value })))
            .await;
        assert_eq!(unpublished.0, 409, "{}", unpublished.1);
        publishes(&office).await;
        let erased = office.post("contacts/erase", json!({ by: value })).await;
        assert_eq!(erased["handoffs"], 1, "{by}");
        assert_eq!(
            with_bytes(office.folder.path(), "zanzibar"),
            [""; 0],
            "{by}"
        );
    }
    let office = Office::new();
    for meant in [
        json!({}),
        json!({ "phone": "+14155550123", "id": "x" }),
        json!({ "name": "Dana" }),
    ] {
        let (status, _) = office
            .ask(Method::POST, "contacts/erase", Some(meant))
            .await;
        assert_eq!(status, 422);
    }
}

#[tokio::test]
async fn an_export_has_all_of_one_contact_and_nothing_of_another() {
    let office = Office::new();
    lives_among_us(&office, "dana", "+14155550123", "zanzibar").await;
    lives_among_us(&office, "omar", "+14155550199", "timbuktu").await;
    let found = office
        .post("contacts/export", json!({ "email": "dana@example.com" }))
        .await;
    let text = found.to_string();
    for words in [
        "\"zanzibar\"",
        "still zanzibar",
        "reply about zanzibar",
        "+14155550123",
    ] {
        assert!(text.contains(words), "{words} in {found:#}");
    }
    assert!(
        !text.contains("timbuktu") && !text.contains("omar"),
        "{found:#}"
    );
    assert_eq!(found["handoffs"].as_array().map(Vec::len), Some(2));
}

fn retention(office: &Office) -> Retention {
    let config = office.config();
    Retention {
        store: office.base.as_ref().expect("an open store").store.clone(),
        custody: custody(office),
        ages: Ages {
            content: config.retention.content,
            metadata: config.retention.metadata,
            dead: config.retention.dead,
            attachments: config.retention.attachments,
        },
        clock: office.clock.clone(),
    }
}

/// All batches of a sweep, and how many there were.
async fn sweep(office: &Office) -> usize {
    let retention = retention(office);
    let mut batches = 0;
    while retention.batch().await.expect("a batch") > 0 {
        batches += 1;
    }
    batches
}

/// How dead handoffs ended that the world was told nothing of; the books balance with them.
async fn ended(office: &Office, how: EndOfDead) -> u64 {
    let measures = office.store().measures(office.clock.now()).await;
    let measures = measures.expect("measured");
    assert_eq!(measures.difference(), 0, "{measures:?}");
    let count = measures.ended.get(how.as_str());
    count.copied().unwrap_or_default()
}

fn rows(office: &Office, table: &str) -> i64 {
    let query = format!("SELECT count(*) FROM {table}");
    office
        .database()
        .query_row(&query, [], |found| found.get(0))
        .expect("a count")
}

#[tokio::test]
async fn each_kind_goes_at_its_age_and_not_before() {
    let office = Office::new();
    let row = office
        .escalates(&told("s-old", "old", "+14155550123", "zanzibar"))
        .await;
    is_over(&office, row, "reply about zanzibar").await;
    let dead = office
        .escalates(&told("s-dead", "dead", "+14155550100", "karthago"))
        .await;
    office.dies(dead, refused("no")).await;
    let live = office
        .escalates(&told("s-live", "live", "+14155550101", "timbuktu"))
        .await;
    let handoff = office
        .store()
        .load(row)
        .await
        .expect("a handoff")
        .handoff
        .id;
    let file = Attachment::of(handoff, "m", "f");
    let picture = "a picture".as_bytes().to_vec();
    custody(&office)
        .keep(file, picture.into())
        .await
        .expect("kept");
    publishes(&office).await;
    let words = |text: &str| {
        let database = office.database();
        database
            .query_row(
                "SELECT (SELECT count(*) FROM inbox WHERE instr(CAST(body AS TEXT), ?1)) +
                        (SELECT count(*) FROM outbox WHERE instr(CAST(body AS TEXT), ?1)) +
                        (SELECT count(*) FROM handoff WHERE instr(state, ?1))",
                [text],
                |found| found.get::<_, i64>(0),
            )
            .expect("a count")
    };
    office.pass(6 * DAY);
    assert_eq!(sweep(&office).await, 0);
    assert_eq!(words("zanzibar"), 2);
    office.pass(2 * DAY);
    assert!(sweep(&office).await > 0);
    assert_eq!(words("zanzibar"), 0, "words and replies are gone");
    assert_eq!(
        (words("karthago"), words("timbuktu")),
        (1, 1),
        "what is not over stays"
    );
    assert_eq!(rows(&office, "handoff"), 3);
    let shown = office.get("handoffs/s-old").await;
    assert_eq!(
        shown[0]["replies"], 1,
        "that it was is still known: {shown}"
    );
    // So is its event.
    let copy = told("s-old", "old", "+14155550123", "zanzibar").to_string();
    let receipt = office
        .takes(copy.as_bytes(), "escalation.requested", 1)
        .await;
    assert_eq!(receipt, Receipt::Duplicate);
    publishes(&office).await;
    let kept = || async {
        custody(&office)
            .read(file)
            .await
            .expect("an answer")
            .is_some()
    };
    assert!(kept().await);
    office.pass(23 * DAY);
    sweep(&office).await;
    assert!(!kept().await, "its files are gone");
    assert_eq!(rows(&office, "handoff"), 2);
    assert_eq!(rows(&office, "person WHERE handoff = 1"), 0);
    assert_eq!(office.ask(Method::GET, "handoffs/s-old", None).await.0, 404);
    let shown = office.get("dead-letters/s-dead?content=true").await;
    assert!(shown.to_string().contains("karthago"));
    office.post("dead-letters/s-dead/discard", json!({})).await;
    office.pass(50 * DAY);
    sweep(&office).await;
    office.post("dead-letters/s-dead/restore", json!({})).await;
    office.pass(10 * DAY);
    sweep(&office).await;
    assert_eq!(words("karthago"), 0);
    assert_eq!(office.get("dead-letters").await, json!([]));
    assert_eq!((rows(&office, "handoff"), rows(&office, "dead")), (1, 0));
    assert_eq!(ended(&office, EndOfDead::Expired).await, 1);
    let waiting = office.store().load(live).await.expect("a handoff");
    assert_eq!(
        waiting.handoff.escalation.summary.as_deref(),
        Some("timbuktu")
    );
}

#[tokio::test]
async fn many_old_ones_go_in_small_batches() {
    let office = Office::new();
    for number in 0..250 {
        let session = format!("s{number}");
        let row = office.escalates(&escalation(&session, "web")).await;
        let now = office.clock.now();
        let ended = office.store().end(row, Ending::Operator, "test", now).await;
        assert!(ended.expect("ended"));
    }
    publishes(&office).await;
    office.pass(31 * DAY);
    let batches = sweep(&office).await;
    assert!(batches >= 3, "{batches}");
    for table in ["handoff", "inbox", "outbox", "attempt", "person"] {
        assert_eq!(rows(&office, table), 0, "{table}");
    }
}
