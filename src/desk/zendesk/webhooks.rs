//! The webhook that brings the reps' replies: registered, kept as it should be, and checked.
//!
//! It belongs to a custom integration of ours that is not linked to the switchboard, and so hears of all conversations
//! whoever has control (sunshine reference §2.7).

use reqwest::{RequestBuilder, Url};
use serde_json::{Value, json};
use url::Host;

use super::Zendesk;
use crate::desk::SetUp;
use crate::domain::error::{Code, DeskError};
use crate::domain::seal::ExposeSecret;

/// What it is called for (sunshine reference §3.2).
const TRIGGERS: [&str; 6] = [
    "conversation:message",
    "conversation:remove",
    "conversation:typing",
    "switchboard:passControl",
    "switchboard:passControl:failure",
    "switchboard:releaseControl",
];
/// The most that Zendesk gives on a page (sunshine reference §1.5).
const PAGE_MAX: &str = "100";
/// A thousand integrations: more than an app has.
const PAGES_MAX: usize = 10;

/// Whether only this machine can reach it.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A webhook, and the integration that it belongs to.
struct Found {
    integration: String,
    webhook: Value,
}

impl Found {
    fn text(&self, name: &str) -> &str {
        self.webhook[name].as_str().unwrap_or_default()
    }

    fn hears_all(&self) -> bool {
        let heard = self.webhook["triggers"].as_array();
        let heard = heard.map(Vec::as_slice).unwrap_or_default();
        TRIGGERS
            .iter()
            .all(|trigger| heard.iter().any(|it| it == trigger))
    }
}

impl Zendesk {
    /// Lets Zendesk call us: the webhook that carries our secret, or else our address, is put right; if there is none,
    /// one is made.
    pub(super) async fn register_webhook(&self, public_url: &str) -> Result<SetUp, DeskError> {
        let target = format!("{}{}", public_url.trim_end_matches('/'), self.path());
        self.can_call(&target)?;
        let integrations = self.custom_integrations().await?;
        let webhooks = self.webhooks_of(&integrations).await?;
        let ours = webhooks.iter().find(|it| self.has_our_secret(it));
        let ours = ours.or_else(|| webhooks.iter().find(|it| it.text("target") == target));
        let (webhook, says) = match ours {
            Some(ours) if ours.text("target") == target && ours.hears_all() => (
                ours.webhook.clone(),
                format!("the webhook to {target} is registered"),
            ),
            Some(ours) => {
                let path = [
                    "integrations",
                    &ours.integration,
                    "webhooks",
                    ours.text("id"),
                ];
                let body = json!({ "target": target, "triggers": TRIGGERS });
                let patched = self.http.calls.patch(self.api(&path)).json(&body);
                self.as_operator(patched).await?;
                (
                    ours.webhook.clone(),
                    format!("the webhook now goes to {target}"),
                )
            }
            None => (
                self.make_webhook(&integrations, &target).await?,
                format!("registered a webhook to {target}"),
            ),
        };
        let secret = webhook["secret"]
            .as_str()
            .ok_or_else(|| DeskError::Broken("a webhook without its `secret`".into()))?;
        Ok(SetUp {
            secrets: [("webhook_secret".to_owned(), secret.into())].into(),
            says: vec![says],
        })
    }

    /// Zendesk is elsewhere, unless it is simulated: what only this machine can reach, it cannot call.
    fn can_call(&self, target: &str) -> Result<(), DeskError> {
        const WRITE: &str = "set `http.public_url` to the address at which Zendesk reaches this worker, such as https://baton.acme.example";
        let wrong = |what: &str| {
            let what = format!("{what}; {WRITE}, and save the connection again");
            self.misconfigured(Code::BadDeployment, "http.public_url", &what)
        };
        let Ok(url) = Url::parse(target) else {
            return Err(wrong("is no address"));
        };
        if url.port() == Some(0) {
            return Err(wrong("has no port that anybody could call"));
        }
        if is_here(&url) && !is_here(&self.settings.app) {
            return Err(wrong(&format!("Zendesk cannot call {target}")));
        }
        Ok(())
    }

    /// Whether replies will come: what is wrong with the webhook, as far as it can be seen from here.
    pub(super) async fn check_webhook(&self) -> Result<String, DeskError> {
        const SAVE: &str = "save the connection again so that it is registered";
        let integrations = self.custom_integrations().await?;
        let webhooks = self.webhooks_of(&integrations).await?;
        let wrong =
            |what: String| self.misconfigured(Code::BadCredentials, "webhook_secret", &what);
        let Some(ours) = webhooks.iter().find(|it| self.has_our_secret(it)) else {
            let is_there = webhooks
                .iter()
                .any(|it| it.text("target").ends_with(&self.path()));
            return Err(wrong(match is_there {
                true => format!(
                    "the webhook to {} has another secret, so replies are turned away; {SAVE}",
                    self.path()
                ),
                false => format!(
                    "no webhook of the app leads to {}, so replies do not come; {SAVE}",
                    self.path()
                ),
            }));
        };
        let target = ours.text("target");
        if !target.ends_with(&self.path()) {
            return Err(wrong(format!(
                "the webhook leads to {target} and not to {}, so replies do not come; {SAVE}",
                self.path()
            )));
        }
        if !ours.hears_all() {
            return Err(wrong(format!(
                "the webhook is not called for all of {}; {SAVE}",
                TRIGGERS.join(", ")
            )));
        }
        Ok(target.to_owned())
    }

    fn path(&self) -> String {
        format!("/webhooks/zendesk/{}", self.settings.connection)
    }

    fn has_our_secret(&self, found: &Found) -> bool {
        let ours = self.settings.webhook_secret.as_ref();
        ours.is_some_and(|ours| ours.expose_secret() == found.text("secret"))
    }

    fn integration_name(&self) -> String {
        format!("Baton {}", self.settings.connection)
    }

    async fn make_webhook(&self, integrations: &[Value], target: &str) -> Result<Value, DeskError> {
        let webhook = json!({ "target": target, "triggers": TRIGGERS });
        let name = self.integration_name();
        let ours = integrations
            .iter()
            .find(|it| it["displayName"] == name.as_str());
        if let Some(id) = ours.and_then(|it| it["id"].as_str()) {
            let url = self.api(&["integrations", id, "webhooks"]);
            let made = self
                .as_operator(self.http.calls.post(url).json(&webhook))
                .await?;
            return Ok(made["webhook"].clone());
        }
        let body = json!({
            "type": "custom", "displayName": name, "webhooks": [webhook],
        });
        let url = self.api(&["integrations"]);
        let made = self
            .as_operator(self.http.calls.post(url).json(&body))
            .await?;
        // The secret is known to be in the list (§3.1).
        let made = self.webhooks_of(&[made["integration"].clone()]).await?;
        let made = made.into_iter().find(|it| it.text("target") == target);
        made.map(|it| it.webhook)
            .ok_or_else(|| DeskError::Broken("a new integration without its webhook".into()))
    }

    async fn custom_integrations(&self) -> Result<Vec<Value>, DeskError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let url = self.api(&["integrations"]);
            let request = self.http.calls.get(url).query(&[("page[size]", PAGE_MAX)]);
            let request = match &after {
                Some(cursor) => request.query(&[("page[after]", cursor)]),
                None => request,
            };
            let page = self.as_operator(request).await?;
            let listed = page["integrations"].as_array().into_iter().flatten();
            all.extend(listed.filter(|it| it["type"] == "custom").cloned());
            match page.pointer("/meta/afterCursor").and_then(Value::as_str) {
                Some(cursor) if page["meta"]["hasMore"] == true => after = Some(cursor.to_owned()),
                Some(_) | None => break,
            }
        }
        Ok(all)
    }

    async fn webhooks_of(&self, integrations: &[Value]) -> Result<Vec<Found>, DeskError> {
        let mut all = Vec::new();
        for integration in integrations.iter().filter_map(|it| it["id"].as_str()) {
            let url = self.api(&["integrations", integration, "webhooks"]);
            let page = self.as_operator(self.http.calls.get(url)).await?;
            let listed = page["webhooks"].as_array().into_iter().flatten();
            all.extend(listed.map(|webhook| Found {
                integration: integration.to_owned(),
                webhook: webhook.clone(),
            }));
        }
        Ok(all)
    }

    /// A call of an operator, for whom a refused key is a wrong key.
    pub(super) async fn as_operator(&self, request: RequestBuilder) -> Result<Value, DeskError> {
        let answer = self.call(request).await?;
        if answer.status == 401 {
            return Err(self.key_refused());
        }
        self.accepted(answer)?.json()
    }
}
