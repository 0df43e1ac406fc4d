//! What the rep reads: notes on the work item, and the transcript beside it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use baton::desk::File;
use baton::domain::error::{Code, DeskError};
use baton::domain::ids::{ConversationId, Key};
use baton::sim::dynamics::{Options, call};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Fixture, KEY, OPENING_KEY, effect, escalation};

const ON_WORK_ITEM: &str = "objectid_msdyn_ocliveworkitem";
const ON_TRANSCRIPT: &str = "objectid_msdyn_transcript";

#[tokio::test]
async fn the_opening_is_a_note_and_a_transcript_with_a_file() {
    let fixture = Fixture::new().await;
    let about = escalation(json!({}));
    fixture.create(&about).await.expect("a work item");
    for _ in 0..2 {
        fixture.open_with(&about).await.expect("an opening");
    }
    let notes = fixture.org.notes();
    assert_eq!(notes.len(), 2, "however often it is sent");
    let (note, file) = (&notes[0], &notes[1]);
    assert_eq!(note.id, OPENING_KEY.to_string());
    assert_eq!(note.link(ON_WORK_ITEM), Some(KEY.to_string().as_str()));
    assert!(
        note.text("notetext").contains("AI summary: "),
        "{}",
        note.text("notetext")
    );
    assert!(
        note.text("notetext").contains("Contact (Dana")
            || note.text("notetext").contains("Contact:")
    );
    let ledger = fixture.org.ledger();
    let transcript = ledger
        .of(baton::sim::dynamics::ledger::Kind::Transcript)
        .next()
        .expect("a transcript");
    assert_eq!(
        transcript.link("msdyn_LiveWorkItemIdId"),
        Some(KEY.to_string().as_str())
    );
    assert_eq!(file.link(ON_TRANSCRIPT), Some(transcript.id.as_str()));
    assert_eq!(file.text("filename"), "Messages_file.txt");
}

/// The test vector of the vendor reference; what is ours in it is the id of the AI.
#[tokio::test]
async fn the_transcript_is_written_as_the_product_writes_it() {
    const VECTOR: &str = r##"[{"Content":"[{\"created\":\"2026-11-20T17:03:11+00:00\",\"isControlMessage\":false,\"content\":\"Can I talk to an agent?\",\"contentType\":\"text\",\"createdDateTime\":\"2026-11-20T17:03:11+00:00\",\"deleted\":false,\"id\":\"1795194191000\",\"from\":{\"application\":{\"displayName\":\"Customer\",\"id\":\"+15555550123\"}},\"attachments\":[],\"tags\":\"FromCustomer,ChannelId-sms\",\"deliveryMode\":\"bridged\",\"isBridged\":\"True\"},{\"created\":\"2026-11-20T17:03:14+00:00\",\"isControlMessage\":false,\"content\":\"Sure, connecting you now.\",\"contentType\":\"text\",\"createdDateTime\":\"2026-11-20T17:03:14+00:00\",\"deleted\":false,\"id\":\"1795194194000\",\"from\":{\"user\":{\"displayName\":\"AI agent\",\"id\":\"ai\"}},\"attachments\":[],\"tags\":\"public\",\"deliveryMode\":\"bridged\"}]","Type":0,"Mode":0,"Tag":null,"CreatedOn":null,"Sender":null,"AttachmentInfo":null,"subject":"SMS transcript"}]"##;
    let fixture = Fixture::new().await;
    let about = escalation(json!({
        "contact": { "phone": "+15555550123" },
        "transcript": [
            { "at": "2026-11-20T17:03:11Z", "author": "contact", "text": "Can I talk to an agent?" },
            { "at": "2026-11-20T17:03:14Z", "author": "ai", "text": "Sure, connecting you now." },
        ],
    }));
    fixture.create(&about).await.expect("a work item");
    fixture.open_with(&about).await.expect("an opening");
    let notes = fixture.org.notes();
    let body = BASE64_STANDARD
        .decode(notes[1].text("documentbody"))
        .expect("base64");
    let written = |text: &[u8]| {
        let mut document: Value = serde_json::from_slice(text).expect("JSON");
        let content = document[0]["Content"].as_str().expect("text").to_owned();
        document[0]["Content"] = serde_json::from_str(&content).expect("JSON in JSON");
        let id = document[0]
            .as_object_mut()
            .expect("an object")
            .remove("annotationid");
        (document, id)
    };
    let (document, id) = written(&body);
    assert_eq!(document, written(VECTOR.as_bytes()).0);
    assert_eq!(id, Some(json!(notes[1].id)));
}

#[tokio::test]
async fn turns_of_one_moment_and_without_a_time_have_ids_of_their_own() {
    let fixture = Fixture::new().await;
    let about = escalation(json!({ "transcript": [
        { "author": "contact", "text": "a" },
        { "at": "2026-11-20T17:03:11Z", "author": "rep", "name": "Kim", "text": "b" },
        { "at": "2026-11-20T17:03:11Z", "author": "bot", "text": "c \u{7}" },
        { "author": "contact", "text": "d", "attachments": [{ "name": "receipt.jpg" }] },
    ] }));
    fixture.create(&about).await.expect("a work item");
    fixture.open_with(&about).await.expect("an opening");
    let body = BASE64_STANDARD
        .decode(fixture.org.notes()[1].text("documentbody"))
        .expect("base64");
    let document: Value = serde_json::from_slice(&body).expect("JSON");
    let messages: Vec<Value> =
        serde_json::from_str(document[0]["Content"].as_str().expect("text")).expect("JSON");
    let ids: std::collections::BTreeSet<&str> = messages
        .iter()
        .filter_map(|message| message["id"].as_str())
        .collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(messages[1]["from"]["user"]["displayName"], "Kim");
    assert_eq!(messages[2]["from"]["user"]["displayName"], "bot");
    assert_eq!(messages[2]["content"], "c  ");
    assert_eq!(messages[3]["content"], "d [file: receipt.jpg]");
}

#[tokio::test]
async fn without_turns_there_is_a_note_and_no_transcript() {
    for change in [
        json!({ "transcript": [] }),
        json!({ "transcript": null, "transcript_url": "https://media.example.com/t" }),
    ] {
        let fixture = Fixture::new().await;
        let about = escalation(change);
        fixture.create(&about).await.expect("a work item");
        fixture.open_with(&about).await.expect("an opening");
        assert_eq!(fixture.org.notes().len(), 1);
        assert_eq!(fixture.org.calls(call::CREATE_TRANSCRIPT), 0);
    }
}

#[tokio::test]
async fn a_missing_right_to_make_notes_is_no_failure() {
    for (missing, notes) in [("prvCreateNote", 0), ("prvCreatemsdyn_transcript", 1)] {
        let fixture = Fixture::new().await;
        fixture.org.switch(|switches| {
            switches.missing_privileges.insert(missing.into());
        });
        let about = escalation(json!({}));
        fixture.create(&about).await.expect("a work item");
        fixture
            .open_with(&about)
            .await
            .expect("a warning is enough");
        assert_eq!(fixture.org.notes().len(), notes, "{missing}");
    }
}

#[tokio::test]
async fn a_work_item_that_is_gone_is_a_failure() {
    let fixture = Fixture::new().await;
    let refused = fixture.open_with(&escalation(json!({}))).await;
    assert!(
        matches!(refused, Err(DeskError::Refused { status: 404, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_the_contact_writes_later_becomes_notes() {
    let fixture = Fixture::with(Options::default(), &[("opening_chars_max", "500")]).await;
    fixture
        .create(&escalation(json!({})))
        .await
        .expect("a work item");
    let access = fixture.access().await;
    let to = ConversationId(KEY.to_string());
    let message = effect(Key(Uuid::from_u128(7)));
    let text = format!("{}and\u{0}more", "x".repeat(500));
    for _ in 0..2 {
        fixture
            .desk
            .send_message(&access, &to, message, &text)
            .await
            .expect("a note");
    }
    let file = File {
        name: "receipt.jpg".into(),
        content_type: "image/jpeg".into(),
        bytes: (&b"\xff\xd8\xff"[..]).into(),
    };
    let sent = effect(Key(Uuid::from_u128(8)));
    for _ in 0..2 {
        fixture
            .desk
            .send_file(&access, &to, sent, &file)
            .await
            .expect("a note");
    }
    let notes = fixture.org.notes();
    let texts: Vec<&str> = notes.iter().map(|note| note.text("notetext")).collect();
    assert_eq!(texts, ["x".repeat(500).as_str(), "and more", ""]);
    assert_eq!(notes[2].text("filename"), "receipt.jpg");
    assert_eq!(notes[2].text("documentbody"), "/9j/");
    assert!(
        notes
            .iter()
            .all(|note| note.link(ON_WORK_ITEM) == Some(to.as_str()))
    );
}

#[tokio::test]
async fn a_file_that_is_too_large_and_a_missing_right_are_told_apart() {
    let options = Options {
        file_bytes_max: 2,
        ..Options::default()
    };
    let fixture = Fixture::with(options, &[]).await;
    fixture
        .create(&escalation(json!({})))
        .await
        .expect("a work item");
    let access = fixture.access().await;
    let to = ConversationId(KEY.to_string());
    let file = File {
        name: "receipt.jpg".into(),
        content_type: "image/jpeg".into(),
        bytes: (&b"\xff\xd8\xff"[..]).into(),
    };
    let sent = effect(Key(Uuid::from_u128(8)));
    let refused = fixture.desk.send_file(&access, &to, sent, &file).await;
    assert!(
        matches!(&refused, Err(DeskError::Refused { status: 413, message }) if message.contains("maximum file size")),
        "{refused:?}"
    );
    fixture.org.switch(|switches| {
        switches.missing_privileges.insert("prvCreateNote".into());
    });
    let refused = fixture.desk.send_message(&access, &to, sent, "Hello").await;
    assert!(
        matches!(&refused, Err(DeskError::Misconfigured { code: Code::BadCredentials, message }) if message.contains("`prvCreateNote`")),
        "{refused:?}"
    );
}
