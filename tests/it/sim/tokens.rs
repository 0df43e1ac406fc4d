//! Who gets an access token, and what it says.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use baton::sim::salesforce::switches::{BadIdentity, LastEventId};
use baton::sim::salesforce::{Org, StartError, call};
use jsonwebtoken::Algorithm;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    Client, FOREIGN, REGISTERED, claims, identity, json_of, options, org, org_with, outcome,
    token_request,
};

fn read(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("a payload");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("json")
}

#[tokio::test]
async fn a_verified_user_gets_a_token_for_their_own_subject() {
    let org = org_with(|options| options.token_lifetime = Duration::from_secs(60)).await;
    let answer = json_of(
        Client::of(&org)
            .ask_for_token(&identity("contact-42"))
            .await,
    )
    .await;
    let subject = "v2/iamessage/AUTH/OpenCX_Keyset/uid:contact-42";
    assert_eq!(answer["context"]["endUser"]["subject"], subject);
    assert_eq!(
        answer["context"]["configuration"]["embeddedServiceConfig"]["deploymentType"],
        "api"
    );
    assert!(answer["lastEventId"].is_string());
    let claims = read(answer["accessToken"].as_str().expect("a token"));
    assert_eq!(
        (&claims["sub"], &claims["orgId"]),
        (&json!(subject), &json!("00Dxx0000000xxx"))
    );
    let lifetime = claims["exp"]
        .as_u64()
        .zip(claims["iat"].as_u64())
        .map(|(exp, iat)| exp - iat);
    assert_eq!(lifetime, Some(60));
}

#[tokio::test]
async fn rs512_is_as_good_as_rs256_and_nothing_else_is() {
    let org = org().await;
    let client = Client::of(&org);
    for (algorithm, status) in [
        (Algorithm::RS512, 200),
        (Algorithm::RS384, 401),
        (Algorithm::PS256, 401),
    ] {
        let identity = REGISTERED.sign(algorithm, "key-1", &claims("contact-42"));
        assert_eq!(
            client.ask_for_token(&identity).await.status(),
            status,
            "{algorithm:?}"
        );
    }
}

#[tokio::test]
async fn an_identity_must_be_signed_current_and_of_the_agreed_issuer() {
    let org = org().await;
    let client = Client::of(&org);
    let with = |name: &str, value: Value| {
        let mut claims = claims("contact-42");
        claims[name] = value;
        REGISTERED.sign(Algorithm::RS256, "key-1", &claims)
    };
    let cases = [
        (
            "signature",
            FOREIGN.sign(Algorithm::RS256, "key-1", &claims("contact-42")),
        ),
        (
            "not registered",
            REGISTERED.sign(Algorithm::RS256, "key-2", &claims("contact-42")),
        ),
        ("issuer", with("iss", "opencx/".into())),
        ("expired", with("exp", 1.into())),
        ("expiry", with("exp", Value::Null)),
        ("no subject", with("sub", "".into())),
        ("no subject", with("sub", Value::Null)),
        ("no JWT", "nonsense".to_owned()),
    ];
    for (reason, identity) in cases {
        let (status, body) = outcome(client.ask_for_token(&identity).await).await;
        assert_eq!(status, 401, "{reason}");
        assert!(body.contains(reason), "{reason}: {body}");
    }
    assert_eq!(org.look(|ledger| ledger.refusals.len()), 8);
    assert!(org.look(|ledger| ledger.tokens.is_empty()));
}

#[tokio::test]
async fn a_bad_identity_is_refused_or_made_anonymous_as_switched() {
    let org = org().await;
    let client = Client::of(&org);
    let bad = FOREIGN.sign(Algorithm::RS256, "key-1", &claims("contact-42"));
    org.switch(|switches| switches.bad_identity = BadIdentity::BadRequest);
    assert_eq!(
        client.ask_for_token(&bad).await.status(),
        StatusCode::BAD_REQUEST
    );
    org.switch(|switches| switches.bad_identity = BadIdentity::Anonymous);
    let answer = json_of(client.ask_for_token(&bad).await).await;
    let subject = answer["context"]["endUser"]["subject"]
        .as_str()
        .expect("a subject");
    assert!(
        subject.starts_with("v2/iamessage/UNAUTH/NA/uid:"),
        "{subject}"
    );
    assert!(org.look(|ledger| ledger.tokens[0].downgraded.is_some()));
}

#[tokio::test]
async fn the_token_request_is_checked() {
    let org = org().await;
    let client = Client::of(&org);
    let cases = [
        ("orgId", "00Dyy0000000xxx", "orgId"),
        ("orgId", "00Dxx0000000xxxA", "orgId"),
        ("esDeveloperName", "Nobody", "Nobody"),
        (
            "esDeveloperName",
            "Web_Widget",
            "Set the esDeveloperName to a deploymentType that's set to api",
        ),
        ("capabilitiesVersion", "260", "capabilitiesVersion"),
        ("platform", "Fax", "platform"),
        ("developerName", "OpenCX_Custom_Client", "developerName"),
    ];
    for (name, value, reason) in cases {
        let mut body = token_request();
        body[name] = value.into();
        let response = client
            .post("authorization/unauthenticated/access-token", body)
            .send()
            .await
            .expect("an answer");
        let (status, body) = outcome(response).await;
        assert_eq!(status, 400, "{name} = {value}");
        assert!(body.contains(reason), "{body}");
    }
    let mut body = token_request();
    body["orgId"] = "00Dxx0000000xxxAAA".into();
    let response = client
        .post("authorization/unauthenticated/access-token", body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    let response = client
        .post("authorization/authenticated/access-token", token_request())
        .send()
        .await;
    assert_eq!(
        response.expect("an answer").status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn every_anonymous_token_is_another_end_user() {
    let org = org().await;
    let (one, other) = (Client::anonymous(&org).await, Client::anonymous(&org).await);
    assert_ne!(one.subject, other.subject);
    let conversation = one.conversation().await;
    assert_eq!(
        other.say(&conversation, "Hi").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_continuation_token_is_the_same_user_for_no_longer() {
    let org = org().await;
    let mut client = Client::verified(&org, "contact-42").await;
    let before = read(&client.token);
    let answer = json_of(
        client
            .get("authorization/continuation-access-token")
            .send()
            .await
            .expect("an answer"),
    )
    .await;
    let after = read(answer["accessToken"].as_str().expect("a token"));
    assert_eq!(
        (&before["sub"], &before["exp"]),
        (&after["sub"], &after["exp"])
    );
    assert_ne!(before["clientId"], after["clientId"]);
    client.remember(&answer);
    client.conversation().await;
}

#[tokio::test]
async fn a_revoked_token_is_of_no_use() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let revoked = client
        .request(
            reqwest::Method::DELETE,
            "authorization/authenticated/access-token",
        )
        .send()
        .await;
    assert_eq!(revoked.expect("an answer").status(), StatusCode::NO_CONTENT);
    assert_eq!(
        client.create(&super::uuid()).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_token_that_is_missing_forged_or_expired_is_refused_in_plain_text() {
    let org = org().await;
    let mut client = Client::verified(&org, "contact-42").await;
    let response = client
        .http
        .post(format!("{}/iamessage/api/v2/conversation", org.url()))
        .send()
        .await;
    assert_eq!(
        outcome(response.expect("an answer")).await,
        (401, "Jwt is missing".to_owned())
    );
    org.expire_tokens();
    assert_eq!(
        outcome(client.create(&super::uuid()).await).await,
        (401, "Jwt is expired".to_owned())
    );
    client.token = identity("contact-42");
    assert_eq!(
        outcome(client.create(&super::uuid()).await).await,
        (401, "Jwt verification fails".to_owned())
    );
    client.verify("contact-42").await;
    client.conversation().await;
}

#[tokio::test]
async fn a_token_expires_by_itself() {
    let org = org_with(|options| options.token_lifetime = Duration::ZERO).await;
    let client = Client::verified(&org, "contact-42").await;
    assert_eq!(
        outcome(client.create(&super::uuid()).await).await,
        (401, "Jwt is expired".to_owned())
    );
}

#[tokio::test]
async fn more_than_200_tokens_a_minute_are_too_many() {
    let org = org_with(|options| options.limits.tokens_per_minute = 3).await;
    let client = Client::of(&org);
    for _ in 0..3 {
        assert_eq!(
            client.ask_for_token(&identity("contact-42")).await.status(),
            StatusCode::OK
        );
    }
    let refused = client.ask_for_token(&identity("contact-42")).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().get("retry-after").is_none());
    org.switch(|switches| switches.retry_after = Some("7".to_owned()));
    let refused = client.ask_for_token(&identity("contact-42")).await;
    assert_eq!(refused.headers()["retry-after"], "7");
    org.advance(Duration::from_secs(61));
    assert_eq!(
        client.ask_for_token(&identity("contact-42")).await.status(),
        StatusCode::OK
    );
    assert_eq!(org.calls(call::ACCESS_TOKEN), 6);
}

#[tokio::test]
async fn the_last_event_id_is_a_string_or_a_number() {
    let org = org().await;
    org.switch(|switches| switches.last_event_id = LastEventId::Number);
    let answer = json_of(
        Client::of(&org)
            .ask_for_token(&identity("contact-42"))
            .await,
    )
    .await;
    assert!(answer["lastEventId"].is_u64());
}

#[tokio::test]
async fn an_org_does_not_start_with_what_cannot_be_right() {
    let mut bad = options();
    bad.org_id = "00Dxx0000000xxxAAA".to_owned();
    assert!(matches!(
        Org::start(bad).await.map(drop),
        Err(StartError::OrgId(_))
    ));
    let mut bad = options();
    bad.keys.insert("key-2".to_owned(), "no PEM".to_owned());
    assert!(
        matches!(Org::start(bad).await.map(drop), Err(StartError::Key { id, .. }) if id == "key-2")
    );
}
