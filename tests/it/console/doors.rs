//! Who gets in, and what gets through.

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;

use super::browser::Browser;
use super::house::{READ_TOKEN, Visitor, empty_house, house};
use crate::world::CONNECTION;

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_goes_where_they_wanted_and_signs_out() {
    let world = house().await;
    let browser = Browser::start().await;
    let wanted = world.console("/handoffs?status=live");
    browser.go(&wanted).await;
    assert_eq!(browser.text("h1").await, "Sign in");
    browser.fill("#token", "a token of somebody else").await;
    browser.click("button[type=submit]").await;
    browser
        .reads("[role=alert]", "That is no token of this worker")
        .await;
    assert!(!browser.text("body").await.contains("somebody else"));

    browser.fill("#token", &world.token()).await;
    browser.click("button[type=submit]").await;
    browser.reads("h1", "Handoffs").await;
    assert_eq!(browser.url().await, wanted);
    assert_eq!(browser.text(".role").await, "operator");
    let cookies = browser.cookies().await;
    let [cookie] = &cookies[..] else {
        panic!("{cookies:?}")
    };
    assert_eq!(
        (
            &cookie["name"],
            &cookie["httpOnly"],
            &cookie["sameSite"],
            &cookie["path"]
        ),
        (
            &"baton_session".into(),
            &true.into(),
            &"Strict".into(),
            &"/console".into()
        )
    );

    browser.click("header form button").await;
    browser.reads("h1", "Sign in").await;
    browser.go(&wanted).await;
    browser.reads("h1", "Sign in").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_tokens_has_to_wait() {
    let mut world = empty_house().await;
    world.start().await;
    let mut visitor = Visitor::new();
    for _ in 0..5 {
        let answer = visitor.tries(&world, "a guess").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    // Even a right one is not looked at now.
    let token = world.token();
    let answer = visitor.tries(&world, &token).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = answer.headers()[RETRY_AFTER]
        .to_str()
        .expect("text")
        .parse()
        .expect("seconds");
    assert!((1..=300).contains(&wait), "{wait}");
    assert!(!world.log().contains("a guess"), "{}", world.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_not_ours_does_nothing() {
    let mut world = empty_house().await;
    world.start().await;
    let pause = world.console(&format!("/connections/{CONNECTION}/pause"));
    // Without a session, with none of ours, with that of somebody else.
    let stranger = Visitor::new();
    assert_eq!(
        stranger.post(&pause, &[]).await.status(),
        StatusCode::SEE_OTHER
    );
    let operator = Visitor::with(&world, &world.token()).await;
    let other = Visitor::with(&world, &world.token()).await;
    for fields in [
        vec![],
        vec![("csrf", "")],
        vec![("csrf", "guessed")],
        vec![("csrf", other.csrf.as_str())],
    ] {
        let answer = operator.post(&pause, &fields).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{fields:?}");
    }
    let gate = |body: &serde_json::Value| body["gate"].clone();
    let (_, shown) = world
        .api(reqwest::Method::GET, &format!("connections/{CONNECTION}"))
        .await;
    assert_eq!(gate(&shown), "open");
    // The same form with its mark, so that it was the mark.
    let answer = operator.post(&pause, &[("csrf", &operator.csrf)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let (_, shown) = world
        .api(reqwest::Method::GET, &format!("connections/{CONNECTION}"))
        .await;
    assert_eq!(
        (gate(&shown), &shown["gate_why"]),
        ("paused".into(), &"console".into())
    );

    let large = "x".repeat(70_000);
    let answer = operator
        .post(&pause, &[("csrf", &operator.csrf), ("more", &large)])
        .await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_leads_to_our_own_pages_only() {
    let mut world = empty_house().await;
    world.start().await;
    for (wanted, leads_to) in [
        ("/console/queues", "/console/queues"),
        ("https://example.com/", "/console"),
        ("//example.com/console", "/console"),
        ("/consoles", "/console"),
        ("/console\\example.com", "/console"),
    ] {
        let mut visitor = Visitor::new();
        let answer = visitor.tries_to(&world, &world.token(), wanted).await;
        assert_eq!(answer.headers()["location"], leads_to, "{wanted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_look_finds_no_button_and_is_refused_without_one() {
    let world = house().await;
    let browser = Browser::start().await;
    browser.signs_in(&world, READ_TOKEN).await;
    assert_eq!(browser.text(".role").await, "read-only");
    let live = world.console("/handoffs/dana-5512?content=true");
    let connection = world.console(&format!("/connections/{CONNECTION}"));
    let dead = world.console("/dead-letters/kim-9?content=true");
    for page in [
        &live,
        &connection,
        &dead,
        &world.console("/connections"),
        &world.console("/dead-letters"),
    ] {
        browser.go(page).await;
        browser.find("h1").await;
        // Signing out is the only form that does something.
        assert_eq!(browser.count("form[method=post]").await, 1, "{page}");
        assert_eq!(
            browser.count("main form[method=post], main a.button").await,
            0,
            "{page}"
        );
        let text = browser.text("main").await;
        assert!(
            !text.contains("charged twice") && !text.contains("Dana Reyes"),
            "{page}: {text}"
        );
    }

    let reader = Visitor::with(&world, READ_TOKEN).await;
    let marked = [("csrf", reader.csrf.as_str()), ("mode", "force")];
    for path in [
        "/handoffs/dana-5512/end",
        "/dead-letters/kim-9/replay",
        &format!("/connections/{CONNECTION}/pause"),
        &format!("/connections/{CONNECTION}/remove"),
        "/connections/new",
    ] {
        let answer = reader.post(&world.console(path), &marked).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        let page = answer.text().await.expect("a page");
        assert!(page.contains("You signed in to look only"), "{page}");
    }
    let (_, shown) = world.api(reqwest::Method::GET, "handoffs/dana-5512").await;
    assert_eq!(shown[0]["status"], "live");
    let answer = reader.post(&world.console("/sign-out"), &marked).await;
    assert_eq!(answer.headers()["location"], "/console/sign-in");
}
