//! What `baton doctor` tries at an account: each thing that a handoff needs, and whether webhooks get back to us.

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;

use super::Zendesk;
use super::webhook::SECRET;
use crate::desk::examination::{Examination, Ours, origin};
use crate::domain::finding::Finding;
use crate::domain::seal::ExposeSecret;

impl Zendesk {
    /// Host, clock, key and app, multi-conversations, workspace, Support, webhook; nothing is changed.
    pub(super) async fn examine_app(&self, ours: Ours<'_>) -> Vec<Finding> {
        let mut found = Examination::default();
        let settings = &self.settings;
        let host = origin(settings.app.as_str());
        if !found
            .reach(&self.http, &self.clock, &host, "`subdomain` or `base_url`")
            .await
        {
            return found.findings;
        }
        let switchboards = self.http.calls.get(self.api(&["switchboards"]));
        let key = self.as_operator(switchboards).await;
        let app = format!("Zendesk takes the key for the app {}", settings.app_id);
        if !found.tried("key", key.map(|_| app)) {
            return found.findings;
        }
        let many = self.check_multi_conversations().await;
        found.tried("multi-conversations", many.map(|()| "not off".into()));
        let workspace = self.check_switchboard().await;
        let is_there = format!("the switchboard has `{}`", settings.workspace);
        found.tried("workspace", workspace.map(|()| is_there));
        match &settings.support {
            Some(support) => {
                let linked = self.check_support(support).await;
                let says = "contacts are linked to support users";
                found.tried("support", linked.map(|()| says.into()));
            }
            None => found.good(
                "support",
                "not asked, so contacts are not linked to support users; that takes `support_email` and `support_token`",
            ),
        }
        match self.check_webhook().await {
            Err(error) => found.wrong("webhook", &error),
            Ok(target) => {
                found.good("webhook", format!("goes to {target} with our secret"));
                self.examine_target(&mut found, &target, ours).await;
            }
        }
        found.findings
    }

    /// Knocks where Zendesk will, with the secret and nothing to tell.
    async fn examine_target(&self, found: &mut Examination, target: &str, ours: Ours<'_>) {
        const CHECK: &str = "way back";
        let expected = ours.public_url.trim_end_matches('/');
        if !target.starts_with(&format!("{expected}/")) {
            return found.findings.push(Finding::wrong(
                CHECK,
                format!("the webhook goes to {target}, and `http.public_url` is {expected}; put that right, or save the connection again so that the webhook follows it"),
            ));
        }
        if !ours.serving {
            return found.unsure(
                CHECK,
                format!("whether Zendesk reaches {target} shows only while `baton serve` runs"),
            );
        }
        let Some(secret) = &self.settings.webhook_secret else {
            return;
        };
        let knock = self.http.calls.post(target);
        let knock = knock
            .header(SECRET, secret.expose_secret())
            .header(CONTENT_TYPE, "application/json")
            .body(r#"{"events":[]}"#);
        let wrong = |what: String| {
            Finding::wrong(
                CHECK,
                format!(
                    "{target} {what}, so no reply will come; check `http.public_url`, and that the proxy in front passes /webhooks/ on to `http.listen`"
                ),
            )
        };
        found.findings.push(match self.http.call(knock).await {
            Ok(answer) if answer.status == StatusCode::OK => {
                Finding::good(CHECK, format!("{target} leads to us, as seen from here"))
            }
            Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => wrong("answers, and does not take the secret of this connection: another worker listens there".into()),
            Ok(answer) => wrong(format!("answers {}", answer.status)),
            Err(error) => wrong(format!("cannot be reached ({error})")),
        });
    }
}
