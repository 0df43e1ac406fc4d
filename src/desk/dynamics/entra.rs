//! Microsoft Entra: how a token is asked for, and what it means that there is none (dynamics reference §1).

use std::time::Duration;

use serde_json::Value;

use super::certificate::Certificate;
use super::settings::Settings;
use crate::desk::http::{Answer, Http};
use crate::domain::clock::{self, Clock, Timestamp};
use crate::domain::error::{Code, DeskError};
use crate::domain::handoff::AccessToken;
use crate::domain::seal::{ExposeSecret, SecretString};

/// How we prove to be the app.
#[derive(Debug)]
pub enum Proof {
    /// With a secret.
    Secret(SecretString),
    /// With a certificate.
    Certificate(Certificate),
}

/// A token is renewed this long before it dies; nobody may count on the usual hour (dynamics reference §1.1).
const RENEWED_BEFORE: Duration = Duration::from_secs(300);

/// Less would be used up before it is used.
const LIFETIME_MIN: Duration = Duration::from_secs(60);

/// `client_assertion_type` of a certificate (dynamics reference §1.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Asks for a token (dynamics reference §1.1). There is no refresh token; one asks again.
pub async fn grant(
    settings: &Settings,
    http: &Http,
    clock: &Clock,
) -> Result<AccessToken, DeskError> {
    let Settings {
        tenant_id,
        client_id,
        environment_url,
        login_url,
        ..
    } = settings;
    let url = format!("{login_url}/{tenant_id}/oauth2/v2.0/token");
    let now = clock.now();
    let scope = format!("{environment_url}/.default");
    let mut form = vec![
        ("client_id", client_id.clone()),
        ("grant_type", "client_credentials".to_owned()),
        ("scope", scope),
    ];
    match &settings.proof {
        Proof::Secret(secret) => form.push(("client_secret", secret.expose_secret().to_owned())),
        Proof::Certificate(certificate) => form.extend([
            ("client_assertion_type", ASSERTION_TYPE.to_owned()),
            (
                "client_assertion",
                certificate.assertion(client_id, &url, now)?,
            ),
        ]),
    }
    let answer = http
        .call(http.calls.post(&url).form(&form))
        .await
        .map_err(|error| unreachable(settings, error))?;
    if answer.status.is_success() {
        granted(&answer.json()?, now)
    } else {
        Err(why_no_token(settings, &answer))
    }
}

fn granted(answer: &Value, now: Timestamp) -> Result<AccessToken, DeskError> {
    let broken = |what: &str| DeskError::Broken(format!("{what} in the answer of the token call"));
    let token = answer["access_token"]
        .as_str()
        .ok_or_else(|| broken("no `access_token`"))?;
    // A number; a string in the older endpoint.
    let lifetime = match &answer["expires_in"] {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    };
    let lifetime = Duration::from_secs(lifetime.ok_or_else(|| broken("no `expires_in`"))?);
    if lifetime < LIFETIME_MIN {
        return Err(broken("a token of a few seconds"));
    }
    // One that lives for minutes only is renewed when it is half used up.
    let used_for = lifetime.saturating_sub(RENEWED_BEFORE).max(lifetime / 2);
    Ok(AccessToken {
        token: token.into(),
        expires_at: clock::after(now, used_for),
        cursor: None,
    })
}

/// The settings that a refusal speaks of, and what to do about them.
struct Fault {
    code: Code,
    what: &'static str,
    check: &'static str,
}

impl Fault {
    /// Of the credentials.
    const fn credentials(what: &'static str, check: &'static str) -> Option<Self> {
        Some(Self {
            code: Code::BadCredentials,
            what,
            check,
        })
    }

    /// Of the address.
    const fn address(what: &'static str, check: &'static str) -> Option<Self> {
        Some(Self {
            code: Code::BadDeployment,
            what,
            check,
        })
    }

    /// By the number after `AADSTS` (dynamics reference §1.3).
    fn of(number: u64) -> Option<Self> {
        match number {
            7000215 => Self::credentials(
                "the client secret is wrong",
                "paste the secret's Value, not its Secret ID, into `client_secret`",
            ),
            7000222 => Self::credentials(
                "the client secret has expired",
                "make a new one (your app → Certificates & secrets) and put it into `client_secret`",
            ),
            700016 => Self::credentials(
                "the app is not in this tenant",
                "check `client_id` and `tenant_id`",
            ),
            7000112 => Self::credentials(
                "the app is disabled",
                "enable it (Microsoft Entra → Enterprise applications), or check `client_id`",
            ),
            90002 | 900023 => Self::credentials("there is no such tenant", "check `tenant_id`"),
            700027 => Self::credentials(
                "it does not know the certificate",
                "upload `client_certificate` to the app registration (your app → Certificates & secrets)",
            ),
            65001 => Self::credentials(
                "an administrator has not consented",
                "grant admin consent for Dynamics CRM to the app of `client_id` (your app → API permissions)",
            ),
            500011 | 650057 | 70011 | 700022 | 700023 => Self::address(
                "the environment is unknown in this tenant",
                "check `environment_url`, which has no path and no slash at its end, and `tenant_id`",
            ),
            _ => None,
        }
    }
}

/// Any 400 or 401 is the connection's fault unless its number says that it will pass (dynamics reference §1.3).
fn why_no_token(settings: &Settings, answer: &Answer) -> DeskError {
    let number = aadsts(answer);
    let passes = number.is_some_and(|number| [90006, 90012, 90024, 90033, 90055].contains(&number));
    let (status, connection) = (answer.status.as_u16(), &settings.connection);
    match (status, number) {
        (400 | 401, _) if passes => DeskError::Unavailable {
            status,
            retry_after: answer.retry_after(),
            message: answer.explanation(),
        },
        (400..=404, number) => {
            let Fault { code, what, check } = number.and_then(Fault::of).unwrap_or(Fault {
                code: Code::BadCredentials,
                what: "it does not accept the app",
                check: "check `tenant_id`, `client_id` and `client_secret`",
            });
            let said =
                number.map_or_else(|| answer.explanation(), |number| format!("AADSTS{number}"));
            DeskError::Misconfigured {
                code,
                message: format!(
                    "Microsoft Entra gives no token for connection `{connection}`: {what} ({said}); {check}"
                ),
            }
        }
        _ => answer.meaning(),
    }
}

/// The number of an error: in a list of its own, or at the beginning of the description.
fn aadsts(answer: &Answer) -> Option<u64> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    body.pointer("/error_codes/0")
        .and_then(Value::as_u64)
        .or_else(|| {
            let (_, rest) = body["error_description"].as_str()?.split_once("AADSTS")?;
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..digits].parse().ok()
        })
}

/// Which of the two hosts cannot be reached is not to be guessed.
fn unreachable(settings: &Settings, error: DeskError) -> DeskError {
    match error {
        DeskError::Unreachable(why) => DeskError::Unreachable(format!(
            "{why}, at {}, where tokens come from; check `login_url` of connection `{}` and the network",
            settings.login_url, settings.connection
        )),
        error => error,
    }
}
