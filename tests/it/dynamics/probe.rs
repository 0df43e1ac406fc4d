//! Trying a connection: which half fails is named.

use baton::domain::error::{Code, DeskError};
use baton::sim::dynamics::switches::{App, ApplicationUser};
use baton::sim::dynamics::{Options, Org, Profile, call};
use baton::sim::faults::{Fault, Nth, What};

use super::{Fixture, connection, open};

#[tokio::test]
async fn a_connection_in_order_says_what_it_found_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let rows = fixture.org.ledger().rows;
    assert_eq!(
        fixture.desk.verify().await.expect("in order"),
        format!(
            "{} knows the app, lets it read work items, and has the workstream `SMS support`; what reps write does not come back",
            fixture.org.url()
        )
    );
    assert_eq!(fixture.org.ledger().rows, rows);
}

type Spoil = fn(&Org);

#[tokio::test]
async fn each_thing_that_can_be_wrong_is_named() {
    let wrong: &[(&str, Spoil, &str)] = &[
        (
            "secret",
            |org| org.switch(|it| it.app = App::SecretExpired),
            "`client_secret`",
        ),
        (
            "consent",
            |org| org.switch(|it| it.app = App::NoConsent),
            "admin consent",
        ),
        (
            "user, 401",
            |org| org.switch(|it| it.application_user = ApplicationUser::MissingUnauthorized),
            "is no application user of",
        ),
        (
            "user, silent 401",
            |org| org.switch(|it| it.application_user = ApplicationUser::MissingSilent),
            "is no application user of",
        ),
        (
            "user, 403",
            |org| org.switch(|it| it.application_user = ApplicationUser::MissingForbidden),
            "is no application user of",
        ),
        (
            "role",
            |org| {
                org.switch(|it| it.missing_privileges.extend(["prvReadActivity".into()]));
            },
            "lacks the right `prvReadActivity`",
        ),
        (
            "not Dataverse",
            |org| {
                org.faults()
                    .fail(call::WHO_AM_I, Nth::Every, Fault::before(What::Garbage));
            },
            "does not answer as Dataverse does",
        ),
        (
            "another web server",
            |org| {
                org.faults()
                    .fail(call::WHO_AM_I, Nth::Every, Fault::before(What::status(404)));
            },
            "there is no Dataverse at this address; check `environment_url` of connection",
        ),
    ];
    for (name, spoil, said) in wrong {
        let fixture = Fixture::new().await;
        spoil(&fixture.org);
        let error = fixture.desk.verify().await.expect_err(name);
        assert!(
            matches!(error, DeskError::Misconfigured { .. }),
            "{name}: {error:?}"
        );
        assert!(error.to_string().contains(said), "{name}: {error}");
        assert!(
            error.to_string().contains("connection `acme-dynamics`"),
            "{name}: {error}"
        );
    }
}

#[tokio::test]
async fn a_workstream_or_table_that_is_not_there_is_found_before_the_first_handoff() {
    const OTHER: &str = "99999999-9999-9999-9999-999999999999";
    let fixture = Fixture::with(Options::default(), &[("default_queue_id", OTHER)]).await;
    let error = fixture.desk.verify().await.expect_err("no workstream");
    assert!(
        error.to_string().contains("into `default_queue_id`"),
        "{error}"
    );
    let bare = Options {
        profile: Profile::Bare,
        ..Options::default()
    };
    let error = Fixture::with(bare, &[])
        .await
        .desk
        .verify()
        .await
        .expect_err("no table");
    assert!(
        matches!(
            error,
            DeskError::Misconfigured {
                code: Code::BadDeployment,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn an_environment_that_cannot_be_reached_names_its_address() {
    let fixture = Fixture::new().await;
    let access = fixture.access().await;
    let elsewhere = connection(&fixture.org, &[("environment_url", "http://127.0.0.1:1")]);
    let desk = open(&elsewhere, &fixture.clock);
    let gone = desk
        .close(&access, &"x".into())
        .await
        .expect_err("unreachable");
    assert!(matches!(gone, DeskError::Unreachable(_)), "{gone:?}");
    assert!(
        gone.to_string().ends_with(
            "at http://127.0.0.1:1; check `environment_url` of connection `acme-dynamics`"
        ),
        "{gone}"
    );
}
