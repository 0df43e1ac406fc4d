//! What `baton doctor` tries at an org, in the order in which an admin sets it up.

use super::Salesforce;
use super::identity;
use super::settings::{Settings, SigningKey};
use crate::desk::NEXT_KEY;
use crate::desk::examination::Examination;
use crate::domain::error::{Code, DeskError};
use crate::domain::escalation::Identity;
use crate::domain::finding::Finding;
use crate::domain::ids::SessionId;

impl Salesforce {
    /// Host, clock, certificate, deployment, keyset, token; no conversation is made.
    pub(super) async fn examine_org(&self) -> Vec<Finding> {
        let mut found = Examination::default();
        let Settings {
            scrt,
            key,
            next_key,
            ..
        } = &self.settings;
        let setting = "`scrt_url`, or `instance_url` from which it follows";
        if !found
            .reach(&self.http, &self.clock, &scrt.url, setting)
            .await
        {
            return found.findings;
        }
        let now = self.clock.now();
        match &key.jwk {
            Some(jwk) => found.certificate("auth_jwk", jwk.certificate.until, now),
            None => found.unsure(
                "certificate",
                "nobody watches when it expires; give the JWK that you uploaded as `auth_jwk`",
            ),
        }
        self.try_token(&mut found).await;
        if let Some(next) = next_key {
            if let Some(jwk) = &next.jwk {
                found.certificate("auth_next_jwk", jwk.certificate.until, now);
            }
            self.try_next(&mut found, next).await;
        }
        found.findings
    }

    /// Whether the org is ready for a rotation.
    async fn try_next(&self, found: &mut Examination, next: &SigningKey) {
        let connection = &self.settings.connection;
        let says = match self.probe_with(next).await {
            Ok(()) => {
                let says = format!(
                    "the org takes the next key `{}`; the present one can go",
                    next.id
                );
                let ready = Finding::good(NEXT_KEY, says);
                let command = format!("baton connection rotate {connection}");
                return found.findings.push(ready.fixed_by(command));
            }
            Err(error) => error,
        };
        found.findings.push(Finding::wrong(
            NEXT_KEY,
            format!("the org does not take the next key `{}` (`auth_next_key_id`) yet; upload its JWK and add it to the keyset (Setup → User Verification): {says}", next.id),
        ));
    }

    /// Gets a token with one key alone, and gives it back.
    async fn probe_with(&self, key: &SigningKey) -> Result<(), DeskError> {
        let probe = Identity::Anonymous(SessionId::from("baton-verify")).subject();
        let identity = identity::sign(&self.settings, key, &probe, self.clock.now())?;
        let grant = self.exchange(&identity).await?;
        self.revoke(&grant.access).await;
        Ok(())
    }

    async fn try_token(&self, found: &mut Examination) {
        let probe = Identity::Anonymous(SessionId::from("baton-verify")).subject();
        let granted = async {
            let key = &self.settings.key;
            let identity = identity::sign(&self.settings, key, &probe, self.clock.now())?;
            self.exchange(&identity).await
        };
        let Settings {
            es_developer_name,
            org_id,
            key,
            issuer,
            ..
        } = &self.settings;
        let known = format!("org {org_id} knows `{es_developer_name}`");
        let error = match granted.await {
            Ok(grant) => {
                self.revoke(&grant.access).await;
                let lives = grant.access.expires_at.duration_since(self.clock.now());
                found.good("deployment", known);
                found.good(
                    "keyset",
                    format!(
                        "contacts are verified with the key `{}` and the issuer `{issuer}`",
                        key.id
                    ),
                );
                found.good("token", format!("given for {} minutes", lives.as_mins()));
                return;
            }
            Err(error) => error,
        };
        match &error {
            DeskError::Misconfigured {
                code: Code::BadDeployment,
                ..
            } => {
                found.wrong("deployment", &error);
                found.unsure("keyset", "not tried, because the deployment comes first");
            }
            DeskError::Misconfigured { .. } => found.wrong("keyset", &error),
            _ => found.wrong("token", &error),
        }
    }
}
