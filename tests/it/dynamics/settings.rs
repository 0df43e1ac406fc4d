//! Settings of a Dynamics connection: every mistake has a sentence that says what to do.

use baton::desk::{self, Need, Privacy};
use baton::domain::connection::{Connection, DeskKind};
use baton::domain::seal::ExposeSecret;

use super::{certificate, connection_with};
use crate::desks::PAIR;

fn problems(mut connection: Connection) -> Vec<String> {
    match desk::check(&mut connection) {
        Ok(notes) => panic!("no problem, notes {notes:?}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn notes(connection: &mut Connection) -> Vec<String> {
    desk::check(connection).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[test]
fn a_connection_in_order_is_left_as_it_is() {
    let mut checked = connection_with(&[]);
    assert_eq!(notes(&mut checked), Vec::<String>::new());
    let before = connection_with(&[("client_secret", "")]);
    assert_eq!(checked.settings, before.settings);
}

#[test]
fn every_wrong_setting_is_named_with_what_to_do() {
    let table: &[(&str, &str, &str)] = &[
        (
            "tenant_id",
            "contoso",
            "`contoso` is no GUID such as 33333333-3333-3333-3333-333333333333; copy the Directory (tenant) ID from the app registration",
        ),
        (
            "tenant_id",
            "common",
            "`common` is no single tenant, and an app gets no token there; copy the Directory (tenant) ID from the app registration",
        ),
        (
            "client_id",
            "my app",
            "`my app` is no GUID such as 33333333-3333-3333-3333-333333333333; copy the Application (client) ID from the app registration",
        ),
        (
            "client_secret",
            "9d3a1c2e-0000-4000-8000-3c1f0a9b8d7e",
            "looks like the Secret ID, which is a GUID; paste the Value, which is shown only once (your app → Certificates & secrets), or make a new secret",
        ),
        (
            "client_secret",
            "",
            "is missing. The client secret: the Value, not the Secret ID (your app → Certificates & secrets). Or else a certificate.",
        ),
        (
            "client_certificate",
            &certificate().pem,
            "is set and so is a certificate, and only one of them can be in use; take out `client_secret`, or `client_certificate` and `client_private_key`",
        ),
        (
            "environment_url",
            "contoso.crm.dynamics.com",
            "lacks https://; write https://contoso.crm.dynamics.com",
        ),
        (
            "environment_url",
            "http://contoso.crm.dynamics.com",
            "must begin with https:// (http:// is for a simulator on this machine only); write https://contoso.crm.dynamics.com",
        ),
        (
            "environment_url",
            "https://",
            "`https://` is no address; write one such as https://contoso.crm.dynamics.com",
        ),
        (
            "environment_url",
            "https://make.powerapps.com/environments/1",
            "`make.powerapps.com` is the Power Apps maker portal, not the environment; write its own URL, such as https://contoso.crm.dynamics.com (Power Platform admin center → Environments)",
        ),
        (
            "environment_url",
            "",
            "is missing. The Environment URL, such as https://contoso.crm.dynamics.com (Power Platform admin center → Environments).",
        ),
        (
            "default_queue_id",
            "SMS support",
            "`SMS support` is no GUID such as 33333333-3333-3333-3333-333333333333; copy the workstream's GUID from the Customer Service admin center → Workstreams",
        ),
        (
            "schema_profile",
            "msdyn",
            "`msdyn` is no schema profile; write msdyn_ocliveworkitem, the table of the product, or oc_liveworkitem",
        ),
        (
            "context_table",
            "new",
            "`new` is no context table; write standard, elastic or both",
        ),
        (
            "login_url",
            "http://login.example.com",
            "must begin with https:// (http:// is for a simulator on this machine only); write https://login.example.com",
        ),
        (
            "opening_chars_max",
            "10",
            "`10` is no whole number between 500 and 100000; write one, or leave it out for 30000",
        ),
        (
            "attribute.Brand",
            "Gold",
            "`Gold` is neither a field of the escalation, such as session.custom.Brand or contact.custom.Plan, nor text in double quotes, such as \"Gold\"; write one of them",
        ),
        (
            "attribute.sessionId",
            "\"x\"",
            "Baton sets it for every work item; take this setting out",
        ),
        (
            "attribute.My Brand",
            "session.channel",
            "is no name that a context variable can have; use up to 100 letters, digits and underscores, such as attribute.Brand",
        ),
        (
            "schema.work_items",
            "-",
            "cannot be left out; write its name, or take this setting out",
        ),
        (
            "schema.title",
            "a title",
            "`a title` cannot be the name of a table or column; write letters, digits and underscores, or - if there is no such thing",
        ),
        (
            "tenantId",
            "x",
            "is no setting of a Dynamics connection; take it out, or write one of tenant_id, client_id, client_secret, client_certificate, client_private_key, environment_url, default_queue_id, schema_profile, context_table, login_url, opening_chars_max, attribute.<Name>, schema.<Name>",
        ),
    ];
    for (setting, value, what) in table {
        let about = match *setting {
            "client_certificate" => "client_secret",
            setting => setting,
        };
        let found = problems(connection_with(&[(setting, value)]));
        assert_eq!(found, [format!("{about}: {what}")], "{setting} = {value}");
    }
}

#[test]
fn a_name_that_no_table_has_gets_the_list_of_those_they_have() {
    let found = problems(connection_with(&[("schema.workitems", "x")]));
    assert_eq!(found.len(), 1);
    let found = &found[0];
    assert!(
        found.starts_with("schema.workitems: is no name that a table has; take it out, or write one of schema.work_items, schema.work_item_key, "),
        "{found}"
    );
}

#[test]
fn a_certificate_needs_its_key_and_has_to_fit_it() {
    let with = |settings: &[(&str, &str)]| {
        let all = [&[("client_secret", "")], settings].concat();
        connection_with(&all)
    };
    let certificate = certificate().pem;
    let in_order = [
        ("client_certificate", certificate.as_str()),
        ("client_private_key", &PAIR.private),
    ];
    assert_eq!(notes(&mut with(&in_order)), Vec::<String>::new());
    let table: &[(&[(&str, &str)], &str)] = &[
        (
            &in_order[..1],
            "client_private_key: is missing. The RSA private key in PEM, of 2048 bits or more, that the certificate is for.",
        ),
        (
            &in_order[1..],
            "client_certificate: is missing. Instead of a secret: the certificate in PEM that you uploaded to the app registration.",
        ),
        (
            &[
                (
                    "client_certificate",
                    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
                ),
                in_order[1],
            ],
            "client_certificate: is not for the private key; paste the certificate that was made with it, or make a new pair and upload its certificate",
        ),
        (
            &[("client_certificate", &PAIR.private), in_order[1]],
            "client_certificate: is a private key, which everybody who sees this connection could read; paste the certificate, which begins with -----BEGIN CERTIFICATE-----, and make a new pair if others could see this one",
        ),
        (
            &[("client_certificate", "MIIB"), in_order[1]],
            "client_certificate: has no line -----BEGIN CERTIFICATE-----; paste the whole file, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----",
        ),
    ];
    for (settings, what) in table {
        assert_eq!(problems(with(settings)), [*what]);
    }
}

#[test]
fn what_can_be_put_right_is_put_right_and_said() {
    let mut connection = connection_with(&[
        ("tenant_id", "contoso.onmicrosoft.com"),
        ("client_id", "{1111ABCD-1111-1111-1111-111111111111}"),
        ("environment_url", "https://contoso.crm4.dynamics.com/"),
        ("login_url", "https://login.microsoftonline.us/x"),
    ]);
    assert_eq!(
        notes(&mut connection),
        [
            "client_id: written 1111abcd-1111-1111-1111-111111111111, without braces and in lower case",
            "environment_url: shortened to https://contoso.crm4.dynamics.com, because a slash at the end spoils tokens",
            "login_url: shortened to https://login.microsoftonline.us, which is all that is needed",
        ]
    );
    assert_eq!(
        connection.settings["environment_url"],
        "https://contoso.crm4.dynamics.com"
    );
    let pasted = (
        "environment_url",
        "https://contoso.crm4.dynamics.com/main.aspx?appid=1",
    );
    assert_eq!(
        notes(&mut connection_with(&[pasted])),
        [
            "environment_url: shortened to https://contoso.crm4.dynamics.com, which is all that is needed"
        ]
    );
}

#[test]
fn secrets_are_moved_where_they_belong_and_never_repeated() {
    let mut connection = connection_with(&[]);
    notes(&mut connection);
    assert!(!connection.settings.contains_key("client_secret"));
    let secret = &connection.secrets["client_secret"];
    assert_eq!(secret.expose_secret(), "s3cret");

    let wrong = connection_with(&[
        ("client_secret", "hunter2"),
        ("client_id", "x"),
        ("client_private_key", "hunter3"),
        ("environment_url", "ftp://x"),
    ]);
    let all = problems(wrong);
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(!all.join(" ").contains("hunter"));
}

#[test]
fn the_form_asks_for_the_fields_of_the_public_page_and_the_workstream() {
    let settings = desk::settings(DeskKind::Dynamics);
    let needed: Vec<&str> = settings
        .iter()
        .filter(|setting| setting.need == Need::Required)
        .map(|setting| setting.name)
        .collect();
    assert_eq!(
        needed,
        [
            "tenant_id",
            "client_id",
            "environment_url",
            "default_queue_id"
        ]
    );
    let sealed: Vec<&str> = settings
        .iter()
        .filter(|setting| setting.privacy == Privacy::Sealed)
        .map(|setting| setting.name)
        .collect();
    assert_eq!(sealed, ["client_secret", "client_private_key"]);
}
