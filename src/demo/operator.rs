//! What an operator of the demo's worker does, through its HTTP API.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::desk::Desk;

/// `verify` makes a few calls to the desk; nothing else takes long.
const PATIENCE: Duration = Duration::from_secs(20);

/// An operator, with the worker's token.
#[derive(Clone)]
pub struct Operator {
    http: Client,
    token: String,
    url: String,
}

impl Operator {
    /// Knows the worker at this URL, whose files are in this folder.
    pub fn of(url: &str, folder: &Path) -> anyhow::Result<Self> {
        let token = std::fs::read_to_string(folder.join("baton.token"))
            .context("cannot read the token that the worker made")?;
        Ok(Self {
            // Our own machine needs no proxy, whatever the environment says.
            http: Client::builder().no_proxy().timeout(PATIENCE).build()?,
            token: token.trim().to_owned(),
            url: url.to_owned(),
        })
    }

    /// The same, after the worker has started anew and has another port.
    pub fn at(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    /// Waits until the worker takes deliveries.
    pub async fn until_ready(&self) {
        const LOOK: Duration = Duration::from_millis(20);
        let ready = || self.http.get(format!("{}/readyz", self.url)).send();
        while !ready()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Saves a connection to a desk, and tries its credentials; what the desk says.
    pub async fn connect(&self, name: &str, desk: &dyn Desk) -> anyhow::Result<String> {
        let connection = json!({ "desk": desk.kind().as_str(), "settings": desk.settings() });
        self.ask(Method::PUT, &format!("connections/{name}"), |it| {
            it.json(&connection)
        })
        .await?;
        let verified = self
            .ask(Method::POST, &format!("connections/{name}/verify"), |it| it)
            .await?;
        let says = verified["says"].as_str().unwrap_or_default().to_owned();
        if verified["ok"] != true {
            bail!("the connection `{name}` does not work: {says}");
        }
        Ok(says)
    }

    /// The timeline of a session's handoff.
    pub async fn handoff(&self, session: &str) -> anyhow::Result<Value> {
        let found = self
            .ask(Method::GET, &format!("handoffs/{session}"), |it| it)
            .await?;
        Ok(found[0].clone())
    }

    /// What is set aside, newest first.
    pub async fn dead_letters(&self) -> anyhow::Result<Vec<Value>> {
        let found = self.ask(Method::GET, "dead-letters", |it| it).await?;
        Ok(found.as_array().cloned().unwrap_or_default())
    }

    /// Sends a session's dead letter on.
    pub async fn replay(&self, session: &str) -> anyhow::Result<Value> {
        self.ask(
            Method::POST,
            &format!("dead-letters/{session}/replay"),
            |it| it,
        )
        .await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<Value> {
        let url = format!("{}/api/v1/{path}", self.url);
        let request = with(self.http.request(method, url)).bearer_auth(&self.token);
        let answer = request.send().await?;
        let status = answer.status();
        let answer: Value = answer.json().await?;
        if !status.is_success() {
            bail!(
                "the worker answered {status} to {path}: {}",
                answer["error"]
            );
        }
        Ok(answer)
    }
}
