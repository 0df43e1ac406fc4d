//! A worker with something to look at, and somebody who looks.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Response, StatusCode};
use serde_json::json;

use super::browser::Browser;
use crate::world::{Setup, World};

pub const READ_TOKEN: &str = "for-those-who-only-look";
/// A session id as an enemy would choose it.
pub const ENEMY: &str = "\"><script>window.taken=1</script>";

/// Live conversations with replies, one that was set aside, and something that is no escalation.
pub async fn house() -> World {
    let mut world = empty_house().await;
    world.start().await;
    for (session, channel) in [("dana-5512", "sms"), ("lee-7001", "web"), (ENEMY, "web")] {
        let conversation = world.goes_live(session, channel).await;
        let rep = world.org.rep(&conversation);
        rep.joins();
        rep.says("Hello, I can refund the second charge now.");
        rep.says("<img src=x onerror='window.taken=1'>");
        world
            .heard
            .until(|heard| heard.replies(session).len() == 2)
            .await;
    }
    let mut lost = world.escalation("kim-9", "whatsapp");
    lost["data"]["connection"] = json!("nowhere");
    world.publish(&lost).await;
    let poison = b"no event at all, but a word of Dana's".to_vec();
    world
        .publish_bytes(poison, "escalation.requested", Default::default())
        .await;
    world.heard.until_dead(2).await;
    world
}

/// With nothing in it, and no worker yet.
pub async fn empty_house() -> World {
    let read = format!("read_token = \"{READ_TOKEN}\"");
    Setup::shared().await.with("http", &read).build().await
}

impl World {
    pub fn token(&self) -> String {
        let token = std::fs::read_to_string(self.folder.path().join("baton.token"));
        token.expect("a token").trim().to_owned()
    }

    pub fn console(&self, path: &str) -> String {
        format!("{}/console{path}", self.address())
    }
}

impl Browser {
    /// Signs in by the form.
    pub async fn signs_in(&self, world: &World, token: &str) {
        self.go(&world.console("")).await;
        self.fill("#token", token).await;
        self.click("button[type=submit]").await;
        self.find("header nav").await;
    }
}

/// Somebody who speaks HTTP without a browser, and keeps cookies.
pub struct Visitor {
    http: reqwest::Client,
    cookie: String,
    pub csrf: String,
}

impl Visitor {
    /// Before they have signed in.
    pub fn new() -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Self {
            http: http.build().expect("a client"),
            cookie: String::new(),
            csrf: String::new(),
        }
    }

    /// Signed in.
    pub async fn with(world: &World, token: &str) -> Self {
        let mut visitor = Self::new();
        let answer = visitor.tries(world, token).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[LOCATION], "/console");
        let page = visitor.get(&world.console("/handoffs")).await;
        visitor.csrf = mark(&page.text().await.expect("a page"));
        visitor
    }

    /// Fills in the form for signing in.
    pub async fn tries(&mut self, world: &World, token: &str) -> Response {
        self.tries_to(world, token, "").await
    }

    /// The same, on the way to a page.
    pub async fn tries_to(&mut self, world: &World, token: &str, next: &str) -> Response {
        let form = self.get(&world.console("/sign-in")).await;
        self.keep(&form);
        let csrf = mark(&form.text().await.expect("a page"));
        let fields = [("csrf", csrf.as_str()), ("token", token), ("next", next)];
        let answer = self.post(&world.console("/sign-in"), &fields).await;
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Response) {
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            if !cookie.contains("Max-Age=0") {
                self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
            }
        }
    }

    pub async fn get(&self, url: &str) -> Response {
        let request = self.http.get(url).header(COOKIE, &self.cookie);
        request.send().await.expect("an answer")
    }

    pub async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Response {
        let request = self
            .http
            .post(url)
            .header(COOKIE, &self.cookie)
            .form(fields);
        request.send().await.expect("an answer")
    }
}

/// The mark that the forms of a page carry.
fn mark(page: &str) -> String {
    hidden(page, "csrf")
}

/// What a hidden field of a page holds.
pub fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&field).expect("a form");
    rest.split('"').next().unwrap_or_default().to_owned()
}
