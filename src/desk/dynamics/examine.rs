//! What `baton doctor` tries at an environment: the token first, then what the token may do.

use super::Dynamics;
use super::entra::Proof;
use super::schema::Part;
use super::settings::Settings;
use crate::desk::examination::Examination;
use crate::domain::error::DeskError;
use crate::domain::finding::Finding;

impl Dynamics {
    /// Host, clock, certificate, token, application user, tables, workstream, contacts. Nothing is made, so the rights
    /// to make things show with the first handoff (dynamics reference §5).
    pub(super) async fn examine_environment(&self) -> Vec<Finding> {
        let mut found = Examination::default();
        let Settings {
            environment_url,
            login_url,
            client_id,
            workstream,
            ..
        } = &*self.settings;
        let (http, clock) = (&self.http, &self.clock);
        if !found
            .reach(http, clock, environment_url, "`environment_url`")
            .await
        {
            return found.findings;
        }
        if let Proof::Certificate(certificate) = &self.settings.proof
            && let Some(until) = certificate.until()
        {
            found.certificate("client_certificate", until, clock.now());
        }
        let access = match self.tokens.get().await {
            Ok(access) => access,
            Err(error) => {
                found.wrong("token", &error);
                return found.findings;
            }
        };
        found.good(
            "token",
            format!("{login_url} gives the app {client_id} a token"),
        );
        let known = self.read(&access, "WhoAmI", &[]).await;
        let says = format!("the app is a user of {environment_url}");
        if !found.tried("application user", known.map(|_| says)) {
            return found.findings;
        }
        let one = |key| [("$top", "1"), ("$select", key)];
        let items = self.name(Part::WorkItems);
        let key = one(self.name(Part::WorkItemKey));
        let read = self.read(&access, items, &key);
        let says = format!(
            "`{items}` is there and may be read; whether it may be written shows with the first handoff"
        );
        found.tried("work items", read.await.map(|_| says));
        let path = format!("{}({workstream})", self.name(Part::Workstreams));
        let read = self
            .read(&access, &path, &[("$select", "msdyn_name")])
            .await;
        let says = |it: serde_json::Value| {
            format!("`{}`", it["msdyn_name"].as_str().unwrap_or(workstream))
        };
        found.tried("workstream", read.map(says));
        if self.settings.schema.name(Part::Contact).is_some() {
            let read = self.read(&access, "contacts", &one("contactid")).await;
            found.tried(
                "contacts",
                read.map(|_| "may be read".into()).map_err(unlinked),
            );
        }
        found.findings
    }
}

/// Handoffs go on without contacts, so it is said what is missing.
fn unlinked(error: DeskError) -> DeskError {
    match error {
        DeskError::Misconfigured { code, message } => DeskError::Misconfigured {
            code,
            message: format!("work items are not linked to contacts: {message}"),
        },
        error => error,
    }
}
