//! A headless Chromium, driven through chromedriver as the WebDriver standard says.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::broker::bench::soon;

/// Under which the standard hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// The Tab key, in the standard's private letters.
pub const TAB: &str = "\u{e004}";
/// The Enter key.
pub const ENTER: &str = "\u{e007}";

/// A browser with one empty profile; gone when it is dropped.
pub struct Browser {
    http: reqwest::Client,
    session: String,
    chromium: i32,
    _driver: Child,
    _profile: TempDir,
}

/// Something on the page.
pub struct Element(String);

impl Browser {
    /// Starts chromedriver and, through it, Chromium.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let (driver, port) = start_driver().await;
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let data = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &data,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let root = format!("http://127.0.0.1:{port}/session");
        let made = send(&http, Method::POST, &root, Some(wanted))
            .await
            .expect("a browser");
        let id = made["sessionId"].as_str().expect("a session");
        let chromium = made["capabilities"]["goog:processID"]
            .as_i64()
            .expect("a process");
        Self {
            session: format!("{root}/{id}"),
            http,
            chromium: i32::try_from(chromium).expect("a process id"),
            _driver: driver,
            _profile: profile,
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Value> {
        let url = format!("{}/{path}", self.session);
        soon(send(&self.http, method, &url, body)).await
    }

    async fn done(&self, path: &str, body: Value) -> Value {
        let answer = self.ask(Method::POST, path, Some(body)).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Loads a page.
    pub async fn go(&self, url: &str) {
        self.done("url", json!({ "url": url })).await;
    }

    /// Where it is.
    pub async fn url(&self) -> String {
        let url = self.ask(Method::GET, "url", None).await.expect("a URL");
        url.as_str().expect("text").to_owned()
    }

    /// The first element of a CSS selector, as soon as there is one.
    pub async fn find(&self, css: &str) -> Element {
        let find = async {
            loop {
                let wanted = json!({ "using": "css selector", "value": css });
                if let Ok(found) = self.ask(Method::POST, "element", Some(wanted)).await {
                    return Element(found[ELEMENT].as_str().expect("an id").to_owned());
                }
                sleep(Duration::from_millis(20)).await; // waits for: the element
            }
        };
        match timeout(Duration::from_secs(20), find).await {
            Ok(found) => found,
            Err(_) => panic!(
                "no {css} on {}:\n{}",
                self.url().await,
                self.text("body").await
            ),
        }
    }

    /// How many there are of a CSS selector.
    pub async fn count(&self, css: &str) -> usize {
        let found = self
            .done("elements", json!({ "using": "css selector", "value": css }))
            .await;
        found.as_array().expect("a list").len()
    }

    /// What somebody reads in an element.
    pub async fn text(&self, css: &str) -> String {
        let wanted = json!({ "using": "css selector", "value": css });
        let found = self.done("element", wanted).await;
        let id = found[ELEMENT].as_str().expect("an id");
        let text = self
            .ask(Method::GET, &format!("element/{id}/text"), None)
            .await;
        text.expect("its text").as_str().expect("text").to_owned()
    }

    /// Waits until somebody reads these words in an element.
    pub async fn reads(&self, css: &str, words: &str) {
        let reads = async {
            loop {
                let wanted = json!({ "using": "css selector", "value": css });
                if let Ok(found) = self.ask(Method::POST, "element", Some(wanted)).await {
                    let id = found[ELEMENT].as_str().expect("an id");
                    // The page may be exchanged between the two.
                    let text = self
                        .ask(Method::GET, &format!("element/{id}/text"), None)
                        .await;
                    if text.is_ok_and(|text| text.as_str().is_some_and(|text| text.contains(words)))
                    {
                        return;
                    }
                }
                sleep(Duration::from_millis(20)).await; // waits for: the words
            }
        };
        if timeout(Duration::from_secs(20), reads).await.is_err() {
            panic!(
                "no {words:?} in {css} of {}:\n{}",
                self.url().await,
                self.text("body").await
            );
        }
    }

    /// Presses the mouse button on an element.
    pub async fn click(&self, css: &str) {
        let Element(id) = self.find(css).await;
        self.done(&format!("element/{id}/click"), json!({})).await;
    }

    /// Types into a field what it is to hold.
    pub async fn fill(&self, css: &str, text: &str) {
        let Element(id) = self.find(css).await;
        self.done(&format!("element/{id}/clear"), json!({})).await;
        self.done(&format!("element/{id}/value"), json!({ "text": text }))
            .await;
    }

    /// Presses a key, wherever the focus is.
    pub async fn press(&self, key: &str) {
        let actions = json!([{ "type": "key", "id": "keyboard", "actions": [
            { "type": "keyDown", "value": key }, { "type": "keyUp", "value": key },
        ] }]);
        self.done("actions", json!({ "actions": actions })).await;
    }

    /// What a piece of script returns.
    pub async fn script(&self, script: &str) -> Value {
        self.done("execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// What a piece of script comes to that calls `done` with it.
    pub async fn later(&self, script: &str) -> Value {
        let script = format!("const done = arguments[0]; {script}");
        self.done("execute/async", json!({ "script": script, "args": [] }))
            .await
    }

    /// A command of Chromium's own protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.done("goog/cdp/execute", body).await
    }

    /// Shows pages as on a screen of this size, in one of the two themes.
    pub async fn looks(&self, width: u32, height: u32, theme: &str) {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", screen)
            .await;
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }

    /// Lets pages run no script from now on.
    pub async fn without_scripts(&self) {
        let off = json!({ "value": true });
        self.devtools("Emulation.setScriptExecutionDisabled", off)
            .await;
    }

    /// What was logged since the last look: `browser` is the console, `performance` what went over the network.
    pub async fn logged(&self, kind: &str) -> Vec<Value> {
        let logged = self.done("se/log", json!({ "type": kind })).await;
        logged.as_array().expect("a list").clone()
    }

    /// The cookies of the page.
    pub async fn cookies(&self) -> Vec<Value> {
        let cookies = self
            .ask(Method::GET, "cookie", None)
            .await
            .expect("cookies");
        cookies.as_array().expect("a list").clone()
    }

    /// A picture of the window.
    pub async fn picture(&self) -> Vec<u8> {
        let picture = self
            .ask(Method::GET, "screenshot", None)
            .await
            .expect("a picture");
        BASE64_STANDARD
            .decode(picture.as_str().expect("text"))
            .expect("base64")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // chromedriver goes with its handle, and would leave Chromium behind.
        if let Some(chromium) = rustix::process::Pid::from_raw(self.chromium) {
            let _ = rustix::process::kill_process(chromium, rustix::process::Signal::KILL);
        }
    }
}

/// chromedriver on a port of its choice.
async fn start_driver() -> (Child, u16) {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("chromedriver; tests/run.sh installs it");
    let mut lines = BufReader::new(driver.stdout.take().expect("a pipe")).lines();
    loop {
        let line = soon(lines.next_line())
            .await
            .expect("text")
            .expect("its port");
        let port = line.split("successfully on port ").nth(1);
        if let Some(port) = port.and_then(|rest| rest.trim_end_matches('.').parse().ok()) {
            return (driver, port);
        }
    }
}

async fn send(
    http: &reqwest::Client,
    method: Method,
    url: &str,
    body: Option<Value>,
) -> Result<Value, Value> {
    let mut request = http.request(method, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("chromedriver answers");
    let status = answer.status();
    let answer: Value = answer.json().await.expect("JSON");
    if status.is_success() {
        Ok(answer["value"].clone())
    } else {
        Err(answer["value"]["message"].clone())
    }
}
