//! Tokens of Microsoft Entra: one for all, renewed in time, and a sentence of its own for every way not to get one.

use std::time::Duration;

use baton::domain::clock;
use baton::domain::error::{Code, DeskError};
use baton::domain::seal::ExposeSecret;
use baton::sim::dynamics::switches::{App, BadSecret};
use baton::sim::dynamics::{Options, Org, call};
use baton::sim::faults::{Fault, Nth, What};
use futures_util::future::join_all;
use serde_json::json;

use super::{Fixture, certificate, connection, escalation, open};
use crate::desks::PAIR;

#[tokio::test]
async fn all_who_ask_at_once_get_the_same_token_from_one_call() {
    let fixture = Fixture::new().await;
    let asked = join_all((0..20).map(|_| fixture.access())).await;
    assert_eq!(fixture.org.calls(call::TOKEN), 1);
    let tokens: Vec<&str> = asked
        .iter()
        .map(|access| access.token.expose_secret())
        .collect();
    assert!(tokens.iter().all(|token| token == &tokens[0]));
}

#[tokio::test]
async fn all_who_ask_at_once_share_a_failure_and_the_next_one_asks_again() {
    let fixture = Fixture::new().await;
    let fault = Fault::before(What::status(503));
    fixture.org.faults().fail(call::TOKEN, Nth::Only(1), fault);
    let asked = join_all((0..20).map(|_| fixture.try_access())).await;
    assert!(asked.iter().all(Result::is_err));
    assert_eq!(fixture.org.calls(call::TOKEN), 1);
    fixture.access().await;
    assert_eq!(fixture.org.calls(call::TOKEN), 2);
}

#[tokio::test]
async fn a_token_is_renewed_five_minutes_before_it_dies() {
    let fixture = Fixture::new().await;
    let first = fixture.access().await;
    let used_for = clock::until(fixture.clock.now(), first.expires_at);
    assert_eq!(used_for, Duration::from_secs(3599 - 300));
    fixture.clock.advance(used_for - Duration::from_secs(30));
    fixture.access().await;
    assert_eq!(fixture.org.calls(call::TOKEN), 1);
    // Not later than the journey asks for a new one, or it would get the old one again.
    fixture.clock.advance(Duration::from_secs(15));
    fixture.access().await;
    assert_eq!(fixture.org.calls(call::TOKEN), 2);
}

#[tokio::test]
async fn a_short_token_is_used_for_half_of_its_life() {
    let options = Options {
        token_lifetime: Duration::from_secs(120),
        ..Options::default()
    };
    let fixture = Fixture::with(options, &[]).await;
    let access = fixture.access().await;
    let used_for = clock::until(fixture.clock.now(), access.expires_at);
    assert_eq!(used_for, Duration::from_secs(60));
}

#[tokio::test]
async fn a_refused_token_is_not_given_out_again() {
    let fixture = Fixture::new().await;
    let about = escalation(json!({}));
    fixture.create(&about).await.expect("a work item");
    fixture.org.expire_tokens();
    let refused = fixture.create(&about).await;
    assert!(
        matches!(refused, Err(DeskError::Unauthorized(_))),
        "{refused:?}"
    );
    fixture.create(&about).await.expect("a work item");
    assert_eq!(fixture.org.calls(call::TOKEN), 2);
    assert_eq!(fixture.org.work_items().len(), 1);
}

#[tokio::test]
async fn many_handoffs_with_one_stale_token_cost_one_new_token() {
    let fixture = Fixture::new().await;
    let stale = fixture.access().await;
    fixture.org.expire_tokens();
    let to = baton::domain::ids::ConversationId::from("55bed77d-f28a-4723-a603-43917aef6355");
    for _ in 0..5 {
        let closed = fixture.desk.close(&stale, &to).await;
        assert!(
            matches!(closed, Err(DeskError::Unauthorized(_))),
            "{closed:?}"
        );
    }
    fixture.access().await;
    assert_eq!(fixture.org.calls(call::TOKEN), 2);
}

#[tokio::test]
async fn a_certificate_does_instead_of_a_secret() {
    let uploaded = certificate();
    let settings = [
        ("client_secret", ""),
        ("client_certificate", uploaded.pem.as_str()),
        ("client_private_key", &PAIR.private),
    ];
    let options = Options {
        certificate: Some(uploaded.clone()),
        ..Options::default()
    };
    let fixture = Fixture::with(options, &settings).await;
    fixture.access().await;
    assert_eq!(fixture.org.ledger().tokens[0].proof, "certificate");

    let fixture = Fixture::with(Options::default(), &settings).await;
    assert_eq!(
        refusal(&fixture).await,
        "Microsoft Entra gives no token for connection `acme-dynamics`: it does not know the certificate (AADSTS700027); upload `client_certificate` to the app registration (your app → Certificates & secrets)"
    );
}

async fn refusal(fixture: &Fixture) -> String {
    match fixture.try_access().await {
        Err(DeskError::Misconfigured { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_way_not_to_get_a_token_has_its_own_sentence() {
    const OTHER: &str = "99999999-9999-9999-9999-999999999999";
    let settings: &[(&str, &str, &str)] = &[
        (
            "tenant_id",
            OTHER,
            "there is no such tenant (AADSTS90002); check `tenant_id`",
        ),
        (
            "client_id",
            OTHER,
            "the app is not in this tenant (AADSTS700016); check `client_id` and `tenant_id`",
        ),
        (
            "client_secret",
            "wrong",
            "the client secret is wrong (AADSTS7000215); paste the secret's Value, not its Secret ID, into `client_secret`",
        ),
        (
            "environment_url",
            "http://localhost:1",
            "the environment is unknown in this tenant (AADSTS500011); check `environment_url`, which has no path and no slash at its end, and `tenant_id`",
        ),
    ];
    let apps: &[(App, &str)] = &[
        (
            App::Disabled,
            "the app is disabled (AADSTS7000112); enable it (Microsoft Entra → Enterprise applications), or check `client_id`",
        ),
        (
            App::SecretExpired,
            "the client secret has expired (AADSTS7000222); make a new one (your app → Certificates & secrets) and put it into `client_secret`",
        ),
        (
            App::NoConsent,
            "an administrator has not consented (AADSTS65001); grant admin consent for Dynamics CRM to the app of `client_id` (your app → API permissions)",
        ),
    ];
    let begins = "Microsoft Entra gives no token for connection `acme-dynamics`: ";
    for (name, value, expected) in settings {
        for status in [BadSecret::Unauthorized, BadSecret::BadRequest] {
            let fixture = Fixture::with(Options::default(), &[(name, value)]).await;
            fixture.org.switch(|switches| switches.bad_secret = status);
            assert_eq!(refusal(&fixture).await, format!("{begins}{expected}"));
        }
    }
    for (app, expected) in apps {
        let fixture = Fixture::new().await;
        fixture.org.switch(|switches| switches.app = *app);
        assert_eq!(refusal(&fixture).await, format!("{begins}{expected}"));
    }
}

#[tokio::test]
async fn an_answer_that_is_not_of_the_documents_is_read_by_its_status() {
    type Judge = fn(&DeskError) -> bool;
    let table: &[(What, Judge)] = &[
        (
            What::Status {
                status: 400,
                body: r#"{"error":"invalid_client","error_description":"AADSTS1234567: nobody knows"}"#.into(),
            },
            |error| matches!(error, DeskError::Misconfigured { code: Code::BadCredentials, message } if message.contains("(AADSTS1234567)")),
        ),
        (What::status(401), |error| {
            matches!(error, DeskError::Misconfigured { code: Code::BadCredentials, .. })
        }),
        (
            What::Status {
                status: 400,
                body: r#"{"error":"temporarily_unavailable","error_description":"AADSTS90033: a transient error","error_codes":[90033]}"#.into(),
            },
            |error| matches!(error, DeskError::Unavailable { .. }),
        ),
        (What::status(503), |error| matches!(error, DeskError::Unavailable { .. })),
        (
            What::RateLimited { retry_after: Some("7".into()) },
            |error| matches!(error, DeskError::RateLimited { retry_after: Some(wait), .. } if wait.as_secs() == 7),
        ),
        (What::Garbage, |error| matches!(error, DeskError::Broken(_))),
        (What::Cut, |error| matches!(error, DeskError::Broken(_))),
        (What::Hang, |error| matches!(error, DeskError::Timeout(_))),
    ];
    for (what, judge) in table {
        let fixture = Fixture::new().await;
        let fault = Fault::before(what.clone());
        fixture.org.faults().fail(call::TOKEN, Nth::Every, fault);
        let error = fixture.try_access().await.expect_err("no token");
        assert!(judge(&error), "{what:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_login_host_that_cannot_be_reached_is_told_from_the_environment() {
    let org = Org::start(Options::default()).await.expect("an org");
    let connection = connection(&org, &[("login_url", "http://127.0.0.1:1")]);
    let desk = open(&connection, &baton::domain::clock::Clock::System);
    let error = desk.verify().await.expect_err("no token");
    let said = error.to_string();
    assert!(matches!(error, DeskError::Unreachable(_)), "{said}");
    assert!(
        said.ends_with("at http://127.0.0.1:1, where tokens come from; check `login_url` of connection `acme-dynamics` and the network"),
        "{said}"
    );
}
