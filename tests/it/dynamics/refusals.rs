//! What the org refuses, and the sentence that an operator reads: which setting, which connection, what to do.

use baton::domain::error::{Code, DeskError};
use baton::sim::dynamics::switches::{AbsentLink, ApplicationUser};
use baton::sim::dynamics::{Options, Profile, call};
use baton::sim::faults::{Fault, Nth, What};
use serde_json::json;

use super::{Fixture, escalation};

const QUEUE: &str = "77777777-7777-7777-7777-777777777777";

async fn misconfigured(fixture: &Fixture) -> (Code, String) {
    match fixture.create(&escalation(json!({}))).await {
        Err(DeskError::Misconfigured { code, message }) => (code, message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_workstream_that_is_not_there_may_be_a_queue() {
    let options = Options {
        queues: vec![QUEUE.into()],
        ..Options::default()
    };
    for status in [AbsentLink::NotFound, AbsentLink::BadRequest] {
        let fixture = Fixture::with(options.clone(), &[("default_queue_id", QUEUE)]).await;
        fixture.org.switch(|switches| switches.absent_link = status);
        assert_eq!(
            misconfigured(&fixture).await,
            (
                Code::BadDeployment,
                format!(
                    "there is no workstream {QUEUE}, perhaps because it is the id of a queue; put the workstream's GUID (Customer Service admin center → Workstreams) into `default_queue_id` of connection `acme-dynamics`"
                )
            )
        );
    }
}

#[tokio::test]
async fn tables_that_are_not_there_name_the_profile() {
    for (profile, name) in [
        (Profile::Bare, "msdyn_ocliveworkitem"),
        (Profile::Page, "msdyn_ocliveworkitem"),
        (Profile::Product, "oc_liveworkitem"),
    ] {
        let options = Options {
            profile,
            ..Options::default()
        };
        let fixture = Fixture::with(options, &[("schema_profile", name)]).await;
        assert_eq!(
            misconfigured(&fixture).await,
            (
                Code::BadDeployment,
                format!(
                    "the environment has no such table (Resource not found for the segment '{name}s'.): Omnichannel is not provisioned there, or the tables have other names; check `environment_url` and `schema_profile` of connection `acme-dynamics`"
                )
            )
        );
    }
}

#[tokio::test]
async fn columns_that_are_not_there_name_the_schema() {
    for (setting, wrong) in [
        ("schema.title", "msdyn_headline"),
        ("schema.workstream", "msdyn_liveworkstreamid"),
    ] {
        let fixture = Fixture::with(Options::default(), &[(setting, wrong)]).await;
        let (code, message) = misconfigured(&fixture).await;
        assert_eq!(code, Code::BadDeployment);
        assert!(
            message.starts_with("the table has other columns ("),
            "{message}"
        );
        assert!(message.ends_with("); check `schema_profile` and the settings `schema.…` of connection `acme-dynamics`"), "{message}");
    }
}

#[tokio::test]
async fn a_missing_role_names_the_privilege() {
    for privilege in [
        "prvCreateActivity",
        "prvCreatemsdyn_ocliveworkitemcontextitem",
    ] {
        let fixture = Fixture::new().await;
        fixture.org.switch(|switches| {
            switches.missing_privileges.insert(privilege.into());
        });
        assert_eq!(
            misconfigured(&fixture).await,
            (
                Code::BadCredentials,
                format!(
                    "the application user lacks the right `{privilege}`; give it a security role that has it (Power Platform admin center → Environment → Settings → Application users), in the environment of `environment_url` of connection `acme-dynamics`"
                )
            )
        );
    }
}

#[tokio::test]
async fn a_missing_application_user_is_told_from_a_missing_role() {
    for user in [
        ApplicationUser::MissingUnauthorized,
        ApplicationUser::MissingForbidden,
        ApplicationUser::MissingSilent,
    ] {
        let fixture = Fixture::new().await;
        fixture
            .org
            .switch(|switches| switches.application_user = user);
        if user == ApplicationUser::MissingSilent {
            // A bare 401 may be about an old token; after a new one it is not.
            let first = fixture.create(&escalation(json!({}))).await;
            assert!(
                matches!(first, Err(DeskError::Unauthorized(_))),
                "{first:?}"
            );
        }
        let (code, message) = misconfigured(&fixture).await;
        assert_eq!(code, Code::BadCredentials);
        assert_eq!(
            message,
            format!(
                "Microsoft Entra gives a token, but the app 11111111-1111-1111-1111-111111111111 is no application user of {}; add it with a security role (Power Platform admin center → Environment → Settings → Application users), or check `client_id` and `environment_url` of connection `acme-dynamics`",
                fixture.org.url()
            )
        );
        fixture
            .org
            .switch(|switches| switches.application_user = ApplicationUser::Present);
        fixture
            .create(&escalation(json!({})))
            .await
            .expect("put right, it works at once");
    }
}

#[tokio::test]
async fn an_app_that_is_kept_out_is_told_from_one_that_is_unknown() {
    let fixture = Fixture::new().await;
    fixture
        .org
        .switch(|switches| switches.application_user = ApplicationUser::Restricted);
    let (code, message) = misconfigured(&fixture).await;
    assert_eq!(code, Code::BadCredentials);
    assert!(
        message.starts_with("an administrator of the environment keeps apps out ("),
        "{message}"
    );
    assert!(
        message.ends_with("or check `client_id` of connection `acme-dynamics`"),
        "{message}"
    );
}

#[tokio::test]
async fn no_error_repeats_what_the_contact_said() {
    let said = "my card is 4929 1234 5678 9012 and it was charged twice";
    for status in [400, 403, 404, 409, 413, 422, 500] {
        for code in ["", "0x80040265", "0x80048d19", "0x80040217"] {
            let fixture = Fixture::new().await;
            let body = json!({ "error": { "code": code, "message": format!("The value '{said}' is not valid, undeclared property") } });
            let what = What::Status {
                status,
                body: body.to_string(),
            };
            fixture
                .org
                .faults()
                .fail(call::CREATE_WORK_ITEM, Nth::Every, Fault::before(what));
            let about = escalation(json!({ "summary": said }));
            let Err(error) = fixture.create(&about).await else {
                assert_eq!(status, 409);
                continue;
            };
            let text = format!("{error} {error:?}");
            assert!(!text.contains("4929"), "{status} {code}: {text}");
        }
    }
}

#[tokio::test]
async fn what_nobody_knows_is_refused_with_its_code() {
    let fixture = Fixture::new().await;
    let body = json!({ "error": { "code": "0x80040265", "message": "A plug-in says no" } });
    let what = What::Status {
        status: 400,
        body: body.to_string(),
    };
    fixture
        .org
        .faults()
        .fail(call::CREATE_WORK_ITEM, Nth::Every, Fault::before(what));
    let refused = fixture.create(&escalation(json!({}))).await;
    let expected = DeskError::Refused {
        status: 400,
        message: "0x80040265 (connection `acme-dynamics`): A plug-in says no".into(),
    };
    assert_eq!(refused, Err(expected));
}

#[tokio::test]
async fn an_alternate_key_that_is_taken_is_not_ours() {
    let fixture = Fixture::new().await;
    let body = json!({ "error": { "code": "0x80060892", "message": "Entity key violated" } });
    let what = What::Status {
        status: 412,
        body: body.to_string(),
    };
    fixture
        .org
        .faults()
        .fail(call::CREATE_WORK_ITEM, Nth::Every, Fault::before(what));
    let refused = fixture.create(&escalation(json!({}))).await;
    assert!(
        matches!(refused, Err(DeskError::Refused { status: 412, .. })),
        "{refused:?}"
    );
}
