//! Access tokens: how one is asked for, what it says about itself, and what it means that there is none.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tracing::{debug, info};

use super::Salesforce;
use super::identity;
use super::settings::Settings;
use crate::desk::http::Answer;
use crate::domain::clock::{self, Timestamp};
use crate::domain::error::{Code, DeskError};
use crate::domain::handoff::{AccessToken, IdentityToken};
use crate::domain::ids::Cursor;
use crate::domain::seal::ExposeSecret;

/// Much less than the default of an hour, for a token that does not say (miaw reference §2.5).
const ACCESS_LIFETIME_UNSAID: Duration = Duration::from_secs(15 * 60);

/// What the answer of the token endpoint grants (miaw reference §2.1).
#[derive(Debug)]
pub struct Grant {
    /// The token, as the journey keeps it.
    pub access: AccessToken,
    /// Whom Salesforce takes the holder for: `v2/iamessage/AUTH/<keyset>/uid:<sub>` when it has verified them.
    pub subject: Option<String>,
    /// The org of the token.
    pub org_id: Option<String>,
}

impl Grant {
    /// Whether Salesforce has verified who the holder is. An answer of 200 alone does not prove it
    /// (miaw reference §3.4).
    pub fn is_verified(&self) -> bool {
        self.subject
            .as_deref()
            .is_some_and(|subject| subject.contains("/AUTH/"))
    }
}

/// Claims that we trust without a check of the signature: they come from Salesforce itself, over TLS.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessClaims {
    exp: Option<f64>,
    sub: Option<String>,
    org_id: Option<String>,
}

/// Reads the answer of the token endpoint.
pub fn granted(answer: &Value, now: Timestamp) -> Result<Grant, DeskError> {
    let broken = |what: &str| DeskError::Broken(format!("{what} in the answer of the token call"));
    let token = answer["accessToken"]
        .as_str()
        .ok_or_else(|| broken("no `accessToken`"))?;
    let claims: AccessClaims = jsonwebtoken::dangerous::insecure_decode_claims(token)
        .map_err(|_| broken("an `accessToken` that is no JWT"))?;
    let expires_at = claims
        .exp
        .and_then(|seconds| Timestamp::from_second(seconds as i64).ok())
        .unwrap_or_else(|| clock::after(now, ACCESS_LIFETIME_UNSAID));
    // A string in the documents, a number in older versions (miaw reference §2.1).
    let cursor = match &answer["lastEventId"] {
        Value::String(id) if !id.is_empty() => Some(Cursor(id.clone())),
        Value::Number(id) => Some(Cursor(id.to_string())),
        _ => None,
    };
    let subject = answer.pointer("/context/endUser/subject");
    Ok(Grant {
        access: AccessToken {
            token: token.into(),
            expires_at,
            cursor,
        },
        subject: subject
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or(claims.sub),
        org_id: claims.org_id,
    })
}

impl Salesforce {
    /// The authenticated flow (miaw reference §2.2). A token that does not prove who the contact is would make every
    /// renewal a stranger, whose conversation is out of reach (miaw reference §2.5).
    ///
    /// While keys are rotated, the org may take only one of both, and a token may still be signed with a key that is no
    /// longer ours: it is signed again with each that it was not signed with.
    pub(super) async fn grant(&self, identity: &IdentityToken) -> Result<Grant, DeskError> {
        let first = self.exchange(identity).await;
        let Err(DeskError::Misconfigured {
            code: Code::BadCredentials,
            ..
        }) = &first
        else {
            return first;
        };
        let Some((subject, signed_with)) = identity::read(identity) else {
            return first;
        };
        let settings = &self.settings;
        for key in [Some(&settings.key), settings.next_key.as_ref()] {
            let Some(key) = key.filter(|key| key.id != signed_with) else {
                continue;
            };
            let again = identity::sign(settings, key, &subject, self.clock.now())?;
            if let Ok(grant) = self.exchange(&again).await {
                info!(connection = %settings.connection, "the org takes the key `{}` and not `{signed_with}`", key.id);
                return Ok(grant);
            }
        }
        first
    }

    /// One try with one identity token.
    pub(super) async fn exchange(&self, identity: &IdentityToken) -> Result<Grant, DeskError> {
        // A refusal would look like bad credentials, and it is only late.
        if identity.expires_at <= self.clock.now() {
            let late = "the identity token expired before it was used";
            return Err(DeskError::Unauthorized(late.into()));
        }
        let url = self.api("authorization/authenticated/access-token");
        let body = json!({
            "orgId": self.settings.org_id,
            "esDeveloperName": self.settings.es_developer_name,
            "capabilitiesVersion": "1",
            "platform": "Web",
            "context": { "appName": "baton", "clientVersion": env!("CARGO_PKG_VERSION") },
            "authorizationType": "JWT",
            "customerIdentityToken": identity.token.expose_secret(),
        });
        let answer = self.ask(self.http.calls.post(url).json(&body)).await?;
        if !answer.status.is_success() {
            return Err(self.why_no_token(&answer));
        }
        let grant = granted(&answer.json()?, self.clock.now())?;
        if !grant.is_verified() {
            return Err(self.a_guest());
        }
        match &grant.org_id {
            Some(org) if !org.starts_with(&self.settings.org_id) => {
                Err(self.bad_org("it gave a token of another one"))
            }
            _ => Ok(grant),
        }
    }

    /// How a bad deployment or a bad identity token fails is disputed, so the words decide what the status does not
    /// (miaw reference §1, §2.2).
    fn why_no_token(&self, answer: &Answer) -> DeskError {
        let said = answer.explanation();
        let lower = said.to_lowercase();
        let speaks_of = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        match answer.status.as_u16() {
            400 if speaks_of(&["deploymenttype", "deployment type"]) => self.bad_type(&said),
            400 | 404 if speaks_of(&["orgid", "org id", "organization"]) => self.bad_org(&said),
            400 if speaks_of(&["deployment", "esdevelopername"]) => self.bad_deployment(&said),
            400 if speaks_of(&["jwt", "identity", "issuer", "signature", "verif"]) => {
                self.bad_identity(&said)
            }
            401 | 403 => self.bad_identity(&said),
            404 => self.bad_deployment(&said),
            _ => answer.meaning(),
        }
    }

    fn bad_deployment(&self, said: &str) -> DeskError {
        let name = &self.settings.es_developer_name;
        self.deployment(&format!(
            "Salesforce does not know the deployment `{name}` in this org ({said}); copy its API Name from Setup → Embedded Service Deployments into `es_developer_name`, or check `org_id` and `instance_url`"
        ))
    }

    /// Only one type may use the API (miaw reference §1).
    fn bad_type(&self, said: &str) -> DeskError {
        let name = &self.settings.es_developer_name;
        self.deployment(&format!(
            "Salesforce does not know the deployment `{name}` as one for this API ({said}); make one of type Custom Client in Setup → Embedded Service Deployments, and write its API Name as `es_developer_name`"
        ))
    }

    fn bad_org(&self, said: &str) -> DeskError {
        let Settings { org_id, scrt, .. } = &self.settings;
        self.deployment(&format!(
            "Salesforce does not know the org {org_id} at {} ({said}); copy the Organization ID from Setup → Company Information into `org_id`, or check `{}`",
            scrt.url, scrt.setting
        ))
    }

    fn deployment(&self, what: &str) -> DeskError {
        DeskError::Misconfigured {
            code: Code::BadDeployment,
            message: format!("{what} of connection `{}`", self.settings.connection),
        }
    }

    /// No source has the words of a real org, so those of which one is likely to be sure come first, and the usual
    /// causes are the rest, in the order in which they are worth a look (miaw reference §3.2, §3.3).
    fn bad_identity(&self, said: &str) -> DeskError {
        let Settings { key, issuer, .. } = &self.settings;
        let auth_key_id = &key.id;
        let lower = said.to_lowercase();
        let speaks_of = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let what = if speaks_of(&["key id", "kid"]) {
            format!(
                "there is no JWK with the kid `{auth_key_id}`; write the kid of the uploaded JWK (Setup → User Verification) as `auth_key_id`"
            )
        } else if speaks_of(&["signature"]) {
            format!(
                "the JWK with the kid `{auth_key_id}` is not the other half of `auth_private_key`; upload the JWK of this key pair (Setup → User Verification), or paste the private key that the JWK was made with"
            )
        } else if speaks_of(&["issuer"]) {
            format!(
                "the keyset has another issuer than `{issuer}`; copy the Issuer of the keyset to the letter (Setup → User Verification), slash at the end and all, into `issuer`"
            )
        } else if speaks_of(&["expir"]) {
            "it holds the token for old; set the clock of this machine right".to_owned()
        } else {
            format!(
                "check in Setup → User Verification that the JWK has the kid `{auth_key_id}` (`auth_key_id`) and an `x5c` certificate, that its keyset has exactly the issuer `{issuer}` (`issuer`), that the messaging channel has user verification with this keyset, and that the deployment was published again"
            )
        };
        let connection = &self.settings.connection;
        DeskError::Misconfigured {
            code: Code::BadCredentials,
            message: format!(
                "Salesforce does not verify the identity tokens of connection `{connection}` ({said}); {what}"
            ),
        }
    }

    /// A bad key and a channel that verifies nobody look the same (miaw reference §3.3, §3.4).
    fn a_guest(&self) -> DeskError {
        let Settings {
            connection,
            key,
            issuer,
            ..
        } = &self.settings;
        let auth_key_id = &key.id;
        DeskError::Misconfigured {
            code: Code::BadCredentials,
            message: format!(
                "Salesforce gives a token, but one for an anonymous guest, so it does not verify the identity tokens of connection `{connection}`; turn on user verification with your keyset for the messaging channel (Setup → Messaging Settings → the channel → Edit), publish the deployment again, and check in Setup → User Verification that the keyset has the issuer `{issuer}` (`issuer`) and the JWK the kid `{auth_key_id}` (`auth_key_id`) and an `x5c` certificate"
            ),
        }
    }

    /// Gives a token back (miaw reference §2.4). It dies by itself, so a failure is of no consequence.
    pub(super) async fn revoke(&self, access: &AccessToken) {
        let url = self.api("authorization/authenticated/access-token");
        if let Err(error) = self.call(access, self.http.calls.delete(url)).await {
            debug!(connection = %self.settings.connection, %error, "did not revoke an access token");
        }
    }
}
