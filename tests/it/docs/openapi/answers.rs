//! What a worker answers, held against the document: every operation, with every status.

use serde_json::{Value, json};

use super::caller::As;
use super::story::{Story, until};
use super::{assert_none, connections, dead_letters, handoffs, refusals};
use crate::world::CONNECTION;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_a_worker_is_as_the_document_says() {
    let story = Story::begin().await;
    vitals(&story).await;
    connections::connections(&story).await;
    handoffs::handoffs(&story).await;
    dead_letters::dead_letters(&story).await;
    dead_letters::jobs(&story).await;
    refused(&story).await;
    webhooks(&story).await;
    contacts_and_files(&story).await;
    connections::removals(&story).await;
    a_store_that_is_gone(&story).await;
    assert_none(story.api.never_seen());
}

async fn vitals(story: &Story) {
    for id in ["isAlive", "isReady", "getMetrics"] {
        story.api.call(id).by(As::Nobody).gives(200).await;
    }
}

async fn refused(story: &Story) {
    refusals::by_token(&story.api).await;
    refusals::by_name(&story.api).await;
    refusals::by_parameter(&story.api).await;
    refusals::by_body(&story.api).await;
    refusals::by_path(&story.api).await;
}

fn told(events: &Value) -> Vec<u8> {
    json!({ "app": { "id": "5ebee0975ac5304b664a12fa" }, "webhook": { "id": "w", "version": "v2" }, "events": events })
        .to_string()
        .into_bytes()
}

async fn webhooks(story: &Story) {
    let told = |body: Vec<u8>, secret: &str| {
        let call = story.api.call("receiveWebhook").by(As::Nobody);
        call.header("X-API-Key", secret).bytes(body)
    };
    let secret = &story.secret;
    told(self::told(&json!([])), secret).gives(200).await;
    told(b"no JSON".to_vec(), secret).gives(400).await;
    told(self::told(&json!([])), "wrong").gives(401).await;
    told(self::told(&json!([])), secret)
        .at("connection", CONNECTION)
        .gives(404)
        .await;
    told(vec![b' '; (1 << 20) + 1], secret).gives(413).await;
}

/// Erased is only what is over and published.
async fn contacts_and_files(story: &Story) {
    let (api, world) = (&story.api, &story.world);
    let replies = world.heard.of("lee");
    let mut files = replies
        .iter()
        .filter_map(|it| it.event["data"]["attachments"][0]["url"].as_str());
    let link = files.next().expect("a link").to_owned();
    let (_, token) = link.split_once("/media/").expect("a token");
    let file = || api.call("fetchFile").at("token", token).by(As::Nobody);
    assert_eq!(file().answered().await.status, 200);
    api.call("fetchFile").at("token", "forged").gives(404).await;
    // Where its folder should be there is something else.
    let shown = api.call("showHandoff").at("id", "lee").gives(200).await;
    let folder = world.folder.path().join("baton-media");
    let folder = folder.join(shown[0]["id"].as_str().expect("an id"));
    let aside = folder.with_extension("aside");
    std::fs::rename(&folder, &aside).expect("renamed");
    std::fs::write(&folder, "").expect("written");
    file().gives(503).await;
    std::fs::remove_file(&folder).expect("removed");
    std::fs::rename(&aside, &folder).expect("renamed");

    let of = |id: &str, session: &str, dry: bool| {
        api.call(id)
            .body(&json!({ "session": session, "dry_run": dry }))
    };
    let all = of("exportContact", "lee", false).gives(200).await;
    assert_eq!(all["sessions"][0]["session"], "lee", "{all}");
    of("exportContact", "ira", false).gives(200).await;
    assert_eq!(
        of("eraseContact", "lee", true).gives(200).await["handoffs"],
        1
    );
    of("eraseContact", "dana", false).gives(409).await;
    until(|| of("eraseContact", "lee", false), |it| it.status == 200).await;
    file().gives(410).await;
}

/// Somebody takes the tables away under the worker.
async fn a_store_that_is_gone(story: &Story) {
    let sql = story.world.database();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let tables: Vec<String> = sql
        .prepare(tables)
        .and_then(|mut found| found.query_map([], |row| row.get(0))?.collect())
        .expect("tables");
    sql.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA busy_timeout = 60000")
        .expect("set");
    for table in tables {
        sql.execute_batch(&format!("DROP TABLE \"{table}\""))
            .expect("dropped");
    }
    refusals::without_a_store(&story.api).await;
    for id in ["isReady", "getMetrics"] {
        story.api.call(id).gives(503).await;
    }
    let told = story
        .api
        .call("receiveWebhook")
        .header("X-API-Key", &story.secret);
    told.bytes(self::told(&json!([]))).gives(503).await;
}
