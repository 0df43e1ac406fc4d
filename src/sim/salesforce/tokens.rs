//! The calls about access tokens (miaw reference §2.1 to §2.5).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::Shared;
use super::api::Answer;
use super::calls::done;
use super::event::uuid;
use super::identity::Access;
use super::ledger::Issued;
use super::memory::Memory;
use super::refusal::Refusal;
use super::request::{TokenRequest, read};
use super::switches::{BadIdentity, LastEventId, UserVerification};

/// For unverified users the lifetime is not documented; this is from memory (§2.5).
const ANONYMOUS_LIFETIME: Duration = Duration::from_secs(6 * 60 * 60);

pub(super) async fn unauthenticated(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    shared.change(|memory| {
        let request = token_request(memory, &body)?;
        Ok(shared.issue(
            memory,
            anonymous(),
            ANONYMOUS_LIFETIME,
            None,
            request.device_id,
        ))
    })
}

pub(super) async fn authenticated(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    shared.change(|memory| {
        let request = token_request(memory, &body)?;
        if request.authorization_type.as_deref() != Some("JWT") {
            return Err(Refusal::bad_request(
                "Specify the authorizationType as JWT.",
            ));
        }
        let token = request.customer_identity_token.unwrap_or_default();
        let options = Arc::clone(&memory.options);
        if memory.switches.user_verification == UserVerification::Off {
            let why = "the channel has no user verification";
            return Ok(shared.issue(
                memory,
                anonymous(),
                ANONYMOUS_LIFETIME,
                Some(why.to_owned()),
                request.device_id,
            ));
        }
        match (
            shared.keyset().verify(&token, memory.now()),
            memory.switches.bad_identity,
        ) {
            (Ok(subject), _) => {
                let subject = format!("v2/iamessage/AUTH/{}/uid:{subject}", options.keyset);
                Ok(shared.issue(
                    memory,
                    subject,
                    options.token_lifetime,
                    None,
                    request.device_id,
                ))
            }
            (Err(why), BadIdentity::Anonymous) => Ok(shared.issue(
                memory,
                anonymous(),
                ANONYMOUS_LIFETIME,
                Some(why.to_string()),
                request.device_id,
            )),
            (Err(why), BadIdentity::BadRequest) => Err(Refusal::bad_request(why.to_string())),
            (Err(why), BadIdentity::Unauthorized) => {
                Err(Refusal::new(StatusCode::UNAUTHORIZED, why.to_string()))
            }
        }
    })
}

/// The same end user as another client; the expiry stays (§2.3).
pub(super) async fn continuation(State(shared): State<Arc<Shared>>, caller: Access) -> Answer {
    shared.change(|memory| {
        check_rate(memory)?;
        let lifetime = Duration::from_millis((caller.exp * 1_000).saturating_sub(memory.now()));
        let (token, last_event_id) = shared.mint(memory, caller.sub, lifetime, None);
        Ok(Json(json!({ "accessToken": token, "lastEventId": last_event_id })).into_response())
    })
}

pub(super) async fn revoke(State(shared): State<Arc<Shared>>, caller: Access) -> Answer {
    shared.change(|memory| {
        if !caller.is_verified() {
            return Err(Refusal::bad_request(
                "The token wasn't generated for an authenticated user.",
            ));
        }
        memory.revoked.insert(caller.jti);
        Ok(done(memory.switches.deletes))
    })
}

fn anonymous() -> String {
    format!("v2/iamessage/UNAUTH/NA/uid:{}", uuid())
}

/// What both ways to a token check first.
fn token_request(memory: &mut Memory, body: &[u8]) -> Result<TokenRequest, Refusal> {
    check_rate(memory)?;
    let request: TokenRequest = read(body, memory.switches.unknown_fields)?;
    // The 18-character form adds a checksum to the 15 (§1).
    let org_id = request
        .org_id
        .get(..15)
        .filter(|_| matches!(request.org_id.len(), 15 | 18));
    if org_id != Some(memory.options.org_id.as_str()) {
        return Err(Refusal::bad_request("The orgId doesn't exist."));
    }
    memory.check_deployment(&request.es_developer_name)?;
    if request.capabilities_version != "1" {
        return Err(Refusal::bad_request(
            "Specify the capabilitiesVersion as 1.",
        ));
    }
    if !matches!(request.platform.as_str(), "Web" | "Mobile") {
        return Err(Refusal::bad_request("Specify the platform as Web."));
    }
    Ok(request)
}

fn check_rate(memory: &mut Memory) -> Result<(), Refusal> {
    let (per_minute, now) = (memory.options.limits.tokens_per_minute, memory.now());
    if memory.token_rate.admits(per_minute, now) {
        return Ok(());
    }
    let reason = format!("More than {per_minute} access tokens in a minute for this org.");
    Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, reason))
}

impl Shared {
    fn issue(
        &self,
        memory: &mut Memory,
        subject: String,
        lifetime: Duration,
        downgraded: Option<String>,
        device: Option<String>,
    ) -> Response {
        let is_verified = subject.starts_with("v2/iamessage/AUTH/");
        let (token, last_event_id) = self.mint(memory, subject.clone(), lifetime, downgraded);
        let body = json!({
            "accessToken": token,
            "lastEventId": last_event_id,
            "context": {
                "deviceId": device.unwrap_or_else(uuid),
                "endUser": { "subject": subject },
                "configuration": { "embeddedServiceConfig": {
                    "name": memory.options.deployment,
                    "deploymentType": "api",
                    "embeddedServiceMessagingChannel": {
                        "channelAddressIdentifier": memory.channel,
                        "authMode": if is_verified { "Auth" } else { "UnAuth" },
                    },
                    "forms": [],
                    "choiceListConfig": { "choiceList": [] },
                } },
            },
        });
        Json(body).into_response()
    }

    /// A token, and where its stream begins.
    fn mint(
        &self,
        memory: &mut Memory,
        subject: String,
        lifetime: Duration,
        downgraded: Option<String>,
    ) -> (String, Value) {
        let now = memory.now();
        memory.ledger.tokens.push(Issued {
            subject: subject.clone(),
            downgraded,
            at: now,
        });
        let access = Access {
            iss: "orgJwt".to_owned(),
            api_version: "v2".to_owned(),
            sub: subject,
            org_id: memory.options.org_id.clone(),
            client_id: uuid(),
            iat: now / 1_000,
            exp: (Duration::from_millis(now) + lifetime).as_secs(),
            jti: memory.ledger.tokens.len() as u64,
            last_event_id: memory.last_event_id,
        };
        let last_event_id = match memory.switches.last_event_id {
            LastEventId::Text => access.last_event_id.to_string().into(),
            LastEventId::Number => access.last_event_id.into(),
        };
        (self.seal.sign(&access), last_event_id)
    }
}
