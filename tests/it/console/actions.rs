//! What an operator does with a page: by mouse, by keyboard alone, without a script.

use serde_json::json;

use super::browser::{Browser, ENTER, TAB};
use super::house::{Visitor, empty_house, hidden, house};
use crate::desks::PAIR;
use crate::world::{CONNECTION, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_found_and_ended_without_a_script() {
    let world = house().await;
    let browser = Browser::start().await;
    browser.without_scripts().await;
    browser.signs_in(&world, &world.token()).await;
    browser.click("nav a[href='/console/handoffs']").await;
    browser.fill("#id", "dana-5512").await;
    browser.click(".filter button").await;
    browser.reads("h1", "Handoff").await;
    let page = browser.text("main").await;
    for part in [
        "create-conversation",
        "lifecycle.live",
        "reply.sms",
        "Reply 2",
        "done in",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // A contact's words only on request.
    assert!(!page.contains("charged twice"), "{page}");
    browser.click("a[href$='?content=true#words']").await;
    browser.reads(".words", "hi, I was charged twice").await;
    browser
        .reads(".words", "I can refund the second charge now.")
        .await;

    browser.click("a[href$='/end']").await;
    browser.reads("h1", "End this conversation?").await;
    browser.click("main form button").await;
    browser
        .reads(".notice.done", "The conversation was ended.")
        .await;
    browser.reads("main .facts", "closed operator").await;
    let ended = world.heard.until_one("dana-5512", "lifecycle.ended").await;
    assert_eq!(ended["data"]["reason"], "operator");
    // Said once.
    browser.go(&browser.url().await).await;
    browser.find("h1").await;
    assert_eq!(browser.count(".notice").await, 0);
}

impl Browser {
    /// Goes from one thing to the next until it is at this one, as somebody without a mouse does.
    async fn tabs_to(&self, css: &str) {
        for _ in 0..60 {
            self.press(TAB).await;
            let there = format!("return document.activeElement.matches({})", json!(css));
            if self.script(&there).await == true {
                let ring = "return getComputedStyle(document.activeElement).outlineStyle";
                assert_eq!(
                    self.script(ring).await,
                    "solid",
                    "nobody sees that {css} has the focus"
                );
                return;
            }
        }
        panic!("{css} is not reached by keyboard on {}", self.url().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_replayed_by_keyboard_alone() {
    let world = house().await;
    let browser = Browser::start().await;
    browser.signs_in(&world, &world.token()).await;
    // The skip link comes first, and leads past the navigation.
    browser.press(TAB).await;
    assert_eq!(
        browser
            .script("return document.activeElement.textContent")
            .await,
        "Skip to the content"
    );
    browser.tabs_to("nav a[href='/console/dead-letters']").await;
    browser.press(ENTER).await;
    browser.reads("h1", "Dead letters").await;
    // The letter of the handoff, whose id is that of the handoff.
    let (_, found) = world.api(reqwest::Method::GET, "handoffs/kim-9").await;
    let id = found[0]["id"].as_str().expect("an id").to_owned();
    browser
        .tabs_to(&format!("main a[href='/console/dead-letters/{id}']"))
        .await;
    browser.press(ENTER).await;
    browser.reads("h1", "Dead letter").await;
    browser.reads("main", "unknown-connection").await;
    // What to do stands there, from the documentation.
    browser.reads(".advice", "connection").await;
    browser.tabs_to("main form[action$='/replay'] button").await;
    browser.press(ENTER).await;
    browser
        .reads(".notice", "goes on at identity-token as generation 2")
        .await;
    // There still is no such connection, so that it is set aside again, once.
    let dead = world.heard.until_dead(3).await;
    assert_eq!(dead[2].headers["x-handoff-code"], "unknown-connection");
    assert_eq!(dead[2].headers["x-handoff-generation"], "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_found_by_cause_discarded_and_restored() {
    let world = house().await;
    let browser = Browser::start().await;
    browser.signs_in(&world, &world.token()).await;
    browser.go(&world.console("/dead-letters")).await;
    assert_eq!(browser.count("#live table").await, 2);
    browser.fill("#text", "not JSON").await;
    browser.click(".filter button").await;
    browser.reads("#live", "undecodable").await;
    assert!(!browser.text("#live").await.contains("unknown-connection"));
    // From the cause to its letters, and to the one.
    browser
        .click("#live table:first-of-type td a[href*='cause=']")
        .await;
    browser
        .click("#live a[href^='/console/dead-letters/']")
        .await;
    browser.reads("h1", "Dead letter").await;
    assert!(!browser.text("main").await.contains("a word of Dana's"));
    browser.click("form[action$='/discard'] button").await;
    browser.reads(".notice.done", "was discarded").await;
    browser.reads("main .facts", "discarded by console").await;
    assert_eq!(browser.count("form[action$='/replay']").await, 0);
    browser.click("form[action$='/restore'] button").await;
    browser.reads(".notice.done", "is open again").await;
    browser.click("a[href$='?content=true#arrived']").await;
    browser
        .reads("pre", "no event at all, but a word of Dana's")
        .await;
    // What cannot be processed still cannot.
    browser.click("form[action$='/replay'] button").await;
    browser
        .reads(".notice.failed", "the body is not JSON")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_match_are_replayed_by_a_job_that_says_what_became_of_each() {
    let world = house().await;
    let browser = Browser::start().await;
    browser.signs_in(&world, &world.token()).await;
    browser.go(&world.console("/dead-letters")).await;
    browser.click("a[href*='action=replay']").await;
    browser.reads("h1", "Replay 2 dead letters?").await;
    browser.reads("main", "unknown-connection").await;
    browser.fill("#rate", "soon").await;
    browser.click(".danger").await;
    browser.reads("main", "whole numbers such as 60").await;
    browser.go(&world.console("/jobs/new?action=replay")).await;
    browser.fill("#rate", "6000").await;
    browser.click(".danger").await;
    browser
        .reads(".notice.done", "The job was begun: 2 dead letters.")
        .await;
    // The page follows it to its end: one went on, the other cannot.
    browser.reads("#live .facts", "State\ndone").await;
    browser.reads("#live .facts", "1 of 2").await;
    browser.reads("#live table", "not JSON").await;
    world.heard.until_dead(3).await;

    // Sent twice, it is one job.
    let visitor = Visitor::with(&world, &world.token()).await;
    let page = visitor
        .get(&world.console("/jobs/new?action=discard&class=poison"))
        .await;
    let page = page.text().await.expect("a page");
    let [key, up_to] = ["key", "up_to"].map(|name| hidden(&page, name));
    let fields = [
        ("csrf", visitor.csrf.as_str()),
        ("action", "discard"),
        ("class", "poison"),
        ("up_to", &up_to),
        ("key", &key),
    ];
    let first = visitor.post(&world.console("/jobs"), &fields).await;
    let second = visitor.post(&world.console("/jobs"), &fields).await;
    assert!(
        first.headers()["location"]
            .to_str()
            .is_ok_and(|it| it.starts_with("/console/jobs/"))
    );
    assert_eq!(first.headers()["location"], second.headers()["location"]);
    let (_, jobs) = world.api(reqwest::Method::GET, "dead-letter-jobs").await;
    assert_eq!(jobs.as_array().map(Vec::len), Some(2));
}

/// What the form of a Salesforce connection is filled in with.
fn settings(world: &World) -> Vec<(&'static str, String)> {
    let org = world.org.options();
    vec![
        ("name", "beta".into()),
        ("instance_url", "https://beta.my.salesforce.com".into()),
        ("es_developer_name", org.deployment.clone()),
        ("org_id", org.org_id.clone()),
        ("auth_public_key", PAIR.public.clone()),
        ("auth_key_id", "key-1".into()),
        ("issuer", org.issuer.clone()),
        ("auth_private_key", PAIR.private.clone()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_added_verified_paused_changed_and_removed() {
    let mut world = empty_house().await;
    world.start().await;
    let browser = Browser::start().await;
    browser.signs_in(&world, &world.token()).await;
    browser
        .go(&world.console("/connections/new?desk=salesforce"))
        .await;
    for (name, value) in settings(&world) {
        browser.fill(&format!("[id='{name}']"), &value).await;
    }
    // Two mistakes, both told, each at its field; a secret is not sent back.
    browser.fill("#org_id", "wrong").await;
    browser.click("details summary").await;
    browser.fill("#scrt_url", world.org.url()).await;
    browser.fill("[id='attribute.<Name>']", "Brand").await;
    browser.click(".form .primary").await;
    browser
        .reads("[role=alert]", "Nothing was saved. Put this right:")
        .await;
    browser
        .reads("[role=alert]", "`Brand`: write NAME=VALUE")
        .await;
    assert_eq!(
        browser
            .script("return document.getElementById('auth_private_key').value")
            .await,
        ""
    );
    browser
        .fill("[id='attribute.<Name>']", "Brand=session.custom.Brand")
        .await;
    browser.fill("#auth_private_key", &PAIR.private).await;
    browser.click(".form .primary").await;
    browser.reads("#org_id-wrong", "00D").await;
    let org_id = world.org.options().org_id.clone();
    browser.fill("#org_id", &org_id).await;
    browser.fill("#auth_private_key", &PAIR.private).await;
    browser.click(".form .primary").await;
    browser.reads(".notice.done", "beta was added.").await;
    let page = browser.text("main").await;
    assert!(
        page.contains("*** (sha256") && !page.contains("PRIVATE KEY"),
        "{page}"
    );
    assert!(page.contains("session.custom.Brand"), "{page}");

    browser.click("form[action$='/verify'] button").await;
    browser.reads(".notice.done", "beta is good").await;
    browser.click("form[action$='/pause'] button").await;
    browser.reads(".notice.done", "beta is paused").await;
    // What is escalated meanwhile waits, and goes on afterwards.
    let mut event = world.escalation("waits", "web");
    event["data"]["connection"] = json!("beta");
    world.publish(&event).await;
    world.heard.until_one("waits", "lifecycle.accepted").await;
    browser.click("form[action$='/resume'] button").await;
    browser.reads(".notice.done", "beta is open").await;
    world.heard.until_one("waits", "lifecycle.live").await;

    browser.click("a[href$='/edit']").await;
    browser.fill("#issuer", "somebody else").await;
    browser.click(".form .primary").await;
    browser.reads(".notice.done", "beta was changed.").await;
    browser.click("form[action$='/verify'] button").await;
    browser.reads(".notice.failed", "bad-credentials").await;

    browser.click("a[href$='/remove']").await;
    browser.reads("main", "It has 1 live conversations.").await;
    browser.click("#force").await;
    browser.click(".danger").await;
    browser.reads(".notice.done", "beta").await;
    let ended = world.heard.until_one("waits", "lifecycle.ended").await;
    assert_eq!(ended["data"]["reason"], "connection_removed");
    // One of the same name is not put in another's place.
    browser
        .go(&world.console("/connections/new?desk=salesforce"))
        .await;
    for (name, value) in settings(&world) {
        let value = if name == "name" {
            CONNECTION.to_owned()
        } else {
            value
        };
        browser.fill(&format!("[id='{name}']"), &value).await;
    }
    browser.click(".form .primary").await;
    browser
        .reads(
            "#name-wrong",
            "there is a connection acme-salesforce already",
        )
        .await;
}
