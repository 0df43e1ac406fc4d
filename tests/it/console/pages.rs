//! Every page, in both themes and on a phone: complete, readable, quiet, and from nowhere else.

use serde_json::{Value, json};

use super::browser::Browser;
use super::house::{ENEMY, Visitor, house};
use crate::world::{CONNECTION, World};

/// Everything that can be looked at.
fn pages(world: &World) -> Vec<String> {
    [
        "",
        "?hours=24",
        "/handoffs",
        "/handoffs?status=live&channel=sms",
        "/handoffs?status=due&desk=zendesk",
        "/handoffs?id=nobody",
        "/handoffs/dana-5512",
        "/handoffs/dana-5512?content=true",
        "/handoffs/kim-9",
        "/handoffs/dana-5512/end",
        "/handoffs/kim-9/retry",
        "/dead-letters",
        "/dead-letters?class=poison&text=JSON",
        "/dead-letters?state=discarded",
        "/dead-letters?older=soon",
        "/dead-letters/kim-9",
        "/dead-letters/kim-9?content=true",
        "/jobs",
        "/jobs/new?action=replay",
        "/jobs/new?action=discard&class=poison",
        "/connections",
        "/connections/new",
        "/connections/new?desk=salesforce",
        "/connections/new?desk=zendesk",
        "/connections/new?desk=dynamics",
        &format!("/connections/{CONNECTION}"),
        &format!("/connections/{CONNECTION}/edit"),
        &format!("/connections/{CONNECTION}/remove"),
        "/queues",
        "/help",
        "/no/such/page",
    ]
    .map(|path| world.console(path))
    .into()
}

/// What is wrong with a page for somebody who listens to it, or sees badly: a list of sentences.
const FLAWS: &str = r#"
const flaws = [];
const say = (what, element) => flaws.push(what + ": " + element.outerHTML.slice(0, 120));
if (document.querySelectorAll("h1").length !== 1) flaws.push("not one h1");
if (!document.documentElement.lang) flaws.push("no language");
if (!document.querySelector("main")) flaws.push("no main");
if (document.title.trim() === "") flaws.push("no title");
const ids = [...document.querySelectorAll("[id]")].map((it) => it.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) flaws.push("two of id " + id);
let level = 1;
for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
  const own = Number(heading.tagName[1]);
  if (own > level + 1) say("a level is left out", heading);
  level = own;
}
for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
  if (!field.labels.length && !field.ariaLabel) say("no label", field);
for (const it of document.querySelectorAll("a, button, summary"))
  if (!(it.innerText.trim() || it.ariaLabel)) say("says nothing", it);
for (const table of document.querySelectorAll("table")) {
  if (!table.caption) say("no caption", table);
  for (const head of table.querySelectorAll("th")) if (!head.scope) say("no scope", head);
}
for (const picture of document.querySelectorAll("svg"))
  if (!picture.getAttribute("aria-label") && picture.getAttribute("aria-hidden") !== "true") say("no name", picture);
for (const attribute of ["aria-labelledby", "aria-describedby", "for"])
  for (const it of document.querySelectorAll("[" + attribute + "]"))
    for (const id of it.getAttribute(attribute).split(" "))
      if (!document.getElementById(id)) say("leads to no " + id, it);
for (const it of document.querySelectorAll("[style], [onclick], script:not([src]), style")) say("inline", it);
if (document.documentElement.scrollWidth > innerWidth) flaws.push("wider than the window: " + document.documentElement.scrollWidth);
return flaws;
"#;

/// Texts whose colour is too near to what is behind them, by the formula of WCAG 2.
const FAINT: &str = r#"
const parse = (colour) => {
  const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
  return { r, g, b, a };
};
const light = ({ r, g, b }) => {
  const part = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const behind = (element) => {
  for (let it = element; it; it = it.parentElement) {
    const colour = parse(getComputedStyle(it).backgroundColor);
    if (colour.a === 1) return colour;
    if (colour.a !== 0) throw new Error("half see-through: " + it.className);
  }
  return { r: 255, g: 255, b: 255, a: 1 };
};
const faint = [];
let looked = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, noscript")) continue;
  looked += 1;
  const [one, other] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (contrast < 4.5) faint.push(contrast.toFixed(2) + " " + element.className + ": " + walker.currentNode.data.trim().slice(0, 40));
}
return looked > 5 ? faint : ["there was nothing to look at"];
"#;

fn assert_none(page: &str, how: &str, found: &Value) {
    let found = found.as_array().expect("a list");
    assert!(found.is_empty(), "{page} ({how}): {found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_be_read_by_everybody_and_takes_nothing_from_elsewhere() {
    let world = house().await;
    let browser = Browser::start().await;
    browser.looks(1280, 900, "light").await;
    browser.go(&world.console("/sign-in")).await;
    assert_none("sign-in", "light", &browser.script(FLAWS).await);
    assert_none("sign-in", "light", &browser.script(FAINT).await);
    browser.signs_in(&world, &world.token()).await;
    browser.logged("browser").await;
    for (width, theme) in [(1280, "light"), (360, "dark")] {
        browser.looks(width, 800, theme).await;
        let how = format!("{width} px, {theme}");
        for page in pages(&world) {
            browser.go(&page).await;
            assert_none(&page, &how, &browser.script(FLAWS).await);
            assert_none(&page, &how, &browser.script(FAINT).await);
            assert_eq!(
                browser.script("return window.taken").await,
                Value::Null,
                "{page}"
            );
            let complaints = browser.logged("browser").await;
            // What a page itself says with its status (404, 422), the browser's console repeats.
            let refused = |it: &&Value| {
                let said = it["message"].to_string();
                ["/no/such/page", "older=soon"]
                    .iter()
                    .any(|page| said.contains(page))
            };
            // Advice for its makers is no complaint.
            let complaints = complaints
                .iter()
                .filter(|it| it["level"] != "DEBUG" && !refused(it));
            assert_eq!(
                complaints.collect::<Vec<_>>(),
                Vec::<&Value>::new(),
                "{page}"
            );
        }
    }
    pictures(&world, &browser).await;
    let asked = requests(&browser.logged("performance").await);
    assert!(asked.len() > pages(&world).len(), "{asked:?}");
    let elsewhere: Vec<_> = asked
        .iter()
        .filter(|url| !url.starts_with(&world.address()))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

/// Those of `docs/console`, made anew into the folder that the variable names.
async fn pictures(world: &World, browser: &Browser) {
    let Ok(folder) = std::env::var("BATON_CONSOLE_PICTURES") else {
        return;
    };
    for (theme, width, height) in [
        ("light", 1280, 1000),
        ("dark", 1280, 1000),
        ("phone", 360, 780),
    ] {
        let scheme = if theme == "dark" { "dark" } else { "light" };
        browser.looks(width, height, scheme).await;
        for (name, path) in [
            ("overview", ""),
            ("handoffs", "/handoffs"),
            ("handoff", "/handoffs/dana-5512"),
            ("dead-letters", "/dead-letters"),
            ("dead-letter", "/dead-letters/kim-9"),
            ("connections", "/connections"),
            ("connection", "/connections/acme-salesforce"),
            ("add", "/connections/new?desk=salesforce"),
            ("queues", "/queues"),
        ] {
            browser.go(&world.console(path)).await;
            let file = format!("{folder}/{name}-{theme}.png");
            std::fs::write(file, browser.picture().await).expect("a picture");
        }
    }
}

/// The addresses that the browser has asked for.
fn requests(logged: &[Value]) -> Vec<String> {
    let read = |entry: &Value| serde_json::from_str::<Value>(entry["message"].as_str()?).ok();
    let sent = logged
        .iter()
        .filter_map(read)
        .filter(|it| it["message"]["method"] == "Network.requestWillBeSent");
    let url = |it: Value| {
        it["message"]["params"]["request"]["url"]
            .as_str()
            .map(str::to_owned)
    };
    // What a page of the browser's own asks for begins with `data:` or `chrome:`.
    sent.filter_map(url)
        .filter(|url| url.contains("://") && !url.starts_with("chrome"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_small_and_say_what_a_browser_may_do_with_them() {
    let world = house().await;
    let visitor = Visitor::with(&world, &world.token()).await;
    for page in pages(&world) {
        let answer = visitor.get(&page).await;
        let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
        let policy = header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(
                policy.split("; ").any(|it| it.trim() == rule),
                "{rule} in {policy}"
            );
        }
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "same-origin");
        assert_eq!(header("cache-control"), "no-store");
        let body = answer.text().await.expect("a page");
        assert!(body.len() < 50_000, "{page}: {} bytes", body.len());
        assert!(!body.contains(ENEMY), "{page}");
        for secret in [
            world.token(),
            "BEGIN PRIVATE KEY".to_owned(),
            "BEGIN RSA PRIVATE KEY".to_owned(),
        ] {
            assert!(!body.contains(&secret), "{page}");
        }
    }
    // Not even to themselves may other pages show it, and a stranger sees nothing at all.
    let stranger = Visitor::new();
    for page in pages(&world) {
        let answer = stranger.get(&page).await;
        assert_eq!(answer.status(), 303, "{page}");
        assert_eq!(answer.headers()["x-frame-options"], "DENY");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_open_says_what_has_changed() {
    let world = house().await;
    let browser = Browser::start().await;
    browser.signs_in(&world, &world.token()).await;
    browser
        .reads("#live", "3\na rep and a contact are talking")
        .await;
    browser
        .script("window.still = 1; document.querySelector('#live summary').focus()")
        .await;
    world.goes_live("new-1", "phone").await;
    browser
        .reads("#live", "4\na rep and a contact are talking")
        .await;
    let kept = browser.script("return [window.still, document.activeElement.tagName, document.getElementById('said').textContent]").await;
    assert_eq!(kept[0], 1, "the page was loaded again");
    assert_eq!(kept[1], "SUMMARY", "the focus was lost");
    assert!(
        kept[2]
            .as_str()
            .is_some_and(|said| said.starts_with("4 live")),
        "{kept}"
    );

    // Who reads closely can hold it still.
    browser.click("#pause").await;
    assert_eq!(browser.text("#updated").await, "Paused");
    world.goes_live("new-2", "phone").await;
    browser.later("setTimeout(done, 3500)").await;
    browser
        .reads("#live", "4\na rep and a contact are talking")
        .await;
    browser.click("#pause").await;
    browser
        .reads("#live", "5\na rep and a contact are talking")
        .await;

    // One whose session has ended is asked to sign in.
    let session = json!({ "name": "baton_session", "path": "/console", "url": world.console("") });
    browser.devtools("Network.deleteCookies", session).await;
    browser.reads("h1", "Sign in").await;
}
