//! Identity and access tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use baton::domain::error::{Code, DeskError};
use baton::domain::handoff::{AccessToken, Step};
use baton::domain::ids::Cursor;
use baton::domain::seal::ExposeSecret;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::stub::{Reply, Stub, ok, status};
use super::{PAIR, connection, connection_with, escalation, escalation_with, now, open};

pub const TOKEN_CALL: &str = "POST authorization/authenticated/access-token";
const REVOKE_CALL: &str = "DELETE authorization/authenticated/access-token";
const VERIFIED: &str = "v2/iamessage/AUTH/Acme_Keyset/uid:contact:c-81734";

/// An access token that nobody signed.
fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({ "alg": "none" })), part(claims))
}

fn grant(claims: Value) -> Value {
    json!({ "accessToken": jwt(&claims), "lastEventId": "2147867834" })
}

/// What a deployment in order answers.
pub fn good_grant() -> Value {
    grant(json!({ "exp": now().as_second() + 3600, "sub": VERIFIED, "orgId": "00Dxx0000000xxx" }))
}

async fn asked_with(reply: Reply) -> (Result<AccessToken, DeskError>, Stub) {
    let stub = Stub::answering(move |_, _| reply.clone()).await;
    let desk = open(&connection_with(&[("scrt_url", &stub.url)]));
    let identity = desk.identity_token(&escalation()).await.expect("a token");
    (desk.access_token(&identity).await, stub)
}

#[tokio::test]
async fn an_identity_token_says_who_the_contact_is() {
    let desk = open(&connection());
    assert!(desk.is_local(Step::IdentityToken) && desk.is_local(Step::Transcript));
    assert!(!desk.is_local(Step::AccessToken));
    let session = "6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51";
    let table = [
        (escalation(), "+14155550123".to_owned()),
        (
            escalation_with(
                json!({ "contact": { "email": "Dana@Example.com", "verified": true } }),
            ),
            "dana@example.com".into(),
        ),
        (
            escalation_with(json!({ "contact": { "id": "c-1", "email": "d@x.example" } })),
            "contact:c-1".into(),
        ),
        (
            escalation_with(json!({ "contact": {} })),
            format!("session:{session}"),
        ),
    ];
    for (about, subject) in table {
        let identity = desk.identity_token(&about).await.expect("a token");
        let mut validation = Validation::new(Algorithm::RS256);
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let key = DecodingKey::from_rsa_pem(PAIR.public.as_bytes()).expect("a key");
        let token = identity.token.expose_secret();
        let read = jsonwebtoken::decode::<Value>(token, &key, &validation).expect("a signed token");
        assert_eq!(read.header.kid.as_deref(), Some("acme-2026"));
        assert_eq!(read.header.typ.as_deref(), Some("JWT"));
        let iat = now().as_second();
        assert_eq!(
            read.claims,
            json!({ "iss": "https://baton.acme.example", "sub": subject, "iat": iat, "exp": iat + 300 })
        );
        assert_eq!(identity.expires_at.as_second(), iat + 300);
    }
}

#[tokio::test]
async fn an_access_token_is_asked_for_as_the_reference_has_it() {
    let (access, stub) = asked_with(ok(good_grant())).await;
    let access = access.expect("access");
    assert_eq!(access.expires_at.as_second(), now().as_second() + 3600);
    assert_eq!(access.cursor, Some(Cursor::from("2147867834")));
    let asked = stub.asked().remove(0);
    assert_eq!(asked.what, TOKEN_CALL);
    assert!(!asked.headers.contains_key("authorization"));
    let mut body = asked.body;
    let identity = body["customerIdentityToken"].take();
    assert!(
        identity
            .as_str()
            .is_some_and(|token| token.starts_with("eyJ"))
    );
    assert_eq!(
        body,
        json!({
            "orgId": "00Dxx0000000xxx", "esDeveloperName": "Support_Client", "capabilitiesVersion": "1",
            "platform": "Web", "context": { "appName": "baton", "clientVersion": env!("CARGO_PKG_VERSION") },
            "authorizationType": "JWT", "customerIdentityToken": null,
        })
    );
}

#[tokio::test]
async fn what_an_access_token_leaves_unsaid_is_assumed_with_care() {
    let in_context = json!({
        "accessToken": jwt(&json!({})), "lastEventId": 7,
        "context": { "endUser": { "subject": VERIFIED } },
    });
    let (access, _stub) = asked_with(ok(in_context)).await;
    let access = access.expect("access");
    assert_eq!(access.expires_at.as_second(), now().as_second() + 15 * 60);
    assert_eq!(access.cursor, Some(Cursor::from("7")));
}

const DEPLOYMENTS: &str = "Setup → Embedded Service Deployments";

fn bad_deployment(said: &str) -> String {
    format!(
        "Salesforce does not know the deployment `Support_Client` in this org ({said}); copy its API Name from {DEPLOYMENTS} into `es_developer_name`, or check `org_id` and `instance_url` of connection `acme`"
    )
}

fn bad_type(said: &str) -> String {
    format!(
        "Salesforce does not know the deployment `Support_Client` as one for this API ({said}); make one of type Custom Client in {DEPLOYMENTS}, and write its API Name as `es_developer_name` of connection `acme`"
    )
}

fn bad_identity(said: &str) -> String {
    not_verified(
        said,
        "check in Setup → User Verification that the JWK has the kid `acme-2026` (`auth_key_id`) and an `x5c` certificate, that its keyset has exactly the issuer `https://baton.acme.example` (`issuer`), that the messaging channel has user verification with this keyset, and that the deployment was published again",
    )
}

fn not_verified(said: &str, what: &str) -> String {
    format!("Salesforce does not verify the identity tokens of connection `acme` ({said}); {what}")
}

const GUEST: &str = "Salesforce gives a token, but one for an anonymous guest, so it does not verify the identity tokens of connection `acme`; turn on user verification with your keyset for the messaging channel (Setup → Messaging Settings → the channel → Edit), publish the deployment again, and check in Setup → User Verification that the keyset has the issuer `https://baton.acme.example` (`issuer`) and the JWK the kid `acme-2026` (`auth_key_id`) and an `x5c` certificate";

#[tokio::test]
async fn a_refused_token_call_says_which_setting_to_look_at() {
    let kind = "BAD_REQUEST: Set the esDeveloperName to a deploymentType that's set to api";
    let no_such = "The esDeveloperName Support_Client doesn't exist.";
    let said = |message: &str| json!({ "code": 1, "message": message }).to_string();
    let guest = |sub: Value| grant(sub).to_string();
    let (deployment, identity) = (Code::BadDeployment, Code::BadCredentials);
    let anonymous = json!({ "sub": "v2/iamessage/UNAUTH/NA/uid:1" });
    let jwt = "the JWT of +14155550123 is bad: eyJhbGciOi.x.y";
    let key = "there is no JWK with the kid `acme-2026`; write the kid of the uploaded JWK (Setup → User Verification) as `auth_key_id`";
    let pair = "the JWK with the kid `acme-2026` is not the other half of `auth_private_key`; upload the JWK of this key pair (Setup → User Verification), or paste the private key that the JWK was made with";
    let issuer = "the keyset has another issuer than `https://baton.acme.example`; copy the Issuer of the keyset to the letter (Setup → User Verification), slash at the end and all, into `issuer`";
    let clock = "it holds the token for old; set the clock of this machine right";
    let table = [
        (400, said(kind), deployment, bad_type(kind)),
        (400, said(no_such), deployment, bad_deployment(no_such)),
        (
            404,
            String::new(),
            deployment,
            bad_deployment("no explanation"),
        ),
        (
            400,
            said("Invalid identity"),
            identity,
            bad_identity("Invalid identity"),
        ),
        (
            400,
            said(jwt),
            identity,
            bad_identity("the JWT of … is bad: …"),
        ),
        (401, "Jwt fails".into(), identity, bad_identity("Jwt fails")),
        (403, said("No"), identity, bad_identity("No")),
        (
            401,
            said("no such kid"),
            identity,
            not_verified("no such kid", key),
        ),
        (
            401,
            said("bad signature"),
            identity,
            not_verified("bad signature", pair),
        ),
        (
            401,
            said("Jwt issuer"),
            identity,
            not_verified("Jwt issuer", issuer),
        ),
        (
            401,
            said("Jwt is expired"),
            identity,
            not_verified("Jwt is expired", clock),
        ),
        (200, guest(anonymous), identity, GUEST.into()),
        (200, guest(json!({})), identity, GUEST.into()),
    ];
    for (status, body, code, message) in table {
        let (access, _stub) = asked_with(Reply::Status(status, body)).await;
        let expected = DeskError::Misconfigured { code, message };
        assert_eq!(access.map(|_| ()), Err(expected));
    }
    let other_org = grant(json!({ "sub": VERIFIED, "orgId": "00Dyy0000000yyy" }));
    let (access, stub) = asked_with(ok(other_org)).await;
    assert_eq!(
        access.map(|_| ()),
        Err(DeskError::Misconfigured {
            code: Code::BadDeployment,
            message: format!(
                "Salesforce does not know the org 00Dxx0000000xxx at {} (it gave a token of another one); copy the Organization ID from Setup → Company Information into `org_id`, or check `scrt_url` of connection `acme`",
                stub.url
            ),
        })
    );
}

#[tokio::test]
async fn an_answer_that_is_no_grant_is_broken() {
    for body in ["{}", "[]", "not json", r#"{"accessToken":"opaque"}"#] {
        let (access, _stub) = asked_with(Reply::Status(200, body.into())).await;
        assert!(matches!(access, Err(DeskError::Broken(_))), "{body}");
    }
}

#[tokio::test]
async fn a_late_identity_token_is_renewed_rather_than_shown() {
    let stub = Stub::answering(|_, _| status(500)).await;
    let desk = open(&connection_with(&[("scrt_url", &stub.url)]));
    let mut identity = desk.identity_token(&escalation()).await.expect("a token");
    identity.expires_at = now();
    let access = desk.access_token(&identity).await;
    assert!(matches!(access, Err(DeskError::Unauthorized(_))));
    assert!(stub.asked().is_empty());
}

#[tokio::test]
async fn verifying_leaves_nothing_behind() {
    let stub = Stub::answering(|asked, _| match asked.what.as_str() {
        TOKEN_CALL => ok(good_grant()),
        _ => status(204),
    })
    .await;
    let desk = open(&connection_with(&[("scrt_url", &stub.url)]));
    assert_eq!(
        desk.verify().await.as_deref(),
        Ok(
            "org 00Dxx0000000xxx knows the deployment `Support_Client` and verifies contacts with the key `acme-2026`"
        )
    );
    assert_eq!(stub.what_was_asked(), [TOKEN_CALL, REVOKE_CALL]);
}
