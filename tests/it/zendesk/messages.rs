//! What the contact does while a rep is there: each message and each file once, as the contact.

use baton::desk::{File, Receipt, Typing};
use baton::domain::error::DeskError;
use baton::domain::handoff::Earlier;
use baton::domain::ids::EntryId;
use baton::sim::faults::{Fault, Nth, What};
use baton::sim::zendesk::ledger::Message;
use baton::sim::zendesk::{App, call};
use serde_json::json;

use super::{app_and_desk, app_with, effect, escalation, hand_over};

/// What the contact's user wrote.
fn of_user(app: &App) -> Vec<Message> {
    app.conversations()[0].of_user().cloned().collect()
}

fn texts(app: &App) -> Vec<String> {
    of_user(app).iter().map(|it| it.text().to_owned()).collect()
}

fn file(name: &str, content_type: &str) -> File {
    File {
        name: name.into(),
        content_type: content_type.into(),
        bytes: b"bytes of a file".as_slice().into(),
    }
}

fn faults_after_which_it_is_done() -> Vec<Fault> {
    let whats = [What::status(500), What::Hang, What::Cut, What::Garbage];
    whats.map(Fault::after).to_vec()
}

#[tokio::test]
async fn a_message_is_the_contacts_and_on_the_ticket() {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    desk.send_message(
        &access,
        &conversation,
        effect("m1", Earlier::Never),
        "Are you there?",
    )
    .await
    .expect("sent");
    let sent = &of_user(&app)[0];
    assert_eq!(sent.text(), "Are you there?");
    assert_eq!(sent.author["userId"], app.conversations()[0].user.as_str());
    assert_eq!(app.tickets(conversation.as_str())[0].messages[1], sent.id);
}

#[tokio::test]
async fn a_message_whose_answer_got_lost_is_not_sent_twice() {
    for fault in faults_after_which_it_is_done() {
        let (app, desk) = app_and_desk().await;
        let (access, conversation) = hand_over(&*desk, &escalation()).await;
        let text = format!("{}{}", "long ".repeat(1200), "end");
        // In two messages, of which the second is in doubt.
        app.faults()
            .fail(call::MESSAGE, Nth::Only(3), fault.clone());
        let send =
            |earlier| desk.send_message(&access, &conversation, effect("m1", earlier), &text);
        send(Earlier::Never).await.expect_err("in doubt");
        send(Earlier::Perhaps).await.expect("sent");
        assert_eq!(texts(&app).concat(), text, "{fault:?}");
        assert_eq!(texts(&app).len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_message_that_did_not_arrive_is_sent_again() {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    app.faults()
        .fail(call::MESSAGE, Nth::Only(2), Fault::before(What::Cut));
    let send = |earlier| desk.send_message(&access, &conversation, effect("m1", earlier), "Hello?");
    send(Earlier::Never).await.expect_err("lost");
    send(Earlier::Perhaps).await.expect("sent");
    assert_eq!(texts(&app), ["Hello?"]);
}

#[tokio::test]
async fn two_messages_of_the_same_words_are_two() {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    for name in ["m1", "m2"] {
        desk.send_message(&access, &conversation, effect(name, Earlier::Perhaps), "ok")
            .await
            .expect("sent");
    }
    assert_eq!(texts(&app), ["ok", "ok"]);
}

#[tokio::test]
async fn nothing_is_sent_for_no_words() {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    desk.send_message(&access, &conversation, effect("m1", Earlier::Never), " \n")
        .await
        .expect("nothing to do");
    assert!(texts(&app).is_empty());
}

#[tokio::test]
async fn a_contact_whose_user_was_merged_is_found_by_the_conversation() {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    app.merge_user_of(conversation.as_str());
    desk.send_message(
        &access,
        &conversation,
        effect("m1", Earlier::Never),
        "Still me",
    )
    .await
    .expect("sent");
    assert_eq!(texts(&app), ["Still me"]);
    assert_eq!(
        of_user(&app)[0].author["userId"],
        app.conversations()[0].user.as_str()
    );
}

#[tokio::test]
async fn a_refusal_does_not_repeat_the_contacts_words() {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    let said = "my card number is four two four two";
    let body = json!({ "errors": [{ "code": "bad_request", "title": format!("text `{said}` is not allowed") }] });
    app.faults().fail(
        call::MESSAGE,
        Nth::Next(1),
        Fault::before(What::Status {
            status: 400,
            body: body.to_string(),
        }),
    );
    let refused = desk
        .send_message(&access, &conversation, effect("m1", Earlier::Never), said)
        .await;
    let refused = refused.expect_err("refused");
    assert_eq!(
        refused,
        DeskError::Refused {
            status: 400,
            message: "an answer that repeats the message".into()
        }
    );
}

#[tokio::test]
async fn a_conversation_that_is_full_or_gone_says_so() {
    let app = app_with(|options| options.limits.messages_per_conversation = 1).await;
    let desk = super::open(&super::connection_to(&app, &[]));
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    let send = async || {
        desk.send_message(
            &access,
            &conversation,
            effect("m1", Earlier::Never),
            "Hello?",
        )
        .await
    };
    assert_eq!(
        send().await.expect_err("full").to_string(),
        "the desk refused with 423: the conversation has all the messages that Zendesk allows in one (connection `acme-zendesk`): Message limit of 1 per conversation reached."
    );
    app.rep(conversation.as_str()).removes_conversation();
    assert_eq!(
        send().await.expect_err("gone").to_string(),
        "the desk refused with 404: the conversation or the contact's user is gone (connection `acme-zendesk`): Resource not found"
    );
}

#[tokio::test]
async fn files_are_uploaded_for_their_conversation_and_posted_as_what_they_are() {
    let table = [
        ("receipt.jpg", "image/jpeg", "image", "receipt.jpg"),
        ("photo", "image/png", "image", "photo.png"),
        ("label.pdf", "application/pdf", "file", "label.pdf"),
        ("note", "text/plain", "file", "note.txt"),
        ("voice.ogg", "audio/ogg", "file", "voice.ogg"),
        ("clip.bin", "video/3gpp", "file", "clip.bin.3gp"),
    ];
    for (name, content_type, kind, shown) in table {
        let (app, desk) = app_and_desk().await;
        let (access, conversation) = hand_over(&*desk, &escalation()).await;
        desk.send_file(
            &access,
            &conversation,
            effect("f1", Earlier::Never),
            &file(name, content_type),
        )
        .await
        .expect("sent");
        let sent = of_user(&app)[0].clone();
        assert_eq!(sent.content["type"], kind);
        assert_eq!(sent.content["altText"], shown);
        let kept = &app.ledger().attachments[0];
        assert_eq!(kept.conversation.as_deref(), Some(conversation.as_str()));
        assert_eq!(kept.media_type, content_type);
        assert_eq!(kept.bytes, 15);
    }
}

#[tokio::test]
async fn a_file_whose_answer_got_lost_is_posted_once() {
    for (call, faults) in [
        (call::UPLOAD, faults_after_which_it_is_done()),
        (call::MESSAGE, faults_after_which_it_is_done()),
    ] {
        for fault in faults {
            let (app, desk) = app_and_desk().await;
            let (access, conversation) = hand_over(&*desk, &escalation()).await;
            app.faults().fail(call, Nth::Next(1), fault.clone());
            let picture = file("a.png", "image/png");
            let send =
                |earlier| desk.send_file(&access, &conversation, effect("f1", earlier), &picture);
            send(Earlier::Never).await.expect_err("in doubt");
            send(Earlier::Perhaps).await.expect("sent");
            assert_eq!(of_user(&app).len(), 1, "{call} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_file_that_zendesk_does_not_take_is_refused_with_its_reason() {
    let (_app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    let refused = desk
        .send_file(
            &access,
            &conversation,
            effect("f1", Earlier::Never),
            &file("run.exe", "application/octet-stream"),
        )
        .await;
    assert_eq!(
        refused.expect_err("refused").to_string(),
        "the desk refused with 415: Zendesk does not take files of this type (connection `acme-zendesk`): File rejected. File extension not allowed"
    );
}

#[tokio::test]
async fn reading_is_told_and_typing_is_not() {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    let entry = EntryId::from("e1");
    desk.acknowledge(&access, &conversation, &entry, Receipt::Delivered)
        .await
        .expect("nothing to do");
    desk.show_typing(&access, &conversation, Typing::Started)
        .await
        .expect("nothing to do");
    assert_eq!(app.calls(call::ACTIVITY), 0);
    desk.acknowledge(&access, &conversation, &entry, Receipt::Read)
        .await
        .expect("told");
    assert_eq!(app.conversations()[0].reads, 1);
}

#[tokio::test]
async fn closing_takes_control_from_the_reps_once() {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    app.faults()
        .fail(call::RELEASE_CONTROL, Nth::Only(1), Fault::after(What::Cut));
    desk.close(&access, &conversation)
        .await
        .expect_err("in doubt");
    desk.close(&access, &conversation).await.expect("closed");
    let released = app.conversations()[0]
        .controls
        .iter()
        .filter(|it| it.to.is_none())
        .count();
    assert_eq!(released, 1);
    app.rep(conversation.as_str()).removes_conversation();
    desk.close(&access, &conversation)
        .await
        .expect("gone is closed");
}

#[tokio::test]
async fn closing_takes_nothing_from_a_bot() {
    let (app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    app.rep(conversation.as_str()).passes_to_bot();
    desk.close(&access, &conversation)
        .await
        .expect("nothing to do");
    assert_eq!(app.calls(call::RELEASE_CONTROL), 0);
}

#[tokio::test]
async fn there_is_no_stream() {
    let (_app, desk) = app_and_desk().await;
    let (access, conversation) = hand_over(&*desk, &escalation()).await;
    let refused = desk.listen(&access, &conversation, None).await.err();
    assert_eq!(
        refused.map(|it| it.to_string()).as_deref(),
        Some(
            "the desk refused with 501: Zendesk has no stream to listen to; its replies come by webhook"
        )
    );
}
